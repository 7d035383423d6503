"""Signing, for heads that were checked and for no others.

`Checked` can only be made by the self-check, which alone holds the seal, and `Notary.sign` takes
nothing else: a signature for an uncommitted or unchecked head cannot be written down by mistake.
Ed25519 signatures are deterministic, so signing the same head again after a crash gives the same
checkpoint, byte for byte.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.handover import Handover
from counterfoil.tlog.note import SignerKey, VerifierKey
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.tree import TreeHead

SELF_CHECK_SEAL: Final = object()
"""Whoever holds it vouches that a head was read back and recomputed: `selfcheck` alone."""


class Checked:
    """A tree head that is committed, was read back, and recomputed from the stored tiles.

    Raises:
        TypeError: made by anybody but the self-check.
    """

    __slots__ = ("head", "project")

    def __init__(self, project: str, head: TreeHead, *, seal: object) -> None:
        if seal is not SELF_CHECK_SEAL:
            raise TypeError("only the self-check makes a Checked head")
        self.project = project
        self.head = head


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed head: the checkpoint is the note of exactly that size and root."""

    project: str
    head: TreeHead
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class Signing:
    """What signs one log.

    Args:
        signer: the key in force; its name is the log's origin.
        trust: every key the log has had, each with the last size it vouches for alone.
        beside: the key before, which signs as well until its overlap ends; None without one.
        since: heads of so many entries, or fewer, are signed by `beside` alone.
        handovers: how the keys followed each other, in order.
    """

    signer: SignerKey
    trust: Policy
    beside: SignerKey | None = None
    since: int = 0
    handovers: tuple[Handover, ...] = ()

    @classmethod
    def of(cls, signer: SignerKey) -> Self:
        """Return what signs a log that has had one key."""
        return cls(signer, Policy.for_vkey(signer.vkey))


class Notary:
    """Holds the signing keys; nothing else in the ledger does.

    Args:
        signers: what signs each project's log.
    """

    def __init__(self, signers: Mapping[str, SignerKey | Signing]) -> None:
        self._signers = {
            project: one if isinstance(one, Signing) else Signing.of(one)
            for project, one in signers.items()
        }

    def sign(self, checked: Checked) -> Signed:
        """Return the signed checkpoint of a checked head.

        Raises:
            TypeError: anything but a `Checked`.
        """
        if type(checked) is not Checked:
            raise TypeError("only a checked head is signed")
        signing, head = self._signers[checked.project], checked.head
        if signing.beside is None:
            keys = [signing.signer]
        elif head.size <= signing.since:
            keys = [signing.beside]
        else:
            keys = [signing.beside, signing.signer]
        note = sign_checkpoint(signing.signer.name, head, *keys)
        return Signed(checked.project, head, note)

    def signing(self, project: str) -> Signing:
        """Return what signs a project's log."""
        return self._signers[project]

    def hold(self, project: str, signing: Signing) -> None:
        """Sign a project's log so from the next head on; any thread may say it."""
        self._signers[project] = signing

    def vkey(self, project: str) -> VerifierKey:
        """Return the public key of a project's log."""
        return self._signers[project].signer.vkey
