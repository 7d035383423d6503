"""Linking an account by a comment: who is signed in begins it, the account itself ends it.

Somebody who showed a passkey within five minutes names an account and gets a line with a code.
Written as a comment by that account, where a signed delivery brings it here, it links the account
to them.  What must hold: only the digest of a code is kept; a code is good once, for half an hour,
while the session that began it is open; seen in any other setting it is spent and links nothing;
what is linked signs nobody in, because a vendor's word must not.

If we crash after the comment is recorded and before its code is spent, nothing is linked, and the
same delivery sent again links it while the code is live.  If we crash after the code is spent and
before the link is recorded, the person begins again.  A delivery that did either does nothing more
when it is sent again: its code is gone.
"""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from counterfoil.app.actions import Done
from counterfoil.app.handles import check_account
from counterfoil.app.home import Home
from counterfoil.app.owners import owner_now, reads_like
from counterfoil.app.proving import digest, is_fresh, refuse
from counterfoil.app.refusals import Attempt
from counterfoil.app.sessions import Session, Sessions
from counterfoil.clock import format_time
from counterfoil.errors import RequestError
from counterfoil.ids import short_id
from counterfoil.policy.access import LOG, Credential
from counterfoil.policy.directory import Actor, Directory
from counterfoil.sources.github import CODE_LETTERS, LinkComment, link_line
from counterfoil.stores.state_sign_in import Ceremony

LIFE: Final = timedelta(minutes=30)
"""Long enough to find an issue to write under."""
OPEN_MAX: Final = 5
PURPOSE: Final = "link-by-comment"
PROVIDER: Final = "github.com"
# docs.github.com, "Username considerations": letters, digits, hyphens, and for managed users an
# underscore before the enterprise's short code; 39 characters.
_ACCOUNT: Final = re.compile(rf"{re.escape(PROVIDER)}:[A-Za-z0-9][A-Za-z0-9_-]{{0,38}}")
_TRIED: Final = "link an account by a comment"
# Why a live code links nothing, for the record of refusals.
_WHY: Final = {
    "no-issue": "it is no comment on an issue or pull request",
    "not-created": "the comment was not created just then",
    "edited": "the comment was edited",
    "more-text": "the comment says more than the line",
    "other-author": "who sent it is not who wrote it",
    "no-person": "no person wrote it",
    "by-app": "a program wrote it, or may have",
    "other-account": "another account wrote it than was named",
    "other-handle": "the line names another handle",
    "removed": "who began it is known no more",
    "session": "the session that began it is over",
    "taken": "the account is somebody's by now",
    "lookalike": "the account reads like another's by now",
}


