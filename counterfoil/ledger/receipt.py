"""Receipts: C2SP tlog-proofs built from stored tiles, verified before they leave.

Source: C2SP tlog-proof; RFC 9162 section 2.1.3.
"""

from counterfoil.tlog.proof import Node, inclusion_path, verify_inclusion
from counterfoil.tlog.receipt import Receipt, write_receipt
from counterfoil.tlog.tree import TreeHead, leaf_hash


def build_receipt(index: int, entry: bytes, head: TreeHead, checkpoint: bytes, node: Node) -> bytes:
    """Return the receipt of entry `index` under a signed head.

    Args:
        index: from 0, below head.size.
        entry: its bytes; they become the receipt's `extra` line.
        head: what `checkpoint` commits to.
        checkpoint: the signed note.
        node: gives the hashes of that tree's perfect subtrees.

    Raises:
        EvidenceError: `proof`: the stored tiles do not lead from this entry to the root.  A
            receipt that an outsider would refuse is never handed out.
    """
    path = inclusion_path(index, head.size, node)
    verify_inclusion(leaf_hash(entry), index, path, head)
    return write_receipt(Receipt(index, entry, tuple(path), checkpoint))
