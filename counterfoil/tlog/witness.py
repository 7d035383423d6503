"""The witness protocol: what a log sends, and what a witness may answer to it.

A witness remembers one tree head of each log and cosigns only what extends it.  `judge` is
that decision and nothing else: it reads no clock and keeps nothing, so whoever calls it has to
make the accepted head durable before the cosignature leaves.

An add-checkpoint body is also how the aggregate log writes down what it saw: each entry brings
its own proof that the history before it still stands (docs/adr/0023).

Source: C2SP tlog-witness, "add-checkpoint".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from counterfoil.errors import EvidenceError
from counterfoil.tlog import strict
from counterfoil.tlog.checkpoint_text import Checkpoint, parse_checkpoint
from counterfoil.tlog.keys import COSIGNATURE, MLDSA44, VerifierKey
from counterfoil.tlog.note import verify_note
from counterfoil.tlog.note_text import MAX_SIGNATURES, parse_note, signature_line_of
from counterfoil.tlog.proof import verify_consistency
from counterfoil.tlog.tree import EMPTY_ROOT, TreeHead

MAX_PATH = 63
SIZE_MEDIA_TYPE = "text/x.tlog.size"

Status = Literal[400, 403, 404, 409, 422]


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """What a log asks a witness to cosign.

    Args:
        old_size: the size the log believes the witness holds; 0 for none.
        path: hashes of 32 bytes that prove the history from there on; none for size 0.
        note: the checkpoint with the log's own signatures.
    """

    old_size: int
    path: tuple[bytes, ...]
    note: bytes


class Refused(Exception):  # noqa: N818  a refusal is an answer of the protocol, not a fault
    """A witness does not cosign.

    Args:
        status: the protocol's HTTP status.
        message: one line for the log's operator.
        held_size: with 409, the size the witness holds.
    """

    def __init__(self, status: Status, message: str, held_size: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.held_size = held_size


def write_add_checkpoint(request: AddCheckpoint) -> bytes:
    r"""Return the body of an add-checkpoint request.

    >>> write_add_checkpoint(AddCheckpoint(0, (), b"log\n0\n...")).decode().splitlines()[:2]
    ['old 0', '']
    """
    assert len(request.path) <= MAX_PATH, f"a path of {len(request.path)} hashes"
    lines = [f"old {request.old_size}", *(strict.write_base64(one) for one in request.path)]
    return "\n".join([*lines, "", ""]).encode() + request.note


def parse_add_checkpoint(data: bytes) -> AddCheckpoint:
    """Read the body of an add-checkpoint request.

    Returns:
        The request; its note has the form of a note, and no signature is checked.

    Raises:
        EvidenceError: `note_invalid`, when the bytes are none.
    """
    head, gap, note = data.partition(b"\n\n")
    if not gap:
        raise EvidenceError("note_invalid", "the request has no checkpoint: is it cut off?")
    first, *rest = strict.read_lines(head + b"\n", "note_invalid", "the request")
    if not first.startswith("old "):
        raise EvidenceError("note_invalid", "the request does not start with `old SIZE`")
    old_size = strict.read_decimal(first.removeprefix("old "), "note_invalid", "the old size")
    if len(rest) > MAX_PATH:
        raise EvidenceError("note_invalid", f"{len(rest)} hashes, at most {MAX_PATH} are read")
    path = tuple(strict.read_hash(line, "note_invalid", "a hash of the proof") for line in rest)
    parse_note(note)
    return AddCheckpoint(old_size, path, note)


def extends(held: TreeHead, request: AddCheckpoint, checkpoint: Checkpoint) -> None:
    """Check that a checkpoint goes on from the held head, as the request claims.

    Args:
        held: what was seen last; size 0 for nothing yet.
        request: as sent.
        checkpoint: what its note says, its signature checked by the caller.

    Raises:
        Refused: 400, 409 or 422.
    """
    if request.old_size > checkpoint.size:
        raise Refused(
            400, f"old size {request.old_size} is over the checkpoint's {checkpoint.size}"
        )
    if request.old_size != held.size:
        raise Refused(409, f"the size held here is {held.size}", held.size)
    if held.size == 0 and request.path:
        raise Refused(422, "a proof from size 0 is empty")
    if held.size == checkpoint.size and held.root != checkpoint.root:
        raise Refused(422, f"another root was seen at size {held.size}: the log is forked")
    if held.size == 0:
        return
    try:
        verify_consistency(held, checkpoint.head, request.path)
    except EvidenceError as error:
        raise Refused(422, f"not consistent with size {held.size}: {error.message}") from None


def judge(
    data: bytes, keys: Sequence[VerifierKey], held: dict[str, TreeHead]
) -> tuple[AddCheckpoint, Checkpoint]:
    """Decide whether a witness may cosign, by the protocol's order of checks.

    Args:
        data: the body of the request.
        keys: the keys of the logs that are witnessed here; a key's name is its log's origin.
        held: the head last cosigned, by origin; absent before the first.

    Returns:
        The request and its checkpoint, whose head is to be made durable before it is cosigned.

    Raises:
        Refused: with the status to answer.
    """
    try:
        request = parse_add_checkpoint(data)
        note = parse_note(request.note)
        origin, checkpoint = _read(note.text)
    except EvidenceError as error:
        raise Refused(400, error.message) from None
    trusted = [key for key in keys if key.name == origin]
    if not trusted:
        raise Refused(404, f"no log {origin[:64]!a} is witnessed here")
    try:
        verify_note(request.note, trusted)
    except EvidenceError as error:
        raise Refused(403, error.message) from None
    if checkpoint is None:
        raise Refused(422, "the checkpoint is of size 0 with the root of another")
    extends(held.get(origin, TreeHead(0, EMPTY_ROOT)), request, checkpoint)
    return request, checkpoint


def _read(text: bytes) -> tuple[str, Checkpoint | None]:
    """Return origin and checkpoint; None for size 0 with a wrong root, which is no bad form."""
    try:
        checkpoint = parse_checkpoint(text)
    except EvidenceError:
        lines = strict.read_lines(text, "note_invalid", "the checkpoint")
        if len(lines) < 3 or lines[1] != "0" or not all(lines):
            raise
        strict.read_hash(lines[2], "note_invalid", "the checkpoint's root")
        return lines[0], None
    return checkpoint.origin, checkpoint


def read_cosignatures(answer: bytes, text: bytes, key: VerifierKey) -> bytes:
    """Return the signature line by one witness out of its answer, checked.

    Args:
        answer: the body of a 200: signature lines and nothing else.
        text: the text of the checkpoint that was sent.
        key: the witness's key.

    Raises:
        EvidenceError: `note_invalid` when it is no such body; `signature` when the witness's
            line does not verify; `key_unknown` when none is by this key.
    """
    assert key.algorithm in {COSIGNATURE, MLDSA44}, "a log's key cosigns nothing"
    if answer.count(b"\n") > MAX_SIGNATURES or b"\n\n" in answer or answer.startswith(b"\n"):
        raise EvidenceError("note_invalid", "the answer is not a few cosignature lines")
    note = text + b"\n" + answer
    if parse_note(note).text != text:
        raise EvidenceError("note_invalid", "the answer is not a few cosignature lines")
    # A second line by the same key adds nothing that the first does not say.
    return signature_line_of(verify_note(note, [key]).signatures[0])


def parse_held_size(body: bytes) -> int:
    r"""Return the size a 409 states.

    Raises:
        EvidenceError: `note_invalid`: no number, which is how some witnesses report a fork.

    >>> parse_held_size(b"17\n")
    17
    """
    [line, *rest] = strict.read_lines(body, "note_invalid", "the size in the answer")
    if rest:
        raise EvidenceError("note_invalid", "the answer holds more than a size")
    return strict.read_decimal(line, "note_invalid", "the size in the answer")
