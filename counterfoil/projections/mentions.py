"""What an entry names, links and stands for: facts that are only ever added, never folded.

Three append-only lists: `mentions` (this entry names this ref in this role), `links` (this entry
says that one ref leads to another) and `arrivals` (this entry came from this source, then, with
this number).  As of entry n means: the lines with an entry number of at most n.
"""

import dataclasses

from counterfoil.events.refs import links as stated_links
from counterfoil.projections.base import Recorded, kind_of

SUBJECT = "subject"


@dataclasses.dataclass(frozen=True, slots=True)
class Mention:
    """Entry `entry` names `ref` in `role`; the role of the event's subject is "subject"."""

    ref: str
    role: str
    entry: int


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """Entry `entry` says: `source` --`role`--> `target`."""

    source: str
    role: str
    target: str
    entry: int


@dataclasses.dataclass(frozen=True, slots=True)
class Arrival:
    """How entry `entry` arrived.

    Attributes:
        entry: entry number, from 0.
        source: the event's source.
        via: webhook, cli, pytest, api, ...
        time: when it happened, by the sender's word.
        recordedtime: when it was recorded; never decreases with the entry number.
        producer, boot, seq: its number within one start of a producer, or None.
        evidence_absent: how many evidence files it names that it commits to no bytes of.
    """

    entry: int
    source: str
    via: str
    time: str
    recordedtime: str
    producer: str | None
    boot: str | None
    seq: int | None
    evidence_absent: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class SequenceGap:
    """Numbers a producer skipped.

    Attributes:
        producer: the producer's name.
        boot: its start.
        first: the first missing number.
        last: the last missing number, inclusive.
        before: entry number of the event with the number before the gap.
        after: entry number of the event with the number after it.
    """

    producer: str
    boot: str
    first: int
    last: int
    before: int
    after: int


def mentions(recorded: Recorded) -> tuple[Mention, ...]:
    """Return every (ref, role) the entry names, its subject first, without repeats."""
    entry = recorded.entry
    pairs = [(entry.subject, SUBJECT)] if entry.subject is not None else []
    pairs += [(named.ref, named.role) for named in entry.refs]
    return tuple(Mention(ref, role, recorded.index) for ref, role in dict.fromkeys(pairs))


def links(recorded: Recorded) -> tuple[Link, ...]:
    """Return the links the entry states, without repeats.

    Those of a test are left out: they are its case rows, and a run of 100,000 cases would make
    as many links to one commit.
    """
    stated = stated_links(recorded.entry.subject, recorded.entry.refs)
    triples = dict.fromkeys(
        (link.source, link.role, link.target)
        for link in stated
        if "test" not in {kind_of(link.source), kind_of(link.target)}
    )
    return tuple(Link(source, role, target, recorded.index) for source, role, target in triples)


def arrival(recorded: Recorded) -> Arrival:
    """Return how the entry arrived."""
    entry = recorded.entry
    numbered = entry.producer is not None and entry.seq is not None
    return Arrival(
        entry=recorded.index,
        source=entry.source,
        via=entry.via,
        time=entry.time,
        recordedtime=entry.recordedtime,
        producer=entry.producer if numbered else None,
        boot=(entry.boot or "") if numbered else None,
        seq=entry.seq if numbered else None,
        evidence_absent=sum(
            f"blob/{position}" not in entry.commit for position in range(_blobs_named(recorded))
        ),
    )


def _blobs_named(recorded: Recorded) -> int:
    named = recorded.data.get("blobs")
    return len(named) if isinstance(named, list) else 0
