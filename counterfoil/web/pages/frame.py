"""What stands around every page: header, side list, as-of bar.

`frame_of` reads; `build_frame` is pure.  The as-of bar is quiet now and plum in the past, where
every link keeps the moment and later entries are counted as hidden.
"""

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from counterfoil.app.answers import Activity, Health
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.parts import DEFAULT_PROJECT, Bar, Links, bars
from counterfoil.web.pages.render import theme_of

RULER_BUCKETS: Final = 168
# name, path, key after `g`, stands after the rule; only pages that exist.
_PAGES: Final = (
    ("Now", "/", "gn", False),
    ("Releases", "/releases", "gr", False),
    ("Runs and tests", "/runs", "gt", False),
    ("Log and proofs", "/log", "gl", True),
)


@dataclass(frozen=True, slots=True)
class NavItem:
    """One page of the side list; `count` is "" unless it is running or somebody must act."""

    text: str
    href: str
    active: bool
    after_rule: bool
    key: str
    count: str


@dataclass(frozen=True, slots=True)
class Ruler:
    """Entries over time; `entries` holds the last entry of each bucket for the pointer."""

    width: float
    height: float
    bars: tuple[Bar, ...]
    first: str
    last: str
    spoken: str
    entries: str


@dataclass(frozen=True, slots=True)
class AsOf:
    """The as-of bar.  `index` is the newest entry the page knows, -1 in an empty log."""

    index: int
    past: bool
    words: str
    hidden: str
    ruler: Ruler | None
    earlier_href: str
    earlier_words: str
    later_href: str
    later_words: str
    now_href: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of one page."""

    project: str
    handle: str
    csrf: str
    nav: tuple[NavItem, ...]
    asof: AsOf
    path: str
    kept: tuple[tuple[str, str], ...]
    here: str
    home_href: str
    live_href: str
    live_headers: str
    themes: tuple[NavItem, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is: its path, its query without the moment, and the theme in use."""

    path: str
    query: tuple[tuple[str, str], ...]
    theme: str


def now_of(context: Context) -> datetime.datetime:
    """Return the present moment of this ledger's clock."""
    return context.home.clock.now()


def moment_of(context: Context) -> datetime.datetime:
    """Return the moment a page is about: the present, or when its last entry was recorded."""
    present = now_of(context)
    if context.as_of is None:
        return present
    last = context.home.reader.log_lines(context.project, as_of=context.as_of, limit=1)
    return (words.moment(last[0].recordedtime) if last else None) or present


def links_of(context: Context) -> Links:
    """Return the links of this request's project and moment."""
    return Links(context.project, context.as_of)


def frame_of(request: Request, context: Context, active: str) -> Frame:
    """Read what the frame shows and build it; `active` is the path of the side list's entry."""
    reader = context.home.reader
    health = reader.health(context.project)
    newest = reader.log_lines(context.project, as_of=context.as_of, limit=1)
    query = tuple((k, v) for k, v in request.query_params.multi_items() if k != "as_of")
    return build_frame(
        place=Place(request.url.path, query, theme_of(request)),
        links=links_of(context),
        handle=context.credential.handle,
        csrf=context.csrf,
        active=active,
        health=health,
        activity=reader.activity(context.project),
        shown_time=newest[0].recordedtime if newest else None,
        now=now_of(context),
    )


def build_frame(
    *,
    place: Place,
    links: Links,
    handle: str,
    csrf: str,
    active: str,
    health: Health,
    activity: Activity,
    shown_time: str | None,
    now: datetime.datetime,
) -> Frame:
    """Build the frame.

    Args:
        place: where the page is.
        links: carries the project and the moment.
        handle: who is looking.
        csrf: the token of their session's forms, "" without a session.
        active: path of the side list's entry the page belongs to.
        health: of the log, now.
        activity: of the whole log.
        shown_time: recorded time of the newest entry shown, None when none is.
        now: the present moment.
    """
    query = dict(place.query)

    def here(at: int | None) -> str:
        return links.at(at).to(place.path, **{k: v for k, v in query.items() if k != "project"})

    newest = health.size - 1
    return Frame(
        project=links.project,
        handle=handle,
        csrf=csrf,
        nav=tuple(
            NavItem(name, links.to(path), path == active, ruled, key, "")
            for name, path, key, ruled in _PAGES
        ),
        asof=_as_of(links.as_of, newest, shown_time, activity, here, now),
        path=place.path,
        kept=tuple((k, v) for k, v in place.query),
        here=here(links.as_of),
        home_href=links.to("/"),
        live_href=f"/v1/live?project={links.project}",
        live_headers=json.dumps({"Last-Event-ID": str(newest)} if newest >= 0 else {}),
        themes=tuple(
            NavItem(
                text,
                Links(DEFAULT_PROJECT, None).to("/theme", choice=choice, back=here(links.as_of)),
                choice == place.theme,
                False,
                "",
                "",
            )
            for text, choice in (("as the system", ""), ("light", "light"), ("dark", "dark"))
        ),
    )


def _as_of(
    as_of: int | None,
    newest: int,
    shown_time: str | None,
    activity: Activity,
    here: Callable[[int | None], str],
    now: datetime.datetime,
) -> AsOf:
    shown = newest if as_of is None else min(as_of, newest)
    if shown < 0:
        said = "the start, no entry yet"
    else:
        said = f"entry {words.number(shown)} · {words.when(shown_time or '', now)}"
    later = newest - shown
    return AsOf(
        index=shown,
        past=as_of is not None,
        words=said,
        hidden=f"{words.count(later, 'later entry is', 'later entries are')} hidden"
        if later
        else "no later entry is hidden",
        ruler=_ruler(activity, shown),
        earlier_href=here(shown - 1) if shown > 0 else "",
        earlier_words=f"entry {words.number(max(shown - 1, 0))}",
        later_href=here(shown + 1) if as_of is not None and later else "",
        later_words=f"entry {words.number(shown + 1)}",
        now_href=here(None),
    )


def _ruler(activity: Activity, shown: int) -> Ruler | None:
    """Draw the log's activity; None in a log without entries."""
    start, end = words.moment(activity.start or ""), words.moment(activity.end or "")
    if start is None or end is None or not activity.counts:
        return None
    # A young log is drawn on a whole week, so that its first hour is not a wall.
    before = max(0, RULER_BUCKETS - len(activity.counts))
    start -= datetime.timedelta(seconds=before * activity.bucket_s)
    firsts = (0,) * before + activity.firsts
    counts = (0,) * before + activity.counts
    drawn = bars(counts, later=lambda place: firsts[place] > shown)
    total = words.count(sum(counts), "entry", "entries")
    lasts = [first + n - 1 for first, n in zip(firsts, counts, strict=True)]
    return Ruler(
        width=drawn.width,
        height=drawn.height,
        bars=drawn.bars,
        first=words.day(start),
        last=words.day(end),
        spoken=f"{total} from {words.day(start)} to {words.day(end)}",
        entries=" ".join(str(max(0, last)) for last in lasts),
    )
