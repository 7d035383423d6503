"""/account: what lets me in, and where I am signed in; with the forms that change it.

It is everybody's own page, so it needs no right to read anything else.
"""

import urllib.parse
from collections.abc import Callable
from typing import Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as StarletteRoute

from counterfoil.app import linking
from counterfoil.app.sessions import Session
from counterfoil.errors import RequestError
from counterfoil.web import sessions
from counterfoil.web.api.route import Served
from counterfoil.web.context import Came
from counterfoil.web.identity import Caller
from counterfoil.web.inviting import leave
from counterfoil.web.pages.account import account_page
from counterfoil.web.proving import (
    Work,
    ensure_flow,
    json_text,
    keep_flow,
    let_in,
    mounted,
    read_json,
)
from counterfoil.web.signing_in import read_form, require_csrf
from counterfoil.web.stepping_up import require_session

PATH: Final = "/account"
# What the page says beside the form, with what was typed.
_REFUSED: Final = frozenset({"usage", "account_taken", "account_lookalike", "source_unknown"})
Change = Callable[[Served, Session, dict[str, str]], None]


class _Ask(msgspec.Struct):
    pass


class _Answer(msgspec.Struct):
    credential: msgspec.Raw
    name: str = "passkey"


def mount(served: Served) -> list[StarletteRoute]:
    """Return the page and what its forms and its script call, as Starlette knows them."""
    return mounted(
        served,
        pages=(
            ("GET", PATH, _get_account),
            ("POST", f"{PATH}/link", _link),
            ("POST", f"{PATH}/comment", _begin_comment),
            ("POST", f"{PATH}/comment/cancel", _form(_cancel_comment)),
            ("POST", f"{PATH}/passkey/remove", _form(_remove)),
            ("POST", f"{PATH}/sessions/end", _form(_end)),
        ),
        calls=((f"{PATH}/passkey/ask", _ask), (f"{PATH}/passkey", _add)),
    )


async def _get_account(request: Request, served: Served) -> Response:
    caller = await served.door.visitor(request)
    if caller.session is None:
        return RedirectResponse("/sign-in?next=/account", status_code=303)
    return await run_in_threadpool(account_page, request, served, caller, caller.session)


async def _ask(request: Request, served: Served) -> Response:
    await read_json(request, served, _Ask)
    session = await require_session(request, served)
    cookie = sessions.cookie_of(request, served.site)
    return json_text(await run_in_threadpool(served.entrance.own.ask_key, session, cookie))


async def _add(request: Request, served: Served) -> Response:
    answer = await read_json(request, served, _Answer)
    session = await require_session(request, served)
    cookie = sessions.cookie_of(request, served.site)
    opened = await run_in_threadpool(
        served.entrance.own.add_key, bytes(answer.credential), answer.name, session, cookie
    )
    return let_in(request, served, opened, PATH, as_page=False)


async def _link(request: Request, served: Served) -> Response:
    form = await read_form(request, served)
    require_csrf(request, served, form)
    session = _session(await served.door.visitor(request))
    flow, name = ensure_flow(request, served), form.get("provider", "")
    address = await run_in_threadpool(served.entrance.begin_linking, name, session, flow)
    return keep_flow(leave(request, served, name, address), request, served, flow)


async def _begin_comment(request: Request, served: Served) -> Response:
    form = await read_form(request, served)
    require_csrf(request, served, form)
    caller = await served.door.visitor(request)
    session, account = _session(caller), form.get("account", "").strip()
    try:
        begun = await run_in_threadpool(linking.begin, served.home, session, account)
    except RequestError as error:
        if error.code == "step_up_needed":
            back = f"{PATH}?{urllib.parse.urlencode({'account': account})}"
            ask = urllib.parse.urlencode({"next": back})
            return RedirectResponse(f"/step-up?{ask}", status_code=303)
        if error.code not in _REFUSED:
            raise
        refused = (account, error)
        return await run_in_threadpool(account_page, request, served, caller, session, refused)
    told = served.told.keep(caller.credential.id, Came("account-comment", {}, begun))
    return RedirectResponse(f"{PATH}?told={told}", status_code=303)


def _cancel_comment(served: Served, session: Session, form: dict[str, str]) -> None:
    linking.cancel(served.home, session, form.get("account", ""))


def _remove(served: Served, session: Session, form: dict[str, str]) -> None:
    served.entrance.own.remove_key(session, form.get("passkey", ""), form.get("reason", ""))


def _end(served: Served, session: Session, form: dict[str, str]) -> None:
    served.entrance.own.end_sessions(session, form.get("session", ""))


def _session(caller: Caller) -> Session:
    if caller.session is None:
        raise RequestError("token_missing", "this session is over; sign in again")
    return caller.session


def _form(change: Change) -> Work:
    async def do(request: Request, served: Served) -> Response:
        form = await read_form(request, served)
        require_csrf(request, served, form)
        session = _session(await served.door.visitor(request))
        try:
            await run_in_threadpool(change, served, session, form)
        except RequestError as error:
            if error.code == "step_up_needed":
                return RedirectResponse(f"/step-up?next={PATH}", status_code=303)
            raise
        return RedirectResponse(PATH, status_code=303)

    return do
