"""Expiry: what goes by the rules of a log, shown before and done as shown.

    rules, holds (app.keeping) + entries, one by one -> a plan, with a digest
        -> `retention.expired`, by rule, 5,000 entries at most -> app.erasing carries it out

What must hold: an entry goes when it is older than every rule that covers it allows, and no hold is
over it, told by the entry itself; what goes is what a plan for that moment says.  If we crash in
between, what is recorded is carried out at the next start, and the rest goes with the next run.

What goes is what is sealed under an entry's own key: its body, personal values, and blobs that no
other entry needs.  Who did it stays, by account: one key seals that in every entry of theirs, so
it goes when that person is erased.  Entries of the class `technical` hold nothing to erase.

Source: docs/adr/0033.
"""

import hashlib
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final, Protocol

import msgspec

from counterfoil.app.access import Access
from counterfoil.app.holds import Holds, Outline, outline
from counterfoil.app.keeping import Keeping
from counterfoil.clock import Clock, format_time, parse_time
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event
from counterfoil.ledger.store import LogReads
from counterfoil.policy.access import Credential
from counterfoil.policy.keeping import Hold, Kept, Rule, holds_entry

PART: Final = 1_000
ENTRIES_PER_EVENT: Final = 5_000
"""Recording waits while one event is carried out, so one is not for everything."""
RANGES_PER_EVENT: Final = 1_000
OPEN_FOR: Final = timedelta(minutes=1)
"""How long a ledger is open before anything expires by itself: not within one command."""
LOOK_EVERY: Final = timedelta(minutes=1)
TYPES_NAMED: Final = 50
_EVENT: Final = "event"


class CarryOut(Protocol):
    """Records an event that says what goes, and destroys it (`app.erasing`)."""

    def __call__(self, project: str, event: Event, credential: Credential, via: str = "") -> int:
        """Return the entry of the event."""
        ...


class Going(msgspec.Struct, frozen=True, kw_only=True):
    """What goes by one rule.

    Attributes:
        rule: the one that kept it longest; `days` how long.
        count: how many entries; `types` how many of each type, the most first.
        first, last: the first and the last entry, and when each was recorded.
        ranges: of entries, both ends inclusive.
    """

    rule: str
    days: int
    count: int
    types: dict[str, int]
    first: int
    last: int
    first_time: str
    last_time: str
    ranges: tuple[tuple[int, int], ...]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What would go, but for a hold: how many entries, and the first of them."""

    hold: int
    case: str
    said: str
    count: int
    first: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What goes from one log at a moment; `digest` is of all of it."""

    project: str
    at: str
    going: tuple[Going, ...]
    held: tuple[Held, ...]
    digest: str

    @property
    def count(self) -> int:
        """How many entries go."""
        return sum(one.count for one in self.going)


