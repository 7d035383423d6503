"""Entry format 1: one form of bytes for one meaning, and nothing else is read."""

import base64
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError, RequestError
from counterfoil.events import canonical
from counterfoil.events.entry import ENTRY_BYTES_MAX, VIAS, Entry, read_entry, write_entry
from counterfoil.events.refs import Named

COMMITMENT = base64.b64encode(b"c" * 32).decode()
ENTRY = Entry(
    id="42",
    source="https://ci.example/acme/shop",
    type="com.example.step.finished",
    subject="run:acme/shop/1874",
    time="2026-11-20T12:00:00Z",
    recordedtime="2026-11-20T12:00:01.188Z",
    recordedby="tok-7",
    via="api",
    producer="ci-7",
    boot="b1",
    seq=1042,
    refs=(Named("commit:acme/shop@9fceb02", "input"), Named("actor:0123456789abcdef", "actor")),
    retention="standard",
    commit={"body": COMMITMENT, "authid": COMMITMENT},
)
BYTES = (
    '{"boot":"b1","class":"standard","commit":{"authid":"CCC","body":"CCC"},"id":"42",'
    '"producer":"ci-7","recordedby":"tok-7","recordedtime":"2026-11-20T12:00:01.188Z",'
    '"refs":[{"ref":"commit:acme/shop@9fceb02","role":"input"},'
    '{"ref":"actor:0123456789abcdef","role":"actor"}],"seq":1042,'
    '"source":"https://ci.example/acme/shop","subject":"run:acme/shop/1874",'
    '"time":"2026-11-20T12:00:00Z","type":"com.example.step.finished","v":1,"via":"api"}'
).replace("CCC", COMMITMENT)


def test_an_entry_is_these_bytes() -> None:
    assert write_entry(ENTRY).decode() == BYTES
    assert read_entry(BYTES.encode()) == ENTRY


def test_an_entry_without_refs_says_so() -> None:
    data = write_entry(msgspec.structs.replace(ENTRY, refs=()))

    assert json.loads(data)["refs"] == []
    assert json.loads(data)["v"] == 1
    assert read_entry(data).refs == ()


def test_what_an_event_does_not_have_is_absent() -> None:
    entry = msgspec.structs.replace(ENTRY, subject=None, producer=None, boot=None, seq=None)

    data = write_entry(entry)

    assert not {"subject", "producer", "boot", "seq"} & json.loads(data).keys()
    assert read_entry(data) == entry


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.builds(
        Entry,
        id=st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
        source=st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
        type=st.just("t\U0001f600"),
        subject=st.none() | st.just("run:1"),
        time=st.just("2026-11-20T12:00:00Z"),
        recordedtime=st.just("2026-11-20T12:00:00.000Z"),
        recordedby=st.just("tok"),
        via=st.sampled_from(sorted(VIAS)),
        producer=st.none() | st.just("p"),
        boot=st.none() | st.just("b"),
        seq=st.none() | st.integers(0, 2**31 - 1),
        refs=st.lists(st.builds(Named, st.just("env:qa"), st.text("ab")), max_size=3).map(tuple),
        retention=st.sampled_from(["standard", "technical"]),
        commit=st.dictionaries(
            st.sampled_from(["subject", "/data/\ue000", "/data/\U00010000", "blob/0"])
            | st.text(st.characters(exclude_categories=["Cs"]), max_size=3).map("/data/".__add__),
            st.binary(min_size=32, max_size=32).map(lambda raw: base64.b64encode(raw).decode()),
        ).map(lambda more: {"body": COMMITMENT, "authid": COMMITMENT, **more}),
        v=st.just(1),
    )
)
def test_every_entry_is_written_by_the_rules_of_rfc_8785_and_reads_back(entry: Entry) -> None:
    members = {**json.loads(msgspec.json.encode(entry)), "v": 1}
    members["refs"] = [{"ref": one.ref, "role": one.role} for one in entry.refs]
    data = write_entry(entry)

    assert data == canonical.write_carefully(members)
    assert read_entry(data) == entry


