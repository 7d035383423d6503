"""A ledger directory as evidence: databases, blobs, keys and the exported log, against each other.

Order matters while a server writes: the exported checkpoints are read before the database is
opened, so the database can only be ahead of them, and one read transaction then sees one commit.
`erasable.db` is opened after `ledger.db`: keys are written before the entries they belong to.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from counterfoil.client import evidence_crew
from counterfoil.client.evidence_aggregate import PREFIX, check_aggregate_rows
from counterfoil.client.evidence_export import Export, SnapshotLog
from counterfoil.client.evidence_files import unreadable
from counterfoil.client.evidence_keys import KeyFiles, follow_keys, refuse_heads, with_chains
from counterfoil.client.evidence_rows import (
    AGGREGATED,
    ERASABLE,
    LEDGER,
    SqliteRows,
    foreign_rows,
    projects,
)
from counterfoil.client.evidence_sqlite import Damaged, EvidenceDatabase, Kind
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.tlog.keys import VerifierKey
from counterfoil.tlog.policy import Log, Policy
from counterfoil.tlog.tile import node_from_tiles, root_from_tiles
from counterfoil.tlog.tree import EMPTY_ROOT, TreeHead
from counterfoil.verifier.aggregate import AGGREGATE, AggregateCheck
from counterfoil.verifier.anchor import Held, compare_growth
from counterfoil.verifier.depth import EVERYTHING, Survey
from counterfoil.verifier.erased import erased_notes
from counterfoil.verifier.kept import RowNames
from counterfoil.verifier.ledger import LedgerCheck, Tallies
from counterfoil.verifier.log import LogReader, LogVerdict, check_log, exported_tiles
from counterfoil.verifier.report import Findings, LogSeen
from counterfoil.verifier.succession import Succession

_PROJECT = re.compile(r"[a-z0-9_][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class CheckedLog:
    """One log of a ledger after it was checked.

    Args:
        origin: its name.
        seen: for the report.
        key: the key found in the directory, when nobody said whom to trust.
        trust: the keys that vouch for this log, those it was handed over to included.
        held: for comparing with outside evidence; None when its tree is not whole.
        counts: what was looked at in this log, name -> count.
        first: the first entry that was read.
        opened: the first entry that was opened.
    """

    origin: str
    seen: LogSeen
    key: VerifierKey | None
    held: Held | None
    counts: Mapping[str, int] = field(default_factory=dict)
    first: int = 0
    opened: int = 0
    trust: tuple[Log, ...] = ()


@dataclass(frozen=True, slots=True)
class LedgerResult:
    """A ledger directory after it was checked; findings went where the caller said."""

    logs: tuple[CheckedLog, ...]
    checked: Mapping[str, int]
    notes: tuple[str, ...]
    trusted: Policy
    aggregate: Policy | None = None


@contextmanager
def check_ledger(
    directory: Path, policy: Policy | None, project: str | None, findings: Findings,
    survey: Survey = EVERYTHING,
) -> Iterator[LedgerResult]:  # fmt: skip
    """Check a ledger directory; the databases stay open for the block, to compare further.

    Args:
        directory: the directory.
        policy: whose signatures count; None to trust the keys in the directory.
        project: check only this log; None for all.
        findings: where findings go.
        survey: how much is looked at.

    Raises:
        RequestError: `project_unknown`.
        UnavailableError: `storage`.
    """
    with _Directory(directory, policy, findings, survey).check(project) as result:
        yield result


class _Directory:
    """One check of one directory."""

    def __init__(
        self, directory: Path, policy: Policy | None, findings: Findings, survey: Survey
    ) -> None:
        self._directory = directory
        self._survey = survey
        self._policy = policy
        self._findings = findings
        self._checked: Counter[str] = Counter()
        self._notes: list[str] = []
        self._keys = KeyFiles(directory, findings)
        self._aggregate_policy: Policy | None = None
        self._origins: set[str] = set()

    @contextmanager
    def check(self, project: str | None) -> Iterator[LedgerResult]:
        """Check the logs, or the one of `project`."""
        exported = self._exported()
        with self._database(LEDGER) as ledger, self._database(ERASABLE) as keys:
            found = self._projects(ledger)
            self._origins = {
                origin for name, origin in found.items() if origin and not name.startswith("_")
            }
            aggregate = exported.pop(AGGREGATE, None)
            if aggregate is None and self._promises_aggregate():
                aggregate = SnapshotLog(self._directory / "public" / AGGREGATE)
            names = sorted(found.keys() | exported.keys())
            if project is not None and project == AGGREGATE and aggregate is not None:
                names = []
            elif project is not None:
                if project not in names:
                    raise RequestError(
                        "project_unknown", f"{self._directory} has no log of project {project!r}"
                    )
                names = [project]
            logs = []
            for name in names:
                log = exported.get(name) or SnapshotLog(self._directory / "public" / name)
                if name.startswith("_") and self._is_not_asked_for(name, log):
                    continue
                rows, labels = None, RowNames(f" of {name}" if len(found) > 1 else "")
                if ledger is not None and name in found:
                    rows = SqliteRows(name, ledger, keys, self._directory / "blobs", labels)
                logs.append(self._log(name, found.get(name), log, rows, labels))
            if aggregate is not None and project in {None, AGGREGATE}:
                logs += self._aggregate(aggregate, logs)
            notes = (*self._keys.notes, *self._notes)
            trusted = with_chains(self._policy, (log.trust for log in logs))
            yield LedgerResult(
                tuple(logs), dict(self._checked), notes, trusted, self._aggregate_policy
            )

    def _projects(self, ledger: EvidenceDatabase | None) -> dict[str, str | None]:
        """Return project -> origin of the logs in the database, and report rows of no log."""
        if ledger is None:
            return {}
        try:
            found = projects(ledger)
            for name in [name for name in found if not _PROJECT.fullmatch(name)]:
                self._findings.add("damaged", f"ledger.db logs row {name}", "no project name")
                del found[name]
            foreign_rows(ledger, list(found), self._findings)
        except Damaged:
            return {}
        return found

    def _exported(self) -> dict[str, SnapshotLog]:
        public = self._directory / "public"
        try:
            names = sorted(entry.name for entry in public.iterdir()) if public.is_dir() else []
        except OSError as error:
            raise unreadable(public, error) from error
        found = {}
        for name in names:
            if name.startswith("."):
                continue  # where the exporter writes files before it moves them into place
            if not _PROJECT.fullmatch(name) or not (public / name).is_dir():
                self._findings.add("damaged", f"public/{name}", "no log of any project")
                continue
            found[name] = SnapshotLog(public / name)
        return found

    def _log(
        self,
        project: str,
        origin: str | None,
        exported: SnapshotLog,
        rows: SqliteRows | None,
        names: RowNames,
    ) -> CheckedLog:
        key, policy, succession = self._followed(project, origin, rows)
        survey, depth = self._survey, self._survey.of(project)
        export = Export(f"public/{project}/", exported, policy, depth.start, survey.enter)
        if rows is None:
            name = names.row("logs", project)
            self._findings.add("missing", name, f"public/{project} is of no log of the database")
            check = None
        else:
            check = self._rows(project, rows, names, export.check)
        verdict = self._export(project, export, check)
        trust = self._say_keys(project, key, policy, succession, verdict)
        signed = verdict.checkpoint if verdict is not None else None
        if check is not None and check.whole:
            told = None if verdict is None else verdict.succession
            refuse_heads(
                succession, told, check.root_at, names.row("heads", project), self._findings
            )
        known = signed.origin if signed is not None else key.name if key is not None else None
        if rows is not None and known is not None and origin != known:
            name = names.row("logs", project, "" if origin is None else "origin")
            message = f"the log's key is that of {known}"
            self._findings.add("missing" if origin is None else "damaged", name, message)
        fingerprint = verdict.fingerprint if verdict is not None and verdict.fingerprint else ""
        if not fingerprint and key is not None:
            fingerprint = key.fingerprint()
        origin = known or origin or ""
        if check is None:
            size = verdict.entries if verdict is not None else 0
            seen = LogSeen(project, origin, size, "", fingerprint)
            return CheckedLog(origin, seen, key, None, _exported_counts(verdict), trust=trust)
        if signed is not None and verdict is not None:
            tiles = exported_tiles(exported, signed.size, verdict.mended)
            node = node_from_tiles(tiles) if verdict.whole else None
            try:
                head = TreeHead(signed.size, signed.root)
                with survey.enter("root"):
                    checkpoint = f"public/{project}/checkpoint"
                    check.compare_export(head, node, checkpoint, self._findings)
            except Damaged:
                pass  # reported where it was read
            if signed.size < check.size:
                self._notes.append(
                    f"public/{project} holds {signed.size} of {check.size} entries:"
                    " the rest is signed and exported when the server gets to it"
                )
        root = check.root.hex() if check.root is not None else ""
        seen = LogSeen(project, origin, check.size, root, fingerprint)
        name = f"ledger.db entries ({project})"
        held = Held(name, check.size, check.node(), check.root_at, check.recorded)
        counts = {
            "entries": check.size - check.depth.first(check.size),
            "tiles": check.tiles,
            "sealed_pieces": check.kept.pieces,
            "blobs": check.kept.blobs,
            "idempotency_keys": check.kept.idem_listed,
            "idempotency_digests": check.kept.idem,
            **_exported_counts(verdict),
        }
        if rows is not None and check.kept.erased:
            counts["erased_parts"] = check.kept.erased
            self._checked.update({"erased_parts": check.kept.erased})
            self._notes += erased_notes(project, rows.erasures())
        return CheckedLog(
            origin, seen, key, held if check.whole else None, counts,
            check.depth.first(check.size), check.depth.opened(check.size), trust,
        )  # fmt: skip

    def _followed(
        self, project: str, origin: str | None, rows: SqliteRows | None
    ) -> tuple[VerifierKey | None, Policy | None, Succession]:
        """Return the key found here, whom to trust, and what the database says of the keys."""
        key, policy = None, self._policy
        if policy is None and (key := self._keys.key(project)) is not None:
            policy = Policy.for_vkey(key)
        succession = Succession((key.name if key is not None else origin) or "")
        if rows is not None and policy is not None:
            follow_keys(rows, succession)
            policy = succession.extend(policy)
        return key, policy, succession

    def _say_keys(
        self, project: str, key: VerifierKey | None, policy: Policy | None,
        succession: Succession, verdict: LogVerdict | None,
    ) -> tuple[Log, ...]:  # fmt: skip
        """Say which keys follow each other, compare their files, and return those of the log."""
        if policy is None:
            return ()
        if verdict is not None and verdict.trust is not None:
            policy = verdict.trust
            # Without rows, what the exported entries say is all there is.
            if verdict.succession is not None and not succession.handovers:
                succession = verdict.succession
        self._notes += succession.said(policy)
        if key is not None:
            self._keys.compare(project, key, succession.followed(policy))
        names = {succession.origin} if key is None else {key.name}
        return tuple(log for log in policy.logs if log.key.name in names)

    def _is_not_asked_for(self, name: str, exported: SnapshotLog) -> bool:
        """Say, and note, that the policy does not name one of the ledger's own logs."""
        if self._policy is None:
            return False
        listed = {log.key.name for log in self._policy.logs}
        # What the files claim must not decide alone: a changed byte would switch the check off.
        own = {f"{origin}/{name}" for origin in self._origins}
        if exported.claimed_origin() in listed or own & listed:
            return False
        if not own and any(origin.endswith(f"/{name}") for origin in listed):
            return False
        self._notes.append(f"public/{name} is of a log the policy does not name: not looked at")
        return True

    def _promises_aggregate(self) -> bool:
        """Say whether something here, or the policy, says that there is an aggregate log.

        Its key comes first and its database next, in one start; its export when a log has
        grown.  So a key without a database is a loss, or a start that broke off between the two.
        """
        if (self._directory / AGGREGATED.name).exists() or AGGREGATE in self._keys.projects():
            return True
        listed = {log.key.name for log in self._policy.logs} if self._policy is not None else set()
        return not listed.isdisjoint(f"{origin}/{AGGREGATE}" for origin in self._origins)

    def _aggregate(self, exported: SnapshotLog, logs: Sequence[CheckedLog]) -> list[CheckedLog]:
        """Check the aggregate log, and the logs that are here against what it has on record."""
        key, policy = None, self._policy
        if policy is None:
            key = self._keys.key(AGGREGATE)
            first = () if key is None else (Log(key),)
            policy = with_chains(None, (first, *(log.trust for log in logs)))
            if key is not None:
                self._keys.compare(AGGREGATE, key, ())
        elif self._is_not_asked_for(AGGREGATE, exported):
            return []
        else:
            policy = with_chains(policy, (log.trust for log in logs))
        self._aggregate_policy = policy
        verdict, counts = self._check_aggregate(exported, policy)
        signed, check = (verdict.checkpoint, verdict.aggregate) if verdict else (None, None)
        if verdict is None or signed is None or check is None:
            return []
        if self._policy is not None:
            self._notes += aggregate_notes(check)
        held = {log.origin: log.held for log in logs if log.held is not None}
        for origin, growth in check.growth.items():
            if origin in held:
                compare_growth(
                    growth, held[origin], self._findings, lambda index: f"{PREFIX}entry {index}"
                )
        seen = LogSeen(
            AGGREGATE, signed.origin, signed.size, signed.root.hex(), verdict.fingerprint
        )
        own = log_held(f"public/{AGGREGATE}", exported, verdict)
        return [
            CheckedLog(
                signed.origin, seen, key, own, {**counts, **_exported_counts(verdict)},
                opened=signed.size, trust=() if key is None else (Log(key),),
            )
        ]  # fmt: skip

    def _check_aggregate(
        self, exported: SnapshotLog, policy: Policy
    ) -> tuple[LogVerdict | None, Mapping[str, int]]:
        """Check the exported aggregate log and its database; return what the latter holds."""
        enter = self._survey.enter

        def export(size: int) -> LogVerdict | None:
            if size == 0 and not exported.holds_anything():
                return None  # an empty log has nothing to export yet
            verdict = check_log(
                exported, policy, self._findings, lambda path: PREFIX + path, enter=enter
            )
            self._checked.update({"aggregated_checkpoints": verdict.entries})
            return verdict

        with self._database(AGGREGATED) as database:
            if database is None:
                return export(1), {}
            blobs = self._directory / "blobs"
            return check_aggregate_rows(database, blobs, export, exported, self._findings, enter)

    def _rows(
        self, project: str, rows: SqliteRows, names: RowNames, meanwhile: Callable[[], None]
    ) -> LedgerCheck | None:
        depth = self._survey.of(project)

        def crew(size: int) -> Tallies | None:
            # Without its keys a ledger has nothing to share out: pieces stay closed.
            return evidence_crew.begin(self._directory, project, size, depth)

        def check_to(findings: Findings) -> LedgerCheck:
            enter = self._survey.enter
            return LedgerCheck(rows, findings, names, crew, meanwhile, depth=depth, enter=enter)

        scratch = Findings()
        check = check_to(scratch)
        try:
            check.run()
            if depth.start and (not check.whole or len(scratch)):
                # What is wrong, and where, takes all entries.
                depth, scratch = replace(depth, start=0), Findings()
                check = check_to(scratch)
                check.run()
        except Damaged:
            return None
        finally:
            self._findings.extend(scratch)
            self._checked.update(
                {
                    "entries": check.size,
                    "tiles": check.tiles,
                    "sealed_pieces": check.kept.pieces,
                    "blobs": check.kept.blobs,
                    "idempotency_keys": check.kept.idem,
                }
            )
        return check

    def _export(self, project: str, export: Export, check: LedgerCheck | None) -> LogVerdict | None:
        prefix = f"public/{project}/"
        if check is not None and check.size == 0 and not export.log.holds_anything():
            return None  # an empty log has nothing to export yet
        verdict = export.verdict(self._findings)
        self._checked.update(_exported_counts(verdict))
        if verdict.beyond and check is not None:
            for path in verdict.beyond:
                self._beyond(prefix + path, path, check)
        return verdict

    def _beyond(self, name: str, path: str, check: LedgerCheck) -> None:
        """A file beyond the checkpoint is an export under way if it lies inside the database."""
        try:
            inside = check.covers(path)
        except Damaged:
            return
        if not inside:
            self._findings.add("damaged", name, f"no part of the log of {check.size} entries")

    @contextmanager
    def _database(self, kind: Kind) -> Iterator[EvidenceDatabase | None]:
        database = self._open(kind)
        try:
            yield database
        finally:
            if database is not None:
                database.close()

    def _open(self, kind: Kind) -> EvidenceDatabase | None:
        """Open a database and let SQLite check it; None, reported, when it cannot be read."""
        path = self._directory / kind.name
        if not path.exists():
            self._findings.add("missing", kind.name, "the file is not there")
            return None
        try:
            database = EvidenceDatabase(path, kind, self._findings)
        except Damaged:
            return None
        try:
            if self._survey.pages:
                with self._survey.enter("pages"):
                    database.check_pages()
        except Damaged:
            database.close()
            return None
        except BaseException:
            database.close()
            raise
        return database


def _exported_counts(verdict: LogVerdict | None) -> dict[str, int]:
    if verdict is None:
        return {}
    return {
        "checkpoints": int(verdict.checkpoint is not None),
        "exported_entries": verdict.entries,
        "exported_tiles": verdict.tiles,
        "further_files": verdict.files,
    }


def aggregate_notes(check: AggregateCheck) -> list[str]:
    """Return what a reader of an aggregate log should know that is not wrong."""
    if not check.strangers:
        return []
    counted = f"{len(check.strangers)} of {len(check.last)} aggregated logs"
    return [f"{counted}: not who signed was checked, no key of theirs is named, but that they grew"]


def log_held(name: str, reader: LogReader, verdict: LogVerdict) -> Held | None:
    """Return an exported log as what anchors are compared with; None if it is not whole."""
    if verdict.checkpoint is None or not verdict.whole:
        return None
    size = verdict.checkpoint.size
    read = exported_tiles(reader, size, verdict.mended)

    def root_at(earlier: int) -> bytes | None:
        try:
            return root_from_tiles(earlier, read) if earlier else EMPTY_ROOT
        except EvidenceError:
            return None

    return Held(name, size, node_from_tiles(read), root_at)
