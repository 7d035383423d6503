"""`fsck --repair`: what follows from the rest of a ledger is derived again, and nothing else.

    1  take the lock, check everything
    2  a log's database: entries from bundles, then tiles and head        one transaction a file
    3  idempotency rows from opened events                                one transaction a file
    4  exported files from the database; what stood there is put aside    file by file
    5  views.db dropped; cosigned checkpoints that hold nothing dropped
    6  the ledger opened as a server does: start-up checks, signature, export, rows folded again
    7  an event in each log concerned says what was done
    8  check everything again

What must hold: all that is derived leads to every head that stands signed (`fsck_anchors`), or that
log is left as it is.  Before a step changes anything the journal says so, with what stood there.
If we crash after any step, what was done is whole by itself, what was not is still named by fsck,
and the journal is put on record by the next repair.
"""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from counterfoil.app.clock_check import check_clock
from counterfoil.app.fsck import Since, fsck, read_since, require_ledger
from counterfoil.app.fsck_anchors import published_head, signed_heads
from counterfoil.app.fsck_beyond import FilesBeyond
from counterfoil.app.fsck_derived import STATE, VIEWS, read_derived
from counterfoil.app.fsck_journal import FOLDER, Journal, open_journals
from counterfoil.app.fsck_mend_files import ExportPlan, FileMend
from counterfoil.app.fsck_mend_log import LogSource, Mend, RowMend, plan_log
from counterfoil.app.fsck_mend_rows import IdemPlan
from counterfoil.app.fsck_record import record_repair
from counterfoil.app.fsck_report import FsckReport, Repairs
from counterfoil.app.home import Home
from counterfoil.app.place import real_place, refuse_link, take_lock
from counterfoil.client.evidence_files import DirectoryLog
from counterfoil.client.evidence_keys import KeyFiles
from counterfoil.client.evidence_rows import AGGREGATED, ERASABLE, LEDGER, SqliteRows, projects
from counterfoil.client.evidence_sqlite import Damaged, EvidenceDatabase
from counterfoil.client.evidence_sqlite import Kind as Evidence
from counterfoil.clock import Clock, format_time
from counterfoil.errors import CounterfoilError, EvidenceError, UnavailableError
from counterfoil.events.canonical import JSON
from counterfoil.ids import Randomness
from counterfoil.stores import sqlite
from counterfoil.stores import sqlite_statements as sql
from counterfoil.stores.files import Staging, os_errors_translated
from counterfoil.stores.sqlite_open import Database, Kind
from counterfoil.stores.state import State
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.aggregate import AGGREGATE
from counterfoil.verifier.aggregate_rows import SALT
from counterfoil.verifier.kept import RowNames
from counterfoil.verifier.report import Findings
from counterfoil.verifier.stages import log_of, stage_of

_KEPT_STATE = "dropped: the witness is asked again"


def repair(
    directory: Path, clock: Clock, randomness: Randomness, *, since: Sequence[Path] = ()
) -> FsckReport:
    """Derive again what can be, say so in the log, and check everything again.

    Args:
        directory: the ledger.
        clock: for the event and the name of the journal.
        randomness: likewise.
        since: checkpoints kept elsewhere: what is derived has to lead to them too.

    Raises:
        RequestError: as `fsck`.
        UnavailableError: `locked`: a server runs here; `storage`, `read_only`; `clock`.
    """
    require_ledger(directory)
    check_clock(clock.now())
    kept = [read_since(directory, path) for path in since]
    with os_errors_translated(directory):
        directory = real_place(directory)
        _refuse_links(directory)
        try:
            lock = take_lock(directory)
        except UnavailableError as error:
            if error.code != "locked":
                raise
            raise UnavailableError(
                "locked",
                f"{error.message.split(';')[0]}; stop it first: a repair needs the ledger to itself",
            ) from error
    try:
        before = fsck(directory, full=True)
        work = _Repair(directory, clock, randomness, kept, before)
        work.mend()
    except BaseException:
        os.close(lock)
        raise
    repairs = work.finish(lock)
    after = fsck(directory, full=True) if repairs.done or repairs.recorded else before
    return dataclasses.replace(after, repairs=_with_rest(repairs, after))


