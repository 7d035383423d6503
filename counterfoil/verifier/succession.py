"""How keys of a log follow each other, as its entries say it: written as refs, read from entries.

Anybody who may record can write such an entry, so nothing of it counts but what its signatures
prove; an entry that proves nothing is passed over, with the reason kept.

Source: docs/adr/0035; `tlog.handover` for what is signed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from counterfoil.errors import EvidenceError
from counterfoil.events.entry import Entry, read_entry
from counterfoil.events.kinds import OWN
from counterfoil.tlog import strict
from counterfoil.tlog.handover import (
    Handover,
    Retirement,
    check_handover,
    check_retirement,
    extended,
    followed,
)
from counterfoil.tlog.keys import VerifierKey, parse_vkey
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.tree import TreeHead

SOURCE: Final = "urn:counterfoil:keys"
"""The `source` of what a ledger says of its own keys; nobody else may record under it."""
ROTATED: Final = f"{OWN}key.rotated.0.1.0"
RETIRED: Final = f"{OWN}key.retired.0.1.0"
_MARK: Final = f'"type":"{OWN}key.'.encode()
CHANGES_MAX: Final = 10_000

Refs = tuple[tuple[str, str], ...]


def rotated_id(earlier: VerifierKey) -> str:
    """Return the id of the event in which a key hands over: there is one for each key."""
    return f"rotated/{earlier.fingerprint()}"


def retired_id(key: VerifierKey, number: int) -> str:
    """Return the id of the event that retires a key for the `number`th time, from 0."""
    return f"retired/{key.fingerprint()}/{number}"


def key_ref(key: VerifierKey) -> str:
    """Return the ref of a key of this log: its verifier key without the name, the log's origin."""
    return "key:" + str(key).removeprefix(f"{key.name}+")


def handover_refs(one: Handover) -> Refs:
    """Return what the entry of a hand-over names; its subject is the later key."""
    return (
        (key_ref(one.earlier), "earlier"),
        (_head_ref(one.head), "final"),
        (_signature_ref(one.by_earlier), "by-earlier"),
        (_signature_ref(one.by_later), "by-later"),
    )


def retirement_refs(one: Retirement) -> Refs:
    """Return what the entry of a retirement names; its subject is the retired key."""
    return (
        (key_ref(one.by), "by"),
        (_head_ref(one.head), "final"),
        (_signature_ref(one.signed), "by-current"),
    )


def read_handover(entry: Entry, index: int, origin: str) -> Handover:
    """Read and check what one entry of `ROTATED` says.

    Raises:
        EvidenceError: `key_unknown`, `signature`, `note_invalid`: it proves no hand-over.
    """
    named = _named(entry)
    head = _read_head(named["final"])
    if head.size != index:
        raise EvidenceError("note_invalid", f"its head has {head.size} entries, not {index}")
    one = Handover(
        _read_key(named["earlier"], origin),
        _read_key(entry.subject or "", origin),
        head,
        _read_signature(named["by-earlier"]),
        _read_signature(named["by-later"]),
    )
    check_handover(one)
    return one


def read_retirement(entry: Entry, index: int, origin: str) -> Retirement:
    """Read and check what one entry of `RETIRED` says; errors as `read_handover`."""
    named = _named(entry)
    head = _read_head(named["final"])
    if head.size > index:
        raise EvidenceError("note_invalid", f"its head has {head.size} entries, over {index}")
    one = Retirement(
        _read_key(entry.subject or "", origin),
        _read_key(named["by"], origin),
        head,
        _read_signature(named["by-current"]),
    )
    check_retirement(one)
    return one


