"""Attributes of an event: the CloudEvents rules of names and values, and ours of mandatory ones.

Most events are read at once (`read_usual`); for the others every function takes the attributes as
read so far, by name, and returns one of them or refuses.

Source: CloudEvents 1.0.2 section 3.1 (names, types), RFC 3986 section 4.1 (URI-references).
"""

import base64
import binascii
import functools
import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.events.refs import FORBIDDEN

KEY_BYTES_MAX = 200
AUTHID_BYTES_MAX = 512
SEQ_MAX = 2**31 - 1

Scalar = str | int | bool

_NAME = re.compile(r"[a-z0-9]{1,20}")
_CHAR = r"[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2}"
# RFC 3986 section 4.1: a scheme, or a first segment without a colon.
_URI_REFERENCE = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.\-]*:|(?![^/?#]*:))"
    rf"(?://(?:{_CHAR}|[\[\]])*(?=[/?#]|\Z))?(?:{_CHAR}|/)*"
    rf"(?:\?(?:{_CHAR}|[/?])*)?(?:#(?:{_CHAR}|[/?])*)?"
)


_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Key = Annotated[str, msgspec.Meta(min_length=1, max_length=KEY_BYTES_MAX)]
_Account = Annotated[str, msgspec.Meta(min_length=1, max_length=AUTHID_BYTES_MAX)]
_Seq = Annotated[int, msgspec.Meta(ge=0, le=SEQ_MAX)]


class Attributes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The attributes that most events have and no others; as `Event` has them."""

    specversion: Literal["1.0"]
    id: _Key
    source: _Key
    type: _Text
    time: _Text
    authtype: _Text
    authid: _Account
    subject: _Text | None = None
    producer: _Text | None = None
    boot: _Text | None = None
    seq: _Seq | None = None
    data: object = None


USUAL = frozenset(Attributes.__struct_fields__)
"""The names of those: every other attribute of an event is extra."""


def read_usual(value: Mapping[str, JSON]) -> Attributes | None:
    """Return the attributes of an event that has no others, nothing wrong, and no odd character.

    Where it is None, something may be wrong or all well: the rules one by one tell.

    Cost: about 1 us, a quarter of asking them.
    """
    try:
        known = msgspec.convert(value, Attributes)
    except (msgspec.ValidationError, UnicodeError):
        return None
    texts = (known.id, known.source, known.type, known.time, known.authtype, known.authid)
    more = [one for one in (known.subject, known.producer, known.boot) if one is not None]
    joined = "".join((*texts, *more))
    # ASCII: so characters are bytes, and what prints is allowed.
    if not joined.isascii() or not joined.isprintable():
        return None
    if known.seq is not None and (known.producer is None or known.boot is None):
        return None
    # What is null is absent, and left out of the canonical form.
    return None if None in value.values() else known


def read_scalars(given: Mapping[str, JSON]) -> dict[str, Scalar]:
    """Return every attribute of an event but its data, each checked; `attribute_invalid` else."""
    return {name: read_scalar(name, one) for name, one in given.items() if name != "data"}


def read_scalar(name: str, value: JSON) -> Scalar:
    """Return the value of an attribute, checked with its name; `attribute_invalid` else."""
    if name not in USUAL and not _NAME.fullmatch(name) and name != "data_base64":
        raise RequestError(
            "attribute_invalid",
            f"the attribute name {name[:64]!a} is not in [a-z0-9]{{1,20}}; "
            "what is no attribute belongs into data",
        )
    match value:
        case bool():
            return value
        case int():
            if not -(2**31) <= value < 2**31:
                raise invalid(name, "its integer is beyond 32 bits")
            return value
        case str():
            # What prints holds none of them, and is the rule.
            if not value.isprintable() and FORBIDDEN.search(value):
                raise invalid(name, "it holds a control character or a noncharacter")
            return value
        case _:
            raise invalid(name, "it must be a string, a boolean or an integer")


def text(scalars: Mapping[str, Scalar], name: str) -> str:
    """Return a mandatory string that is not empty; `attribute_missing` else."""
    value = scalars.get(name)
    if isinstance(value, str) and value:
        return value
    if value is None:
        raise RequestError("attribute_missing", f"{name} is absent; every event has it", name=name)
    raise invalid(name, "it must be a string that is not empty")


def optional(scalars: Mapping[str, Scalar], name: str) -> str | None:
    """Return a string that is not empty, or None where the attribute is absent."""
    return text(scalars, name) if name in scalars else None


def sized(scalars: Mapping[str, Scalar], name: str, limit: int) -> str:
    """Return a mandatory string of at most `limit` bytes of UTF-8."""
    value = text(scalars, name)
    # A character has four bytes at most.
    if len(value) * 4 > limit and len(value.encode("utf-8")) > limit:
        raise invalid(name, f"it is over {limit} bytes")
    return value


def actor(scalars: Mapping[str, Scalar], name: str) -> str:
    """Return authtype or authid; `actor_missing` where it is absent or empty."""
    if scalars.get(name, "") == "":
        raise RequestError(
            "actor_missing",
            f"{name} is absent: say who did it, by authtype and authid",
            name=name,
        )
    return sized(scalars, name, AUTHID_BYTES_MAX)


def read_seq(scalars: Mapping[str, Scalar]) -> int | None:
    """Return the event's number, which needs a producer and a boot; None where it is absent."""
    if "seq" not in scalars:
        return None
    seq = scalars["seq"]
    if isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq <= SEQ_MAX:
        raise invalid("seq", f"it must be an integer in 0..{SEQ_MAX}")
    if "producer" not in scalars or "boot" not in scalars:
        raise invalid("seq", "it counts within producer and boot; give both")
    return seq


def is_base64(encoded: str) -> bool:
    """Say whether `encoded` is base64 (RFC 4648 section 4), padded, without white space."""
    try:
        base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def invalid(name: str, why: str) -> RequestError:
    """Return the refusal of an attribute for one reason."""
    return RequestError("attribute_invalid", f"the attribute {name}: {why}", name=name)


@functools.lru_cache(maxsize=1_024)
def is_uri(reference: str, *, absolute: bool = False) -> bool:
    """Say whether `reference` is a URI-reference; with `absolute` whether it has a scheme too."""
    if not _URI_REFERENCE.fullmatch(reference):
        return False
    return not absolute or ":" in reference.split("/", maxsplit=1)[0]
