"""What `admin doctor` says: one line for each thing it looked at, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from counterfoil.events.canonical import JSON

Grade = Literal["ok", "warn", "fail"]
WORST: Final[dict[Grade, int]] = {"ok": 0, "warn": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at.

    Attributes:
        check: what was looked at, a word.
        grade: `fail` is wrong now; `warn` will be, or could not be found out; `ok` is neither.
        what: what was seen, with its figures.
        todo: what to do next; "" where nothing is to be done.
    """

    check: str
    grade: Grade
    what: str
    todo: str = ""

    def __post_init__(self) -> None:
        assert self.grade == "ok" or self.todo, f"{self.check}: what is off says what to do"

    def text(self) -> str:
        """Return it for a person."""
        return f"{self.grade:<4}  {self.check:<12}  {self.what}" + (
            f"; {self.todo}" if self.todo else ""
        )

    def to_json(self) -> dict[str, JSON]:
        """Return it as a JSON object."""
        return {
            "check": self.check, "grade": self.grade, "what": self.what, "todo": self.todo or None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was looked at.

    Attributes:
        target: the ledger directory.
        lines: in the order in which they were looked at.
        spent_s: how long it took.
    """

    target: str
    lines: Sequence[Line]
    spent_s: float = field(default=0.0, compare=False)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong now."""
        return all(line.grade != "fail" for line in self.lines)

    def verdict(self) -> str:
        """Return the verdict as one line."""
        counts = {grade: sum(one.grade == grade for one in self.lines) for grade in WORST}
        if not self.ok:
            return f"{counts['fail']} to mend now, {counts['warn']} to look at"
        return f"nothing is wrong, {counts['warn']} to look at" if counts["warn"] else "well"

    def text(self) -> list[str]:
        """Return it for a person."""
        return [*(line.text() for line in self.lines), f"{self.target}: {self.verdict()}"]

    def to_json(self) -> dict[str, JSON]:
        """Return it as a JSON object; `ok` is the verdict."""
        return {
            "ok": self.ok,
            "verdict": self.verdict(),
            "target": self.target,
            "checks": [line.to_json() for line in self.lines],
            "seconds": round(self.spent_s, 3),
        }
