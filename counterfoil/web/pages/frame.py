"""What stands around every page: header, side list, as-of bar.

`frame_of` reads; `build_frame` is pure.
"""

import dataclasses
import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from counterfoil.app.answers import Activity, Health
from counterfoil.app.published import published
from counterfoil.policy.access import LOG
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.asof import AsOf, as_of_bar
from counterfoil.web.pages.damaged import NO_ALARMS, Alarms, Damaged, alarms_of, build_damaged
from counterfoil.web.pages.parts import BEFORE_ALL, DEFAULT_PROJECT, Links
from counterfoil.web.pages.render import theme_of

# What an address says once and no link goes on saying.
_PASSING: Final = frozenset({"as_of", "told"})
# name, path, key after `g`, stands after the rule; only pages that exist.
_PAGES: Final = (
    ("Now", "/", "gn", False),
    ("Releases", "/releases", "gr", False),
    ("Runs and tests", "/runs", "gt", False),
    ("Search", "/search", "gs", False),
    ("Log and proofs", "/log", "gl", True),
)
ADMIN: Final = "/admin"
# What stands under Admin while one is there.
_UNDER_ADMIN: Final = (
    ("People", "/admin/people"),
    ("Teams", "/admin/teams"),
    ("Accounts to map", "/admin/accounts"),
    ("Roles", "/admin/roles"),
    ("Tokens", "/admin/tokens"),
    ("Sessions", "/admin/sessions"),
    ("Trust rules", "/admin/trust"),
    ("Policies", "/admin/policies"),
    ("Explain access", "/admin/explain"),
    ("Two people", "/admin/asked"),
    ("Retention and holds", "/admin/retention"),
)


@dataclass(frozen=True, slots=True)
class NavItem:
    """One page of the side list; `count` is "" unless it is running or somebody must act.

    `under` stands below the page before it that is over it.
    """

    text: str
    href: str
    active: bool
    after_rule: bool
    key: str
    count: str
    under: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of one page.

    `kept` is what a form about this page sends along, `find` what the search box does.
    """

    project: str
    handle: str
    csrf: str
    nav: tuple[NavItem, ...]
    hrefs: Mapping[str, str]
    asof: AsOf
    path: str
    kept: tuple[tuple[str, str], ...]
    find: tuple[tuple[str, str], ...]
    here: str
    home_href: str
    live_href: str
    live_headers: str
    behind: bool
    damaged: Damaged | None
    themes: tuple[NavItem, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is: its path, its query without the moment, and the theme in use.

    `about` is the ref of the run or release the page shows: what "changed since" is asked of.
    """

    path: str
    query: tuple[tuple[str, str], ...]
    theme: str
    about: str = ""


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
    witnessed_size = context.home.outside.witnesses.size(context.project)
    return Links(context.project, context.as_of, witnessed_size)


def health_of(context: Context) -> Health:
    """Return how far the log of this request's project has come, its witnesses included."""
    witnesses = context.home.outside.witnesses
    return dataclasses.replace(
        context.home.reader.health(context.project),
        exported_size=published(context.home.directory, context.home.ledger, context.project).size,
        witnessed_size=witnesses.size(context.project),
        witnesses=tuple(witnesses.statuses(context.project)),
        aggregate_problem=context.home.outside.aggregate_problem,
        reread=context.home.scrub.reread(context.project),
    )


def frame_of(request: Request, context: Context, active: str, about: str = "") -> Frame:
    """Read what the frame shows and build it.

    Call it before the page reads its own rows: the stream goes on from the entry the frame
    knows, so what is recorded in between is told again, and never missed.

    Args:
        request: where the page is.
        context: whose project, and as of when.
        active: path of the side list's entry the page belongs to.
        about: the ref of the run or release the page shows, if it shows one.
    """
    reader = context.home.reader
    health = reader.health(context.project)
    newest = reader.log_lines(context.project, as_of=context.as_of, limit=1)
    query = tuple((k, v) for k, v in request.query_params.multi_items() if k not in _PASSING)
    return build_frame(
        place=Place(request.url.path, query, theme_of(request), about),
        links=links_of(context),
        handle=context.credential.handle,
        csrf=context.csrf,
        active=active,
        health=health,
        activity=reader.activity(context.project),
        running=0
        if context.around
        else reader.runs(context.project, as_of=context.as_of, limit=1, state="running").total,
        shown_time=newest[0].recordedtime if newest else None,
        now=now_of(context),
        around=Links(context.around, None) if context.around else None,
        admin=context.home.access.decide(context.credential, "read", LOG).allowed,
        alarms=alarms_of(context),
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
    running: int,
    shown_time: str | None,
    now: datetime.datetime,
    around: Links | None = None,
    admin: bool = True,
    alarms: Alarms = NO_ALARMS,
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
        running: how many runs are going, which the side list says.
        shown_time: recorded time of the newest entry shown, None when none is.
        now: the present moment.
        around: links of the pages around, where this one is about another log than they are.
        admin: whether the reader may read about people and access.
        alarms: what is wrong with what the ledger keeps.
    """
    query = dict(place.query)
    outside = around or links
    # An entry number of one log says nothing in another: there the moment is a time.
    moment = (shown_time or BEFORE_ALL) if links.as_of is not None else None

    def elsewhere(path: str) -> str:
        return outside.to(path, as_of=moment) if around else links.to(path)

    def admin_page(path: str) -> str:
        if around:
            return around.at(links.as_of).to(path)
        return links.at(None).to(path, as_of=moment)

    def here(at: int | None) -> str:
        own = {k: v for k, v in query.items() if k != "project"}
        return outside.at(at).to(place.path, **own)

    newest = health.size - 1
    counts = {"/runs": f"{words.number(running)} running"} if running else {}
    return Frame(
        project=outside.project,
        handle=handle,
        csrf=csrf,
        nav=(
            *(
                NavItem(name, elsewhere(path), path == active, ruled, key, counts.get(path, ""))
                for name, path, key, ruled in _PAGES
            ),
            *(_admin_items(admin_page, active) if admin else ()),
        ),
        hrefs={path: elsewhere(path) for _, path, _, _ in _PAGES},
        asof=as_of_bar(links, newest, shown_time, activity, here, now, place.about),
        path=place.path,
        kept=tuple((k, v) for k, v in place.query),
        find=outside.pairs(as_of=moment) if around else links.pairs(),
        here=here(links.as_of),
        home_href=elsewhere("/"),
        live_href=f"/v1/live?as=size&project={links.project}",
        live_headers=json.dumps({"Last-Event-ID": str(newest)} if newest >= 0 else {}),
        behind=health.followed < health.size and health.stopped is None,
        damaged=build_damaged(alarms, now),
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


def _admin_items(to: Callable[[str], str], active: str) -> list[NavItem]:
    """Return the entry of Admin, and what stands under it while one is there."""
    items = [NavItem("Admin", to(ADMIN), active == ADMIN, False, "ga", "")]
    if active.startswith(ADMIN):
        items += [
            NavItem(name, to(path), path == active, False, "", "", under=True)
            for name, path in _UNDER_ADMIN
        ]
    return items
