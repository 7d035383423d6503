"""Now: what is wrong, what moves, what is in production, and how far the log has come."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.answers import (
    ActorView,
    ApprovalRow,
    EnvironmentRow,
    Health,
    LogLine,
    Page,
    RunRow,
    SourceRow,
    TestRow,
)
from counterfoil.app.read import Reader
from counterfoil.clock import format_time
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.frame import frame_of, health_of, links_of, moment_of, now_of
from counterfoil.web.pages.parts import (
    Bars,
    Empty,
    Line,
    Links,
    Mark,
    bars,
    full_ref,
    line,
    mark,
    received_note,
    ref_chip,
)
from counterfoil.web.pages.render import render
from counterfoil.web.pages.runs import RunLine, counts_of, run_line
from counterfoil.web.pages.witnessing import witnessed

FEED_LINES: Final = 25
RED_SHOWN: Final = 12
RUNNING_SHOWN: Final = 8
SOURCES_SHOWN: Final = 8
PLACES_SHOWN: Final = 8

Resolve = Callable[[str], ActorView]


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the four figures."""

    label: str
    text: str
    tone: str
    more: str
    demo: bool


@dataclass(frozen=True, slots=True)
class RedTest:
    """A test whose last outcome is red."""

    name: str
    href: str | None
    run_text: str
    run_href: str
    since: str
    runs: str
    flaky: bool
    demo: bool
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One fact about the log: an icon, a number, a sentence."""

    icon: str
    tone: str
    name: str
    number: str
    detail: str
    code: str


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One source with its last 24 hours."""

    name: str
    href: str
    last: str
    count: str
    bars: Bars
    spoken: str
    demo: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """What is deployed somewhere."""

    environment: str
    what: str
    full: str
    href: str | None
    since: str
    demo: bool
    mark: Mark


@dataclass(frozen=True, slots=True)
class NowView:
    """The board."""

    say: str
    figures: tuple[Figure, ...]
    red: tuple[RedTest, ...]
    red_words: str
    red_empty: Empty
    running: tuple[RunLine, ...]
    running_empty: Empty
    lines: tuple[Line, ...]
    lines_words: str
    received: str
    lines_empty: Empty
    health: tuple[HealthLine, ...]
    intact: bool
    sources: tuple[SourceLine, ...]
    sources_words: str
    sources_empty: Empty
    placed: tuple[Placed, ...]
    placed_empty: Empty


@dataclass(frozen=True, slots=True)
class Board:
    """What the board is made of, as read."""

    health: Health
    running: Page[RunRow]
    counted: Mapping[str, Mapping[str, int]]
    red: Page[TestRow]
    waiting: Page[ApprovalRow]
    environments: Sequence[EnvironmentRow]
    lines: Sequence[LogLine]
    today: int
    sources: Sequence[SourceRow]


def build_now(board: Board, resolve: Resolve, links: Links, now: datetime.datetime) -> NowView:
    """Build the board; everything it says follows from `board` and `now`."""
    shown = board.lines[0] if board.lines else None
    at = now if links.as_of is None or shown is None else words.moment(shown.recordedtime) or now
    health = health_lines(board.health, now)
    lines = tuple(line(row, links, now) for row in board.lines)
    return NowView(
        say=f"{words.long_day(at)}. {_red_sentence(board)}",
        figures=_figures(board, links, now),
        red=tuple(_red(row, links, now) for row in board.red.rows),
        red_words=f"{words.number(len(board.red.rows))} of {words.number(board.red.total)}, "
        "red for the shortest time first" if board.red.total else "none",
        red_empty=Empty("No test is red.", "Every test's last recorded outcome is not a failure.")
        if board.lines
        else Empty("No test is recorded.", "A test report brings them."),
        running=tuple(
            run_line(row, counts_of(row, board.counted), resolve, links, now, at)
            for row in board.running.rows
        ),
        running_empty=Empty("Nothing is running, as far as recorded.", "A run shows here from its "
                            "first event to its last."),
        lines=lines,
        received=received_note(lines),
        lines_words=f"{words.count(board.today, 'entry', 'entries')} "
        + ("today" if links.as_of is None else "that day"),
        lines_empty=Empty("Nothing is recorded yet.", "Send a first event:",
                          command="counterfoil record com.example.hello --data '{}'"),
        health=health,
        intact=all(each.tone in {"pass", "none"} for each in health),
        sources=tuple(source_line(row, links, at) for row in board.sources[:SOURCES_SHOWN]),
        sources_words=words.count(len(board.sources), "source"),
        sources_empty=Empty("No source has sent anything.", "Point a webhook or the pytest plugin "
                            "here."),
        placed=_placed(board.environments, links, now),
        placed_empty=Empty("No deployment is recorded.", "Deployment events bring what runs where."),
    )  # fmt: skip


