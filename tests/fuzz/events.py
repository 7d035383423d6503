"""Decoders of events: JSON, what is posted, entries, names, refs, times, sealed pieces."""

import base64

from counterfoil import clock
from counterfoil.errors import CounterfoilError
from counterfoil.events import (
    attributes,
    canonical,
    codec,
    commitments,
    entry,
    erasing,
    event,
    naming,
    refs,
    sealing,
)
from counterfoil.events.canonical import JSON
from tests.fuzz.decoder import Decoder
from tests.fuzz.samples import VECTORS, as_bytes, as_text, golden, read_all

_EVENTS = tuple(as_bytes(one["event"]) for one in golden()[::4])
_ENTRIES = tuple(str(one["entry"]).encode() for one in golden()[::4])
_JSON = read_all(VECTORS / "json-canonicalization", "*.json")
_KEY = bytes(range(32))
_CONTENT_TYPES = (
    "application/json",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/x-ndjson",
)


def _json(data: bytes) -> None:
    value = canonical.read(data)
    written = canonical.write(value)
    assert canonical.read(written) == value
    assert canonical.write(canonical.read(written)) == written
    assert canonical.read_carefully(data) == value
    both, text = canonical.read_for_writing(data)
    assert both == value
    assert text(value) == written


def _json_written(data: bytes) -> None:
    canonical.read_written(data)


def _posting(data: bytes) -> None:
    kind, body = data[:1], data[1:]
    for one in event.parse_posting(body, _CONTENT_TYPES[kind[0] % 4 if kind else 0]):
        assert event.parse_event(one.to_json()) == one


def _entry(data: bytes) -> None:
    found = entry.read_entry(data)
    assert entry.write_entry(found) == data


def _erasing(data: bytes) -> None:
    found = erasing.read_erasing(1_000, entry.read_entry(_ENTRIES[0]), data)
    assert all(0 <= first <= last < 1_000 for part in found.parts for first, last in part.ranges)
    whole = canonical.read(data)
    given = whole.get("data") if isinstance(whole, dict) else None
    assert erasing.read_data(given if isinstance(given, dict) else {}) == (
        found.parts,
        found.subject,
    )
    erasing.Erasures([found]).find(5, "body", entry.read_entry(_ENTRIES[0]))


def _compared(data: bytes) -> None:
    shown, _, rest = data.partition(b"\n")
    fixed, _, opened = rest.partition(b"\n")
    opening = canonical.read(opened)
    keys = {
        name: _opening(key) for name, key in (opening.items() if isinstance(opening, dict) else ())
    }
    codec.check_event(entry.read_entry(fixed), canonical.read(shown), keys)


def _opening(value: JSON) -> bytes:
    """Return the 32 bytes of an opening, others where none is written."""
    try:
        key = base64.b64decode(value if isinstance(value, str) else "", validate=True)
    except ValueError:
        key = b""
    return key if len(key) == 32 else _KEY


def _names(data: bytes) -> None:
    value = canonical.read(data)
    if isinstance(value, dict):
        naming.read_names(value)


def _attributes(data: bytes) -> None:
    value = canonical.read(data)
    if isinstance(value, dict):
        _scalars(value)


def _scalars(value: dict[str, JSON]) -> None:
    attributes.read_usual(value)
    scalars = attributes.read_scalars(value)
    for name, one in scalars.items():
        assert attributes.read_scalar(name, one) == one
    attributes.read_seq(scalars)


def _ref(data: bytes) -> None:
    found = refs.parse_ref(as_text(data))
    assert f"{found.kind}:{found.id}" == as_text(data)


def _role(data: bytes) -> None:
    refs.parse_role(as_text(data))


def _time(data: bytes) -> None:
    moment = clock.parse_time(as_text(data))
    written = clock.format_time(moment)
    assert clock.format_time(clock.parse_time(written)) == written


def _moment(data: bytes) -> None:
    clock.read_moment(as_text(data))


def _unsealed(data: bytes) -> None:
    cut = data[0] + 1 if data else 1
    stored = data[1:]
    plain = b"".join(
        sealing.unseal(_KEY, [stored[at : at + cut] for at in range(0, len(stored), cut)])
    )
    assert sealing.plain_size(len(stored), stored) == len(plain)


