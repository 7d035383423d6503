"""From pytest's reports to what happened: attempts of tests, with their phases.

A test is up to three reports (setup, call, teardown) and more where plug-ins take part: a rerun,
a subtest, a crashed worker.  One attempt becomes one record: its outcome is the worst thing that
happened in it, and its phases tell each thing apart, so that a passing call with a failing
teardown stays both.  Reports are taken as they come, from whatever plug-in made them.

Source: _pytest.reports, _pytest.subtests, _pytest.skipping; xdist.dsession ("???" reports);
pytest-rerunfailures (outcome "rerun").
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from counterfoil.events.canonical import JSON
from counterfoil.events.refs import safe_id
from counterfoil.reporter.events import CASE_FINISHED, CASE_SKIPPED
from counterfoil.reporter.text import Cleaner, cut

# Of pytest or of any plug-in: what it has is asked for, not assumed.
Report: TypeAlias = Any

TEST_ID_BYTES: Final = 400
NAME_BYTES: Final = 500
MESSAGE_BYTES: Final = 1_000
TEXT_BYTES: Final = 8_000
OUTPUT_BYTES: Final = 4_000
OUTPUTS_MAX: Final = 12
PROPERTIES_MAX: Final = 30
DETAILS: Final = "counterfoil"
ARTIFACT: Final = "counterfoil.artifact"


@dataclass(slots=True)
class Told:
    """One record about a test, ready to be made an event of."""

    kind: str
    test: str
    content: dict[str, JSON]
    custom: dict[str, JSON]


@dataclass(slots=True)
class _Attempt:
    """What is known of an attempt that has not ended."""

    nodeid: str
    location: Any = None
    phases: dict[str, JSON] = field(default_factory=dict)
    reports: list[Report] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    duration_us: int = 0


class Cases:
    """The tests of one run: takes reports, gives records."""

    def __init__(self, cleaner: Cleaner) -> None:
        self._cleaner = cleaner
        self._begun: Counter[str] = Counter()
        self._subtests_failed: Counter[tuple[str, str]] = Counter()
        self._open: dict[tuple[str, str], _Attempt] = {}
        self._attempts: Counter[str] = Counter()
        self._ordinals: Counter[str] = Counter()
        self._ids: dict[str, str] = {}
        self._files: dict[str, str] = {}
        self._final: dict[str, str] = {}
        self.reported: set[str] = set()
        self.retries = 0

    @property
    def counts(self) -> dict[str, int]:
        """Cases by the outcome of their last attempt, and how many there are."""
        by = Counter(self._final.values())
        return {
            "total": by.total(),
            "passed": by["success"],
            "failed": by["failure"],
            "error": by["error"],
            "skipped": by["skipped"],
        }

    def test_id(self, nodeid: str) -> str:
        """Return the id of a test's ref: its node id, clean, bounded, the same in every run."""
        known = self._ids.get(nodeid)
        if known is None:
            known = safe_id(self._cleaner.clean(nodeid), TEST_ID_BYTES)
            self._ids[nodeid] = known
        return known

    def begin(self, nodeid: str) -> int:
        """Note that a test began, on whatever worker; return which attempt it is, from 1."""
        self._begun[nodeid] += 1
        return self._attempts[nodeid] + 1

    def take(self, report: Report) -> Told | None:
        """Take one report; return the record it completes, if it does."""
        # Three times a test: looked up once, in what the report itself holds.
        facts = report.__dict__
        nodeid, worker = report.nodeid, _worker_of(report) if "node" in facts else ""
        if facts.get("context") is not None:
            return self._subtest(report)
        attempt = self._open.get((worker, nodeid))
        if attempt is None:
            attempt = self._open[worker, nodeid] = _Attempt(nodeid)
        attempt.location = report.location
        when, outcome = report.when, report.outcome
        # Whole microseconds: canonical JSON is ten times slower to write with small fractions.
        duration_us = int(facts.get("duration", 0.0) * 1e6)
        attempt.duration_us += duration_us
        attempt.phases[when] = {"outcome": outcome, "duration_us": duration_us}
        if DETAILS in facts:
            attempt.details.update(facts[DETAILS])
        if outcome != "passed" or report.sections or report.user_properties or "wasxfail" in facts:
            attempt.reports.append(report)
        if when == "teardown" or outcome == "rerun" or when not in {"setup", "call"}:
            del self._open[worker, nodeid]
            # Nothing announces the next attempt of a rerun.
            if outcome != "rerun":
                self._begun[nodeid] -= 1
            return self._end(attempt, worker)
        return None

    def collection(self, report: Report) -> Told | None:
        """Take the report of something that could not be collected."""
        if report.outcome != "failed" or report.nodeid in self._final:
            return None
        attempt = _Attempt(report.nodeid or "(session)")
        attempt.reports.append(report)
        attempt.phases["collect"] = {"outcome": "failed", "duration_us": 0}
        return self._end(attempt, "")

    def cut_off(self, reason: str) -> list[Told]:
        """Return a record for each test that began and did not end; they are over now."""
        left = {nodeid: ("", _Attempt(nodeid)) for nodeid, n in self._begun.items() if n > 0}
        left.update({nodeid: (worker, one) for (worker, nodeid), one in self._open.items()})
        self._begun.clear()
        self._open.clear()
        return [self._end(one, worker, cut_off=reason) for worker, one in left.values()]

    def _end(self, attempt: _Attempt, worker: str, *, cut_off: str = "") -> Told:
        nodeid = attempt.nodeid
        self._attempts[nodeid] += 1
        number = self._attempts[nodeid]
        outcome, result, report = ("cancel", None, None) if cut_off else _judge(attempt)
        failed_inside = self._subtests_failed.pop((worker, nodeid), 0)
        is_final = not any(one.outcome == "rerun" for one in attempt.reports)
        self.retries += not is_final
        test = self.test_id(nodeid)
        content: dict[str, JSON] = {"testCase": {"id": test, "name": self._name(test)}}
        custom: dict[str, JSON] = {
            "attempt": number,
            "final": is_final,
            "ordinal": 0,
            "duration_ms": round(attempt.duration_us / 1000),
            "phases": attempt.phases,
        }
        if attempt.location is not None:
            file, line, _ = attempt.location
            custom["file"] = self._file(str(file))
            if isinstance(line, int):
                custom["line"] = line + 1
        if worker:
            custom["worker"] = worker
        if result:
            custom["result"] = result
        if attempt.details:
            custom.update(attempt.details)
        if attempt.reports:
            self._tell(attempt.reports, report, content, custom)
        if cut_off:
            content["reason"] = cut_off
        elif failed_inside and outcome in {"success", "failure"}:
            # Its own report says "passed" until a plug-in that prints it has changed that.
            outcome = "failure"
            content.setdefault("reason", f"subtests failed: {failed_inside}")
        self._final[nodeid] = outcome
        self.reported.add(nodeid)
        return _told(outcome, test, content, custom)

    def _subtest(self, report: Report) -> Told:
        words = safe_id(self._cleaner.clean(_subtest_words(report.context)), 200)
        test = safe_id(f"{self.test_id(report.nodeid)} > {words}", TEST_ID_BYTES)
        ordinal = self._ordinals[test]
        self._ordinals[test] += 1
        if ordinal:
            test = f"{test}#{ordinal + 1}"
        attempt = _Attempt(report.nodeid, reports=[report])
        attempt.phases["call"] = {
            "outcome": report.outcome, "duration_us": int(report.duration * 1e6),
        }  # fmt: skip
        outcome, result, bad = _judge(attempt)
        self._final[test] = outcome
        if outcome == "failure":
            self._subtests_failed[_worker_of(report), report.nodeid] += 1
        content: dict[str, JSON] = {"testCase": {"id": test, "name": cut(words, NAME_BYTES)}}
        custom: dict[str, JSON] = {
            "attempt": 1, "final": True, "ordinal": ordinal, "phases": {**attempt.phases},
            "duration_ms": round(report.duration * 1000), "subtest_of": self.test_id(report.nodeid),
        }  # fmt: skip
        if worker := _worker_of(report):
            custom["worker"] = worker
        if result:
            custom["result"] = result
        self._tell([report], bad, content, custom)
        return _told(outcome, test, content, custom)

    def _tell(
        self,
        reports: list[Report],
        bad: Report | None,
        content: dict[str, JSON],
        custom: dict[str, JSON],
    ) -> None:
        """Add what was raised and printed: texts where something is wrong, else only digests."""
        failed = [one for one in reports if one.outcome in {"failed", "rerun"}]
        reason = _reason(bad) if bad is not None else ""
        if reason:
            first = next((line for line in reason.splitlines() if line.strip()), "").strip()
            where = "teardown: " if getattr(bad, "when", None) == "teardown" else ""
            content["reason"] = self._cleaner.cut(where + first, NAME_BYTES)
            if len(reason) > len(first):
                custom["message"] = self._cleaner.kept(reason, MESSAGE_BYTES)
        if failed and bad is not None:
            custom["text"] = self._cleaner.kept(_long_text(bad), TEXT_BYTES)
        # A second fact about the same attempt, such as a teardown that fails too.
        also: list[JSON] = [
            {"when": one.when, **self._cleaner.kept(_long_text(one), TEXT_BYTES // 4)}
            for one in failed
            if one is not bad
        ]
        if also:
            custom["also_failed"] = also
        # Sections pile up: the last report has those of the phases before.
        sections = dict.fromkeys(
            (str(name), str(text)) for one in reports for name, text in one.sections
        )
        output: dict[str, JSON] = {}
        for name, text in list(sections)[:OUTPUTS_MAX]:
            room = OUTPUT_BYTES if failed else 0
            output[self._cleaner.cut(name, 100)] = self._cleaner.kept(text, room, tail=True)
        if output:
            custom["output"] = output
        self._tell_properties(reports, custom)

    def _tell_properties(self, reports: list[Report], custom: dict[str, JSON]) -> None:
        properties: list[JSON] = []
        artifacts: list[JSON] = []
        given = getattr(reports[-1], "user_properties", [])
        for name, value in given[:PROPERTIES_MAX]:
            if name == ARTIFACT and isinstance(value, dict):
                artifacts.append(self._artifact(value))
            else:
                said = self._cleaner.parameters({str(name): value})
                properties.extend([key, one] for key, one in said.items())
        if properties:
            custom["properties"] = properties
        if artifacts:
            custom["artifacts"] = artifacts

    def _artifact(self, given: dict[Any, Any]) -> JSON:
        """Return what a test says of a file, whatever it says, as text and sizes."""
        return {
            self._cleaner.cut(str(name), 100): one
            if type(one) is int and 0 <= one < 2**53
            else self._cleaner.cut(str(one), 200)
            for name, one in list(given.items())[:10]
        }

    def _file(self, path: str) -> str:
        known = self._files.get(path)
        if known is None:
            known = self._files[path] = self._cleaner.cut(path, NAME_BYTES)
        return known

    @staticmethod
    def _name(test: str) -> str:
        head = test.partition("[")[0]
        return cut(test[head.rfind("::") + 2 :] if "::" in head else test, NAME_BYTES)


def _told(outcome: str, test: str, content: dict[str, JSON], custom: dict[str, JSON]) -> Told:
    if outcome == "skipped":
        return Told(CASE_SKIPPED, test, content, custom)
    content["outcome"] = outcome
    return Told(CASE_FINISHED, test, content, custom)


def _judge(attempt: _Attempt) -> tuple[str, str | None, Report | None]:
    """Return (outcome, pytest's own word where it says more, the report that decides)."""
    found: tuple[str, str | None, Report | None] = ("success", None, None)
    for report in attempt.reports:
        when, outcome = getattr(report, "when", None), report.outcome
        expected = hasattr(report, "wasxfail")
        if outcome in {"failed", "rerun"}:
            if when == "call":
                # A strict xpass is a failure without a traceback.
                strict = str(report.longrepr or "").startswith("[XPASS(strict)]")
                return "failure", "xpassed strictly" if strict else None, report
            if found[0] != "error":
                crashed = when not in {"setup", "teardown", "collect", None}
                found = ("error", "crashed" if crashed else None, report)
        elif outcome == "skipped" and found[0] == "success":
            found = ("skipped", "xfailed" if expected else None, report)
        elif outcome == "passed" and expected and found[0] == "success":
            found = ("success", "xpassed", report)
    return found


def _worker_of(report: Report) -> str:
    """Return the xdist worker a report comes from, "" without one."""
    node = getattr(report, "node", None)
    gateway = getattr(node, "gateway", None)
    return str(gateway.id) if gateway is not None else ""


def _reason(report: Report) -> str:
    """Return what a person reads first: the exception, the reason for skipping."""
    if expected := getattr(report, "wasxfail", None):
        return str(expected).removeprefix("reason: ")
    longrepr = report.longrepr
    if isinstance(longrepr, tuple):
        return str(longrepr[2]).removeprefix("Skipped: ")
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message)
    return "" if longrepr is None else str(longrepr)


def _long_text(report: Report) -> str:
    return str(getattr(report, "longreprtext", None) or report.longrepr or "")


def _subtest_words(context: Report) -> str:
    parts = [] if context.msg is None else [f"[{context.msg}]"]
    if context.kwargs:
        parts.append("(" + ", ".join(f"{name}={one}" for name, one in context.kwargs.items()) + ")")
    return " ".join(parts) or "(subtest)"


def plan_digest(tests: list[str]) -> str:
    """Return the digest of a plan: SHA-256 over its ids, a line feed behind each."""
    digest = hashlib.sha256()
    for test in tests:
        digest.update(test.encode("utf-8") + b"\n")
    return f"sha256:{digest.hexdigest()}"
