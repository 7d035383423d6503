"""Search: who, what, when, how; the words as chips, time as bars, values to narrow by, the lines.

Everything it shows can be asked for by a link: a chip goes away, a value is added, a bar narrows
the time.  A word that is off is underlined, with the nearest one that is not; nothing found says
which part of the search excludes most.
"""

import datetime
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app import saved as saved_searches
from counterfoil.app.saved import SavedSearch
from counterfoil.app.search_answers import Facet, Found
from counterfoil.projections.search import Word, joined, read_words
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.frame import frame_of, links_of, now_of
from counterfoil.web.pages.hits import hits_of
from counterfoil.web.pages.log import Day, days_of
from counterfoil.web.pages.parts import Empty, Links, received_note
from counterfoil.web.pages.render import render
from counterfoil.web.pages.search_ask import (
    PATH,
    WORD_IS_OFF,
    Ask,
    Places,
    build_ask,
    places_of,
    text_of,
    word_is_off,
)
from counterfoil.web.pages.search_drawing import Drawing, draw

LINES_PER_PAGE: Final = 45
_TITLES: Final = {
    "outcome": "Outcome", "actor": "Who", "type": "What", "via": "Arrived by", "source": "Source",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """One value to narrow by; following it again takes it back."""

    label: str
    count: str
    chosen: bool
    href: str


@dataclass(frozen=True, slots=True)
class FacetView:
    """The values of one field."""

    name: str
    choices: tuple[Choice, ...]
    others: str


@dataclass(frozen=True, slots=True)
class SearchView:
    """The page."""

    ask: Ask
    drawing: Drawing | None
    facets: tuple[FacetView, ...]
    total: str
    days: tuple[Day, ...]
    received: str
    empty: Empty | None
    older: str
    first: str
    json_href: str
    csv_href: str


def build_search(
    text: str,
    read: Sequence[Word],
    found: Found | None,
    saved: Sequence[SavedSearch],
    places: Places,
    *,
    took_s: float,
    cursor: str,
    links: Links,
    now: datetime.datetime,
) -> SearchView:
    """Build the page.

    Args:
        text: the search as written.
        read: its words.
        found: the answer; None when a word is off.
        saved: the searches whoever looks has saved.
        places: where else the same can be looked for.
        took_s: how long the answer took.
        cursor: from which part on, "" for the newest.
        links: project and moment.
        now: the present moment.
    """
    days = days_of(found.items, links, now, hits_of(read)) if found else ()
    return SearchView(
        ask=build_ask(
            PATH, text, read, found.unknown if found else (), saved, places,
            links=links, said=_said(found, took_s), searched=found is not None,
        ),
        drawing=draw(found.histogram, read, links) if found else None,
        facets=tuple(_facet(one, links) for one in found.facets if one.values) if found else (),
        total=words.count(found.total, "entry", "entries") if found else "Not searched yet",
        days=days,
        received=received_note(each for day in days for each in day.lines),
        empty=_empty(read, found, links),
        older=links.to(PATH, q=text, cursor=found.next) if found and found.next else "",
        first=links.to(PATH, q=text) if cursor else "",
        json_href=links.to("/v1/search", q=text),
        csv_href=links.to("/v1/search.csv", q=text),
    )  # fmt: skip


def _said(found: Found | None, took_s: float) -> str:
    if found is None:
        return WORD_IS_OFF
    took = f"{max(1, round(took_s * 1000))} ms"
    if found.as_of < 0:
        return f"no entry in {took}"
    entries = words.count(found.total, "entry", "entries")
    return f"{entries} in {took} · index complete up to entry {words.number(found.as_of)}"


def _facet(facet: Facet, links: Links) -> FacetView:
    return FacetView(
        name=_TITLES[facet.key],
        choices=tuple(
            Choice(
                label=one.label,
                count=words.number(one.count),
                chosen=one.chosen,
                href=links.to(PATH, q=one.query or None),
            )
            for one in facet.values
        ),
        others=words.count(facet.others, "entry of another", "entries of others")
        if facet.others
        else "",
    )


def _empty(read: Sequence[Word], found: Found | None, links: Links) -> Empty | None:
    if found is None:
        return word_is_off(read)
    if found.items:
        return None
    if found.without is not None:
        one = found.without
        return Empty(
            "No entry matches all of it.",
            "What excludes most:",
            f"without {one.words} there are {words.number(one.count)}",
            links.to(PATH, q=one.query or None),
        )
    if found.as_of < 0:
        return Empty("No entry is recorded at this moment.", "There is nothing to search yet.")
    return Empty("No entry is older than that.", "", "Back to the newest",
                 links.to(PATH, q=joined(read) or None))  # fmt: skip


def search_page(request: Request, context: Context) -> Response:
    """Answer GET /search.

    Raises:
        RequestError: `query_invalid`: the cursor is none of ours.
    """
    links, now = links_of(context), now_of(context)
    text = text_of(request)
    cursor = request.query_params.get("cursor", "")
    frame = frame_of(request, context, PATH)
    read = read_words(text, now)
    began = time.perf_counter()
    found = None
    if all(word.problem is None for word in read):
        found = context.home.reader.search(
            context.project, text, as_of=context.as_of, cursor=cursor or None,
            limit=LINES_PER_PAGE,
        )  # fmt: skip
    took_s = time.perf_counter() - began
    view = build_search(
        text, read, found,
        saved_searches.saved(context.home.state, context.credential.handle, context.project),
        places_of(context, PATH, text),
        took_s=took_s, cursor=cursor, links=links, now=now,
    )  # fmt: skip
    return render(request, "search.html", frame=frame, view=view)
