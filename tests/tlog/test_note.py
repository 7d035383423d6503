"""Signed notes: what is taken apart, whom it is believed."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.tlog.keys import SignerKey, VerifierKey
from counterfoil.tlog.note import (
    MAX_SIGNATURES,
    Note,
    parse_note,
    verify_note,
    write_note,
)

TEXT = b"hello\n"
ANA = SignerKey.from_seed("example.com/ana", b"a" * 32)
BO = SignerKey.from_seed("example.com/bo", b"b" * 32)
GOOD = ANA.sign(TEXT)


def line(name: str, key_id: bytes, signature: bytes) -> bytes:
    return f"— {name} {base64.b64encode(key_id + signature).decode()}\n".encode()


def rewrite(note: Note) -> bytes:
    return write_note(
        note.text, [line(sig.name, sig.key_id, sig.signature) for sig in note.signatures]
    )


def forged(key: SignerKey) -> bytes:
    return line(key.name, key.vkey.key_id, bytes(64))


def test_a_note_is_read_back_as_it_was_signed() -> None:
    data = write_note(TEXT, [GOOD, BO.sign(TEXT)])
    note = parse_note(data)

    assert note.text == TEXT
    assert [sig.name for sig in note.signatures] == ["example.com/ana", "example.com/bo"]
    assert rewrite(note) == data


def test_what_is_returned_is_what_trusted_keys_signed() -> None:
    note = verify_note(write_note(TEXT, [BO.sign(TEXT), GOOD]), [ANA.vkey])
    assert [sig.name for sig in note.signatures] == ["example.com/ana"]


def test_a_known_key_with_a_bad_signature_rejects_the_note() -> None:
    """However many good signatures stand beside it: somebody tampers with this note."""
    for lines in ([GOOD, forged(BO)], [forged(BO), GOOD], [GOOD, forged(ANA)]):
        with pytest.raises(EvidenceError, match="does not verify") as refusal:
            verify_note(write_note(TEXT, lines), [ANA.vkey, BO.vkey])
        assert refusal.value.code == "signature"


def test_a_known_key_over_another_text_rejects_the_note() -> None:
    with pytest.raises(EvidenceError) as refusal:
        verify_note(write_note(b"hello!\n", [GOOD]), [ANA.vkey])
    assert refusal.value.code == "signature"


def test_unknown_keys_are_passed_over_even_with_a_known_name_or_a_known_id() -> None:
    same_name = line(ANA.name, b"\0\0\0\0", bytes(64))
    same_id = line("example.com/eve", ANA.vkey.key_id, bytes(64))
    foreign = line("example.com/old", b"\x01\x02\x03\x04", b"another algorithm")
    data = write_note(TEXT, [same_name, same_id, foreign, GOOD])

    assert len(verify_note(data, [ANA.vkey]).signatures) == 1


@pytest.mark.parametrize("keys", [[], [BO.vkey]], ids=["no key", "another key"])
def test_a_note_nobody_trusted_signed_is_not_believed(keys: list[VerifierKey]) -> None:
    with pytest.raises(EvidenceError, match=r"'example\.com/ana'") as refusal:
        verify_note(write_note(TEXT, [GOOD]), keys)
    assert refusal.value.code == "key_unknown"


def test_sixteen_signatures_and_more_are_read_up_to_a_cap() -> None:
    others = [
        SignerKey.from_seed(f"w{number}", number.to_bytes(32, "big")).sign(TEXT)
        for number in range(MAX_SIGNATURES - 1)
    ]
    for count in (15, MAX_SIGNATURES - 1):
        verify_note(write_note(TEXT, [*others[:count], GOOD]), [ANA.vkey])

    with pytest.raises(EvidenceError, match="101 signatures") as refusal:
        verify_note(write_note(TEXT, [*others, GOOD, GOOD]), [ANA.vkey])
    assert refusal.value.code == "note_invalid"


def test_the_text_ends_at_the_last_empty_line() -> None:
    """Otherwise a text could carry a signature block of its own."""
    inner = write_note(TEXT, [GOOD])
    outer = write_note(inner, [BO.sign(inner)])

    assert parse_note(outer).text == inner
    assert verify_note(outer, [BO.vkey]).text == inner
    with pytest.raises(EvidenceError) as refusal:
        verify_note(outer, [ANA.vkey])
    assert refusal.value.code == "key_unknown"


def test_empty_lines_before_the_last_belong_to_the_text() -> None:
    text = b"\n\nhello\n\n\n"
    assert parse_note(write_note(text, [BO.sign(text)])).text == text


def test_two_keys_of_one_name_and_id_cannot_be_trusted_together() -> None:
    """A signature would name both; the short id can be made to collide."""
    twin = VerifierKey(ANA.name, ANA.vkey.key_id, 1, bytes(32))
    with pytest.raises(EvidenceError, match="share the name") as refusal:
        verify_note(write_note(TEXT, [GOOD]), [ANA.vkey, twin])
    assert refusal.value.code == "policy_invalid"
    verify_note(write_note(TEXT, [GOOD]), [ANA.vkey, ANA.vkey])


NAMED = GOOD.split(b" ")[1]
BASE64 = GOOD.split(b" ")[2]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "nothing"),
        (TEXT, "no signatures"),
        (TEXT + b"\n", "an empty block of signatures"),
        (TEXT + GOOD, "no empty line"),
        (b"\n" + GOOD, "no text"),
        (TEXT + b"\n" + GOOD[:-1], "no newline at the end"),
        (TEXT + b"\n" + GOOD + b"\n", "an empty line behind"),
        (TEXT.replace(b"\n", b"\r\n") + b"\n" + GOOD, "CRLF"),
        (b"he\x00llo\n\n" + GOOD, "NUL in the text"),
        (b"he\tllo\n\n" + GOOD, "a tab in the text"),
        (b"he\xffllo\n\n" + GOOD, "no UTF-8 in the text"),
        (TEXT + b"\n" + GOOD.replace("—".encode(), b"-"), "a hyphen for the dash"),
        (TEXT + b"\n" + GOOD.replace(b" ", b"  ", 1), "two spaces"),
        (TEXT + b"\n" + GOOD.replace(b" ", "\u00a0".encode(), 1), "a no-break space"),
        (TEXT + b"\n" + GOOD.replace(b"\n", b" \n"), "a space at the end"),
        (TEXT + b"\n" + GOOD.replace(NAMED, b"a+b"), "a plus in the name"),
        (TEXT + b"\n" + GOOD.replace(NAMED, "a\u2003b".encode()), "an em space in the name"),
        (TEXT + b"\n" + GOOD.replace(NAMED, b""), "no name"),
        (TEXT + b"\n" + GOOD.replace(BASE64, b"\n"), "no signature"),
        (TEXT + b"\n" + GOOD.replace(BASE64, b"AAAAAA==\n"), "a key id and nothing behind"),
        (TEXT + b"\n" + GOOD.replace(BASE64, b"AAAAAAB=\n"), "bits under the padding"),
        (TEXT + b"\n" + GOOD.replace(b"=\n", b"\n"), "no padding"),
        (TEXT + b"\n" + GOOD + b"# and a comment\n", "another line"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bytes_that_are_no_note_are_refused_before_any_key_is_looked_at(
    data: bytes, why: str
) -> None:
    with pytest.raises(EvidenceError) as refusal:
        verify_note(data, [ANA.vkey])
    assert refusal.value.code == "note_invalid", why


names = st.text(min_size=1, max_size=20).filter(
    lambda name: (
        not any(char.isspace() or char < " " or char == "+" for char in name) and name.isprintable()
    )
)
texts = st.text(st.characters(codec="utf-8", min_codepoint=0x20) | st.just("\n"), max_size=60).map(
    lambda text: text.encode() + b"\n"
)
signatures = st.lists(
    st.tuples(names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=70)),
    min_size=1,
    max_size=5,
)


@settings(derandomize=True, deadline=None)
@given(texts, signatures)
def test_every_note_is_read_back_as_it_was_written(
    text: bytes, parts: list[tuple[str, bytes, bytes]]
) -> None:
    data = write_note(text, [line(*part) for part in parts])
    note = parse_note(data)

    assert note.text == text
    assert [(s.name, s.key_id, s.signature) for s in note.signatures] == parts
    assert rewrite(note) == data


VALID = write_note(b"example.com/log\n1\n\nmore\n", [GOOD, BO.sign(TEXT)])


@settings(derandomize=True, deadline=None, max_examples=500)
@given(
    st.integers(0, len(VALID)),
    st.integers(0, 3),
    st.binary(max_size=3) | st.sampled_from([b"\n", b"\n\n", b" ", b"=", "—".encode(), b"\0"]),
)
def test_whatever_note_is_accepted_is_written_back_the_same(at: int, cut: int, put: bytes) -> None:
    data = VALID[:at] + put + VALID[at + cut :]
    try:
        note = parse_note(data)
    except EvidenceError as error:
        code = error.code
    else:
        code = "note_invalid"
        assert rewrite(note) == data
    assert code == "note_invalid"


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(0, len(VALID) * 8 - 1))
def test_no_flipped_bit_is_believed(bit: int) -> None:
    good = write_note(TEXT, [GOOD])
    at = bit % (len(good) * 8)
    data = bytearray(good)
    data[at // 8] ^= 1 << at % 8

    with pytest.raises(EvidenceError) as refusal:
        verify_note(bytes(data), [ANA.vkey])
    assert refusal.value.code in {"note_invalid", "signature", "key_unknown"}
