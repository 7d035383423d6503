"""JSON in strictly, RFC 8785 out: published vectors, refusals by name, and the two writers agree."""

import hashlib
import json
import math
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import RequestError
from counterfoil.events import canonical
from counterfoil.events.canonical import JSON

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "json-canonicalization" / "testdata"
NAMES = sorted(path.stem for path in (VECTORS / "input").iterdir())

_NUMBERS = st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda number: not 2**53 - 1 < abs(number) < 1e21
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | _NUMBERS
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
# Names around the place where UTF-16 and UTF-8 order differ: U+E000..U+FFFF and beyond the BMP.
_NAMES = st.text(
    st.sampled_from('aZ09_\x00\x1f\x7f"\\é\u20ac\ue000\uffff\U00010000\U0001f600'), max_size=4
)
VALUES: st.SearchStrategy[JSON] = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_NAMES, inner, max_size=5),
    max_leaves=25,
)


def refusal(data: bytes) -> str:
    with pytest.raises(RequestError) as caught:
        canonical.read(data)
    assert "\n" not in caught.value.message
    return caught.value.code


@pytest.mark.parametrize("name", NAMES)
def test_every_published_pair_canonicalizes(name: str) -> None:
    given_text = (VECTORS / "input" / f"{name}.json").read_bytes()
    wanted = (VECTORS / "output" / f"{name}.json").read_bytes()
    in_hex = bytes.fromhex((VECTORS / "outhex" / f"{name}.txt").read_text("ascii"))

    value = canonical.read(given_text)

    assert canonical.write(value) == wanted == in_hex
    assert canonical.write_carefully(value) == wanted
    assert canonical.write(canonical.read(wanted)) == wanted


def test_there_are_six_published_pairs() -> None:
    """A folder that lost its files would pass the test above."""
    assert NAMES == ["arrays", "french", "structures", "unicode", "values", "weird"]


def doubles(readme: str) -> Iterator[float]:
    """Yield the published sequence of doubles (README of the vectors, "ES6 Numbers")."""
    static = readme.split("staticU64s = new")[1].split("])", maxsplit=1)[0]
    for text in re.findall(r"0x([0-9a-f]{16})n", static):
        yield struct.unpack(">d", bytes.fromhex(text))[0]
    for offset in range(2000):
        yield struct.unpack(">d", struct.pack(">Q", 0x0010000000000000 + offset))[0]
    block = bytes(32)
    while True:
        block = hashlib.sha256(block).digest()
        for number in struct.unpack("<4d", block):
            if number != 0 and math.isfinite(number):
                yield number


def test_the_first_100000_published_numbers_are_written_as_ecmascript_does() -> None:
    readme = (VECTORS / "README.md").read_text("utf-8")
    wanted = re.findall(r"^\| ([0-9a-f]{64}) \| (\d+) +\|", readme, re.MULTILINE)
    hashes = {int(count): digest for digest, count in wanted}
    made, found = hashlib.sha256(), {}

    for count, number in enumerate(doubles(readme), 1):
        bits = struct.unpack(">Q", struct.pack(">d", number))[0]
        made.update(f"{bits:x},{canonical.write_number(number)}\n".encode())
        if count in hashes:
            found[count] = made.hexdigest()
        if count == 100_000:
            break

    assert found == {count: hashes[count] for count in (1_000, 10_000, 100_000)}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", "json_broken", id="nothing at all"),
        pytest.param(b"{", "json_broken", id="an object that does not end"),
        pytest.param(b'{"a": 1} x', "json_broken", id="words behind the value"),
        pytest.param(b"[01]", "json_broken", id="a leading zero"),
        pytest.param(b"[1,]", "json_broken", id="a comma too many"),
        pytest.param(b"{'a': 1}", "json_broken", id="single quotes"),
        pytest.param(b'["\x01"]', "json_broken", id="a raw control character in a string"),
        pytest.param(b'["\\x41"]', "json_broken", id="an escape JSON does not have"),
        pytest.param(b"\xef\xbb\xbf{}", "json_broken", id="a byte order mark"),
        pytest.param('"\u00e4"'.encode("latin-1"), "json_broken", id="Latin-1"),
        pytest.param('{"a":1}'.encode("utf-16"), "json_broken", id="UTF-16"),
        pytest.param(b'"\xed\xa0\x80"', "json_broken", id="a surrogate in UTF-8 bytes"),
        pytest.param(b'{"a":1,"a":1}', "json_duplicate_member", id="the same member twice"),
        pytest.param(b'{"a":1,"\\u0061":2}', "json_duplicate_member", id="the same by an escape"),
        pytest.param(
            b'[{"x":[{"b":1,"c":2,"b":3}]}]', "json_duplicate_member", id="twice, deep inside"
        ),
        pytest.param(b"[NaN]", "json_number", id="NaN"),
        pytest.param(b"[-Infinity]", "json_number", id="minus infinity"),
        pytest.param(b"[1e400]", "json_number", id="a number that overflows"),
        pytest.param(b"[9007199254740992]", "json_number", id="2^53"),
        pytest.param(b"[-9007199254740992]", "json_number", id="-2^53"),
        pytest.param(b"[" + b"9" * 5000 + b"]", "json_number", id="5000 digits"),
        pytest.param(b"[1e17]", "json_number", id="an integer beyond 2^53-1 in float notation"),
        pytest.param(b"[9007199254740992.0]", "json_number", id="2^53 with a point"),
        pytest.param(b'["\\ud800"]', "json_surrogate", id="a lone high surrogate"),
        pytest.param(b'["\\uDC00x"]', "json_surrogate", id="a lone low surrogate"),
        pytest.param(b'{"\\ud83d": 1}', "json_surrogate", id="a lone surrogate in a name"),
        pytest.param(b'["\\ude00\\ud83d"]', "json_surrogate", id="a pair in the wrong order"),
        pytest.param(b"[" * 65 + b"]" * 65, "json_depth", id="65 arrays"),
        pytest.param(b'{"a":' * 65 + b"1" + b"}" * 65, "json_depth", id="65 objects"),
        pytest.param(b"[" * 200_000, "json_depth", id="200,000 arrays"),
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(data: bytes, code: str) -> None:
    assert refusal(data) == code


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(b"9007199254740991", 2**53 - 1, id="2^53-1"),
        pytest.param(b"1e30", 1e30, id="a number too large to look like an integer"),
        pytest.param(b"-0", 0, id="minus zero"),
        pytest.param(b'"\\ud83d\\ude00"', "\U0001f600", id="a surrogate pair"),
        pytest.param(b'"\\\\ud800"', "\\ud800", id="a backslash before the letters ud800"),
        pytest.param(b" \t\r\n1 \t\r\n", 1, id="white space around"),
        pytest.param('"\u202e\\u0000\x7f"'.encode(), "\u202e\x00\x7f", id="control characters"),
        pytest.param(b'"{[{["', "{[{[", id="brackets in a string"),
        pytest.param(b"[" * 63 + b"[]" + b"]" * 63, None, id="64 arrays"),
    ],
)
def test_what_is_unusual_but_clear_is_read(data: bytes, value: JSON) -> None:
    read = canonical.read(data)

    assert read == value or value is None
    assert canonical.read(canonical.write(read)) == read


