"""What every page says while something that is kept is damaged.

`alarms_of` asks, `build_damaged` is pure.  Who may not read a log learns that there is damage,
and not what stands there.
"""

import datetime
from dataclasses import dataclass, replace
from typing import Final

from counterfoil.app.home import Home
from counterfoil.app.scrub import Damage
from counterfoil.policy.access import Credential
from counterfoil.verifier.aggregate import AGGREGATE
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.parts import Links, Mark, mark

PLACES_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class DamagedPlace:
    """One place: what is wrong in it, since when, and the entry that says so."""

    what: str
    found: str
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class Damaged:
    """The banner: a fact, the first place, those behind it, and how many are not shown."""

    fact: str
    first: DamagedPlace | None
    more: tuple[DamagedPlace, ...]
    others: str


@dataclass(frozen=True, slots=True)
class Alarms:
    """What is wrong with the ledger as far as whoever asks may know.

    Attributes:
        found: damages in logs they may read.
        hidden: how many there are in others.
        stopped: why the log of the page takes no entries; "" while it does.
    """

    found: tuple[Damage, ...] = ()
    hidden: int = 0
    stopped: str = ""


NO_ALARMS: Final = Alarms()


def alarms_of(context: Context) -> Alarms:
    """Return what is wrong, for whoever asks for a page about a log."""
    status = context.home.ledger.status(context.project)
    alarms = alarms_for(context.home, context.credential)
    return replace(alarms, stopped=status.frozen or status.stopped)


def alarms_for(home: Home, credential: Credential) -> Alarms:
    """Return what was found damaged, for a page that is about no log.

    What concerns the ledger as a whole is for everybody who may read any log of it.
    """
    found = home.scrub.damages()
    if not found:
        return NO_ALARMS
    logs = {info.project for info in home.log.projects()}
    readable = {log for log in logs if home.access.decide(credential, "read", log).allowed}
    if readable:
        readable |= {"", AGGREGATE}
    shown = tuple(one for one in found if one.log in readable)
    return Alarms(shown, len(found) - len(shown))


def build_damaged(alarms: Alarms, now: datetime.datetime) -> Damaged | None:
    """Build the banner; None while all that was read is whole and the log goes on."""
    places = [_place(one, now) for one in alarms.found]
    if alarms.stopped:
        places.insert(0, DamagedPlace(f"No entries are taken: {alarms.stopped}", "", None))
    if not places and not alarms.hidden:
        return None
    rest = places[1 : PLACES_SHOWN + 1]
    others = []
    if len(places) > 1 + len(rest):
        others.append(f"{words.count(len(places) - 1 - len(rest), 'place')} more")
    if alarms.hidden:
        others.append(f"{words.count(alarms.hidden, 'place')} in logs you may not read")
    fact = "Damage was found in what this ledger keeps."
    if not alarms.found and not alarms.hidden:
        fact = "This log has stopped."
    return Damaged(fact, places[0] if places else None, tuple(rest), " and ".join(others))


def _place(one: Damage, now: datetime.datetime) -> DamagedPlace:
    where = f"log {one.log}: " if one.log else ""
    told = mark(one.entry, Links(one.recorded_in, None)) if one.entry is not None else None
    return DamagedPlace(f"{where}{one.why}", f"found {words.ago(one.found, now)}", told)
