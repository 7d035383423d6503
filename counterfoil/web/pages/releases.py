"""Releases: the list, and the trace of one from commit to production.

Gaps stand above the drawing, in words.  A release is never called complete unless no gap was
found, and then the page says by which rules.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.answers import ActorView, LogLine, Page, ReleaseRow, Step, Trace
from counterfoil.projections.trace import LANES
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.frame import frame_of, links_of, moment_of, now_of
from counterfoil.web.pages.parts import (
    Empty,
    GapLine,
    Links,
    Mark,
    Oddity,
    Pill,
    RefChip,
    Who,
    full_ref,
    gap_lines,
    gaps_pill,
    late,
    mark,
    oddities,
    pill,
    ref_chip,
    who,
)
from counterfoil.web.pages.release_part import (
    GAPS_PER_PAGE,
    NEWEST,
    Part,
    cursor_of,
    first_gap,
    gap_of,
    gap_words,
    part_of,
    step_words,
)
from counterfoil.web.pages.render import render
from counterfoil.web.pages.runs import wanted
from counterfoil.web.pages.timeline import Drawing, draw
from counterfoil.web.pages.unknown import unknown_page

RELEASES_PER_PAGE: Final = 30
CHIPS_MAX: Final = 4

Resolve = Callable[[str], ActorView]


@dataclass(frozen=True, slots=True)
class ReleaseLine:
    """One release in the list."""

    name: str
    title: str
    href: str
    state: Pill
    who: Who
    when: str
    late: str
    where: str
    demo: bool
    mark: Mark


@dataclass(frozen=True, slots=True)
class ReleasesView:
    """The list of releases."""

    say: str
    rows: tuple[ReleaseLine, ...]
    empty: Empty
    older: str | None


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step of the trace, as a row of the list and of the narrow trail."""

    when: str
    late: str
    time: str
    who: Who
    sentence: str
    label: str
    outcome: Pill | None
    how: str
    lane: str
    icon: str
    tone: str
    demo: bool
    mark: Mark
    gaps: tuple[GapLine, ...]
    full: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One cell of the band of facts under the sentence."""

    label: str
    text: str
    refs: tuple[RefChip, ...]
    tone: str
    icon: str
    more: str
    demo: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """The trace of one release."""

    title: str
    crumb: str
    pills: tuple[Pill, ...]
    say: str
    demo: bool
    figures: tuple[Figure, ...]
    gaps: tuple[GapLine, ...]
    gap_words: str
    gaps_before: str
    gaps_after: str
    drawing: Drawing | None
    steps: tuple[StepLine, ...]
    step_words: str
    newest: str
    earlier: str
    cut: bool
    problems: tuple[Oddity, ...]
    href: str
    json_href: str
    prove_href: str
    changed_href: str
    entries: int


_STATE_TONES: Final = {
    "published": Pill("published", "none", "commit"),
    "withdrawn": Pill("withdrawn", "warn", "warn"),
    "draft": Pill("draft", "none", "pending"),
    "announced": Pill("announced", "none", "pending"),
}


def state_pill(row: ReleaseRow) -> Pill:
    """Return the pill of a release's own state."""
    return _STATE_TONES.get(row.state, Pill(row.state, "none", "unknown"))


def where_of(row: ReleaseRow) -> str:
    """Say where a release went: each environment with the last word on it."""
    last: dict[str, str] = {}
    for delivery in row.deliveries:
        name = (delivery.environment or "env:unnamed").partition(":")[2]
        last[name] = delivery.outcome
    if not last:
        return "not deployed, as far as recorded"
    return ", ".join(
        name if outcome == "succeeded" else f"{name} ({outcome})" for name, outcome in last.items()
    )


def build_releases(
    page: Page[ReleaseRow], resolve: Resolve, links: Links, now: datetime.datetime
) -> ReleasesView:
    """Build the list of releases."""
    return ReleasesView(
        say=f"{words.count(page.total, 'release')} recorded. "
        "Open one to see its way from commit to production, and what is missing in it.",
        rows=tuple(_release_line(row, resolve, links, now) for row in page.rows),
        empty=Empty(
            "No release is recorded here.",
            "A webhook from your forge brings them, or one command:",
            command="counterfoil record dev.cdeventsx.counterfoil-release.published.0.1.0",
        ),
        older=links.to("/releases", cursor=page.cursor) if page.cursor else None,
    )


def _release_line(
    row: ReleaseRow, resolve: Resolve, links: Links, now: datetime.datetime
) -> ReleaseLine:
    at = row.withdrawn or row.published or row.edited
    entry = at.entry if at else (row.entries[-1] if row.entries else 0)
    author = row.author or (at.actor if at else None)
    return ReleaseLine(
        name=row.ref.partition(":")[2],
        title=row.title or "",
        href=links.to("/release", ref=row.ref),
        state=state_pill(row),
        who=who(resolve(author) if author else None),
        when=words.when(at.time, now) if at else "not published",
        late=late(at.time, at.recordedtime, now) if at else "",
        where=where_of(row),
        demo=row.demo,
        mark=mark(entry, links),
    )


