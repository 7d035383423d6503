"""Who there is and who may, listed: people, accounts, teams, roles, tokens.

What must hold: nothing is changed; names are answered to whoever may run the ledger (`admin`) or
open personal values (`personal`), and counted as read.  Whoever may read `_access` sees handles and
accounts on its pages all the same.  Everything is as of now, and says when it ends.
"""

from typing import Final

from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.listed import (
    AccountRow,
    GrantRow,
    Listing,
    PersonRow,
    TeamRow,
    TokenRow,
    listing_of,
)
from counterfoil.app.unmapped import Unmapped, unmapped
from counterfoil.errors import RequestError

UNMAPPED_MAX: Final = 1_000


class Nothing(Given, frozen=True, kw_only=True):
    """A question without words."""


class PeopleAsked(Given, frozen=True, kw_only=True):
    """Which people; with `removed`, those too who are gone."""

    removed: bool = False


class PersonAsked(Given, frozen=True, kw_only=True):
    """One actor."""

    handle: str


class UnmappedAsked(Given, frozen=True, kw_only=True):
    """How many accounts to name at most, 1 to 1,000."""

    limit: int = 100


class People(Done, frozen=True, kw_only=True):
    """Actors, by handle."""

    people: tuple[PersonRow, ...]


class Person(Done, frozen=True, kw_only=True):
    """One actor with everything that is theirs.

    Attributes:
        person: who it is.
        accounts: every link, over or not.
        roles: what they were granted, also through teams and as a deputy.
        deputies: who stands in for them, each with its dates.
        stands_in_for: for whom they stand in now.
        tokens: that act for them.
        passkeys: enrolled, each its id, its name and since when.
    """

    person: PersonRow
    accounts: tuple[AccountRow, ...]
    roles: tuple[GrantRow, ...]
    deputies: tuple[str, ...]
    stands_in_for: tuple[str, ...]
    tokens: tuple[TokenRow, ...]
    passkeys: tuple[str, ...]


class Accounts(Done, frozen=True, kw_only=True):
    """Linked accounts."""

    accounts: tuple[AccountRow, ...]


class UnmappedAccounts(Done, frozen=True, kw_only=True):
    """Accounts that acted and are nobody's, the most active first; `total` of them."""

    accounts: tuple[Unmapped, ...]
    total: int


class Teams(Done, frozen=True, kw_only=True):
    """Teams, by ref."""

    teams: tuple[TeamRow, ...]


class Roles(Done, frozen=True, kw_only=True):
    """Grants, by holder."""

    grants: tuple[GrantRow, ...]


class Tokens(Done, frozen=True, kw_only=True):
    """Tokens, without the tokens."""

    tokens: tuple[TokenRow, ...]


def people(acting: Acting) -> People:
    """List who there is."""
    given: PeopleAsked = acting.given
    found = listing_of(acting.home).people(removed=given.removed)
    return People(said=f"{len(found)} actors", people=tuple(found))


def person(acting: Acting) -> Person:
    """Show one actor.

    Raises:
        RequestError: `not_found`.
    """
    given: PersonAsked = acting.given
    listing = listing_of(acting.home)
    found = listing.directory.by_handle(given.handle)
    if found is None:
        raise RequestError("not_found", f"nobody is known by the handle {given.handle[:80]!a}")
    return Person(
        said=f"{found.handle} is a {found.kind}",
        person=listing.person(found),
        accounts=tuple(listing.account(link) for link in listing.directory.accounts_of(found.ref)),
        roles=tuple(
            listing.grant(grant) for grant in listing.directory.grants_of(found.ref, listing.now)
        ),
        deputies=_deputies(listing, found.ref),
        stands_in_for=tuple(
            listing.handle(one) for one in listing.directory.stands_in_for(found.ref, listing.now)
        ),
        tokens=tuple(one for one in listing.tokens() if one.holder == found.handle),
        passkeys=tuple(
            f"{key.id} {key.name} since {key.since}"
            for key in listing.directory.passkeys.values()
            if key.actor == found.ref and key.removed < 0
        ),
    )


def _deputies(listing: Listing, ref: str) -> tuple[str, ...]:
    return tuple(
        f"{listing.handle(deputy)} {span.since} to {span.until or '...'}"
        for (actor, deputy), span in listing.directory.deputies.items()
        if actor == ref
    )


def accounts(acting: Acting) -> Accounts:
    """List every linked account."""
    found = listing_of(acting.home).accounts()
    return Accounts(said=f"{len(found)} links", accounts=tuple(found))


def unmapped_accounts(acting: Acting) -> UnmappedAccounts:
    """List the accounts that acted and are nobody's.

    Raises:
        RequestError: `usage`.
    """
    given: UnmappedAsked = acting.given
    if not 1 <= given.limit <= UNMAPPED_MAX:
        raise RequestError("usage", f"limit is 1 to {UNMAPPED_MAX}, not {given.limit}")
    found, total = unmapped(acting.home, given.limit)
    return UnmappedAccounts(
        said=f"accounts that acted and are nobody's: {total}", accounts=tuple(found), total=total
    )


def teams(acting: Acting) -> Teams:
    """List teams with their members and whose turn it is."""
    found = listing_of(acting.home).teams()
    return Teams(said=f"{len(found)} teams", teams=tuple(found))


def roles(acting: Acting) -> Roles:
    """List every grant."""
    found = listing_of(acting.home).grants()
    return Roles(said=f"{len(found)} grants", grants=tuple(found))


def tokens(acting: Acting) -> Tokens:
    """List every token, with its last use."""
    found = listing_of(acting.home).tokens()
    return Tokens(said=f"{len(found)} tokens", tokens=tuple(found))


ACTIONS: Final = (
    Action(
        name="people-list", verb="admin", also="personal", reads="actors", takes=PeopleAsked, gives=People,
        run=people, doc="List persons, services and agents.",
    ),
    Action(
        name="person-show", verb="admin", also="personal", reads="accounts", takes=PersonAsked, gives=Person,
        run=person, doc="Show one actor: accounts, roles, deputies, tokens.",
    ),
    Action(
        name="accounts-list", verb="admin", also="personal", reads="accounts", takes=Nothing, gives=Accounts,
        run=accounts, doc="List linked accounts.",
    ),
    Action(
        name="accounts-unmapped", verb="admin", also="personal", reads="accounts", takes=UnmappedAsked,
        gives=UnmappedAccounts, run=unmapped_accounts,
        doc="List accounts that acted and are nobody's: how often, and when last.",
    ),
    Action(
        name="teams-list", verb="admin", also="personal", reads="actors", takes=Nothing, gives=Teams, run=teams,
        doc="List teams, members and turns.",
    ),
    Action(
        name="roles-list", verb="admin", also="personal", reads="actors", takes=Nothing, gives=Roles, run=roles,
        doc="List grants of roles.",
    ),
    Action(
        name="tokens-list", verb="admin", also="personal", reads="actors", takes=Nothing, gives=Tokens,
        run=tokens, doc="List tokens with their scope and last use.",
    ),
)  # fmt: skip
