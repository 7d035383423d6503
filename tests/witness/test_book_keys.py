"""A witness follows a log from key to key, on the word of both keys and of nothing less."""

import dataclasses
from pathlib import Path

import pytest

from counterfoil.clock import SteppedClock
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.handover import Handover, hand_over, parse_handover, write_handover
from counterfoil.tlog.keys import SignerKey
from counterfoil.tlog.tree import TreeHead
from counterfoil.tlog.witness import AddCheckpoint, Refused, write_add_checkpoint
from counterfoil.witness.book import Book
from tests.witnessing import GrowingLog, make_witness

LOG = GrowingLog()
LATER = SignerKey.from_seed(LOG.signer.name, b"b" * 32)
STRANGER = SignerKey.from_seed(LOG.signer.name, b"m" * 32)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return make_witness(tmp_path / "w", "witness.example/w", LOG.signer.vkey).directory


def opened(directory: Path) -> Book:
    return Book(directory, SteppedClock())


def signed(old: int, size: int, *signers: SignerKey) -> bytes:
    """Return an add-checkpoint body signed by these keys."""
    note = sign_checkpoint(LOG.signer.name, LOG.head(size), *signers)
    return write_add_checkpoint(AddCheckpoint(old, LOG.path(old, size), note))


def refusal(book: Book, data: bytes) -> int:
    """Return the status with which a checkpoint is refused."""
    with pytest.raises(Refused) as error:
        book.add_checkpoint(data)
    return error.value.status


def test_a_witness_follows_a_log_to_the_key_both_keys_name(directory: Path) -> None:
    book = opened(directory)
    book.add_checkpoint(LOG.request(0, 6))
    assert refusal(book, signed(6, 7, LATER)) == 403

    told = write_handover(hand_over(LOG.signer, LATER, LOG.head(6)))
    assert book.add_key(told) == book.add_key(told) == b"followed\n"
    book.close()

    again = opened(directory)
    assert again.add_checkpoint(signed(6, 8, LATER))
    assert again.add_checkpoint(signed(8, 9, LOG.signer, LATER)), "both, while they overlap"
    assert refusal(again, signed(9, 10, LOG.signer)) == 403, "the earlier key alone, beyond its end"
    again.close()


def test_a_second_signature_on_a_checkpoint_makes_nobody_a_key(directory: Path) -> None:
    """Anybody may add a line of their own to a note that the log signed."""
    book = opened(directory)

    assert book.add_checkpoint(signed(0, 6, LOG.signer, STRANGER))
    assert refusal(book, signed(6, 7, STRANGER)) == 403
    book.close()


def forged(**changes: bytes | SignerKey) -> bytes:
    one = hand_over(LOG.signer, LATER, LOG.head(6))
    return write_handover(dataclasses.replace(one, **changes))  # type: ignore[arg-type]


def by(earlier: SignerKey, later: SignerKey, head: TreeHead) -> bytes:
    """Return a hand-over as these two would sign it."""
    return write_handover(hand_over(earlier, later, head))


OTHER = GrowingLog("log.example/other")
ELSEWHERE = SignerKey.from_seed("log.example/other", b"o" * 32)
HANDOVERS = {
    "not signed by the earlier key": (forged(by_earlier=bytes(64)), 403),
    "not signed by the later key": (forged(by_later=bytes(64)), 403),
    "by a key that is not watched here": (by(STRANGER, LATER, LOG.head(6)), 404),
    "of another log": (by(OTHER.signer, ELSEWHERE, LOG.head(6)), 404),
    "over another history": (by(LOG.signer, LATER, GrowingLog(story="another").head(6)), 422),
    "no hand-over": (b"hello\n", 400),
    "a checkpoint": (LOG.checkpoint(6), 400),
}


@pytest.mark.parametrize("case", HANDOVERS, ids=str)
def test_a_hand_over_that_proves_nothing_is_refused_and_changes_nothing(
    directory: Path, case: str
) -> None:
    data, status = HANDOVERS[case]
    book = opened(directory)
    book.add_checkpoint(LOG.request(0, 6))
    before = (directory / "logs").read_bytes()

    with pytest.raises(Refused) as error:
        book.add_key(data)
    assert error.value.status == status
    assert (directory / "logs").read_bytes() == before
    assert book.logs == (LOG.signer.vkey,)
    book.close()


def test_a_key_hands_over_once(directory: Path) -> None:
    """The thief of a key that was given up is too late with a hand-over of theirs."""
    book = opened(directory)
    book.add_key(by(LOG.signer, LATER, LOG.head(6)))

    with pytest.raises(Refused) as error:
        book.add_key(by(LOG.signer, STRANGER, LOG.head(9)))
    assert error.value.status == 422
    book.close()


def test_a_hand_over_is_read_as_it_was_written() -> None:
    one: Handover = hand_over(LOG.signer, LATER, LOG.head(6))
    assert parse_handover(write_handover(one)) == one