class Begun(Done, frozen=True, kw_only=True):
    """A link that waits for a comment; `link` is the line to write, shown this once."""

    link: str
    account: str
    until: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A link that waits for a comment by `account`, until then (RFC 3339)."""

    account: str
    until: str


def begin(home: Home, session: Session, account: str) -> Begun:
    """Begin to link an account to who is signed in; one begun before for it is over.

    Args:
        home: the open ledger.
        session: of who is signed in.
        account: `github.com:LOGIN`, as GitHub shows it.

    Raises:
        RequestError: `usage`, `account_lookalike`: no account that a comment can prove;
            `source_unknown`: no repository is connected; `step_up_needed`; `account_taken`;
            `sign_in_refused`: the session is no person's.
    """
    _check(home, account)
    now = home.clock.now()
    if not is_fresh(session.verified, now):
        raise RequestError("step_up_needed", "show your passkey first, then link an account")
    with home.access.changing() as directory:
        actor = directory.actor(session.actor)
        if actor is None or actor.kind != "person":
            refuse("person", "only a person who is known here can do this")
        _require_free(home, actor, account)
        cancel(home, session, account)
        if len(waiting(home, session)) >= OPEN_MAX:
            raise RequestError("usage", f"{OPEN_MAX} links wait for comments already; cancel one")
        code = short_id(home.randomness, CODE_LETTERS)
        until = format_time(now + LIFE)
        home.state.sign_in.add_ceremony(
            Ceremony(
                digest=digest(code),
                holder=b"",
                purpose=PURPOSE,
                actor=actor.ref,
                detail=f"{session.id} {account}",
                created=format_time(now),
                expires=until,
            )
        )
    said = f"Write this line as {account}, and nothing else, as a comment"
    return Begun(said=said, link=link_line(actor.handle, code), account=account, until=until)


def waiting(home: Home, session: Session) -> list[Waiting]:
    """Return what who is signed in began and no comment has ended, the oldest first."""
    return [Waiting(_account_of(one), one.expires) for one in _open(home, session)]


def cancel(home: Home, session: Session, account: str) -> None:
    """End what waits for a comment by an account; ending what is not there is no error."""
    for one in _open(home, session):
        if _account_of(one) == account:
            home.state.sign_in.use_ceremony(one.digest, format_time(home.clock.now()))


def finish(
    home: Home, found: LinkComment, credential: Credential, project: str, index: int
) -> None:
    """Link the account that wrote a comment, if a live code says so; spend every code in it.

    Args:
        home: the open ledger.
        found: what a delivery said whose signature was checked.
        credential: of the webhook.
        project: whose log the delivery is recorded in.
        index: of its entry there.

    Never refuses a delivery: a live code in a wrong setting is a counted refusal, and any other
    code is nothing, so that whoever writes comments cannot fill the log.
    """
    for handle, code in found.lines:
        now = format_time(home.clock.now())
        begun = home.state.sign_in.use_ceremony(digest(code), now, purpose=PURPOSE)
        if begun is None:
            continue
        # Recorded by the webhook, done by who began it: it proves the account, they the will.
        by = replace(credential, actor=begun.actor)
        with home.access.changing() as directory:
            why = _why_not(home, directory, begun, found, handle)
            if not why:
                _link(home, begun, handle, by, {"project": project, "comment": index})
        if why:
            attempt = Attempt(f"{_TRIED}: {why}", "sign_in_refused", _WHY[why], _TRIED)
            home.recorder.refuse(LOG, attempt, by)


def _check(home: Home, account: str) -> None:
    """Refuse an account that no comment can prove."""
    check_account(account)
    if not account.startswith(f"{PROVIDER}:"):
        raise RequestError(
            "usage",
            f"a comment proves an account of {PROVIDER} alone; ask an administrator to link others",
        )
    if not _ACCOUNT.fullmatch(account):
        raise RequestError("usage", f"{account[:80]!a} is no {PROVIDER}:LOGIN as GitHub has them")
    if not any(source.kind == "github" for source in home.state.webhook_sources()):
        raise RequestError(
            "source_unknown",
            "no GitHub repository is connected here, so no comment arrives; connect one first",
        )


def _require_free(home: Home, actor: Actor, account: str) -> None:
    """Refuse an account that is taken; whose it is, is not for everybody to ask."""
    owner = owner_now(home, account)
    if owner is not None:
        whose = "yours" if owner.ref == actor.ref else "somebody else's"
        raise RequestError("account_taken", f"{account} is {whose} already")
    if reads_like(home, actor.handle, account) is not None:
        raise RequestError(
            "account_lookalike", f"{account} reads like an account that is somebody else's"
        )


def _why_not(
    home: Home, directory: Directory, begun: Ceremony, found: LinkComment, handle: str
) -> str:
    """Return why a live code links nothing, a key of `_WHY`; "" if it links."""
    actor, account = directory.actor(begun.actor), _account_of(begun)
    if found.odd:
        return found.odd
    if found.account != account:
        return "other-account"
    if actor is None or actor.kind != "person":
        return "removed"
    if actor.handle != handle:
        return "other-handle"
    open_now = Sessions(home.state.sign_in, home.clock, home.randomness).listed(actor.ref)
    if _session_of(begun) not in {one.id for one in open_now}:
        return "session"
    if owner_now(home, account) is not None:
        return "taken"
    return "" if reads_like(home, handle, account) is None else "lookalike"


def _link(
    home: Home, begun: Ceremony, handle: str, by: Credential, shown: dict[str, str | int]
) -> None:
    event = home.access.event(
        "account.linked",
        by,
        subject=home.access.account_ref(handle),
        data={"how": "ceremony", **shown},
        named=[(f"actor:{_account_of(begun)}", "account"), (_session_of(begun), "about")],
    )
    home.access.enact([event], by, "webhook")


def _open(home: Home, session: Session) -> list[Ceremony]:
    now = format_time(home.clock.now())
    return home.state.sign_in.ceremonies(PURPOSE, session.actor, now)


def _account_of(begun: Ceremony) -> str:
    return begun.detail.partition(" ")[2]


def _session_of(begun: Ceremony) -> str:
    return begun.detail.partition(" ")[0]
