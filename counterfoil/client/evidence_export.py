"""The exported log of a ledger directory, as it stood at one moment."""

from collections.abc import Iterator
from pathlib import Path

from counterfoil.client.evidence_files import DirectoryLog
from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.note_text import parse_note
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.depth import Enter, unmetered
from counterfoil.verifier.log import LogVerdict, check_log
from counterfoil.verifier.report import Findings


class SnapshotLog(DirectoryLog):
    """An exported log whose checkpoint was read, and whose files were listed, at one moment.

    What the exporter adds later is not looked at: the database is opened after that moment, so
    nothing listed can be ahead of it.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        try:
            self._checkpoint: bytes | EvidenceError | None = super().checkpoint()
        except EvidenceError as error:
            self._checkpoint = error
        self._names = list(super().names())

    def checkpoint(self) -> bytes | None:
        """Return the checkpoint as it was."""
        if isinstance(self._checkpoint, EvidenceError):
            raise self._checkpoint
        return self._checkpoint

    def claimed_origin(self) -> str | None:
        """Return the log the checkpoint says it is of; None where it says nothing."""
        try:
            note = self.checkpoint()
            return None if note is None else parse_checkpoint(parse_note(note).text).origin
        except EvidenceError:
            return None

    def names(self) -> Iterator[str]:
        """Yield the files there were."""
        return iter(self._names)

    def holds_anything(self) -> bool:
        """Tell whether there is a checkpoint, or anything else."""
        return self._checkpoint is not None or bool(self._names)


class Export:
    """The exported log of a project, checked when there is time: at the latest for the verdict."""

    def __init__(
        self, prefix: str, log: SnapshotLog, policy: Policy | None, start: int = 0,
        enter: Enter = unmetered,
    ) -> None:  # fmt: skip
        self.log = log
        self._start = start
        self._enter = enter
        self._prefix = prefix
        self._policy = policy
        self._findings = Findings()
        self._verdict: LogVerdict | None = None

    def check(self) -> None:
        """Check it now, and keep what is found; where anything is, by all of its entries."""
        self._check()
        if self._start and len(self._findings):
            self._start, self._findings = 0, Findings()
            self._check()

    def _check(self) -> None:
        self._verdict = check_log(
            self.log, self._policy, self._findings, lambda path: self._prefix + path,
            start=self._start, enter=self._enter,
        )  # fmt: skip

    def verdict(self, findings: Findings) -> LogVerdict:
        """Return what the check led to, and hand on what it found."""
        if self._verdict is None:
            self.check()
        assert self._verdict is not None
        findings.extend(self._findings)
        return self._verdict
