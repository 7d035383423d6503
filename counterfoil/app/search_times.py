"""A search over time: entry numbers of moments, and matching entries counted in stretches.

Time here is the time of recording, which never decreases with the entry number: a stretch of time
is a range of entries, and counting one needs no more than its two ends.
"""

import datetime
import itertools
from collections.abc import Callable
from typing import Final

from counterfoil.app.search_answers import Bucket, Histogram
from counterfoil.clock import format_time, parse_time
from counterfoil.projections.search import Query
from counterfoil.projections.search_set import counts_between

BUCKETS_MAX: Final = 90
# Lengths of a bucket in seconds: a minute to four weeks, each a whole part of the next but one.
STEPS_S: Final = (
    60, 300, 900, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800, 2_419_200,
)  # fmt: skip
_EPOCH: Final = datetime.datetime(1970, 1, 5, tzinfo=datetime.UTC)  # a Monday


def histogram_of(
    query: Query, span: tuple[str, str] | None, place: Callable[[str], int], end: int,
    members: int, failures: int,
) -> Histogram:  # fmt: skip
    """Count what matches over the whole log, or over some more than `since:` to `until:`.

    Args:
        query: for `since:` and `until:`.
        span: when the first and the last entry were recorded, RFC 3339; None without any.
        place: recorded time -> number of the first entry at or after it.
        end: the first entry that is not part of the answer.
        members: what matches but for the time.
        failures: entries that failed, among others.
    """
    if span is None:
        return Histogram(None, STEPS_S[0], ())
    low, high = _domain(query, parse_time(span[0]), parse_time(span[1]))
    step_s = _step_s(low, high)
    step = datetime.timedelta(seconds=step_s)
    start = _EPOCH + (low - _EPOCH) // step * step
    times = [start + number * step for number in range((high - start) // step + 2)]
    stamps = [format_time(time) for time in times]
    edges = [min(place(stamp), end) for stamp in stamps]
    counts = counts_between(members, edges)
    failed = counts_between(members & failures, edges)
    buckets = tuple(
        Bucket(at, count, red, _inside(query, at, after))
        for (at, after), count, red in zip(itertools.pairwise(stamps), counts, failed, strict=True)
    )
    return Histogram(stamps[-1], step_s, buckets)


def _domain(
    query: Query, first: datetime.datetime, last: datetime.datetime
) -> tuple[datetime.datetime, datetime.datetime]:
    """Return the time to draw: the log's, or what is asked for with half as much around it."""
    since = parse_time(query.since) if query.since else first
    until = parse_time(query.until) if query.until else last
    low, high = max(since, first), min(until, last)
    if low >= high:
        return first, last
    around = (high - low) / 2
    return (
        max(first, low - around) if query.since else first,
        min(last, high + around) if query.until else last,
    )


def _step_s(low: datetime.datetime, high: datetime.datetime) -> int:
    span_s = (high - low).total_seconds()
    for step_s in STEPS_S:
        if span_s / step_s <= BUCKETS_MAX - 2:
            return step_s
    # Longer than seven years: whole multiples of four weeks.
    return STEPS_S[-1] * (int(span_s / STEPS_S[-1] / (BUCKETS_MAX - 2)) + 1)


def _inside(query: Query, start: str, end: str) -> bool:
    return (query.since is None or end > query.since) and (
        query.until is None or start < query.until
    )
