"""Runs and tests: the list of runs, and one run with its cases.

Builders are pure; handlers read through `home.reader` and nothing else.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.answers import ActorView, CaseRow, Page, RunRow
from counterfoil.errors import RequestError
from counterfoil.projections.base import At
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.frame import frame_of, links_of, moment_of, now_of
from counterfoil.web.pages.parts import (
    Counts,
    Empty,
    Links,
    Mark,
    Oddity,
    Pill,
    Progress,
    RefChip,
    Who,
    late,
    mark,
    oddities,
    pill,
    ref_chip,
    who,
)
from counterfoil.web.pages.render import render
from counterfoil.web.pages.unknown import unknown_page

RUNS_PER_PAGE: Final = 40
CASES_PER_PAGE: Final = 56
OUTCOMES: Final = ("failed", "error", "skipped", "passed", "cancelled", "running")

Resolve = Callable[[str], ActorView]


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run in a list."""

    name: str
    detail: str
    href: str
    state: Pill
    progress: Progress | None
    refs: tuple[RefChip, ...]
    who: Who
    when: str
    late: str
    lasted: str
    mark: Mark
    odd: str
    demo: bool


@dataclass(frozen=True, slots=True)
class RunsView:
    """The list of runs."""

    say: str
    rows: tuple[RunLine, ...]
    empty: Empty
    older: str | None


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One attempt of one test."""

    name: str
    href: str | None
    detail: str
    state: Pill
    lasted: str
    reason: str
    demo: bool
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter as a link."""

    text: str
    href: str
    active: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """A labelled fact with its mark."""

    label: str
    text: str
    refs: tuple[RefChip, ...]
    who: Who | None
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class RunView:
    """One run."""

    title: str
    state: Pill
    say: str
    progress: Progress | None
    facts: tuple[Fact, ...]
    choices: tuple[Choice, ...]
    cases: tuple[CaseLine, ...]
    case_words: str
    order_words: str
    empty: Empty
    older: str | None
    warnings: tuple[Oddity, ...]
    problems: tuple[Oddity, ...]
    changed_href: str
    demo: bool
    mark: Mark


def title_of(row: RunRow) -> str:
    """Return what a run is called: its name and id, whichever are known."""
    name = row.ref.partition(":")[2]
    return f"{row.name}, {name}" if row.name and row.name not in name else name


def state_of(row: RunRow) -> Pill:
    """Return how a run stands: its outcome once it has ended, its state before."""
    if row.state == "finished":
        return pill(row.outcome)
    return pill(row.state)


def last_at(row: RunRow) -> At | None:
    """Return the latest thing known of a run."""
    return row.finished or row.lost or row.started or row.queued or row.planned


def lasted(row: RunRow, moment: datetime.datetime) -> str:
    """Say how long a run took, or had been going at the moment shown."""
    if row.started and row.finished:
        return words.between(row.started.time, row.finished.time)
    if row.started and row.lost:
        return f"{words.between(row.started.time, row.lost.time)} until it was lost"
    if row.started and row.state == "running":
        return f"{words.between(row.started.time, moment.isoformat())} so far"
    return "not stated"


def counts_of(row: RunRow, counted: Mapping[str, Mapping[str, int]]) -> Counts:
    """Return the outcomes of a run: of its recorded cases, else as its sender says."""
    return Counts(dict(counted.get(row.ref) or reported(row)))


def reported(row: RunRow) -> dict[str, int]:
    """Return the outcomes a run's sender counted; its total is no outcome."""
    return {name: n for name, n in row.counts.items() if name != "total"}


def run_line(
    row: RunRow,
    counts: Counts,
    resolve: Resolve,
    links: Links,
    now: datetime.datetime,
    moment: datetime.datetime | None = None,
) -> RunLine:
    """Build one line of a list of runs; `moment` is what the page is about, None for now."""
    at = last_at(row)
    named = [ref for ref in (row.commit, row.environment, row.change) if ref]
    return RunLine(
        name=title_of(row),
        detail=row.reason or "",
        href=links.to("/run", ref=row.ref),
        state=state_of(row),
        progress=counts.progress(running=row.state == "running"),
        refs=tuple(ref_chip(ref, links) for ref in named),
        who=who(resolve(at.actor) if at and at.actor else None),
        when=words.when(at.time, now) if at else "unknown",
        late=late(at.time, at.recordedtime, now) if at else "",
        lasted=lasted(row, moment or now),
        mark=mark(row.entries[-1] if row.entries else 0, links),
        odd=words.count(len(row.problems), "thing does not fit", "things do not fit")
        if row.problems
        else "",
        demo=row.demo,
    )


