"""Requests for the tests: a person with roles in project shop, tier production, unless said."""

from msgspec import UNSET

from counterfoil.policy.request import LEDGER, Context, Object, Principal, Request

ANA = "actor:aaaaaaaaaaaaaaaa"
BO = "actor:bbbbbbbbbbbbbbbb"


def place(kind: str, tier: str = "production", project: str = "shop") -> Object:
    """Return an object of a kind; a project is named after itself, a ledger is in none."""
    if kind == "ledger":
        return LEDGER
    if kind == "project":
        return Object(kind, project, project)
    return Object(kind, "x", project, tier)


def ask(
    verb: str,
    kind: str,
    roles: tuple[str, ...] = (),
    *,
    teams: tuple[str, ...] = (),
    tier: str = "production",
    project: str = "shop",
    who: str = ANA,
    actor_kind: str = "person",
    credential: str = "session",
    verified: bool = True,
    first: bool = False,
    gate_changers: tuple[str, ...] = (),
    authors: tuple[str, ...] = (),
    confirmed: bool = False,
) -> Request:
    """Return a request."""
    return Request(
        Principal(who, actor_kind, roles, teams),
        verb,
        place(kind, tier, project),
        Context(credential, verified, first, gate_changers, authors, True if confirmed else UNSET),
    )