@dataclass(slots=True)
class Succession:
    """What the entries of one log say of its keys; fed with entries in their order.

    Args:
        origin: of the log.

    Attributes:
        handovers, retirements: those that prove themselves, in the order of the log.
        passed_over: index and reason of entries that prove nothing.
    """

    origin: str
    handovers: list[Handover] = field(default_factory=list)
    retirements: list[Retirement] = field(default_factory=list)
    passed_over: list[tuple[int, str]] = field(default_factory=list)

    def bundle(self, first: int, entries: Sequence[bytes | None]) -> None:
        """Take in entries from number `first` on.  Cost: 0.1 us for one that is of no key."""
        for index, entry in enumerate(entries, first):
            if entry is not None and _MARK in entry:
                self.take(index, entry)

    def take(self, index: int, data: bytes) -> None:
        """Take in one entry, whatever it is."""
        if len(self.handovers) + len(self.retirements) + len(self.passed_over) >= CHANGES_MAX:
            return
        try:
            entry = read_entry(data)
            if entry.type == ROTATED:
                self.handovers.append(read_handover(entry, index, self.origin))
            elif entry.type == RETIRED:
                self.retirements.append(read_retirement(entry, index, self.origin))
        except EvidenceError as error:
            self.passed_over.append((index, f"{error.message} [{error.code}]"))

    def extend(self, policy: Policy) -> Policy:
        """Return `policy` with every key that leads to or from a key it names."""
        return extended(policy, self.handovers, self.retirements)

    def followed(self, policy: Policy) -> tuple[Handover, ...]:
        """Return the hand-overs that lead to or from a key of `policy`."""
        return followed(policy, self.origin, self.handovers)

    def contradicted(self, root_at: Callable[[int], bytes | None]) -> Iterable[tuple[int, str]]:
        """Yield the size and a reason of each statement over another history than this one.

        Args:
            root_at: the root this log had at a size; None where it cannot tell.
        """
        heads = [("hand-over", one.head) for one in self.handovers]
        heads += [("retirement", one.head) for one in self.retirements]
        for what, head in heads:
            if root_at(head.size) not in {None, head.root}:
                yield head.size, f"the {what} signed over {head.size} entries is of another history"

    def said(self, policy: Policy) -> list[str]:
        """Return in words which keys follow each other, and what was passed over."""
        lines = [
            f"{self.origin}: key {one.earlier.fingerprint()[:16]} signs up to {one.head.size}"
            f" entries alone and hands over to key {one.later.fingerprint()[:16]}; both signed"
            f" entry {one.head.size}, which says so"
            for one in self.followed(policy)
        ]
        ends = {log.key.public: log.until for log in policy.logs}
        lines += [
            f"{self.origin}: key {gone.key.fingerprint()[:16]} is believed alone up to"
            f" {ends[gone.key.public]} entries, says the key that follows it"
            for gone in self.retirements
            if gone.key.public in ends and gone.by.public in ends
        ]
        lines += [
            f"{self.origin}: entry {index} is no hand-over of keys and counts for nothing: {why}"
            for index, why in self.passed_over[:10]
        ]
        return lines


def _named(entry: Entry) -> dict[str, str]:
    named = {one.role: one.ref for one in entry.refs}
    for role in ("earlier", "by-earlier", "by-later", "by", "by-current", "final"):
        named.setdefault(role, "")
    return named


def _head_ref(head: TreeHead) -> str:
    return f"checkpoint:{head.size}/{head.root.hex()}"


def _signature_ref(raw: bytes) -> str:
    return f"signature:{strict.write_base64(raw)}"


def _read_key(ref: str, origin: str) -> VerifierKey:
    return parse_vkey(f"{origin}+{ref.removeprefix('key:')}")


def _read_head(ref: str) -> TreeHead:
    size, _, root = ref.removeprefix("checkpoint:").partition("/")
    try:
        found = TreeHead(strict.read_decimal(size, "note_invalid", "its size"), bytes.fromhex(root))
    except ValueError as error:
        raise EvidenceError("note_invalid", "its root is not hexadecimal") from error
    if len(found.root) != 32 or _head_ref(found) != ref:
        raise EvidenceError("note_invalid", "it names no head of the log")
    return found


def _read_signature(ref: str) -> bytes:
    return strict.read_base64(ref.removeprefix("signature:"), "note_invalid", "its signature")