def build_runs(
    page: Page[RunRow],
    counted: Mapping[str, Mapping[str, int]],
    resolve: Resolve,
    links: Links,
    now: datetime.datetime,
    moment: datetime.datetime | None = None,
) -> RunsView:
    """Build the list of runs, most recent first; `moment` as in `run_line`."""
    running = sum(row.state == "running" for row in page.rows)
    red = sum(row.outcome in {"failed", "error"} for row in page.rows)
    said = [f"{words.count(page.total, 'run')} recorded, the latest first."]
    if page.rows:
        said.append(f"Of the {words.number(len(page.rows))} shown, {red} failed" + (
            f", {running} still running." if running else "."
        ))  # fmt: skip
    return RunsView(
        say=" ".join(said),
        rows=tuple(
            run_line(row, counts_of(row, counted), resolve, links, now, moment) for row in page.rows
        ),
        empty=Empty(
            "No run is recorded here.",
            "The first report or webhook brings one:",
            command="counterfoil report results.xml",
        ),
        older=links.to("/runs", cursor=page.cursor) if page.cursor else None,
    )


def case_line(row: CaseRow, links: Links) -> CaseLine:
    """Build one line of a run's cases."""
    name = row.test.partition(":")[2]
    detail = [] if not row.name or row.name == name else [name]
    if row.attempt > 1:
        detail.append(f"attempt {row.attempt}")
    entry = row.at.entry if row.at else (row.entries[-1] if row.entries else None)
    return CaseLine(
        name=row.name or name,
        href=links.ref(row.test),
        detail=", ".join(detail),
        state=pill(row.outcome),
        lasted="not stated" if row.duration_ms is None else _short_time(row.duration_ms),
        reason=row.reason or "",
        demo=row.demo,
        mark=mark(entry, links) if entry is not None else None,
    )


def _short_time(duration_ms: int) -> str:
    return f"{words.number(duration_ms)} ms" if duration_ms < 1000 else words.duration(
        duration_ms / 1000
    )  # fmt: skip


def build_run(
    row: RunRow,
    counts: Counts,
    cases: Page[CaseRow],
    outcome: str | None,
    resolve: Resolve,
    links: Links,
    now: datetime.datetime,
    attempts: str | None = None,
    moment: datetime.datetime | None = None,
) -> RunView:
    """Build the page of one run.

    Args:
        row: the run.
        counts: its cases by outcome, and the attempts before their last.
        cases: the attempts shown.
        outcome: the outcome they are narrowed to.
        resolve: pseudonym to actor.
        links: addresses.
        now: the present moment.
        attempts: "earlier" or "last", where they are narrowed to those.
        moment: the moment the page is about, None for now.
    """
    state = state_of(row)
    return RunView(
        title=title_of(row),
        state=state,
        say=_sentence(row, counts, now),
        progress=counts.progress(),
        facts=_facts(row, resolve, links, moment or now),
        choices=_choices(row, counts, (outcome, attempts), links),
        cases=tuple(case_line(each, links) for each in cases.rows),
        case_words=_case_words(counts, cases, outcome),
        order_words=_order_words(counts, outcome, attempts),
        empty=_no_cases(counts, outcome),
        older=links.to("/run", ref=row.ref, outcome=outcome, attempts=attempts, cursor=cases.cursor)
        if cases.cursor
        else None,
        warnings=tuple(Oddity(text, None) for text in row.warnings),
        problems=oddities(row.problems, links),
        changed_href=links.to("/changed", ref=row.ref),
        demo=row.demo,
        mark=mark(row.entries[-1] if row.entries else 0, links),
    )


def _sentence(row: RunRow, counts: Counts, now: datetime.datetime) -> str:
    at = last_at(row)
    when = words.when(at.time, now) if at else "at an unknown time"
    done = {"finished": "Finished", "running": "Running since", "queued": "Queued",
            "planned": "Planned", "lost": "Lost"}.get(row.state, "Known since")  # fmt: skip
    said = [f"{done} {when} UTC."]
    if row.state == "lost" and row.reason:
        said.append(f"It was {row.reason}.")
    if counts.total:
        progress = counts.progress()
        assert progress is not None
        after = f", after {words.listing(counts.retried())}" if counts.retried() else ""
        said.append(f"{progress.spoken}{after}.")
    elif row.kind in {"test", ""}:
        said.append("No case of it is recorded.")
    claimed = sum(reported(row).values())
    if claimed and counts.total != claimed:
        said.append(
            f"Its sender counts {words.number(claimed)}; "
            f"{words.number(counts.total)} are recorded here."
        )
    return " ".join(said)


def _facts(
    row: RunRow, resolve: Resolve, links: Links, moment: datetime.datetime
) -> tuple[Fact, ...]:
    made: list[Fact] = []
    for label, ref in (
        ("Commit", row.commit), ("Environment", row.environment), ("Change", row.change),
        ("Part of", row.parent),
    ):  # fmt: skip
        chips: tuple[RefChip, ...] = (ref_chip(ref, links),) if ref else ()
        if ref or label in {"Commit", "Environment"}:
            made.append(Fact(label, "" if ref else "not stated", chips, None, None))
    for role, label in (("input", "Took in"), ("output", "Made")):
        chips = tuple(ref_chip(piece.ref, links) for piece in row.artifacts if piece.role == role)
        if chips:
            made.append(Fact(label, "", chips, None, None))
    for label, at in (("Planned", row.planned), ("Queued", row.queued), ("Started", row.started),
                      ("Finished", row.finished), ("Lost", row.lost)):  # fmt: skip
        if at:
            actor = who(resolve(at.actor) if at.actor else None)
            made.append(Fact(label, words.full_time(at.time), (), actor, mark(at.entry, links)))
    made.append(Fact("Took", lasted(row, moment), (), None, None))
    if row.tests_planned:
        made.append(Fact("Tests planned", words.number(row.tests_planned), (), None, None))
    if row.attempt:
        made.append(Fact("Attempt", words.number(row.attempt), (), None, None))
    return tuple(made)


