"""Add-checkpoint: what is refused, with which status, and what a witness's answer may be."""

from dataclasses import replace

import pytest

from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.cosignature import cosign
from counterfoil.tlog.keys import COSIGNATURE, SignerKey
from counterfoil.tlog.note import parse_note, write_note
from counterfoil.tlog.tree import EMPTY_ROOT, TreeHead
from counterfoil.tlog.witness import (
    MAX_PATH,
    AddCheckpoint,
    Refused,
    judge,
    parse_add_checkpoint,
    parse_held_size,
    read_cosignatures,
    write_add_checkpoint,
)
from tests.witnessing import GrowingLog

LOG = GrowingLog()
FORK = GrowingLog(story="another")
STRANGER = GrowingLog("log.example/stranger")
KEYS = [LOG.signer.vkey]
HELD = {LOG.signer.name: LOG.head(5)}
WITNESS = SignerKey.from_seed("witness.example/w", b"\x07" * 32, COSIGNATURE)


def body(old: int, size: int, **changed: object) -> bytes:
    request = AddCheckpoint(old, LOG.path(old, size), LOG.checkpoint(size))
    return write_add_checkpoint(replace(request, **changed))  # type: ignore[arg-type]


def signed_by(signer: SignerKey, head: TreeHead) -> bytes:
    return sign_checkpoint(LOG.signer.name, head, signer)


def status(data: bytes, held: dict[str, TreeHead] | None = None) -> int:
    with pytest.raises(Refused) as refusal:
        judge(data, KEYS, HELD if held is None else held)
    assert "\n" not in refusal.value.message
    return refusal.value.status


@pytest.mark.parametrize(("old", "size"), [(5, 5), (5, 6), (5, 64), (5, 300)])
def test_what_extends_the_held_head_is_taken(old: int, size: int) -> None:
    request, checkpoint = judge(LOG.request(old, size), KEYS, HELD)

    assert (request.old_size, checkpoint.head) == (old, LOG.head(size))


@pytest.mark.parametrize("size", [0, 1, 9])
def test_the_first_checkpoint_of_a_log_needs_no_proof(size: int) -> None:
    assert judge(LOG.request(0, size), KEYS, {})[1].size == size


def test_a_request_is_read_as_it_was_written() -> None:
    for data in (LOG.request(0, 0), LOG.request(0, 7), LOG.request(5, 300)):
        assert write_add_checkpoint(parse_add_checkpoint(data)) == data


OTHER = SignerKey.from_seed(LOG.signer.name, b"\x09" * 32)
EMPTY_WRONG = write_note(
    (text := f"{LOG.signer.name}\n0\n{'A' * 43}=\n".encode()), [LOG.signer.sign(text)]
)
REFUSED = {
    "nothing at all": (b"", 400),
    "no checkpoint behind the proof": (b"old 5\n", 400),
    "no old size": (b"\n" + LOG.checkpoint(6), 400),
    "an old size with a sign": (body(5, 6).replace(b"old 5", b"old +5"), 400),
    "an old size with a leading zero": (body(5, 6).replace(b"old 5", b"old 05"), 400),
    "an old size in digits of another script": (body(5, 6).replace(b"old 5", "old ٥".encode()), 400),
    "an old size beyond 2^63-1": (body(5, 6).replace(b"old 5", b"old 9223372036854775808"), 400),
    "a proof hash that is short": (body(5, 6).replace(b"old 5\n", b"old 5\nAAAA\n"), 400),
    "base64 with other pad bits": (
        body(5, 6).replace(b"old 5\n", b"old 5\n" + b"A" * 42 + b"B=\n"), 400,
    ),
    "more hashes than a tree can have": (
        body(5, 6).replace(b"old 5\n", b"old 5\n" + (b"A" * 43 + b"=\n") * (MAX_PATH + 1)), 400,
    ),
    "a note without signatures": (body(5, 6, note=b"log\n6\n\n"), 400),
    "a note whose text is no checkpoint": (
        body(5, 6, note=write_note(b"hello\n", [LOG.signer.sign(b"hello\n")])), 400,
    ),
    "a size with a leading zero": (body(5, 6, note=LOG.checkpoint(6).replace(b"\n6\n", b"\n06\n")), 400),
    "bytes that are no UTF-8": (b"old 5\n\xff\n\n" + LOG.checkpoint(6), 400),
    "a control character": (b"old 5\n\x00\n\n" + LOG.checkpoint(6), 400),
    "an old size over the checkpoint's": (body(7, 6, path=()), 400),
    "a log nobody watches here": (STRANGER.request(5, 6), 404),
    "no signature by the log's key": (body(5, 6, note=signed_by(OTHER, LOG.head(6))), 403),
    "a signature that is of another text": (
        body(5, 6, note=LOG.checkpoint(7).partition(b"\n\n")[0] + b"\n\n"
             + LOG.checkpoint(6).partition(b"\n\n")[2]), 403,
    ),
    "a size that is behind the held one": (body(4, 6), 409),
    "a size that is ahead of the held one": (LOG.request(6, 7), 409),
    "size 0 where something is held": (body(0, 6), 409),
    "no proof where one is needed": (body(5, 6, path=()), 422),
    "a proof that is too long": (body(5, 6, path=(*LOG.path(5, 6), bytes(32))), 422),
    "a proof of another pair": (body(5, 6, path=LOG.path(5, 7)), 422),
    "another history": (FORK.request(5, 6), 422),
    "another root at the held size": (FORK.request(5, 5), 422),
    "the held size with a proof": (body(5, 5, path=(bytes(32),)), 422),
    "size 0 with the root of another": (body(0, 0, note=EMPTY_WRONG), 422),
}  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_has_the_status_of_the_protocol(data: bytes, expected: int) -> None:
    assert status(data) == expected


