"""A repair is an act on record: what was derived again is an event in the log it concerns.

Its id follows from the journal, so a repair that broke off between recording and closing its
journal is not told twice.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from counterfoil.app.fsck_journal import Journal
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.app.refusals import SOURCE
from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, make_event
from counterfoil.policy.access import LOG as ACCESS_LOG

TYPE: Final = "dev.cdeventsx.counterfoil-log.repaired.0.1.0"
OBJECTS_TOLD: Final = 10


def record_repair(home: Home, journal: Journal, clock: Clock, *, complete: bool) -> dict[str, int]:
    """Say in each log concerned what a repair did; return the entries, by project."""
    known = {info.project for info in home.log.projects()}
    by_log: dict[str, list[dict[str, Any]]] = {}
    for one in journal.mends:
        by_log.setdefault(one["log"], []).append(one)
    indices = {}
    for log, mends in by_log.items():
        where = log if log in known else ACCESS_LOG
        event = _event(journal, log, mends, clock, complete=complete)
        try:
            [answer] = home.recorder.record_own(where, [event], LOCAL, "cli")
        except RequestError as error:
            if error.code != "id_conflict":
                raise
            # An earlier repair recorded it, and broke off before its journal said so.
            indices[where] = int(str(error.facts["index"]))
        else:
            indices[where] = answer.index
    return indices


def _event(
    journal: Journal, log: str, mends: Sequence[Mapping[str, Any]], clock: Clock, *, complete: bool
) -> Event:
    firsts = [one["first"] for one in mends if one["first"] is not None]
    lasts = [one["last"] for one in mends if one["last"] is not None]
    objects: list[JSON] = [str(one["object"]) for one in mends[:OBJECTS_TOLD]]
    data: dict[str, JSON] = {
        "log": log,
        "count": len(mends),
        "objects": objects,
        "first": min(firsts, default=None),
        "last": max(lasts, default=None),
        "kept": journal.place,
        "complete": complete,
    }
    return make_event(
        type=TYPE,
        source=SOURCE,
        id=f"repair/{journal.stamp}/{log}",
        time=format_time(clock.now()),
        authtype="system",
        authid=LOCAL.handle,
        data=data,
    )
