"""Frames arrive cut anywhere, and are whole or not there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.app.wire import (
    FRAME_MAX_BYTES,
    Frames,
    FromWorker,
    HandOver,
    Place,
    Placed,
    Standing,
    Stands,
    Unplaced,
    by_commit,
    frame,
    read_from_worker,
    read_to_worker,
)
from counterfoil.ledger.receipts import Added
from tests.ledger_place import make_item

MESSAGES: list[FromWorker] = [
    HandOver(1, b""),
    Place(2, "default", 1, "token:1", [make_item("one", blobs=2)], [5]),
    HandOver(3, b"x" * 300),
]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=40))
def test_messages_come_out_as_they_went_in_however_they_are_cut(cuts: list[int]) -> None:
    stream = b"".join(frame(message) for message in MESSAGES)
    frames, read, at = Frames(), [], 0
    for cut in [*cuts, len(stream)]:
        read += [read_from_worker(one) for one in frames.feed(stream[at : at + cut])]
        at += cut

    assert read == MESSAGES


def test_a_placed_answer_crosses_unchanged() -> None:
    added = Added(4, (bytes(32),), (b"1" * 32, b"2" * 32), 6, b"3" * 32, b"note")
    stamp = "2026-11-20T12:00:00.000Z"
    placed = Placed((Standing(7, stamp, 4), Standing(9, stamp, 5)), added)

    [data] = Frames().feed(frame(placed))

    assert read_to_worker(data) == placed


def test_a_length_no_message_has_ends_the_conversation() -> None:
    with pytest.raises(ValueError, match="a frame of"):
        list(Frames().feed((FRAME_MAX_BYTES + 1).to_bytes(4, "big")))


def test_requests_of_one_commit_are_one_message_and_every_answer_keeps_its_turn() -> None:
    one, other = (Added(at, (), (b"1" * 32,), at + 1, b"3" * 32, b"note") for at in (0, 0))
    stands = [Stands(Standing(number, "", 0), one) for number in range(2)]
    later = Stands(Standing(3, "", 0), other)

    messages = by_commit([*stands, later, Unplaced(4), stands[0]])

    assert messages == [
        Placed((Standing(0, "", 0), Standing(1, "", 0)), one),
        Placed((Standing(3, "", 0),), other),
        Unplaced(4),
        Placed((Standing(0, "", 0),), one),
    ]
    assert by_commit([]) == []