def _case_words(counts: Counts, cases: Page[CaseRow], outcome: str | None) -> str:
    shown, total = words.number(len(cases.rows)), words.number(cases.total)
    if not counts.retried():
        return f"{shown} of {words.count(cases.total, 'case')}"
    if outcome:
        return f"{shown} of {words.count(cases.total, 'attempt')}"
    part = "" if shown == total else f", {shown} of them shown"
    return f"{words.count(counts.total, 'case')}, {words.count(cases.total, 'attempt')}{part}"


def _order_words(counts: Counts, outcome: str | None, attempts: str | None) -> str:
    """Say how the cases are sorted (see `Reader.cases`)."""
    if outcome or attempts or not counts.red:
        return "In the order they were recorded."
    first = [
        words
        for name, words in (("failed", "what failed"), ("error", "what could not be carried out"))
        if counts.by_outcome.get(name)
    ]
    return f"First {', then '.join(first)}, then the rest in the order they were recorded."


def _choices(
    row: RunRow, counts: Counts, chosen: tuple[str | None, str | None], links: Links
) -> tuple[Choice, ...]:
    """Return the ways to narrow the cases; with retries, last and earlier attempts apart."""
    if not counts.total:
        return ()
    retried = sum(counts.earlier.values())
    last = "last" if retried else None
    every = words.number(counts.total)
    if retried:
        every = words.count(counts.total + retried, "attempt")
    made: list[tuple[str, str | None, str | None]] = [(f"all {every}", None, None)]
    made += [
        (f"{words.number(n)} {name}", name, last)
        for name in OUTCOMES
        if (n := counts.by_outcome.get(name, 0))
    ]
    made += [
        (words.count(n, f"{name} attempt"), name, "earlier")
        for name, n in sorted(counts.earlier.items())
        if n
    ]
    return tuple(
        Choice(text, links.to("/run", ref=row.ref, outcome=outcome, attempts=attempts),
               (outcome, attempts) == chosen)
        for text, outcome, attempts in made
    )  # fmt: skip


def _no_cases(counts: Counts, outcome: str | None) -> Empty:
    if outcome and counts.total:
        return Empty(f"No case of this run is {outcome}.", "Choose another outcome above.")
    return Empty(
        "This run has no recorded case.",
        "Its result stands alone; a report with cases adds them:",
        command="counterfoil report results.xml",
    )


def runs_page(request: Request, context: Context) -> Response:
    """Answer GET /runs."""
    reader = context.home.reader
    frame = frame_of(request, context, "/runs")
    page = reader.runs(
        context.project,
        as_of=context.as_of,
        cursor=request.query_params.get("cursor"),
        limit=RUNS_PER_PAGE,
    )
    counted = reader.case_counts(
        context.project, [row.ref for row in page.rows], as_of=context.as_of
    )
    view = build_runs(
        page, counted, reader.resolve, links_of(context), now_of(context), moment_of(context)
    )
    return render(request, "runs.html", frame=frame, view=view)


def run_page(request: Request, context: Context) -> Response:
    """Answer GET /run?ref=.

    Raises:
        RequestError: `not_found`, `query_invalid`.
    """
    reader, ref = context.home.reader, wanted(request)
    outcome = request.query_params.get("outcome") or None
    frame = frame_of(request, context, "/runs", ref)
    attempts = request.query_params.get("attempts") or None
    row = reader.run(context.project, ref, as_of=context.as_of)
    if row is None:
        return unknown_page(request, context, ref, "/runs")
    cases = reader.cases(
        context.project,
        ref,
        as_of=context.as_of,
        cursor=request.query_params.get("cursor"),
        limit=CASES_PER_PAGE,
        outcome=outcome,
        earlier={"earlier": True, "last": False}.get(attempts or ""),
        red_first=True,
    )
    early = reader.case_counts(context.project, [ref], as_of=context.as_of, earlier=True)
    counted = reader.case_counts(context.project, [ref], as_of=context.as_of)
    counts = replace(counts_of(row, counted), earlier=early[ref])
    view = build_run(
        row, counts, cases, outcome, reader.resolve, links_of(context), now_of(context), attempts,
        moment_of(context),
    )  # fmt: skip
    return render(request, "run.html", frame=frame, view=view)


def wanted(request: Request) -> str:
    """Return `?ref=`.

    Raises:
        RequestError: `query_invalid` when there is none.
    """
    ref = request.query_params.get("ref", "")
    if not ref:
        raise RequestError("query_invalid", "ref is missing: name the thing as ?ref=kind:id")
    return ref
