"""Commitments hide, bind and can be made unopenable; sealed values open under one key only."""

import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.events import commitments, sealing

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
SALT, OTHER_SALT = b"s" * 16, b"t" * 16


def test_the_formulas_are_those_of_the_format() -> None:
    opening = hmac.new(KEY, b"counterfoil.open.v1\0" + SALT + b"body", "sha256").digest()
    sealing = hmac.new(KEY, b"counterfoil.seal.v1\0" + SALT + b"body", "sha256").digest()

    assert commitments.derive_opening(KEY, SALT, "body") == opening
    assert commitments.commit(opening, b"x") == hmac.digest(
        opening, b"counterfoil.commit.v1\0x", "sha256"
    )
    assert commitments.seal(KEY, SALT, "body", b"x") == AESGCM(sealing).encrypt(
        bytes(12), b"x", None
    )


def test_the_opening_does_not_unseal_and_the_sealing_key_does_not_open() -> None:
    """An opening is given to the producer: it must not be the key of what is stored."""
    opening = commitments.derive_opening(KEY, SALT, "body")
    sealed = commitments.seal(KEY, SALT, "body", b"secret")

    with pytest.raises(EvidenceError):
        b"".join(sealing.unseal(opening, [sealed]))


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=10))
def test_what_is_sealed_opens_again(plain: bytes, name: str) -> None:
    sealed = commitments.seal(KEY, SALT, name, plain)

    assert commitments.unseal(KEY, SALT, name, sealed) == plain
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
    sealed = commitments.seal(KEY, SALT, "body", b"secret")

    with pytest.raises(EvidenceError) as caught:
        commitments.unseal(key, salt, name, sealed)

    assert caught.value.code == "damaged"
    assert commitments.derive_opening(key, salt, name) != commitments.derive_opening(
        KEY, SALT, "body"
    )


def test_every_flipped_bit_of_a_sealed_value_is_found() -> None:
    sealed = commitments.seal(KEY, SALT, "body", b"a body")

    for position in range(len(sealed) * 8):
        flip = bytearray(sealed)
        flip[position // 8] ^= 1 << position % 8
        with pytest.raises(EvidenceError):
            commitments.unseal(KEY, SALT, "body", bytes(flip))


def test_equal_values_have_unequal_commitments_in_two_events() -> None:
    """Else the log would tell who is the same person, or let a guess be checked."""
    one, other = (
        commitments.commit(commitments.derive_opening(KEY, salt, "authid"), b'"ana"')
        for salt in (SALT, OTHER_SALT)
    )

    assert one != other
