"""What the fold of `_access` takes in, and how it reads ends and days."""

import datetime
from typing import Final, TypeVar

import msgspec

FOLDED: Final = frozenset(
    {
        *("actor.described", "actor.removed", "account.linked", "account.unlinked"),
        *("deputy.named", "deputy.ended", "team.described", "team.removed"),
        *("member.joined", "member.left", "role.granted", "role.revoked", "policy.activated"),
        *("token.issued", "token.revoked", "invitation.made", "invitation.ended"),
        *("passkey.enrolled", "passkey.removed", "trust.added", "trust.removed", "session.opened"),
    }
)
"""What changes the directory; everything else in the log is passed over."""
PUBLIC: Final = frozenset({"session.opened"})
"""Of those, what is read off the entry alone: there are many, and nobody opens them.

They say who came, and change nobody's rights.
"""

EndedT = TypeVar("EndedT", bound=msgspec.Struct)


def ended(one: EndedT, **at: int) -> EndedT:
    """Return a credential that an entry ended; the first end stands."""
    (name,) = at
    return one if getattr(one, name) >= 0 else msgspec.structs.replace(one, **at)


def day_of(moment: str) -> int:
    """Return the day of a moment, counted from the first one there is."""
    return datetime.date.fromisoformat(moment[:10]).toordinal()


def is_date(text: str) -> bool:
    """Whether a text begins with a day."""
    try:
        day_of(text)
    except ValueError:
        return False
    return True
