"""The as-of bar: one ruler of time across the top of every page.

It is quiet now and plum in the past, where every link keeps the moment and later entries are
counted as hidden.  Pure.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from counterfoil.app.answers import Activity
from counterfoil.web.pages import words
from counterfoil.web.pages.parts import Bar, Links, bars

RULER_BUCKETS: Final = 168


@dataclass(frozen=True, slots=True)
class Ruler:
    """Entries over time.

    `entries` holds the last entry of each bucket for the pointer, `cut` is where the moment
    shown lies, `value` says it: what a reader of the slider hears.
    """

    width: float
    height: float
    bars: tuple[Bar, ...]
    first: str
    last: str
    spoken: str
    entries: str
    cut: float
    value: str
    time: str


@dataclass(frozen=True, slots=True)
class AsOf:
    """The as-of bar.

    `printed` is `words` for paper, which outlives "today".
    `index` is the newest entry the page knows, -1 in an empty log; `newest` the last there is.
    `changed` leads to what came since; `since` is the entry its form proposes.
    """

    index: int
    newest: int
    past: bool
    words: str
    printed: str
    hidden: str
    ruler: Ruler | None
    earlier_href: str
    earlier_words: str
    later_href: str
    later_words: str
    now_href: str
    changed_href: str
    changed_kept: tuple[tuple[str, str], ...]


def as_of_bar(
    links: Links,
    newest: int,
    shown_time: str | None,
    activity: Activity,
    here: Callable[[int | None], str],
    now: datetime.datetime,
    about: str,
) -> AsOf:
    """Build the bar.

    Args:
        links: carries the project and the moment.
        newest: number of the last entry there is, -1 in an empty log.
        shown_time: recorded time of the newest entry shown, None when none is.
        activity: of the whole log.
        here: entry number (None: now) -> this page at that moment.
        now: the present moment.
        about: the ref of the run or release the page shows, or "".
    """
    as_of = links.as_of
    shown = newest if as_of is None else min(as_of, newest)
    if shown < 0:
        said = printed = "the start, no entry yet"
    else:
        said = f"entry {words.number(shown)} · {words.when(shown_time or '', now)}"
        printed = f"entry {words.number(shown)} · {words.full_time(shown_time or '')}"
    later = newest - shown
    kept = {"ref": about} if about else {}
    return AsOf(
        index=shown,
        newest=newest,
        past=as_of is not None,
        words=said,
        printed=printed,
        hidden=f"{words.count(later, 'later entry is', 'later entries are')} hidden"
        if later
        else "no later entry is hidden",
        ruler=_ruler(activity, shown, shown_time or ""),
        earlier_href=here(shown - 1) if shown > 0 else "",
        earlier_words=f"entry {words.number(max(shown - 1, 0))}",
        later_href=here(shown + 1) if as_of is not None and later else "",
        later_words=f"entry {words.number(shown + 1)}",
        now_href=here(None),
        changed_href=links.at(None).to("/changed", **kept, since=max(shown, 0)),
        changed_kept=links.at(None).pairs(**kept),
    )


def _ruler(activity: Activity, shown: int, shown_time: str) -> Ruler | None:
    """Draw the log's activity; None in a log without entries."""
    start, end = words.moment(activity.start or ""), words.moment(activity.end or "")
    if start is None or end is None or not activity.counts:
        return None
    # A young log is drawn on a whole week, so that its first hour is not a wall.
    before = max(0, RULER_BUCKETS - len(activity.counts))
    start -= datetime.timedelta(seconds=before * activity.bucket_s)
    firsts = (0,) * before + activity.firsts
    counts = (0,) * before + activity.counts
    drawn = bars(counts, later=lambda place: firsts[place] > shown)
    total = words.count(sum(counts), "entry", "entries")
    lasts = [first + n - 1 for first, n in zip(firsts, counts, strict=True)]
    place = next((n for n, last in enumerate(lasts) if last >= shown and counts[n]), len(counts))
    return Ruler(
        width=drawn.width,
        height=drawn.height,
        bars=drawn.bars,
        first=words.day(start),
        last=words.day(end),
        spoken=f"{total} from {words.day(start)} to {words.day(end)}",
        entries=" ".join(str(max(0, last)) for last in lasts),
        cut=round(min((place + 0.5) * drawn.width / len(counts), drawn.width - 1), 1),
        value=f"entry {words.number(max(shown, 0))}, {words.full_time(shown_time)} UTC"
        if shown >= 0
        else "before the first entry",
        time=shown_time,
    )