def _refuse_links(directory: Path) -> None:
    """Refuse links where files are moved from or to: what they lead to is not of this ledger.

    Deeper in an exported log a link is a file like any other: put aside, and not followed.

    Raises:
        RequestError: `unsafe_access`.
    """
    damaged = directory / FOLDER
    refuse_link(damaged)
    for path in sorted((*damaged.glob("*"), *(directory / "public").glob("*"))):
        refuse_link(path)


def _with_rest(repairs: Repairs, after: FsckReport) -> Repairs:
    """Add a line for every finding that is left and has none."""
    told = " ".join(repairs.refused)
    rest = [
        f"{one.object}: {why}"
        for one in after.findings
        if one.object not in told and (why := _WHY.get(stage_of(one)))
    ]
    return dataclasses.replace(repairs, refused=(*repairs.refused, *rest))


_WHY: Final = {
    "pages": "SQLite's own pages are made again by nobody: restore the file from a backup",
    "bundles": "nothing here leads to what was signed: bring a mirror or a backup",
    "leaves": "no copy of it here leads to what was signed: bring a mirror or a backup",
    "tiles": "its entries do not lead to what was signed: mend these first",
    "root": "two histories or a missing part of one are for a person to look at",
    "signature": "keys and signatures are made again by nobody: restore them from a backup",
    "cosignatures": "it contradicts the log, or is part of a checkpoint that stands: ask the witness",
    "commitments": "it stands nowhere else: restore it from a backup",
    "erasures": "what is gone is made again by nobody: restore it from a backup",
    "idempotency": "its event does not open",
    "aggregate": "what does not follow is for a person to look at",
    "positions": "the rows follow when their log is whole",
}


