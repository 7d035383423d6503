"""What `data` may name, if it is an object: refs, blobs, and values about persons.

They are read where an event comes in: what is to be public, proved or hidden must be understood
before it is permanent.
"""

import functools
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from counterfoil.errors import RequestError
from counterfoil.events.attributes import invalid
from counterfoil.events.canonical import JSON
from counterfoil.events.refs import Named, parse_ref, parse_role

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)+")


class BlobName(msgspec.Struct, frozen=True):
    """Evidence an event names: the digest of its bytes, and what to call it.

    Attributes:
        digest: "sha256:" and 64 lower-case hexadecimal digits, of the plain bytes.
        name: a file name for people.
        mediatype: such as "application/xml".
    """

    digest: str
    name: str
    mediatype: str


class Names(msgspec.Struct, frozen=True):
    """What the data of an event names, in order.

    Attributes:
        refs: of `data.refs`.
        blobs: of `data.blobs`.
        personal: JSON Pointers into data, of `data.personal`.
    """

    refs: tuple[Named, ...] = ()
    blobs: tuple[BlobName, ...] = ()
    personal: tuple[str, ...] = ()


NO_NAMES: Final = Names()


def read_names(data: Mapping[str, JSON]) -> Names:
    """Read `data.refs`, `data.blobs` and `data.personal`, each if it is there.

    Raises:
        RequestError: `ref_invalid`, `blob_invalid` or `attribute_invalid`.
    """
    return Names(
        _read_refs(data["refs"]) if "refs" in data else (),
        _read_blobs(data["blobs"]) if "blobs" in data else (),
        _read_personal(data["personal"]) if "personal" in data else (),
    )


def _read_refs(items: JSON) -> tuple[Named, ...]:
    if not isinstance(items, list):
        raise RequestError("ref_invalid", 'data.refs is a list of {"ref": ..., "role": ...}')
    named = []
    for place, item in enumerate(items):
        ref, role = _members(item, "ref", "role")
        if not isinstance(ref, str) or not isinstance(role, str):
            raise RequestError(
                "ref_invalid", f'data.refs[{place}] is no {{"ref": ..., "role": ...}}'
            )
        named.append(_named(ref, role))
    return tuple(named)


@functools.lru_cache(maxsize=4_096)
def _named(ref: str, role: str) -> Named:
    parse_ref(ref)
    return Named(ref, parse_role(role))


def _read_blobs(items: JSON) -> tuple[BlobName, ...]:
    if not isinstance(items, list):
        raise RequestError("blob_invalid", "data.blobs is a list of {digest, name, mediatype}")
    named = []
    for place, item in enumerate(items):
        digest, name, mediatype = _members(item, "digest", "name", "mediatype")
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise RequestError(
                "blob_invalid",
                f"data.blobs[{place}]: digest must be sha256: and 64 lower-case hex digits",
            )
        if not isinstance(name, str) or not isinstance(mediatype, str) or not mediatype:
            raise RequestError(
                "blob_invalid", f"data.blobs[{place}]: name and mediatype must be strings"
            )
        named.append(BlobName(digest, name, mediatype))
    return tuple(named)


def _members(item: JSON, *names: str) -> list[JSON]:
    return [item.get(name) for name in names] if isinstance(item, dict) else [None] * len(names)


def _read_personal(items: JSON) -> tuple[str, ...]:
    if not isinstance(items, list):
        raise invalid("data.personal", "it is a list of JSON Pointers into data")
    pointers = []
    for item in items:
        if not isinstance(item, str) or not _POINTER.fullmatch(item):
            raise invalid("data.personal", "an item is no JSON Pointer (RFC 6901) into data")
        if item.split("/")[1] in {"refs", "blobs", "personal"}:
            raise invalid("data.personal", "it may not point into refs, blobs or itself")
        pointers.append(item)
    return tuple(pointers)
