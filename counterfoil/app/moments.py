"""Moments as people write them, in the one form that compares."""

import datetime
import re

from counterfoil.clock import format_time, parse_time
from counterfoil.errors import RequestError

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def moment(name: str, text: str) -> str:
    """Return a date as it is, an RFC 3339 time in UTC, "" for "".

    Raises:
        RequestError: `usage`: it is neither.

    >>> moment("until", "2027-01-01T01:00:00+01:00")
    '2027-01-01T00:00:00.000Z'
    """
    if not text:
        return ""
    try:
        if _DATE.fullmatch(text):
            datetime.date.fromisoformat(text)
            return text
        return format_time(parse_time(text))
    except ValueError:
        raise RequestError(
            "usage", f"{name} is a date such as 2027-01-31 or an RFC 3339 time, not {text[:40]!a}"
        ) from None


def span_of(since: str, until: str) -> dict[str, str | None]:
    """Return dates as members of an event's data.

    Raises:
        RequestError: `usage`: no moments, or an end before the beginning.
    """
    begins, ends = moment("since", since), moment("until", until)
    if begins and ends and ends <= begins:
        raise RequestError("usage", f"it ends ({ends}) before it begins ({begins})")
    return {"since": begins or None, "until": ends or None}
