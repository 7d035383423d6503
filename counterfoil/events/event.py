"""An event: a CloudEvents 1.0 object that says who, and how it is read from what was posted.

Beyond CloudEvents, `time`, `authtype` and `authid` are mandatory, and what only the server may
say (`recordedtime`, `recordedby`, `via`) is refused.  Bad input gets one named error and records
nothing; unknown types, attributes and data members are kept as they are.

Source: CloudEvents 1.0.2 sections 3 (attributes) and its JSON event format; docs/events.md.
"""

import base64
import binascii
import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from counterfoil.clock import parse_time
from counterfoil.errors import RequestError
from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.events.refs import FORBIDDEN, Named, parse_ref, parse_role

EVENT_BYTES_MAX = 65_536
BATCH_EVENTS_MAX = 1_000
KEY_BYTES_MAX = 200
AUTHID_BYTES_MAX = 512
SEQ_MAX = 2**31 - 1

AUTHTYPES = (
    "app_user",
    "user",
    "service_account",
    "api_key",
    "system",
    "unauthenticated",
    "unknown",
)
SERVER_ATTRIBUTES = ("recordedtime", "recordedby", "via")

Scalar = str | int | bool


class Absent(enum.Enum):
    """The type of `ABSENT`: no data at all, which is not the same as `null`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

_NAME = re.compile(r"[a-z0-9]{1,20}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)+")
_CHAR = r"[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2}"
# RFC 3986 section 4.1: a scheme, or a first segment without a colon.
_URI_REFERENCE = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.\-]*:|(?![^/?#]*:))"
    rf"(?://(?:{_CHAR}|[\[\]])*(?=[/?#]|\Z))?(?:{_CHAR}|/)*"
    rf"(?:\?(?:{_CHAR}|[/?])*)?(?:#(?:{_CHAR}|[/?])*)?"
)
_OWN = frozenset(
    {"specversion", "id", "source", "type", "time", "authtype", "authid"}
    | {"subject", "producer", "boot", "seq", "data"}
)


@dataclass(frozen=True, slots=True)
class BlobName:
    """Evidence an event names: the digest of its bytes, and what to call it.

    Attributes:
        digest: "sha256:" and 64 lower-case hexadecimal digits, of the plain bytes.
        name: a file name for people.
        mediatype: such as "application/xml".
    """

    digest: str
    name: str
    mediatype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.  Made by `parse_event` and `make_event`, which check it.

    Attributes:
        id: unique within `source`, 1 to 200 bytes; both are the idempotency key.
        source: where it comes from, a URI-reference of 1 to 200 bytes.
        type: what happened.
        time: when it happened, RFC 3339 as posted.
        authtype: what kind of actor did it, one of `AUTHTYPES`.
        authid: the account that did it.
        subject: what it happened to, mostly a ref.
        producer: who numbers this event, within its `boot`.
        boot: the start of the producer this number belongs to.
        seq: the number, 0..2147483647.
        data: any JSON, or `ABSENT`.
        extra: every other attribute by name.
    """

    id: str
    source: str
    type: str
    time: str
    authtype: str
    authid: str
    subject: str | None = None
    producer: str | None = None
    boot: str | None = None
    seq: int | None = None
    data: JSON | Absent = ABSENT
    extra: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def refs(self) -> tuple[Named, ...]:
        """The refs `data.refs` names, in order; none if `data` is no object."""
        if not isinstance(self.data, dict):
            return ()
        return _read_refs(self.data)

    @property
    def blobs(self) -> tuple[BlobName, ...]:
        """The blobs `data.blobs` names, in order; none if `data` is no object."""
        if not isinstance(self.data, dict):
            return ()
        return _read_blobs(self.data)

    @property
    def personal(self) -> tuple[str, ...]:
        """The JSON Pointers into `data` that `data.personal` lists."""
        if not isinstance(self.data, dict):
            return ()
        return _read_personal(self.data)

    @property
    def size_bytes(self) -> int:
        """The length of the canonical form.  Cost: writes it."""
        return len(canonical.write(self.to_json()))

    def to_json(self) -> dict[str, JSON]:
        """Return the event as a CloudEvents JSON object."""
        members: dict[str, JSON] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": self.time,
            "authtype": self.authtype,
            "authid": self.authid,
            **self.extra,
        }
        if self.subject is not None:
            members["subject"] = self.subject
        if self.producer is not None:
            members["producer"] = self.producer
        if self.boot is not None:
            members["boot"] = self.boot
        if self.seq is not None:
            members["seq"] = self.seq
        if not isinstance(self.data, Absent):
            members["data"] = self.data
        return members


