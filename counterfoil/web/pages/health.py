"""The health page: for each log how far every stage has come, and what to do where one lags."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.everywhere import readable
from counterfoil.app.health import LogHealth, StageHealth, State, health_of, worst
from counterfoil.app.standing import Stage, standings
from counterfoil.verifier.aggregate import AGGREGATE
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.frame import frame_of, now_of
from counterfoil.web.pages.parts import Pill
from counterfoil.web.pages.render import render

_NAMES: Final[dict[Stage, str]] = {
    "committed": "Committed",
    "exported": "Exported for anybody to check",
    "rows": "Folded into these pages",
    "aggregated": "In the aggregate log",
    "witnessed": "Witnessed",
    "stamped": "Stamped with a time",
    "backed_up": "Backed up",
    "drilled": "Tried out from a backup",
    "verified": "Read again and found whole",
}
# State -> (word, tone, icon).  Green is only what was looked at and lacks nothing.
_STATES: Final[dict[State, tuple[str, str, str]]] = {
    "level": ("level", "pass", "pass"),
    "behind": ("on its way", "none", "pending"),
    "late": ("late", "warn", "warn"),
    "failing": ("failing", "fail", "fail"),
    "unknown": ("unknown", "none", "unknown"),
}


@dataclass(frozen=True, slots=True)
class StageLine:
    """One stage: how many of how many entries, since when, what is so and what to do."""

    name: str
    state: Pill
    number: str
    detail: str
    do: str


@dataclass(frozen=True, slots=True)
class LogCard:
    """One log."""

    id: str
    name: str
    about: str
    state: Pill
    stages: tuple[StageLine, ...]


@dataclass(frozen=True, slots=True)
class HealthView:
    """The page."""

    say: str
    state: Pill
    logs: tuple[LogCard, ...]


def build_health(found: Sequence[LogHealth], now: datetime.datetime) -> HealthView:
    """Build the page of these logs."""
    every = [stage for one in found for stage in one.stages]
    return HealthView(
        say=_say(every),
        state=_pill(worst(one.state for one in every)),
        logs=tuple(_card(one, now) for one in found),
    )


def _say(every: Sequence[StageHealth]) -> str:
    """Answer the page's question in a sentence; it never says well of what nobody looked at."""
    if any(one.stage == "committed" and one.state == "failing" for one in every):
        return "A log takes no entries."
    counted = {
        state: sum(one.state == state for one in every)
        for state in ("failing", "late", "unknown", "behind")
    }
    told = [
        f"{words.count(number, 'stage')} {text}"
        for state, text in (
            ("failing", "failing"), ("late", "late"), ("behind", "on its way"),
            ("unknown", "unknown"),
        )
        if (number := counted[state])
    ]  # fmt: skip
    taken = "Every log takes entries"
    return f"{taken}; {words.listing(told)}." if told else f"{taken}, and no stage lacks one."


def _card(one: LogHealth, now: datetime.datetime) -> LogCard:
    about = "checkpoints of all logs" if one.log == AGGREGATE else ""
    committed = next((stage.size for stage in one.stages if stage.stage == "committed"), None) or 0
    stages = tuple(_line(stage, committed, now) for stage in one.stages)
    return LogCard(f"log-{one.log}", one.log, about, _pill(one.state), stages)


def _line(one: StageHealth, committed: int, now: datetime.datetime) -> StageLine:
    number = "unknown" if one.size is None else words.number(one.size)
    if one.size is not None and one.stage != "committed":
        number = f"{words.number(min(one.size, committed))} of {words.number(committed)}"
    when = words.when(one.at, now) if one.at else ""
    detail = "; ".join(text for text in (one.why, when) if text)
    return StageLine(_NAMES[one.stage], _pill(one.state), number, detail, one.do)


def _pill(state: State) -> Pill:
    return Pill(*_STATES[state])


def health_page(request: Request, context: Context) -> Response:
    """Answer GET /health: how it is now, whatever moment the reader looks at."""
    frame, now = frame_of(request, context, "/log"), now_of(context)
    logs = readable(context.home, context.credential)
    view = build_health([health_of(one, now) for one in standings(context.home, logs)], now)
    return render(request, "health.html", frame=frame, view=view)
