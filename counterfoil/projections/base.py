"""What every projection is made of: a recorded entry, the pieces of rows, and lenient reading.

A projection is two pure functions: `touches(recorded)` names the rows an entry is about, and
`fold(key, row, recorded)` says what such a row becomes.  Folds are total: an entry cannot be
taken out of the log, so an odd one becomes a problem on the row, never an exception
(docs/adr/0007-rows-with-history.md).  A fold that returns the row it was given changes nothing,
and no version is kept.

Rows keep entry numbers (0-based), not booleans: every fact can name its evidence.  Rows hold
pseudonyms (`actor:...`), never handles; text in them comes from bodies and is rebuilt away when a
body is erased.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry

# A row must not grow without bounds: it keeps its first entries and its last ones.
ENTRIES_MAX = 200
PROBLEMS_MAX = 50
TEXT_MAX = 500
DEMO = "urn:counterfoil:demo"

Scalar = str | int | None

# dict first: asking the abstract class is ten times dearer, and folds ask it all the time.
_OBJECT = (dict, Mapping)


@dataclasses.dataclass(frozen=True, slots=True)
class Recorded:
    """One entry as a fold sees it.

    Attributes:
        index: its entry number, from 0.
        entry: the public envelope, as in the log.
        data: the event's data without personal values; {} when it is absent, no object, or
            erased.
        actor: the pseudonym of who did it ("actor:..."), or None if the entry names nobody.
    """

    index: int
    entry: Entry
    data: Mapping[str, JSON]
    actor: str | None


class At(msgspec.Struct, frozen=True):
    """When something happened and the entry that says so.

    Attributes:
        entry: entry number, from 0.
        time: the time the sender gave, RFC 3339.
        actor: the pseudonym of who did it, or None.
        recordedtime: when the server recorded it; never decreases with the entry number.
        demo: the entry is of the demonstration data.
    """

    entry: int
    time: str
    actor: str | None = None
    recordedtime: str = ""
    demo: bool = False


class Piece(msgspec.Struct, frozen=True):
    """A ref that belongs to a row, the role it has there, and the entry that says so."""

    ref: str
    role: str
    entry: int


class Approval(msgspec.Struct, frozen=True):
    """One step of an approval.

    Attributes:
        state: "requested", "signed" or "refused".
        approval: the `approval:` ref, or None.
        actor: pseudonym of who asked, signed or refused.
        environment: the `env:` it is for, or None.
        reason: in their words.
        at: when, with entry and actor.
    """

    state: str
    approval: str | None
    actor: str | None
    environment: str | None
    reason: str | None
    at: At


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What every row has.

    Attributes:
        ref: the key: the ref (or composed key) this row is about.
        entries: numbers of the entries it rests on, ascending; the first and the last ones if
            there are more than `ENTRIES_MAX`.
        problems: (entry number, what is odd about it) pairs.
        demo: one of these entries is of the demonstration data.
    """

    ref: str
    entries: tuple[int, ...] = ()
    problems: tuple[tuple[int, str], ...] = ()
    demo: bool = False


RowT = TypeVar("RowT", bound=Row)


@dataclasses.dataclass(frozen=True, slots=True)
class Projection(Generic[RowT]):
    """One noun: its table name, its index columns and its two functions.

    Attributes:
        noun: the table's name.
        row: the row type, for decoding.
        columns: names of the index columns, with "text" or "integer".
        touches: keys of the rows an entry is about.
        fold: the row after one more entry; the same object if nothing changes.
        index: values of the index columns of a row.
        indexed: the columns that get an index of their own: those a list is narrowed by where
            the rest of the list may be long.
    """

    noun: str
    row: type[RowT]
    columns: Mapping[str, str]
    touches: Callable[[Recorded], tuple[str, ...]]
    fold: Callable[[str, RowT | None, Recorded], RowT]
    index: Callable[[RowT], dict[str, Scalar]]
    indexed: tuple[str, ...] = ()

    def after(self, key: str, row: RowT | None, recorded: Recorded) -> RowT:
        """Return what `fold` makes of the row, marked where the entry is of the demonstration."""
        made = self.fold(key, row, recorded)
        if made.demo or not is_demo(recorded.entry.source):
            return made
        return msgspec.structs.replace(made, demo=True)


