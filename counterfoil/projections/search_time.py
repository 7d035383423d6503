"""The moments of a search: `since:2026-11-16`, `until:2026-11`, `since:7d`, `since:today`.

A word names a span of time: a day, a month, a minute.  `since:` begins with it, `until:` ends
with it, so that `since:2026-11-16 until:2026-11-16` is that whole day.  Times without a zone are
UTC.
"""

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from counterfoil.clock import format_time, parse_time

EXAMPLES: Final = "2026-11-16, 2026-11-16T12:30Z, 7d, 24h, today or yesterday"
WORDS: Final = ("today", "yesterday", "now")

_AGO: Final = re.compile(r"([0-9]{1,5})(min|h|d|w)")
_UNITS: Final = {
    "min": timedelta(minutes=1), "h": timedelta(hours=1),
    "d": timedelta(days=1), "w": timedelta(weeks=1),
}  # fmt: skip
_DATE: Final = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time: `start` belongs to it, `end` does not.  RFC 3339, UTC, milliseconds."""

    start: str
    end: str


def read_span(text: str, now: datetime) -> Span | None:
    """Return the span a word names; None if it names none.

    >>> read_span("2026-11-16", parse_time("2026-11-20T12:00:00Z"))
    Span(start='2026-11-16T00:00:00.000Z', end='2026-11-17T00:00:00.000Z')
    """
    try:
        return _read(text.lower(), now)
    except (ValueError, OverflowError):
        # No such day, or one beyond the years that can be counted.
        return None


def _read(text: str, now: datetime) -> Span | None:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text == "today":
        return _span(midnight, midnight + timedelta(days=1))
    if text == "yesterday":
        return _span(midnight - timedelta(days=1), midnight)
    if text == "now":
        return _span(now, now)
    if ago := _AGO.fullmatch(text):
        at = now - int(ago[1]) * _UNITS[ago[2]]
        return _span(at, at)
    if date := _DATE.fullmatch(text):
        return _span(*_dates(date[1], date[2], date[3]))
    if time := _TIME.fullmatch(text):
        at = parse_time(f"{time[1]}{time[2] or ':00'}{time[4] or 'Z'}")
        whole = timedelta(milliseconds=1) if time[3] else timedelta(seconds=1 if time[2] else 60)
        return _span(at, at + whole)
    return None


def _dates(year: str, month: str | None, day: str | None) -> tuple[datetime, datetime]:
    start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    if day is not None:
        return start, start + timedelta(days=1)
    if month is not None:
        return start, (start + timedelta(days=31)).replace(day=1)
    return start, start.replace(year=start.year + 1)


def _span(start: datetime, end: datetime) -> Span:
    return Span(format_time(start), format_time(end))
