"""Sealed blobs: form 2 as its page says, form 1 still read, and no byte that may be changed."""

import hashlib
import hmac
import itertools
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.events import sealing

KEY = bytes(range(32))
OTHER_KEY = bytes(32)
CHUNK = sealing.CHUNK_BYTES
SIZES = [
    pytest.param(0, id="empty"),
    pytest.param(1, id="one byte"),
    pytest.param(CHUNK - 1, id="a byte short of a chunk"),
    pytest.param(CHUNK, id="exactly one chunk"),
    pytest.param(CHUNK + 1, id="a chunk and a byte"),
    pytest.param(2 * CHUNK, id="exactly two chunks"),
    pytest.param(2 * CHUNK + 5, id="two chunks and five bytes"),
]


def content(size_bytes: int) -> bytes:
    """Return bytes in which no two chunks are alike."""
    block = hashlib.sha256(b"content").digest()
    return b"".join(
        hashlib.sha256(block + number.to_bytes(4, "big")).digest()
        for number in range(-(-size_bytes // 32))
    )[:size_bytes]


def pieces(data: bytes, step_bytes: int) -> Iterator[bytes]:
    return (data[at : at + step_bytes] for at in range(0, len(data), step_bytes))


def sealed(plain: bytes, step_bytes: int = 300_000) -> bytes:
    sealer = sealing.Sealer(KEY)
    return b"".join([*(sealer.add(piece) for piece in pieces(plain, step_bytes)), sealer.finish()])


def opened(data: bytes, step_bytes: int = 65_536, key: bytes = KEY) -> bytes:
    return b"".join(sealing.unseal(key, pieces(data, step_bytes)))


def sealed_1(plain: bytes) -> bytes:
    """Seal as form 1 did."""
    return AESGCM(KEY).encrypt(bytes(12), plain, None)


@pytest.mark.parametrize("size_bytes", SIZES)
def test_form_2_is_what_its_page_says(size_bytes: int) -> None:
    """Written out, so that a stranger's tool can be built from the page alone."""
    plain = content(size_bytes)
    cipher = AESGCM(hmac.digest(KEY, b"counterfoil.blob.v2\0", "sha256"))
    chunks = [plain[at : at + 2**20] for at in range(0, len(plain), 2**20)] or [b""]
    by_hand = b"counterfoil sealed 2\n"
    for index, chunk in enumerate(chunks):
        last = bytes([index == len(chunks) - 1])
        by_hand += cipher.encrypt(bytes(7) + index.to_bytes(4, "big") + last, chunk, None)

    assert sealed(plain) == by_hand


@pytest.mark.parametrize("size_bytes", SIZES)
@pytest.mark.parametrize("seal", [sealed, sealed_1], ids=["form 2", "form 1"])
def test_both_forms_open_and_tell_their_size(size_bytes: int, seal: object) -> None:
    assert callable(seal)
    plain = content(size_bytes)

    data = seal(plain)

    assert opened(data) == plain
    assert sealing.plain_size(len(data), data[:32]) == size_bytes


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 50), st.integers(1, 50))
def test_how_the_bytes_are_cut_up_changes_nothing(plain: bytes, into: int, out: int) -> None:
    assert sealed(plain, into) == sealed(plain)
    assert opened(sealed(plain), out) == plain
    assert opened(sealed_1(plain), out) == plain


@pytest.mark.parametrize("seal", [sealed, sealed_1], ids=["form 2", "form 1"])
def test_every_flipped_bit_and_every_cut_is_found(seal: object) -> None:
    """A flip in the header makes it form 1 by its looks, and opens as little."""
    assert callable(seal)
    data = seal(b"some evidence")

    for position in range(len(data) * 8):
        flip = bytearray(data)
        flip[position // 8] ^= 1 << position % 8
        with pytest.raises(EvidenceError):
            opened(bytes(flip))
    for cut in range(len(data)):
        with pytest.raises(EvidenceError):
            opened(data[:cut])
    with pytest.raises(EvidenceError):
        opened(data + b"\0")


def test_chunks_cannot_be_moved_dropped_repeated_or_added() -> None:
    data = sealed(content(3 * CHUNK))
    head, step = len(sealing.HEADER), CHUNK + sealing.TAG_BYTES
    chunks = [data[at : at + step] for at in range(head, len(data), step)]
    assert len(chunks) == 3
    arrangements = [
        one
        for count in range(5)
        for one in itertools.product(range(3), repeat=count)
        if one != (0, 1, 2)
    ]

    for arrangement in arrangements:
        altered = sealing.HEADER + b"".join(chunks[place] for place in arrangement)
        with pytest.raises(EvidenceError) as refused:
            opened(altered)
        assert refused.value.code == "damaged"


def test_a_blob_has_one_sealed_form_only() -> None:
    """An empty chunk behind a full one would open to the same bytes under another name."""
    cipher = AESGCM(hmac.digest(KEY, b"counterfoil.blob.v2\0", "sha256"))
    first = cipher.encrypt(bytes(7) + bytes(4) + b"\0", content(CHUNK), None)
    empty = cipher.encrypt(bytes(7) + (1).to_bytes(4, "big") + b"\1", b"", None)

    with pytest.raises(EvidenceError):
        opened(sealing.HEADER + first + empty)


def test_another_key_opens_nothing_and_a_key_of_another_length_is_told() -> None:
    for data in (sealed(b"evidence"), sealed_1(b"evidence")):
        with pytest.raises(EvidenceError):
            opened(data, key=OTHER_KEY)
    with pytest.raises(EvidenceError) as refused:
        opened(sealed(b"evidence"), key=b"short")
    assert "5 bytes" in refused.value.message


def test_the_two_forms_never_share_a_key() -> None:
    """Both begin at a nonce of zeros: under one key, two plain texts would give each other away."""
    plain = b"the same sixteen"

    one, two = sealed_1(plain), sealed(plain)[len(sealing.HEADER) :]

    assert one != two
    with pytest.raises(EvidenceError):
        opened(two)