def parse_event(value: JSON) -> Event:
    """Read one event from a JSON value.

    An attribute that is `null` is absent, as the CloudEvents JSON format has it.

    Raises:
        RequestError: `attribute_missing`, `attribute_invalid`, `actor_missing`,
            `server_attribute`, `ref_invalid`, `blob_invalid`, `json_number`, `json_surrogate`,
            `json_depth`, or `event_too_large` if its canonical form is over 65,536 bytes.
    """
    event = _parse(value)
    _check_size(event.size_bytes)
    return event


def parse_posting(body: bytes, content_type: str) -> list[Event]:
    """Read what was posted: one event, a batch or one event a line.

    An event may have 65,536 bytes as posted; within a JSON array it is measured in its
    canonical form, because its own bytes have no clear ends there.

    Args:
        body: the bytes of the request.
        content_type: the header; parameters are ignored, but for a charset other than UTF-8.

    Raises:
        RequestError: any code of `canonical.read` and `parse_event`, `content_type`,
            `batch_empty` or `batch_too_large`.  In a batch it has the fact `position`: the
            0-based place of the event that is to blame, blank lines not counted.
    """
    mediatype, _, parameters = content_type.partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\";\s]+)", parameters, re.IGNORECASE)
    if charset is not None and charset[1].lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise RequestError("content_type", f"the charset {charset[1][:32]!a} is not UTF-8")
    match mediatype.strip().lower():
        case "application/cloudevents+json" | "application/json":
            _check_size(len(body))
            return [_parse(canonical.read(body))]
        case "application/cloudevents-batch+json":
            return _parse_batch(body)
        case "application/x-ndjson":
            return _parse_lines(body)
        case other:
            raise RequestError(
                "content_type",
                f"events are application/cloudevents+json, application/json, "
                f"application/cloudevents-batch+json or application/x-ndjson, not {other[:64]!a}",
            )


def make_event(  # noqa: D417  extra is described by its type
    *,
    type: str,  # noqa: A002  the name CloudEvents gives it
    source: str,
    id: str,  # noqa: A002  the name CloudEvents gives it
    time: str,
    authtype: str,
    authid: str,
    subject: str | None = None,
    refs: Iterable[Named | tuple[str, str]] = (),
    blobs: Iterable[BlobName] = (),
    data: JSON | Absent = None,
    producer: str | None = None,
    boot: str | None = None,
    seq: int | None = None,
    **extra: Scalar,
) -> Event:
    """Build an event and check it as if it had been posted.

    Args:
        refs: (ref, role) pairs; put behind those `data["refs"]` has, each once.
        blobs: put behind those `data["blobs"]` has, each once.
        data: any JSON; None stands for no data of its own.  It is not changed.

    Raises:
        RequestError: as `parse_event`.
    """
    members: dict[str, JSON] = {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": type,
        "time": time,
        "authtype": authtype,
        "authid": authid,
        **extra,
    }
    optional = {"subject": subject, "producer": producer, "boot": boot, "seq": seq}
    members.update({name: value for name, value in optional.items() if value is not None})
    named = [one if isinstance(one, Named) else Named(*one) for one in refs]
    body = _merge(data, named, list(blobs))
    if not isinstance(body, Absent):
        members["data"] = body
    return parse_event(members)


def _merge(data: JSON | Absent, refs: Sequence[Named], blobs: Sequence[BlobName]) -> JSON | Absent:
    if data is None:
        data = ABSENT
    if not refs and not blobs:
        return data
    assert isinstance(data, dict | Absent), "refs and blobs need data that is an object"
    merged: dict[str, JSON] = {} if isinstance(data, Absent) else dict(data)
    if refs:
        merged["refs"] = _extended(
            merged.get("refs"), [{"ref": one.ref, "role": one.role} for one in refs]
        )
    if blobs:
        merged["blobs"] = _extended(
            merged.get("blobs"),
            [{"digest": one.digest, "name": one.name, "mediatype": one.mediatype} for one in blobs],
        )
    return merged


def _extended(present: JSON, more: Sequence[dict[str, JSON]]) -> list[JSON]:
    items: list[JSON] = list(present) if isinstance(present, list) else []
    for item in more:
        if item not in items:
            items.append(item)
    return items


