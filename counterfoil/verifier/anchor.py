"""Evidence somebody kept outside, held against the log that is here.

A signed size and root contradict every other history of that size under the same key.  A
receipt says more: the entry at its index, and by the hashes of its path which ranges differ.  A
second copy of the log tells exactly which entries do.  Of several looks at one log, the largest
that agrees says from where on it may differ, and the smallest that does not, up to where it does
differ at the latest.

Source: C2SP tlog-checkpoint; what each of them can say stands in docs/trust.md.
"""

import bisect
from collections.abc import Callable
from dataclasses import dataclass

from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint import Checkpoint
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.proof import Node, inclusion_path
from counterfoil.tlog.receipt import Receipt
from counterfoil.tlog.tree import TreeHead, leaf_hash
from counterfoil.verifier.compare import differences, path_spans
from counterfoil.verifier.growth import Growth
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
        recorded: the recorded time of an entry, where entries have one: it never steps back.
    """

    name: str
    size: int
    node: Node
    root_at: Callable[[int], bytes | None]
    recorded: Callable[[int], str] | None = None


def read_anchor(name: str, data: bytes, policy: Policy, node: Node | None = None) -> Anchor:
    """Read a receipt or a checkpoint and check it by itself.

    Raises:
        EvidenceError: it does not hold under the keys trusted here.
    """
    if data.startswith(MAGIC):
        vouched = check_inclusion(data, policy)
        return Anchor(name, vouched.checkpoint, vouched.receipt)
    return Anchor(name, policy.verify_checkpoint(data), None, node)


def compare(anchor: Anchor, held: Held, findings: Findings, agreed: int = 0) -> bool:
    """Report where the log that is here contradicts what somebody kept.

    Args:
        anchor: what they kept.
        held: the log that is here.
        findings: where findings go.
        agreed: so many entries, from the first on, are known to be the same.

    Returns:
        Whether all entries the anchor speaks for are the same here.
    """
    size = anchor.checkpoint.size
    if size > held.size:
        _compare_longer(anchor, held, findings, agreed)
        return False
    root = held.root_at(size)
    if root == anchor.checkpoint.root:
        return True
    if root is None:
        message = f"cannot be compared with {anchor.name}: tiles are missing"
        findings.add("damaged", held.name, message, 0, size - 1)
    elif anchor.node is not None:
        _compare_copies(anchor, held, size, findings)
    elif anchor.receipt is not None:
        _compare_path(anchor, anchor.receipt, held, findings)
    else:
        _forked(anchor.name, held, findings, agreed, size - 1)
    return False


def older_than_seen(anchor: Anchor, held: Held, seen: str) -> tuple[int, int] | None:
    """Return the entries that claim to be older than a moment at which the log was without them.

    Args:
        anchor: what somebody saw of the log.
        held: the log that is here, and agrees with it.
        seen: the moment they saw it, RFC 3339 as in entries.

    Cost: log2 of the entries since.
    """
    size = anchor.checkpoint.size
    recorded = held.recorded
    if recorded is None:
        return None
    since = range(size, held.size)
    count = bisect.bisect_left(since, seen, key=recorded)
    return (size, size + count - 1) if count else None


def compare_growth(
    growth: Growth, held: Held, findings: Findings, name: Callable[[int], str]
) -> None:
    """Report between which looks the log that is here parts from what somebody saw of it.

    What lies behind that, up to the last look, is reported too: no later root can agree, so
    nothing says that those entries are the same.

    Args:
        growth: what they saw.
        held: the log that is here.
        findings: where findings go.
        name: turns the entry that holds a look into its name.

    Cost: two reads of the right edge of `held` where all agrees, and log2(len(growth)) otherwise.
    """
    last = len(growth) - 1
    if _agrees(growth.head(last), held):
        return
    parted = bisect.bisect_left(
        range(last), True, key=lambda number: not _agrees(growth.head(number), held)
    )
    agreed = growth.head(parted - 1).size if parted else 0
    head, sayer = growth.head(parted), name(growth.index(parted))
    longest, longest_sayer = growth.head(last).size, name(growth.index(last))
    if head.size <= held.size:
        if held.root_at(head.size) is None:
            message = f"cannot be compared with {sayer}: tiles are missing"
            findings.add("damaged", held.name, message, agreed, head.size - 1)
        else:
            _forked(sayer, held, findings, agreed, head.size - 1)
            _behind(longest_sayer, held, findings, head.size, min(longest, held.size) - 1)
    if longest > held.size:
        message = f"{longest_sayer} is signed over {longest} entries, here are {held.size}"
        findings.add("missing", held.name, message, held.size, longest - 1)
        if head.size > held.size:
            _untold(longest_sayer, held, findings, agreed, held.size - 1)


def _agrees(head: TreeHead, held: Held) -> bool:
    return head.size <= held.size and held.root_at(head.size) == head.root


def _compare_longer(anchor: Anchor, held: Held, findings: Findings, agreed: int) -> None:
    """Report the entries that are not here, and what can be said of those that are.

    Args:
        anchor: what somebody kept.
        held: the log that is here, and shorter.
        findings: where findings go.
        agreed: so many entries, from the first on, are known to be the same.
    """
    size, receipt = anchor.checkpoint.size, anchor.receipt
    message = f"{anchor.name} is signed over {size} entries, here are {held.size}"
    findings.add("missing", held.name, message, held.size, size - 1)
    if not held.size:
        return
    if anchor.node is not None:
        _compare_copies(anchor, held, held.size, findings)
    elif receipt is not None:
        if receipt.index < held.size:
            _compare_leaf(anchor, receipt, held, findings)
        for kept, (first, last) in zip(receipt.path, path_spans(receipt.index, size), strict=True):
            # What lies wholly here is a perfect subtree: only the last one of a tree is not.
            if last >= held.size:
                _untold(anchor.name, held, findings, max(first, agreed), held.size - 1)
            elif _subtree(held, first, last) != kept:
                _forked(anchor.name, held, findings, first, last)
    else:
        _untold(anchor.name, held, findings, agreed, held.size - 1)


def _subtree(held: Held, first: int, last: int) -> bytes | None:
    """Return the hash over a perfect subtree; None where the tiles cannot tell."""
    level = (last - first + 1).bit_length() - 1
    try:
        return held.node(level, first >> level)
    except EvidenceError:
        return None


def _compare_copies(anchor: Anchor, held: Held, size: int, findings: Findings) -> None:
    assert anchor.node is not None
    for first, last in differences(size, held.node, anchor.node):
        _forked(anchor.name, held, findings, first, last)


def _compare_leaf(anchor: Anchor, receipt: Receipt, held: Held, findings: Findings) -> None:
    assert receipt.extra is not None
    try:
        same = held.node(0, receipt.index) == leaf_hash(receipt.extra)
    except EvidenceError:
        same = False
    if not same:
        _forked(anchor.name, held, findings, receipt.index, receipt.index)


def _compare_path(anchor: Anchor, receipt: Receipt, held: Held, findings: Findings) -> None:
    """Name the entry itself and the ranges under those hashes of the path that differ."""
    size = anchor.checkpoint.size
    _compare_leaf(anchor, receipt, held, findings)
    ours = inclusion_path(receipt.index, size, held.node)
    spans = path_spans(receipt.index, size)
    for mine, kept, (first, last) in zip(ours, receipt.path, spans, strict=True):
        if mine != kept:
            _forked(anchor.name, held, findings, first, last)


def _forked(name: str, held: Held, findings: Findings, first: int, last: int) -> None:
    message = f"two histories under one key: not what {name} proves"
    findings.add("forked", held.name, message, first, last)


def _behind(name: str, held: Held, findings: Findings, first: int, last: int) -> None:
    """Report the entries behind the place where histories part: each may be another one."""
    if first <= last:
        message = f"two histories under one key, parted before these: {name} does not prove them"
        findings.add("forked", held.name, message, first, last)


def _untold(name: str, held: Held, findings: Findings, first: int, last: int) -> None:
    """Report the entries among which those that are missing may have stood.

    Cut off at the end or taken out in between: both leave a log that is shorter.
    """
    if first <= last:
        message = (
            "what is missing may have stood among these: whether they are the same,"
            f" {name} cannot say"
        )
        findings.add("missing", held.name, message, first, last)