def test_a_deeper_limit_can_be_given_and_is_exact() -> None:
    """A batch has one level more than an event; brackets in strings do not count."""
    many = b'["' + b"[" * 100 + b'", []]'

    assert canonical.read(many, depth_max=2) == ["[" * 100, []]
    with pytest.raises(RequestError, match="deeper than 1"):
        canonical.read(many, depth_max=1)


@settings(derandomize=True, max_examples=250, deadline=None)
@given(VALUES)
def test_reading_gives_back_what_was_written(value: JSON) -> None:
    data = canonical.write(value)

    assert canonical.read(data) == value
    assert canonical.write(canonical.read(data)) == data


@settings(derandomize=True, max_examples=300, deadline=None)
@given(VALUES)
def test_the_short_way_writes_what_the_careful_way_does(value: JSON) -> None:
    """`write` takes msgspec's text where it may; the rules one by one are the oracle."""
    assert canonical.write(value) == canonical.write_carefully(value)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(VALUES, st.booleans())
def test_what_was_written_is_read_the_same_sooner(value: JSON, spaced: bool) -> None:
    data = json.dumps(value, ensure_ascii=False).encode() if spaced else canonical.write(value)

    found = canonical.read_written(data)

    assert canonical.write_carefully(found) == canonical.write_carefully(canonical.read(data))
    assert repr(found) == repr(canonical.read(data))


