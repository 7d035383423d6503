"""The small things every page is made of, as values: marks, pills, chips, lines, gaps, bars.

Pure: from rows of `app.read` to what `templates/parts.html` prints.  What must hold: a mark is
green only for what a witness has signed, and nothing unknown is ever shown as passed.
"""

import datetime
import re
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from counterfoil.app.answers import ActorView, Gap, LogLine
from counterfoil.clock import LATE_S, late_s
from counterfoil.web.pages import words

DEFAULT_PROJECT: Final = "default"
GAP_MARKS_MAX: Final = 3
# Kinds of refs that have a page of their own, at /KIND?ref=.
PAGED_KINDS: Final = frozenset({"run", "test", "release"})
NOT_CLAIMED: Final = "time of receipt, the sender gave none"
RECEIVED_NOTE: Final = "Dotted times are times of receipt: the sender gave none."
# How an address says "before the first entry": entry numbers begin at 0.
BEFORE_ALL: Final = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of pages; every one keeps the project and the moment that is looked at.

    Args:
        project: the project of the page.
        as_of: entry index of the moment, -1 for before the first entry, or None for now.
        witnessed_size: how many entries, from the first on, some witness has cosigned by now.
    """

    project: str
    as_of: int | None
    witnessed_size: int = 0

    def to(self, path: str, **query: str | int | None) -> str:
        """Return `path` with a query, this project and this moment; None leaves a word out."""
        pairs = self.pairs(**query)
        safe = urllib.parse.urlencode(pairs, safe=":/@", quote_via=urllib.parse.quote)
        return f"{path}?{safe}" if safe else path

    def pairs(self, **query: str | int | None) -> tuple[tuple[str, str], ...]:
        """Return the same query as names and values: what a form sends along."""
        pairs: dict[str, str] = {k: str(v) for k, v in query.items() if v is not None}
        if self.project != DEFAULT_PROJECT:
            pairs["project"] = self.project
        if self.as_of is not None:
            pairs.setdefault("as_of", str(self.as_of) if self.as_of >= 0 else BEFORE_ALL)
        return tuple(pairs.items())

    def at(self, as_of: int | None) -> "Links":
        """Return the links of the same project at another moment."""
        return Links(self.project, as_of, self.witnessed_size)

    def entry(self, index: int) -> str:
        """Return the page of one entry."""
        return self.to(f"/entries/{index}")

    def ref(self, ref: str) -> str | None:
        """Return the page about a ref, or None when there is none of its kind."""
        kind = ref.partition(":")[0]
        return self.to(f"/{kind}", ref=ref) if kind in PAGED_KINDS else None


@dataclass(frozen=True, slots=True)
class Mark:
    """The way from a fact to its entry and proof.  `state` names the ticket glyph."""

    state: str
    text: str
    href: str
    spoken: str


_MARKS: Final = {
    "witnessed": "witnessed",
    "recorded": "recorded, not witnessed",
    "erased": "in the log, body erased",
    "broken": "does not match its proof",
    "announced": "announced, not in the log",
}


def mark(index: int, links: Links, *, state: str = "recorded") -> Mark:
    """Make the proof mark of entry `index`: "witnessed" only if a cosignature covers it."""
    if state == "recorded" and index < links.witnessed_size:
        state = "witnessed"
    shown = words.number(index)
    return Mark(
        state, shown, links.entry(index), f"entry {shown}, {_MARKS[state]}, open entry and proof"
    )


@dataclass(frozen=True, slots=True)
class Pill:
    """A state as icon and word.  `tone` is pass, fail, warn, run or none."""

    text: str
    tone: str
    icon: str


# Outcomes of runs, cases and deployments -> (tone, icon).  What is not here is unknown.
_STATES: Final = {
    "passed": ("pass", "pass"),
    "succeeded": ("pass", "pass"),
    "approved": ("pass", "pass"),
    "signed": ("pass", "pass"),
    "failed": ("fail", "fail"),
    "error": ("fail", "fail"),
    "refused": ("fail", "fail"),
    "lost": ("fail", "fail"),
    "running": ("run", "run"),
    "queued": ("none", "pending"),
    "planned": ("none", "pending"),
    "requested": ("none", "pending"),
    "skipped": ("none", "waived"),
    "cancelled": ("none", "waived"),
    "removed": ("none", "waived"),
    "merged": ("none", "commit"),
    "open": ("none", "pending"),
    "abandoned": ("none", "waived"),
}


def pill(state: str | None) -> Pill:
    """Make the pill of an outcome; a word this table does not know is shown without a verdict."""
    if not state:
        return Pill("unknown", "none", "unknown")
    tone, icon = _STATES.get(state, ("none", "unknown"))
    return Pill(state, tone, icon)


def gaps_pill(number: int) -> Pill:
    """Make the pill that counts gaps; zero is a fact about the rules, not a verdict."""
    if number:
        return Pill(words.count(number, "gap"), "fail", "gap")
    return Pill("no gap found", "none", "pass")


@dataclass(frozen=True, slots=True)
class Who:
    """An actor: `kind` gives the shape, `how` says how we know."""

    handle: str
    kind: str
    how: str
    spoken: str


_HOW: Final = {
    "proven": "proven by its credential",
    "matched": "matched to an account",
    "claimed": "claimed by the sender",
}
_KINDS: Final = frozenset({"person", "service", "agent"})


def who(actor: ActorView | None) -> Who:
    """Make the chip of an actor; nobody is somebody worth naming."""
    if actor is None or actor.kind not in _KINDS:
        return Who("nobody named", "nobody", "", "nobody named")
    known = _HOW.get(actor.how, "how is unknown")
    behalf = f", on behalf of {actor.behalf}" if actor.behalf else ""
    return Who(actor.shown, actor.kind, actor.how, f"{actor.shown}, {actor.kind}, {known}{behalf}")


@dataclass(frozen=True, slots=True)
class RefChip:
    """A ref: kind, short id for the screen, its last part where space is short, full for paper."""

    kind: str
    short: str
    tail: str
    full: str
    href: str | None


def ref_chip(ref: str, links: Links) -> RefChip:
    """Make the chip of a ref.

    >>> ref_chip("commit:acme/shop@9fceb02aa17b", Links("default", None)).short
    'acme/shop@9fceb02'
    """
    kind, _, name = ref.partition(":")
    short = tail = words.short_digest(name)
    if kind == "commit":
        repository, at, revision = name.rpartition("@")
        short, tail = f"{repository}{at}{revision[:7]}", revision[:7]
    elif kind == "change" and "#" in name:
        tail = f"#{name.rpartition('#')[2]}"
    return RefChip(kind, short, tail, name, links.ref(ref))


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as one sentence.

    Among lines of several logs `log` is which, and `where` what people call it; else both are "".
    """

    index: int
    time: str
    clock: str
    who: Who
    sentence: str
    outcome: Pill | None
    demo: bool
    late: str
    received: bool
    mark: Mark
    hits: re.Pattern[str] | None = None
    full: str = ""
    log: str = ""
    where: str = ""