def _red_sentence(board: Board) -> str:
    if not board.lines:
        return "Nothing is recorded."
    total = board.red.total
    return f"{words.count(total, 'red test')}." if total else "No test is red."


def _figures(board: Board, links: Links, now: datetime.datetime) -> tuple[Figure, ...]:
    failing = sum(counts_of(row, board.counted).red > 0 for row in board.running.rows)
    live = [
        (environment, one)
        for environment in board.environments
        if environment.production and environment.state == "present"
        for one in environment.deployed
    ]
    live.sort(key=lambda pair: pair[1].at.entry, reverse=True)
    latest = live[0][1] if live else None
    return (
        Figure("Red tests", words.number(board.red.total), "fail" if board.red.total else "",
               "by their last outcome", any(row.demo for row in board.red.rows)),
        Figure("Running", words.number(board.running.total), "",
               f"{words.number(failing)} already with a failing test" if failing
               else "none with a failing test" if board.running.total else "nothing moves",
               any(row.demo for row in board.running.rows)),
        Figure("In production",
               ref_chip(latest.what, links).short if latest else "nothing recorded", "",
               f"since {words.when(latest.at.time, now)}" + (
                   f", and {words.number(len(live) - 1)} more" if len(live) > 1 else "")
               if latest else "no deployment to production is recorded",
               any(one.at.demo for _, one in live)),
        Figure("Waiting for a signature", words.number(board.waiting.total), "",
               _waiting_words(board.waiting), any(row.demo for row in board.waiting.rows)),
    )  # fmt: skip


def _waiting_words(page: Page[ApprovalRow]) -> str:
    """Name what the first few requests without an answer are about."""
    if not page.total:
        return "no request is without an answer"
    names = [
        (row.approves[0].ref if row.approves else row.ref).partition(":")[2] for row in page.rows
    ]
    return words.listing(names[:2])


def _red(row: TestRow, links: Links, now: datetime.datetime) -> RedTest:
    last = row.last_red
    run = row.runs[-1].run if row.runs else ""
    reds = sum(one.outcome in {"failed", "error"} for one in row.runs)
    return RedTest(
        name=row.name or row.ref.partition(":")[2],
        href=links.ref(row.ref),
        run_text=run.partition(":")[2] or "unknown",
        run_href=links.to("/run", ref=run, outcome="failed") if run else links.to("/runs"),
        since=words.when(row.since.time, now) if row.since else "unknown",
        runs=f"red in {reds} of its last {words.number(len(row.runs))} outcomes"
        if len(row.runs) > 1
        else "by its only outcome",
        flaky=row.flaky,
        demo=row.demo,
        mark=mark(last.entry, links) if last else None,
    )


def health_lines(health: Health, now: datetime.datetime) -> tuple[HealthLine, ...]:
    """Say how far the log, its checkpoint, its export and its rows have come."""
    when = words.ago(health.last_recorded or "", now)
    behind = health.size - health.followed
    exported = health.exported_size
    newest = words.number(health.size - 1) if health.size else "none"
    signed = health.checkpoint_size == health.size
    seen = witnessed(health)
    return (
        HealthLine("pass" if health.size else "unknown", "pass" if health.size else "none",
                   "Committed", newest,
                   f"the last one {when}" if health.size else "no entry yet", ""),
        HealthLine("pass" if signed else "warn", "pass" if signed else "warn", "Signed checkpoint",
                   words.number(health.checkpoint_size),
                   "tree size, root" if signed
                   else f"{words.number(health.size - health.checkpoint_size)} entries wait, root",
                   health.root.hex()),
        HealthLine(seen.icon, seen.tone, "Witnessed", seen.number, seen.detail, ""),
        HealthLine("unknown" if exported is None else "pass" if exported == health.size
                   else "pending",
                   "pass" if exported == health.size else "none",
                   "Exported for anybody to check",
                   "unknown" if exported is None else words.number(exported),
                   "tree size of the public copy", ""),
        HealthLine("fail" if health.stopped else "pass" if not behind else "pending",
                   "fail" if health.stopped else "pass" if not behind else "none",
                   "Folded into these pages", words.number(health.followed),
                   health.stopped or ("nothing waits" if not behind
                                      else f"{words.count(behind, 'entry', 'entries')} wait"), ""),
        HealthLine("warn" if health.gaps else "pass", "warn" if health.gaps else "pass",
                   "Never arrived", words.number(health.gaps),
                   "numbers that producers skipped" if health.gaps
                   else "no producer skipped a number", ""),
        _reread(health, now),
        *((HealthLine("fail", "fail", "Aggregate log", "stands", health.aggregate_problem, ""),)
          if health.aggregate_problem else ()),
    )  # fmt: skip