ODD = {
    "a member twice": b'{"a":1,"a":1}',
    "members out of order": b'{"b":1,"a":2}',
    "a fraction without need": b'{"a":1.0}',
    "an integer with an exponent": b'{"a":[1e2]}',
    "a large integer": b'{"a":9007199254740993}',
    "a large integer in an array": b"[1,-9007199254740993]",
    "a number beyond all": b'{"a":1e999}',
    "minus zero": b"[-0]",
    "minus zero with a point": b"[-0.0]",
    "a small number": b'{"a":1e-7}',
    "a lone surrogate": b'{"a":"\\ud800"}',
    "an escape that need not be": b'{"a":"\\u0041"}',
    "a slash escaped": b'{"a":"\\/"}',
    "white space": b'{"a": 1}',
    "a newline behind": b'{"a":1}\n',
    "NaN": b"[NaN]",
    "not UTF-8": b'{"a":"\xff"}',
    "far characters as names": '{"\U0001f600":1,"\ufb33":2}'.encode(),
    "far characters in the order of UTF-16": '{"\ufb33":2,"\U0001f600":1}'.encode(),
    "cut off": b'{"a":[1,2',
    "a scalar": b"1.50",
    "nothing": b"",
    "deep": b"[" * 70 + b"]" * 70,
    "very deep": b"[" * 9_000 + b"]" * 9_000,
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
def test_the_sooner_way_reads_and_refuses_what_the_plain_one_does(data: bytes) -> None:
    def outcome(read: Callable[[bytes], JSON]) -> tuple[str, str]:
        try:
            return "read", repr(read(data))
        except RequestError as error:
            return error.code, error.message

    assert outcome(canonical.read_written) == outcome(canonical.read)


_LAYOUTS = st.sampled_from([(",", ":"), (", ", ": "), (",\n ", " : ")])


@settings(derandomize=True, max_examples=300, deadline=None)
@given(VALUES, _LAYOUTS, st.booleans(), st.integers(0, 40), st.sampled_from(b'\\",:0e{}'))
def test_the_short_way_reads_what_the_careful_way_does(
    value: JSON, layout: tuple[str, str], ascii_only: bool, place: int, byte: int
) -> None:
    """`read` takes msgspec's value where it may: same value, same types, same refusals."""
    whole = json.dumps(value, separators=layout, ensure_ascii=ascii_only).encode()
    spoilt = bytearray(whole)
    spoilt[place % len(whole)] = byte

    for data in (whole, bytes(spoilt), msgspec.json.encode(value)):
        short, careful = _outcome(canonical.read, data), _outcome(canonical.read_carefully, data)
        # repr: 1 == 1.0 == True, and they are three values here.
        assert repr(short) == repr(careful)


def _outcome(read: Callable[[bytes], JSON], data: bytes) -> JSON:
    try:
        return read(data)
    except RequestError as refused:
        return f"{refused.code}: {refused.message}"


def test_durations_and_ratios_are_written_the_same_both_ways() -> None:
    """The short way leaves fractions of everyday size to msgspec: its digits must be ours."""
    seed, ends = hashlib.sha256(b"fractions").digest(), [1e-3, 0.1, 4.35, 999999999999999.9]
    numbers = [*ends, *(-number for number in ends)]
    for count in range(4_000):
        seed = hashlib.sha256(seed).digest()
        whole = int.from_bytes(seed[:8], "big") / 2**64
        numbers += [whole * 10 ** (count % 19 - 3), round(whole * 1000, count % 10)]

    for number in numbers:
        if abs(number) < 2**53:
            text = canonical.write([number]).decode()
            assert text == f"[{canonical.write_number(number)}]"
            assert float(text[1:-1]) == number


@settings(derandomize=True, max_examples=300, deadline=None)
@given(VALUES, st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
def test_members_stand_in_the_order_of_utf_16(value: JSON, name: str) -> None:
    data = canonical.write({name: value, "\ufb33": 1, "\U0001f600": 2, "b": 3})

    read = canonical.read(data)
    assert isinstance(read, dict)
    assert list(read) == sorted(read, key=lambda one: one.encode("utf-16-be"))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text('[]{}",:\\u0d8tfn 19-+.eE', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused_by_name(data: bytes) -> None:
    try:
        value = canonical.read(data)
    except RequestError as error:
        assert error.code.startswith("json_")  # noqa: PT017  either way is right
    else:
        assert canonical.read(canonical.write(value)) == value


@pytest.mark.parametrize(
    ("value", "code"),
    [
        pytest.param(float("nan"), "json_number", id="NaN"),
        pytest.param([float("inf")], "json_number", id="infinity in an array"),
        pytest.param({"a": 2**53}, "json_number", id="2^53"),
        pytest.param({"a": 2**70}, "json_number", id="2^70"),
        pytest.param([1e17], "json_number", id="a float that would look like an integer"),
        pytest.param({"a": "\ud800"}, "json_surrogate", id="a lone surrogate"),
        pytest.param({"\udfff": 1}, "json_surrogate", id="a lone surrogate in a name"),
    ],
)
def test_what_read_would_refuse_is_not_written(value: JSON, code: str) -> None:
    with pytest.raises(RequestError) as caught:
        canonical.write(value)

    assert caught.value.code == code


def test_nesting_beyond_the_limit_is_not_written() -> None:
    """Else a body could be stored that nobody reads back."""
    value: JSON = []
    for _ in range(63):
        value = [value]

    assert canonical.read(canonical.write(value)) == value
    for deeper in ([value], {"a": value, "b": 0.5}):
        with pytest.raises(RequestError) as caught:
            canonical.write(deeper)
        assert caught.value.code == "json_depth"


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b'[{"a":1,"a":2}, NaN , "\\ud800"]', [b'{"a":1,"a":2}', b"NaN", b'"\\ud800"']),
        (b' [1, {"b" 2}, 3]', [b"1", b'{"b" 2}, 3]']),
        (b"[]", []),
        (b"[1,]", [b"1"]),
        (b"{}", []),
        (b"[1", [b"1"]),
    ],
)
def test_elements_of_a_refused_array_are_told_apart(data: bytes, texts: list[bytes]) -> None:
    assert list(canonical.item_texts(data)) == texts
