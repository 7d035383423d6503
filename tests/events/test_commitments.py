"""Commitments hide, bind and can be made unopenable; sealed values open under one key only."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.events import commitments

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
SALT, OTHER_SALT = b"s" * 16, b"t" * 16


def _seal(plain: bytes, key: bytes = KEY, salt: bytes = SALT, name: str = "body") -> bytes:
    return commitments.seal(commitments.derive(key, salt, name).sealing, plain)


def _unseal(sealed: bytes, key: bytes = KEY, salt: bytes = SALT, name: str = "body") -> bytes:
    return commitments.unseal(commitments.derive(key, salt, name).sealing, sealed, name)


def test_the_formulas_are_those_of_the_format() -> None:
    both = hashlib.blake2b(
        b"body", digest_size=64, key=KEY, salt=SALT, person=b"counterfoil.keys"
    ).digest()
    opening, sealing_key = both[:32], both[32:]

    assert commitments.derive(KEY, SALT, "body") == (opening, sealing_key)
    assert commitments.derive_opening(KEY, SALT, "body") == opening
    assert commitments.commit(opening, b"x") == hmac.digest(
        opening, b"counterfoil.commit.v1\0x", "sha256"
    )
    assert commitments.seal(sealing_key, b"x") == AESGCM(sealing_key).encrypt(bytes(12), b"x", None)


def test_a_salt_that_begins_with_one_derives_as_layout_1_did() -> None:
    """What was written before BLAKE2b keeps its commitments for ever, so it keeps its formulas."""
    keys = commitments.derive(KEY, b"\x01" + SALT, "body")

    opening = hmac.digest(KEY, b"counterfoil.open.v1\0" + SALT + b"body", "sha256")
    sealing = hmac.digest(KEY, b"counterfoil.seal.v1\0" + SALT + b"body", "sha256")
    assert keys == (opening, sealing)


@pytest.mark.parametrize(
    ("salt", "sound"),
    [
        pytest.param(SALT, True, id="16 bytes"),
        pytest.param(b"\x01" + SALT, True, id="1 and 16 bytes"),
        pytest.param(b"\x02" + SALT, False, id="another mark before 16 bytes"),
        pytest.param(SALT[1:], False, id="15 bytes"),
        pytest.param(b"", False, id="none"),
    ],
)
def test_a_salt_has_one_of_two_forms(salt: bytes, sound: bool) -> None:
    assert commitments.is_salt(salt) is sound


def test_the_opening_does_not_unseal() -> None:
    """An opening is given to the producer: it must not be the key of what is stored."""
    sealed = _seal(b"secret")

    with pytest.raises(EvidenceError):
        commitments.unseal(commitments.derive_opening(KEY, SALT, "body"), sealed, "body")


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=10))
def test_what_is_sealed_opens_again(plain: bytes, name: str) -> None:
    sealed = _seal(plain, name=name)

    assert _unseal(sealed, name=name) == plain
    assert len(sealed) == len(plain) + commitments.TAG_BYTES


@pytest.mark.parametrize(
    ("key", "salt", "name"),
    [
        pytest.param(OTHER_KEY, SALT, "body", id="another key"),
        pytest.param(KEY, OTHER_SALT, "body", id="another event's salt"),
        pytest.param(KEY, SALT, "authid", id="another name"),
    ],
)
def test_a_sealed_value_opens_nowhere_else(key: bytes, salt: bytes, name: str) -> None:
    sealed = _seal(b"secret")

    with pytest.raises(EvidenceError) as caught:
        _unseal(sealed, key, salt, name)

    assert caught.value.code == "damaged"
    assert commitments.derive_opening(key, salt, name) != commitments.derive_opening(
        KEY, SALT, "body"
    )


def test_every_flipped_bit_of_a_sealed_value_is_found() -> None:
    sealed = _seal(b"a body")

    for position in range(len(sealed) * 8):
        flip = bytearray(sealed)
        flip[position // 8] ^= 1 << position % 8
        with pytest.raises(EvidenceError):
            _unseal(bytes(flip))


def test_equal_values_have_unequal_commitments_in_two_events() -> None:
    """Else the log would tell who is the same person, or let a guess be checked."""
    one, other = (
        commitments.commit(commitments.derive_opening(KEY, salt, "authid"), b'"ana"')
        for salt in (SALT, OTHER_SALT)
    )

    assert one != other
