"""Verifier keys and signer keys: one line each, and no secret in any message."""

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.tlog.keys import (
    COSIGNATURE,
    ED25519,
    MLDSA44,
    SignerKey,
    VerifierKey,
    parse_signer_key,
    parse_vkey,
)

SEED = bytes(range(100, 132))
KEY = SignerKey.from_seed("example.com/log", SEED)
VKEY = str(KEY.vkey)
SECRET = KEY.to_text()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def vkey_of(name: str, material: bytes) -> str:
    """Write a vkey whose id is right, whatever it holds."""
    key_id = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
    return f"{name}+{key_id.hex()}+{b64(material)}"


@pytest.mark.parametrize(
    ("algorithm", "size_bytes"), [(ED25519, 32), (COSIGNATURE, 32), (MLDSA44, 1312)]
)
def test_a_verifier_key_is_read_back_as_it_was_written(algorithm: int, size_bytes: int) -> None:
    key = VerifierKey.of("example.com/log", algorithm, bytes(size_bytes))
    assert parse_vkey(str(key)) == key
    assert str(key) == vkey_of("example.com/log", bytes([algorithm]) + bytes(size_bytes))


def test_base64_of_a_key_may_hold_plus_signs() -> None:
    public = base64.b64decode("AQ" + "+" * 42)[1:]
    key = VerifierKey.of("example.com/log", ED25519, public)
    assert str(key).count("+") == 44
    assert parse_vkey(str(key)).public == public


def test_the_fingerprint_is_of_type_and_key_and_not_of_the_name() -> None:
    other = SignerKey.from_seed("example.com/other", SEED)
    witness = SignerKey.from_seed("example.com/log", SEED, COSIGNATURE)

    assert KEY.vkey.fingerprint() == hashlib.sha256(b"\x01" + KEY.vkey.public).hexdigest()
    assert KEY.vkey.fingerprint() == other.vkey.fingerprint()
    assert KEY.vkey.key_id != other.vkey.key_id
    assert KEY.vkey.fingerprint() != witness.vkey.fingerprint()


FIELDS = VKEY.split("+", 2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing"),
        ("example.com/log", "a name alone"),
        (VKEY + "\n", "a newline behind"),
        (" " + VKEY, "a space before"),
        ("+".join(["", *FIELDS[1:]]), "no name"),
        ("+".join(["a b", *FIELDS[1:]]), "a space in the name"),
        ("+".join(["example.com/eve", *FIELDS[1:]]), "an id of another name"),
        ("+".join(["a\ud800", *FIELDS[1:]]), "a name that is not Unicode"),
        (VKEY.replace(FIELDS[1], FIELDS[1].upper()), "upper-case hex"),
        (VKEY.replace(FIELDS[1], FIELDS[1][:7]), "7 hex digits"),
        (VKEY.replace(FIELDS[1], "0" * 8), "another id"),
        (VKEY.replace(FIELDS[1], "0x" + FIELDS[1][:6]), "a hex prefix"),
        (VKEY[:-1], "a cut key"),
        (vkey_of("example.com/log", b""), "no key"),
        (vkey_of("example.com/log", b"\x01"), "a type and no key"),
        (vkey_of("example.com/log", b"\x01" + bytes(31)), "31 bytes"),
        (vkey_of("example.com/log", b"\x01" + bytes(33)), "33 bytes"),
        (vkey_of("example.com/log", b"\x06" + bytes(32)), "ML-DSA-44 of 32 bytes"),
        (vkey_of("example.com/log", b"\x02" + bytes(32)), "ECDSA, which is not checked here"),
        (vkey_of("example.com/log", b"\xff" + bytes(32)), "a private type"),
    ],
    ids=lambda value: value if " " in value and "+" not in value else "",
)
def test_a_line_that_is_no_verifier_key_is_refused(text: str, why: str) -> None:
    with pytest.raises(EvidenceError) as refusal:
        parse_vkey(text)
    assert refusal.value.code == "note_invalid", why


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.integers(0, len(VKEY)), st.integers(0, 2), st.text(max_size=2))
def test_whatever_verifier_key_is_accepted_is_written_back_the_same(
    at: int, cut: int, put: str
) -> None:
    text = VKEY[:at] + put + VKEY[at + cut :]
    try:
        key = parse_vkey(text)
    except EvidenceError as error:
        code = error.code
    else:
        code = "note_invalid"
        assert str(key) == text
    assert code == "note_invalid"


@pytest.mark.parametrize("algorithm", [ED25519, COSIGNATURE])
def test_a_signer_key_is_read_back_as_it_was_written(algorithm: int) -> None:
    key = SignerKey.from_seed("example.com/log", SEED, algorithm)
    assert parse_signer_key(key.to_text()) == key
    assert key.to_text().startswith("PRIVATE+KEY+example.com/log+")


def test_the_same_text_is_signed_the_same_way() -> None:
    """A checkpoint signed again after a crash is the same checkpoint, byte for byte."""
    assert KEY.sign(b"text\n") == parse_signer_key(SECRET).sign(b"text\n")


SECRET_FIELDS = SECRET.split("+", 4)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing"),
        (VKEY, "the public key"),
        (SECRET.removeprefix("PRIVATE+"), "a cut prefix"),
        (SECRET[:-8], "a cut key"),
        (SECRET + "\n", "a newline behind"),
        (SECRET.replace(SECRET_FIELDS[3], "0" * 8), "another id"),
        (SECRET.replace("log", "eve"), "another name"),
        ("PRIVATE+KEY+a+00000000+" + b64(b"\x06" + SEED), "ML-DSA-44"),
        ("PRIVATE+KEY+a+00000000+" + b64(b"\x09" + SEED), "an unknown type"),
        ("PRIVATE+KEY+a+00000000+" + b64(b"\x01" + SEED * 2), "64 bytes"),
    ],
    ids=lambda value: value if " " in value and "+" not in value else "",
)
def test_a_refused_signer_key_stays_secret(text: str, why: str) -> None:
    with pytest.raises(EvidenceError) as refusal:
        parse_signer_key(text)
    assert refusal.value.code == "note_invalid", why
    seen = f"{refusal.value} {refusal.value.__cause__} {refusal.value.facts}"
    assert SECRET_FIELDS[4][:10] not in seen
    assert b64(SEED)[:10] not in seen


def test_a_signer_key_does_not_show_in_its_representation() -> None:
    assert repr(SEED)[2:12] not in repr(KEY)
    assert "example.com/log" in repr(KEY)
