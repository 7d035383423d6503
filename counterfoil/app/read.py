"""Questions people ask of the ledger, as of any entry: for pages, the API and the command line.

Answers come from the rows (views.db) and, for single entries, from the log itself; they are the
values of `app.answers`.  `as_of` is an entry number from 0: what is answered is what was known
right after that entry.  None means as far as the rows have followed.

Nothing here writes.  Any thread may call.
"""

import datetime
import itertools
from collections.abc import Callable, Sequence

from counterfoil.app.actors import Actors, known_handle
from counterfoil.app.answers import (
    Activity,
    ActorView,
    ApprovalRow,
    CaseRow,
    ChangeRow,
    DeploymentRow,
    EntryView,
    EnvironmentRow,
    Health,
    LogLine,
    Page,
    ReleaseRow,
    RunRow,
    SequenceGap,
    ShownTrace,
    SourceRow,
    TestRow,
    Trace,
)
from counterfoil.app.chain import Chain
from counterfoil.app.entries import Entries, ReadLedger
from counterfoil.app.follow import Follower, signed_head
from counterfoil.app.rows import Rows
from counterfoil.app.search import Searcher
from counterfoil.app.search_answers import Found
from counterfoil.clock import Clock, format_time, parse_time, read_moment
from counterfoil.errors import RequestError
from counterfoil.events.entry import read_entry
from counterfoil.events.erasing import Erasures
from counterfoil.events.refs import parse_ref
from counterfoil.ledger.store import KeyStore, LogReads
from counterfoil.policy.directory import Directory
from counterfoil.projections.approvals import APPROVALS
from counterfoil.projections.base import Scalar, is_demo
from counterfoil.projections.changes import CHANGES
from counterfoil.projections.deployments import DEPLOYMENTS
from counterfoil.projections.environments import ENVIRONMENTS
from counterfoil.projections.releases import RELEASES
from counterfoil.projections.runs import CASES, RUNS
from counterfoil.projections.tests import TESTS
from counterfoil.projections.trace import trace
from counterfoil.stores.tables import Tables
from counterfoil.tlog.note import VerifierKey

LIMIT = 50
BUCKETS_MAX = 180
SOURCE_HOURS = 24
SETTLE_S = 2.0
ENVIRONMENTS_MAX = 1_000
_RED_FIRST: tuple[dict[str, Scalar], ...] = (
    {"outcome": "failed", "final": 1}, {"outcome": "error", "final": 1},
)  # fmt: skip