def late(time: str, recordedtime: str, now: datetime.datetime) -> str:
    """Say both times when something was recorded over a minute from when it happened, else ""."""
    if words.moment(time) is None and recordedtime:
        return f"recorded {words.when(recordedtime, now)}; the sender's time cannot be read"
    if abs(late_s(time, recordedtime)) > LATE_S:
        return f"happened {words.when(time, now)}, recorded {words.when(recordedtime, now)}"
    return ""


def line(row: LogLine, links: Links, now: datetime.datetime) -> Line:
    """Make a log line; happened and recorded both, when they differ by over a minute.

    Where the sender gave no time, the line says so to whoever points at its time or hears it;
    `RECEIVED_NOTE` says it once for all of them.
    """
    made = mark(row.index, links, state="erased" if row.erased else "recorded")
    if not row.time_claimed:
        made = replace(made, spoken=f"{made.spoken}; {NOT_CLAIMED}")
    return Line(
        index=row.index,
        time=row.time if words.moment(row.time) else row.recordedtime,
        clock=words.when(row.recordedtime, now, seconds=True),
        who=who(row.actor),
        sentence=row.sentence,
        outcome=pill(row.outcome) if row.outcome and row.outcome not in row.sentence else None,
        demo=row.demo,
        late=late(row.time, row.recordedtime, now) if row.time_claimed else "",
        received=not row.time_claimed,
        mark=made,
        full=full_ref(row.subject, row.sentence),
    )


def full_ref(ref: str | None, sentence: str) -> str:
    """Return a ref for paper where a sentence shortens its digest or commit, else "".

    >>> full_ref("commit:acme/shop@9fceb02aa17b", "pushed commit 9fceb02")
    'commit:acme/shop@9fceb02aa17b'
    >>> full_ref("run:acme/shop/1", "finished run acme/shop/1")
    ''
    """
    kind, _, ident = (ref or "").partition(":")
    return ref if ref and kind in {"commit", "artifact"} and ident not in sentence else ""


def received_note(lines: Iterable[Line]) -> str:
    """Return what is said once under lines of which any has no time of its sender, else ""."""
    return RECEIVED_NOTE if any(each.received for each in lines) else ""


