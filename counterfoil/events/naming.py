"""What `data` may name, if it is an object: refs, blobs, and values about persons.

They are checked where an event comes in: what is to be public, proved or hidden must be
understood before it is permanent.
"""

import re
from collections.abc import Mapping

from counterfoil.errors import RequestError
from counterfoil.events.attributes import invalid
from counterfoil.events.canonical import JSON
from counterfoil.events.refs import parse_ref, parse_role

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)+")


def check_data(data: Mapping[str, JSON]) -> None:
    """Check `data.refs`, `data.blobs` and `data.personal`, each if it is there.

    Raises:
        RequestError: `ref_invalid`, `blob_invalid` or `attribute_invalid`.
    """
    _check_refs(data)
    _check_blobs(data)
    _check_personal(data)


def _check_refs(data: Mapping[str, JSON]) -> None:
    items = data.get("refs", [])
    if not isinstance(items, list):
        raise RequestError("ref_invalid", 'data.refs is a list of {"ref": ..., "role": ...}')
    for place, item in enumerate(items):
        ref, role = _members(item, "ref", "role")
        if not isinstance(ref, str) or not isinstance(role, str):
            raise RequestError(
                "ref_invalid", f'data.refs[{place}] is no {{"ref": ..., "role": ...}}'
            )
        parse_ref(ref)
        parse_role(role)


def _check_blobs(data: Mapping[str, JSON]) -> None:
    items = data.get("blobs", [])
    if not isinstance(items, list):
        raise RequestError("blob_invalid", "data.blobs is a list of {digest, name, mediatype}")
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


def _members(item: JSON, *names: str) -> list[JSON]:
    return [item.get(name) if isinstance(item, dict) else None for name in names]


def _check_personal(data: Mapping[str, JSON]) -> None:
    items = data.get("personal", [])
    if not isinstance(items, list):
        raise invalid("data.personal", "it is a list of JSON Pointers into data")
    for item in items:
        if not isinstance(item, str) or not _POINTER.fullmatch(item):
            raise invalid("data.personal", "an item is no JSON Pointer (RFC 6901) into data")
        if item.split("/")[1] in {"refs", "blobs", "personal"}:
            raise invalid("data.personal", "it may not point into refs, blobs or itself")
