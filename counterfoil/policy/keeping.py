"""Rules and holds of one log: how long an entry is kept, and by whose word longer.

A pure fold of the events `retention.*` and `hold.*` that the server recorded.  What must hold:
an entry goes only when every rule that covers it lets it go, so the longest counts; what no rule
covers is kept for good; what is held is kept whatever the rules say; a hold whose contents can no
longer be read holds all it might.

Times are RFC 3339 in UTC or dates, and compare as text: `since` <= recorded < `until`.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from counterfoil.events.kinds import OWN
from counterfoil.events.refs import Named, joins
from counterfoil.events.registry import TYPES
from counterfoil.policy.known import Happened
from counterfoil.projections.base import noun_of
from counterfoil.projections.search import type_matches

MINIMUM_DAYS: Final = 92
"""A rule below three months takes two people: a quarter is what most reviews look back on."""
DECIDING_MINIMUM_DAYS: Final = 366
"""The same for what decisions rest on: approvals and gates."""
DAYS_MAX: Final = 36_525
_DECIDING: Final = frozenset({"approval", "gate"})
_NEVER: Final = frozenset({"erasure", "hold", "key", "retention"})
"""What tells why something else is gone, or may not go: no rule reaches it."""
_ACTOR: Final = "actor:"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule in force.

    Attributes:
        name: a later event of this name takes its place.
        types: which types, as in `type:` of a search.
        days: how long entries are kept after they were recorded.
        at_hand_days: what its control asks to have at hand; here everything kept is.
        preset: the preset it was made from, "".
        reason: why, "" once erased.
        entry: that set it; `time` when, `by` whose account, a pseudonym.
    """

    name: str
    types: str
    days: int
    at_hand_days: int = 0
    preset: str = ""
    reason: str = ""
    entry: int = -1
    time: str = ""
    by: str = ""

    def covers(self, event_type: str) -> bool:
        """Say whether it is about a type.

        What decisions rest on is covered only by a rule that names its noun; the ledger's own word
        about keeping by none.

        >>> Rule(name="a", types="*", days=1).covers("com.example.step")
        True
        >>> approval = "dev.cdeventsx.counterfoil-approval.signed.0.1.0"
        >>> [Rule(name="a", types=t, days=1).covers(approval) for t in ("*", "approval.*")]
        [False, True]
        """
        noun = noun_of(event_type)[0] if event_type.startswith(OWN) else ""
        if noun in _NEVER:
            return False
        if noun in _DECIDING and noun not in self.types.partition("*")[0].lower():
            return False
        return type_matches(self.types, event_type)


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One hold.

    Attributes:
        entry: that placed it: its number.
        case, reason: what it is for, and why; "" once erased.
        refs: entries that name one of these are held; of commits, by a shorter name too.
        actors: pseudonyms: likewise what they did and where they are named.
        since, until: entries recorded in this time are held, "" for no bound; `ranged` says
            whether the time alone holds.
        time, by: when it was placed, and by whose account, a pseudonym.
        released: the entry that ended it, -1 while it holds.
    """

    entry: int
    case: str = ""
    reason: str = ""
    refs: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    ranged: bool = False
    time: str = ""
    by: str = ""
    released: int = -1

    def in_time(self, recordedtime: str) -> bool:
        """Say whether something recorded at a moment lies in its time."""
        return self.since <= recordedtime and (not self.until or recordedtime < self.until)

    def said(self) -> str:
        """Return it in words."""
        about = [*self.refs, *self.actors]
        if self.ranged:
            about.append(f"{self.since or 'the beginning'} to {self.until or 'now and later'}")
        return f"hold {self.entry}" + (f" ({self.case})" if self.case else "") + (
            f" on {', '.join(about)}"
        )  # fmt: skip


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """What went by a rule: the entry that says so, when, by which rule, and how many entries."""

    entry: int
    time: str
    rule: str
    count: int
    ranges: tuple[tuple[int, int], ...]


class Kept(msgspec.Struct, kw_only=True):
    """Rules and holds of one log, up to an entry.  One thread changes it at a time."""

    rules: dict[str, Rule] = {}
    holds: dict[int, Hold] = {}
    expired: list[Expired] = []

    def apply(self, one: Happened) -> None:
        """Take one more entry in.  Total: what does not fit changes nothing."""
        match one.what:
            case "retention.set":
                self._set(one)
            case "retention.expired":
                ranges = tuple(_ranges(one.data.get("parts")))
                count = one.data.get("count")
                self.expired.append(Expired(
                    entry=one.index, time=one.time, rule=one.text("rule"),
                    count=count if isinstance(count, int) else 0, ranges=ranges,
                ))  # fmt: skip
            case "hold.placed":
                self.holds[one.index] = _hold(one)
            case "hold.released":
                number = one.data.get("hold")
                found = self.holds.get(number) if isinstance(number, int) else None
                if found is not None and found.released < 0:
                    self.holds[found.entry] = msgspec.structs.replace(found, released=one.index)

    def holding(self) -> list[Hold]:
        """Return the holds that hold, the oldest first."""
        return [one for one in self.holds.values() if one.released < 0]

    def deciding(self, event_type: str) -> Rule | None:
        """Return the rule that keeps a type longest; None where none covers it: kept for good."""
        covering = [one for one in self.rules.values() if one.covers(event_type)]
        return max(covering, key=lambda one: (one.days, one.name)) if covering else None

    def _set(self, one: Happened) -> None:
        name, days, at_hand = one.text("rule"), one.data.get("days"), one.data.get("at_hand_days")
        if not name:
            return
        if not isinstance(days, int) or isinstance(days, bool) or days < 1:
            self.rules.pop(name, None)
            return
        self.rules[name] = Rule(
            name=name, types=one.text("types"), days=days,
            at_hand_days=at_hand if isinstance(at_hand, int) else 0, preset=one.text("preset"),
            reason=one.text("reason"), entry=one.index, time=one.time, by=one.by,
        )  # fmt: skip


def _hold(one: Happened) -> Hold:
    named = one.named("held")
    readable = "case" in one.data
    since, until = one.text("since"), one.text("until")
    return Hold(
        entry=one.index, case=one.text("case"), reason=one.text("reason"),
        refs=tuple(ref for ref in named if not ref.startswith(_ACTOR)),
        actors=tuple(ref for ref in named if ref.startswith(_ACTOR)),
        since=since, until=until,
        # Unreadable: the time it was limited to is unknown, so it is limited to none.
        ranged=bool(since or until) if readable else not named,
        time=one.time, by=one.by,
    )  # fmt: skip


def _ranges(parts: Any) -> Iterable[tuple[int, int]]:  # noqa: ANN401  data of an event
    for part in parts if isinstance(parts, list) else ():
        for pair in part.get("ranges", ()) if isinstance(part, dict) else ():
            if isinstance(pair, list) and len(pair) == 2 and all(type(one) is int for one in pair):
                yield pair[0], pair[1]


def holds_entry(
    hold: Hold, subject: str | None, refs: Iterable[Named], recordedtime: str,
    actors: Collection[str],
) -> bool:  # fmt: skip
    """Say whether a hold is over an entry.

    Args:
        hold: which.
        subject: of the entry.
        refs: of the entry.
        recordedtime: of the entry.
        actors: the hold's actors by every pseudonym of theirs.
    """
    if hold.ranged and not hold.in_time(recordedtime):
        return False
    if not hold.refs and not hold.actors:
        return True
    named = {one.ref for one in refs} | {subject or ""}
    if not named.isdisjoint(actors):
        return True
    return any(joins(held, ref) for held in hold.refs for ref in named if ref)


def weakened(rules: Mapping[str, Rule], name: str, changed: Rule | None) -> str:
    """Say why a change of rules takes two people, "" where one is enough.

    Args:
        rules: in force.
        name: of the rule that changes.
        changed: the rule as it would be, None to end it.
    """
    before = rules.get(name)
    others = [one for one in rules.values() if one.name != name]
    if changed is None:
        return _ended(before, others) if before is not None else ""
    least = _least(changed)
    if changed.days < least and (before is None or changed.days < before.days):
        return f"{name} would keep things for {changed.days} days, less than {least}"
    if before is not None and changed.days < before.days:
        return f"{name} would keep things for {changed.days} days instead of {before.days}"
    if before is not None and changed.types != before.types:
        return f"{name} would be about {changed.types} and no more about {before.types}"
    for one in others:
        if one.preset and changed.days < one.days and meet(one, changed):
            return f"{name} ({changed.days} days) is shorter than {one.preset} ({one.days} days), which is in force"
    return ""


def _ended(rule: Rule, others: Iterable[Rule]) -> str:
    if any(meet(one, rule) for one in others):
        return f"without {rule.name} what it keeps for {rule.days} days would go sooner"
    if rule.preset or rule.days > _least(rule):
        # What it covered is kept for good from then on, but only until the next rule: one of fewer
        # days would be a first one, compared with nothing, and take one person.
        return f"without {rule.name} nothing asks two people for fewer than its {rule.days} days"
    return ""


def meet(one: Rule, other: Rule) -> bool:
    """Say whether two rules may be about one type: a known one, or any their patterns could mean."""
    if any(one.covers(name) and other.covers(name) for name in TYPES):
        return True
    heads = one.types.partition("*")[0].lower(), other.types.partition("*")[0].lower()
    return heads[0].startswith(heads[1]) or heads[1].startswith(heads[0])


def names_type(types: str) -> bool:
    """Say whether a pattern means anything that is known, or could be a type of somebody else's."""
    return any(type_matches(types, name) for name in TYPES) or "." in types.strip(".*")


def _least(rule: Rule) -> int:
    return DECIDING_MINIMUM_DAYS if _reaches(rule, _DECIDING) else MINIMUM_DAYS


def _reaches(rule: Rule, nouns: Collection[str]) -> bool:
    return any(
        rule.covers(name) for name in TYPES if name.startswith(OWN) and noun_of(name)[0] in nouns
    )


def never_expires(types: str) -> str:
    """Return the noun of ours a pattern names that no rule reaches, "" for none."""
    head = types.partition("*")[0].lower().removeprefix(OWN)
    return next((noun for noun in sorted(_NEVER) if head.partition(".")[0] == noun), "")
