"""Whether a clock can be right at all, before entries carry its word for ever.

`recordedtime` never steps back within a log, so a clock that was ahead once is ahead for every
later entry: 2099 on one entry is 2099 on all that follow.  A clock that is behind does less harm:
entries carry the time of the last one until it has caught up.

Pure: the moments are arguments.  Source: docs/adr/0030.
"""

import datetime
from typing import Final

from counterfoil.clock import format_time, parse_time
from counterfoil.errors import UnavailableError

EARLIEST: Final = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
"""This version was not there before: nothing was recorded by it then."""
LATEST: Final = datetime.datetime(2046, 1, 1, tzinfo=datetime.UTC)
"""Twenty years on; a version of that time says otherwise."""
BEHIND_S: Final = 60.0
AHEAD_S: Final = 366 * 86_400.0


def check_clock(now: datetime.datetime) -> None:
    """Refuse a moment this program cannot be running at.

    Raises:
        UnavailableError: `clock`.
    """
    if not EARLIEST <= now < LATEST:
        raise UnavailableError(
            "clock",
            f"this machine's clock says {format_time(now)}, and entries would carry that for ever;"
            " set it right, then send again with the same ids",
        )


def doubt(now: datetime.datetime, last: str) -> str:
    """Return what is odd about the clock beside a log's last recorded time, "" if nothing is.

    Args:
        now: what the clock says.
        last: RFC 3339, as in the log's last entry.
    """
    ahead_s = (now - parse_time(last)).total_seconds()
    if ahead_s < -BEHIND_S:
        return (
            f"the clock is {int(-ahead_s)} s behind the last entry of {last}: entries carry that"
            " time until it has caught up"
        )
    if ahead_s > AHEAD_S:
        return f"the clock says {format_time(now)}, the last entry {last}: is it right?"
    return ""
