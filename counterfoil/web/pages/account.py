"""/account, the page: what lets me in, and where I am signed in."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app import linking
from counterfoil.app.last_key import last_key_warning
from counterfoil.app.proving import is_fresh
from counterfoil.app.sessions import Session
from counterfoil.clock import format_time, parse_time
from counterfoil.errors import RequestError
from counterfoil.policy.directory import Passkey
from counterfoil.web.api.errors import status_of
from counterfoil.web.api.route import Served
from counterfoil.web.identity import Caller
from counterfoil.web.pages import words
from counterfoil.web.pages.damaged import alarms_for, build_damaged
from counterfoil.web.pages.linked import build_accounts
from counterfoil.web.pages.render import render

TYPED_MAX: Final = 300
_BEGAN = {
    "passkey": "with a passkey",
    "oidc": "with a provider",
    "link": "with a link, vouched for by whoever holds the ledger's files",
}
_VOUCHED = {
    "invitation": "vouched for by an invitation",
    "own-key": "vouched for by another passkey of yours",
    "files": "vouched for by whoever holds the ledger's files",
    "admin-token": "vouched for by whoever holds the administrator's token",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One passkey or session."""

    id: str
    name: str
    detail: str
    here: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """What the page shows; `actor` is "" for whoever came by a link that names nobody."""

    handle: str
    actor: str
    says: str
    keys: tuple[Row, ...]
    warning: str
    may_enrol: bool
    why_not: str
    sessions: tuple[Row, ...]


def account_page(
    request: Request,
    served: Served,
    caller: Caller,
    session: Session,
    refused: tuple[str, RequestError] | None = None,
) -> Response:
    """Read what the page shows, and render it.  Blocks.

    `refused` is an account somebody typed to link, and why that was refused.
    """
    entrance, now = served.entrance, served.home.clock.now()
    keys = entrance.keyring.passkeys_of(session.actor)
    warnings = [
        last_key_warning(served.home.access.directory, key, format_time(now)) for key in keys
    ]
    account = build_account(
        handle=caller.credential.handle,
        session=session,
        keys=keys,
        used=served.home.state.sign_in.passkeys_used(),
        sessions=entrance.sessions.listed(session.actor) if session.actor else [session],
        warning=next(filter(None, warnings), ""),
        is_first=entrance.own.is_first(session),
        now=now,
    )
    typed, error = refused or (request.query_params.get("account", "")[:TYPED_MAX], None)
    told = served.told.take(caller.credential.id, request.query_params.get("told", ""))
    accounts = build_accounts(
        entrance.keyring.accounts_of(session.actor),
        linking.waiting(served.home, session),
        told.done if told is not None and isinstance(told.done, linking.Begun) else None,
        typed,
        error,
        now,
    )
    return render(
        request,
        "account.html",
        status=200 if error is None else status_of(error),
        damaged=build_damaged(alarms_for(served.home, caller.credential), now),
        it=account,
        accounts=accounts,
        csrf=caller.csrf,
        providers=entrance.oidc.providers,
    )


def build_account(
    *,
    handle: str,
    session: Session,
    keys: Sequence[Passkey],
    used: Mapping[str, str],
    sessions: Sequence[Session],
    warning: str,
    is_first: bool,
    now: datetime.datetime,
) -> Account:
    """Build what the page shows.

    Args:
        handle: who is signed in.
        session: the one that asks.
        keys: their passkeys at this address.
        used: passkey's id -> when it was last used.
        sessions: where they are signed in.
        warning: what is so once a passkey is gone, as `last_key_warning` says it.
        is_first: whether the word of whoever made the link enrols a first passkey.
        now: the present moment.
    """
    fresh = is_fresh(session.verified, now)
    proven = (
        f"your passkey was shown {words.ago(session.verified, now)}"
        if session.verified
        else "no passkey was shown in this session"
    )
    why_not = "To enrol another passkey, show one you have first."
    if not keys and not is_first:
        why_not = "A first passkey needs somebody who vouches for you: ask for an invitation."
    return Account(
        handle=handle,
        actor=session.actor,
        says=f"Signed in {_BEGAN[session.began]}; {proven}. It ends {words.long_day(parse_time(session.expires))} at the latest.",
        keys=tuple(_key(key, used.get(key.id, ""), now) for key in keys),
        warning=warning,
        may_enrol=is_first or (fresh and bool(keys)),
        why_not=why_not,
        sessions=tuple(_session(one, session, now) for one in sessions),
    )


def _key(key: Passkey, used: str, now: datetime.datetime) -> Row:
    last = f"last used {words.when(used, now)}" if used else "not used yet"
    vouched = _VOUCHED.get(key.vouched, "vouched for by nobody the log names")
    detail = (
        f"enrolled {words.when(key.since, now)}, entry {words.number(key.entry)}, {vouched}; {last}"
    )
    return Row(key.id, key.name, detail)


def _session(one: Session, here: Session, now: datetime.datetime) -> Row:
    where = f"{one.device or 'a browser'}, {one.place or 'an unknown place'}"
    detail = f"since {words.when(one.created, now)}, {_BEGAN[one.began]}; last used {words.when(one.seen, now)}"
    return Row(one.id, where, detail, one.id == here.id)
