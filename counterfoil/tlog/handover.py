"""Keys of one log that follow each other: statements that a key hands over, or is retired.

A hand-over is signed by both keys over the earlier one, the later one, and the head the earlier
one ends with.  So whoever knows either key learns the other from it, and neither can be put in
the place of the other: the earlier key says where it stops, the later one that it goes on from
there.  A retirement is signed by the key in force and says up to which size an earlier key is
still believed alone.

A statement can never be read as the text of a checkpoint: its second line is no number.

Source: docs/adr/0035.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from counterfoil.errors import EvidenceError
from counterfoil.tlog import signature, strict
from counterfoil.tlog.keys import ED25519, SignerKey, VerifierKey, parse_vkey, signature_line
from counterfoil.tlog.note_text import parse_note, write_note
from counterfoil.tlog.policy import Log, Policy
from counterfoil.tlog.tree import TreeHead

_HANDED_OVER = "counterfoil.key-handover.v1"
_RETIRED = "counterfoil.key-retirement.v1"
CHAIN_MAX = 1_000
"""Keys of one log that are followed; more is a loop or a flood."""


@dataclass(frozen=True, slots=True)
class Handover:
    """One key of a log hands over to the next.

    Args:
        earlier, later: of one name, the origin.
        head: what the earlier key ends with; checkpoints of more entries need the later one.
        by_earlier, by_later: 64 bytes each, over the same statement.
    """

    earlier: VerifierKey
    later: VerifierKey
    head: TreeHead
    by_earlier: bytes
    by_later: bytes


@dataclass(frozen=True, slots=True)
class Retirement:
    """An earlier key of a log is believed no further.

    Args:
        key: that key.
        by: the key in force, which says so.
        head: the last head that the earlier key is believed for alone.
        signed: 64 bytes by `by`.
    """

    key: VerifierKey
    by: VerifierKey
    head: TreeHead
    signed: bytes


def hand_over(earlier: SignerKey, later: SignerKey, head: TreeHead) -> Handover:
    """Return a hand-over signed by both keys.

    Args:
        earlier: the key in force.
        later: another one of the same name.
        head: the log's head; the event that says so is the next entry.
    """
    assert earlier.name == later.name, "a log keeps its name"
    said = _handover_text(earlier.vkey, later.vkey, head)
    return Handover(earlier.vkey, later.vkey, head, _sign(earlier, said), _sign(later, said))


def retire(key: VerifierKey, by: SignerKey, head: TreeHead) -> Retirement:
    """Return a retirement signed by the key in force."""
    assert key.name == by.name, "a log keeps its name"
    return Retirement(key, by.vkey, head, _sign(by, _retirement_text(key, by.vkey, head)))


def check_handover(one: Handover) -> None:
    """Check both signatures and that both keys are of one log.

    Raises:
        EvidenceError: `key_unknown`: the keys are of two logs, or one and the same; `signature`:
            one of the two did not sign it, and the message says which.
    """
    _check_pair(one.earlier, one.later)
    said = _handover_text(one.earlier, one.later, one.head)
    for who, key, raw in (
        ("earlier", one.earlier, one.by_earlier),
        ("later", one.later, one.by_later),
    ):
        if not signature.ed25519_verifies(key.public, raw, said):
            raise EvidenceError("signature", f"the hand-over is not signed by the {who} key")


def check_retirement(one: Retirement) -> None:
    """Check the signature of a retirement.

    Raises:
        EvidenceError: `key_unknown`, `signature`, as of a hand-over.
    """
    _check_pair(one.key, one.by)
    said = _retirement_text(one.key, one.by, one.head)
    if not signature.ed25519_verifies(one.by.public, one.signed, said):
        raise EvidenceError("signature", "the retirement is not signed by the key it names")


def write_handover(one: Handover) -> bytes:
    """Return a hand-over as a signed note: its statement and both signatures."""
    said = _handover_text(one.earlier, one.later, one.head)
    lines = [
        signature_line(one.earlier, one.by_earlier),
        signature_line(one.later, one.by_later),
    ]
    return write_note(said, lines)


def parse_handover(data: bytes) -> Handover:
    """Read a hand-over as `write_handover` writes it, and check it.

    Raises:
        EvidenceError: `note_invalid`: it is none; what `check_handover` raises.
    """
    note = parse_note(data)
    lines = strict.read_lines(note.text, "note_invalid", "the hand-over")
    words = [line.split(" ", 1)[-1] for line in lines]
    if len(words) != 5 or len(note.signatures) != 2:
        raise EvidenceError("note_invalid", "no hand-over of keys")
    size = strict.read_decimal(words[3], "note_invalid", "its size")
    if re.fullmatch("[0-9a-f]{64}", words[4]) is None:
        raise EvidenceError("note_invalid", "its root is not 64 hex digits")
    earlier, later = parse_vkey(words[1]), parse_vkey(words[2])
    head = TreeHead(size, bytes.fromhex(words[4]))
    first, second = (line.signature for line in note.signatures)
    one = Handover(earlier, later, head, first, second)
    check_handover(one)
    if write_handover(one) != data:
        raise EvidenceError("note_invalid", "a hand-over in another form than its one")
    return one


def extended(
    policy: Policy, handovers: Sequence[Handover], retirements: Sequence[Retirement] = ()
) -> Policy:
    """Return a policy that knows every key that leads to or from the keys it names.

    Args:
        policy: whom somebody trusts.
        handovers: checked, in the order of the log; of two by one key the first counts.
        retirements: checked.

    The keys in force come first.  A key that the policy names keeps its place in the chain: what
    it handed over it no longer vouches for alone, since it has signed that itself.  Nothing is
    followed onwards from a key the policy names as retired: it could be a thief's.
    """
    logs: dict[bytes, Log] = {log.key.public: log for log in policy.logs}
    for log in policy.logs:
        for key, until in _chain(log, handovers):
            known = logs.get(key.public, Log(key, log.url))
            led = known.led or (until is not None and (log.until is None or log.led))
            logs[key.public] = replace(known, until=_lower(known.until, until), led=led)
    for one in retirements:
        by, retired = logs.get(one.by.public), logs.get(one.key.public)
        # Only a later key of the same log has a say, and only about one that handed over.
        if by is None or retired is None or retired.until is None or by.key.name != one.key.name:
            continue
        logs[one.key.public] = replace(retired, until=_lower(retired.until, one.head.size))
    ordered = sorted(logs.values(), key=lambda log: log.until is not None)
    return replace(policy, logs=tuple(ordered))


def followed(policy: Policy, origin: str, handovers: Sequence[Handover]) -> tuple[Handover, ...]:
    """Return the hand-overs of one log that lead to or from a key of `policy`, in order."""
    chains = [
        {key.public for key, _ in _chain(log, handovers)}
        for log in policy.logs
        if log.key.name == origin
    ]
    reached = set().union(*chains)
    found: dict[bytes, Handover] = {}
    for one in handovers:
        if one.earlier.public in reached and one.later.public in reached:
            found.setdefault(one.earlier.public, one)
    return tuple(found.values())


def parse_old(data: bytes, name: str) -> tuple[tuple[VerifierKey, int], ...]:
    """Read earlier keys: a verifier key, a space and its final size a line.

    Args:
        data: the file.
        name: what it is called in messages.

    Raises:
        EvidenceError: `note_invalid`: a line is no such thing, or the last one is cut off.
    """
    found = []
    lines = strict.read_lines(data, "note_invalid", name) if data else []
    for number, line in enumerate(lines, start=1):
        vkey, _, size = line.partition(" ")
        try:
            key = parse_vkey(vkey)
            until = strict.read_decimal(size, "note_invalid", "the final size")
        except EvidenceError as error:
            raise EvidenceError("note_invalid", f"{name} line {number}: {error.message}") from error
        found.append((key, until))
    return tuple(found)


def _chain(start: Log, handovers: Sequence[Handover]) -> Iterable[tuple[VerifierKey, int | None]]:
    """Yield every key of the chain that `start` is in, with the last size it vouches for alone."""
    forward: dict[bytes, Handover] = {}
    backward: dict[bytes, Handover] = {}
    for one in handovers:
        if one.earlier.name == start.key.name and one.earlier.public not in forward:
            forward[one.earlier.public] = one
            backward.setdefault(one.later.public, one)
    seen = {start.key.public}
    key = start.key
    while (back := backward.get(key.public)) is not None and len(seen) < CHAIN_MAX:
        key = back.earlier
        if key.public in seen:
            break
        seen.add(key.public)
        yield key, back.head.size
    key = start.key
    if start.until is not None:
        yield key, start.until
        return
    while (on := forward.get(key.public)) is not None and len(seen) < CHAIN_MAX:
        yield key, on.head.size
        key = on.later
        if key.public in seen:
            return
        seen.add(key.public)
    yield key, None


def _lower(known: int | None, found: int | None) -> int | None:
    if known is None or found is None:
        return known if found is None else found
    return min(known, found)


def _check_pair(one: VerifierKey, other: VerifierKey) -> None:
    if one.name != other.name or one.public == other.public:
        raise EvidenceError("key_unknown", "the two keys are not two keys of one log")
    if not one.algorithm == other.algorithm == ED25519:
        raise EvidenceError("key_unknown", "the two keys are not Ed25519 keys of a log")


def _handover_text(earlier: VerifierKey, later: VerifierKey, head: TreeHead) -> bytes:
    return _text(_HANDED_OVER, f"earlier {earlier}", f"later {later}", head)


def _retirement_text(key: VerifierKey, by: VerifierKey, head: TreeHead) -> bytes:
    return _text(_RETIRED, f"retired {key}", f"by {by}", head)


def _text(kind: str, one: str, other: str, head: TreeHead) -> bytes:
    return f"{kind}\n{one}\n{other}\nsize {head.size}\nroot {head.root.hex()}\n".encode()


def _sign(key: SignerKey, text: bytes) -> bytes:
    assert key.vkey.algorithm == ED25519, "a witness is not handed over"
    return signature.ed25519_sign(key.seed, text)
