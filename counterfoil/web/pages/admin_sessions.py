"""Who is signed in now: people in browsers, CI jobs by their own tokens; each can be looked up, and ended.

Open sessions stand in state.db, not in the log, so this page knows no past: there the log says who
signed in when.
"""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.jobs import JobSession
from counterfoil.app.sessions import Session, Sessions
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.admin_desk import Chip, Desk, admin_render, desk_of, forms_of, head_of
from counterfoil.web.pages.forms import Form, Forms
from counterfoil.web.pages.parts import Empty, Who

ROWS_MAX: Final = 200
_BEGAN: Final = {
    "passkey": "with a passkey",
    "oidc": "with a provider",
    "link": "with a link, vouched for by whoever holds the ledger's files",
}


@dataclass(frozen=True, slots=True)
class SessionFact:
    """Where somebody is signed in: nothing the log says, so it has no mark.

    `life_href` finds what came under it in every log, and what is said of it.
    """

    what: str
    detail: str
    life_href: str
    end: Form | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One open session, by its id in the log."""

    who: Chip
    fact: SessionFact
    id: str


@dataclass(frozen=True, slots=True)
class SessionsView:
    """The page."""

    people: tuple[SessionRow, ...]
    jobs: tuple[SessionRow, ...]
    more: str
    empty: Empty
    empty_jobs: Empty


def build_sessions(
    desk: Desk, forms: Forms, people: list[Session], jobs: list[JobSession]
) -> SessionsView:
    """Build the page of what is open; of each kind the first `ROWS_MAX`."""
    more = max(0, len(people) - ROWS_MAX) + max(0, len(jobs) - ROWS_MAX)
    return SessionsView(
        people=tuple(
            SessionRow(_who(desk, one), session_fact(desk, one, forms), one.id)
            for one in people[:ROWS_MAX]
        ),
        jobs=tuple(SessionRow(*_job(desk, one), one.id) for one in jobs[:ROWS_MAX]),
        more=f"{words.number(more)} more are not shown" if more else "",
        empty=Empty("Nobody is signed in.", ""),
        empty_jobs=Empty(
            "No CI job has a session.", "A trust rule lets jobs in by their own tokens."
        ),
    )


def session_fact(desk: Desk, one: Session, forms: Forms) -> SessionFact:
    """Say where somebody is signed in, since when and how; never by address."""
    return SessionFact(
        f"{one.device or 'a browser'}, {one.place or 'an unknown place'}",
        f"began {desk.when(one.created)} {_BEGAN.get(one.began, one.began)}, "
        f"last used {desk.when(one.seen)}, ends {words.when(one.expires, desk.at)} at the latest",
        desk.everywhere(f"ref:{one.id}"),
        forms.form("session-end", "End", "End this session", key=one.id, tone="refuse",
                   hidden={"session": one.id}, leave_out=("handle",)),
    )  # fmt: skip


def _who(desk: Desk, one: Session) -> Chip:
    if one.actor:
        return desk.chip(one.actor)
    return Chip(Who("the administrator's link", "nobody", "", "nobody in the directory"), None)


def _job(desk: Desk, one: JobSession) -> tuple[Chip, SessionFact]:
    trust = desk.directory.trusts.get(one.rule)
    who = desk.chip(trust.holder) if trust is not None else desk.doer("")
    ends = words.when(one.until, desk.at)
    life = desk.everywhere(f"ref:{one.id}")
    return who, SessionFact(one.account, f"by {one.rule}, ends {ends} at the latest", life, None)


def sessions_page(request: Request, context: Context) -> Response:
    """Answer GET /admin/sessions."""
    desk, forms, home = desk_of(context), forms_of(request, context), context.home
    view = None
    if context.as_of is None and forms.may("sessions"):
        context.note_read("sessions")
        people = Sessions(home.state.sign_in, home.clock, home.randomness).listed()
        view = build_sessions(desk, forms, people, home.jobs.open_sessions())
    if view is not None:
        count = len(people)
        say = (
            f"{words.count(count, 'browser is', 'browsers are')} signed in. A session ends after "
            "8 hours without use, 24 at most, and at once when it is ended here."
        )
    elif context.as_of is not None:
        say = "Who was signed in then is not kept; the log says who signed in, when and how."
    else:
        say = "Who is signed in is shown to those who may end it: needs the verb sessions."
    every = [row.fact.end for row in view.people] if view is not None else []
    head = head_of(context, desk, "Sessions", say, every)
    return admin_render(
        request, context, "admin_sessions.html", "/admin/sessions", head, view=view,
        log_href=desk.marks.to("/search", q="type:session"),
    )  # fmt: skip