def test_a_first_checkpoint_with_a_proof_is_refused() -> None:
    assert status(body(0, 6, path=(bytes(32),)), {}) == 422


def test_a_conflict_states_the_size_that_is_held() -> None:
    with pytest.raises(Refused) as refusal:
        judge(body(0, 6), KEYS, HELD)

    assert refusal.value.held_size == 5


def answer(signer: SignerKey = WITNESS, size: int = 6, time_s: int = 1_700_000_000) -> bytes:
    return cosign(signer, parse_note(LOG.checkpoint(size)).text, time_s)


def read(data: bytes) -> bytes:
    return read_cosignatures(data, parse_note(LOG.checkpoint(6)).text, WITNESS.vkey)


SECOND = SignerKey.from_seed("witness.example/second", b"\x08" * 32, COSIGNATURE)


def test_the_line_of_the_witness_is_found_among_others() -> None:
    assert read(answer()) == answer()
    assert read(answer(SECOND) + answer() + answer(time_s=1_700_000_001)) == answer()


LYING = {
    "an empty answer": (b"", "note_invalid"),
    "no signature line": (b"all is well\n", "note_invalid"),
    "a cosignature of another checkpoint": (answer(size=7), "signature"),
    "a cosignature by another key": (answer(SECOND), "key_unknown"),
    "one good line and one wrong": (answer() + answer(size=7), "signature"),
    "an empty line before it": (b"\n" + answer(), "note_invalid"),
    "a text of its own": (b"log\n9\n\n" + answer(), "note_invalid"),
    "no newline at the end": (answer()[:-1], "note_invalid"),
    "endless lines": (answer() * 101, "note_invalid"),
    "the log's own signature": (LOG.signer.sign(parse_note(LOG.checkpoint(6)).text), "key_unknown"),
}


@pytest.mark.parametrize(("data", "code"), LYING.values(), ids=LYING.keys())
def test_an_answer_that_is_no_cosignature_is_refused_by_name(data: bytes, code: str) -> None:
    with pytest.raises(EvidenceError) as refusal:
        read(data)

    assert refusal.value.code == code


@pytest.mark.parametrize("data", [b"", b"17", b"+17\n", b"017\n", b"17\n18\n", b"17 \n", b"\xff\n"])
def test_a_conflict_without_a_number_is_no_size(data: bytes) -> None:
    """Some witnesses answer so when they see a fork: it must not be taken for size 0."""
    with pytest.raises(EvidenceError):
        parse_held_size(data)


def test_the_empty_tree_is_a_head_like_any_other() -> None:
    held = {LOG.signer.name: TreeHead(0, EMPTY_ROOT)}

    assert judge(LOG.request(0, 3), KEYS, held)[1].size == 3