class Reader:
    """Answers questions about one ledger.

    Args:
        log: where entries and what is kept beside them are read.
        keys: the keys that open bodies and pseudonyms.
        ledger: checkpoints, status.
        tables: the rows.
        follower: how far the rows are, and whether they move.
        clock: what "the last 24 hours" ends at.
        receipt_of: gives the receipt to show of an entry.
        directory: who there is.
        erased_of: project -> what was erased of its log.
        handle_of: credential id -> handle, for telling who is proven.
    """

    def __init__(
        self, *, log: LogReads, keys: KeyStore, ledger: ReadLedger, tables: Tables,
        follower: Follower, clock: Clock, receipt_of: Callable[[str, int], bytes],
        directory: Directory, erased_of: Callable[[str], Erasures],
        handle_of: Callable[[str], str | None] = known_handle,
    ) -> None:  # fmt: skip
        self._log = log
        self._ledger = ledger
        self._follower = follower
        self._clock = clock
        self._rows = Rows(tables)
        self._actors = Actors(log, keys, self._rows, directory, handle_of)
        self._receipt_of = receipt_of
        self._entries = Entries(log, keys, self._actors, erased_of)
        self._searcher = Searcher(
            tables,
            follower.index,
            keys,
            clock,
            directory,
            resolve=self.resolve,
            lines=self.lines,
        )

    @property
    def rows(self) -> Rows:
        """The rows themselves, for questions that have a module of their own."""
        return self._rows

    # --- moments

    def position(self, project: str, moment: str) -> int:
        """Return the entry number people mean by "4711" or by a time (`clock.read_moment`).

        A time before the first entry gives -1: nothing was known then.

        Raises:
            RequestError: `query_invalid`: neither, or beyond the last entry.
        """
        try:
            wanted = read_moment(moment)
        except ValueError as error:
            raise RequestError(
                "query_invalid",
                f"{moment[:40]!r} is neither an entry number nor a time like 2026-11-20T12:00:00Z",
            ) from error
        if isinstance(wanted, datetime.datetime):
            return self.position_at(project, format_time(wanted))
        size = self._size(project)
        if wanted >= size:
            last = f"the last entry is {size - 1}" if size else "the log holds no entry yet"
            raise RequestError("query_invalid", f"there is no entry {wanted}; {last}")
        return wanted

    def position_at(self, project: str, time: str) -> int:
        """Return the number of the last entry recorded at or before an RFC 3339 time, or -1."""
        self._settle(project, None)
        return self._rows.position_at(project, format_time(parse_time(time)))

    # --- rows

    def runs(
        self, project: str, *, as_of: int | None = None, cursor: str | None = None,
        limit: int = LIMIT, state: str | None = None, outcome: str | None = None,
        commit: str | None = None,
    ) -> Page[RunRow]:  # fmt: skip
        """Return runs, the one that was first heard of last at the top."""
        self._settle(project, as_of)
        where = _given(state=state, outcome=outcome, commit_ref=commit)
        return self._rows.page(RUNS, project, as_of=as_of, cursor=cursor, limit=limit, where=where)

    def run(self, project: str, ref: str, as_of: int | None = None) -> RunRow | None:
        """Return a run, or None if it was not known."""
        self._settle(project, as_of)
        return self._rows.one(RUNS, project, ref, as_of)

    def cases(
        self, project: str, run_ref: str, as_of: int | None = None, cursor: str | None = None,
        limit: int = LIMIT, outcome: str | None = None, *,
        earlier: bool | None = None, red_first: bool = False,
    ) -> Page[CaseRow]:  # fmt: skip
        """Return the cases of a run in the order they were told, every attempt its own.

        With `earlier` only those attempts that another one followed, or only the last ones.  With
        `red_first` the cases that failed in the end come first, then those in error.
        """
        final = None if earlier is None else int(not earlier)
        self._settle(project, as_of)
        return self._rows.page(
            CASES, project, as_of=as_of, cursor=cursor, limit=limit, ascending=True,
            where={"run": run_ref, **_given(outcome=outcome, final=final)},
            lead=_RED_FIRST if red_first else (),
        )  # fmt: skip

    def last_green(self, project: str, run: RunRow, as_of: int | None = None) -> RunRow | None:
        """Return the last run of the same name that passed and was heard of before `run`."""
        if run.name is None or not run.entries:
            return None
        self._settle(project, as_of)
        page = self._rows.page(
            RUNS, project, as_of=as_of, cursor=None, limit=1, below=run.entries[0],
            where={"name": run.name, "outcome": "passed"},
        )  # fmt: skip
        return page.rows[0] if page.rows else None

    def case_counts(
        self, project: str, run_refs: Sequence[str], as_of: int | None = None, *,
        earlier: bool = False,
    ) -> dict[str, dict[str, int]]:  # fmt: skip
        """Return cases by outcome for each run; a case counts once, by its last attempt.

        With `earlier` the attempts before the last are counted instead, each of them.
        """
        self._settle(project, as_of)
        return self._rows.case_counts(project, list(run_refs), as_of, earlier=earlier)

    def tests(
        self, project: str, *, as_of: int | None = None, cursor: str | None = None,
        limit: int = LIMIT, colour: str | None = None, outcome: str | None = None,
    ) -> Page[TestRow]:  # fmt: skip
        """Return tests, the one that changed colour last at the top."""
        self._settle(project, as_of)
        where = _given(colour=colour, outcome=outcome)
        return self._rows.page(
            TESTS, project, as_of=as_of, cursor=cursor, limit=limit, order="turned", where=where
        )

    def test(self, project: str, ref: str, as_of: int | None = None) -> TestRow | None:
        """Return a test, or None if it was not known."""
        self._settle(project, as_of)
        return self._rows.one(TESTS, project, ref, as_of)

    def tests_of(
        self, project: str, refs: Sequence[str], as_of: int | None = None
    ) -> dict[str, TestRow]:
        """Return tests by ref; those that were not known are left out."""
        self._settle(project, as_of)
        return self._rows.some(TESTS, project, list(refs), as_of)

    def changes(
        self, project: str, *, as_of: int | None = None, cursor: str | None = None,
        limit: int = LIMIT, state: str | None = None,
    ) -> Page[ChangeRow]:  # fmt: skip
        """Return changes, the one that was first heard of last at the top."""
        self._settle(project, as_of)
        return self._rows.page(
            CHANGES, project, as_of=as_of, cursor=cursor, limit=limit, where=_given(state=state)
        )

    def change(self, project: str, ref: str, as_of: int | None = None) -> ChangeRow | None:
        """Return a change, or None if it was not known."""
        self._settle(project, as_of)
        return self._rows.one(CHANGES, project, ref, as_of)

    def releases(
        self, project: str, *, as_of: int | None = None, cursor: str | None = None,
        limit: int = LIMIT, state: str | None = None,
    ) -> Page[ReleaseRow]:  # fmt: skip
        """Return releases, the one that was first heard of last at the top."""
        self._settle(project, as_of)
        return self._rows.page(
            RELEASES, project, as_of=as_of, cursor=cursor, limit=limit, where=_given(state=state)
        )

    def release(self, project: str, ref: str, as_of: int | None = None) -> ReleaseRow | None:
        """Return a release, or None if it was not known."""
        self._settle(project, as_of)
        return self._rows.one(RELEASES, project, ref, as_of)

    def approvals(
        self, project: str, *, as_of: int | None = None, cursor: str | None = None,
        limit: int = LIMIT, state: str | None = None,
    ) -> Page[ApprovalRow]:  # fmt: skip
        """Return approvals, the one that was first heard of last at the top."""
        self._settle(project, as_of)
        return self._rows.page(
            APPROVALS, project, as_of=as_of, cursor=cursor, limit=limit, where=_given(state=state)
        )

    def approval(self, project: str, ref: str, as_of: int | None = None) -> ApprovalRow | None:
        """Return an approval, or None if it was not known."""
        self._settle(project, as_of)
        return self._rows.one(APPROVALS, project, ref, as_of)

    def deployments(
        self, project: str, *, as_of: int | None = None, cursor: str | None = None,
        limit: int = LIMIT, environment: str | None = None, state: str | None = None,
    ) -> Page[DeploymentRow]:  # fmt: skip
        """Return deployments, the one that was first heard of last at the top."""
        self._settle(project, as_of)
        where = _given(environment=environment, state=state)
        return self._rows.page(
            DEPLOYMENTS, project, as_of=as_of, cursor=cursor, limit=limit, where=where
        )

    def deployment(self, project: str, ref: str, as_of: int | None = None) -> DeploymentRow | None:
        """Return a deployment, or None if it was not known."""
        self._settle(project, as_of)
        return self._rows.one(DEPLOYMENTS, project, ref, as_of)

    def environments(self, project: str, *, as_of: int | None = None) -> list[EnvironmentRow]:
        """Return what is deployed where: production first, then by name; 1,000 at most."""
        self._settle(project, as_of)
        page = self._rows.page(
            ENVIRONMENTS, project, as_of=as_of, cursor=None, limit=ENVIRONMENTS_MAX
        )
        return sorted(page.rows, key=lambda row: (not row.production, row.ref))

    def environment(
        self, project: str, ref: str, as_of: int | None = None
    ) -> EnvironmentRow | None:
        """Return an environment, or None if it was not known."""
        self._settle(project, as_of)
        return self._rows.one(ENVIRONMENTS, project, ref, as_of)

    # --- chains

    def trace(self, project: str, ref: str, as_of: int | None = None) -> Trace:
        """Return the chain of a thing from commit to production, and what is missing in it.

        Raises:
            RequestError: `ref_invalid`.
        """
        wanted = str(parse_ref(ref))
        self._settle(project, as_of)
        return trace(wanted, Chain(self._rows, project, as_of))

    def shown_trace(self, project: str, ref: str, as_of: int | None = None) -> ShownTrace:
        """Return a trace with the handles of its actors, for the API and the command line.

        Raises:
            RequestError: `ref_invalid`.
        """
        found = self.trace(project, ref, as_of)
        names = {step.actor for step in found.steps if step.actor is not None}
        actors = {name: self.resolve(name).shown for name in sorted(names)}
        return ShownTrace(
            ref=found.ref, known=found.known, steps=found.steps, gaps=found.gaps,
            refs=found.refs, cut=found.cut, actors=actors,
        )  # fmt: skip

    # --- entries

    def entry(self, project: str, index: int, *, personal: bool = False) -> EntryView:
        """Return one entry with everything that can be opened of it.

        Personal values of its data are opened with `personal` alone: for whoever may `personal`.

        Raises:
            RequestError: `not_found`.
            EvidenceError: what is kept beside the entry is not what it commits to.
        """
        size = self._size(project)
        if not 0 <= index < size:
            raise RequestError("not_found", f"the log has entries 0 to {size - 1}, not {index}")
        receipt = self._receipt_of(project, index)
        return self._entries.view(project, index, receipt, personal=personal)

    def log_lines(
        self, project: str, *, as_of: int | None = None, before: int | None = None,
        limit: int = LIMIT,
    ) -> list[LogLine]:  # fmt: skip
        """Return the last `limit` entries up to `as_of` and before entry `before`, last first."""
        end = self._size(project)
        if as_of is not None:
            end = min(end, as_of + 1)
        if before is not None:
            end = min(end, max(before, 0))
        return self._entries.lines(project, range(max(0, end - limit), end))[::-1]

    def lines(self, project: str, indices: Sequence[int]) -> dict[int, LogLine]:
        """Return chosen entries as sentences, by number; numbers beyond the end are left out."""
        size = self._size(project)
        wanted = sorted({index for index in indices if 0 <= index < size})
        return {
            line.index: line
            for index in wanted
            for line in self._entries.lines(project, range(index, index + 1))
        }

    def search(
        self, project: str, query: str, *, as_of: int | None = None, cursor: str | None = None,
        limit: int = LIMIT,
    ) -> Found:  # fmt: skip
        """Return what a query matches, newest first, with counts by value and by time.

        Raises:
            RequestError: `query_invalid`, with `position` and `word` when a word is off.
        """
        self._settle(project, as_of)
        return self._searcher.search(project, query, as_of, cursor, limit)

    def resolve(self, pseudonym: str) -> ActorView:
        """Return an actor by pseudonym; how we know is as of the last thing they did."""
        return self._actors.resolve(pseudonym)

    # --- the log

    def vkey(self, project: str) -> VerifierKey:
        """Return the public key checkpoints of this log verify under."""
        return self._ledger.vkey(project)

    def health(self, project: str) -> Health:
        """Return how far the log, its checkpoint, its export and its rows have come."""
        head = self._log.head(project)
        checkpoint = self._ledger.checkpoint(project)
        status = self._ledger.status(project)
        last = self._log.entries(project, head.size - 1, head.size) if head.size else []
        stopped = status.frozen or status.stopped or self._follower.stopped(project) or None
        origin = {info.project: info.origin for info in self._log.projects()}[project]
        return Health(
            size=head.size,
            root=head.root,
            origin=origin,
            checkpoint_size=signed_head(checkpoint).size,
            checkpoint=checkpoint,
            exported_size=status.exported_size,
            followed=self._follower.size(project),
            stopped=stopped,
            last_recorded=read_entry(last[0]).recordedtime if last else None,
            gaps=self._rows.numbers_missing(project),
        )

    def sequence_gaps(self, project: str, *, as_of: int | None = None) -> list[SequenceGap]:
        """Return the numbers of producers that never arrived."""
        self._settle(project, as_of)
        return self._rows.sequence_gaps(project, as_of)

    def sources(self, project: str, *, as_of: int | None = None) -> list[SourceRow]:
        """Return what each source has sent, the one heard of last at the top."""
        self._settle(project, as_of)
        counted = self._rows.sources(project, as_of)
        lasts = [last for _, _, last in counted]
        arrived = {one.entry: one for one in self._rows.arrivals(project, lasts)}
        end = self._clock.now()
        if as_of is not None:
            time = self._rows.recordedtime(project, as_of)
            end = parse_time(time) if time else end
        first = _hour(end) - datetime.timedelta(hours=SOURCE_HOURS - 1)
        buckets: dict[str, list[int]] = {}
        for source, hour, count in self._rows.hours(project, format_time(first), as_of):
            place = (parse_time(hour + ":00:00Z") - first) // datetime.timedelta(hours=1)
            if place < SOURCE_HOURS:
                buckets.setdefault(source, [0] * SOURCE_HOURS)[place] += count
        rows = [
            SourceRow(
                source=source,
                count=count,
                last=last,
                last_time=arrived[last].recordedtime,
                via=arrived[last].via,
                buckets=tuple(buckets.get(source, [0] * SOURCE_HOURS)),
                demo=is_demo(source),
            )
            for source, count, last in counted
        ]
        return sorted(rows, key=lambda row: -row.last)

    def activity(self, project: str, *, as_of: int | None = None) -> Activity:
        """Return entries over time for the as-of ruler, in at most 180 buckets of whole hours.

        Recorded times never decrease with the entry number, so counting between two moments is
        finding two entries: the cost does not grow with the log.
        """
        self._settle(project, as_of)
        last = self._follower.size(project) - 1 if as_of is None else as_of
        started = self._rows.recordedtime(project, 0)
        ended = self._rows.recordedtime(project, last) if last >= 0 else None
        if started is None or ended is None:
            return Activity(None, None, 3600, (), ())
        start, end = _hour(parse_time(started)), _hour(parse_time(ended))
        hours = (end - start) // datetime.timedelta(hours=1) + 1
        bucket_hours = -(-hours // BUCKETS_MAX)
        bucket = datetime.timedelta(hours=bucket_hours)
        edges = [start + place * bucket for place in range(-(-hours // bucket_hours) + 1)]
        # The first entry at or after an edge follows the last one before it.
        before = datetime.timedelta(milliseconds=1)
        firsts = [
            min(self._rows.position_at(project, format_time(edge - before)), last) + 1
            for edge in edges
        ]
        counts = tuple(after - at for at, after in itertools.pairwise(firsts))
        return Activity(
            start=format_time(edges[0]),
            end=format_time(edges[-1]),
            bucket_s=bucket_hours * 3600,
            counts=counts,
            firsts=tuple(firsts[:-1]),
        )

    # --- inside

    def _size(self, project: str) -> int:
        return signed_head(self._ledger.checkpoint(project)).size

    def _settle(self, project: str, as_of: int | None) -> None:
        """Give the rows a moment to reach the entry asked for."""
        if as_of is not None and as_of >= self._follower.size(project):
            self._follower.wait_for(project, as_of + 1, SETTLE_S)


def _hour(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _given(**values: Scalar) -> dict[str, Scalar]:
    return {name: value for name, value in values.items() if value is not None}