def build_release(
    row: ReleaseRow,
    trace: Trace,
    lines: dict[int, LogLine],
    resolve: Resolve,
    links: Links,
    now: datetime.datetime,
    moment: datetime.datetime | None = None,
    shown: Part = NEWEST,
) -> ReleaseView:
    """Build the trace of one release.

    Args:
        row: the release.
        trace: its chain.
        lines: log lines of the entries the steps rest on, by entry number, as far as read.
        resolve: pseudonym to actor.
        links: addresses.
        now: the present moment, which times are said against.
        moment: the moment the page is about, the present if it is None.
        shown: which steps and gaps are written out; the drawing and the counts are of them all.
    """
    steps, start = part_of(trace.steps, shown.cursor)
    first = first_gap(shown, len(trace.gaps))
    asked = {"ref": row.ref, "cursor": shown.cursor or None}
    gaps = tuple(
        line
        if first < line.number <= first + GAPS_PER_PAGE
        else replace(line, href=links.to("/release", **asked, gap=line.number) + line.href)
        for line in gap_lines(trace.gaps, links)
    )
    by_entry: dict[int, list[GapLine]] = {}
    known = {step.entry for step in trace.steps}
    hangs: dict[int, int] = {}
    for gap, line in zip(trace.gaps, gaps, strict=True):
        entry = next((index for index in reversed(gap.entries) if index in known), None)
        if entry is not None:
            hangs[line.number] = entry
            by_entry.setdefault(entry, []).append(line)
    return ReleaseView(
        title=row.ref.partition(":")[2],
        crumb=row.name,
        pills=(gaps_pill(len(gaps)),),
        say=sentence(row, trace, now),
        demo=row.demo or any(step.demo for step in trace.steps),
        figures=_figures(row, trace, links),
        gaps=gaps[first : first + GAPS_PER_PAGE],
        gap_words=gap_words(len(gaps), first),
        gaps_before=links.to("/release", **asked, gap=first + 1 - GAPS_PER_PAGE) if first else "",
        gaps_after=links.to("/release", **asked, gap=first + 1 + GAPS_PER_PAGE)
        if first + GAPS_PER_PAGE < len(gaps)
        else "",
        drawing=draw(trace.steps, gaps, hangs, LANES, links, moment or now),
        steps=tuple(
            _step_line(step, lines.get(step.entry), by_entry.get(step.entry, []), resolve, links,
                       now)
            for step in reversed(steps)
        ),
        step_words=step_words(trace, steps, start),
        newest=links.to("/release", ref=row.ref) if shown.cursor else "",
        earlier=links.to("/release", ref=row.ref, cursor=cursor_of(trace.steps, start))
        if start
        else "",
        cut=trace.cut,
        problems=oddities(row.problems, links),
        href=links.to("/release", ref=row.ref),
        json_href=links.to("/v1/trace", ref=row.ref),
        prove_href=links.to("/v1/prove", ref=row.ref),
        changed_href=links.to("/changed", ref=row.ref),
        entries=len({step.entry for step in trace.steps}),
    )  # fmt: skip


def sentence(row: ReleaseRow, trace: Trace, now: datetime.datetime) -> str:
    """Answer the page's question in one sentence: what happened, what is missing."""
    reached = [d for d in row.deliveries if d.outcome == "succeeded"]
    if row.withdrawn:
        start = f"Withdrawn {words.when(row.withdrawn.time, now)}."
    elif reached:
        last = reached[-1]
        where = (last.environment or "env:an unnamed environment").partition(":")[2]
        start = f"In {where} since {words.when(last.at.time, now)}."
    elif row.published:
        start = f"Published {words.when(row.published.time, now)}; no deployment of it is recorded."
    else:
        start = "Spoken of, not published as far as recorded."
    if trace.cut:
        rest = "The chain is longer than what is shown, so more may be missing than is listed."
    elif len(trace.gaps) == 1:
        rest = "From commit to deployment, one thing is missing."
    elif trace.gaps:
        rest = f"From commit to deployment, {words.number(len(trace.gaps))} things are missing."
    else:
        rest = "By the rules of this page nothing is missing between what is recorded."
    return f"{start} {rest}"


