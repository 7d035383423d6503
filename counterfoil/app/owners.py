"""Whose an account is at this moment, and which account of somebody's it reads like."""

from counterfoil.app.home import Home
from counterfoil.app.lookalike import looks
from counterfoil.clock import format_time
from counterfoil.policy.directory import Actor


def owner_now(home: Home, account: str) -> Actor | None:
    """Return whose account it is at this moment."""
    known = home.keys.known_people([account]).get(account)
    return None if known is None else owner_of(home, known.pseudonym)


def owner_of(home: Home, pseudonym: str) -> Actor | None:
    """Return whose account a pseudonym is at this moment; nobody's once they are removed."""
    found = home.access.directory.owner_of(pseudonym, format_time(home.clock.now()))
    return found if found is not None and found.removed < 0 else None


def reads_like(home: Home, handle: str, account: str) -> tuple[str, Actor] | None:
    """Return an account of somebody else's than `handle` that this one reads like, and whose.

    Cost: about 3 us for each linked account.
    """
    directory = home.access.directory
    own = set(looks(account))
    for pseudonym, other in home.keys.accounts_of(directory.links).items():
        if other != account and not own.isdisjoint(looks(other)):
            owner = owner_of(home, pseudonym)
            if owner is not None and owner.handle != handle:
                return other, owner
    return None
