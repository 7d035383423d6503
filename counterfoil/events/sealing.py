r"""Sealed blobs: evidence encrypted under a key of its own, written and read piece by piece.

Form 2, which is written:

    "counterfoil sealed 2\n"  then chunks of AES-256-GCM, each with its 16 bytes of tag behind

A chunk holds 1 MiB of the plain bytes; the last one holds the rest, 0 to 1 MiB, and is empty
only for an empty blob.  Chunks are sealed under HMAC-SHA-256(blob key, "counterfoil.blob.v2\0")
with the nonce: 7 zero bytes, the chunk's index in 4 bytes, big endian, and 1 for the last chunk,
0 before.  So a chunk that is moved, repeated, or taken away from the end does not open.

Form 1, which is only read: no header, one AES-256-GCM over the whole with a nonce of zeros.  A
sealed blob of form 1 begins with the header of form 2 by a chance of 2^-168.

Zeros in place of a random nonce are right only because a blob key seals once: `Sealer` must be
given a fresh one.

What `unseal` has yielded of a blob of form 1 is unproven until it ends: whoever acts on plain
bytes before the end compares the stored digest first.

Source: docs/adr/0015-blobs-in-chunks.md; the STREAM construction of Hoang, Reyhanitabar, Rogaway
and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance" (2015),
section 7; NIST SP 800-38D.
"""

import hashlib
import hmac
import itertools
from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from counterfoil.errors import EvidenceError

HEADER = b"counterfoil sealed 2\n"
_HEADERS = b"counterfoil sealed "
CHUNK_BYTES = 1 << 20
KEY_BYTES = 32
TAG_BYTES = 16

_DERIVE = b"counterfoil.blob.v2\0"
_SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
_PREFIX = bytes(7)


class Sealer:
    """Seals one blob as its bytes arrive; memory holds one chunk.

    Args:
        key: 32 bytes that seal nothing else.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(_chunk_key(key))
        self._waiting = bytearray()
        self._index = 0
        self._begun = False

    def add(self, plain: bytes) -> bytes:
        """Take further plain bytes and return the sealed bytes that are ready, maybe none."""
        self._waiting += plain
        ready = self._head()
        # The last chunk is marked as such, so a full one waits until something follows it.
        while len(self._waiting) > CHUNK_BYTES:
            ready += self._seal(bytes(self._waiting[:CHUNK_BYTES]), last=False)
            del self._waiting[:CHUNK_BYTES]
        return ready

    def finish(self) -> bytes:
        """Return the last sealed bytes; nothing may be added after."""
        return self._head() + self._seal(bytes(self._waiting), last=True)

    def _head(self) -> bytes:
        head = b"" if self._begun else HEADER
        self._begun = True
        return head

    def _seal(self, plain: bytes, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._index, last=last), plain, None)
        self._index += 1
        return sealed


def unseal(key: bytes, sealed: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the plain bytes of a sealed blob of either form; memory holds about one chunk.

    Args:
        key: the blob's 32 bytes.
        sealed: its stored bytes, in pieces of any size.

    Raises:
        EvidenceError: `damaged`, where it shows: at the chunk that does not open, or at the end.
    """
    if len(key) != KEY_BYTES:
        raise EvidenceError("damaged", f"a blob key of {len(key)} bytes")
    pieces = iter(sealed)
    begin = bytearray()
    while len(begin) < len(HEADER) and (piece := next(pieces, None)) is not None:
        begin += piece
    if begin.startswith(_HEADERS) and not begin.startswith(HEADER):
        raise EvidenceError(
            "damaged",
            f"a blob sealed in another form ({bytes(begin)!a}), of a later version: use it",
        )
    if begin.startswith(HEADER):
        yield from _unseal_chunks(key, bytes(begin[len(HEADER) :]), pieces)
    else:
        yield from _unseal_whole(key, bytes(begin), pieces)


def plain_size(sealed_size_bytes: int, begin: bytes) -> int:
    """Return how many plain bytes a sealed blob of a size holds, 0 if it can hold none.

    Args:
        sealed_size_bytes: length of the stored bytes.
        begin: at least their first `len(HEADER)` bytes; they tell the form.
    """
    if not begin.startswith(HEADER):
        return max(sealed_size_bytes - TAG_BYTES, 0)
    chunks_bytes = sealed_size_bytes - len(HEADER)
    count = -(-chunks_bytes // _SEALED_CHUNK_BYTES)
    return max(chunks_bytes - count * TAG_BYTES, 0)


def _unseal_chunks(key: bytes, begin: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    cipher = AESGCM(_chunk_key(key))
    waiting = bytearray()
    index = 0
    for piece in itertools.chain((begin,), pieces):
        waiting += piece
        while len(waiting) > _SEALED_CHUNK_BYTES:
            yield _open(cipher, bytes(waiting[:_SEALED_CHUNK_BYTES]), index, last=False)
            del waiting[:_SEALED_CHUNK_BYTES]
            index += 1
    plain = _open(cipher, bytes(waiting), index, last=True)
    if not plain and index:
        # One form only: nobody can make another sealed form of the same blob by adding this.
        raise EvidenceError("damaged", "a sealed blob ends in an empty chunk")
    yield plain


def _unseal_whole(key: bytes, begin: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    decryptor = Cipher(algorithms.AES(key), modes.GCM(bytes(12))).decryptor()
    waiting = b""
    for piece in itertools.chain((begin,), pieces):
        waiting += piece
        # The tag stands at the end, and only the end tells where that is.
        yield decryptor.update(waiting[:-TAG_BYTES])
        waiting = waiting[-TAG_BYTES:]
    try:
        decryptor.finalize_with_tag(waiting[-TAG_BYTES:])
    except (InvalidTag, ValueError) as error:
        raise EvidenceError("damaged", "a sealed blob does not open under its key") from error


def _open(cipher: AESGCM, chunk: bytes, index: int, *, last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(index, last=last), chunk, None)
    except (InvalidTag, ValueError) as error:
        raise EvidenceError(
            "damaged", f"chunk {index} of a sealed blob does not open under its key"
        ) from error


def _nonce(index: int, *, last: bool) -> bytes:
    return _PREFIX + index.to_bytes(4, "big") + bytes([last])


def _chunk_key(key: bytes) -> bytes:
    # A key of its own: the nonces of form 1 and form 2 must never meet under one key.
    assert len(key) == KEY_BYTES
    return hmac.digest(key, _DERIVE, hashlib.sha256)
