"""Which part of a long trace a release page writes out: ten thousand commits are no first view.

The drawing, the counts and the sentence are always of the whole; the JSON has it all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from counterfoil.app.answers import Step, Trace
from counterfoil.errors import RequestError
from counterfoil.web.pages import words

# So many are written out at once.
STEPS_PER_PAGE: Final = 18
GAPS_PER_PAGE: Final = 8


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a long trace is written out: steps before a cursor, gaps from a number on."""

    cursor: str = ""
    gap: int = 1


NEWEST: Final = Part()


def part_of(steps: Sequence[Step], cursor: str) -> tuple[Sequence[Step], int]:
    """Return the steps a page shows and where they begin; `cursor` is "" for the newest.

    A cursor names the step they stop before by its entry and its place among the steps of that
    entry: what is added to the chain meanwhile moves nothing.

    Raises:
        RequestError: `query_invalid`: the cursor is none of ours.
    """
    end = len(steps)
    if not cursor and end <= STEPS_PER_PAGE:
        return steps, 0
    if cursor:
        index, _, nth = cursor.partition(".")
        if not (cursor.isascii() and len(cursor) < 24 and index.isdecimal() and nth.isdecimal()):
            raise RequestError("query_invalid", "that is no cursor from here; begin without one")
        same = [place for place, step in enumerate(steps) if step.entry == int(index)]
        if int(nth) >= len(same):
            raise RequestError("query_invalid", "that is no cursor from here; begin without one")
        end = same[int(nth)]
    start = max(0, end - STEPS_PER_PAGE)
    return steps[start:end], start


def cursor_of(steps: Sequence[Step], start: int) -> str:
    """Return the cursor of the steps before the one at `start`."""
    before = sum(step.entry == steps[start].entry for step in steps[:start])
    return f"{steps[start].entry}.{before}"


def gap_words(count: int, first: int) -> str:
    """Say how many gaps there are, and which of many are shown: `first` is the place of the first."""
    if not count:
        return "no gap found"
    said = words.count(count, "gap")
    if count <= GAPS_PER_PAGE:
        return said
    last = min(first + GAPS_PER_PAGE, count)
    return f"{said}, {words.number(first + 1)} to {words.number(last)} shown"


def step_words(trace: Trace, steps: Sequence[Step], start: int) -> str:
    """Say how many entries a trace rests on, and which of many steps are shown."""
    said = words.count(len({step.entry for step in trace.steps}), "entry", "entries")
    if len(steps) == len(trace.steps):
        return said
    last = words.number(start + len(steps))
    return (
        f"{said}; steps {words.number(start + 1)} to {last} of {words.number(len(trace.steps))} "
        "shown, the latest first"
    )


def first_gap(shown: Part, count: int) -> int:
    """Return the place, from 0, of the first gap shown of `count`: where the part asked for begins."""
    wanted = min(max(shown.gap - 1, 0), max(count - 1, 0))
    return wanted // GAPS_PER_PAGE * GAPS_PER_PAGE


def gap_of(request: Request) -> int:
    """Return `?gap=`, the number of the gap to begin with.

    Raises:
        RequestError: `query_invalid`.
    """
    text = request.query_params.get("gap", "1")
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise RequestError("query_invalid", "gap is the number of a gap, such as 1")
    return int(text)
