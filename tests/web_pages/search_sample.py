"""The search pages of the story, of an empty log, of a word that is off, of a hostile sender."""

import dataclasses

from counterfoil.app.answers import LogLine
from counterfoil.app.everywhere import Count, Everywhere, Somewhere
from counterfoil.app.saved import SavedSearch
from counterfoil.app.search_answers import (
    Bucket,
    Facet,
    Found,
    Histogram,
    Unknown,
    Value,
    Without,
)
from counterfoil.projections.search import read_words
from counterfoil.web.pages import everywhere, search
from counterfoil.web.pages.parts import Links
from counterfoil.web.pages.search_ask import EVERYWHERE, PATH, Places, build_places
from tests.web_pages import sample

ASKED = "type:deployment.* ref:env:production since:2026-11-16"

BUCKETS = tuple(
    Bucket(
        start=f"2026-11-{13 + place // 12:02d}T{place % 12 * 2:02d}:00:00.000Z",
        count=(place * 7) % 5,
        failed=1 if place % 11 == 3 and (place * 7) % 5 else 0,
        inside=place >= 36,
    )
    for place in range(88)
)
FOUND = Found(
    project="default", query=ASKED, as_of=4711, total=16, items=sample.LINES, next="4371",
    facets=(
        Facet("outcome", (Value("passed", "passed", 12, chosen=False, query=f"{ASKED} outcome:passed"),
                          Value("none", "not stated", 1, chosen=False,
                                query=f"{ASKED} outcome:none")), 0),
        Facet("type", (Value("deployment.finished", "deployment.finished", 13, chosen=True,
                             query="ref:env:production since:2026-11-16"),), 3),
    ),
    histogram=Histogram(end="2026-11-20T08:00:00.000Z", bucket_s=7_200, buckets=BUCKETS),
    without=None, unknown=(),
)  # fmt: skip
NOTHING = dataclasses.replace(
    FOUND, as_of=-1, total=0, items=(), next=None, facets=(),
    histogram=Histogram(end=None, bucket_s=60, buckets=()),
)  # fmt: skip
LOGS = ("default", "other", "_access")
TIME = "2026-11-20T12:00:00.000Z"
# Entries of the same numbers in two logs.
ALL = Everywhere(
    query="actor:ana", total=1_204,
    logs=(Count("default", 1_190), Count("other", 9), Count("_access", 5)),
    items=tuple(Somewhere(log, line) for line in sample.LINES for log in LOGS), unknown=(),
)  # fmt: skip
NOWHERE = dataclasses.replace(
    ALL, total=0, logs=(), items=(), unknown=(Unknown(0, "actor:anna", "actor:ana"),)
)
SAVED = (SavedSearch("failed in production", ASKED, "2026-11-19T10:00:00.000Z"),)


def places(links: Links, path: str = PATH, text: str = ASKED) -> Places:
    """Return where else to look, with more logs than are named."""
    logs = (*LOGS, *(f"project-{number}" for number in range(9)))
    return build_places(logs, path, text, links, "" if links.as_of is None else TIME)


def view(
    links: Links, text: str = ASKED, found: Found | None = FOUND,
    saved: tuple[SavedSearch, ...] = SAVED,
) -> search.SearchView:  # fmt: skip
    """Return the view model of a search."""
    words = read_words(text, sample.NOW)
    return search.build_search(
        text,
        words,
        found,
        saved,
        places(links),
        took_s=0.009,
        cursor="",
        links=links,
        now=sample.NOW,
    )


def all_logs(
    links: Links, text: str = "actor:ana", found: Everywhere | None = ALL,
    saved: tuple[SavedSearch, ...] = SAVED,
) -> everywhere.EverywhereView:  # fmt: skip
    """Return the view model of a search of every log."""
    time = "" if links.as_of is None else TIME
    searched = everywhere.Searched(
        text, read_words(text, sample.NOW), len(LOGS), found, took_s=0.02, time=time
    )
    return everywhere.build_everywhere(
        searched, saved, places(links, EVERYWHERE, text),
        lambda project: Links(project, links.as_of), links=links, now=sample.NOW,
    )  # fmt: skip


def wrong(links: Links) -> search.SearchView:
    """Return the view of a search with a word that is off."""
    return view(links, "outcome:failde via:webhook", None, ())


def _hostile_lines(evil: str) -> tuple[LogLine, ...]:
    return tuple(
        dataclasses.replace(
            line, sentence=evil, outcome=evil, source=evil, type=evil, subject=evil, id=evil,
            actor=dataclasses.replace(line.actor, handle=evil),
        )
        for line in sample.LINES
    )  # fmt: skip


def hostile(links: Links, evil: str) -> search.SearchView:
    """Return the view of a search in which every text is from a hostile sender."""
    lines = _hostile_lines(evil)
    found = dataclasses.replace(
        FOUND, query=evil, items=lines,
        facets=(Facet("source", (Value(evil, evil, 3, chosen=True, query=evil),), 2),),
        unknown=(Unknown(0, evil, evil),), without=Without(evil, evil, 2),
    )  # fmt: skip
    return view(links, f"source:x {evil[:200]}", found, (SavedSearch(evil, evil, ""),))


def hostile_everywhere(links: Links, evil: str) -> everywhere.EverywhereView:
    """Return the view of a search of every log in which every text is from a hostile sender."""
    found = dataclasses.replace(
        ALL, query=evil, unknown=(Unknown(0, evil, evil),),
        items=tuple(Somewhere("other", line) for line in _hostile_lines(evil)),
    )  # fmt: skip
    return all_logs(links, f"source:x {evil[:200]}", found, (SavedSearch(evil, evil, ""),))
