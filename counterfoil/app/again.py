"""Outside bytes that were recorded before: answered with what they became the first time.

What a reader makes of a vendor's bytes may differ from release to release; what is recorded does
not.  So the same bytes under the same delivery are a duplicate, whatever would be read in them
today: nothing is added, nothing is refused.  docs/adr/0018-the-same-bytes-are-a-duplicate.md
"""

from collections.abc import Sequence

from counterfoil.app.home import Home
from counterfoil.app.record import EVENTS_PER_APPEND
from counterfoil.events.entry import Entry, read_entry
from counterfoil.events.event import Event
from counterfoil.events.refs import parse_ref

# What the sender of a report says of it beside its bytes, and the log tells everybody.
_SAID = frozenset({"commit", "env"})


def delivered(home: Home, project: str, events: Sequence[Event], digest: str) -> list[int]:
    """Return the entries a delivery became when these bytes came first, in order.

    Args:
        home: the ledger.
        project: the log.
        events: what is read in the delivery today, the one that bears its id first.
        digest: of its bytes.

    Returns:
        All of its entries: they were recorded together, so they stand together.  Empty if none
        of `events` is recorded, or what is recorded so came from other bytes.
    """
    held = home.keys.blob(digest)
    if held is None:
        return []
    for event in events:
        index = home.log.find(project, event.source, event.id)
        if index is None or not _is_of(home, project, index, event, held.stored):
            continue
        root = events[0]
        first, end = index, index + 1
        while first and _is_of(home, project, first - 1, root, held.stored):
            first -= 1
        while end - first < EVENTS_PER_APPEND and _is_of(home, project, end, root, held.stored):
            end += 1
        return list(range(first, end))
    return []


def reported(home: Home, project: str, events: Sequence[Event]) -> list[int | None]:
    """Return the entry each event of a report is, None for one that is not recorded.

    The id of a report's events is made of the run and the digest of the bytes, so an entry under
    it came from the same bytes.  One of which the sender says now what was not said then (another
    commit, another environment) is none of this report.
    """
    found: list[int | None] = []
    for event in events:
        index = home.log.find(project, event.source, event.id)
        if index is not None and not _said_of(event) <= _said_of(_entry(home, project, index)):
            index = None
        found.append(index)
    return found


def _is_of(home: Home, project: str, index: int, event: Event, stored: str) -> bool:
    """Say whether an entry is the event of that id, or a further part of it, from these bytes."""
    for kept in home.log.kept(project, index, index + 1):
        entry = read_entry(kept.entry)
        is_named = entry.id == event.id or entry.id.startswith(f"{event.id}/")
        return is_named and entry.source == event.source and stored in kept.blobs
    return False


def _entry(home: Home, project: str, index: int) -> Entry:
    [entry] = home.log.entries(project, index, index + 1)
    return read_entry(entry)


def _said_of(one: Entry | Event) -> frozenset[tuple[str, str]]:
    return frozenset(
        (named.ref, named.role) for named in one.refs if parse_ref(named.ref).kind in _SAID
    )
