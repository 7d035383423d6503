"""The keys of a ledger directory: who signs each log, and who checks it."""

import tomllib
from pathlib import Path

from counterfoil.client.evidence_files import NAMED_FILE_MAX_BYTES, read_bounded
from counterfoil.errors import EvidenceError, UnavailableError
from counterfoil.tlog.keys import VerifierKey, parse_signer_key, parse_vkey
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.report import Findings


class KeyFiles:
    """The key files of a ledger.

    Args:
        directory: the ledger.
        findings: where findings go.

    Attributes:
        notes: what a reader should know that is not wrong.
    """

    def __init__(self, directory: Path, findings: Findings) -> None:
        self.notes: list[str] = []
        self._directory = _keys_directory(directory)
        self._findings = findings

    def projects(self) -> list[str]:
        """Return the projects that have a verifier key here."""
        return sorted(path.stem for path in self._directory.glob("*.vkey"))

    def key(self, project: str) -> VerifierKey | None:
        """Return the verifier key in the directory, and compare the signer key with it."""
        name = f"keys/{project}.vkey"
        try:
            data = read_bounded(self._directory / f"{project}.vkey", NAMED_FILE_MAX_BYTES)
            if data is None:
                self._findings.add("missing", name, "the key the log is checked with is not there")
                return None
            key = parse_vkey(_one_line(data))
            Policy.for_vkey(key)
        except EvidenceError as error:
            self._findings.add("damaged", name, error.message)
            return None
        self._compare_signer(project, key)
        return key

    def _compare_signer(self, project: str, key: VerifierKey) -> None:
        name = f"keys/{project}.key"
        try:
            data = read_bounded(self._directory / f"{project}.key", NAMED_FILE_MAX_BYTES)
            if data is not None and parse_signer_key(_one_line(data)).vkey != key:
                self._findings.add("damaged", name, f"not the key of keys/{project}.vkey")
        except EvidenceError:
            # The message may quote the file, and the file is a secret.
            self._findings.add("damaged", name, "no signer key")
        except UnavailableError:
            self.notes.append(f"{name} is not readable and was not looked at")


def _one_line(data: bytes) -> str:
    if not data.endswith(b"\n"):
        raise EvidenceError("note_invalid", "the file does not end in a newline: is it cut off?")
    try:
        return data[:-1].decode("ascii")
    except UnicodeDecodeError as error:
        raise EvidenceError("note_invalid", f"not ASCII at byte {error.start}") from error


def _keys_directory(directory: Path) -> Path:
    """Return where the settings say the keys are; unusable settings leave the default."""
    try:
        data = read_bounded(directory / "counterfoil.toml", NAMED_FILE_MAX_BYTES) or b""
        settings = tomllib.loads(data.decode("utf-8")).get("keys")
    except (EvidenceError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        settings = None
    named = settings.get("directory") if isinstance(settings, dict) else None
    return directory / (named if isinstance(named, str) else "keys")
