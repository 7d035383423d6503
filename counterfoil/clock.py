"""Time as an argument: a clock to pass around, and the one text form of a moment.

Moments are RFC 3339 text in UTC with milliseconds and `Z` ("2026-11-20T12:31:07.188Z") wherever
they are stored or shown to programs; such text sorts like the moments do.
"""

import datetime
import re
from typing import Protocol

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))"
)


class Clock(Protocol):
    """Whatever tells the time."""

    def now(self) -> datetime.datetime:
        """Return the present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock: the only place that reads it."""

    def now(self) -> datetime.datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.datetime.now(datetime.UTC)  # noqa: TID251  the one place that may


class SteppedClock:
    """A clock for tests and rebuilds: starts where told, moves only when told."""

    def __init__(self, start: str = "2026-11-20T12:00:00.000Z") -> None:
        self.moment = parse_time(start)

    def now(self) -> datetime.datetime:
        """Return the moment the clock was last set to."""
        return self.moment

    def step(self, seconds: float) -> None:
        """Move by `seconds`, which may be negative: real clocks step back too."""
        self.moment += datetime.timedelta(seconds=seconds)


def parse_time(text: str) -> datetime.datetime:
    """Read an RFC 3339 date-time strictly; any offset, returned in UTC.

    Raises:
        ValueError: not RFC 3339, or no such day or hour.

    Source: RFC 3339 section 5.6.  A leap second (`:60`) is read as the second before it.

    >>> format_time(parse_time("2026-11-20T13:31:07+01:00"))
    '2026-11-20T12:31:07.000Z'
    """
    match = _RFC3339.fullmatch(text)
    if match is None or not text.isascii():
        raise ValueError(f"not an RFC 3339 time: {text[:64]!r}")
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    micros = int((match[7] or "0").ljust(6, "0")[:6])
    moment = datetime.datetime(
        year, month, day, hour, minute, min(second, 59), micros, tzinfo=datetime.UTC
    )
    if second > 60:
        raise ValueError(f"not an RFC 3339 time: {text[:64]!r}")
    if match[8]:
        offset = datetime.timedelta(hours=int(match[9]), minutes=int(match[10]))
        try:
            moment = moment - offset if match[8] == "+" else moment + offset
        except OverflowError as error:
            raise ValueError(f"not an RFC 3339 time: {text[:64]!r}") from error
    return moment


_ENTRY = re.compile(r"\d{1,64}|\d{1,3}(?:,\d{3})+", re.ASCII)
_LOOSE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(:\d{2})?)?", re.ASCII)


def read_moment(text: str) -> int | datetime.datetime:
    """Read what people write for a moment of a log: an entry number, or a time.

    A number may have comma groups, as pages print it.  A time is RFC 3339, or a date with hours
    and minutes in UTC, or a date alone, which means the end of that day: "as of 20 November"
    includes what was done on it.

    Raises:
        ValueError: it is none of these.

    >>> read_moment("4,711"), format_time(read_moment("2026-11-20"))
    (4711, '2026-11-20T23:59:59.999Z')
    >>> format_time(read_moment("2026-11-20 13:36"))
    '2026-11-20T13:36:00.000Z'
    """
    if _ENTRY.fullmatch(text):
        return int(text.replace(",", ""))
    if loose := _LOOSE.fullmatch(text):
        day, minute, second = loose.groups()
        return parse_time(f"{day}T{minute}{second or ':00'}Z" if minute else f"{day}T23:59:59.999Z")
    return parse_time(text)


def format_time(moment: datetime.datetime) -> str:
    """Write an aware moment as RFC 3339 in UTC with milliseconds."""
    utc = moment if moment.tzinfo is datetime.UTC else moment.astimezone(datetime.UTC)
    return utc.isoformat(timespec="milliseconds")[:23] + "Z"


# What was recorded within this time of when it is said to have happened was recorded then.
LATE_S = 60.0


def late_s(time: str, recordedtime: str) -> float:
    """Return the seconds from a claimed time to its record; 0 where either is unreadable.

    >>> late_s("2026-11-20T12:00:00Z", "2026-11-20T12:01:30.000Z")
    90.0
    """
    try:
        return (parse_time(recordedtime) - parse_time(time)).total_seconds()
    except ValueError:
        return 0.0