def _check_size(size_bytes: int) -> None:
    if size_bytes > EVENT_BYTES_MAX:
        raise RequestError(
            "event_too_large",
            f"an event has {size_bytes} bytes, over {EVENT_BYTES_MAX}; put evidence into blobs",
        )


def _parse_batch(body: bytes) -> list[Event]:
    try:
        # One level more than an event alone may have: the array around it.
        items = canonical.read(body, "the batch", depth_max=canonical.DEPTH_MAX + 1)
    except RequestError as error:
        position = _position_to_blame(body)
        if position is not None:
            error.facts["position"] = position
        raise
    if not isinstance(items, list):
        raise RequestError("attribute_invalid", "a batch is a JSON array of events")
    _check_count(len(items))
    events: list[Event] = []
    for position, item in enumerate(items):
        try:
            event = _parse(item)
            _check_size(event.size_bytes)
        except RequestError as error:
            error.facts["position"] = position
            raise
        events.append(event)
    return events


def _position_to_blame(body: bytes) -> int | None:
    for position, text in enumerate(canonical.item_texts(body)):
        try:
            canonical.read(text)
        except RequestError:
            return position
    return None


def _parse_lines(body: bytes) -> list[Event]:
    lines = [line for line in body.split(b"\n") if line.strip(b" \t\r")]
    _check_count(len(lines))
    events: list[Event] = []
    for position, line in enumerate(lines):
        try:
            _check_size(len(line.rstrip(b"\r")))
            events.append(_parse(canonical.read(line, "the line")))
        except RequestError as error:
            error.facts["position"] = position
            raise
    return events


def _check_count(count: int) -> None:
    if count == 0:
        raise RequestError("batch_empty", "the batch holds no event; send one at least")
    if count > BATCH_EVENTS_MAX:
        raise RequestError(
            "batch_too_large", f"{count} events in a request, over {BATCH_EVENTS_MAX}; send parts"
        )


def _parse(value: JSON) -> Event:
    if not isinstance(value, dict):
        raise RequestError("attribute_invalid", "an event is a JSON object")
    given = {name: one for name, one in value.items() if one is not None or name == "data"}
    for name in SERVER_ATTRIBUTES:
        if name in given:
            raise RequestError(
                "server_attribute", f"{name} is for the server to say; leave it out", name=name
            )
    scalars: dict[str, Scalar] = {
        name: _read_scalar(name, one) for name, one in given.items() if name != "data"
    }
    if _text(scalars, "specversion") != "1.0":
        raise _invalid("specversion", 'it must be "1.0"')
    _check_data(given, scalars)
    event = Event(
        id=_sized(scalars, "id", KEY_BYTES_MAX),
        source=_sized(scalars, "source", KEY_BYTES_MAX),
        type=_text(scalars, "type"),
        time=_text(scalars, "time"),
        authtype=_actor(scalars, "authtype"),
        authid=_actor(scalars, "authid"),
        subject=_optional(scalars, "subject"),
        producer=_optional(scalars, "producer"),
        boot=_optional(scalars, "boot"),
        seq=_read_seq(scalars),
        data=given.get("data", ABSENT),
        extra={name: one for name, one in scalars.items() if name not in _OWN},
    )
    _check_values(event)
    return event


def _read_scalar(name: str, value: JSON) -> Scalar:
    if not _NAME.fullmatch(name) and name != "data_base64":
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
                raise _invalid(name, "its integer is beyond 32 bits")
            return value
        case str():
            if FORBIDDEN.search(value):
                raise _invalid(name, "it holds a control character or a noncharacter")
            return value
        case _:
            raise _invalid(name, "it must be a string, a boolean or an integer")


def _text(scalars: Mapping[str, Scalar], name: str) -> str:
    if name not in scalars:
        raise RequestError("attribute_missing", f"{name} is absent; every event has it", name=name)
    value = scalars[name]
    if not isinstance(value, str) or not value:
        raise _invalid(name, "it must be a string that is not empty")
    return value


def _optional(scalars: Mapping[str, Scalar], name: str) -> str | None:
    return _text(scalars, name) if name in scalars else None


def _sized(scalars: Mapping[str, Scalar], name: str, limit: int) -> str:
    value = _text(scalars, name)
    if len(value.encode("utf-8")) > limit:
        raise _invalid(name, f"it is over {limit} bytes")
    return value


