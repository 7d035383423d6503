"""Evidence somebody kept outside, held against the log that is here.

A signed size and root contradict every other history of that size under the same key.  A
receipt says more: the entry at its index, and by the hashes of its path which ranges differ.  A
second copy of the log tells exactly which entries do.

Source: C2SP tlog-checkpoint; studies of what each proof says in docs/trust.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint import Checkpoint
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.proof import Node, inclusion_path
from counterfoil.tlog.receipt import Receipt
from counterfoil.tlog.tree import leaf_hash
from counterfoil.verifier.compare import differences, path_spans
from counterfoil.verifier.receipt import MAGIC, check_inclusion
from counterfoil.verifier.report import Findings


@dataclass(frozen=True, slots=True)
class Anchor:
    """What somebody kept.

    Args:
        name: as given on the command line.
        checkpoint: as signed.
        receipt: the proof it came with, if it is a receipt.
        node: the node function of the kept copy, if there is one.
    """

    name: str
    checkpoint: Checkpoint
    receipt: Receipt | None = None
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """The log that is here, as far as anchors need it.

    Args:
        name: how it is called in findings.
        size: how many entries it holds.
        node: its node function; raises EvidenceError.
        root_at: the root at an earlier size; None where the tiles cannot tell.
    """

    name: str
    size: int
    node: Node
    root_at: Callable[[int], bytes | None]


def read_anchor(name: str, data: bytes, policy: Policy, node: Node | None = None) -> Anchor:
    """Read a receipt or a checkpoint and check it by itself.

    Raises:
        EvidenceError: it does not hold under the keys trusted here.
    """
    if data.startswith(MAGIC):
        vouched = check_inclusion(data, policy)
        return Anchor(name, vouched.checkpoint, vouched.receipt)
    return Anchor(name, policy.verify_checkpoint(data), None, node)


def compare(anchor: Anchor, held: Held, findings: Findings) -> None:
    """Report where the log that is here contradicts what somebody kept."""
    size = anchor.checkpoint.size
    if size > held.size:
        findings.add(
            "missing", held.name,
            f"{anchor.name} is signed over {size} entries, here are {held.size}",
            held.size, size - 1,
        )  # fmt: skip
        if anchor.node is not None and held.size:
            _compare_copies(anchor, held, held.size, findings)
        elif anchor.receipt is not None and anchor.receipt.index < held.size:
            _compare_leaf(anchor, anchor.receipt, held, findings)
        return
    root = held.root_at(size)
    if root == anchor.checkpoint.root:
        return
    if root is None:
        message = f"cannot be compared with {anchor.name}: tiles are missing"
        findings.add("damaged", held.name, message, 0, size - 1)
        return
    if anchor.node is not None:
        _compare_copies(anchor, held, size, findings)
    elif anchor.receipt is not None:
        _compare_path(anchor, anchor.receipt, held, findings)
    else:
        _forked(anchor, held, findings, 0, size - 1)


def _compare_copies(anchor: Anchor, held: Held, size: int, findings: Findings) -> None:
    assert anchor.node is not None
    for first, last in differences(size, held.node, anchor.node):
        _forked(anchor, held, findings, first, last)


def _compare_leaf(anchor: Anchor, receipt: Receipt, held: Held, findings: Findings) -> None:
    assert receipt.extra is not None
    try:
        same = held.node(0, receipt.index) == leaf_hash(receipt.extra)
    except EvidenceError:
        same = False
    if not same:
        _forked(anchor, held, findings, receipt.index, receipt.index)


def _compare_path(anchor: Anchor, receipt: Receipt, held: Held, findings: Findings) -> None:
    """Name the entry itself and the ranges under those hashes of the path that differ."""
    size = anchor.checkpoint.size
    _compare_leaf(anchor, receipt, held, findings)
    ours = inclusion_path(receipt.index, size, held.node)
    spans = path_spans(receipt.index, size)
    for mine, kept, (first, last) in zip(ours, receipt.path, spans, strict=True):
        if mine != kept:
            _forked(anchor, held, findings, first, last)


def _forked(anchor: Anchor, held: Held, findings: Findings, first: int, last: int) -> None:
    message = f"two histories under one key: not what {anchor.name} proves"
    findings.add("forked", held.name, message, first, last)