def _figures(row: ReleaseRow, trace: Trace, links: Links) -> tuple[Figure, ...]:
    refs = tuple(dict.fromkeys([*(piece.ref for piece in row.contents), *trace.refs]))

    def chips(kind: str) -> tuple[RefChip, ...]:
        return tuple(ref_chip(ref, links) for ref in refs if ref.startswith(kind + ":"))

    made = []
    for label, kind in (("Artifact", "artifact"), ("Change", "change"), ("Commits", "commit")):
        found = chips(kind)
        more = len(found) - CHIPS_MAX
        made.append(
            Figure(label, "" if found else "none recorded", found[:CHIPS_MAX], "", "",
                   f"and {words.number(more)} more" if more > 0 else "")
        )  # fmt: skip
    runs = [step for step in trace.steps if step.lane == "Runs" and step.outcome]
    passed = sum(step.outcome == "passed" for step in runs)
    red = sum(step.outcome in {"failed", "error"} for step in runs)
    if runs:
        tone, icon = ("fail", "fail") if red else ("pass", "pass")
        tone, icon = (tone, icon) if passed + red == len(runs) else ("", "unknown")
        made.append(Figure("Runs passed", f"{words.number(passed)} of {words.number(len(runs))}",
                           (), tone, icon, ""))  # fmt: skip
    else:
        made.append(Figure("Runs passed", "no run recorded", (), "", "unknown", ""))
    signed = sum(step.state == "signed" for step in row.approvals)
    made.append(
        Figure("Approved by", f"{words.number(signed)} recorded" if signed else "nobody, as "
               "far as recorded", (), "", "" if signed else "unknown", "")
    )  # fmt: skip
    times = [step.time for step in trace.steps if step.lane == "Commits"]
    reached = [d.at.time for d in row.deliveries if d.outcome == "succeeded"]
    made.append(
        Figure("First commit to deployment",
               words.between(min(times), max(reached)) if times and reached else "not yet",
               (), "", "", "")
    )  # fmt: skip
    return tuple(replace(each, demo=_made_up(each.label, trace)) for each in made)


_LANES_OF: Final = {
    "Artifact": {"Build"}, "Change": {"Change", "Review"}, "Commits": {"Commits"},
    "Runs passed": {"Runs"}, "Approved by": {"Approval"},
    "First commit to deployment": {"Commits", "Deployment"},
}  # fmt: skip


def _made_up(label: str, trace: Trace) -> bool:
    """Say whether the steps a figure is made of are of the demonstration data."""
    return any(step.demo and step.lane in _LANES_OF[label] for step in trace.steps)


_ICONS: Final = {"Commits": "commit", "Change": "commit", "Review": "person", "Approval": "person"}
_VIA: Final = {
    "webhook": "webhook", "cli": "command line", "pytest": "pytest", "api": "API",
    "otlp": "OpenTelemetry", "web": "web page", "reconcile": "reconciliation",
    "server": "this server",
}  # fmt: skip


def via_words(via: str) -> str:
    """Say how an entry arrived."""
    return _VIA.get(via, via)


def _step_line(
    step: Step,
    line: LogLine | None,
    gaps: Sequence[GapLine],
    resolve: Resolve,
    links: Links,
    now: datetime.datetime,
) -> StepLine:
    actor = line.actor if line else (resolve(step.actor) if step.actor else None)
    state = pill(step.outcome) if step.outcome else None
    return StepLine(
        when=words.when(step.time, now),
        late=late(step.time, step.recordedtime, now),
        time=step.time,
        who=who(actor),
        sentence=step.sentence,
        label=step.label,
        outcome=None if _says_outcome(step) else state,
        how=via_words(line.via) if line else "not read",
        lane=step.lane,
        icon=state.icon if state else _ICONS.get(step.lane, "service"),
        tone=state.tone if state else "second",
        demo=step.demo,
        mark=mark(step.entry, links),
        gaps=tuple(gaps),
        full=full_ref(step.ref, step.sentence),
    )


def _says_outcome(step: Step) -> bool:
    """Say whether the sentence of a step holds its outcome: those of these lanes always do."""
    return step.lane in {"Review", "Approval"} or (step.outcome or "") in step.sentence


def releases_page(request: Request, context: Context) -> Response:
    """Answer GET /releases."""
    reader = context.home.reader
    frame = frame_of(request, context, "/releases")
    page = reader.releases(
        context.project,
        as_of=context.as_of,
        cursor=request.query_params.get("cursor"),
        limit=RELEASES_PER_PAGE,
    )
    view = build_releases(page, reader.resolve, links_of(context), now_of(context))
    return render(request, "releases.html", frame=frame, view=view)


def release_page(request: Request, context: Context) -> Response:
    """Answer GET /release?ref=.

    Raises:
        RequestError: `not_found`, `query_invalid`.
    """
    reader, ref = context.home.reader, wanted(request)
    frame = frame_of(request, context, "/releases", ref)
    row = reader.release(context.project, ref, as_of=context.as_of)
    if row is None:
        return unknown_page(request, context, ref, "/releases")
    trace = reader.trace(context.project, ref, as_of=context.as_of)
    shown = Part(request.query_params.get("cursor", ""), gap_of(request))
    steps, _ = part_of(trace.steps, shown.cursor)
    lines = reader.lines(context.project, [step.entry for step in steps])
    view = build_release(
        row, trace, lines, reader.resolve, links_of(context), now_of(context), moment_of(context),
        shown,
    )  # fmt: skip
    return render(request, "release.html", frame=frame, view=view)
