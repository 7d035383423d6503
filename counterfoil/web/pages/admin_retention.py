"""Retention and holds of one project: how long things are kept, what would go, what is held."""

from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.acting_holds import words_of
from counterfoil.app.acting_retention import Previewed
from counterfoil.app.retention import Going, Held, Plan
from counterfoil.clock import format_time
from counterfoil.policy.keeping import Hold, Kept, Rule
from counterfoil.policy.presets import PRESETS
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.admin_desk import (
    Chip,
    Desk,
    admin_render,
    desk_of,
    forms_of,
    head_of,
)
from counterfoil.web.pages.forms import Form, Forms, Words
from counterfoil.web.pages.parts import Empty, Links, Mark, Pill, mark

EXPIRED_SHOWN = 20
TYPES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule in force."""

    name: str
    types: str
    days: str
    rests_on: str
    reason: str
    by: Chip
    when: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class HoldRow:
    """One hold; `state` is None while it holds."""

    hold: int
    case: str
    on: str
    reason: str
    by: Chip
    when: str
    state: Pill | None
    mark: Mark
    release: Form | None


@dataclass(frozen=True, slots=True)
class GoneRow:
    """What expired at one time by one rule."""

    said: str
    when: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class GoingRow:
    """What would go by one rule: how much, from where to where, of which types."""

    said: str
    span: str
    types: tuple[tuple[str, str], ...]
    first: Mark
    last: Mark


@dataclass(frozen=True, slots=True)
class HeldRow:
    """What would go, but for a hold."""

    said: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class PreviewView:
    """What would go at a moment, and the form that lets exactly that go."""

    said: str
    going: tuple[GoingRow, ...]
    held: tuple[HeldRow, ...]
    digest: str
    empty: Empty
    run: Form | None


@dataclass(frozen=True, slots=True)
class RetentionView:
    """The page."""

    project: str
    rules: tuple[RuleRow, ...]
    holds: tuple[HoldRow, ...]
    released: tuple[HoldRow, ...]
    gone: tuple[GoneRow, ...]
    next_run: str
    no_rule: Empty
    no_hold: Empty


def build_retention(
    context: Context, desk: Desk, forms: Forms, kept: Kept, links: Links
) -> RetentionView:
    """Build the page about one project; `links` lead into its log."""
    next_run = context.home.retention.next_run() if context.as_of is None else None
    holds = [_hold(context, desk, forms, one, links) for one in kept.holds.values()]
    return RetentionView(
        project=context.around,
        rules=tuple(_rule(desk, one, links) for one in sorted(
            kept.rules.values(), key=lambda one: one.name)),
        holds=tuple(row for row in holds if row.state is None),
        released=tuple(row for row in reversed(holds) if row.state is not None),
        gone=tuple(
            GoneRow(
                f"{words.count(one.count, 'entry', 'entries')} by rule {one.rule}",
                desk.when(one.time), mark(one.entry, links),
            )
            for one in reversed(kept.expired[-EXPIRED_SHOWN:])
        ),
        next_run=f"What is due goes by itself next {words.when(format_time(next_run), desk.at)}."
        if next_run else "Nothing goes by itself.",
        no_rule=Empty("There is no rule.", "Everything is kept for good."),
        no_hold=Empty("Nothing is held.", "What is due by the rules goes."),
    )  # fmt: skip


def _rule(desk: Desk, one: Rule, links: Links) -> RuleRow:
    preset = PRESETS.get(one.preset)
    rests_on = ""
    if preset is not None:
        rests_on = preset.rests_on + (f". Our choice: {preset.ours}" if preset.ours else "")
    return RuleRow(
        name=one.name,
        types="every type" if one.types == "*" else one.types,
        days=words.count(one.days, "day"),
        rests_on=rests_on,
        reason=one.reason,
        by=desk.chip(desk.directory.person_of(one.by)),
        when=desk.when(one.time),
        mark=mark(one.entry, links),
    )


def _hold(context: Context, desk: Desk, forms: Forms, one: Hold, links: Links) -> HoldRow:
    release = forms.form(
        "hold-release", "Release", "Release", key=str(one.entry), tone="refuse",
        hidden={"hold": str(one.entry), "project": context.around},
    ) if one.released < 0 else None  # fmt: skip
    return HoldRow(
        hold=one.entry,
        case=one.case or "erased",
        on=words_of(context.home, one),
        reason=one.reason,
        by=desk.chip(desk.directory.person_of(one.by)),
        when=desk.when(one.time),
        state=None if one.released < 0 else Pill("released", "none", "waived"),
        mark=mark(one.entry if one.released < 0 else one.released, links),
        release=release,
    )


def build_preview(plan: Plan, said: str, run: Form | None, desk: Desk, links: Links) -> PreviewView:
    """Build what would go."""
    return PreviewView(
        said=said,
        going=tuple(_going(one, desk, links) for one in plan.going),
        held=tuple(_held(one, links) for one in plan.held),
        digest=plan.digest,
        empty=Empty("Nothing would go.", "No entry is older than the rules that cover it allow."),
        run=run,
    )


def _going(one: Going, desk: Desk, links: Links) -> GoingRow:
    types = [(name, words.number(count)) for name, count in one.types.items()]
    more = len(types) - TYPES_SHOWN
    if more > 0:
        types = [*types[:TYPES_SHOWN], (f"and {more} more types", "")]
    return GoingRow(
        said=f"{words.count(one.count, 'entry', 'entries')} by rule {one.rule}, "
        f"kept for {words.count(one.days, 'day')}",
        span=f"recorded {desk.when(one.first_time)} to {desk.when(one.last_time)}",
        types=tuple(types),
        first=mark(one.first, links),
        last=mark(one.last, links),
    )


def _held(one: Held, links: Links) -> HeldRow:
    count = words.count(one.count, "entry", "entries")
    return HeldRow(
        f"{count} kept by hold {words.number(one.hold)}, {one.case}", mark(one.hold, links)
    )


def retention_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/retention."""
    desk, forms = desk_of(context), forms_of(request, context)
    context.note_read("actors")
    home, project = context.home, context.around
    if context.as_of is None:
        kept, size = home.keeping.of(project), None
    else:
        then = format_time(desk.at + timedelta(milliseconds=1))
        size = home.holds.index_at(project, then, home.log.head(project).size)
        kept = home.keeping.at(project, size)
    links = Links(project, size - 1 if size else None)
    view = build_retention(context, desk, forms, kept, links)
    made: list[Form | None] = [row.release for row in view.holds]
    preview, came = None, context.told
    if came is not None and isinstance(came.done, Previewed):
        plan = came.done.plan
        run = forms.form(
            "retention-run", "Let it go", "Let exactly this go", tone="refuse",
            hidden={"project": plan.project, "at": plan.at, "digest": plan.digest},
        ) if plan.going else None  # fmt: skip
        preview = build_preview(plan, came.done.said, run, desk, Links(plan.project, None))
        made.append(run)
    side = [
        forms.form(
            "retention-preview", "What would go", "Say what would go", hidden={"project": project},
            leave_out=("at",),
        ),
        forms.form(
            "hold-place", "Hold evidence", "Hold it", tone="main", hidden={"project": project},
        ),
        forms.form(
            "retention-set", "Set or end a rule", "Set it", hidden={"project": project},
            words={"days": Words("Days", "after it was recorded; those of the preset if 0", "number"),
                   "preset": Words("Preset", "what is left empty is taken from it", "choice",
                                   ("", *PRESETS)),
                   "types": Words("Types of events", "as in type: of a search, * for every type; those of the preset if empty")},
        ),
    ]  # fmt: skip
    rules = words.count(len(view.rules), "rule")
    say = (
        f"In project {project} {words.count(len(view.holds), 'hold')} and {rules}. Where several rules "
        "cover an entry the longest counts; what none covers is kept for good, and what is held stays."
    )
    head = head_of(context, desk, "Retention and holds", say, [*made, *side])
    return admin_render(
        request, context, "admin_retention.html", "/admin/retention", head, view=view,
        preview=preview, forms=[one for one in side if one is not None],
    )  # fmt: skip
