"""The bars of a search: matching entries over time, those outside its time pale, failures hatched.

Pure.  Each bar is a link that narrows the search to its stretch of time; the table under the
drawing says the same in words and has the same links.
"""

import datetime
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from counterfoil.app.search_answers import Bucket, Histogram
from counterfoil.projections.search import Word
from counterfoil.web.pages import words
from counterfoil.web.pages.parts import Links

WIDTH: Final = 960
HEIGHT: Final = 104
LEFT: Final = 48
TOP: Final = 8
FLOOR: Final = 80
TICKS_MAX: Final = 8
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Column:
    """One bar: what passed below, what failed on top; `href` narrows to it."""

    x: float
    width: float
    y: float
    height: float
    failed_y: float
    failed_height: float
    outside: bool
    spoken: str
    when: str
    count: str
    failed: str
    href: str


@dataclass(frozen=True, slots=True)
class Tick:
    """One label of an axis."""

    place: float
    text: str


@dataclass(frozen=True, slots=True)
class Range:
    """What static/range.js needs to choose a stretch of time.

    Attributes:
        start: RFC 3339, of edge 0.
        bucket_s: seconds from one edge to the next.
        count: the last edge; every stretch is as long as every other.
        first, last: edges of the stretch that is searched.
        since, until: the search says so in words.
        rest: the search without these words.
    """

    start: str
    bucket_s: int
    count: int
    first: int
    last: int
    since: bool
    until: bool
    rest: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The drawing and its twin; `inside` is (x, width) of the time that is searched."""

    width: int
    height: int
    left: int
    floor: int
    columns: tuple[Column, ...]
    rows: tuple[Tick, ...]
    times: tuple[Tick, ...]
    inside: tuple[float, float] | None
    range: Range
    spoken: str
    bucket: str


def draw(histogram: Histogram, read: Sequence[Word], links: Links) -> Drawing | None:
    """Return the drawing of a histogram; None when there is nothing to draw.

    Args:
        histogram: the counts.
        read: the words of the search.
        links: project and moment.
    """
    buckets = histogram.buckets
    if not buckets or histogram.end is None:
        return None
    most = max(1, *(bucket.count for bucket in buckets))
    step = (WIDTH - LEFT) / len(buckets)
    ends = [*(bucket.start for bucket in buckets[1:]), histogram.end]
    rest = " ".join(word.raw for word in read if word.key not in {"since", "until"})
    columns = tuple(
        _column(place, bucket, end, step, most, rest, links)
        for place, (bucket, end) in enumerate(zip(buckets, ends, strict=True))
        if bucket.count
    )
    keys = {word.key for word in read}
    timed = bool(keys & {"since", "until"})
    within = [place for place, bucket in enumerate(buckets) if bucket.inside]
    total = sum(bucket.count for bucket in buckets)
    return Drawing(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        floor=FLOOR,
        columns=columns,
        rows=tuple(
            Tick(round(FLOOR - (FLOOR - TOP) * value / most, 1), words.number(value))
            for value in sorted({most, (most + 1) // 2})
        ),
        times=_times(histogram, step),
        inside=(round(LEFT + within[0] * step, 1), round(len(within) * step, 1))
        if timed and within
        else None,
        range=Range(
            start=buckets[0].start,
            bucket_s=histogram.bucket_s,
            count=len(buckets),
            first=within[0] if timed and within else 0,
            last=within[-1] + 1 if timed and within else len(buckets),
            since="since" in keys,
            until="until" in keys,
            rest=rest,
        ),
        spoken=f"{words.count(total, 'entry', 'entries')} over time, also in the table below",
        bucket=words.duration(histogram.bucket_s),
    )


def _column(
    place: int, bucket: Bucket, end: str, step: float, most: int, rest: str, links: Links
) -> Column:
    tall = (FLOOR - TOP) * bucket.count / most
    red = tall * bucket.failed / bucket.count
    at = words.full_time(bucket.start)
    count = words.count(bucket.count, "entry", "entries")
    failed = f", {words.number(bucket.failed)} failed" if bucket.failed else ""
    # The last moment that belongs to it: `until:` includes the moment it names.
    last = words.moment(end)
    until = (last - datetime.timedelta(milliseconds=1)) if last else None
    stamp = until.isoformat(timespec="milliseconds").replace("+00:00", "Z") if until else end
    return Column(
        x=round(LEFT + place * step + 0.5, 1),
        width=round(max(1.0, step - 1), 1),
        y=round(FLOOR - max(tall, 1.5), 1),
        height=round(max(tall, 1.5), 1),
        failed_y=round(FLOOR - max(tall, 1.5), 1),
        failed_height=round(max(red, 1.5), 1) if bucket.failed else 0,
        outside=not bucket.inside,
        spoken=f"{at}: {count}{failed}",
        when=at,
        count=words.number(bucket.count),
        failed=words.number(bucket.failed),
        href=links.to("/search", q=f"{rest} since:{bucket.start} until:{stamp}".strip()),
    )


def _times(histogram: Histogram, step: float) -> tuple[Tick, ...]:
    starts = [words.moment(bucket.start) for bucket in histogram.buckets]
    every = -(-len(starts) // TICKS_MAX)
    if histogram.bucket_s < _DAY_S:
        midnights = [place for place, at in enumerate(starts) if at and not (at.hour or at.minute)]
        if 2 <= len(midnights) <= TICKS_MAX * 2:
            chosen = midnights[:: -(-len(midnights) // TICKS_MAX)]
            return _labels(starts, chosen, step, "%a %-d %b")
        return _labels(starts, range(0, len(starts), every), step, "%a %H:%M")
    return _labels(starts, range(0, len(starts), every), step, "%-d %b %Y")


def _labels(
    starts: Sequence[datetime.datetime | None], places: Sequence[int], step: float, form: str
) -> tuple[Tick, ...]:
    ticks = [
        Tick(round(LEFT + place * step, 1), at.strftime(form))
        for place in places
        if (at := starts[place]) is not None
    ]
    # A label needs its space; the last one must not run out of the drawing.
    roomy = [one for one, after in itertools.pairwise([*ticks, Tick(WIDTH, "")])
             if after.place - one.place >= 60]  # fmt: skip
    return tuple(roomy)