def _reread(health: Health, now: datetime.datetime) -> HealthLine:
    """Say how much of what is kept was read again lately, and whether it is what was recorded."""
    name, seen = "Read again from the disk", health.reread
    if seen is None:
        return HealthLine("unknown", "none", name, "no", "the settings say never, or it begins", "")
    if seen.damaged:
        places = words.count(seen.damaged, "place")
        return HealthLine("fail", "fail", name, "damaged", f"{places} not as recorded", "")
    if not seen.ended:
        return HealthLine("pending", "none", name, words.number(seen.size),
                          "the first time through; nothing is damaged so far", "")  # fmt: skip
    return HealthLine("pass", "pass", name, "whole",
                      f"all of it, ended {words.ago(seen.ended, now)}", "")  # fmt: skip


def source_line(row: SourceRow, links: Links, now: datetime.datetime) -> SourceLine:
    """Build the line of one source with its last 24 hours."""
    day = sum(row.buckets)
    return SourceLine(
        name=row.source.removeprefix("https://"),
        href=links.entry(row.last),
        last=words.ago(row.last_time, now),
        count=words.number(row.count),
        bars=bars(row.buckets, step=3.2),
        spoken=f"{words.count(day, 'entry', 'entries')} in 24 hours",
        demo=row.demo,
    )


def _placed(
    environments: Sequence[EnvironmentRow], links: Links, now: datetime.datetime
) -> tuple[Placed, ...]:
    found = [(row, one) for row in environments if row.state == "present" for one in row.deployed]
    found.sort(key=lambda pair: pair[1].at.entry, reverse=True)
    return tuple(
        Placed(
            environment=row.name,
            what=ref_chip(one.what, links).short,
            full=full_ref(one.what, ref_chip(one.what, links).short),
            href=links.ref(one.what),
            since=words.when(one.at.time, now),
            demo=one.at.demo,
            mark=mark(one.at.entry, links),
        )
        for row, one in found[:PLACES_SHOWN]
    )


def now_page(request: Request, context: Context) -> Response:
    """Answer GET /."""
    reader, project, as_of = context.home.reader, context.project, context.as_of
    now = now_of(context)
    frame = frame_of(request, context, "/")
    running = reader.runs(project, as_of=as_of, limit=RUNNING_SHOWN, state="running")
    lines = reader.log_lines(project, as_of=as_of, limit=FEED_LINES)
    board = Board(
        health=health_of(context),
        running=running,
        counted=reader.case_counts(project, [row.ref for row in running.rows], as_of=as_of),
        red=reader.tests(project, as_of=as_of, limit=RED_SHOWN, colour="red"),
        waiting=reader.approvals(project, as_of=as_of, limit=2, state="requested"),
        environments=reader.environments(project, as_of=as_of),
        lines=lines,
        today=_recorded_on_the_day(reader, project, lines, moment_of(context)),
        sources=reader.sources(project, as_of=as_of),
    )
    view = build_now(board, reader.resolve, links_of(context), now)
    return render(request, "now.html", frame=frame, view=view)


def _recorded_on_the_day(
    reader: Reader, project: str, lines: Sequence[LogLine], moment: datetime.datetime
) -> int:
    """Count the entries of the day `moment` is on, up to the last one shown."""
    if not lines:
        return 0
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    before = reader.position_at(project, format_time(midnight - datetime.timedelta(milliseconds=1)))
    return max(0, lines[0].index - before)
