"""What a JUnit report holds: cases with their results, and what the whole amounts to.

The values are as written, bounded; what they mean for the outcome is decided in `dialect`.
"""

from collections import Counter
from dataclasses import dataclass, field

from counterfoil.sources.junit.reader import Text

MAX_WARNINGS = 50


@dataclass(frozen=True, slots=True)
class Result:
    """One result element.

    Attributes:
        kind: the element's name: failure, error, skipped, flakyFailure, rerunError ...
        outcome: failure, error or skipped.
        message: the `message` attribute; None if absent.
        type: the `type` attribute, usually an exception class.
        text: the element's text, a stack trace as a rule.
    """

    kind: str
    outcome: str
    message: Text | None
    type: str | None
    text: Text


@dataclass(frozen=True, slots=True)
class Case:
    """One test case as the report tells it.

    Attributes:
        suites: names of the enclosing suites, outermost first; empty names left out.
        classname, name: as written, "" if absent.
        file, line: where the test stands, if the report says.
        ordinal: index among the cases of this report with the same suites, classname and name.
        outcome: success, failure, error or skipped: the worst of all results.
        results: the results that count, in the order of the report.
        retried: results of attempts that do not count for themselves, in order.
        duration_s: seconds, None if absent or unreadable.
        time: RFC 3339 start of the case, else of its suite; None if nobody says.
        zoned: whether `time` was written with a zone.
        stdout, stderr: output as kept, None if absent.
        properties: names and values, values cut.
    """

    suites: tuple[str, ...]
    classname: str
    name: str
    file: str | None
    line: int | None
    ordinal: int
    outcome: str
    results: tuple[Result, ...]
    retried: tuple[Result, ...]
    duration_s: float | None
    time: str | None
    zoned: bool
    stdout: Text | None
    stderr: Text | None
    properties: tuple[tuple[str, str], ...]

    @property
    def attempts(self) -> tuple[tuple[str, Result | None], ...]:
        """Every try in order as (outcome, its result); the last one carries the case's outcome.

        Surefire writes the first failure of a test that never passed as `failure` and the further
        ones as `rerun...`; of a test that passed at last only the failures, as `flaky...`.
        """
        if not self.retried:
            return ((self.outcome, self.worst),)
        again = tuple((result.outcome, result) for result in self.retried)
        if self.outcome in {"success", "skipped"}:
            return (*again, (self.outcome, self.worst))
        return ((self.outcome, self.worst), *again[:-1], (self.outcome, self.retried[-1]))

    @property
    def worst(self) -> Result | None:
        """The result that decides the outcome, if an element states it."""
        return next((one for one in self.results if one.outcome == self.outcome), None)


@dataclass(slots=True)
class Doubt:
    """Something doubtful: code, one line for a person, first line of the report where it was met."""

    code: str
    message: str
    line: int


@dataclass(slots=True)
class Totals:
    """What a whole report amounts to; complete once the last case was taken.

    Attributes:
        outcomes: cases by outcome.
        first_time: earliest zoned start stated anywhere, else the earliest unzoned; or None.
        name: the first suite name met.
        warnings: at most 50, each code and message once; `warning_counts` counts all by code.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    duration_s: float = 0.0
    times: dict[bool, str] = field(default_factory=dict)
    name: str = ""
    warnings: list[Doubt] = field(default_factory=list)
    warning_counts: Counter[str] = field(default_factory=Counter)

    def warn(self, code: str, message: str, line: int) -> None:
        """Note something doubtful; the list is bounded, the counts are not."""
        self.warning_counts[code] += 1
        if len(self.warnings) < MAX_WARNINGS and all(
            one.message != message for one in self.warnings
        ):
            self.warnings.append(Doubt(code, message, line))

    @property
    def size(self) -> int:
        """How many cases there are."""
        return sum(self.outcomes.values())

    @property
    def time(self) -> str | None:
        """The earliest start: one with a zone if there is any."""
        return self.times.get(True, self.times.get(False))
