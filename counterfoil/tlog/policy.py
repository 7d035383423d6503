"""Trust policies: which logs, which witnesses, and how many of them it takes.

A line each: `log <vkey> [url]`, `witness <name> <vkey> [url]`, `group <name> <k|any|all>
<member>...`, and exactly one `quorum <name|none>`; empty lines and `#` comments between.  Names
refer to earlier lines only and are opaque bytes.  A line of our own, `retired <vkey> <size>`, names
an earlier key of a log and the last size that it vouches for alone: a program that does not know
the line refuses the file, and does not believe the key for ever (docs/how-to/keys.md).

Source: C2SP tlog-policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from counterfoil.errors import EvidenceError
from counterfoil.tlog import strict
from counterfoil.tlog.checkpoint import Checkpoint, checkpoint_of
from counterfoil.tlog.keys import COSIGNATURE, ED25519, MLDSA44, VerifierKey, parse_vkey
from counterfoil.tlog.note import Note, parse_note, verify_note

NO_QUORUM = "none"


@dataclass(frozen=True, slots=True)
class Log:
    """A log whose checkpoints are accepted; its key's name is its origin.

    Args:
        key: one of its keys.
        url: where it is.
        until: the last size this key vouches for alone; None while it is in force.
        led: a hand-over that leads to or from a key in force says so, not the policy alone.
    """

    key: VerifierKey
    url: str | None = None
    until: int | None = None
    led: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Witness:
    """A cosigner; `name` means something within the policy only."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses and groups of which `threshold` have to have witnessed a checkpoint."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What somebody decided to trust.

    Args:
        logs: any of them may have signed, up to the size it is good for.
        witnesses: whose cosignatures count.
        groups: in the order of their lines, so that members come first.
        quorum: the witness or group that has to have witnessed, or "none".
    """

    logs: tuple[Log, ...]
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str = NO_QUORUM

    @classmethod
    def for_vkey(cls, vkey: VerifierKey) -> Self:
        """Return the policy that trusts one log alone and asks for no witness.

        Raises:
            EvidenceError: `policy_invalid`, when the key is one of a witness.
        """
        _check_type(vkey, (ED25519, MLDSA44), "a log")
        return cls(logs=(Log(vkey),))

    def verify_checkpoint(self, note: bytes) -> Checkpoint:
        """Check that a listed log signed a checkpoint and the quorum of witnesses saw it.

        Args:
            note: the whole signed note with its cosignatures.

        Raises:
            EvidenceError: `note_invalid` when it is no checkpoint; `signature` when a signature
                or cosignature by a listed key is wrong; `key_unknown` when no listed log signed
                it under its own origin; `key_retired` when only earlier keys did, beyond their
                last size; `quorum` when too few witnesses did.
        """
        log_keys = [log.key for log in self.logs]
        verified = verify_note(note, [*log_keys, *(witness.key for witness in self.witnesses)])
        checkpoint = checkpoint_of(verified, log_keys)
        self._check_in_force(verified, checkpoint)
        signed = {(line.name, line.key_id) for line in verified.signatures}
        seen = {w.name for w in self.witnesses if (w.key.name, w.key.key_id) in signed}
        if not self.is_quorum(seen):
            names = ", ".join(ascii(name[:64]) for name in sorted(seen)) or "none"
            raise EvidenceError(
                "quorum", f"the quorum {self.quorum[:64]!a} is not met; witnessed by: {names}"
            )
        return checkpoint

    def require_led(self, note: bytes) -> None:
        """Refuse a whole log whose head only earlier keys signed that no hand-over leads to.

        An earlier key can sign a small log of another history at any time, so its checkpoint says
        something of a log only beside the hand-over, or if witnesses that are asked for saw it.

        Args:
            note: a checkpoint that `verify_checkpoint` accepts.

        Raises:
            EvidenceError: `key_retired`.
        """
        signed = {(line.name, line.key_id) for line in parse_note(note).signatures}
        signers = [log for log in self.logs if (log.key.name, log.key.key_id) in signed]
        if self.quorum != NO_QUORUM or any(one.until is None or one.led for one in signers):
            return
        names = ", ".join(one.key.fingerprint()[:16] for one in signers)
        raise EvidenceError(
            "key_retired",
            f"only the retired key {names} signed it, which may be in other hands, and nothing here"
            " leads to its hand-over: get the log up to the key in force",
        )

    def signer(self, note: bytes) -> VerifierKey | None:
        """Return the first listed log key that has a line in a note that was verified."""
        signed = {(line.name, line.key_id) for line in parse_note(note).signatures}
        for log in self.logs:
            if (log.key.name, log.key.key_id) in signed:
                return log.key
        return None

    def _check_in_force(self, verified: Note, checkpoint: Checkpoint) -> None:
        """Refuse a checkpoint that none of its log's keys vouches for at its size."""
        signed = {(line.name, line.key_id) for line in verified.signatures}
        ends = [
            log.until
            for log in self.logs
            if (log.key.name, log.key.key_id) in signed and log.key.name == checkpoint.origin
        ]
        if all(until is not None and until < checkpoint.size for until in ends):
            last = max(until for until in ends if until is not None)
            raise EvidenceError(
                "key_retired",
                f"the key that signed {checkpoint.size} entries of {checkpoint.origin[:64]!a} was"
                f" retired: alone it vouches for {last} and no more",
            )

    def is_quorum(self, witnesses: set[str]) -> bool:
        """Tell whether these witnesses, by their names in the policy, are enough."""
        witnessed = set(witnesses)
        # Members come before their groups, so one pass decides every group.
        for group in self.groups:
            if sum(member in witnessed for member in group.members) >= group.threshold:
                witnessed.add(group.name)
        return self.quorum == NO_QUORUM or self.quorum in witnessed