def changed(**changes: Any) -> Callable[[], bytes]:
    members = {**json.loads(BYTES), **changes}
    kept = {name: one for name, one in sorted(members.items()) if one is not ...}
    return lambda: json.dumps(kept, separators=(",", ":"), sort_keys=True).encode()


REFUSED = [
    ("nothing", lambda: b""),
    ("no JSON", lambda: b"{"),
    ("an array", lambda: b"[]"),
    ("a space", lambda: BYTES.replace(":1042", ": 1042").encode()),
    ("a line feed behind it", lambda: BYTES.encode() + b"\n"),
    ("another order of members", lambda: BYTES.replace("{", '{"v":1,', 1).replace(',"v":1,"via"', ',"via"').encode()),
    ("a member twice", lambda: BYTES.replace('"v":1', '"v":1,"v":1').encode()),
    ("an escape that is not needed", lambda: BYTES.replace("42", "\\u0034\u0032").encode()),
    ("a number in another notation", lambda: BYTES.replace("1042", "1042.0").encode()),
    ("a null member", changed(subject=None)),
    ("an unknown member", changed(extra=1)),
    ("format 2", changed(v=2)),
    ("no format", changed(v=...)),
    ("no id", changed(id=...)),
    ("an id that is a number", changed(id=42)),
    ("no class", changed(**{"class": ...})),
    ("an unknown class", changed(**{"class": "secret"})),
    ("an unknown way in", changed(via="mail")),
    ("a negative seq", changed(seq=-1)),
    ("a seq of 2^31", changed(seq=2**31)),
    ("a true seq", changed(seq=True)),
    ("refs that are an object", changed(refs={})),
    ("a ref with more members", changed(refs=[{"ref": "env:qa", "role": "about", "x": 1}])),
    ("no commitments", changed(commit={})),
    ("no commitment to the body", changed(commit={"authid": COMMITMENT})),
    ("no commitment to the actor", changed(commit={"body": COMMITMENT})),
    ("a commitment of 31 bytes", changed(commit={"authid": COMMITMENT, "body": "Y2Nj" * 10 + "Yw=="})),
    ("a commitment with spare bits set", changed(commit={"authid": COMMITMENT, "body": COMMITMENT[:-2] + "N="})),
    ("a commitment that is no base64", changed(commit={"authid": COMMITMENT, "body": "*" * 44})),
    ("more than 65,535 bytes", changed(type="t" * 65_535)),
]  # fmt: skip


@pytest.mark.parametrize("data", [one[1] for one in REFUSED], ids=[one[0] for one in REFUSED])
def test_bytes_are_no_entry_with(data: Callable[[], bytes]) -> None:
    with pytest.raises(EvidenceError) as caught:
        read_entry(data())

    assert caught.value.code == "entry_invalid"


def test_a_changed_copy_without_changes_is_read() -> None:
    """The refusals above come from their changes, not from how the copies are made."""
    assert read_entry(changed()()) == ENTRY


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.data())
def test_every_changed_byte_gives_another_entry_or_none(data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(BYTES) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda one: one != BYTES.encode()[position]))
    flipped = bytearray(BYTES.encode())
    flipped[position] = value

    try:
        entry = read_entry(bytes(flipped))
    except EvidenceError as error:
        assert error.code == "entry_invalid"  # noqa: PT017  either way is right
    else:
        assert entry != ENTRY


def test_an_entry_has_65535_bytes_at_most() -> None:
    """The bundle format gives an entry two bytes of length."""
    room = ENTRY_BYTES_MAX - len(write_entry(msgspec.structs.replace(ENTRY, recordedby="")))
    largest = msgspec.structs.replace(ENTRY, recordedby="r" * room)

    assert len(write_entry(largest)) == ENTRY_BYTES_MAX
    with pytest.raises(RequestError) as caught:
        write_entry(msgspec.structs.replace(ENTRY, recordedby="r" * (room + 1)))
    assert caught.value.code == "entry_too_large"