@dataclass(frozen=True, slots=True)
class GapLine:
    """Something that is missing, numbered the same in the drawing and in the list."""

    number: int
    what: str
    why: str
    rule: str
    lane: str
    marks: tuple[Mark, ...]
    more: str
    demo: bool
    href: str


def gap_lines(gaps: Sequence[Gap], links: Links) -> tuple[GapLine, ...]:
    """Number the gaps of a trace and give each its marks, the first few of many."""
    return tuple(
        GapLine(
            number=number,
            what=gap.what,
            why=gap.why,
            rule=gap.rule,
            lane=gap.lane,
            marks=tuple(mark(index, links) for index in gap.entries[:GAP_MARKS_MAX]),
            more=words.count(len(gap.entries) - GAP_MARKS_MAX, "more entry", "more entries")
            if len(gap.entries) > GAP_MARKS_MAX
            else "",
            demo=gap.demo,
            href=f"#gap-{number}",
        )
        for number, gap in enumerate(gaps, start=1)
    )


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that does not fit, with the entry that says so where one does."""

    text: str
    mark: Mark | None


def oddities(problems: Sequence[tuple[int, str]], links: Links) -> tuple[Oddity, ...]:
    """Turn the problems of a row into lines."""
    return tuple(Oddity(what, mark(index, links)) for index, what in problems)


@dataclass(frozen=True, slots=True)
class Empty:
    """What is true instead of rows, since when, and one next step."""

    fact: str
    since: str
    step: str = ""
    href: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Banner:
    """A fact with a consequence and at most one action.  `tone`: fail, warn, pass or note."""

    tone: str
    icon: str
    fact: str
    consequence: str
    action: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in units of its drawing."""

    x: float
    y: float
    width: float
    height: float
    later: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """A small bar chart; its numbers stand beside it in words."""

    width: float
    height: float
    bars: tuple[Bar, ...]


def bars(
    counts: Sequence[int],
    *,
    step: float = 3,
    height: float = 20,
    later: Callable[[int], bool] = lambda _place: False,
) -> Bars:
    """Draw counts as bars on one scale; a nonzero count is never under one unit high.

    >>> [bar.height for bar in bars((0, 1, 400), height=20).bars]
    [1.0, 19.0]
    """
    most = max(counts, default=0)
    drawn = []
    for place, value in enumerate(counts):
        if value:
            tall = max(1.0, round((height - 1) * value / most, 1))
            drawn.append(
                Bar(round(place * step, 1), round(height - tall, 1), step - 1, tall, later(place))
            )
    return Bars(max(step, step * len(counts)), height, tuple(drawn))


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a progress bar, in hundredths of its width."""

    tone: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: failed first, then passed, on a ground of what is not known."""

    parts: tuple[Part, ...]
    spoken: str
    text: str
    failing: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Outcomes of the cases of a run, by name; zero where nothing was counted.

    `earlier` are the outcomes of attempts that another attempt of the same case followed.
    """

    by_outcome: dict[str, int] = field(default_factory=dict)
    earlier: dict[str, int] = field(default_factory=dict)

    def retried(self) -> list[str]:
        """Say the earlier attempts, such as ["2 failed attempts"]."""
        return [words.count(n, f"{name} attempt") for name, n in sorted(self.earlier.items()) if n]

    @property
    def total(self) -> int:
        """All cases."""
        return sum(self.by_outcome.values())

    @property
    def red(self) -> int:
        """Cases that failed or could not be carried out."""
        return self.by_outcome.get("failed", 0) + self.by_outcome.get("error", 0)

    @property
    def passed(self) -> int:
        """Cases that passed."""
        return self.by_outcome.get("passed", 0)

    def progress(self, *, running: bool = False) -> Progress | None:
        """Draw the counts; None when nothing was counted.  What still runs is not green yet."""
        if not self.total:
            return None
        red, passed = (100 * n / self.total for n in (self.red, self.passed))
        parts = tuple(
            part
            for part in (
                Part("failed", 0, round(red, 2)),
                Part("done" if running else "passed", round(red, 2), round(passed, 2)),
            )
            if part.width
        )
        text = f"{words.number(self.passed)} of {words.number(self.total)} passed"
        failing = f"{words.number(self.red)} failed" if self.red else ""
        rest = [
            f"{words.number(n)} {name}"
            for name, n in sorted(self.by_outcome.items())
            if n and name not in {"passed", "failed", "error"}
        ]
        said = ", ".join([text, *([failing] if failing else []), *rest])
        return Progress(parts, said, ", ".join([text, *rest]), failing)
