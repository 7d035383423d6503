"""What changed since: a run against the last green one, a release since a moment, all tests."""

import datetime
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.answers import Gap, LogLine
from counterfoil.app.changed import Changed, changed
from counterfoil.projections.changed import GapChange, RunChange, TraceChange, Turned
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.changed_parts import (
    SHOWN_MAX,
    BetweenView,
    ReleaseView,
    Resolve,
    between_view,
    more_words,
    release_sentence,
    release_view,
)
from counterfoil.web.pages.frame import frame_of, links_of, now_of
from counterfoil.web.pages.parts import (
    Empty,
    Line,
    Links,
    Mark,
    Pill,
    RefChip,
    line,
    mark,
    pill,
    received_note,
    ref_chip,
)
from counterfoil.web.pages.render import render

LINES_MAX: Final = 25
_RED: Final = frozenset({"failed", "error"})


@dataclass(frozen=True, slots=True)
class TurnedLine:
    """One test: what it was, what it is."""

    name: str
    href: str | None
    before: Pill | None
    after: Pill | None
    before_mark: Mark | None
    after_mark: Mark | None


@dataclass(frozen=True, slots=True)
class Group:
    """Tests that changed in the same way; `more` says how many are not shown."""

    title: str
    count: str
    lines: tuple[TurnedLine, ...]
    more: str
    old_head: str
    new_head: str


@dataclass(frozen=True, slots=True)
class DiffersLine:
    """A fact and both its values."""

    what: str
    before: RefChip | None
    after: RefChip | None


@dataclass(frozen=True, slots=True)
class GapChangeLine:
    """A gap that came, went, or is said in other words."""

    word: str
    tone: str
    icon: str
    what: str
    why: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class ChangedView:
    """The page."""

    title: str
    crumb: str
    crumb_href: str
    about_href: str | None
    say: str
    pills: tuple[Pill, ...]
    groups: tuple[Group, ...]
    differs: tuple[DiffersLine, ...]
    differs_words: str
    gaps: tuple[GapChangeLine, ...]
    gap_words: str
    shows_gaps: bool
    lines: tuple[Line, ...]
    lines_words: str
    received: str
    empty: Empty | None
    since_ref: str
    since: str
    json_href: str
    between: BetweenView | None
    release: ReleaseView | None


def build_changed(
    found: Changed,
    since: str,
    lines: dict[int, LogLine],
    resolve: Resolve,
    links: Links,
    now: datetime.datetime,
) -> ChangedView:
    """Build the page.

    Args:
        found: what changed.
        since: what was asked for, as it was asked.
        lines: log lines of the steps of a chain, or the last ones of the log, by number.
        resolve: pseudonym to actor.
        links: addresses.
        now: the present moment.
    """
    name = found.ref.partition(":")[2]
    kind = found.ref.partition(":")[0]
    crumb, path = {"run": ("Runs and tests", "/runs"), "release": ("Releases", "/releases")}.get(
        kind, ("Log and proofs", "/log")
    )
    shown = sorted(lines.values(), key=lambda row: -row.index)
    listed = tuple(line(row, links, now) for row in shown[:LINES_MAX])
    return ChangedView(
        title=f"What changed in {name}" if name else "What changed",
        crumb=crumb,
        crumb_href=links.to(path),
        about_href=links.ref(found.ref) if found.ref else None,
        say=_sentence(found),
        pills=_pills(found),
        groups=_groups(found, links),
        differs=tuple(
            DiffersLine(
                one.what,
                ref_chip(one.before, links) if one.before else None,
                ref_chip(one.after, links) if one.after else None,
            )
            for one in (found.run.differs if found.run else ())
        ),
        differs_words="" if found.run is None else words.count(len(found.run.differs), "fact"),
        gaps=_gaps(found.trace, links),
        gap_words=_gap_words(found.trace),
        shows_gaps=found.trace is not None,
        lines=listed,
        received=received_note(listed),
        lines_words=f"{words.number(min(len(shown), LINES_MAX))} of "
        f"{words.count(len(shown), 'entry', 'entries')}, the latest first",
        empty=_empty(found),
        since_ref=found.ref,
        since=since,
        between=between_view(found.between, resolve, links) if found.between else None,
        release=release_view(found.release, links) if found.release else None,
        json_href=links.to("/v1/changed", ref=found.ref or None, since=since or None),
    )  # fmt: skip


def _sentence(found: Changed) -> str:
    if found.run is not None:
        return _run_sentence(found.run)
    if found.ref.startswith("run:"):
        return "There is no earlier green run of this name to compare with."
    if found.release is not None:
        return release_sentence(found.release)
    if found.ref.startswith("release:") and found.trace is None:
        return "There is no earlier release of this name to compare with."
    then = -1 if found.since is None else found.since
    after = f"since entry {words.number(then)}" if then >= 0 else "since the start"
    if found.trace is not None:
        gaps = found.trace
        return (
            f"{words.count(len(gaps.steps), 'step')} added to its way {after}. "
            f"{words.count(len(gaps.opened), 'gap')} opened, {words.number(len(gaps.closed))} "
            f"closed, {words.number(gaps.still + len(gaps.reworded))} still there."
        )
    turned = [one for one in found.tests if one.before is not None]
    red = sum(one.after in _RED for one in found.tests)
    return (
        f"{words.count(found.as_of - then, 'entry was', 'entries were')} recorded {after}; "
        f"{words.count(len(turned), 'test')} turned, "
        f"{words.number(len(found.tests) - len(turned))} were seen for the first time, "
        f"{words.number(red)} of them all are red."
    )


