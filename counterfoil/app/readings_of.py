"""What somebody has read of personal data and exported: their entries about it, added up.

One entry is an hour of reading of one kind in one log, so a page of these says what a person looks
at without a line for every look.  Where they are too many the newest are added up, and it is said.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from counterfoil.app.opening import RangeKeys
from counterfoil.app.readings import EXPORT_TYPE
from counterfoil.errors import EvidenceError
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry, read_entry

if TYPE_CHECKING:
    from counterfoil.app.home import Home

QUERY: Final = "type:personal.read type:export.made"
ENTRIES_MAX: Final = 500
EXPORT: Final = "export"
ERASED: Final = "erased"


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """Readings of one kind in one log.

    Attributes:
        what: one of `readings.KINDS`, or "export"; "erased" where the entry's words are.
        project: of which log.
        count: how often, over all these entries.
        last: recorded time of the newest of them.
        index: its number.
    """

    what: str
    project: str
    count: int
    last: str
    index: int


@dataclasses.dataclass(frozen=True, slots=True)
class Reads:
    """What somebody read: by kind and log, the newest first; `more` entries are not added up."""

    rows: tuple[Read, ...]
    more: int


def readings_of(
    home: "Home", projects: Sequence[str], actor_query: str, as_of: dict[str, int]
) -> Reads:
    """Return what an actor read and exported, as far as these logs say.

    Args:
        home: the open ledger.
        projects: the logs whoever asks may read.
        actor_query: words of a search that mean the actor, such as `actor:ana`.
        as_of: project -> entry to look back from; absent for now.

    Raises:
        RequestError: `query_invalid`.

    Cost: a search a log, and up to `ENTRIES_MAX` bodies opened a log.
    """
    rows: dict[tuple[str, str], Read] = {}
    more = 0
    for project in projects:
        found = home.reader.search(
            project, f"{actor_query} {QUERY}", limit=ENTRIES_MAX, as_of=as_of.get(project)
        )
        more += found.total - len(found.items)
        for line in found.items:
            what, count = _told(home, project, line.index)
            known = rows.get((what, project))
            if known is None:
                rows[what, project] = Read(what, project, count, line.recordedtime, line.index)
            else:
                rows[what, project] = dataclasses.replace(known, count=known.count + count)
    ordered = sorted(rows.values(), key=lambda one: (one.last, one.index), reverse=True)
    return Reads(tuple(ordered), more)


def _told(home: "Home", project: str, index: int) -> tuple[str, int]:
    """Return what an entry says was read, and how often."""
    [kept] = home.log.kept(project, index, index + 1)
    entry = read_entry(kept.entry)
    try:
        body = RangeKeys(home.keys, project, index, index + 1).open_body(entry, kept)
    except EvidenceError:
        body = None
    return _of_body(entry, body)


def _of_body(entry: Entry, body: bytes | None) -> tuple[str, int]:
    if entry.type == EXPORT_TYPE:
        return EXPORT, 1
    if body is None:
        return ERASED, 0
    members: dict[str, JSON] = msgspec.json.decode(body, type=dict)
    data = members.get("data")
    told = data if isinstance(data, dict) else {}
    count = told.get("count")
    return str(told.get("what", ERASED)), count if isinstance(count, int) else 0
