"""Entry format 1: the bytes of one leaf.

An entry is the public, permanent half of an event: who by pseudonym, what by refs, when, how,
and commitments to everything else.  Its bytes are RFC 8785 JSON; `write_entry(read_entry(data))`
is `data`, so there is one entry for one meaning.

Source: docs/adr/0003-entry-format-1.md.
"""

import re

import msgspec

from counterfoil.errors import EvidenceError, RequestError
from counterfoil.events import canonical
from counterfoil.events.refs import Named

ENTRY_BYTES_MAX = 65_535
VIAS = frozenset({"webhook", "cli", "pytest", "api", "otlp", "web", "reconcile", "server"})
RETENTIONS = frozenset({"standard", "technical"})

FORMAT = 1
_LATER = (
    "an entry of format {}, of a later version of Counterfoil; this one reads format 1: use that"
)

# 32 bytes in base64: the last of 43 digits has two spare bits, which have to be zero.
_COMMITMENT = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")


class Entry(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What the log holds of one event.

    Attributes:
        v: the format, 1.
        id: the event's id, unique within its source.
        source: where it comes from, a URI-reference.
        type: what happened.
        subject: what it happened to; the pseudonym if that is an actor.
        time: when it happened, as the sender says; RFC 3339, kept as posted.
        recordedtime: when it was recorded; RFC 3339, UTC, milliseconds.
        recordedby: the credential it came under.
        via: how it came: one of `VIAS`.
        producer: the numbering producer, if it has one.
        boot: that producer's start.
        seq: its number within (producer, boot), 0..2147483647.
        refs: what the event names, with roles; actors by pseudonym.
        retention: "standard" or "technical"; `class` in the bytes.
        commit: name -> base64 of a 32-byte commitment; always holds `body` and `authid`.
    """

    # A default made by a function is never omitted: v and refs stand in every entry.
    v: int = msgspec.field(default_factory=lambda: 1)
    id: str
    source: str
    type: str
    subject: str | None = None
    time: str
    recordedtime: str
    recordedby: str
    via: str
    producer: str | None = None
    boot: str | None = None
    seq: int | None = None
    refs: tuple[Named, ...] = msgspec.field(default_factory=lambda: ())
    retention: str = msgspec.field(name="class")
    commit: dict[str, str]


class _Formatted(msgspec.Struct, frozen=True):
    """Bytes of any format, and what they say of it."""

    v: int


_FORMATTED = msgspec.json.Decoder(_Formatted)
_DECODER = msgspec.json.Decoder(Entry)


def write_entry(entry: Entry) -> bytes:
    """Return the bytes of `entry`, 65,535 at most; members that are None are absent.

    Raises:
        RequestError: `entry_too_large`: it names too many refs or commits to too many fields.
    """
    assert entry.via in VIAS, f"{entry.via} is no way an event comes in"
    assert entry.retention in RETENTIONS, f"{entry.retention} is no retention class"
    data = _write(entry)
    if len(data) > ENTRY_BYTES_MAX:
        raise RequestError(
            "entry_too_large",
            f"the public part of event {entry.id[:64]!a} has {len(data)} bytes, over "
            f"{ENTRY_BYTES_MAX}; name fewer refs or personal fields",
        )
    return data


def read_entry(data: bytes) -> Entry:
    """Read the bytes of an entry.

    Raises:
        EvidenceError: `entry_invalid`: not what `write_entry` writes, byte for byte.
    """
    try:
        entry = _DECODER.decode(data)
        rewritten = _write(entry)
    except (msgspec.MsgspecError, RequestError, ValueError, RecursionError) as error:
        if (later := _format_of(data)) > FORMAT:
            raise EvidenceError("entry_invalid", _LATER.format(later)) from error
        raise EvidenceError("entry_invalid", f"bytes that are no entry: {error}") from error
    if rewritten != data or len(data) > ENTRY_BYTES_MAX:
        raise EvidenceError("entry_invalid", "an entry that is not in its one canonical form")
    if entry.v > FORMAT:
        raise EvidenceError("entry_invalid", _LATER.format(entry.v))
    if wrong := _what_is_wrong(entry):
        raise EvidenceError("entry_invalid", f"an entry of format 1 cannot have {wrong}")
    return entry


def _format_of(data: bytes) -> int:
    """Return the format that bytes say they are of; 0 if they say none."""
    try:
        return _FORMATTED.decode(data).v
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return 0


def _write(entry: Entry) -> bytes:
    """Return the RFC 8785 form, as `canonical.write` writes it, but in one step."""
    data = msgspec.json.encode(entry, order="sorted")
    # Nothing in an entry is a float or nests; only names of personal values can hold characters
    # that RFC 8785 orders otherwise.
    return data if canonical.is_ordered(data) else canonical.write(msgspec.json.decode(data))


def _what_is_wrong(entry: Entry) -> str | None:
    if entry.v != 1:
        return f"v {entry.v}"
    if entry.via not in VIAS:
        return f"via {entry.via[:32]!a}"
    if entry.retention not in RETENTIONS:
        return f"class {entry.retention[:32]!a}"
    if entry.seq is not None and not 0 <= entry.seq < 2**31:
        return f"seq {entry.seq}"
    for name in ("body", "authid"):
        if name not in entry.commit:
            return f"no commitment to {name}"
    for name, value in entry.commit.items():
        if _COMMITMENT.fullmatch(value) is None:
            return f"a commitment to {name[:64]!a} that is not 32 bytes in base64"
    return None