class _Repair:
    """One repair under way; its caller holds the lock."""

    def __init__(
        self, directory: Path, clock: Clock, randomness: Randomness, kept: Sequence[Since],
        before: FsckReport,
    ) -> None:  # fmt: skip
        self._directory = directory
        self._clock = clock
        self._before = before
        stamp = format_time(clock.now()).translate(str.maketrans("", "", "-:."))
        self._open = list(open_journals(directory))
        self._journal = Journal(directory, f"{stamp}-{randomness.token(2).hex()}")
        self._randomness = randomness
        self._refused: list[str] = []
        self._follow = False
        self._unproven = ""
        keys = KeyFiles(directory, Findings())
        self._keys: dict[str, Policy] = {}
        for project in keys.projects():
            if (trust := keys.policy(project)) is not None:
                self._keys[project] = trust
        self._derived = read_derived(directory, pages=False)
        given = [(one.name, one.checkpoint) for one in kept]
        self._anchors = signed_heads(directory, self._keys, self._derived, given)

    def mend(self) -> None:
        """Carry out steps 2 to 5."""
        broken = {one.object for one in self._before.findings if stage_of(one) == "pages"}
        if not broken & {LEDGER.name, ERASABLE.name}:
            self._mend_database(LEDGER, sqlite.LEDGER)
        self._mend_aggregate(broken)
        self._drop_views()
        self._drop_cosigned()

    def _mend_database(self, evidence: Evidence, kind: Kind) -> None:
        with self._logs(evidence) as logs:
            plans = {project: plan_log(source) for project, source in logs.items()}
        mends = [mend for plan in plans.values() for mend in plan.mends]
        self._refused += [why for plan in plans.values() for why in plan.refused]
        for project, plan in plans.items():
            if plan.head is None:
                self._unproven = self._unproven or f"{project} is not what was signed of it"
        self._write_rows(evidence.name, kind, mends)
        added = {one.log for one in mends if one.statement == sql.INSERT_ENTRY}
        # Of a log that lacks a row, nothing else is made from its rows.
        sound = {
            project: plan.head
            for project, plan in plans.items()
            if plan.head is not None and not plan.refused
        }
        with self._logs(evidence) as logs:
            idem = self._plan_idem({name: logs[name] for name in sound}, added)
        self._write_rows(evidence.name, kind, idem)
        with self._logs(evidence) as logs:
            files_due = [
                one
                for project, head in sound.items()
                for one in self._plan_files(logs[project], head.size)
            ]
        self._write_files(files_due)

    def _mend_aggregate(self, broken: set[str]) -> None:
        path = self._directory / AGGREGATED.name
        if AGGREGATE not in self._keys or not self._anchors[AGGREGATE]:
            return
        if AGGREGATED.name in broken:
            # All of it stands in its export: an empty database is filled from there.
            self._journal.intend([Mend(object=path.name, how="from its export", log=AGGREGATE)])
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                if (self._directory / name).exists():
                    self._journal.put_aside(_aside(name))
            store = sqlite.SqliteLogStore(path, create=True)
            try:
                store.create_log(AGGREGATE, self._keys[AGGREGATE].logs[0].key.name)
            finally:
                store.close()
        if path.exists():
            kind = dataclasses.replace(sqlite.LEDGER, name=path.name)
            self._mend_database(AGGREGATED, kind)

    @contextmanager
    def _logs(self, evidence: Evidence) -> Iterator[dict[str, LogSource]]:
        """Open a database for reading and yield its logs whose keys are there."""
        scratch = Findings()
        try:
            database = EvidenceDatabase(self._directory / evidence.name, evidence, scratch)
        except Damaged:
            yield {}
            return
        keys = None
        with suppress(Damaged):
            if evidence is LEDGER:
                keys = EvidenceDatabase(self._directory / ERASABLE.name, ERASABLE, scratch)
        try:
            known = projects(database)
            yield {
                project: self._source(
                    project, evidence, database, keys, f" of {project}" if len(known) > 1 else ""
                )
                for project in known
                if project in self._keys
            }
        finally:
            database.close()
            if keys is not None:
                keys.close()

    def _source(
        self, project: str, evidence: Evidence, database: EvidenceDatabase,
        keys: EvidenceDatabase | None, suffix: str,
    ) -> LogSource:  # fmt: skip
        own = evidence is AGGREGATED
        names = RowNames(suffix, evidence.name)
        rows = SqliteRows(project, database, keys, self._directory / "blobs", names)
        published = published_head(self._directory, project, self._keys[project])
        anchors = self._anchors[project]
        largest = max((one.head.size for one in anchors), default=0)
        public = self._directory / "public" / project
        return LogSource(
            project=project, rows=rows, exported=DirectoryLog(public),
            beyond=FilesBeyond(public, largest),
            exported_size=published.size if published is not None else largest,
            anchors=anchors, names=names, salt=SALT if own else None,
        )  # fmt: skip

    def _plan_idem(self, logs: Mapping[str, LogSource], added: set[str]) -> list[RowMend]:
        """Plan the rows of what was found, and of all of a log that was given entries again."""
        mends = []
        for project, source in logs.items():
            suspects = [
                one.first
                for one in self._before.findings
                if stage_of(one) == "idempotency" and log_of(one, self._before.only) == project
            ]
            if suspects or project in added:
                plan = IdemPlan(project, source.rows, source.names, events=source.salt is None)
                everything = range(source.rows.last_index() + 1) if project in added else ()
                indices = [one for one in suspects if one is not None]
                mends += list(plan.mends([*indices, *everything]))
                self._refused += plan.refused
        return mends

    def _plan_files(self, source: LogSource, size: int) -> list[FileMend]:
        published = published_head(self._directory, source.project, self._keys[source.project])
        plan = ExportPlan(
            self._directory, source.project, source.rows, size,
            published.size if published is not None else None,
        )  # fmt: skip
        return list(plan.mends())

    def _write_rows(self, name: str, kind: Kind, mends: Sequence[RowMend]) -> None:
        if not mends:
            return
        self._journal.intend(mends)
        database = Database(self._directory / name, kind, write=True)
        try:
            # All of it or nothing, as every commit.
            with database.transaction() as db:
                for one in mends:
                    db.execute(one.statement, one.values)
        finally:
            database.close()

    def _write_files(self, mends: Sequence[FileMend]) -> None:
        if not mends:
            return
        self._journal.intend(mends)
        staging = Staging(self._directory / "public", 0o444)
        for one in mends:
            if one.aside:
                self._journal.put_aside(one)
            if one.content is not None:
                staging.write([(self._directory / one.path, one.content)])
            elif not one.aside:
                with os_errors_translated(self._directory):
                    (self._directory / one.path).unlink(missing_ok=True)

    def _drop_views(self) -> None:
        """Drop the rows of pages if they do not follow from the logs; step 6 makes them again."""
        if not any(
            stage_of(one) == "positions" or one.object == VIEWS for one in self._before.findings
        ):
            return
        self._journal.intend([Mend(object=VIEWS, how="folded again from the logs", log="")])
        with os_errors_translated(self._directory):
            for end in ("", "-wal", "-shm"):
                (self._directory / f"{VIEWS}{end}").unlink(missing_ok=True)
        self._follow = True

    def _drop_cosigned(self) -> None:
        """Drop kept checkpoints that do not hold by themselves; one that holds is evidence."""
        stale = {
            one.object for one in self._before.findings
            if one.klass == "stale" and one.object.startswith(f"{STATE} cosigned row")
        }  # fmt: skip
        if not stale:
            return
        mends, left = [], dict[str, dict[int, bytes]]()
        for project, size, note in self._derived.cosigned:
            name = f"{STATE} cosigned row {size} of {project}"
            if name in stale:
                mends.append(Mend(object=name, how=_KEPT_STATE, log=project, was=note))
                left.setdefault(project, {})
            else:
                left.setdefault(project, {})[size] = note
        self._journal.intend(mends)
        state = State(self._directory / STATE)
        try:
            for project in {one.log for one in mends}:
                state.put_cosigned(project, left[project])
        finally:
            state.close()

    def finish(self, lock: int) -> Repairs:
        """Carry out steps 6 and 7 if anything was done, and give the lock back."""
        done = [_shown(one) for one in self._journal.mends]
        due = [*self._open, *([self._journal] if done else [])]
        recorded: dict[str, int] = {}
        unrecorded = ""
        if not due:
            os.close(lock)
            return Repairs((), tuple(self._refused), "", {}, "")
        try:
            if self._unproven:
                # Opened, it would sign and export what contradicts a signature or a file here.
                raise EvidenceError("forked", self._unproven)
            home = Home(self._directory, lock, self._clock, self._randomness)
        except CounterfoilError as error:
            os.close(lock)
            unrecorded = error.message
        else:
            with home:
                try:
                    self._record(home, due, recorded)
                except CounterfoilError as error:
                    unrecorded = error.message
        kept = self._journal.place if done else ""
        return Repairs(done, tuple(self._refused), kept, recorded, unrecorded)

    def _record(self, home: Home, due: Sequence[Journal], recorded: dict[str, int]) -> None:
        """Fold rows again and put journals on record; `recorded` says how far it came."""
        if self._follow:
            for info in home.log.projects():
                home.follower.catch_up(info.project)
        for journal in due:
            complete = journal is self._journal
            indices = record_repair(home, journal, self._clock, complete=complete)
            recorded |= indices
            journal.close(indices)


def _aside(name: str) -> FileMend:
    return FileMend(object=name, how="", log=AGGREGATE, path=name, content=None, aside=True)


def _shown(mend: Mapping[str, Any]) -> dict[str, JSON]:
    return {name: mend[name] for name in ("object", "how", "log", "first", "last")}