def _run_sentence(change: RunChange) -> str:
    red = sum(one.after in _RED for one in change.turned)
    said = [
        f"Against {change.before.partition(':')[2]}: "
        f"{words.count(len(change.turned), 'test')} came out otherwise"
        + (f", {words.number(red)} of them red now" if red else "")
        + f"; {words.number(len(change.added))} came, {words.number(len(change.gone))} went; "
        f"{words.number(change.same)} as before."
    ]
    if change.cut:
        said.append("A run has more cases than were compared.")
    return " ".join(said)


def _pills(found: Changed) -> tuple[Pill, ...]:
    if found.run is not None:
        red = sum(one.after in _RED for one in found.run.turned)
        return (Pill(f"{words.number(red)} turned red", "fail", "fail"),) if red else ()
    if found.trace is not None and found.trace.opened:
        count = words.count(len(found.trace.opened), "gap")
        return (Pill(f"{count} opened", "fail", "gap"),)
    return ()


def _groups(found: Changed, links: Links) -> tuple[Group, ...]:
    made: tuple[tuple[str, tuple[Turned, ...]], ...]
    if found.run is not None:
        heads = ("Before", "Now")
        made = (
            ("Came out otherwise", found.run.turned),
            ("Only in this run", found.run.added),
            ("Not in this run", found.run.gone),
        )
    else:
        heads = ("Then", "Now")
        made = (
            ("Turned", tuple(one for one in found.tests if one.before is not None)),
            ("Seen for the first time", tuple(one for one in found.tests if one.before is None)),
        )
    return tuple(_group(title, turned, heads, links) for title, turned in made if turned)


def _group(title: str, turned: tuple[Turned, ...], heads: tuple[str, str], links: Links) -> Group:
    return Group(
        title=title,
        count=words.count(len(turned), "test"),
        lines=tuple(
            TurnedLine(
                name=one.name or one.test.partition(":")[2],
                href=links.ref(one.test),
                before=pill(one.before) if one.before else None,
                after=pill(one.after) if one.after else None,
                before_mark=None if one.before_entry is None else mark(one.before_entry, links),
                after_mark=None if one.after_entry is None else mark(one.after_entry, links),
            )
            for one in turned[:SHOWN_MAX]
        ),
        more=more_words(len(turned)),
        old_head=heads[0],
        new_head=heads[1],
    )


def _gaps(change: TraceChange | None, links: Links) -> tuple[GapChangeLine, ...]:
    if change is None:
        return ()
    made = [
        ("Opened.", "fail", "gap", change.opened),
        ("Moved on.", "warn", "gap", change.reworded),
        ("Closed.", "pass", "pass", change.closed),
    ]
    return tuple(
        _gap_line(each, word, tone, icon, links)
        for word, tone, icon, several in made
        for each in several
    )


def _gap_line(each: GapChange, word: str, tone: str, icon: str, links: Links) -> GapChangeLine:
    gap = each.after or each.before
    assert isinstance(gap, Gap), "a change has one side at least"
    why = f"It said: {each.before.what}" if each.after and each.before else gap.why
    marks = tuple(mark(entry, links) for entry in gap.entries[:3])
    return GapChangeLine(word, tone, icon, gap.what, why, marks)


def _gap_words(change: TraceChange | None) -> str:
    if change is None:
        return ""
    return f"{words.number(len(change.opened))} opened, {words.number(len(change.closed))} closed"


def _empty(found: Changed) -> Empty | None:
    if found.run is None and found.ref.startswith("run:"):
        return Empty(
            "No earlier run of this name passed.",
            "Name a run to compare with, or wait for the first green one.",
        )
    if found.ref.startswith("release:") and found.trace is None and found.release is None:
        return Empty(
            "No earlier release of this name is recorded.",
            "Name a release to compare with, or a moment whose chain is meant.",
        )
    if found.run is not None and not (
        found.run.turned or found.run.added or found.run.gone or found.run.differs
    ):
        return Empty("Nothing differs.", "Every test came out as before, on the same commit.")
    if found.trace is not None and not found.trace.steps and not found.trace.opened:
        return Empty("Nothing was added.", "No step of it was recorded after that entry.")
    if not found.ref and found.since == found.as_of:
        return Empty("Nothing was recorded after that entry.", "It is the last one known here.")
    return None


def changed_page(request: Request, context: Context) -> Response:
    """Answer GET /changed?ref=&since=.

    Raises:
        RequestError: `not_found`, `query_invalid`, `ref_invalid`.
    """
    reader, project = context.home.reader, context.project
    ref = request.query_params.get("ref", "")
    since = request.query_params.get("since", "").strip()
    active = {"run": "/runs", "release": "/releases"}.get(ref.partition(":")[0], "/log")
    frame = frame_of(request, context, active, ref)
    as_of = frame.asof.index
    found = changed(reader, project, ref, since, as_of)
    if found.trace is not None:
        wanted = [step.entry for step in found.trace.steps]
    elif not ref and found.since is not None:
        wanted = list(range(max(found.since, as_of - LINES_MAX) + 1, as_of + 1))
    else:
        wanted = []
    view = build_changed(
        found,
        since,
        reader.lines(project, wanted),
        reader.resolve,
        links_of(context),
        now_of(context),
    )
    return render(request, "changed.html", frame=frame, view=view)
