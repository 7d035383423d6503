"""The hooks: what pytest tells, turned into records.

What must hold: no hook raises, none changes what pytest does, and the exit code stays what it
was (but for `strict`).  A fault of ours is counted and said in the last line.

A process alone records intents and outcomes.  Under xdist the workers record the intents (a
worker's last intent names the test that killed it) and the controller the outcomes, which is
where reports arrive.
"""

import functools
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final, ParamSpec

import pytest

from counterfoil.client.spool import SpoolWriter
from counterfoil.events.canonical import JSON
from counterfoil.reporter.cases import DETAILS, Cases, Told, plan_digest
from counterfoil.reporter.destination import (
    END_WAIT_S,
    Destination,
    Uploader,
    standing,
    wait_for_server,
)
from counterfoil.reporter.events import CASE_STARTED, SUITE_FINISHED, SUITE_STARTED, Run, plan
from counterfoil.reporter.text import Cleaner

P = ParamSpec("P")

WARNINGS_MAX: Final = 20
MARKERS_MAX: Final = 20
CHAIN_MAX: Final = 5
UNRECORDED_STATUS: Final = 3
_OWN_MARKERS = frozenset({"parametrize", "usefixtures", "filterwarnings"})


class Recorder:
    """One process's way into the spool; counts its own faults instead of raising them."""

    def __init__(self, run: Run, writer: SpoolWriter, cleaner: Cleaner) -> None:
        self.run = run
        self.writer = writer
        self.cleaner = cleaner
        self.faults = 0
        self.fault = ""

    def failed(self, error: Exception) -> None:
        """Note a fault of ours."""
        self.faults += 1
        self.fault = self.fault or f"{type(error).__name__}: {error}"


