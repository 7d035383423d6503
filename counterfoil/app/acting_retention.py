"""Rules of retention: set, shown, and what would go by them, before it goes.

What must hold: a rule that would let things go sooner than a control asks for takes two people,
under any policies; what goes is what was shown, if it was shown.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from counterfoil.app.acting_holds import record
from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.retention import Plan
from counterfoil.clock import format_time
from counterfoil.errors import RequestError
from counterfoil.events.kinds import OWN
from counterfoil.events.registry import TYPES
from counterfoil.policy.access import LOG
from counterfoil.policy.folding import FOLDED, PUBLIC
from counterfoil.policy.keeping import (
    DAYS_MAX,
    Rule,
    meet,
    names_type,
    never_expires,
    weakened,
)
from counterfoil.policy.presets import PRESETS, Preset
from counterfoil.projections.base import noun_of

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")
_TYPES: Final = re.compile(r"[A-Za-z0-9*](?:[A-Za-z0-9.*_-]{0,198}[A-Za-z0-9*])?")
REASON_MAX: Final = 1_000
EXPIRED_SHOWN: Final = 20


class Nothing(Given, frozen=True, kw_only=True):
    """A question without words."""


class Presets(Done, frozen=True, kw_only=True):
    """What controls ask for, and what of the numbers is our choice."""

    presets: tuple[Preset, ...]


class Setting(Given, frozen=True, kw_only=True):
    """A rule to set, or to end.

    Attributes:
        reason: why.
        project: in whose log.
        preset: what its members are taken from; "" for none.
        rule: its name; that of the preset where left out.
        types: which types, as in `type:` of a search; those of the preset where left out.
        days: how long they are kept; those of the preset where 0.
        end: end the rule of that name.
    """

    reason: str
    project: str = "default"
    preset: str = ""
    rule: str = ""
    types: str = ""
    days: int = 0
    end: bool = False


class SetRule(Done, frozen=True, kw_only=True):
    """A rule that was set or ended; `made` is the entry in the project's log, `warnings` in words."""

    rule: str
    made: tuple[int, ...]
    warnings: tuple[str, ...]


class Showing(Given, frozen=True, kw_only=True):
    """Whose rules."""

    project: str = "default"


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """What expired: the entry that says so, when, by which rule, how many entries."""

    entry: int
    time: str
    rule: str
    count: int


class Shown(Done, frozen=True, kw_only=True):
    """Rules in force, what expired last, and when things go by themselves next, "" for never."""

    rules: tuple[Rule, ...]
    expired: tuple[Gone, ...]
    next_run: str


class Previewing(Given, frozen=True, kw_only=True):
    """Of which log, and at which moment, RFC 3339; "" for now."""

    project: str = "default"
    at: str = ""


class Previewed(Done, frozen=True, kw_only=True):
    """What would go."""

    plan: Plan


class Running(Given, frozen=True, kw_only=True):
    """What to let go.

    Attributes:
        project: of which log.
        at: the moment of the preview; "" for now.
        digest: of the preview; refused if that is not what would go. "" for whatever goes.
    """

    project: str = "default"
    at: str = ""
    digest: str = ""


class Ran(Done, frozen=True, kw_only=True):
    """What went; `made` are the entries of the project's log that say so."""

    plan: Plan
    made: tuple[int, ...]


def presets(acting: Acting) -> Presets:
    """List the presets."""
    del acting
    return Presets(said=f"{len(PRESETS)} presets", presets=tuple(PRESETS.values()))


def show(acting: Acting) -> Shown:
    """Show the rules of a log.

    Raises:
        RequestError: `project_unknown`.
    """
    given: Showing = acting.given
    home = acting.home
    _require_log(acting, given.project)
    kept = home.keeping.of(given.project)
    expired = tuple(
        Gone(entry=one.entry, time=one.time, rule=one.rule, count=one.count)
        for one in reversed(kept.expired[-EXPIRED_SHOWN:])
    )
    rules = tuple(sorted(kept.rules.values(), key=lambda one: one.name))
    next_run = home.retention.next_run()
    said = f"{len(rules)} rules in {given.project}" if rules else (
        f"{given.project} has no rule: everything is kept for good"
    )  # fmt: skip
    return Shown(
        said=said, rules=rules, expired=expired, next_run=format_time(next_run) if next_run else ""
    )


def set_rule(acting: Acting) -> SetRule:
    """Set a rule, or end one.

    Raises:
        RequestError: `usage`: what cannot be a rule; `not_found`: no such rule or preset;
            `project_unknown`.
    """
    given: Setting = acting.given
    home = acting.home
    name, changed = _changed(acting)
    with home.keeping.still:
        rules = dict(home.keeping.of(given.project).rules)
        why = _why_two(rules, name, changed)
        if why and not acting.credential.confirmed:
            # It changed between the question and here.
            raise RequestError("two_people", f"{why}: ask again, another person has to confirm")
        event = home.access.event(
            "retention.set",
            acting.credential,
            subject=None,
            data={
                "rule": name,
                "types": changed.types if changed else None,
                "days": changed.days if changed else None,
                "at_hand_days": (changed.at_hand_days or None) if changed else None,
                "preset": (changed.preset or None) if changed else None,
                "asked": acting.asked if acting.asked >= 0 else None,
                "reason": given.reason.strip(),
            },
        )
        index = record(acting, given.project, event)
    warnings: tuple[str, ...] = (why,) if why else ()
    if changed is None:
        return SetRule(said=f"{name} is no rule of {given.project} any more", rule=name,
                       made=(index,), warnings=warnings)  # fmt: skip
    warnings += tuple(
        f"{one.name} keeps what both cover for {one.days} days: the longest rule counts"
        for one in rules.values()
        if one.name != name and one.days > changed.days and meet(one, changed)
    )
    said = f"{given.project}: {changed.types} is kept for {changed.days} days by rule {name}"
    return SetRule(said="; ".join((said, *warnings)), rule=name, made=(index,), warnings=warnings)


