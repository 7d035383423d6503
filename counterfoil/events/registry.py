"""Every type of event the project knows, and what a type alone tells about an event.

An unknown type is no error: it is recorded, sealed as "standard", and shown as it is.
"""

import re

from counterfoil.events.event import Event
from counterfoil.events.kinds import EventType
from counterfoil.events.refs import Named

__all__ = ["RETENTION", "TYPES", "EventType", "derived_refs", "lookup"]

RETENTION = {
    "standard": "the body is sealed under the event's key, personal values under the person's",
    "technical": "facts of the server itself without personal data; the body is kept in the open",
}

_VERSION = re.compile(r"\.\d+\.\d+\.\d+(?:-[a-z0-9.]+)?\Z")

TYPES: dict[str, EventType] = {}
_BY_STEM = {_VERSION.sub("", name): known for name, known in TYPES.items()}


def lookup(type: str) -> EventType | None:  # noqa: A002  the name CloudEvents gives it
    """Return what is known of `type`; the version is ignored if exactly that one is not known.

    Shapes of older CDEvents versions are taken in under the meaning of the one known here.
    """
    return TYPES.get(type) or _BY_STEM.get(_VERSION.sub("", type))


def derived_refs(event: Event) -> tuple[Named, ...]:
    """Return the refs a CDEvents document states in its own members, with their roles."""
    return ()