def _quietly(hook: Callable[P, None]) -> Callable[P, None]:
    @functools.wraps(hook)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            hook(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  no fault of ours may touch the run
            plugin: Any = args[0]
            plugin.recorder.failed(error)

    return call


class Worker:
    """Records intents, and hands what only the test's own process knows to the reports."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.cases = Cases(recorder.cleaner)

    @_quietly
    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:  # noqa: ANN401  pytest's
        """Record that a test is about to run."""
        del location
        self.intend(nodeid, self.cases.begin(nodeid))

    def intend(self, nodeid: str, attempt: int) -> None:
        """Append the intent to run a test."""
        test = self.cases.test_id(nodeid)
        run = self.recorder.run
        content: dict[str, JSON] = {"testCase": {"id": test}}
        custom: dict[str, JSON] = {"attempt": attempt}
        self.recorder.writer.append(run.case(CASE_STARTED, test, content, custom))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, Any, Any]:
        """Hang parameters, markers and exceptions on the report; they survive the way to xdist."""
        report = yield
        if call.when == "setup" or call.excinfo is not None:
            try:
                if details := self._details(item, call):
                    setattr(report, DETAILS, details)
            except Exception as error:  # noqa: BLE001  as in `_quietly`
                self.recorder.failed(error)
        return report

    def _details(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> dict[str, JSON]:
        details: dict[str, JSON] = {}
        cleaner = self.recorder.cleaner
        if call.when == "setup":
            callspec = getattr(item, "callspec", None)
            if callspec is not None:
                details["parameters"] = cleaner.parameters(callspec.params)
            names = dict.fromkeys(mark.name for mark in item.iter_markers())
            kept = [cleaner.cut(name, 80) for name in names if name not in _OWN_MARKERS]
            if kept:
                details["markers"] = [*kept[:MARKERS_MAX]]
        if call.excinfo is not None and not hasattr(call.excinfo.value, "msg"):
            details["exceptions"] = _chain(call.excinfo.value, cleaner)
            details["type"] = cleaner.cut(call.excinfo.typename, 200)
        return details

    @pytest.hookimpl(trylast=True)
    @_quietly
    def pytest_sessionfinish(self) -> None:
        """End this worker's spool."""
        self.recorder.writer.close()


class Controller(Worker):
    """Records the run and its outcomes."""

    def __init__(
        self,
        recorder: Recorder,
        *,
        destination: Destination,
        prefix: str,
        handed: Mapping[str, Any],
        opening: dict[str, JSON],
        refs: Sequence[tuple[str, str]],
        strict: bool,
    ) -> None:
        """Take what `begin` has found.

        Args:
            recorder: this process's.
            destination: where records go.
            prefix: how the spool files of this run begin, those of workers too.
            handed: what each worker is given.
            opening: what the record of the start says.
            refs: what the run is named with, beside its commit and environment.
            strict: whether an unrecorded run is a failed one.
        """
        super().__init__(recorder)
        self._destination = destination
        self._prefix = prefix
        self._handed = dict(handed)
        self._opening = opening
        self._refs = refs
        self._strict = strict
        self._uploader = Uploader(destination) if destination.url else None
        self._is_xdist = False
        self._began = self._ended = 0.0
        self._planned: list[str] = []
        self._deselected = 0
        self._collect_errors = 0
        self._warnings: list[str] = []
        self._warning_counts: Counter[str] = Counter()
        self._lost_workers: list[JSON] = []
        self._cut_off = ""
        self._line = ""

    @_quietly
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Record that the run began."""
        self._is_xdist = session.config.pluginmanager.has_plugin("dsession")
        self._began = time.monotonic()
        content: dict[str, JSON] = {
            "trigger": {"type": "pipeline" if self._opening.get("ci") else "manual"}
        }
        self._append(self.recorder.run.suite(SUITE_STARTED, content, self._opening, self._refs))

    @pytest.hookimpl(optionalhook=True)
    @_quietly
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401  xdist's
        """Hand a worker what it needs to record its part."""
        node.workerinput["counterfoil"] = self._handed

    @_quietly
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record what is to run."""
        if not self._is_xdist:
            self._plan([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    @_quietly
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:  # noqa: ANN401
        """Record what is to run: every worker collects the same, the first is heard."""
        del node
        if not self._planned:
            self._plan(ids)

    def _plan(self, nodeids: Sequence[str]) -> None:
        self._planned = list(nodeids)
        tests = [self.cases.test_id(nodeid) for nodeid in nodeids]
        plan(self.recorder.run, tests, plan_digest(tests), self._append)

    @_quietly
    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count what is left out on purpose."""
        self._deselected += len(items)

    @_quietly
    def pytest_collectreport(self, report: Any) -> None:  # noqa: ANN401  pytest's
        """Record what could not be collected."""
        told = self.cases.collection(report)
        if told is not None:
            self._collect_errors += 1
            self._tell(told)

    @_quietly
    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:  # noqa: ANN401  pytest's
        """Note that a test begins; record it unless its worker does."""
        del location
        attempt = self.cases.begin(nodeid)
        if not self._is_xdist:
            self.intend(nodeid, attempt)

    @_quietly
    def pytest_runtest_logreport(self, report: Any) -> None:  # noqa: ANN401  pytest's
        """Record an attempt once all of it is told."""
        told = self.cases.take(report)
        if told is not None:
            self._tell(told)

    @_quietly
    def pytest_warning_recorded(self, warning_message: Any, when: str) -> None:  # noqa: ANN401
        """Keep the first warnings, count them all."""
        del when
        self._warning_counts[warning_message.category.__name__] += 1
        if len(self._warnings) < WARNINGS_MAX:
            said = self.recorder.cleaner.cut(str(warning_message.message), 300)
            if said not in self._warnings:
                self._warnings.append(said)

    @pytest.hookimpl(optionalhook=True)
    @_quietly
    def pytest_testnodedown(self, node: Any, error: Any) -> None:  # noqa: ANN401  xdist's
        """Note a worker that died."""
        if error:
            said = self.recorder.cleaner.cut(str(error), 300)
            self._lost_workers.append({"worker": str(node.gateway.id), "reason": said})

    @_quietly
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note why the tests that run now have no outcome."""
        said = self.recorder.cleaner.cut(str(excinfo.value), 200)
        self._cut_off = f"interrupted: {said}" if said else "interrupted"

    @_quietly
    def pytest_internalerror(self, excrepr: Any) -> None:  # noqa: ANN401  pytest's
        """Note that pytest itself broke off."""
        lines = str(excrepr).strip().splitlines()
        self._cut_off = self.recorder.cleaner.cut(f"internal error: {lines[-1:]}", 500)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:  # type: ignore[override]
        """Record how it ended, and give the records three seconds to be answered for."""
        try:
            self._finish(int(exitstatus))
            self._settle()
        except KeyboardInterrupt:
            self._line = self._line or "interrupted; what is not sent waits in the spool"
        except Exception as error:  # noqa: BLE001  as in `_quietly`
            self.recorder.failed(error)
        if self._strict and int(session.exitstatus) == 0 and self._unrecorded():
            session.exitstatus = UNRECORDED_STATUS

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:  # noqa: ANN401  pytest's
        """Say in one line what became of the records."""
        line = "".join(
            one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in self._line
        )
        terminalreporter.write_line(f"counterfoil: {line}")

    @_quietly
    def pytest_unconfigure(self) -> None:
        """Leave no empty spool behind where no session began."""
        writer = self.recorder.writer
        if not self._began:
            writer.close()
            writer.path.unlink(missing_ok=True)

    def _append(self, event: bytes) -> None:
        self.recorder.writer.append(event)

    def _tell(self, told: Told) -> None:
        run = self.recorder.run
        # Between this and the next test's intent runs nobody's code but pytest's.
        event = run.case(told.kind, told.test, told.content, told.custom)
        self.recorder.writer.append(event, may_wait=True)

    def _finish(self, exitstatus: int) -> None:
        for told in self.cases.cut_off(self._cut_off or "the run ended before this test did"):
            self._tell(told)
        counts = self.cases.counts
        outcome, reason = _outcome(exitstatus, counts, self._collect_errors)
        content: dict[str, JSON] = {"outcome": outcome}
        if self._cut_off or reason:
            content["reason"] = self._cut_off or reason
        custom: dict[str, JSON] = {
            "counts": {**counts},
            "retries": self.cases.retries,
            "duration_ms": round((time.monotonic() - self._began) * 1000),
            "exit_status": exitstatus,
            "planned": len(self._planned),
            "not_reported": len(self._missing()),
            "deselected": self._deselected,
        }
        if self._warning_counts:
            custom["warning_counts"] = dict(self._warning_counts.most_common(20))
            custom["warnings"] = [*self._warnings]
        if self._lost_workers:
            custom["workers_lost"] = self._lost_workers[:20]
        if self.recorder.faults:
            custom["recorder_faults"] = self.recorder.faults
        if self.recorder.writer.dropped:
            custom["records_dropped"] = self.recorder.writer.dropped
        self._append(self.recorder.run.suite(SUITE_FINISHED, content, custom))
        self.recorder.writer.close()

    def _settle(self) -> None:
        give_up = time.monotonic() + END_WAIT_S
        where = self._destination
        if self._uploader is not None:
            self._uploader.finish(give_up)
        elif where.directory is not None and (where.directory / "server.json").exists():
            wait_for_server(where.folder, self._prefix, give_up)
        self._line = self._words()

    def _words(self) -> str:
        writer, where = self.recorder.writer, self._destination
        now = standing(where.folder, self._prefix)
        run = self.recorder.run.ref
        parts = [f"{run}: {max(0, writer.records - now.waiting)} records taken"]
        if not (now.waiting or now.refused) and (page := where.page(run)):
            parts.append(f"see {page}")
        if now.waiting:
            parts.append(f"{now.waiting} wait in the spool, send them with: {where.push_command}")
        if now.refused:
            parts.append(f"{now.refused} refused, see {where.folder / 'refused'}")
        if writer.dropped:
            parts.append(f"{writer.dropped} lost ({writer.failure})")
        if self._uploader is not None and self._uploader.problem and now.waiting:
            parts.append(self._uploader.problem)
        if self._uploader is not None and self._uploader.unkept:
            parts.append(f"receipts are not kept: {self._uploader.unkept}")
        if self.recorder.faults:
            parts.append(f"{self.recorder.faults} could not be made ({self.recorder.fault})")
        return "; ".join(parts)

    def _unrecorded(self) -> bool:
        now = standing(self._destination.folder, self._prefix)
        faulty = self.recorder.faults or self.recorder.writer.dropped
        return bool(now.waiting or now.refused or faulty or self._missing())

    def _missing(self) -> list[str]:
        return [nodeid for nodeid in self._planned if nodeid not in self.cases.reported]


def _outcome(exitstatus: int, counts: Mapping[str, int], errors: int) -> tuple[str, str]:
    """Return (outcome, reason) of a run; one in which nothing ran is not a success."""
    if counts["failed"]:
        return "failure", ""
    if counts["error"] or errors:
        return "error", ""
    if exitstatus == pytest.ExitCode.INTERRUPTED:
        return "cancel", "interrupted"
    if exitstatus in {pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR}:
        return "error", f"pytest ended with status {exitstatus}"
    if not counts["passed"]:
        return "cancel", "every test was skipped" if counts["total"] else "no test ran"
    if exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        return "failure", f"pytest ended with status {exitstatus}"
    return "success", ""


def _chain(error: BaseException, cleaner: Cleaner) -> list[JSON]:
    """Return an exception and those it goes back to, the last one raised first."""
    chain: list[JSON] = []
    seen: BaseException | None = error
    while seen is not None and len(chain) < CHAIN_MAX:
        try:
            said = str(seen)
        except Exception as other:  # noqa: BLE001  other people's __str__ may raise anything
            said = f"<str raised {type(other).__name__}>"
        chain.append({"type": type(seen).__name__[:200], "message": cleaner.cut(said, 500)})
        is_hidden = seen.__suppress_context__
        seen = seen.__cause__ or (None if is_hidden else seen.__context__)
    return chain
