"""Proof files: the entries a thing rests on, their way to one signed checkpoint, and what is opened.

All paths lead to the same checkpoint, so a file says one thing about one log.  Personal values
stay closed unless they are asked for: a file travels, and cannot be called back.

Bounded: at most `ENTRIES_MAX` entries and `SHOWN_MAX_BYTES` of opened contents; what did not fit is
counted in the file.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence

import msgspec

from counterfoil.app.answers import Trace
from counterfoil.app.follow import signed_head
from counterfoil.app.home import Home
from counterfoil.app.opening import show_parts
from counterfoil.app.rows import Rows
from counterfoil.clock import format_time
from counterfoil.errors import EvidenceError, RequestError, UnavailableError
from counterfoil.events.entry import read_entry
from counterfoil.prooffile.make import make_page
from counterfoil.tlog.proof import Node, inclusion_path, verify_inclusion
from counterfoil.tlog.strict import write_base64
from counterfoil.tlog.tile import node_from_tiles
from counterfoil.tlog.tree import TreeHead, leaf_hash
from counterfoil.verifier.proof_file import (
    ENTRY_SUBJECT,
    EntryProof,
    GapSaid,
    Proof,
    Shown,
    Statement,
    StepSaid,
)

ENTRIES_MAX = 200
SHOWN_MAX_BYTES = 4 << 20
SETTLE_S = 5.0
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclasses.dataclass(frozen=True, slots=True)
class ProofFile:
    """A proof file: the name it is saved under, and its bytes."""

    name: str
    content: bytes


def prove(
    home: Home, project: str, what: str, *, as_of: int | None = None, with_people: bool = False
) -> ProofFile:
    """Return the proof file of an entry or of the chain of a ref.

    Args:
        home: the open ledger directory.
        project: whose log.
        what: `entry:N`, or a ref.
        as_of: the last entry to be known; None for all of them.  An entry is as of itself.
        with_people: open personal values too.

    Raises:
        RequestError: `not_found`: nothing of it is recorded at that moment; `ref_invalid`.
        EvidenceError: what is kept beside an entry is not what it commits to.
        UnavailableError: `busy`: the rows have not followed that far yet.

    Cost: about 1 ms an entry.
    """
    newest = signed_head(home.ledger.checkpoint(project)).size - 1
    last = newest if as_of is None else min(as_of, newest)
    if what.startswith(ENTRY_SUBJECT):
        subject, statement, chosen = _one_entry(home, project, what, last)
    else:
        subject, statement, chosen = _chain(home, project, what, last)
    note = home.outside.checkpoint_for(project, max(chosen))
    head = signed_head(note)
    node = node_from_tiles(lambda level, n: home.log.tile(project, level, n))
    # The last entry known is there for its place and time; its contents concern nobody here.
    rests = {entry for gap in statement.gaps for entry in gap.entries}
    rests |= {
        one for step in statement.steps for one in (step.entry, step.ended) if one is not None
    }
    proof = Proof(
        subject=subject,
        project=project,
        written=format_time(home.clock.now()),
        vkey=str(home.ledger.trust(project).signer(note) or home.ledger.vkey(project)),
        checkpoint=note.decode(),
        entries=_entries(home, project, chosen, rests, head, node, with_people=with_people),
        statement=statement,
    )
    name = _UNSAFE.sub("-", subject.removeprefix("release:")).strip("-.")[:80] or "proof"
    return ProofFile(f"{name}.proof.html", make_page(proof))


def _one_entry(
    home: Home, project: str, what: str, last: int
) -> tuple[str, Statement, Sequence[int]]:
    digits = what.removeprefix(ENTRY_SUBJECT)
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 15):
        raise RequestError("not_found", f"{what[:40]!r} names no entry; write entry:17")
    index = int(digits)
    if index > last:
        raise RequestError("not_found", f"there is no entry {index}; the last one is {last}")
    step = _said(home, project, index)
    statement = Statement(as_of=index, steps=(step,), gaps=(), left_out=0, cut=False)
    return f"{ENTRY_SUBJECT}{index}", statement, (index,)


def _chain(home: Home, project: str, ref: str, last: int) -> tuple[str, Statement, Sequence[int]]:
    if last < 0:
        raise RequestError("not_found", f"the log holds no entry yet, so none about {ref[:80]!r}")
    if not home.follower.wait_for(project, last + 1, SETTLE_S):
        raise UnavailableError("busy", f"entry {last} is not folded yet; try again in a moment")
    trace = home.reader.trace(project, ref, as_of=last)
    # The file must hold an entry that names its subject, whatever else has to stay out.
    rows = Rows(home.tables)
    naming = rows.mentioned(project, [trace.ref], last)
    if not naming:
        raise RequestError("not_found", f"no entry names {ref[:80]!r} at this moment")
    if not trace.steps:
        # Of a test, say, the last word is how it came out, and the first that it began.
        naming = sorted({*naming, *rows.mentioned(project, [trace.ref], last, last=True)})
    wanted = _wanted(trace, [*naming, last])
    chosen = sorted(wanted[:ENTRIES_MAX])
    statement = _statement(trace, last, set(chosen), len(wanted))
    if naming[0] not in {step.entry for step in statement.steps}:
        # What is in no chain is still said, so that no list is empty.
        said = tuple(_said(home, project, index) for index in naming)
        statement = msgspec.structs.replace(statement, steps=(*said, *statement.steps))
    return trace.ref, statement, chosen


def _said(home: Home, project: str, index: int) -> StepSaid:
    line = home.reader.lines(project, [index])[index]
    return StepSaid(entry=index, ended=None, lane="", what=line.sentence, outcome=line.outcome)


def _wanted(trace: Trace, first: Iterable[int]) -> list[int]:
    """Return the entries a trace rests on, each once, what must not be left out first."""
    gaps = (entry for gap in trace.gaps for entry in gap.entries)
    ends = (step.end_entry for step in reversed(trace.steps) if step.end_entry is not None)
    steps = (step.entry for step in reversed(trace.steps))
    return list(dict.fromkeys([*first, *gaps, *steps, *ends]))


def _statement(trace: Trace, last: int, chosen: set[int], wanted: int) -> Statement:
    steps = tuple(
        StepSaid(
            entry=step.entry,
            ended=step.end_entry if step.end_entry in chosen else None,
            lane=step.lane,
            what=step.sentence,
            outcome=step.outcome,
        )
        for step in trace.steps
        if step.entry in chosen
    )
    gaps = tuple(
        GapSaid(
            rule=gap.rule,
            what=gap.what,
            why=gap.why,
            entries=tuple(entry for entry in gap.entries if entry in chosen),
        )
        for gap in trace.gaps
    )
    return Statement(
        as_of=last, steps=steps, gaps=gaps, left_out=wanted - len(chosen), cut=trace.cut
    )


def _entries(
    home: Home,
    project: str,
    chosen: Sequence[int],
    rests: set[int],
    head: TreeHead,
    node: Node,
    *,
    with_people: bool,
) -> tuple[EntryProof, ...]:
    """Return the chosen entries with their paths; each is verified before it leaves."""
    made = []
    room_bytes = SHOWN_MAX_BYTES
    for index in chosen:
        found = home.log.kept(project, index, index + 1)
        if not found:
            raise EvidenceError("missing", f"entry {index} is not in the store; run verify")
        [kept] = found
        path = inclusion_path(index, head.size, node)
        verify_inclusion(leaf_hash(kept.entry), index, path, head)
        parts = (
            show_parts(read_entry(kept.entry), kept, home.keys, project, personal=with_people)
            if index in rests
            else []
        )
        room_bytes -= sum(len(part.plain) for part in parts)
        made.append(
            EntryProof(
                index=index,
                entry=kept.entry.decode(),
                path=tuple(write_base64(sibling) for sibling in path),
                shown=tuple(
                    Shown(
                        name=part.name,
                        opening=write_base64(part.opening),
                        content=part.plain.decode(),
                    )
                    for part in parts
                )
                if room_bytes >= 0
                else (),
            )
        )
    return tuple(made)
