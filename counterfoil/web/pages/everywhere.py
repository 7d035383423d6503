"""Search everywhere: the same words in every log the reader may read; how many in each, the newest.

Each line names its log and leads into it.  What must hold: what is not shown is counted, and no
log that the reader may not read leaves a trace on the page.
"""

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app import saved as saved_searches
from counterfoil.app.everywhere import Everywhere, readable, search_everywhere
from counterfoil.app.saved import SavedSearch
from counterfoil.projections.search import Word, read_words
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.frame import frame_of, links_of, now_of
from counterfoil.web.pages.hits import hits_of
from counterfoil.web.pages.log import Day, day_of
from counterfoil.web.pages.parts import Empty, Line, Links, line, received_note
from counterfoil.web.pages.render import render
from counterfoil.web.pages.search_ask import (
    EVERYWHERE,
    WORD_IS_OFF,
    Ask,
    Places,
    build_ask,
    in_log,
    log_name,
    places_of,
    text_of,
    time_of,
    word_is_off,
)

LINES_MAX: Final = 50


@dataclass(frozen=True, slots=True)
class LogCount:
    """How many entries of one log match; `href` is the search of that log."""

    name: str
    count: str
    href: str


@dataclass(frozen=True, slots=True)
class EverywhereView:
    """The page."""

    ask: Ask
    logs: tuple[LogCount, ...]
    total: str
    left_out: str
    days: tuple[Day, ...]
    received: str
    empty: Empty | None
    json_href: str


@dataclass(frozen=True, slots=True)
class Searched:
    """What was asked, of how many logs, and what came of it.

    Args:
        text: the search as written.
        read: its words.
        logs: how many logs were searched.
        found: the answer; None when a word is off.
        took_s: how long the answer took.
        time: the moment it is about, as `time_of` has it.
    """

    text: str
    read: Sequence[Word]
    logs: int
    found: Everywhere | None
    took_s: float
    time: str


def build_everywhere(
    searched: Searched,
    saved: Sequence[SavedSearch],
    places: Places,
    links_in: Callable[[str], Links],
    *,
    links: Links,
    now: datetime.datetime,
) -> EverywhereView:
    """Build the page.

    Args:
        searched: what was asked, and the answer.
        saved: the searches whoever looks has saved for all logs.
        places: where else the same can be looked for.
        links_in: log -> links into it, at the moment of the page.
        links: project and moment.
        now: the present moment.
    """
    text, found = searched.text, searched.found
    days = _days(found, searched.read, links_in, now) if found else ()
    return EverywhereView(
        ask=build_ask(
            EVERYWHERE, text, searched.read, found.unknown if found else (), saved, places,
            links=links, said=_said(searched), searched=found is not None,
        ),
        logs=tuple(
            LogCount(
                log_name(one.project),
                words.number(one.total),
                in_log(one.project, text, links, searched.time),
            )
            for one in found.logs
        )
        if found
        else (),
        total=words.count(found.total, "entry", "entries") if found else "Not searched yet",
        left_out=_left_out(found) if found else "",
        days=days,
        received=received_note(each for day in days for each in day.lines),
        empty=_empty(searched, links),
        json_href=Links(links.project, None).to(
            f"/v1{EVERYWHERE}", q=text, as_of=searched.time or None
        ),
    )  # fmt: skip


def _days(
    found: Everywhere, read: Sequence[Word], links_in: Callable[[str], Links],
    now: datetime.datetime,
) -> tuple[Day, ...]:  # fmt: skip
    """Put the lines of all logs under the days they were recorded on, each with its log."""
    hits = hits_of(read)
    links: Mapping[str, Links] = {one.project: links_in(one.project) for one in found.logs}
    days: dict[str, list[Line]] = {}
    for one in found.items:
        made = line(one.entry, links[one.project], now)
        made = replace(made, hits=hits, log=one.project, where=log_name(one.project))
        days.setdefault(day_of(one.entry), []).append(made)
    return tuple(Day(name, tuple(lines)) for name, lines in days.items())


def _said(searched: Searched) -> str:
    if searched.found is None:
        return WORD_IS_OFF
    took = f"{max(1, round(searched.took_s * 1000))} ms"
    entries = words.count(searched.found.total, "entry", "entries")
    moment = (
        f"as known at {words.full_time(searched.time)}"
        if searched.time
        else "as far as each has come"
    )
    return f"{entries} in {took} · {words.count(searched.logs, 'log')} you may read, {moment}"


def _left_out(found: Everywhere) -> str:
    """Say what is not shown, and how to come to it."""
    older = found.total - len(found.items)
    if older <= 0:
        return ""
    return (
        f"The newest {words.number(len(found.items))} are shown; "
        f"{words.count(older, 'older one is', 'older ones are')} not. "
        "The search of each log goes on to them, and until: a time begins further back."
    )


def _empty(searched: Searched, links: Links) -> Empty | None:
    if searched.found is None:
        return word_is_off(searched.read)
    if searched.found.items:
        return None
    if not searched.read:
        return Empty("No entry is recorded at this moment.", "There is nothing to search yet.")
    return Empty(
        "No entry matches all of it.",
        f"{words.count(searched.logs, 'log was', 'logs were')} searched: all that you may read.",
        "Search them for everything",
        links.to(EVERYWHERE),
    )


def everywhere_page(request: Request, context: Context) -> Response:
    """Answer GET /search/everywhere."""
    home, now, text, at = context.home, now_of(context), text_of(request), time_of(context)
    frame = frame_of(request, context, "/search")
    read = read_words(text, now)
    projects = readable(home, context.credential)
    began = time.perf_counter()
    found = None
    if all(word.problem is None for word in read):
        found = search_everywhere(home.reader, projects, text, LINES_MAX, at)
    took_s = time.perf_counter() - began

    def links_in(project: str) -> Links:
        as_of = home.reader.position(project, at) if at else None
        return Links(project, as_of, home.outside.witnesses.size(project))

    view = build_everywhere(
        Searched(text, read, len(projects), found, took_s, at),
        saved_searches.saved(home.state, context.credential.handle, saved_searches.EVERYWHERE),
        places_of(context, EVERYWHERE, text),
        links_in,
        links=links_of(context),
        now=now,
    )
    return render(request, "everywhere.html", frame=frame, view=view)
