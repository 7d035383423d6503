"""The verifying process: checks every receipt a load generator was given.

    python -m bench.receipts ANSWERS VKEY

Knows the log's public key and what was posted, and nothing of the server's files.  For every
answer: one entry an event, in order; each receipt leads from its entry to a signed root; the
entry is of the event that was posted, by its openings too; no index is given twice.
"""

import base64
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import msgspec

from bench.posting import event_bytes
from counterfoil.events import canonical
from counterfoil.events.codec import check_event
from counterfoil.events.entry import read_entry
from counterfoil.tlog.checkpoint import verify_checkpoint
from counterfoil.tlog.keys import VerifierKey, parse_vkey
from counterfoil.tlog.proof import verify_inclusion
from counterfoil.tlog.receipt import parse_receipt
from counterfoil.tlog.tree import TreeHead, leaf_hash


class _Entry(msgspec.Struct):
    id: str
    index: int
    status: str
    receipt: str
    opening: dict[str, str]


class _Answer(msgspec.Struct):
    entries: list[_Entry]


def answers(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield number of the first event, count of events, and body of every answer in a file."""
    with path.open("rb") as file:
        while head := file.read(16):
            length, count = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
            yield int.from_bytes(head[8:], "big"), count, file.read(length)


def check_answers(path: Path, vkey: VerifierKey) -> tuple[int, int]:
    """Check every receipt of a file of answers; return how many, and how many signatures.

    Raises:
        EvidenceError: a receipt that does not hold.
        AssertionError: an answer that is not to what was posted.
    """

    @lru_cache(maxsize=4_096)
    def head_of(note: bytes) -> TreeHead:
        checkpoint = verify_checkpoint(note, [vkey])
        return TreeHead(checkpoint.size, checkpoint.root)

    decoder = msgspec.json.Decoder(_Answer)
    taken: set[int] = set()
    for first, count, body in answers(path):
        entries = decoder.decode(body).entries
        assert len(entries) == count, f"{len(entries)} receipts for {count} events"
        for number, one in enumerate(entries, first):
            receipt = parse_receipt(one.receipt.encode())
            assert receipt.extra is not None
            head = head_of(receipt.checkpoint)
            verify_inclusion(leaf_hash(receipt.extra), receipt.index, receipt.path, head)
            assert receipt.index == one.index
            assert one.status == "recorded"
            assert one.index not in taken, f"entry {one.index} was given twice"
            taken.add(one.index)
            opening = {name: base64.b64decode(key) for name, key in one.opening.items()}
            event = canonical.read(event_bytes(number))
            comparison = check_event(read_entry(receipt.extra), event, opening)
            assert not comparison.unopened, comparison
    return len(taken), head_of.cache_info().misses


if __name__ == "__main__":
    checked, signatures = check_answers(Path(sys.argv[1]), parse_vkey(sys.argv[2]))
    print(f"{checked} {signatures}")
