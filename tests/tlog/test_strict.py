"""What Python's own readers let through and evidence must not."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.tlog import strict


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing"),
        ("+1", "a sign, which int() takes"),
        ("-1", "a negative number"),
        ("1_0", "an underscore, which int() takes"),
        (" 1", "a space before, which int() takes"),
        ("1\n", "a newline behind, which int() takes"),
        ("01", "a leading zero"),
        ("00", "zero twice"),
        ("0x1", "another base"),
        ("1e3", "an exponent"),
        ("1.0", "a fraction"),
        ("١٢", "Arabic digits, which int() takes"),
        ("²", "a superscript, which isdigit() takes"),
        (str(2**63), "one over the largest size"),
        ("9" * 5000, "more digits than int() converts"),
    ],
    ids=lambda value: value if " " in value or value == "nothing" else "",
)
def test_a_decimal_has_one_spelling(text: str, why: str) -> None:
    with pytest.raises(EvidenceError) as refusal:
        strict.read_decimal(text, "proof", "the size")
    assert refusal.value.code == "proof", why
    assert "the size" in refusal.value.message
    assert len(refusal.value.message) < 200


@settings(derandomize=True, deadline=None)
@given(st.integers(0, strict.MAX_SIZE))
def test_every_size_is_read_as_it_is_written(size: int) -> None:
    assert strict.read_decimal(str(size), "proof", "the size") == size


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("QQ", "no padding"),
        ("QQ=", "half the padding"),
        ("QR==", "bits under the padding, which b64decode drops"),
        ("QUJ=", "bits under a single pad"),
        ("QQ==\n", "a newline behind"),
        ("Q Q==", "a space, which b64decode drops"),
        ("Q!Q==", "a foreign character, which b64decode drops"),
        ("-_==", "the URL alphabet"),
        ("QQ==QQ==", "padding in the middle"),
        ("QQ===", "too much padding"),
        ("====", "padding alone"),
        ("ＱＱ==", "full-width letters"),
        ("\ud800", "a lone surrogate"),
    ],
    ids=lambda value: value if " " in value else "",
)
def test_base64_has_one_spelling(text: str, why: str) -> None:
    with pytest.raises(EvidenceError) as refusal:
        strict.read_base64(text, "note_invalid", "the hash")
    assert refusal.value.code == "note_invalid", why


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=100))
def test_base64_is_read_as_it_is_written(data: bytes) -> None:
    assert strict.read_base64(strict.write_base64(data), "note_invalid", "it") == data


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.text(alphabet="ABQRZaz09+/= \n", max_size=12))
def test_whatever_base64_is_accepted_is_written_back_the_same(text: str) -> None:
    try:
        data = strict.read_base64(text, "note_invalid", "it")
    except EvidenceError:
        return
    assert base64.b64encode(data).decode() == text


@pytest.mark.parametrize("size_bytes", [0, 31, 33])
def test_a_hash_is_32_bytes(size_bytes: int) -> None:
    with pytest.raises(EvidenceError, match=f"the root is {size_bytes} bytes"):
        strict.read_hash(strict.write_base64(bytes(size_bytes)), "note_invalid", "the root")


def test_lines_split_at_line_feeds_and_at_nothing_else() -> None:
    """str.splitlines would split this into seven."""
    text = "a\u2028b\u2029c\x85d\n\ne\n"
    assert strict.read_lines(text.encode(), "note_invalid", "it") == [
        "a\u2028b\u2029c\x85d",
        "",
        "e",
    ]


@pytest.mark.parametrize(
    "data",
    [b"", b"a", b"a\nb", b"a\r\n", b"a\tb\n", b"\0\n", b"a\x1b[2J\n", b"\xff\n", b"\xed\xa0\x80\n"],
    ids=["empty", "no LF", "cut off", "CR", "tab", "NUL", "escape", "not UTF-8", "surrogate"],
)
def test_text_is_utf8_without_controls_and_complete(data: bytes) -> None:
    with pytest.raises(EvidenceError) as refusal:
        strict.read_lines(data, "note_invalid", "it")
    assert refusal.value.code == "note_invalid"


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("example.com/log", True),
        ("ünï.example/лог", True),
        ("", False),
        ("a b", False),
        ("a\u00a0b", False),
        ("a\u3000b", False),
        ("a\u2028b", False),
        ("a+b", False),
        ("a\nb", False),
        ("a\x00b", False),
        ("a\ud800", False),
    ],
    ids=ascii,
)
def test_key_names_have_no_spaces_of_any_script_and_no_plus(name: str, good: bool) -> None:
    assert strict.is_key_name(name) == good
