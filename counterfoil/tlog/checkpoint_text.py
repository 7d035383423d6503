"""The text of a checkpoint: origin, size, root.

Apart from `checkpoint` because an ML-DSA-44 cosignature is over these values and not over the
text, so checking a note needs them before the note is known to be good.

Source: C2SP tlog-checkpoint, "Note text".
"""

from typing import NamedTuple

from counterfoil.errors import EvidenceError
from counterfoil.tlog import strict
from counterfoil.tlog.tree import EMPTY_ROOT, HASH_SIZE, TreeHead


class Checkpoint(NamedTuple):
    """What a log says its tree is.

    Args:
        origin: the log's name, non-empty.
        size: the count of entries.
        root: the 32-byte root over them.
        extensions: further lines, opaque, non-empty; ours has none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def head(self) -> TreeHead:
        """Size and root."""
        return TreeHead(self.size, self.root)


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Read the text of a checkpoint, without signatures.

    Raises:
        EvidenceError: `note_invalid`, when a line is absent, empty or not in its one spelling, or
            the size is 0 and the root not that of the empty tree.
    """
    lines = strict.read_lines(text, "note_invalid", "the checkpoint")
    if len(lines) < 3 or not all(lines):
        raise EvidenceError("note_invalid", "the checkpoint is not origin, size and root")
    size = strict.read_decimal(lines[1], "note_invalid", "the checkpoint's size")
    root = strict.read_hash(lines[2], "note_invalid", "the checkpoint's root")
    if size == 0 and root != EMPTY_ROOT:
        raise EvidenceError("note_invalid", "the checkpoint is of size 0 with the root of another")
    return Checkpoint(lines[0], size, root, tuple(lines[3:]))


def write_checkpoint(origin: str, head: TreeHead) -> bytes:
    """Return the text of a checkpoint, without signatures and never with extension lines.

    Witnesses refuse extension lines and ML-DSA-44 cosignatures do not cover them.

    >>> write_checkpoint("example.com/log", TreeHead(0, EMPTY_ROOT)).decode().splitlines()
    ['example.com/log', '0', '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=']
    """
    assert origin, "a log has an origin"
    assert all(char >= " " for char in origin), "an origin is one line without controls"
    assert 0 <= head.size <= strict.MAX_SIZE, f"a tree of size {head.size}"
    assert len(head.root) == HASH_SIZE, f"a root of {len(head.root)} bytes"
    return f"{origin}\n{head.size}\n{strict.write_base64(head.root)}\n".encode()
