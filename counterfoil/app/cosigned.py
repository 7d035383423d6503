"""Checkpoints with cosignatures: which of them are worth keeping, and which to hand out.

A later checkpoint by fewer witnesses does not stand in for an earlier one by more of them, so
both are kept: a receipt shows the most witnesses that cover its entry.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.cosignature import cosignature_time_s
from counterfoil.tlog.keys import VerifierKey
from counterfoil.tlog.note import verify_note
from counterfoil.tlog.note_text import parse_note, signature_line_of, write_note
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.tree import TreeHead


@dataclass(frozen=True, slots=True)
class CosignedNote:
    """A checkpoint with the cosignatures of witnesses trusted here.

    Attributes:
        head: what it commits to.
        note: the whole signed note.
        witnesses: name and key id of each witness -> POSIX seconds it states.
    """

    head: TreeHead
    note: bytes
    witnesses: dict[tuple[str, bytes], int]

    @classmethod
    def read(cls, note: bytes, log: Policy, witnesses: Iterable[VerifierKey]) -> Self:
        """Check a note and keep the signatures by these keys alone.

        Raises:
            EvidenceError: it is no checkpoint, or a signature by one of them is wrong, or no key
                of the log vouches for it.
        """
        log.verify_checkpoint(note)
        own = [one.key for one in log.logs]
        known = {(key.name, key.key_id) for key in witnesses if key not in own}
        verified = verify_note(note, [*own, *witnesses])
        seen = {
            (line.name, line.key_id): cosignature_time_s(line.signature)
            for line in verified.signatures
            if (line.name, line.key_id) in known
        }
        lines = [signature_line_of(line) for line in verified.signatures]
        return cls(parse_checkpoint(verified.text).head, write_note(verified.text, lines), seen)


def with_line(note: bytes, line: bytes) -> bytes:
    """Return a note with one more signature line, in the place of one by the same key."""
    parsed = parse_note(note)
    [added] = parse_note(parsed.text + b"\n" + line).signatures
    kept = [
        signature_line_of(one)
        for one in parsed.signatures
        if (one.name, one.key_id) != (added.name, added.key_id)
    ]
    return write_note(parsed.text, [*kept, line])


def worth_keeping(notes: Iterable[CosignedNote]) -> list[CosignedNote]:
    """Return those no later one stands in for, the latest first."""
    kept: list[CosignedNote] = []
    # Of one size, the one with more witnesses and later words comes first.
    order = sorted(
        notes,
        key=lambda one: (one.head.size, len(one.witnesses), sum(one.witnesses.values())),
        reverse=True,
    )
    for one in order:
        if one.witnesses and not any(set(one.witnesses) <= set(had.witnesses) for had in kept):
            kept.append(one)
    return kept


def best_for(notes: Sequence[CosignedNote], index: int) -> CosignedNote | None:
    """Return the one by most witnesses that covers entry `index`; the later of two."""
    covering = [one for one in notes if one.head.size > index]
    return max(covering, key=lambda one: (len(one.witnesses), one.head.size), default=None)
