"""Whom somebody means: a handle, an account, or a pseudonym as pages and entries have it."""

from counterfoil.app.access import Access
from counterfoil.errors import RequestError
from counterfoil.ledger.store import KeyStore

_ACTOR = "actor:"


def pseudonym_of(access: Access, keys: KeyStore, text: str) -> str:
    """Return the pseudonym ref of whoever `text` names; nobody is made by asking.

    Args:
        access: whose handles.
        keys: whose accounts.
        text: `HANDLE`, `PROVIDER:ACCOUNT`, either behind `actor:`, or `actor:PSEUDONYM`.

    Raises:
        RequestError: `actor_unknown`.
    """
    if text.startswith(_ACTOR) and keys.person_by_pseudonym(text) is not None:
        return text
    name = text.removeprefix(_ACTOR)
    if (actor := access.directory.known_as(name)) is not None:
        return actor.ref
    if (known := keys.known_people([name]).get(name)) is not None:
        return known.pseudonym
    raise RequestError(
        "actor_unknown", f"nobody is known as {text[:80]!a}: give a handle or PROVIDER:ACCOUNT"
    )
