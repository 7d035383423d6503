"""/invitation: an invited person makes their first passkey, or names the provider they come by.

The link's secret is in the page and its calls only: what state.db keeps of it is a digest.
"""

from typing import Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from counterfoil.app.invitations import PATH
from counterfoil.errors import RequestError
from counterfoil.web import sessions
from counterfoil.web.api.route import Served
from counterfoil.web.pages.render import render
from counterfoil.web.proving import (
    ensure_flow,
    json_text,
    keep_flow,
    let_in,
    mounted,
    read_json,
    require_own_page,
)
from counterfoil.web.signing_in import read_form

_NAME: Final = "passkey"
_BY: Final = {
    "files": "whoever holds the ledger's files",
    "admin-token": "whoever holds the administrator's token",
}


class _Ask(msgspec.Struct):
    token: str


class _Answer(msgspec.Struct):
    token: str
    credential: msgspec.Raw
    name: str = _NAME


def mount(served: Served) -> list[StarletteRoute]:
    """Return the page and its calls as Starlette knows them."""
    return mounted(
        served,
        pages=(("GET", PATH, _get_invitation), ("POST", f"{PATH}/provider", _by_provider)),
        calls=((f"{PATH}/ask", _ask), (PATH, _accept)),
    )


async def _get_invitation(request: Request, served: Served) -> Response:
    token = request.query_params.get("token", "")
    invited = await run_in_threadpool(served.entrance.invitation, token)
    by = served.home.access.directory.actors.get(invited.by) if invited is not None else None
    word = _BY.get(invited.vouched, _BY["files"]) if invited is not None else ""
    return render(
        request,
        "invitation.html",
        status=200 if invited is not None else 403,
        token=token,
        invited=invited,
        by=by.handle if by is not None and by.handle else word,
        here=served.site.can_sign_in,
        passkeys=served.entrance.keyring.party is not None,
        providers=served.entrance.oidc.providers,
        host=served.site.host,
    )


async def _ask(request: Request, served: Served) -> Response:
    asked = await read_json(request, served, _Ask)
    await _require_not_another(request, served, asked.token)
    flow = ensure_flow(request, served)
    options = await run_in_threadpool(served.entrance.ask_invited, asked.token, flow)
    return keep_flow(json_text(options), request, served, flow)


async def _accept(request: Request, served: Served) -> Response:
    answer = await read_json(request, served, _Answer)
    await _require_not_another(request, served, answer.token)
    signed = await run_in_threadpool(
        served.entrance.accept,
        answer.token,
        bytes(answer.credential),
        answer.name,
        sessions.flow_of(request, served.site),
        sessions.visitor_of(request, served.site),
    )
    return let_in(request, served, signed.opened, signed.back, as_page=False)


async def _by_provider(request: Request, served: Served) -> Response:
    form = await read_form(request, served)
    require_own_page(request, served)
    if not served.site.can_sign_in:
        raise RequestError("sign_in_refused", "signing in needs https or localhost")
    await _require_not_another(request, served, form.get("token", ""))
    flow, name = ensure_flow(request, served), form.get("provider", "")
    address = await run_in_threadpool(
        served.entrance.begin_invited, name, form.get("token", ""), flow
    )
    return keep_flow(leave(request, served, name, address), request, served, flow)


async def _require_not_another(request: Request, served: Served, token: str) -> None:
    """Refuse an invitation in a browser where somebody else is signed in: whose key would it be?"""
    caller = await served.door.visitor(request)
    invited = await run_in_threadpool(served.entrance.invitation, token)
    if caller.session is not None and invited is not None:
        actor = caller.session.actor
        if actor and actor != invited.actor.ref:
            raise RequestError(
                "sign_in_refused",
                f"this invitation is for {invited.actor.handle}; sign out first",
                reason="other-person",
            )


def leave(request: Request, served: Served, name: str, address: str) -> Response:
    """Return a page that leads to a provider: a form of ours may lead nowhere else (form-action)."""
    titles = {one.name: one.title for one in served.entrance.oidc.providers}
    return render(request, "leave.html", title=titles[name], address=address)
