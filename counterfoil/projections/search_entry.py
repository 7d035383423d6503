"""What an entry is found by: its actor, type, outcome, way in, source, refs, and a short line.

What must hold: nothing here identifies a person.  The actor is a pseudonym, declared personal
values are not part of `Recorded.data`, and the line is the sentence people read, not the body.
Once a body is erased its entry is found by what stands in the log, and its line says no more.
"""

import dataclasses

from counterfoil.events.sentence import say
from counterfoil.projections.base import TEXT_MAX, Recorded, event_outcome, kind_of

# Every test case is one: such refs are found through the mentions, where they stand anyway.
BY_MENTION = frozenset({"test"})
CREDENTIALS = ("token:", "session:")


@dataclasses.dataclass(frozen=True, slots=True)
class FoundBy:
    """What one entry is found by.

    Attributes:
        entry: entry number, from 0.
        marks: (field, value) pairs without repeats; "" is a value that is not stated.
        line: the words full text looks in.
    """

    entry: int
    marks: tuple[tuple[str, str], ...]
    line: str


def found_by(recorded: Recorded) -> FoundBy:
    """Return what an entry is found by.  Cost: about 15 us, most of it the sentence."""
    entry = recorded.entry
    refs = dict.fromkeys(named.ref for named in entry.refs)
    if entry.subject is not None:
        refs[entry.subject] = None
    if entry.recordedby.startswith(CREDENTIALS):
        # Whatever came under a token or a session is part of its life.
        refs[entry.recordedby] = None
    marks = (
        ("type", entry.type[:TEXT_MAX]),
        ("actor", recorded.actor or ""),
        ("outcome", event_outcome(recorded) or ""),
        ("via", entry.via),
        ("source", entry.source[:TEXT_MAX]),
        *[("ref", ref) for ref in refs if kind_of(ref) not in BY_MENTION],
    )
    return FoundBy(recorded.index, marks, _line(recorded))


def _line(recorded: Recorded) -> str:
    said = say(recorded.entry.type, recorded.entry.subject, dict(recorded.data))
    kind, _, ident = (recorded.entry.subject or "").partition(":")
    # The sentence shortens what it names; people search for the whole id too.
    return said if kind == "actor" or ident in said else f"{said} {ident}"