def moment(recorded: Recorded) -> At:
    """Return when `recorded` happened, with its entry and actor."""
    entry = recorded.entry
    return At(recorded.index, entry.time, recorded.actor, entry.recordedtime, is_demo(entry.source))


def is_demo(source: str) -> bool:
    """Say whether a source is the demonstration data that comes with the program."""
    return source == DEMO or source.startswith((f"{DEMO}:", f"{DEMO}/"))


def grow(entries: tuple[int, ...], index: int) -> tuple[int, ...]:
    """Return `entries` with `index` at the end, once, bounded by `ENTRIES_MAX`."""
    if entries and entries[-1] == index:
        return entries
    if len(entries) >= ENTRIES_MAX:
        half = ENTRIES_MAX // 2
        entries = entries[:half] + entries[half + 1 :]
    return (*entries, index)


def odd(
    problems: tuple[tuple[int, str], ...], index: int, what: str
) -> tuple[tuple[int, str], ...]:
    """Return `problems` with one more; after `PROBLEMS_MAX` they are no longer told apart."""
    if len(problems) >= PROBLEMS_MAX:
        return problems
    return (*problems, (index, what))


def add_piece(pieces: tuple[Piece, ...], ref: str, role: str, entry: int) -> tuple[Piece, ...]:
    """Return `pieces` with `ref` in `role` added, unless it is there; at most 1,000."""
    if len(pieces) >= 1_000 or any(one.ref == ref and one.role == role for one in pieces):
        return pieces
    return (*pieces, Piece(ref, role, entry))


def kind_of(ref: str) -> str:
    """Return the kind of a ref: what stands before its first colon.

    >>> kind_of("release:shop@1.4.2")
    'release'
    """
    return ref.partition(":")[0]


def refs_of(recorded: Recorded, kind: str, *roles: str) -> tuple[str, ...]:
    """Return the refs of `kind` the entry names, in order; only in `roles` if any are given."""
    prefix = kind + ":"
    return tuple(
        dict.fromkeys(
            named.ref
            for named in recorded.entry.refs
            if named.ref.startswith(prefix) and (not roles or named.role in roles)
        )
    )


def about(recorded: Recorded, kind: str) -> tuple[str, ...]:
    """Return the refs of `kind` the entry is about: its subject, else those it names."""
    subject = recorded.entry.subject
    if subject is not None and subject.startswith(kind + ":"):
        return (subject,)
    return refs_of(recorded, kind)


def first(refs: tuple[str, ...]) -> str | None:
    """Return the first of `refs`, or None."""
    return refs[0] if refs else None


def dig(data: JSON | Mapping[str, JSON], *path: str) -> JSON:
    """Return the value at `path` in nested objects, or None where it ends early."""
    value: object = data
    for name in path:
        if not isinstance(value, _OBJECT):
            return None
        value = value.get(name)
    return value  # type: ignore[return-value]  # JSON in, JSON out


def text(data: JSON | Mapping[str, JSON], *path: str) -> str | None:
    """Return the text at `path`, cut to `TEXT_MAX` characters; None if there is no text there."""
    value = dig(data, *path)
    return value[:TEXT_MAX] if isinstance(value, str) and value else None


def number(data: JSON | Mapping[str, JSON], *path: str) -> int | None:
    """Return the whole number at `path`, or None (also beyond 2^53-1 and for booleans)."""
    value = dig(data, *path)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return value
    return None


def flag(data: JSON | Mapping[str, JSON], *path: str) -> bool | None:
    """Return the boolean at `path`, or None."""
    value = dig(data, *path)
    return value if isinstance(value, bool) else None


def content(recorded: Recorded) -> JSON:
    """Return the subject's content of a CDEvents document, or the data itself if it is flat."""
    inner = dig(recorded.data, "subject", "content")
    return inner if isinstance(inner, dict) else dict(recorded.data)


def custom(recorded: Recorded) -> JSON:
    """Return `customData` of a CDEvents document if it is an object, else {}."""
    inner = dig(recorded.data, "customData")
    return inner if isinstance(inner, dict) else {}


