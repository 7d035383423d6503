"""fsck: an operator's check of a whole ledger directory, stage by stage.

`verify` is the stranger's check; this one stands on the same code and goes on to what a stranger
has no use for: the database of the aggregate log, cosignatures that are kept, how far the rows of
pages are.  It reads, beside a running server too, and never writes: mending is `fsck_repair`.

Order matters while a server writes: whatever is derived from the logs is read before them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from counterfoil.app.config import read_config
from counterfoil.app.fsck_anchors import published_head
from counterfoil.app.fsck_beyond import check_beyond
from counterfoil.app.fsck_derived import (
    Cosignatures,
    Derived,
    check_cosignatures,
    check_positions,
    read_derived,
)
from counterfoil.app.fsck_meter import Meter
from counterfoil.app.fsck_report import FsckReport, Stage
from counterfoil.client.evidence_files import NAMED_FILE_MAX_BYTES, read_bounded, read_named
from counterfoil.client.evidence_keys import KeyFiles
from counterfoil.client.evidence_ledger import CheckedLog, LedgerResult, check_ledger
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.tlog.checkpoint_text import Checkpoint, parse_checkpoint
from counterfoil.tlog.note_text import parse_note
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.aggregate import AGGREGATE
from counterfoil.verifier.anchor import Anchor, compare
from counterfoil.verifier.depth import Depth, Survey
from counterfoil.verifier.report import Findings
from counterfoil.verifier.stages import STAGES

CONTENTS_LAST: Final = 10_000
"""Without `--full`, how many of the last entries of each log are opened."""

_LEDGER_FILES = ("ledger.db", "erasable.db", "counterfoil.toml")


@dataclass(frozen=True, slots=True)
class Since:
    """A checkpoint kept from before, and the project whose log it is of."""

    name: str
    project: str
    checkpoint: Checkpoint


def fsck(directory: Path, *, full: bool = False, since: Sequence[Path] = ()) -> FsckReport:
    """Check a ledger directory.

    Args:
        directory: the ledger.
        full: open everything, and let SQLite check every page.
        since: checkpoints kept from before: of their logs, only what came later is read.

    Raises:
        RequestError: `dir_missing`, `not_a_ledger`, `config_invalid`; `usage`: a checkpoint that
            is of no log of this ledger, or not signed by its key.
        UnavailableError: `storage`.

    Cost: about 40 us an entry with `full`, 15 us without, shared by the processors.
    """
    require_ledger(directory)
    kept = [read_since(directory, path) for path in since]
    depths = {one.project: Depth(start=one.checkpoint.size) for one in kept}
    meter = Meter()
    survey = Survey(
        Depth() if full else Depth(contents_last=CONTENTS_LAST), depths, full, meter.enter
    )
    findings = Findings()
    witnesses = [one.key for one in read_config(directory).witness]
    with meter.enter("positions"):
        derived = read_derived(directory, pages=full)
    published = _published(directory)
    with meter.enter("root"):
        check_beyond(directory, _signed_sizes(directory), findings)
    with check_ledger(directory, None, None, findings, survey) as result:
        with meter.enter("root"):
            for one in kept:
                _compare_since(one, result.logs, findings)
        with meter.enter("cosignatures"):
            signed = {
                log.seen.project: published[log.seen.project]
                for log in result.logs
                if log.counts.get("checkpoints") and log.seen.project in published
            }
            cosigned = check_cosignatures(signed, derived, result.logs, witnesses, findings)
        with meter.enter("positions"):
            findings.extend(derived.found)
            positions = check_positions(derived, result.logs, findings)
        counts = _Counts(result, derived, cosigned, positions, full=full)
        return FsckReport(
            target=str(directory),
            depth="full" if full else "since" if since else "default",
            logs=tuple(log.seen for log in result.logs),
            stages=tuple(counts.stage(name, meter.spent_s[name]) for name in STAGES),
            findings=tuple(findings),
            uncounted=findings.uncounted,
            notes=(*result.notes, *_depth_notes(result.logs)),
            only=result.logs[0].seen.project if len(result.logs) == 1 else "",
        )


def require_ledger(directory: Path) -> None:
    """Refuse a path that is no ledger directory, a damaged one included.

    Raises:
        RequestError: `dir_missing`, `not_a_ledger`.
    """
    if not directory.exists():
        raise RequestError("dir_missing", f"{directory} does not exist; name a ledger directory")
    if not any((directory / name).exists() for name in _LEDGER_FILES):
        raise RequestError(
            "not_a_ledger", f"{directory} is no ledger directory; for others' logs there is verify"
        )


def read_since(directory: Path, path: Path) -> Since:
    """Read a kept checkpoint and find the log it is of, by the keys of the directory.

    Raises:
        RequestError: `usage`.
    """
    note = read_named(path)
    try:
        origin = parse_checkpoint(parse_note(note).text).origin
        project, trust = _trust_of(directory, origin)
        checkpoint = trust.verify_checkpoint(note)
    except EvidenceError as error:
        raise RequestError(
            "usage", f"{path} is no checkpoint of a log of this ledger: {error.message}"
        ) from error
    return Since(str(path), project, checkpoint)


def _trust_of(directory: Path, origin: str) -> tuple[str, Policy]:
    keys = KeyFiles(directory, Findings())
    for project in keys.projects():
        trust = keys.policy(project)
        if trust is not None and trust.logs[0].key.name == origin and project != AGGREGATE:
            return project, trust
    raise EvidenceError("key_unknown", f"no project of it has the origin {origin!a}")


def _published(directory: Path) -> dict[str, bytes]:
    """Return the checkpoints that stand in public/, by project."""
    found = {}
    for path in sorted((directory / "public").glob("*/checkpoint")):
        try:
            note = read_bounded(path, NAMED_FILE_MAX_BYTES)
        except EvidenceError:
            continue  # named where the exported log is checked
        if note is not None:
            found[path.parent.name] = note
    return found


def _signed_sizes(directory: Path) -> dict[str, int]:
    """Return how many entries the published checkpoint of each log speaks for, 0 without one."""
    keys, sizes = KeyFiles(directory, Findings()), {}
    for project in keys.projects():
        if (trust := keys.policy(project)) is not None:
            head = published_head(directory, project, trust)
            sizes[project] = head.size if head is not None else 0
    return sizes


def _compare_since(one: Since, logs: Sequence[CheckedLog], findings: Findings) -> None:
    """Compare a kept checkpoint with its log; a log that is not whole is a finding already."""
    for log in logs:
        if log.seen.project == one.project and log.held is not None:
            compare(Anchor(one.name, one.checkpoint), log.held, findings)


def _depth_notes(logs: Sequence[CheckedLog]) -> list[str]:
    notes = []
    for log in logs:
        project = log.seen.project
        if log.first:
            notes.append(f"{project}: entries before {log.first} were not read")
        elif log.opened and project != AGGREGATE:
            notes.append(f"{project}: contents of entries before {log.opened} were not opened")
    return notes


class _Counts:
    """What each stage looked at."""

    def __init__(
        self, result: LedgerResult, derived: Derived, cosigned: Cosignatures, positions: int,
        *, full: bool,
    ) -> None:  # fmt: skip
        self._logs = result.logs
        self._full = full
        in_ledger = [log for log in result.logs if log.seen.project != AGGREGATE]
        databases = 2 + (len(in_ledger) < len(result.logs))
        self._counts: dict[str, dict[str, int]] = {
            "pages": {"files": derived.files + databases},
            "bundles": {"exported_entries": self._sum("exported_entries")},
            "leaves": {"entries": self._sum("entries")},
            "tiles": {
                "tiles": self._sum("tiles"),
                "exported_tiles": self._sum("exported_tiles"),
                "further_files": self._sum("further_files"),
            },
            "root": {"logs": sum(log.held is not None for log in in_ledger)},
            "signature": {"checkpoints": self._sum("checkpoints")},
            "cosignatures": {"cosignatures": cosigned.lines, "kept_checkpoints": cosigned.kept},
            "commitments": {
                "sealed_pieces": self._sum("sealed_pieces"),
                "blobs": self._sum("blobs"),
            },
            "erasures": {"kept_parts": self._sum("sealed_pieces") + self._sum("blobs")},
            "idempotency": {
                "keys": self._sum("idempotency_keys"),
                "digests": self._sum("idempotency_digests"),
            },
            "aggregate": {
                "aggregated_checkpoints": result.checked.get("aggregated_checkpoints", 0)
            },
            "positions": {"logs": positions},
        }

    def stage(self, name: str, time_s: float) -> Stage:
        """Return one stage of the report."""
        if name == "pages" and not self._full:
            return Stage(name, {}, (), 0.0, "SQLite checks every page with --full")
        return Stage(name, self._counts[name], tuple(self._ranges(name)), time_s)

    def _ranges(self, name: str) -> list[tuple[str, int, int]]:
        found = []
        for log in self._logs:
            project, size = log.seen.project, log.seen.size
            first, end = log.first, size
            if name == "bundles":
                end = first + log.counts.get("exported_entries", 0)
            elif name in {"commitments", "erasures"}:
                first = log.opened
            if name == "aggregate" and project != AGGREGATE:
                continue
            if first < end and name not in {"pages", "cosignatures"}:
                found.append((project, first, end - 1))
        return found

    def _sum(self, name: str) -> int:
        return sum(log.counts.get(name, 0) for log in self._logs)
