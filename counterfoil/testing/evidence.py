"""What people outside the machine keep, and what must never contradict it.

Clients keep what they sent, what they were answered and every receipt; readers keep every
checkpoint they ever saw.  All of it is checked when it is got, as an outsider checks it, and all
of it is held against what stands in the log later (`counterfoil.testing.check_log`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from counterfoil.errors import EvidenceError
from counterfoil.ledger.store import Item
from counterfoil.testing.hashing import Leaves, remembered_leaf
from counterfoil.testing.process import SIGNERS, Answer
from counterfoil.tlog.checkpoint import Checkpoint, verify_checkpoint
from counterfoil.tlog.proof import verify_inclusion
from counterfoil.tlog.receipt import parse_receipt
from counterfoil.tlog.tree import TreeHead

Key = tuple[str, str]


class Violation(AssertionError):  # noqa: N818  a verdict, not a fault of the program
    """A promise of the ledger that a history broke.  The first word says which one."""


@dataclass
class LogEvidence:
    """What outsiders hold of one log.

    Attributes:
        sent: every item ever sent, by its entry's bytes.
        by_key: the contents ever sent under an idempotency key, as digests.
        answered: the index that was acknowledged for a key, and for which content.
        entries: the entry that a client or a receipt says stands at an index.
        roots: every signed root ever seen, by size.
    """

    project: str
    sent: dict[bytes, Item] = field(default_factory=dict)
    by_key: dict[Key, set[bytes]] = field(default_factory=dict)
    answered: dict[Key, tuple[int, bytes]] = field(default_factory=dict)
    entries: dict[int, bytes] = field(default_factory=dict)
    roots: dict[int, bytes] = field(default_factory=dict)
    notes: dict[bytes, Checkpoint] = field(default_factory=dict)

    def copy(self) -> "LogEvidence":
        """Return the same, to go on from."""
        return LogEvidence(
            self.project,
            dict(self.sent),
            {key: set(digests) for key, digests in self.by_key.items()},
            dict(self.answered),
            dict(self.entries),
            dict(self.roots),
            dict(self.notes),
        )

    def send(self, items: Sequence[Item]) -> None:
        """Keep what is about to be sent."""
        for item in items:
            self.sent[item.entry] = item
            self.by_key.setdefault((item.source, item.id), set()).add(item.digest)

    def hear(self, item: Item, answer: Answer) -> None:
        """Keep one answer.

        Raises:
            Violation: it contradicts an earlier one, or its receipt does not verify.
        """
        key = (item.source, item.id)
        standing = self.answered.setdefault(key, (answer.index, item.digest))
        if standing[0] != answer.index:
            raise Violation(
                f"idempotency: {self.project} {key[1]} was entry {standing[0]}, "
                f"its repeat is entry {answer.index}"
            )
        if standing[1] != item.digest:
            raise Violation(f"idempotency: {self.project} {key[1]} was taken with two contents")
        if not answer.duplicate:
            self.place(answer.index, item.entry)
        if answer.receipt:
            self.keep_receipt(answer.index, answer.receipt, key)

    def keep_receipt(self, index: int, data: bytes, key: Key | None = None) -> None:
        """Check a receipt as an outsider does, and keep it.

        Raises:
            Violation: it does not verify, or is for another event.
        """
        receipt = parse_receipt(data)
        if receipt.index != index:
            raise Violation(f"receipt: {self.project} entry {index} got that of {receipt.index}")
        item = self.sent.get(receipt.extra) if receipt.extra is not None else None
        if (
            item is None
            or receipt.extra is None
            or (key is not None and key != (item.source, item.id))
        ):
            raise Violation(f"receipt: {self.project} entry {index} is not what was sent")
        checkpoint = self.see(receipt.checkpoint)
        head = TreeHead(checkpoint.size, checkpoint.root)
        try:
            verify_inclusion(remembered_leaf(receipt.extra), index, receipt.path, head)
        except EvidenceError as error:
            raise Violation(f"receipt: {self.project} entry {index}: {error}") from error
        self.place(index, receipt.extra)

    def place(self, index: int, entry: bytes) -> None:
        """Keep that an entry stands at an index.

        Raises:
            Violation: another one was said to stand there.
        """
        if self.entries.setdefault(index, entry) != entry:
            raise Violation(f"reused: {self.project} index {index} was given to two entries")

    def see(self, note: bytes) -> Checkpoint:
        """Check a signed checkpoint, from wherever, and keep it.

        Raises:
            Violation: it is not signed, or another root was signed for that size.
        """
        if note in self.notes:
            return self.notes[note]
        try:
            checkpoint = verify_checkpoint(note, [SIGNERS[self.project].vkey])
        except EvidenceError as error:
            raise Violation(f"signature: {self.project}: {error}") from error
        if self.roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            raise Violation(
                f"fork: {self.project} size {checkpoint.size} was signed with two roots"
            )
        self.notes[note] = checkpoint
        return checkpoint

    def conflicts(self, items: Sequence[Item]) -> bool:
        """Say whether a conflict may be among these items: a key was sent with other content."""
        return any(len(self.by_key[item.source, item.id]) > 1 for item in items)

    def reaches(self, size: int) -> bool:
        """Say whether anybody holds something of a log larger than `size`."""
        return any(index >= size for index in self.entries) or any(one > size for one in self.roots)

    def unexposed(self, entries: Sequence[bytes]) -> str:
        """Return what of a lost history nobody could show, or nothing.

        Every receipt and checkpoint of what is no more has to contradict the log for itself.
        """
        lost = [
            index for index, entry in self.entries.items() if entries[index : index + 1] != [entry]
        ]
        leaves = Leaves(entries)
        silent = [
            size
            for size, root in self.roots.items()
            if lost and min(lost) < size <= leaves.size and leaves.root(size) == root
        ]
        if not self.contradictions(entries):
            return "nothing contradicts the log"
        return f"the checkpoints of sizes {silent} agree with it" if silent else ""

    def contradictions(self, entries: Sequence[bytes]) -> list[str]:
        """Return what outsiders hold that a log of these entries cannot have given them."""
        found = [
            f"lost: {self.project} entry {index} was acknowledged and is not there"
            for index in self.entries
            if index >= len(entries)
        ]
        found += [
            f"reused: {self.project} entry {index} is not the one that was acknowledged"
            for index, entry in self.entries.items()
            if index < len(entries) and entries[index] != entry
        ]
        found += [
            f"rolled back: {self.project} was signed at size {size} and holds {len(entries)}"
            for size in self.roots
            if size > len(entries)
        ]
        leaves = Leaves(entries)
        found += [
            f"fork: {self.project} size {size} was signed with another root"
            for size, root in self.roots.items()
            if size <= leaves.size and leaves.root(size) != root
        ]
        return found
