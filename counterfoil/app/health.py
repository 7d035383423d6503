"""What an operator has to know of each log: each stage level, behind, failing or unknown, and what to do.

What must hold: unknown is never well, and neither is what nobody was asked to do; a lag that comes
of how things go (an export a second later, a backup from last night) is told and is no warning.
"""

import datetime
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

import msgspec

from counterfoil.app.standing import STAGES, Reach, Stage, Standing
from counterfoil.clock import format_time

State = Literal["level", "behind", "late", "failing", "unknown"]
"""behind: as things go; late: longer than they should take; unknown: nobody looked, or is asked."""
LAG_MAX: Final = 50_000
"""Entries a stage may lack however busy the log is."""
_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3_600.0
_DAY_S: Final = 86_400.0


class Rule(NamedTuple):
    """How one stage is judged.

    Attributes:
        patience_s: how long it may lack an entry; for what is done from time to time, how old the
            last time may be.
        by_times: whether it is done from time to time.
        unknown: what is said where nobody looked.
        do: what to do when it is late or unknown.
    """

    patience_s: float
    by_times: bool
    unknown: str
    do: str


RULES: Final[dict[Stage, Rule]] = {
    "committed": Rule(0, False, "", ""),
    "exported": Rule(
        2 * _MINUTE_S, False, "nobody knows",
        "Look at the disk and the modes of public/; the log itself is not concerned.",
    ),
    "rows": Rule(
        5 * _MINUTE_S, False, "nobody knows",
        "Wait while it catches up; where it stopped, counterfoil admin rebuild.",
    ),
    "aggregated": Rule(
        10 * _MINUTE_S, False, "there is no aggregate log",
        "Read what the server's log says of the aggregate log; counterfoil fsck names what is missing.",
    ),
    "witnessed": Rule(
        _HOUR_S, False, "no witness is set up: nobody outside holds this tree",
        "Add a [[witness]] to the settings (docs/how-to/witness.md), or ask whoever runs it.",
    ),
    "stamped": Rule(
        6 * _HOUR_S, False, "no authority is asked for time stamps, or none answered yet",
        "Set [timestamp] url in the settings, or try the authority by hand.",
    ),
    "backed_up": Rule(
        36 * _HOUR_S, True, "nobody looked yet: no backup was taken by this ledger",
        "Run counterfoil admin backup, by a timer (docs/how-to/backup.md).",
    ),
    "restored": Rule(0, True, "", ""),
    "drilled": Rule(
        90 * _DAY_S, True, "nobody looked yet: no backup was ever tried out",
        "Run the restore drill (docs/how-to/backup.md).",
    ),
    "verified": Rule(
        30 * _DAY_S, True, "nobody looked yet",
        "Leave the server on, which reads everything again, or run counterfoil fsck --full.",
    ),
}  # fmt: skip
_ORDER: Final[tuple[State, ...]] = ("level", "behind", "unknown", "late", "failing")


class StageHealth(msgspec.Struct, frozen=True):
    """One stage of one log.

    Attributes:
        stage: what was done, or is to be done, to entries.
        state: how that goes.
        size: entries it covers, from index 0; None where nobody knows.
        lag: committed entries it lacks; None where nobody knows.
        at: when it came so far, RFC 3339; "" where nobody knows.
        why: what is so, one line; "" while it is level.
        do: what to do about it, one line; "" where there is nothing to do.
    """

    stage: Stage
    state: State
    size: int | None
    lag: int | None
    at: str
    why: str
    do: str


class LogHealth(msgspec.Struct, frozen=True):
    """One log: its worst state, and every stage."""

    log: str
    state: State
    stages: tuple[StageHealth, ...]


def health_of(standing: Standing, now: datetime.datetime) -> LogHealth:
    """Judge how a log is doing at a moment."""
    stages = tuple(
        _stage(standing, stage, now) for stage in STAGES if _applies(standing, stage)
    )  # fmt: skip
    return LogHealth(standing.log, worst(one.state for one in stages), stages)


def worst(states: Iterable[State]) -> State:
    """Return the state that matters most; "level" only where all are."""
    return max(states, key=_ORDER.index, default="level")


def _applies(standing: Standing, stage: Stage) -> bool:
    """Say whether a stage is asked for: a restore is an event, and no aggregate log has rows."""
    if stage == "restored":
        return False
    return standing.has_rows or stage not in {"rows", "aggregated"}


def _stage(standing: Standing, stage: Stage, now: datetime.datetime) -> StageHealth:
    reach, rule = standing.reaches.get(stage), RULES[stage]
    state, why = _judged(standing, stage, reach, now)
    return StageHealth(
        stage=stage,
        state=state,
        size=standing.size(stage),
        lag=standing.lag(stage),
        at="" if reach is None or reach.at is None else format_time(reach.at),
        why=why,
        do="" if state in {"level", "behind"} else _do(stage, state) or rule.do,
    )


def _do(stage: Stage, state: State) -> str:
    if state != "failing":
        return ""
    return {
        "committed": "Restart; if it stops again, counterfoil fsck --full names why.",
        "witnessed": "Stop, keep everything, and compare: counterfoil verify DIR --against EVIDENCE.",
        "verified": "Copy the directory away, then counterfoil fsck --repair.",
    }.get(stage, "")


def _judged(
    standing: Standing, stage: Stage, reach: Reach | None, now: datetime.datetime
) -> tuple[State, str]:
    if trouble := _trouble(standing, stage):
        return trouble
    rule = RULES[stage]
    if reach is None:
        return "unknown", rule.unknown
    if stage == "committed":
        return ("late", standing.clock) if standing.clock else ("level", "")
    lag = standing.lag(stage) or 0
    if rule.by_times:
        age_s = (now - reach.at).total_seconds() if reach.at is not None else rule.patience_s
        if age_s >= rule.patience_s:
            return "late", f"the last time was {int(age_s // _HOUR_S)} hours ago"
        return ("behind", f"{_entries(lag)} came since") if lag else ("level", "")
    if not lag:
        return "level", ""
    committed = standing.reaches["committed"].at
    waits_s = (now - committed).total_seconds() if committed is not None else 0.0
    if waits_s > rule.patience_s or lag > LAG_MAX:
        return "late", f"{_entries(lag)} behind"
    return "behind", f"{_entries(lag)} behind"


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number:,} entries"


def _trouble(standing: Standing, stage: Stage) -> tuple[State, str] | None:
    """Return what is known to be wrong with a stage."""
    if stage == "committed" and standing.stopped:
        return "failing", f"no entries are taken: {standing.stopped}"
    if stage == "exported" and standing.export_failed:
        return "failing", standing.export_failed
    if stage == "rows" and standing.rows_stopped:
        return "failing", standing.rows_stopped
    if stage == "verified" and standing.damages:
        return "failing", standing.damages[0].why
    if stage == "witnessed":
        for one in standing.witnesses:
            if one.alarm:
                return "failing", f"ALARM: {one.name} {one.alarm}"
        behind = [f"{one.name}: {one.problem}" for one in standing.witnesses if one.problem]
        if behind:
            return "late", "; ".join(behind)
    return None
