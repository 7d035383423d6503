"""Durations and times as reports write them.

What cannot be read with certainty is None and named, never guessed: "1,234" is a thousand-odd
seconds to one tool and a second and a quarter to another.
Source: the shapes met in 529 collected reports; xs:duration is not among them.
"""

import math
import re

from counterfoil.clock import format_time, parse_time

_PLAIN = re.compile(r"(?:\d+|\d*\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+\.\d+", re.ASCII)
_AMBIGUOUS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+", re.ASCII)
_COMMA = re.compile(r"\d+,\d+", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2}(?:\.\d{1,9})?)", re.ASCII)
_MAX_S = 10 * 366 * 86400.0

_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ] ?(\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?"
    r" ?(Z|UTC|GMT|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


def parse_duration(text: str) -> float | None:
    """Return seconds, or None where the text is empty, negative, not finite or ambiguous.

    >>> [parse_duration(text) for text in ("0.25", "0,288", "1,234.5", "0:00:01.5", "1,234")]
    [0.25, 0.288, 1234.5, 1.5, None]
    """
    text = text.strip()
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        hours, minutes, seconds = int(clock[1] or 0), int(clock[2]), float(clock[3])
        value = hours * 3600 + minutes * 60 + seconds
    elif _AMBIGUOUS.fullmatch(text):
        return None
    elif _PLAIN.fullmatch(text):
        value = float(text)
    elif _GROUPED.fullmatch(text):
        value = float(text.replace(",", ""))
    elif _COMMA.fullmatch(text):
        value = float(text.replace(",", "."))
    else:
        return None
    return round(value, 9) if math.isfinite(value) and value <= _MAX_S else None


def parse_timestamp(text: str) -> tuple[str | None, bool]:
    """Return (RFC 3339 text in UTC or None, whether the report named a zone).

    A time without a zone is read as UTC, and the flag says so: nobody can know which clock on
    which wall it was.  Dates alone and counters ("12.000") are no moments and give None.

    >>> parse_timestamp("2024-01-03T12:27:11.21-01:00")
    ('2024-01-03T13:27:11.210Z', True)
    >>> parse_timestamp("2009-05-16T10:00:00")
    ('2009-05-16T10:00:00.000Z', False)
    >>> parse_timestamp("12.000")
    (None, False)
    """
    match = _STAMP.fullmatch(text.strip())
    if match is None:
        return None, False
    zone = match[4] or ""
    if len(zone) == 5:
        zone = zone[:3] + ":" + zone[3:]
    elif not zone.startswith(("+", "-")):
        zone = "Z"
    fraction = f".{match[3]}" if match[3] else ""
    try:
        moment = parse_time(f"{match[1]}T{match[2]}{fraction}{zone}")
    except ValueError:
        return None, False
    return format_time(moment), match[4] is not None
