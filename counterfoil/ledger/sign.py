"""Signing, for heads that were checked and for no others.

`Checked` can only be made by the self-check, which alone holds the seal, and `Notary.sign` takes
nothing else: a signature for an uncommitted or unchecked head cannot be written down by mistake.
Ed25519 signatures are deterministic, so signing the same head again after a crash gives the same
checkpoint, byte for byte.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.note import SignerKey, VerifierKey
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


class Notary:
    """Holds the signing keys; nothing else in the ledger does.

    Args:
        signers: the key of each project; its name is the log's origin.
    """

    def __init__(self, signers: Mapping[str, SignerKey]) -> None:
        self._signers = dict(signers)

    def sign(self, checked: Checked) -> Signed:
        """Return the signed checkpoint of a checked head.

        Raises:
            TypeError: anything but a `Checked`.
        """
        if type(checked) is not Checked:
            raise TypeError("only a checked head is signed")
        signer = self._signers[checked.project]
        note = sign_checkpoint(signer.name, checked.head, signer)
        return Signed(checked.project, checked.head, note)

    def vkey(self, project: str) -> VerifierKey:
        """Return the public key of a project's log."""
        return self._signers[project].vkey