@functools.lru_cache(maxsize=4_096)
def noun_of(event_type: str) -> tuple[str, str]:
    """Return (subject, predicate) of an event type of CDEvents or of ours, else ("", "").

    >>> noun_of("dev.cdevents.change.merged.0.3.0")
    ('change', 'merged')
    >>> noun_of("dev.cdeventsx.counterfoil-approval.signed.0.1.0")
    ('approval', 'signed')
    >>> noun_of("com.example.step.finished")
    ('', '')
    """
    for prefix in ("dev.cdevents.", "dev.cdeventsx.counterfoil-"):
        if event_type.startswith(prefix):
            parts = event_type.removeprefix(prefix).split(".")
            return (parts[0], parts[1]) if len(parts) >= 2 else ("", "")
    return ("", "")


def outcome_of(word: JSON) -> str | None:
    """Return the outcome a sender's word means, or None if it is no word of ours.

    >>> outcome_of("success"), outcome_of("timed_out"), outcome_of("purple")
    ('passed', 'failed', None)
    """
    return _OUTCOMES.get(word.lower()) if isinstance(word, str) else None


_OUTCOMES = {
    # CDEvents 0.5.1
    "success": "passed",
    "failure": "failed",
    "error": "error",
    "cancel": "cancelled",
    # test reports
    "passed": "passed",
    "pass": "passed",
    "failed": "failed",
    "fail": "failed",
    "skipped": "skipped",
    "xfailed": "skipped",
    "xpassed": "failed",
    "errored": "error",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    # GitHub check conclusions and deployment states
    "succeeded": "passed",
    "completed": "passed",
    "neutral": "skipped",
    "stale": "cancelled",
    "timed_out": "failed",
    "startup_failure": "error",
    "action_required": "failed",
}


# CDEvents' service.published says that a service can be reached, not that something was deployed.
_SERVICE = {
    "deployed": "succeeded",
    "upgraded": "succeeded",
    "rolledback": "succeeded",
    "removed": "removed",
}
_DELIVERY = {
    "success": "succeeded",
    "succeeded": "succeeded",
    "failure": "failed",
    "failed": "failed",
    "error": "failed",
    "inactive": "removed",
    "cancelled": "cancelled",
    "cancel": "cancelled",
    "queued": "requested",
    "pending": "requested",
    "waiting": "requested",
    "in_progress": "running",
    "running": "running",
}


def delivery_state(noun: str, predicate: str, recorded: Recorded) -> str:
    """Return what an event of a deployment or a service says of it.

    One of "requested", "running", "succeeded", "failed", "cancelled", "removed", or "unknown"
    for a state that is none of these.
    """
    if noun == "service":
        return _SERVICE.get(predicate, "unknown")
    if predicate == "requested":
        return "requested"
    body = content(recorded)
    word = text(body, "state") or text(body, "outcome") or text(custom(recorded), "outcome") or ""
    return _DELIVERY.get(word.lower(), "unknown")


def is_production(name: str) -> bool:
    """Say whether an environment's name says that it is production.

    >>> is_production("env:production"), is_production("env:acme/prod-eu"), is_production("env:qa")
    (True, True, False)
    """
    words = name.lower().replace("/", " ").replace("-", " ").replace("_", " ").replace(":", " ")
    return not {"production", "prod", "live"}.isdisjoint(words.split()) and not {
        "pre", "non",
    } & set(words.split())  # fmt: skip


APPROVAL_STATES = frozenset({"requested", "signed", "refused"})


def approval_step(recorded: Recorded) -> Approval:
    """Return the step of an approval an entry states; its predicate is one of the states."""
    return Approval(
        state=noun_of(recorded.entry.type)[1],
        approval=first(about(recorded, "approval")),
        actor=recorded.actor,
        environment=first(refs_of(recorded, "env")),
        reason=text(content(recorded), "reason"),
        at=moment(recorded),
    )


def event_outcome(recorded: Recorded) -> str | None:
    """Return how what an entry tells of ended, or None if it tells of no end.

    One of "passed", "failed", "error", "skipped", "cancelled".
    """
    noun, predicate = noun_of(recorded.entry.type)
    if noun in {"deployment", "service"} and predicate != "requested":
        return {"succeeded": "passed", "failed": "failed", "cancelled": "cancelled"}.get(
            delivery_state(noun, predicate, recorded)
        )
    if noun == "testcaserun" and predicate == "skipped":
        return "skipped"
    if predicate not in {"finished", "reported"}:
        return None
    for word in (
        dig(custom(recorded), "outcome"),
        dig(content(recorded), "outcome"),
        dig(custom(recorded), "conclusion"),
    ):
        if (outcome := outcome_of(word)) is not None:
            return outcome
    return None
