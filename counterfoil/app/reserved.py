"""The logs a ledger keeps for itself: their keys, made at first sight."""

import logging
from collections.abc import Iterable
from pathlib import Path

from counterfoil.errors import EvidenceError
from counterfoil.ids import Randomness
from counterfoil.ledger.store import LogInfo
from counterfoil.stores.files import Staging, os_errors_translated
from counterfoil.tlog.note import SignerKey, parse_signer_key

_log = logging.getLogger(__name__)


def base_of(logs: Iterable[LogInfo]) -> str:
    """Return the origin below which the ledger's own logs stand: that of its first project.

    It has to be looked up before any of them exists, and stays in their keys from then on.
    """
    return next(log.origin for log in logs if not log.project.startswith("_"))


def read_signer(keys: Path, project: str, base: str, randomness: Randomness) -> SignerKey:
    """Return the key of one of the ledger's own logs, made at first sight.

    Args:
        keys: the directory of signing keys.
        project: `_aggregate` or `_access`.
        base: see `base_of`.
        randomness: where the key comes from.

    Raises:
        EvidenceError: `damaged`: the file is no signing key of such a log.
        UnavailableError: `storage`, `read_only`.
    """
    path = keys / f"{project}.key"
    found: SignerKey | None = None
    with os_errors_translated(path):
        if not path.exists():
            signer = SignerKey.from_seed(f"{base}/{project}", randomness.token(32))
            # The public half first: once the key stands, both do.
            Staging(keys, 0o644).write([(keys / f"{project}.vkey", f"{signer.vkey}\n".encode())])
            Staging(keys, 0o600).write([(path, f"{signer.to_text()}\n".encode())])
            return signer
        try:
            found = parse_signer_key(path.read_bytes().decode("ascii").strip())
        except (EvidenceError, UnicodeDecodeError):
            _log.warning("%s cannot be read as a key", path)
    if found is None or not found.name.endswith(f"/{project}"):
        raise EvidenceError("damaged", f"{path} is no key of a log {project}; restore it")
    return found
