"""The drawing of a release: lanes over one time axis, as numbers for an SVG.

Pure geometry, deterministic: the same trace gives the same drawing.  One linear axis; stretches
of over three hours without an event are folded to a labelled strip.  A label stands right of its
mark, or left, or a row below; it is left out of the drawing before it would lie on another one,
and the list below the drawing, in the same order, holds every word.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.app.answers import Step
from counterfoil.web.pages import words
from counterfoil.web.pages.parts import GapLine, Links, Mark, mark, pill

WIDTH: Final = 1120.0
AXIS_LEFT: Final = 152.0
AXIS_RIGHT: Final = 1018.0
MARK_X: Final = 1032.0
TOP: Final = 30.0
ROW: Final = 23.0
PAD: Final = 8.0
FOLD_AFTER_S: Final = 3 * 3600.0
FOLD_WIDTH: Final = 30.0
CHARACTER: Final = 7.3
ROWS_MAX: Final = 5
LABEL_MAX: Final = 40
POINTS_MAX: Final = 40
MISSING_MAX: Final = 6
LEAD: Final = 13.0
BROKEN: Final = 56.0
# On these lanes a thread joins the points, so labels stand in the row above it.
THREADED: Final = frozenset({"Commits"})


@dataclass(frozen=True, slots=True)
class Text:
    """A label: `anchor` is start, middle or end; `tone` a class of the stylesheet or ""."""

    x: float
    y: float
    text: str
    anchor: str
    tone: str


@dataclass(frozen=True, slots=True)
class Shape:
    """A point (width 0) or a span, which is a link to its entry."""

    x: float
    y: float
    width: float
    tone: str
    href: str
    spoken: str
    label: Text | None


@dataclass(frozen=True, slots=True)
class Missing:
    """Where a gap is: a broken red line and its sentence."""

    x: float
    y: float
    width: float
    label: Text
    href: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane: its name, where it lies, what is on it, and the marks behind it."""

    name: str
    y: float
    height: float
    thread: tuple[float, float, float] | None
    shapes: tuple[Shape, ...]
    missing: tuple[Missing, ...]
    marks: tuple[tuple[float, Mark], ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """A stretch without events, folded."""

    x: float
    width: float
    label: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything the template places."""

    width: float
    height: float
    top: float
    lanes: tuple[Lane, ...]
    folds: tuple[Fold, ...]
    ticks: tuple[Text, ...]
    now_x: float
    now_text: str
    left_out: int
    gaps_left_out: int


class Axis:
    """Time to x: linear pieces between folds, all on one scale."""

    def __init__(self, moments: Sequence[datetime.datetime]) -> None:
        """Lay out the axis over `moments`, at least one."""
        ordered = sorted(set(moments))
        pieces: list[list[datetime.datetime]] = [[ordered[0], ordered[0]]]
        for at in ordered[1:]:
            if (at - pieces[-1][1]).total_seconds() > FOLD_AFTER_S:
                pieces.append([at, at])
            else:
                pieces[-1][1] = at
        fold = min(FOLD_WIDTH, 0.5 * (AXIS_RIGHT - AXIS_LEFT) / len(pieces))
        # Every piece has a little room of its own, so that a lone event is not inside a fold.
        lasting = sum((end - start).total_seconds() for start, end in pieces)
        share = 0.25 if lasting else 0.7
        room = min(90.0 if lasting else 300.0, share * (AXIS_RIGHT - AXIS_LEFT) / len(pieces))
        free = AXIS_RIGHT - AXIS_LEFT - fold * (len(pieces) - 1) - room * len(pieces)
        self.per_second = free / lasting if lasting else 0.0
        self.pieces: list[tuple[datetime.datetime, datetime.datetime, float]] = []
        self.folds: list[Fold] = []
        x = AXIS_LEFT + LEAD
        for place, (start, end) in enumerate(pieces):
            if place:
                before = pieces[place - 1][1]
                self.folds.append(
                    Fold(round(x - LEAD - fold, 1), round(fold, 1), _fold_label(before, start))
                )
            self.pieces.append((start, end, x))
            x += (end - start).total_seconds() * self.per_second + room + fold

    def x(self, at: datetime.datetime) -> float:
        """Return where `at` lies; a moment inside a fold lies at the fold's beginning."""
        placed = AXIS_LEFT
        for start, end, left in self.pieces:
            if at < start:
                break
            placed = left + (min(at, end) - start).total_seconds() * self.per_second
        return round(placed, 1)

    def ticks(self) -> tuple[Text, ...]:
        """Return the labels of the axis: the day where a piece begins, then round times."""
        step_s = next(
            (s for s in (300, 900, 1800, 3600, 7200, 14400, 43200, 86400)
             if s * self.per_second >= 90),
            86400 * 7,
        )  # fmt: skip
        made: list[Text] = []
        free_from = 0.0
        for start, end, left in self.pieces:
            if left - 4 >= free_from:
                made.append(
                    Text(round(left, 1), 18, _day_label(start, self.pieces[-1][1]), "start", "tick")
                )
                free_from = left + len(_day_label(start, self.pieces[-1][1])) * CHARACTER + 6
            at = start.replace(hour=0, minute=0, second=0, microsecond=0)
            while at <= end and self.per_second:
                x = self.x(at)
                if at >= start and x - 22 >= free_from and x < AXIS_RIGHT - 44:
                    form = "%H:%M" if step_s < 86400 else "%-d %b"
                    made.append(Text(x, 18, at.strftime(form), "middle", "tick"))
                    free_from = x + 48
                at += datetime.timedelta(seconds=step_s)
        return tuple(made)


def _day_label(at: datetime.datetime, last: datetime.datetime) -> str:
    """Return "Thu 19 Nov", or "19 Nov 2019" where the axis ends in another year."""
    if at.year != last.year:
        return f"{words.day(at)} {at.year}"
    return f"{at.strftime('%a')} {words.day(at)}"


def _fold_label(before: datetime.datetime, after: datetime.datetime) -> str:
    away = after - before
    if before.date() != after.date() and away < datetime.timedelta(hours=18):
        return "night: no events"
    if away.days >= 730:
        return f"{away.days // 365} years: no events"
    long = f"{away.days} days" if away.days >= 2 else words.duration(away.total_seconds())
    return f"{long}: no events"


def draw(
    steps: Sequence[Step],
    gaps: Sequence[GapLine],
    first_entries: Mapping[int, int],
    lanes: Sequence[str],
    links: Links,
    now: datetime.datetime,
) -> Drawing | None:
    """Lay out a trace.

    Args:
        steps: by time, as `Trace.steps`.
        gaps: numbered, as the page lists them.
        first_entries: gap number -> entry the gap hangs on, where there is one.
        lanes: names in the order they are drawn.
        links: addresses of entries.
        now: the moment the page is about; drawn as the plum line.

    Returns:
        The drawing, or None when no step has a time that can be read.
    """
    timed = [(at, step) for step in steps if (at := words.moment(step.time))]
    if not timed:
        return None
    ends = {step.entry: words.moment(step.end) for _, step in timed if step.end}
    moments = [at for at, _ in timed] + [end for end in ends.values() if end]
    last = max(moments)
    near = 0 <= (now - last).total_seconds() <= FOLD_AFTER_S
    axis = Axis([*moments, now] if near else moments)
    places = {step.entry: axis.x(at) for at, step in timed}
    made: list[Lane] = []
    y, left_out, gaps_left_out = TOP, 0, 0
    for name in lanes:
        mine = [(at, step) for at, step in timed if step.lane == name]
        lacking = [gap for gap in gaps if gap.lane == name]
        left_out += max(0, len(mine) - POINTS_MAX)
        gaps_left_out += max(0, len(lacking) - MISSING_MAX)
        lane = _lane(
            name,
            y,
            mine[-POINTS_MAX:],
            lacking[:MISSING_MAX],
            {number: places[entry] for number, entry in first_entries.items() if entry in places},
            axis,
            links,
        )
        made.append(lane)
        y += lane.height
    return Drawing(
        width=WIDTH,
        height=y + 6,
        top=TOP,
        lanes=tuple(made),
        folds=tuple(axis.folds),
        ticks=axis.ticks(),
        now_x=axis.x(now) if near else AXIS_RIGHT,
        now_text=words.when(now.isoformat(), now),
        left_out=left_out,
        gaps_left_out=gaps_left_out,
    )


class _Rows:
    """What is taken in each row of one lane, so that no two things lie on each other."""

    def __init__(self, folds: Sequence[Fold]) -> None:
        self.taken: list[list[tuple[float, float]]] = [[]]
        self.folds = [(fold.x, fold.x + fold.width) for fold in folds]

    def free(self, row: int, left: float, right: float) -> bool:
        if left < AXIS_LEFT - 14 or right > AXIS_RIGHT + 4:
            return False
        while len(self.taken) <= row:
            self.taken.append([])
        return all(right <= start or end <= left for start, end in self.taken[row])

    def free_for_words(self, row: int, left: float, right: float) -> bool:
        """Whether words fit: what `free` asks, and not on the words of a fold."""
        clear = all(right <= start or end <= left for start, end in self.folds)
        return clear and self.free(row, left, right)

    def first_free(self, left: float, right: float) -> int:
        """Return the highest row with room, 0 when none has."""
        return next((row for row in range(ROWS_MAX) if self.free(row, left, right)), 0)

    def take(self, row: int, left: float, right: float) -> None:
        while len(self.taken) <= row:
            self.taken.append([])
        self.taken[row].append((left, right))


def _lane(
    name: str,
    top: float,
    mine: Sequence[tuple[datetime.datetime, Step]],
    gaps: Sequence[GapLine],
    hangs: Mapping[int, float],
    axis: Axis,
    links: Links,
) -> Lane:
    rows = _Rows(axis.folds)
    shapes: list[Shape] = []
    marks: dict[int, Mark] = {}
    bodies: list[tuple[Step, float, float, int]] = []
    for at, step in mine:
        left = axis.x(at)
        end = words.moment(step.end) if step.end else None
        width = max(axis.x(end) - left, 0.0) if end and end > at else 0.0
        width = max(width, 8.0) if end else 0.0
        row = 1 if name in THREADED else rows.first_free(left - 6, left + width + 6)
        rows.take(row, left - 6, left + width + 6)
        bodies.append((step, left, width, row))
    for place, (step, left, width, row) in enumerate(bodies):
        # Asked, began, finished: of steps that are called the same, the last carries the name.
        again = place + 1 < len(bodies) and bodies[place + 1][0].label == step.label
        label = None if again else _words(rows, name, step.label, (left, width, row), top)
        shapes.append(
            Shape(
                x=left,
                y=_y(top, row),
                width=round(width, 1),
                tone=_tone(step),
                href=links.entry(step.entry),
                spoken=f"{words.plain_visible(step.sentence)}, entry {words.number(step.entry)}",
                label=label,
            )
        )
        marks[row] = mark(step.entry, links)
    missing = tuple(_missing(rows, gap, hangs.get(gap.number), top) for gap in gaps)
    used = max((row for row, taken in enumerate(rows.taken) if taken), default=0) + 1
    threaded = [left for _, left, _, _ in bodies] if name in THREADED else []
    thread = (min(threaded), max(threaded), _y(top, 1)) if len(threaded) > 1 else None
    return Lane(
        name=name,
        y=top,
        height=used * ROW + 2 * PAD - 4,
        thread=thread,
        shapes=tuple(shapes),
        missing=missing,
        marks=tuple((_y(top, row), each) for row, each in sorted(marks.items())),
    )


def _y(top: float, row: int) -> float:
    return round(top + PAD + ROW / 2 - 2 + row * ROW, 1)


def _tone(step: Step) -> str:
    return pill(step.outcome).tone if step.outcome else "ink"


def _words(
    rows: _Rows, lane: str, text: str, body: tuple[float, float, int], top: float
) -> Text | None:
    left, width, row = body
    if lane in THREADED:
        return _above(rows, text, left, top)
    return _label(rows, text, left, width, row, top)


def _label(rows: _Rows, text: str, left: float, width: float, row: int, top: float) -> Text | None:
    shown = words.plain_visible(text, LABEL_MAX)
    long = len(shown) * CHARACTER
    right_x, left_x = left + width + 9, left - 9
    for below in range(row, min(row + 2, ROWS_MAX)):
        if rows.free_for_words(below, right_x, right_x + long):
            rows.take(below, right_x, right_x + long + 6)
            return Text(round(right_x, 1), _y(top, below) + 4, shown, "start", "")
        if rows.free_for_words(below, left_x - long, left_x):
            rows.take(below, left_x - long - 6, left_x)
            return Text(round(left_x, 1), _y(top, below) + 4, shown, "end", "")
    return None


def _above(rows: _Rows, text: str, left: float, top: float) -> Text | None:
    """Place a label over or under its point, starting or ending there; never on the thread."""
    shown = words.plain_visible(text, LABEL_MAX)
    long = len(shown) * CHARACTER
    for row in (0, 2):
        for start, anchor, x in ((left - 6, "start", left - 6), (left + 6 - long, "end", left + 6)):
            if rows.free_for_words(row, start, start + long):
                rows.take(row, start, start + long + 8)
                lift = 6 if row == 0 else 0
                return Text(round(x, 1), _y(top, row) + lift, shown, anchor, "")
    return None


def _missing(rows: _Rows, gap: GapLine, at: float | None, top: float) -> Missing:
    """Place the broken line of a gap and its words: right, left, a row below, then cut."""
    shown = words.plain_visible(f"Gap {gap.number}: {gap.what}")
    # What hangs on no drawn step stands where there is room: behind the last fold.
    start = at if at is not None else rows.folds[-1][1] + 6 if rows.folds else AXIS_LEFT + 4
    wide = CHARACTER + 1.2
    for limit in (len(shown), 72, 48, 32, 24):
        said = shown if len(shown) <= limit else shown[: limit - 1] + "…"
        reach = BROKEN + len(said) * wide
        for row in range(ROWS_MAX):
            if rows.free_for_words(row, start - 4, start + reach):
                rows.take(row, start - 4, start + reach)
                return _broken(gap, said, start + 6, start + 52, "start", _y(top, row))
            if rows.free_for_words(row, start - reach, start + 4):
                rows.take(row, start - reach, start + 4)
                return _broken(gap, said, start - 46, start - 52, "end", _y(top, row))
    row = len(rows.taken)
    rows.take(row, AXIS_LEFT, AXIS_RIGHT)
    return _broken(gap, f"Gap {gap.number}", AXIS_LEFT + 4, AXIS_LEFT + 52, "start", _y(top, row))


def _broken(gap: GapLine, said: str, x: float, text_x: float, anchor: str, y: float) -> Missing:
    label = Text(round(text_x, 1), y + 4, said, anchor, "gap-text")
    return Missing(round(x, 1), y, 40, label, gap.href)
