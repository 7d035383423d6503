"""An event: a CloudEvents 1.0 object that says who, and how it is read from what was posted.

Beyond CloudEvents, `time`, `authtype` and `authid` are mandatory, and what only the server may
say (`recordedtime`, `recordedby`, `via`) is refused.  Bad input gets one named error and records
nothing; unknown types, attributes and data members are kept as they are.

Source: CloudEvents 1.0.2 sections 3 (attributes) and its JSON event format; docs/events.md.
"""

import enum
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from counterfoil.clock import parse_time
from counterfoil.errors import RequestError
from counterfoil.events import attributes, canonical
from counterfoil.events.attributes import KEY_BYTES_MAX, Attributes, Scalar, invalid
from counterfoil.events.canonical import JSON
from counterfoil.events.naming import NO_NAMES, BlobName, read_names
from counterfoil.events.refs import Named

EVENT_BYTES_MAX = 65_536
BATCH_EVENTS_MAX = 1_000

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


# What a source of ours adds where its sender states no time and the time of receipt stands in.
TIME_UNCLAIMED: Final[Mapping[str, str]] = MappingProxyType({"timeclaim": "none"})


class Absent(enum.Enum):
    """The type of `ABSENT`: no data at all, which is not the same as `null`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


class Event(msgspec.Struct, frozen=True, kw_only=True):
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
        refs: those `data.refs` names, in order; none if `data` is no object.
        blobs: those `data.blobs` names, in order; none if `data` is no object.
        personal: the JSON Pointers into `data` that `data.personal` lists.
        canonical: the RFC 8785 form of the whole.
    """

    id: str
    source: str
    type: str
    time: str
    authtype: str
    authid: str
    subject: str | None
    producer: str | None
    boot: str | None
    seq: int | None
    data: JSON | Absent
    extra: Mapping[str, Scalar]
    refs: tuple[Named, ...]
    blobs: tuple[BlobName, ...]
    personal: tuple[str, ...]
    canonical: bytes

    @property
    def size_bytes(self) -> int:
        """The length of the canonical form."""
        return len(self.canonical)

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
            return [_parse(*canonical.read_for_writing(body))]
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
    time_claimed: bool = True,
    **extra: Scalar,
) -> Event:
    """Build an event and check it as if it had been posted.

    Args:
        refs: (ref, role) pairs; put behind those `data["refs"]` has, each once.
        blobs: put behind those `data["blobs"]` has, each once.
        data: any JSON; None stands for no data of its own.  It is not changed.
        time_claimed: False where `time` is that of receipt, for want of one of the sender's.

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
        **({} if time_claimed else TIME_UNCLAIMED),
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
            merged.get("refs", []), [{"ref": one.ref, "role": one.role} for one in refs]
        )
    if blobs:
        merged["blobs"] = _extended(
            merged.get("blobs", []),
            [{"digest": one.digest, "name": one.name, "mediatype": one.mediatype} for one in blobs],
        )
    return merged


def _extended(present: JSON, more: Sequence[dict[str, JSON]]) -> JSON:
    if not isinstance(present, list):
        return present  # refused by name when the event is read
    items: list[JSON] = list(present)
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
        items, write = canonical.read_for_writing(
            body, "the batch", depth_max=canonical.DEPTH_MAX + 1
        )
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
            event = _parse(item, write)
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
            events.append(_parse(*canonical.read_for_writing(line, "the line")))
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


def _parse(value: JSON, write: Callable[[JSON], bytes] = canonical.write) -> Event:
    """Read one event; `write` makes its canonical form."""
    if not isinstance(value, dict):
        raise RequestError("attribute_invalid", "an event is a JSON object")
    given, known = value, attributes.read_usual(value)
    extra: dict[str, Scalar] = {}
    if known is None:
        given = {name: one for name, one in value.items() if one is not None or name == "data"}
        known, extra = _read_attributes(given)
    _check_values(known.source, known.authtype, known.time, extra)
    data = given.get("data", ABSENT)
    named = read_names(data) if isinstance(data, dict) else NO_NAMES
    return Event(
        id=known.id, source=known.source, type=known.type, time=known.time,
        authtype=known.authtype, authid=known.authid, subject=known.subject,
        producer=known.producer, boot=known.boot, seq=known.seq, data=data, extra=extra,
        refs=named.refs, blobs=named.blobs, personal=named.personal, canonical=write(given),
    )  # fmt: skip


def _read_attributes(given: Mapping[str, JSON]) -> tuple[Attributes, dict[str, Scalar]]:
    """Read the attributes by the rules one by one: the slow path, and its oracle."""
    for name in SERVER_ATTRIBUTES:
        if name in given:
            raise RequestError(
                "server_attribute", f"{name} is for the server to say; leave it out", name=name
            )
    scalars = attributes.read_scalars(given)
    if attributes.text(scalars, "specversion") != "1.0":
        raise invalid("specversion", 'it must be "1.0"')
    _check_encoded(given, scalars)
    known = Attributes(
        specversion="1.0",
        id=attributes.sized(scalars, "id", KEY_BYTES_MAX),
        source=attributes.sized(scalars, "source", KEY_BYTES_MAX),
        type=attributes.text(scalars, "type"),
        time=attributes.text(scalars, "time"),
        authtype=attributes.actor(scalars, "authtype"),
        authid=attributes.actor(scalars, "authid"),
        subject=attributes.optional(scalars, "subject"),
        producer=attributes.optional(scalars, "producer"),
        boot=attributes.optional(scalars, "boot"),
        seq=attributes.read_seq(scalars),
    )
    return known, {name: one for name, one in scalars.items() if name not in attributes.USUAL}


_known_time = functools.lru_cache(maxsize=1_024)(parse_time)


def _check_encoded(given: Mapping[str, JSON], scalars: Mapping[str, Scalar]) -> None:
    encoded = scalars.get("data_base64")
    if encoded is not None:
        if "data" in given:
            raise invalid("data_base64", "an event has data or data_base64, not both")
        if not isinstance(encoded, str) or not attributes.is_base64(encoded):
            raise invalid("data_base64", "it is not base64 (RFC 4648 section 4)")


def _check_values(source: str, authtype: str, time: str, extra: Mapping[str, Scalar]) -> None:
    if not attributes.is_uri(source):
        raise invalid("source", "it is no URI-reference (RFC 3986)")
    if authtype not in AUTHTYPES:
        raise invalid("authtype", f"it must be one of {', '.join(AUTHTYPES)}")
    try:
        _known_time(time)
    except ValueError as error:
        raise invalid("time", "it is no RFC 3339 date-time") from error
    schema = extra.get("dataschema")
    if schema is not None and not (
        isinstance(schema, str) and attributes.is_uri(schema, absolute=True)
    ):
        raise invalid("dataschema", "it is no URI (RFC 3986)")
    kind = extra.get("datacontenttype")
    if kind is not None and not (isinstance(kind, str) and "/" in kind):
        raise invalid("datacontenttype", "it is no media type")