def preview(acting: Acting) -> Previewed:
    """Say what would go, and change nothing.

    Raises:
        RequestError: `project_unknown`; `usage`: no moment, or one to come.
    """
    given: Previewing = acting.given
    _require_log(acting, given.project)
    plan = acting.home.retention.plan(given.project, given.at)
    return Previewed(said=_said(plan, "would go"), plan=plan)


def run(acting: Acting) -> Ran:
    """Let go what would go.

    Raises:
        RequestError: `project_unknown`; `usage`; `preview_changed`.
    """
    given: Running = acting.given
    _require_log(acting, given.project)
    plan, made = acting.home.retention.run(given.project, acting.credential, given.at, given.digest)
    return Ran(said=_said(plan, "went"), plan=plan, made=made)


def why_two(acting: Acting) -> str:
    """Say why setting a rule takes two people, "" where one is enough."""
    given: Setting = acting.given
    name, changed = _changed(acting)
    return _why_two(acting.home.keeping.of(given.project).rules, name, changed)


def _why_two(rules: Mapping[str, Rule], name: str, changed: Rule | None) -> str:
    if changed is not None and changed.preset and changed.days < PRESETS[changed.preset].days:
        least = PRESETS[changed.preset].days
        return f"{name} would keep things for {changed.days} days, and its preset asks for {least}"
    return weakened(rules, name, changed)


def _changed(acting: Acting) -> tuple[str, Rule | None]:
    """Return the name of a rule and the rule as it would be, None to end it."""
    given: Setting = acting.given
    _require_log(acting, given.project)
    if not 0 < len(given.reason.strip()) <= REASON_MAX:
        raise RequestError("usage", f"say why, in at most {REASON_MAX:,} characters")
    base = PRESETS.get(given.preset)
    if given.preset and base is None:
        raise RequestError(
            "not_found", f"there is no preset {given.preset[:40]!a}; they are {', '.join(PRESETS)}"
        )
    name = given.rule or given.preset
    if not _NAME.fullmatch(name):
        raise RequestError("usage", f"{name[:80]!a} is no name of a rule: a-z, 0-9, . and - inside")
    if given.end:
        if name not in acting.home.keeping.of(given.project).rules:
            raise RequestError("not_found", f"{given.project} has no rule {name}")
        return name, None
    types = given.types or (base.types if base else "")
    days = given.days or (base.days if base else 0)
    if not 1 <= days <= DAYS_MAX:
        raise RequestError("usage", f"how many days? 1 to {DAYS_MAX:,}, not {days}")
    _check_types(given.project, types)
    at_hand = base.at_hand_days if base else 0
    return name, Rule(name=name, types=types, days=days, at_hand_days=at_hand, preset=given.preset)


def _check_types(project: str, types: str) -> None:
    if not _TYPES.fullmatch(types) or not names_type(types):
        raise RequestError(
            "usage",
            f"{types[:80]!a} names no type of event: give one as in type: of a search, or *",
        )
    if noun := never_expires(types):
        raise RequestError(
            "usage", f"events of {noun} tell why others are gone or kept: they never expire"
        )
    if project != LOG:
        return
    if f"{OWN}{types}.0.1.0" not in TYPES:
        raise RequestError(
            "usage", f"in {LOG} a rule names one type, such as session.ended, and no pattern"
        )
    if types in FOLDED - PUBLIC or noun_of(f"{OWN}{types}.0.1.0")[0] == "action":
        raise RequestError("usage", f"{types} says who there is and who may: it never expires")


def _require_log(acting: Acting, project: str) -> None:
    if project != LOG:
        acting.home.require_project(project)


def _said(plan: Plan, went: str) -> str:
    held = sum(one.count for one in plan.held)
    kept = f"; {held} are held" if held else ""
    return f"{plan.count} entries of {plan.project} {went}{kept}"


ACTIONS: Final = (
    Action(
        name="retention-presets", verb="read", takes=Nothing, gives=Presets, run=presets,
        doc="List presets of rules, what each rests on, and what of it is our choice.",
    ),
    Action(
        name="retention-set", verb="erase", takes=Setting, gives=SetRule, run=set_rule,
        doc="Say how long types of events are kept; what lets them go sooner takes two people.",
        two_people=why_two,
    ),
    Action(
        name="retention-show", verb="read", reads="actors", takes=Showing, gives=Shown, run=show,
        doc="Show the rules of a log, and what expired.",
    ),
    Action(
        name="retention-preview", verb="read", reads="actors", takes=Previewing, gives=Previewed, run=preview,
        doc="Say exactly what would expire, and change nothing.",
    ),
    Action(
        name="retention-run", verb="erase", takes=Running, gives=Ran, run=run,
        doc="Let expire what a preview showed, or whatever is due.",
    ),
)  # fmt: skip
