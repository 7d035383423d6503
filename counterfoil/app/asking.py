"""Asking one witness to cosign one checkpoint: what is sent, and what each answer means.

A witness that is behind gets the proof from where it stands; one that knows more than we do, or
finds no way from what it knows to ours, is the alarm this is all for: somebody else signs with
our key, or our database is an older one.

Source: C2SP tlog-witness, "add-checkpoint"; docs/trust.md.
"""

import dataclasses
from collections.abc import Callable
from typing import Final

from counterfoil.app.outbound import Answer
from counterfoil.errors import CounterfoilError, EvidenceError
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.keys import VerifierKey
from counterfoil.tlog.note_text import parse_note, signature_line_of, write_note
from counterfoil.tlog.proof import consistency_path
from counterfoil.tlog.tile import ReadTile, node_from_tiles
from counterfoil.tlog.witness import (
    AddCheckpoint,
    parse_held_size,
    read_cosignatures,
    write_add_checkpoint,
)

ROUNDS_MAX: Final = 4

Send = Callable[[bytes], Answer]


@dataclasses.dataclass(frozen=True, slots=True)
class Cosigned:
    """The witness signed: its line, checked."""

    line: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    """No cosignature this time; `why` is one line.  Ask again later."""

    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Alarm:
    """The witness has seen another history.

    Attributes:
        kind: "larger": it holds a size this log has never signed here; "forked": it finds no
            way from what it holds to what it was shown.
        why: one line.
        held_size: what it says it holds; None when it does not say.
    """

    kind: str
    why: str
    held_size: int | None


def own_note(note: bytes, origin: str) -> bytes:
    """Return a checkpoint with the log's own signatures alone: all a witness needs to see."""
    parsed = parse_note(note)
    own = [signature_line_of(one) for one in parsed.signatures if one.name == origin]
    return write_note(parsed.text, own)


def ask(
    note: bytes, key: VerifierKey, send: Send, read_tile: ReadTile, *, known: int, newest: int
) -> tuple[Cosigned | Failed | Alarm, int]:
    """Ask one witness about one checkpoint.

    Args:
        note: the checkpoint with the log's own signatures.
        key: the witness's.
        send: posts a body to it.
        read_tile: reads the log's tiles.
        known: the size the witness is believed to hold.
        newest: the size of the log, at least that of the checkpoint.

    Returns:
        What came of it, and the size the witness is believed to hold from now on.
    """
    text = parse_note(note).text
    size = parse_checkpoint(text).size
    node = node_from_tiles(read_tile)
    for _ in range(ROUNDS_MAX):
        if known > newest:
            why = f"holds a checkpoint of {known} entries, this log has {newest}"
            return Alarm("larger", why, known), known
        if known > size:
            return Failed(f"holds size {known} already: it is asked about a later one"), known
        try:
            path = tuple(consistency_path(known, size, node)) if known else ()
            answer = send(write_add_checkpoint(AddCheckpoint(known, path, note)))
            if answer.status == 200:
                return Cosigned(read_cosignatures(answer.body, text, key)), size
        except CounterfoilError as error:
            return Failed(error.message), known
        if answer.status == 422:
            why = f"finds no way from size {known} to {size}: {_said(answer)}"
            return Alarm("forked", why, known), known
        if answer.status != 409:
            return Failed(f"answered {answer.status}: {_said(answer)}"), known
        try:
            held = parse_held_size(answer.body)
        except EvidenceError:
            # Some witnesses say so that another root was seen at this size.
            why = f"says that {size} entries conflict with what it holds, and no size"
            return Alarm("forked", why, None), known
        if held == known:
            return Failed(f"answered 409 to the size it says it holds, {held}"), known
        known = held
    return Failed(f"stated another size {ROUNDS_MAX} times"), known


def _said(answer: Answer) -> str:
    """Return what came with a refusal, short and on one line: strangers wrote it."""
    text = answer.body[:200].decode("utf-8", "replace")
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line or "nothing more"
