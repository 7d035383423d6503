"""Handles, names, accounts and teams: what they may look like.  Pure.

What must hold: a handle is ASCII and short, so that nobody has to guess which one is meant; an
account is what its provider calls it.
"""

import re
from collections.abc import MutableMapping
from typing import Final

from counterfoil.app.lookalike import handle_skeleton, why_not
from counterfoil.errors import RequestError
from counterfoil.events.refs import parse_ref
from counterfoil.policy.directory import PROVIDER, Actor, Directory

HANDLE: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
KINDS: Final = ("person", "service", "agent")
NAME_MAX: Final = 200
ACCOUNT_BYTES_MAX: Final = 512
_ACCOUNT: Final = re.compile(r"[a-z0-9][a-z0-9.-]*:\S(?:.*\S)?")


def check_handle(handle: str) -> None:
    """Refuse what is no handle.

    Raises:
        RequestError: `usage`.
    """
    if not HANDLE.fullmatch(handle):
        raise RequestError(
            "usage",
            f"{handle[:80]!a} is no handle: 1 to 64 of a-z and 0-9, and . _ - in between",
        )


def check_kind(kind: str) -> None:
    """Refuse what is no kind of actor.

    Raises:
        RequestError: `usage`.
    """
    if kind not in KINDS:
        raise RequestError("usage", f"{kind[:40]!a} is no kind; they are {', '.join(KINDS)}")


def check_behalf(handle: str, kind: str, behalf: str) -> None:
    """Refuse an agent without somebody who answers for it, and a person with somebody.

    Raises:
        RequestError: `usage`.
    """
    if behalf and kind == "person":
        raise RequestError("usage", f"{handle} is a person: persons act for themselves")
    if kind == "agent" and not behalf:
        raise RequestError("usage", f"{handle} is an agent: behalf names the person who answers")


def check_answers(handle: str, kind: str) -> None:
    """Refuse somebody of a kind that answers for nobody.

    Raises:
        RequestError: `usage`.
    """
    if kind != "person":
        raise RequestError("usage", f"only persons answer for others, and {handle} is none")


def check_kept(known: Actor | None, kind: str) -> None:
    """Refuse another kind for a handle that has one: it keeps it for life, removed since or not.

    Args:
        known: who has or had the handle.
        kind: what it would be.

    Raises:
        RequestError: `actor_taken`.
    """
    if known is not None and known.kind != kind:
        verb = "is" if known.removed < 0 else "was"
        raise RequestError(
            "actor_taken", f"{known.handle} {verb} a {known.kind}; a {kind} has another handle"
        )


def check_unlike(handle: str, alike: MutableMapping[str, str]) -> None:
    """Refuse a handle that reads like another one, and add it to those there are.

    Args:
        handle: to be one.
        alike: how each reads (`handle_skeleton`) -> handle.

    Raises:
        RequestError: `actor_taken`.
    """
    like = alike.setdefault(handle_skeleton(handle), handle)
    if like != handle:
        raise RequestError("actor_taken", f"{handle} reads like {like}; choose another handle")


def handles_alike(directory: Directory) -> dict[str, str]:
    """Return how the handles of all who are not removed read -> handle."""
    actors = directory.actors.values()
    return {handle_skeleton(one.handle): one.handle for one in actors if one.removed < 0}


def check_name(name: str, what: str = "a name") -> None:
    """Refuse a name or title that does not fit on a line.

    Raises:
        RequestError: `usage`.
    """
    if len(name) > NAME_MAX or not (name == "" or name.isprintable()):
        raise RequestError("usage", f"{what} is at most {NAME_MAX} printable characters")


def check_account(account: str) -> None:
    """Refuse what is no account of a provider, or is written to look like another one.

    Raises:
        RequestError: `usage`, `account_lookalike`.
    """
    if len(account.encode()) > ACCOUNT_BYTES_MAX:
        raise RequestError("usage", f"an account is at most {ACCOUNT_BYTES_MAX} bytes")
    if not _ACCOUNT.fullmatch(account) or account.startswith(f"{PROVIDER}:"):
        raise RequestError(
            "usage", f"{account[:80]!a} is no PROVIDER:LOGIN such as github.com:ana-dev"
        )
    if why := why_not(account):
        raise RequestError(
            "account_lookalike", f"{account[:80]!a}: {why}; link the form its provider shows"
        )


def team_ref(name: str) -> str:
    """Return the ref of a team's name.

    Raises:
        RequestError: `usage`: a name that no ref can have.
    """
    try:
        return str(parse_ref(f"team:{name}"))
    except RequestError as error:
        raise RequestError(
            "usage", f"{name[:80]!a} is no name of a team: {error.message}"
        ) from error