def _actor(scalars: Mapping[str, Scalar], name: str) -> str:
    if scalars.get(name, "") == "":
        raise RequestError(
            "actor_missing",
            f"{name} is absent: say who did it, by authtype and authid",
            name=name,
        )
    return _sized(scalars, name, AUTHID_BYTES_MAX)


def _read_seq(scalars: Mapping[str, Scalar]) -> int | None:
    if "seq" not in scalars:
        return None
    seq = scalars["seq"]
    if isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq <= SEQ_MAX:
        raise _invalid("seq", f"it must be an integer in 0..{SEQ_MAX}")
    if "producer" not in scalars or "boot" not in scalars:
        raise _invalid("seq", "it counts within producer and boot; give both")
    return seq


def _check_data(given: Mapping[str, JSON], scalars: Mapping[str, Scalar]) -> None:
    encoded = scalars.get("data_base64")
    if encoded is not None:
        if "data" in given:
            raise _invalid("data_base64", "an event has data or data_base64, not both")
        if not isinstance(encoded, str) or not _is_base64(encoded):
            raise _invalid("data_base64", "it is not base64 (RFC 4648 section 4)")


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _check_values(event: Event) -> None:
    if not _URI_REFERENCE.fullmatch(event.source):
        raise _invalid("source", "it is no URI-reference (RFC 3986)")
    if event.authtype not in AUTHTYPES:
        raise _invalid("authtype", f"it must be one of {', '.join(AUTHTYPES)}")
    try:
        parse_time(event.time)
    except ValueError as error:
        raise _invalid("time", "it is no RFC 3339 date-time") from error
    schema = event.extra.get("dataschema")
    if schema is not None and not (
        isinstance(schema, str) and _URI_REFERENCE.fullmatch(schema) and ":" in schema.split("/")[0]
    ):
        raise _invalid("dataschema", "it is no URI (RFC 3986)")
    kind = event.extra.get("datacontenttype")
    if kind is not None and not (isinstance(kind, str) and "/" in kind):
        raise _invalid("datacontenttype", "it is no media type")
    if isinstance(event.data, dict):
        _read_refs(event.data)
        _read_blobs(event.data)
        _read_personal(event.data)


def _read_refs(data: Mapping[str, JSON]) -> tuple[Named, ...]:
    items = data.get("refs", [])
    if not isinstance(items, list):
        raise RequestError("ref_invalid", 'data.refs is a list of {"ref": ..., "role": ...}')
    named: list[Named] = []
    for item in items:
        ref, role = _members(item, "ref", "role")
        if not isinstance(ref, str) or not isinstance(role, str):
            raise RequestError(
                "ref_invalid", f'data.refs[{len(named)}] is no {{"ref": ..., "role": ...}}'
            )
        parse_ref(ref)
        named.append(Named(ref, parse_role(role)))
    return tuple(named)


def _read_blobs(data: Mapping[str, JSON]) -> tuple[BlobName, ...]:
    items = data.get("blobs", [])
    if not isinstance(items, list):
        raise RequestError("blob_invalid", "data.blobs is a list of {digest, name, mediatype}")
    blobs: list[BlobName] = []
    for item in items:
        digest, name, mediatype = _members(item, "digest", "name", "mediatype")
        where = f"data.blobs[{len(blobs)}]"
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise RequestError(
                "blob_invalid", f"{where}: digest must be sha256: and 64 lower-case hex digits"
            )
        if not isinstance(name, str) or not isinstance(mediatype, str) or not mediatype:
            raise RequestError("blob_invalid", f"{where}: name and mediatype must be strings")
        blobs.append(BlobName(digest, name, mediatype))
    return tuple(blobs)


def _members(item: JSON, *names: str) -> list[JSON]:
    return [item.get(name) if isinstance(item, dict) else None for name in names]


def _read_personal(data: Mapping[str, JSON]) -> tuple[str, ...]:
    items = data.get("personal", [])
    if not isinstance(items, list):
        raise _invalid("data.personal", "it is a list of JSON Pointers into data")
    pointers: list[str] = []
    for item in items:
        if not isinstance(item, str) or not _POINTER.fullmatch(item):
            raise _invalid("data.personal", "an item is no JSON Pointer (RFC 6901) into data")
        if item.split("/")[1] in {"refs", "blobs", "personal"}:
            raise _invalid("data.personal", "it may not point into refs, blobs or itself")
        pointers.append(item)
    return tuple(pointers)


def _invalid(name: str, why: str) -> RequestError:
    return RequestError("attribute_invalid", f"the attribute {name}: {why}", name=name)
