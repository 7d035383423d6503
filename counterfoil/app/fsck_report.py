"""What a check of a ledger directory found, stage by stage: for a person and for a program.

The shape of the JSON is documented in docs/how-to/fsck.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from counterfoil.events.canonical import JSON
from counterfoil.verifier.report import Finding, LogSeen, printable
from counterfoil.verifier.stages import STAGES, derived_from, log_of, stage_of


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a check.

    Args:
        name: one of `counterfoil.verifier.stages.STAGES`.
        counts: what was compared, name -> count.
        ranges: (project, first, last) of the entries it concerned, indices from 0.
        time_s: what it took, without the stages inside it.
        skipped: why nothing was looked at; "" otherwise.
    """

    name: str
    counts: Mapping[str, int]
    ranges: Sequence[tuple[str, int, int]]
    time_s: float
    skipped: str = ""

    def line(self, found: int) -> str:
        """Return the stage for a person."""
        if self.skipped:
            return f"  {self.name:<13} left out: {self.skipped}"
        counts = ", ".join(
            f"{count:,} {name.replace('_', ' ')}" for name, count in self.counts.items()
        )
        verdict = "whole" if not found else f"{found} finding{'s' if found > 1 else ''}"
        return f"  {self.name:<13} {verdict:<12} {self.time_s:7.2f} s  {counts or 'nothing'}"

    def to_json(self, found: int) -> dict[str, JSON]:
        """Return the stage as a JSON object."""
        return {
            "name": self.name,
            "findings": found,
            "checked": dict(self.counts),
            "ranges": [
                {"log": project, "first": first, "last": last}
                for project, first, last in self.ranges
            ],
            "time_s": round(self.time_s, 6),
            "skipped": self.skipped or None,
        }


@dataclass(frozen=True, slots=True)
class Repairs:
    """What a repair did, and what it did not.

    Args:
        done: what was derived again: object, how, log, first, last.
        refused: what could not be, a line each with the reason.
        kept: the folder that holds what stood there before, below the ledger; "" without one.
        recorded: the entries that tell of it, project -> index.
        unrecorded: why none does, "" if one does or nothing was done.
    """

    done: Sequence[Mapping[str, JSON]]
    refused: Sequence[str]
    kept: str
    recorded: Mapping[str, int]
    unrecorded: str

    def lines(self) -> list[str]:
        """Return it for a person."""
        lines = [f"mended  {one['object']}: {one['how']}" for one in self.done]
        lines += [f"not mended  {why}" for why in self.refused]
        if self.kept:
            lines.append(f"what stood there before is kept in {self.kept}")
        lines += [f"on record as entry {index} of {log}" for log, index in self.recorded.items()]
        if self.unrecorded:
            lines.append(f"not on record yet, the next repair tries again: {self.unrecorded}")
        return lines

    def to_json(self) -> dict[str, JSON]:
        """Return it as a JSON object."""
        return {
            "done": [dict(one) for one in self.done],
            "refused": list(self.refused),
            "kept": self.kept or None,
            "recorded": [{"log": log, "index": index} for log, index in self.recorded.items()],
            "unrecorded": self.unrecorded or None,
        }


@dataclass(frozen=True, slots=True)
class FsckReport:
    """The verdict over a ledger directory, by its operator.

    Args:
        target: the directory.
        depth: `full`, `default` or `since`.
        logs: the logs in it.
        stages: every stage, in order.
        findings: what is wrong; none means whole.
        uncounted: how many more there are.
        notes: what a reader should know that is not wrong.
        only: the project, where the ledger has one log; else "".
        repairs: what was done before this check; None when nobody asked for it.
    """

    target: str
    depth: str
    logs: tuple[LogSeen, ...]
    stages: tuple[Stage, ...]
    findings: tuple[Finding, ...]
    uncounted: int = 0
    notes: tuple[str, ...] = field(default=())
    only: str = ""
    repairs: Repairs | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def verdict(self) -> str:
        """Return the verdict as one line."""
        if self.ok:
            return f"whole ({self.depth})"
        total = len(self.findings) + self.uncounted
        classes = ", ".join(sorted({one.klass for one in self.findings}))
        first = next(name for name in STAGES if self._found(name))
        return f"NOT whole: {total} finding{'s' if total > 1 else ''} ({classes}), first in {first}"

    def of_stage(self, name: str) -> list[Finding]:
        """Return the findings of one stage."""
        return [one for one in self.findings if stage_of(one) == name]

    def _found(self, name: str) -> int:
        return len(self.of_stage(name))

    def lines(self) -> list[str]:
        """Return the report for a person."""
        lines = [f"{self.target}: {self.verdict()}"]
        lines += [f"log {log.project}: {log.size:,} entries, root {log.root}" for log in self.logs]
        lines += [one.line(self._found(one.name)) for one in self.stages]
        lines += [one.line() for one in self.findings]
        if self.uncounted:
            lines.append(f"... and {self.uncounted} more")
        lines += self.repairs.lines() if self.repairs is not None else []
        lines += [f"note: {note}" for note in self.notes]
        return [printable(line) for line in lines]

    def to_json(self) -> dict[str, JSON]:
        """Return the report as a JSON object; `ok` is the verdict."""
        return {
            "ok": self.ok,
            "verdict": printable(self.verdict()),
            "target": printable(self.target),
            "depth": self.depth,
            "logs": [log.to_json() for log in self.logs],
            "stages": [one.to_json(self._found(one.name)) for one in self.stages],
            "classes": [*sorted({one.klass for one in self.findings})],
            "findings": [self._finding(one) for one in self.findings],
            "further_findings": self.uncounted,
            "notes": [printable(note) for note in self.notes],
            "repairs": self.repairs.to_json() if self.repairs is not None else None,
        }

    def _finding(self, one: Finding) -> dict[str, JSON]:
        return {
            **one.to_json(),
            "stage": stage_of(one),
            "log": log_of(one, self.only) or None,
            "repair": derived_from(one) or None,
        }
