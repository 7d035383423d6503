"""The JUnit dialects -> test cases, one at a time.

There is no one JUnit format: Ant, Surefire, pytest, gtest, PHPUnit and Jenkins each write their
own.  This reader takes what they share and never improves a result: of several results in one
case the worst counts, a case that says it did not run is skipped, not passed, and two cases of
one name stay two (`ordinal`).
Source: the Ant and Surefire schemas and the collected reports; there is no standard.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from counterfoil.errors import RequestError
from counterfoil.sources.junit.cases import Case, Result, Totals
from counterfoil.sources.junit.reader import Gathering, Text, read_xml
from counterfoil.sources.junit.values import parse_duration, parse_timestamp

MAX_CASES = 100_000
MAX_RESULTS = 64
MAX_PROPERTIES = 64

# The name of the case that a suite's own failure becomes.
SUITE_CASE = "(suite)"

ROOTS = frozenset({"testsuites", "testsuite", "testrun", "testcase"})
_SUITES = frozenset({"testsuites", "testsuite", "testrun"})
_FINAL = {"failure": "failure", "error": "error", "skipped": "skipped", "skip": "skipped"}
_FINAL |= {"ignored": "skipped", "disabled": "skipped"}
_RETRIED = {"flakyFailure": "failure", "flakyError": "error"}
_RETRIED |= {"rerunFailure": "failure", "rerunError": "error"}
_RANK = {"success": 0, "skipped": 1, "failure": 2, "error": 3}
_STATED = {"notrun": "skipped", "disabled": "skipped", "skipped": "skipped", "ignored": "skipped"}
_STATED |= {"suppressed": "skipped", "fail": "failure", "failed": "failure", "failure": "failure"}
_STATED |= {"error": "error", "errored": "error", "broken": "error"}
_HIDDEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass(slots=True)
class _Suite:
    """An open suite element."""

    name: str
    file: str | None
    time: tuple[str | None, bool]
    declared: dict[str, int | None]
    direct: Counter[str] = field(default_factory=Counter)
    nested: Counter[str] = field(default_factory=Counter)


class _Listener:
    """Turns elements into cases; `take()` hands over those complete so far."""

    def __init__(self) -> None:
        self.totals = Totals()
        self._done: list[Case] = []
        self._suites: list[_Suite] = []
        self._ordinals: Counter[tuple[str, ...]] = Counter()
        self._open: _OpenCase | None = None

    def take(self) -> list[Case]:
        """Return the cases completed since the last call."""
        done, self._done = self._done, []
        return done

    def progress(self) -> str:
        """Say how many cases were whole."""
        size = self.totals.size
        return f"{size} whole case" + ("" if size == 1 else "s")

    def warn(self, code: str, message: str, line: int) -> None:
        """Note something doubtful; the list is bounded, the counts are not."""
        self.totals.warn(code, message, line)

    def start(self, name: str, attributes: Mapping[str, str], depth: int, line: int) -> None:
        """Open an element."""
        if depth == 1 and name not in ROOTS:
            raise _unknown(name)
        if self._open is not None:
            self._open.start(name, attributes, depth)
        elif name in _SUITES:
            self._open_suite(attributes, line)
        elif name == "testcase":
            if self.totals.size >= MAX_CASES:
                raise RequestError(
                    "report_limit", f"the report holds over {MAX_CASES} cases; send it in parts"
                )
            self._open = _OpenCase(depth, attributes, line)
        elif self._suites and _RANK.get(_FINAL.get(name, ""), 0) > _RANK["skipped"]:
            # A suite that broke outside of any case: it must not get lost, so it is a case.
            self.warn("suite_result", "a result stands outside of any case; it counts as one", line)
            self._open = _OpenCase(depth - 1, {"name": SUITE_CASE}, line, of_suite=True)
            self._open.start(name, attributes, depth)

    def text(self, piece: str) -> None:
        """Take text of the element that is open."""
        if self._open is not None:
            self._open.text(piece)

    def end(self, name: str, depth: int, line: int) -> None:
        """Close an element."""
        if self._open is not None:
            self._open.end(depth)
            if depth == self._open.last_depth:
                self._close_case(self._open)
                self._open = None
        elif name in _SUITES and self._suites:
            self._close_suite(line)

    def _open_suite(self, attributes: Mapping[str, str], line: int) -> None:
        stated = attributes.get("timestamp", "")
        time, zoned = parse_timestamp(stated)
        if time is None and self._suites:
            time, zoned = self._suites[-1].time
        if stated:
            self._note_time(stated, line)
        name = attributes.get("name", "").strip()
        self.totals.name = self.totals.name or name
        inherited = self._suites[-1].file if self._suites else None
        declared = {key: _count(attributes.get(key)) for key in ("tests", "failures", "errors")}
        self._suites.append(
            _Suite(name, attributes.get("file") or inherited, (time, zoned), declared)
        )

    def _note_time(self, stated: str, line: int) -> None:
        time, zoned = parse_timestamp(stated)
        if time is None:
            self.warn("bad_timestamp", f"not a moment: {stated[:40]!r}", line)
            return
        if not zoned:
            self.warn("timestamp_without_zone", "times carry no zone; they were read as UTC", line)
        times = self.totals.times
        times[zoned] = min(time, times.get(zoned, time))

    def _close_suite(self, line: int) -> None:
        suite = self._suites.pop()
        suite.nested += suite.direct
        for key, declared in suite.declared.items():
            if declared is not None and declared not in {suite.direct[key], suite.nested[key]}:
                self.warn(
                    "count_mismatch",
                    f"suite {suite.name[:80]!r} claims {declared} {key} and holds "
                    f"{suite.nested[key]}",
                    line,
                )
        if self._suites:
            self._suites[-1].nested += suite.nested

    def _close_case(self, opened: "_OpenCase") -> None:
        attributes, line = opened.attributes, opened.line
        suite = self._suites[-1] if self._suites else None
        suites = tuple(one.name for one in self._suites if one.name)
        classname = (attributes.get("classname") or attributes.get("class") or "").strip()
        name = attributes.get("name", "").strip()
        key = (*suites, "\0", classname, name)
        ordinal = self._ordinals[key]
        self._ordinals[key] += 1
        if ordinal == 1:
            self.warn("duplicate_case", f"several cases are named {name[:80]!r}", line)
        if not name:
            self.warn("nameless_case", "a case has no name", line)
        if _HIDDEN.search(name + classname):
            self.warn("hidden_characters", "a name holds invisible characters", line)
        if stated := attributes.get("timestamp", ""):
            self._note_time(stated, line)
        time, zoned = parse_timestamp(stated)
        if time is None and suite is not None:
            time, zoned = suite.time
        case = Case(
            suites=suites,
            classname=classname,
            name=name,
            file=attributes.get("file") or (suite.file if suite else None),
            line=_count(attributes.get("line")),
            ordinal=ordinal,
            outcome=self._outcome(opened),
            results=tuple(opened.results),
            retried=tuple(opened.retried),
            duration_s=self._duration(attributes, line),
            time=time,
            zoned=zoned,
            stdout=opened.outputs.get("system-out"),
            stderr=opened.outputs.get("system-err"),
            properties=tuple(opened.properties),
        )
        self._count_case(case, suite)
        self._done.append(case)

    def _count_case(self, case: Case, suite: _Suite | None) -> None:
        self.totals.outcomes[case.outcome] += 1
        self.totals.retries += len(case.attempts) - 1
        self.totals.duration_s += case.duration_s or 0.0
        if suite is not None:
            suite.direct["tests"] += 1
            suite.direct["failures"] += case.outcome == "failure"
            suite.direct["errors"] += case.outcome == "error"

    def _outcome(self, opened: "_OpenCase") -> str:
        worst = max((one.outcome for one in opened.results), key=_RANK.__getitem__, default="")
        if len(opened.results) > 1:
            self.warn(
                "several_results", "a case has several results; the worst counts", opened.line
            )
        for attribute in ("status", "result"):
            stated = _STATED.get(opened.attributes.get(attribute, "").strip().lower(), "")
            if stated and _RANK[stated] > _RANK[worst or "success"]:
                worst = stated
        return worst or "success"

    def _duration(self, attributes: Mapping[str, str], line: int) -> float | None:
        stated = attributes.get("time")
        if stated is None:
            return None
        duration_s = parse_duration(stated)
        if duration_s is None:
            self.warn("bad_duration", f"not a duration in seconds: {stated[:40]!r}", line)
        return duration_s


class _OpenCase:
    """A test case between its tags."""

    def __init__(
        self, depth: int, attributes: Mapping[str, str], line: int, *, of_suite: bool = False
    ) -> None:
        self.depth = depth
        self.attributes = attributes
        self.line = line
        self.last_depth = depth + 1 if of_suite else depth
        self.results: list[Result] = []
        self.retried: list[Result] = []
        self.outputs: dict[str, Text] = {}
        self.properties: list[tuple[str, str]] = []
        self._name = ""
        self._child: Mapping[str, str] = {}
        self._gathering: Gathering | None = None

    def start(self, name: str, attributes: Mapping[str, str], depth: int) -> None:
        """Open a child; below a child, all text belongs to the child."""
        if name == "property" and len(self.properties) < MAX_PROPERTIES:
            value = attributes.get("value", "")
            self.properties.append((attributes.get("name", "")[:200], value[:1000]))
        if depth == self.depth + 1:
            self._name, self._child, self._gathering = name, attributes, Gathering()

    def text(self, piece: str) -> None:
        """Take text of the child that is open."""
        if self._gathering is not None:
            self._gathering.add(piece)

    def end(self, depth: int) -> None:
        """Close an element; only the children themselves matter."""
        if depth != self.depth + 1 or self._gathering is None:
            return
        text, name = self._gathering.text(), self._name
        self._gathering = None
        if name in {"system-out", "system-err"} and text.size_bytes:
            self.outputs.setdefault(name, text)
        outcome = _FINAL.get(name) or _RETRIED.get(name)
        results = self.retried if name in _RETRIED else self.results
        if outcome is None or (len(results) >= MAX_RESULTS and outcome == "skipped"):
            return
        message = self._child.get("message")
        kept = None if message is None else Text.of(message)
        if len(results) < MAX_RESULTS:
            results.append(Result(name, outcome, kept, self._child.get("type"), text))
        elif _RANK[outcome] > max(_RANK[one.outcome] for one in results):
            results[-1] = Result(name, outcome, kept, self._child.get("type"), text)


def _count(text: str | None) -> int | None:
    """Return a whole number, None where the attribute is absent or anything else."""
    cleaned = (text or "").strip()
    return int(cleaned) if re.fullmatch(r"[0-9]{1,9}", cleaned) else None


def _unknown(name: str) -> RequestError:
    if name.lower() == "html":
        return RequestError(
            "report_unknown", "this is an HTML page, not a test report; check what wrote the file"
        )
    return RequestError(
        "report_unknown",
        f"the root element is {name[:60]!r}; JUnit XML begins with testsuites or testsuite: "
        "convert it, or send another report",
    )


def read_report(
    chunks: Iterable[bytes], totals: list[Totals] | None = None, *, allow_empty: bool = False
) -> Iterator[Case]:
    """Read a report as a stream of cases; memory does not grow with its length.

    Args:
        chunks: the bytes of the report, in pieces of any size.
        totals: if given, the report's `Totals` is appended before the first case and is complete
            after the last.
        allow_empty: take a well-formed report without a single case.

    Raises:
        RequestError: report_empty (no case at all), report_unknown, report_doctype,
            report_limit, report_not_xml, report_truncated.
    """
    listener = _Listener()
    if totals is not None:
        totals.append(listener.totals)
    for _step in read_xml(chunks, listener):
        yield from listener.take()
    if listener.totals.size == 0 and not allow_empty:
        raise RequestError(
            "report_empty", "the report holds no test case; an empty report is not a pass"
        )
