"""Log and proofs: every entry as one sentence, how far the log has come, how to check it."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.answers import Health, LogLine, SourceRow
from counterfoil.errors import RequestError
from counterfoil.tlog.note import VerifierKey
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.frame import frame_of, health_of, links_of, moment_of, now_of
from counterfoil.web.pages.now import HealthLine, SourceLine, health_lines, source_line
from counterfoil.web.pages.parts import Empty, Line, Links, line, received_note
from counterfoil.web.pages.render import render
from counterfoil.web.pages.witnessing import WitnessLine, witness_lines

LINES_PER_PAGE: Final = 45


@dataclass(frozen=True, slots=True)
class Day:
    """The entries recorded on one day."""

    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class LogView:
    """The log."""

    say: str
    days: tuple[Day, ...]
    lines_words: str
    received: str
    empty: Empty
    older: str | None
    newest: str | None
    health: tuple[HealthLine, ...]
    health_href: str
    witnesses: tuple[WitnessLine, ...]
    sources: tuple[SourceLine, ...]
    origin: str
    root: str
    vkey: str
    fingerprint: str
    checkpoint: str
    checkpoint_href: str
    verify_command: str


def build_log(
    lines: Sequence[LogLine],
    health: Health,
    sources: Sequence[SourceRow],
    vkey: VerifierKey,
    *,
    before: int | None,
    public_url: str,
    links: Links,
    now: datetime.datetime,
    moment: datetime.datetime | None = None,
) -> LogView:
    """Build the page: `lines` latest first; `before` is the entry they stop at, exclusive.

    `moment` is what the page is about, None for now.
    """
    lowest = lines[-1].index if lines else 0
    base = f"{public_url}/log/{links.project}"
    days = days_of(lines, links, now)
    return LogView(
        say=f"{words.count(health.size, 'entry', 'entries')} in one append-only log. "
        "Each has its place, its bytes and a receipt that anybody can check without this server.",
        days=days,
        received=received_note(each for day in days for each in day.lines),
        lines_words=f"{words.number(lowest)} to {words.number(lines[0].index)}, the latest first"
        if lines
        else "none",
        empty=Empty(
            "No entry is recorded here.",
            "Send a first event:",
            command="counterfoil record com.example.hello --data '{}'",
        ),
        older=links.to("/log", before=lowest) if lowest > 0 else None,
        newest=links.to("/log") if before is not None else None,
        health=health_lines(health, now),
        health_href=links.to("/health"),
        witnesses=witness_lines(health, now),
        sources=tuple(source_line(row, links, moment or now) for row in sources),
        origin=health.origin,
        root=health.root.hex(),
        vkey=str(vkey),
        fingerprint=vkey.fingerprint(),
        checkpoint=health.checkpoint.decode("utf-8", "replace"),
        checkpoint_href=f"/log/{links.project}/checkpoint",
        verify_command=f"counterfoil verify {base} --vkey {links.project}.vkey",
    )


def days_of(
    lines: Sequence[LogLine], links: Links, now: datetime.datetime,
    hits: re.Pattern[str] | None = None,
) -> tuple[Day, ...]:  # fmt: skip
    """Put lines under the days they were recorded on, in the order they come; mark `hits`."""
    days: dict[str, list[Line]] = {}
    for row in lines:
        made = replace(line(row, links, now), hits=hits)
        days.setdefault(day_of(row), []).append(made)
    return tuple(Day(name, tuple(made)) for name, made in days.items())


def day_of(row: LogLine) -> str:
    """Return the day an entry was recorded on, as its head says it."""
    at = words.moment(row.recordedtime)
    return f"{at.strftime('%A')} {words.day(at)} {at.year}" if at else "unknown day"


def before_of(request: Request) -> int | None:
    """Return `?before=`, an entry number.

    Raises:
        RequestError: `query_invalid`.
    """
    text = request.query_params.get("before")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise RequestError(
            "query_invalid", "before is no entry number; leave it out for the latest"
        )
    return int(text)


def log_page(request: Request, context: Context) -> Response:
    """Answer GET /log.

    Raises:
        RequestError: `query_invalid`.
    """
    reader, before = context.home.reader, before_of(request)
    frame = frame_of(request, context, "/log")
    view = build_log(
        reader.log_lines(context.project, as_of=context.as_of, before=before, limit=LINES_PER_PAGE),
        health_of(context),
        reader.sources(context.project, as_of=context.as_of),
        reader.vkey(context.project),
        before=before,
        public_url=context.public_url,
        links=links_of(context),
        now=now_of(context),
        moment=moment_of(context),
    )
    return render(request, "log.html", frame=frame, view=view)