def _piece(data: bytes) -> None:
    plain = commitments.unseal(_KEY, data, "body")
    assert commitments.seal(_KEY, plain) == data


def _sealed(content: bytes) -> bytes:
    seal = sealing.Sealer(_KEY)
    return b"\x40" + seal.add(content) + seal.finish()


_COMPARED = tuple(
    as_bytes(one["event"]) + b"\n" + str(one["entry"]).encode() + b"\n" + as_bytes(one["opening"])
    for one in golden()[::9]
)
_REFS = tuple(
    ref.encode()
    for ref in (
        "commit:acme/shop@9fceb02", "run:acme/shop/1874", "test:acme/shop::a::b[1]", "actor:x",
        "artifact:sha256:" + "0" * 64, "release:shop@1.4.2", "env:production", "file:sha256:" + "a" * 64,
    )
)  # fmt: skip

DECODERS = (
    Decoder(
        name="JSON",
        read=_json,
        of=(canonical.read, canonical.read_for_writing, canonical.read_carefully),
        seeds=(*_JSON, *_EVENTS),
    ),
    Decoder(
        name="JSON that was written here",
        read=_json_written,
        of=(canonical.read_written,),
        seeds=tuple(str(one["body"]).encode() for one in golden()[::5]),
    ),
    Decoder(
        name="posted events",
        read=_posting,
        of=(event.parse_posting, event.parse_event),
        seeds=(
            *(b"\0" + one for one in _EVENTS),
            b"\2[" + b",".join(_EVENTS[:3]) + b"]",
            b"\3" + b"\n".join(_EVENTS[:3]),
        ),
    ),
    Decoder(name="entries", read=_entry, of=(entry.read_entry,), seeds=_ENTRIES),
    Decoder(
        name="what erases",
        read=_erasing,
        of=(erasing.read_erasing, erasing.read_data),
        seeds=(
            b'{"data":{"parts":[{"names":["body"],"ranges":[[3,7],[9,9]]}],"request_id":"R-1"}}',
            b'{"data":{"parts":[],"rule":"twelve months","subject":"actor:k3vq7m2p9d4t8w6z"}}',
        ),
    ),
    Decoder(name="a shown event", read=_compared, of=(codec.check_event,), seeds=_COMPARED),
    Decoder(
        name="names in data",
        read=_names,
        of=(naming.read_names,),
        seeds=tuple(as_bytes(dict(one["event"])["data"]) for one in golden()[::9]),  # type: ignore[call-overload]  # JSON of the vector
    ),
    Decoder(
        name="attributes",
        read=_attributes,
        of=(
            attributes.read_usual, attributes.read_scalars, attributes.read_scalar,
            attributes.read_seq,
        ),
        seeds=_EVENTS,
    ),
    Decoder(name="refs", read=_ref, of=(refs.parse_ref,), seeds=_REFS),
    Decoder(name="roles", read=_role, of=(refs.parse_role,), seeds=(b"input", b"approves")),
    Decoder(
        name="times",
        read=_time,
        of=(clock.parse_time,),
        seeds=(b"2026-11-20T12:31:07.188Z", b"0001-01-02T00:00:00+14:00", b"9999-12-31T23:59:60Z"),
        errors=(ValueError,),
    ),
    Decoder(
        name="moments",
        read=_moment,
        of=(clock.read_moment,),
        seeds=(b"4,711", b"2026-11-20 13:36", b"2026-11-20", b"2026-11-20T12:31:07Z"),
        errors=(ValueError,),
    ),
    Decoder(
        name="sealed values",
        read=_piece,
        of=(commitments.unseal,),
        seeds=(commitments.seal(_KEY, b"a value"),),
    ),
    Decoder(
        name="sealed blobs",
        read=_unsealed,
        of=(sealing.unseal, sealing.plain_size),
        seeds=(_sealed(b""), _sealed(b"evidence"), b"\5" + bytes(16)),
        errors=(CounterfoilError,),
    ),
)  # fmt: skip
