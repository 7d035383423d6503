"""The key files of one log: what each is for, and the order in which a rotation writes them.

    P.key          signs, 0600              P.vkey         for everybody who checks
    P.later.key    made, not in force yet   P.vkeys.old    earlier keys: VKEY FINAL-SIZE a line
    P.earlier.key  signs beside P.key until the overlap ends

What must hold: a key is durable here before the entry that puts it in force; the log says which
key is in force, and these files follow it.  Each step is one file, whole or not there at all, and
each may be done again: a crash between any two is mended by the next start (`signing`).
"""

from collections.abc import Iterable
from pathlib import Path

from counterfoil.errors import EvidenceError
from counterfoil.stores.files import Staging, os_errors_translated
from counterfoil.tlog.handover import parse_old
from counterfoil.tlog.keys import SignerKey, VerifierKey, parse_signer_key, parse_vkey


class KeyFolder:
    """The key files of one project.

    Args:
        keys: the directory of signing keys.
        project: whose log.
    """

    def __init__(self, keys: Path, project: str) -> None:
        self.keys = keys
        self.project = project
        self.signer_path = keys / f"{project}.key"
        self.vkey_path = keys / f"{project}.vkey"
        self._later = keys / f"{project}.later.key"
        self._earlier = keys / f"{project}.earlier.key"
        self._old = keys / f"{project}.vkeys.old"
        self._secret = Staging(keys, 0o600)
        self._open = Staging(keys, 0o644)

    def vkey(self) -> VerifierKey:
        """Return the verifier key that stands here.

        Raises:
            EvidenceError: `missing`, `note_invalid`, `damaged`.
        """
        text = _read(self.vkey_path)
        if text is None:
            raise _missing(self.vkey_path)
        return parse_vkey(text.strip())

    def signer(self) -> SignerKey | None:
        """Return the key that signs; None where it is no file.  Errors as `vkey`."""
        return _read_signer(self.signer_path)

    def later(self) -> SignerKey | None:
        """Return the key that was made and is not in force yet."""
        return _read_signer(self._later)

    def earlier(self) -> SignerKey | None:
        """Return the key that signs beside the one in force."""
        return _read_signer(self._earlier)

    def old(self) -> tuple[tuple[VerifierKey, int], ...]:
        """Return the earlier keys in their order, each with its final size.

        Raises:
            EvidenceError: `note_invalid`: a line is no key and size.
        """
        text = _read(self._old)
        return () if text is None else parse_old(text.encode(), str(self._old))

    def put_later(self, signer: SignerKey) -> None:
        """Keep a key that is about to be put in force."""
        self._secret.write([(self._later, f"{signer.to_text()}\n".encode())])

    def put_old(self, old: Iterable[tuple[VerifierKey, int]]) -> None:
        """Write down the earlier keys."""
        text = "".join(f"{key} {size}\n" for key, size in old)
        self._open.write([(self._old, text.encode())])

    def put_earlier(self, signer: SignerKey) -> None:
        """Keep the key before for the overlap."""
        self._secret.write([(self._earlier, f"{signer.to_text()}\n".encode())])

    def put_signer(self, signer: SignerKey) -> None:
        """Let another key sign."""
        self._secret.write([(self.signer_path, f"{signer.to_text()}\n".encode())])

    def put_vkey(self, vkey: VerifierKey) -> None:
        """Show another key to everybody who checks."""
        self._open.write([(self.vkey_path, f"{vkey}\n".encode())])

    def drop_later(self) -> None:
        """Forget the key that was made: it is in force, or never was."""
        self._drop(self._later)

    def drop_earlier(self) -> None:
        """Forget the key before: its overlap has ended."""
        self._drop(self._earlier)

    def _drop(self, path: Path) -> None:
        with os_errors_translated(path):
            path.unlink(missing_ok=True)


def _read_signer(path: Path) -> SignerKey | None:
    text = _read(path)
    return None if text is None else parse_signer_key(text.strip())


def _read(path: Path) -> str | None:
    with os_errors_translated(path):
        try:
            return path.read_bytes().decode("ascii")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise EvidenceError("damaged", f"{path} is no key: not ASCII") from error


def _missing(path: Path) -> EvidenceError:
    return EvidenceError("missing", f"{path} is not there; restore it from your backup")
