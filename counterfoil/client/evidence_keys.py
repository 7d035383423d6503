"""The keys of a ledger directory: who signs each log, and who checks it."""

import tomllib
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from counterfoil.client.evidence_files import NAMED_FILE_MAX_BYTES, read_bounded
from counterfoil.client.evidence_rows import SqliteRows
from counterfoil.client.evidence_sqlite import Damaged
from counterfoil.errors import EvidenceError, UnavailableError
from counterfoil.tlog.handover import Handover, parse_old
from counterfoil.tlog.keys import VerifierKey, parse_signer_key, parse_vkey
from counterfoil.tlog.policy import Log, Policy
from counterfoil.verifier.report import Findings
from counterfoil.verifier.succession import CHANGES_MAX, SOURCE, Succession

OLD_KEYS_MAX_BYTES = 1 << 20


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
        return key

    def policy(self, project: str) -> Policy | None:
        """Return the key in the directory and the earlier ones beside it, as files say it."""
        key = self.key(project)
        if key is None:
            return None
        old = (Log(one, until=size) for one, size in self._old(project))
        return Policy((Log(key), *old))

    def compare(self, project: str, key: VerifierKey, handovers: Sequence[Handover]) -> None:
        """Compare signer key and earlier keys with the key, and with what the log says of it.

        Args:
            project: whose log.
            key: from `key`.
            handovers: those that lead to it, or on from it, in order.
        """
        in_force = handovers[-1].later if handovers else key
        if key != in_force:
            self.notes.append(
                f"keys/{project}.vkey is behind the log, which is handed over to key"
                f" {in_force.fingerprint()[:16]}: the next start brings it up to that"
            )
        self._compare_signer(project, {key, in_force})
        expected = [(one.earlier, one.head.size) for one in handovers]
        found = list(self._old(project))
        if found == expected:
            return
        name = f"keys/{project}.vkeys.old"
        if key != in_force or (expected and found == expected[: len(found)] and found):
            self.notes.append(f"{name} is behind the log: the next start brings it up to that")
        else:
            kind: Literal["missing", "damaged"] = "damaged" if found else "missing"
            message = f"{len(found)} earlier keys here, the log names {len(expected)}, or others"
            self._findings.add(kind, name, message)

    def _old(self, project: str) -> tuple[tuple[VerifierKey, int], ...]:
        name = f"keys/{project}.vkeys.old"
        try:
            data = read_bounded(self._directory / f"{project}.vkeys.old", OLD_KEYS_MAX_BYTES)
            return () if data is None else parse_old(data, name)
        except EvidenceError as error:
            self._findings.add("damaged", name, error.message)
            return ()

    def _compare_signer(self, project: str, keys: Collection[VerifierKey]) -> None:
        name = f"keys/{project}.key"
        try:
            data = read_bounded(self._directory / f"{project}.key", NAMED_FILE_MAX_BYTES)
            if data is not None and parse_signer_key(_one_line(data)).vkey not in keys:
                self._findings.add("damaged", name, f"not the key of keys/{project}.vkey")
        except EvidenceError:
            # The message may quote the file, and the file is a secret.
            self._findings.add("damaged", name, "no signer key")
        except UnavailableError:
            self.notes.append(f"{name} is not readable and was not looked at")


def follow_keys(rows: SqliteRows, succession: Succession) -> None:
    """Read what the entries say of the log's keys; damage is named where all rows are checked."""
    with suppress(Damaged):
        for index in rows.of_source(SOURCE)[:CHANGES_MAX]:
            entry = rows.entries(index, index + 1).get(index)
            if entry is not None:
                succession.take(index, entry)


def refuse_heads(
    rows: Succession, exported: Succession | None, root_at: Callable[[int], bytes | None],
    name: str, findings: Findings,
) -> None:  # fmt: skip
    """Report what keys signed over another history than that of the database.

    Args:
        rows: what the entries of the database say.
        exported: what the exported ones say, which are compared with their own tiles.
        root_at: the root the database had at a size; None where it cannot tell.
        name: of the database's head, in findings.
        findings: where findings go.
    """
    handed = () if exported is None else exported.handovers
    retired = () if exported is None else exported.retirements
    alone = Succession(
        rows.origin,
        [one for one in rows.handovers if one not in handed],
        [one for one in rows.retirements if one not in retired],
    )
    for end, why in alone.contradicted(root_at):
        findings.add("forked", name, why, 0, max(end - 1, 0))


def with_chains(policy: Policy | None, chains: Iterable[tuple[Log, ...]]) -> Policy:
    """Return a policy that knows the keys each log led to; only those where none is given."""
    led = [one for chain in chains for one in chain]
    names = {one.key.name for one in led}
    rest = () if policy is None else tuple(log for log in policy.logs if log.key.name not in names)
    return replace(policy or Policy(()), logs=(*led, *rest))


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