def parse_policy(text: bytes | str) -> Policy:
    """Read a policy file.

    Args:
        text: the file; a string stands for its UTF-8 bytes.

    Raises:
        EvidenceError: `policy_invalid` with the fact `line`, counted from 1, where one line is
            to blame: an unknown word, a control character, a name used before it is defined
            or twice, a key twice, a threshold out of range, an absent or second quorum.

    Names that are not UTF-8 are kept as surrogate escapes, so they stay distinct.
    """
    lines = _read_octets(text)
    reader = _Reader()
    for number, line in enumerate(lines, start=1):
        words = line.replace("\t", " ").split(" ")
        words = [word for word in words if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            reader.take(words)
        except EvidenceError as error:
            raise EvidenceError(
                "policy_invalid", f"line {number}: {error.message}", line=number
            ) from None
    if reader.quorum is None:
        raise _refuse("the policy has no quorum line; say `quorum none` to ask for no witness")
    return Policy(tuple(reader.logs), tuple(reader.witnesses), tuple(reader.groups), reader.quorum)


@dataclass(slots=True)
class _Reader:
    """What the lines so far have said."""

    logs: list[Log] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    quorum: str | None = None
    names: set[str] = field(default_factory=set)
    grouped: set[str] = field(default_factory=set)

    def take(self, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self._log(parse_vkey(vkey), words[2:])
            case ["retired", vkey, size]:
                until = strict.read_decimal(size, "policy_invalid", "the last size")
                self._log(parse_vkey(vkey), (), until)
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self._witness(name, parse_vkey(vkey), words[3:])
            case ["group", name, threshold, _, *_]:
                self._group(name, threshold, words[3:])
            case ["quorum", name]:
                self._quorum(name)
            case _:
                raise _refuse(f"{' '.join(words)[:64]!a} is no log, witness, group or quorum line")

    def _log(self, key: VerifierKey, url: Sequence[str], until: int | None = None) -> None:
        _check_type(key, (ED25519, MLDSA44), "a log")
        if any(log.key.public == key.public for log in self.logs):
            raise _refuse("a second log with the same public key")
        self.logs.append(Log(key, url[0] if url else None, until))

    def _witness(self, name: str, key: VerifierKey, url: Sequence[str]) -> None:
        self._define(name)
        _check_type(key, (COSIGNATURE, MLDSA44), "a witness")
        if any(witness.key.public == key.public for witness in self.witnesses):
            raise _refuse("a second witness with the same public key")
        self.witnesses.append(Witness(name, key, *url))

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        for member in members:
            if member not in self.names:
                raise _refuse(f"{member[:64]!a} is not defined on an earlier line")
            if member in self.grouped:
                raise _refuse(f"{member[:64]!a} is a member already: it would count twice")
            self.grouped.add(member)
        self._define(name)
        match threshold:
            case "any":
                count = 1
            case "all":
                count = len(members)
            case _:
                count = strict.read_decimal(threshold, "policy_invalid", "the threshold")
        if not 1 <= count <= len(members):
            raise _refuse(f"a threshold of {count} for a group of {len(members)}")
        self.groups.append(Group(name, count, tuple(members)))

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise _refuse("a second quorum line")
        if name != NO_QUORUM and name not in self.names:
            raise _refuse(f"{name[:64]!a} is not defined on an earlier line")
        self.quorum = name

    def _define(self, name: str) -> None:
        if name == NO_QUORUM or name in self.names:
            raise _refuse(f"the name {name[:64]!a} is taken")
        self.names.add(name)


def _read_octets(text: bytes | str) -> list[str]:
    try:
        data = text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError:
        raise _refuse("the policy holds a lone surrogate") from None
    if any((byte < 0x20 and byte not in b"\t\n") or byte == 0x7F for byte in data):
        raise _refuse("the policy holds a control character other than tab and newline")
    if not data.endswith(b"\n"):
        # A file cut off within a name could be another, weaker policy.
        raise _refuse("the policy does not end in a newline: is it cut off?")
    return data.decode("utf-8", "surrogateescape")[:-1].split("\n")


def _check_type(key: VerifierKey, types: tuple[int, ...], who: str) -> None:
    if key.algorithm not in types:
        raise _refuse(f"the key {key.name[:64]!a} is of type {key.algorithm}, not one for {who}")


def _refuse(message: str) -> EvidenceError:
    return EvidenceError("policy_invalid", message)