class _Gathered:
    """Entries of one rule on the way through a log."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.types: Counter[str] = Counter()
        self.ranges: list[tuple[int, int]] = []
        self.times = ("", "")

    def add(self, index: int, entry: Outline) -> None:
        self.types[entry.type] += 1
        if self.ranges and self.ranges[-1][1] == index - 1:
            self.ranges[-1] = (self.ranges[-1][0], index)
        else:
            self.ranges.append((index, index))
        self.times = (self.times[0] or entry.recordedtime, entry.recordedtime)

    def going(self) -> Going:
        return Going(
            rule=self.rule.name, days=self.rule.days, count=self.types.total(),
            types=dict(self.types.most_common()), first=self.ranges[0][0], last=self.ranges[-1][1],
            first_time=self.times[0], last_time=self.times[1], ranges=tuple(self.ranges),
        )  # fmt: skip


class Retention:
    """Lets things expire in one open ledger.  Safe to call from several threads.

    Args:
        log: where entries are read.
        keeping, holds: rules and holds.
        access: what makes events.
        clock: now.
        carry_out: records and destroys.
        hour: of the day, UTC, after which things expire by themselves; None for never.
    """

    def __init__(
        self, log: LogReads, keeping: Keeping, holds: Holds, access: Access, clock: Clock,
        carry_out: CarryOut, hour: int | None,
    ) -> None:  # fmt: skip
        self._log = log
        self._keeping = keeping
        self._holds = holds
        self._access = access
        self._clock = clock
        self._carry_out = carry_out
        self._hour = hour
        self._opened = clock.now()
        self._looked: datetime | None = None
        self._ran_on: date | None = None
        self._settled: dict[str, tuple[str, int]] = {}
        self._one = threading.Lock()

    def plan(self, project: str, at: str = "") -> Plan:
        """Return what goes at a moment; changes nothing.

        Args:
            project: whose log.
            at: RFC 3339, not after now; "" for now.

        Raises:
            RequestError: `project_unknown`; `usage`: a moment to come, or none.

        Cost: 4 us for each entry that is old enough for the shortest rule, but for those before
        the first one that a later plan under the same rules and holds could find.
        """
        moment = self._moment(at)
        kept = self._keeping.of(project)
        gathered: dict[str, _Gathered] = {}
        held: dict[int, list[int]] = {}
        for index, entry, rule, hold in self._due(project, kept, moment):
            if hold is not None:
                held.setdefault(hold.entry, []).append(index)
            else:
                gathered.setdefault(rule.name, _Gathered(rule)).add(index, entry)
        going = tuple(gathered[name].going() for name in sorted(gathered))
        kept_back = tuple(
            Held(hold=number, case=kept.holds[number].case, said=kept.holds[number].said(),
                 count=len(indices), first=indices[0])
            for number, indices in sorted(held.items())
        )  # fmt: skip
        said: JSON = msgspec.to_builtins((project, format_time(moment), going, kept_back))
        digest = hashlib.sha256(canonical.write(said)).hexdigest()
        return Plan(
            project=project, at=format_time(moment), going=going, held=kept_back,
            digest=f"sha256:{digest}",
        )  # fmt: skip

    def run(
        self, project: str, credential: Credential, at: str = "", digest: str = ""
    ) -> tuple[Plan, tuple[int, ...]]:
        """Let go what goes at a moment; return it and the entries that say so.

        Args:
            project: whose log.
            credential: under which it is done.
            at: as for `plan`.
            digest: of the plan that was shown; "" for whatever goes.

        Raises:
            RequestError: `preview_changed`: what goes is not what was shown; nothing was done.
            UnavailableError: a backup is being taken, or the disk failed: what is recorded by then
                is carried out at the next start at the latest, the rest goes with the next run.
        """
        with self._one, self._keeping.still:
            if self._keeping.of(project).rules:
                self._keeping.read_again(project)
            plan = self.plan(project, at)
            if digest and digest != plan.digest:
                raise RequestError(
                    "preview_changed",
                    f"rules, holds or entries of {project} changed since: {plan.count} entries would "
                    "go now; look at the preview again",
                )
            made = [
                self._carry_out(project, self._event(plan, one, indices, credential), credential)
                for one in plan.going
                for indices in _portions(one.ranges)
            ]
        return plan, tuple(made)

    def look(self, credential: Credential) -> None:
        """Run if it is time: once a day, at the first look after the hour of the settings.

        Raises:
            CounterfoilError: as `run`; it is tried again an hour later.
        """
        now = self._clock.now()
        if self._looked is not None and timedelta(0) <= now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        if now - self._opened < OPEN_FOR:
            return
        projects = [info.project for info in self._log.projects()]
        for project in projects:
            self._keeping.of(project)
        if self._hour is None or self._ran_on == now.date() or now.hour < self._hour:
            return
        try:
            for project in projects:
                self.run(project, credential)
        except CounterfoilError:
            self._looked = now + timedelta(hours=1) - LOOK_EVERY
            raise
        self._ran_on = now.date()

    def next_run(self) -> datetime | None:
        """Return when things expire by themselves the next time; None for never."""
        if self._hour is None:
            return None
        now = self._clock.now()
        today = now.replace(hour=self._hour, minute=0, second=0, microsecond=0)
        return today + timedelta(days=1) if self._ran_on == now.date() else max(today, now)

    def _moment(self, at: str) -> datetime:
        now = self._clock.now()
        try:
            moment = parse_time(at) if at else now
        except ValueError:
            raise RequestError("usage", f"at is an RFC 3339 time, not {at[:40]!a}") from None
        if moment > now:
            raise RequestError(
                "usage", f"{at} is to come: a preview is of now or of a moment before"
            )
        return moment

    def _due(
        self, project: str, kept: Kept, moment: datetime
    ) -> Iterator[tuple[int, Outline, Rule, Hold | None]]:
        """Yield entries that are older than their rules allow, and the hold over each, if any."""
        if not kept.rules:
            return
        holding = [(hold, self._holds.actors_of(hold)) for hold in kept.holding()]
        size = self._log.head(project).size
        shortest = min(rule.days for rule in kept.rules.values())
        end = self._holds.index_at(project, _before(moment, shortest), size)
        under = repr((sorted(kept.rules.items()), holding))
        before, start = self._settled.get(project, ("", 0))
        start = start if before == under else 0
        gone = _Gone(kept)
        deciding: dict[str, Rule | None] = {}
        limits = {name: _before(moment, rule.days) for name, rule in kept.rules.items()}
        open_ = -1
        for index, data in self._entries(project, start, end):
            entry = outline(data)
            if entry.type not in deciding:
                deciding[entry.type] = kept.deciding(entry.type)
            rule = deciding[entry.type]
            if rule is None or entry.retention == "technical" or index in gone:
                continue
            if open_ < 0:
                open_ = index
            if entry.recordedtime >= limits[rule.name]:
                continue
            over = (
                hold for hold, actors in holding
                if holds_entry(hold, entry.subject, entry.refs, entry.recordedtime, actors)
            )  # fmt: skip
            yield index, entry, rule, next(over, None)
        self._settled[project] = (under, open_ if open_ >= 0 else max(start, end))

    def _entries(self, project: str, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        for first in range(start, end, PART):
            yield from enumerate(self._log.entries(project, first, min(first + PART, end)), first)

    def _event(
        self, plan: Plan, going: Going, indices: Sequence[int], credential: Credential
    ) -> Event:
        named: dict[tuple[str, ...], list[int]] = {}
        types: Counter[str] = Counter()
        for first, last in _runs(indices):
            for kept in self._log.kept(plan.project, first, last + 1):
                own = [one.name for one in kept.sealed if one.owner == _EVENT]
                own += [f"blob/{at}" for at, stored in enumerate(kept.blobs) if stored]
                named.setdefault(tuple(own), []).append(kept.index)
                types[outline(kept.entry).type] += 1
        parts: list[JSON] = [
            {"ranges": [list(run) for run in _runs(some)], "names": list(names)}
            for names, some in named.items()
        ]
        counts: dict[str, JSON] = dict(types.most_common(TYPES_NAMED))
        return self._access.event(
            "retention.expired",
            credential,
            subject=None,
            data={
                "rule": going.rule, "parts": parts, "count": len(indices), "types": counts,
                "at": plan.at, "reason": f"older than {going.days} days",
            },
        )  # fmt: skip


class _Gone:
    """Entries that expired before; finds one among them."""

    def __init__(self, kept: Kept) -> None:
        self._ranges = sorted(pair for one in kept.expired for pair in one.ranges)
        self._firsts = [first for first, _ in self._ranges]

    def __contains__(self, index: int) -> bool:
        at = bisect_right(self._firsts, index) - 1
        return at >= 0 and index <= self._ranges[at][1]


def _before(moment: datetime, days: int) -> str:
    try:
        return format_time(moment - timedelta(days=days))
    except OverflowError:
        return ""


def _portions(ranges: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Yield the entries of some ranges in portions that one event takes."""
    portion: list[int] = []
    count = 0
    for first, last in ranges:
        count += 1
        for index in range(first, last + 1):
            portion.append(index)
            if len(portion) == ENTRIES_PER_EVENT:
                yield portion
                portion, count = [], 1
        if count >= RANGES_PER_EVENT and portion:
            yield portion
            portion, count = [], 0
    if portion:
        yield portion


def _runs(indices: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending indices as inclusive ranges."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs
