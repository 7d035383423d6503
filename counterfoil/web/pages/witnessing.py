"""What pages say about witnesses: how far they are, and loudly when one knows another history."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from counterfoil.app.answers import Health, WitnessStatus
from counterfoil.clock import format_time
from counterfoil.web.pages import words

NONE_SET_UP = "no witness is set up: nobody outside holds this tree"


@dataclass(frozen=True, slots=True)
class WitnessLine:
    """One witness on the page: what it is called, how far it is, whose key it has."""

    icon: str
    tone: str
    name: str
    number: str
    detail: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Witnessed:
    """The state of all witnesses in one line."""

    icon: str
    tone: str
    number: str
    detail: str


def witnessed(health: Health) -> Witnessed:
    """Say in one line how much of the log is witnessed.

    Green only when every witness has cosigned all that is published; red when one alarms.
    """
    seen = health.witnesses
    if not seen:
        return Witnessed("pending", "none", "none", NONE_SET_UP)
    number = words.number(health.witnessed_size) if health.witnessed_size else "none"
    for one in seen:
        if one.alarm:
            return Witnessed("fail", "fail", number, f"ALARM: {one.name} {one.alarm}")
    published = health.exported_size or 0
    behind = [one for one in seen if one.size < published or one.cosigned_at is None]
    if not behind:
        return Witnessed("pass", "pass", number, f"tree size that {_all(seen)} cosigned")
    reasons = [f"{one.name}: {one.problem or 'not asked yet'}" for one in behind]
    tone = "warn" if any(one.problem for one in behind) else "none"
    icon = "warn" if tone == "warn" else "pending"
    counted = f"{words.number(len(seen) - len(behind))} of {_count(len(seen))} are level"
    return Witnessed(icon, tone, number, "; ".join((counted, *reasons))[:300])


def witness_lines(health: Health, now: datetime.datetime) -> tuple[WitnessLine, ...]:
    """Return a line for each witness."""
    return tuple(_line(one, health.exported_size or 0, now) for one in health.witnesses)


def _line(one: WitnessStatus, published: int, now: datetime.datetime) -> WitnessLine:
    lag = max(0, published - one.size)
    when = (
        f"cosigned {words.ago(format_time(one.cosigned_at), now)}"
        if one.cosigned_at is not None
        else "has cosigned nothing yet"
    )
    behind = f"{words.count(lag, 'entry', 'entries')} behind what is published" if lag else "level"
    if one.alarm:
        icon, tone, detail = "fail", "fail", f"ALARM: {one.alarm}"
    elif one.problem:
        icon, tone, detail = "warn", "warn", f"{behind}; {one.problem}"
    elif lag:
        icon, tone, detail = "pending", "none", behind
    else:
        icon, tone, detail = "pass", "pass", behind
    number = words.number(one.size) if one.size else "none"
    return WitnessLine(icon, tone, one.name, number, f"{when}; {detail}", one.vkey.fingerprint())


def _all(seen: Sequence[WitnessStatus]) -> str:
    return words.listing([one.name for one in seen]) if len(seen) < 4 else f"all {len(seen)}"


def _count(number: int) -> str:
    return words.count(number, "witness", "witnesses")
