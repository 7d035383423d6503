"""One receipt: did the log vouch for this entry, and is this event what the entry fixed?

The receipt carries the entry beside the proof; nothing protects those bytes but that the path
has to lead from their hash to the signed root.

Source: C2SP tlog-proof; interfaces "What a leaf is".
"""

from collections.abc import Mapping
from dataclasses import dataclass

from counterfoil.errors import EvidenceError
from counterfoil.events.canonical import JSON
from counterfoil.events.codec import check_event
from counterfoil.events.entry import Entry, read_entry
from counterfoil.tlog.checkpoint import Checkpoint
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.proof import verify_inclusion
from counterfoil.tlog.receipt import Receipt, parse_receipt
from counterfoil.tlog.tree import TreeHead, leaf_hash
from counterfoil.verifier.log import signer_fingerprint
from counterfoil.verifier.report import Finding, ReceiptVerdict, Trust

MAGIC = b"c2sp.org/tlog-proof@"
RECEIPT_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Vouched:
    """A receipt that holds: what was signed, and the entry it is about."""

    receipt: Receipt
    checkpoint: Checkpoint
    data: bytes


def check_inclusion(data: bytes, policy: Policy) -> Vouched:
    """Check a receipt by itself.

    Args:
        data: the file.
        policy: whose signatures count.

    Raises:
        EvidenceError: `note_invalid` when it is no receipt or carries no entry; `signature`,
            `key_unknown` or `quorum`; `proof`.
    """
    receipt = parse_receipt(data)
    if receipt.extra is None:
        raise EvidenceError("note_invalid", "the receipt carries no entry, so there is no leaf")
    checkpoint = policy.verify_checkpoint(receipt.checkpoint)
    head = TreeHead(checkpoint.size, checkpoint.root)
    verify_inclusion(leaf_hash(receipt.extra), receipt.index, receipt.path, head)
    return Vouched(receipt, checkpoint, receipt.extra)


def check_receipt(
    data: bytes,
    policy: Policy,
    event: JSON | None = None,
    opening: Mapping[str, bytes] | None = None,
    *,
    target: str = "receipt",
    trust: Trust = "policy",
) -> ReceiptVerdict:
    """Check a receipt, and an event against it.

    Args:
        data: the file.
        policy: whose signatures count.
        event: the event as posted, or None: then contents are not compared.
        opening: 32 bytes by name, as the answer to the post gave them.
        target: what the receipt is called in the verdict.
        trust: where `policy` came from.

    Returns:
        The verdict; what is wrong is a finding in it, never an exception.
    """
    entry: Entry | None = None
    vouched: Vouched | None = None
    compared: tuple[str, ...] = ()
    unopened: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    index: int | None = None
    try:
        index = parse_receipt(data).index
        vouched = check_inclusion(data, policy)
        entry = read_entry(vouched.data)
        unopened = tuple(sorted(entry.commit))
        if event is not None:
            comparison = check_event(entry, event, opening or {})
            compared, unopened = comparison.compared, comparison.unopened
    except EvidenceError as error:
        message = f"{error.message} [{error.code}]"
        findings = (Finding("damaged", target, index, index, message),)
    return ReceiptVerdict(
        target=target,
        origin=vouched.checkpoint.origin if vouched else "",
        size=vouched.checkpoint.size if vouched else 0,
        index=index,
        fingerprint=signer_fingerprint(policy, vouched.receipt.checkpoint) if vouched else "",
        trust=trust,
        entry=_shown(entry) if entry else {},
        contents=event is not None,
        compared=compared,
        unopened=unopened,
        findings=findings,
    )


def _shown(entry: Entry) -> dict[str, str]:
    shown = {
        "id": entry.id,
        "source": entry.source,
        "type": entry.type,
        "subject": entry.subject or "",
        "time": entry.time,
        "recordedtime": entry.recordedtime,
    }
    return {name: value for name, value in shown.items() if value}
