"""The search page of the story, of an empty log, of a word that is off, of a hostile sender."""

import dataclasses

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
from counterfoil.web.pages import search
from counterfoil.web.pages.parts import Links
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
SAVED = (SavedSearch("failed in production", ASKED, "2026-11-19T10:00:00.000Z"),)


def view(
    links: Links, text: str = ASKED, found: Found | None = FOUND,
    saved: tuple[SavedSearch, ...] = SAVED,
) -> search.SearchView:  # fmt: skip
    """Return the view model of a search."""
    words = read_words(text, sample.NOW)
    return search.build_search(
        text, words, found, saved, took_s=0.009, cursor="", links=links, now=sample.NOW
    )


def wrong(links: Links) -> search.SearchView:
    """Return the view of a search with a word that is off."""
    return view(links, "outcome:failde via:webhook", None, ())


def hostile(links: Links, evil: str) -> search.SearchView:
    """Return the view of a search in which every text is from a hostile sender."""
    lines = tuple(
        dataclasses.replace(
            line, sentence=evil, outcome=evil, source=evil, type=evil, subject=evil, id=evil,
            actor=dataclasses.replace(line.actor, handle=evil),
        )
        for line in sample.LINES
    )  # fmt: skip
    found = dataclasses.replace(
        FOUND, query=evil, items=lines,
        facets=(Facet("source", (Value(evil, evil, 3, chosen=True, query=evil),), 2),),
        unknown=(Unknown(0, evil, evil),), without=Without(evil, evil, 2),
    )  # fmt: skip
    return view(links, f"source:x {evil[:200]}", found, (SavedSearch(evil, evil, ""),))
