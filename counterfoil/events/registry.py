"""Every type of event the project knows, and what a type alone tells about an event.

An unknown type is no error: it is recorded, sealed as "standard", and shown as it is.
"""

import functools
import re

from counterfoil.events import (
    action,
    actor,
    approval,
    artifact,
    backup,
    change,
    commit,
    credential,
    deployment,
    environment,
    erasure,
    keeping,
    key,
    log,
    reading,
    release,
    repository,
    role,
    run,
    team,
    test,
    ticket,
)
from counterfoil.events.derived import derived_refs
from counterfoil.events.kinds import OWN, EventType

__all__ = ["RETENTION", "TYPES", "EventType", "derived_refs", "lookup", "retention", "server_only"]

RETENTION = {
    "standard": "the body is sealed under the event's key, personal values under the person's",
    "technical": "facts of the server itself without personal data; the body is kept in the open",
}

# In the order of a change's life: it is the order of docs/events.md.
_NOUNS = (
    repository,
    commit,
    change,
    run,
    test,
    artifact,
    release,
    approval,
    deployment,
    environment,
    ticket,
    log,
    actor,
    team,
    role,
    credential,
    key,
    reading,
    erasure,
    backup,
    action,
    keeping,
)
# What only the server itself records, in what it does: an event of such a noun that somebody sent
# would destroy, hold or let go of something that nobody was asked about.
_SERVER_ONLY = ("action", "backup", "erasure", "hold", "key", "retention")
_VERSION = re.compile(r"\.\d+\.\d+\.\d+(?:-[a-z0-9.]+)?\Z")

TYPES: dict[str, EventType] = {known.name: known for noun in _NOUNS for known in noun.TYPES}
_BY_STEM = {_VERSION.sub("", name): known for name, known in TYPES.items()}


@functools.lru_cache(maxsize=1_024)
def server_only(type: str) -> bool:  # noqa: A002  the name CloudEvents gives it
    """Say whether only the server itself may record a type, any version and predicate of it.

    >>> server_only("dev.cdeventsx.counterfoil-hold.placed.0.1.0"), server_only("com.example.hold")
    (True, False)
    """
    noun = type.removeprefix(OWN).partition(".")[0] if type.startswith(OWN) else ""
    return noun in _SERVER_ONLY


@functools.lru_cache(maxsize=1_024)
def lookup(type: str) -> EventType | None:  # noqa: A002  the name CloudEvents gives it
    """Return what is known of `type`; the version is ignored if exactly that one is not known.

    Shapes of other CDEvents versions are taken in under the meaning of the one known here.

    >>> lookup("dev.cdevents.testcaserun.finished.0.1.0").name
    'dev.cdevents.testcaserun.finished.0.3.0'
    """
    return TYPES.get(type) or _BY_STEM.get(_VERSION.sub("", type))


def retention(type: str, via: str) -> str:  # noqa: A002  the name CloudEvents gives it
    """Return the retention class of an event of `type` that comes in `via`.

    Only what the server itself records may be kept in the open: whoever else sends such a type
    might put a person into it, and a plain body cannot be erased.
    """
    known = lookup(type)
    return known.retention if known is not None and via == "server" else "standard"
