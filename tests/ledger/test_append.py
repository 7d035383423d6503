import hashlib
import hmac
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from counterfoil.errors import EvidenceError, RequestError, UnavailableError
from counterfoil.ledger.append import QUEUE_ENTRIES_MAX, Appended
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.tlog.checkpoint import verify_checkpoint
from counterfoil.tlog.entries import read_bundle
from counterfoil.tlog.proof import verify_inclusion
from counterfoil.tlog.receipt import parse_receipt
from counterfoil.tlog.tree import TreeHead, leaf_hash
from tests.ledger_place import ANSWER_TIMEOUT_S, PROJECT, SIGNER, Place, make_item, make_items


def test_an_append_is_answered_with_an_index_and_a_receipt_that_an_outsider_accepts(
    place: Place,
) -> None:
    [item] = make_items(0, 1)

    [appended] = place.append([item])

    receipt = parse_receipt(appended.receipt)
    checkpoint = verify_checkpoint(receipt.checkpoint, [SIGNER.vkey])
    head = TreeHead(checkpoint.size, checkpoint.root)
    verify_inclusion(leaf_hash(item.entry), receipt.index, receipt.path, head)
    assert (appended.index, appended.duplicate, receipt.index) == (0, False, 0)
    assert receipt.extra == item.entry
    assert place.check().size == 1


def test_sizes_around_tile_borders_all_verify(place: Place) -> None:
    """255, 256 and 257 are where partial tiles become full and levels begin."""
    grown = 0
    for size in (1, 2, 3, 254, 255, 256, 257, 511, 512, 513, 700):
        place.append(make_items(grown, size - grown))
        grown = size
        place.ledger.export_now()
        found = place.check()
        assert (found.size, found.exported_size) == (size, size)


def test_order_inside_one_request_is_kept(place: Place) -> None:
    items = make_items(0, 40)[::-1]

    assert [one.index for one in place.append(items)] == list(range(40))
    assert place.check().entries == tuple(item.entry for item in items)


def test_the_same_event_again_is_a_duplicate_with_the_old_index_and_a_receipt(place: Place) -> None:
    place.append(make_items(0, 5))

    [again] = place.append(make_items(3, 1))

    assert (again.index, again.duplicate) == (3, True)
    assert place.check().size == 5


def test_a_duplicate_in_one_request_gets_the_index_of_the_first(place: Place) -> None:
    first, second = make_items(0, 2)

    answers = place.append([first, second, first])

    assert [(one.index, one.duplicate) for one in answers] == [(0, False), (1, False), (0, True)]
    assert place.check().size == 2


def test_a_duplicates_receipt_carries_the_entry_that_stands(place: Place) -> None:
    """The repeat was stamped with its own recorded time; what is proved is the first one."""
    item = make_item("a")
    place.append([item])
    stamped_later = type(item)(
        item.source, item.id, item.digest, item.entry + b" ", b"k" * 32, b"s" * 16, (), ()
    )

    [again] = place.append([stamped_later])

    assert parse_receipt(again.receipt).extra == item.entry


def test_other_content_under_a_recorded_key_is_refused_by_position_and_index(
    place: Place,
) -> None:
    place.append([make_item("z"), make_item("a")])

    with pytest.raises(RequestError) as refused:
        place.append([make_item("b"), make_item("c"), make_item("a", "other content")])

    assert refused.value.code == "id_conflict"
    assert refused.value.facts == {"position": 2, "index": 1}
    assert place.check().size == 2, "nothing of a refused request is recorded"


def test_other_content_under_a_key_of_the_same_request_names_no_entry(place: Place) -> None:
    """The first of the two is refused with the rest, so its index goes to another event."""
    place.append([make_item("z")])
    request = [make_item("b"), make_item("a"), make_item("c"), make_item("a", "other content")]

    with pytest.raises(RequestError) as refused:
        place.append(request)

    assert refused.value.code == "id_conflict"
    assert refused.value.facts == {"position": 3, "first_position": 1}
    assert place.check().size == 1


def test_the_same_id_of_two_sources_is_two_events(place: Place) -> None:
    answers = place.append([make_item("a", source="urn:one"), make_item("a", source="urn:two")])

    assert [one.index for one in answers] == [0, 1]


def test_a_conflict_refuses_only_its_own_request(place: Place) -> None:
    """Requests that happen to share a transaction do not share their fate."""
    place.append([make_item("a")])
    with _writer_held(place):
        futures = [
            place.ledger.append(PROJECT, [make_item("b")]),
            place.ledger.append(PROJECT, [make_item("c"), make_item("a", "other content")]),
            place.ledger.append(PROJECT, [make_item("d")]),
        ]

    assert [one.index for one in futures[0].result(ANSWER_TIMEOUT_S)] == [1]
    with pytest.raises(RequestError, match="send the same content"):
        futures[1].result(ANSWER_TIMEOUT_S)
    assert [one.index for one in futures[2].result(ANSWER_TIMEOUT_S)] == [2]
    assert place.check().size == 3


def test_a_crowd_of_the_same_event_makes_one_entry(place: Place) -> None:
    item = make_item("a")
    barrier = threading.Barrier(64)

    def send(_: int) -> Appended:
        barrier.wait()
        [appended] = place.ledger.append(PROJECT, [item]).result(ANSWER_TIMEOUT_S)
        return appended

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(send, range(64)))

    place.given += [(item, answer) for answer in answers]
    assert {answer.index for answer in answers} == {0}
    assert [answer.duplicate for answer in answers].count(False) == 1
    assert place.check().size == 1


def test_two_threads_that_send_the_same_events_make_each_entry_once(place: Place) -> None:
    items = make_items(0, 120)

    def send(turn: int) -> list[Appended]:
        sent = items if turn == 0 else items[::-1]
        return [
            answer
            for item in sent
            for answer in place.ledger.append(PROJECT, [item]).result(ANSWER_TIMEOUT_S)
        ]

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(send, range(2))

    assert [answer.index for answer in one] == [answer.index for answer in two[::-1]]
    duplicates = [
        (first.duplicate, second.duplicate) for first, second in zip(one, two[::-1], strict=True)
    ]
    assert all(first != second for first, second in duplicates)
    place.given += [*zip(items, one, strict=True), *zip(items[::-1], two, strict=True)]
    assert place.check().size == 120


def test_many_requests_share_one_commit(place: Place) -> None:
    """Group commit: what waits together is synced together."""
    sizes: list[int] = []
    place.ledger.on_commit(lambda _, size: sizes.append(size))
    with _writer_held(place):
        futures = [place.ledger.append(PROJECT, [item]) for item in make_items(0, 50)]
    for future in futures:
        future.result(ANSWER_TIMEOUT_S)
    place.ledger.close()

    assert sizes == [50]


def test_a_restart_keeps_idempotency(place: Place) -> None:
    place.append(make_items(0, 300))
    place.stop()
    place.start()

    answers = place.append([*make_items(298, 2), make_item("fresh")])

    assert [(one.index, one.duplicate) for one in answers] == [
        (298, True),
        (299, True),
        (300, False),
    ]
    with pytest.raises(RequestError) as refused:
        place.append([make_item("event-7", "other content")])
    assert refused.value.facts == {"position": 0, "index": 7}


def test_a_repeat_of_an_erased_event_is_refused_as_erased(place: Place) -> None:
    """Without the key nobody can tell whether the content is the same."""
    place.append(make_items(0, 3))
    place.stop()
    with sqlite3.connect(place.directory / "erasable.db") as db:
        db.execute("DELETE FROM event_keys WHERE idx = 1")
    db.close()
    place.start()

    with pytest.raises(RequestError) as refused:
        place.append(make_items(1, 1))

    assert refused.value.code == "erased"
    assert refused.value.facts == {"position": 0, "index": 1}


def test_the_stored_digest_is_keyed_with_the_events_own_key(place: Place) -> None:
    """Promised byte for byte: fsck re-derives it from the opened event and its key."""
    [item] = make_items(0, 1)
    place.append([item])

    with sqlite3.connect(place.directory / "ledger.db") as db:
        [digest] = db.execute("SELECT digest FROM idem").fetchone()
    db.close()

    message = b"counterfoil.idem.v1\0" + item.digest
    assert digest == hmac.new(item.event_key, message, hashlib.sha256).digest()


def test_a_full_queue_says_busy_and_records_nothing_of_the_request(place: Place) -> None:
    with _writer_held(place):
        accepted = place.ledger.append(PROJECT, make_items(0, QUEUE_ENTRIES_MAX))
        refused = place.ledger.append(PROJECT, [make_item("one too many")])
        assert isinstance(refused.exception(0), UnavailableError)
        assert "send this again" in str(refused.exception(0))

    assert len(accepted.result(ANSWER_TIMEOUT_S)) == QUEUE_ENTRIES_MAX
    assert place.append([make_item("one too many")])[0].index == QUEUE_ENTRIES_MAX


def test_a_cancelled_request_is_not_recorded(place: Place) -> None:
    with _writer_held(place):
        cancelled = place.ledger.append(PROJECT, [make_item("a")])
        assert cancelled.cancel()
        kept = place.ledger.append(PROJECT, [make_item("b")])

    assert kept.result(ANSWER_TIMEOUT_S)[0].index == 0


def test_an_unknown_project_is_refused(place: Place) -> None:
    with pytest.raises(RequestError) as refused:
        place.ledger.append("nowhere", make_items(0, 1)).result(ANSWER_TIMEOUT_S)
    assert refused.value.code == "project_unknown"
    with pytest.raises(RequestError, match="nowhere"):
        place.ledger.checkpoint("nowhere")


def test_closing_records_and_publishes_what_is_queued(place: Place) -> None:
    with _writer_held(place):
        future = place.ledger.append(PROJECT, make_items(0, 9))
    place.ledger.close()

    assert len(future.result(0)) == 9
    assert place.check().exported_size == 9
    with pytest.raises(UnavailableError, match="closing"):
        place.append(make_items(9, 1))


def test_a_listener_that_fails_does_not_hurt_the_log(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(project: str, size: int) -> None:
        raise ValueError(project, size)

    seen: list[tuple[str, int]] = []
    place.ledger.on_commit(fail)
    place.ledger.on_commit(lambda project, size: seen.append((project, size)))
    place.append(make_items(0, 2))
    place.append(make_items(2, 1))
    place.ledger.close()

    assert seen == [(PROJECT, 2), (PROJECT, 3)]
    assert "a listener failed at size 2" in caplog.text


def test_the_export_follows_by_itself(place: Place) -> None:
    place.stop()
    place.start(export_interval_s=0.01)
    place.append(make_items(0, 3))

    place.wait_exported(3)
    assert place.check().exported_size == 3


class ClosedAtTheLastMoment(threading.Event):
    """Says "not yet" to one who waits, and is set by the time they hear it."""

    def __init__(self, then: threading.Event) -> None:
        super().__init__()
        self.then = then

    def wait(self, timeout: float | None = None) -> bool:
        """Wait as an event does; then comes the end."""
        said = super().wait(timeout)
        if not said:
            self.set()
            self.then.set()
        return said


def test_an_export_that_is_due_when_the_ledger_closes_does_not_keep_it_open(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread clears its call and waits for the next one: the last must not be lost."""
    place.stop()
    place.start(export_interval_s=0.01)
    ended = ClosedAtTheLastMoment(place.ledger._grown)
    monkeypatch.setattr(place.ledger, "_ended", ended)
    place.append(make_items(0, 3))

    assert ended.wait(20)
    place.ledger._exporting.join(20)
    assert not place.ledger._exporting.is_alive()


def test_reads_cover_every_partial_tile_and_bundle_of_every_signed_size(place: Place) -> None:
    items = make_items(0, 300)
    place.append(items)
    entries = [item.entry for item in items]
    whole = b"".join(leaf_hash(entry) for entry in entries)

    for n, width in ((0, 1), (0, 255), (0, 256), (1, 1), (1, 44)):
        start = n * 256
        assert place.ledger.tile(PROJECT, 0, n, width) == whole[start * 32 : (start + width) * 32]
        assert read_bundle(place.ledger.bundle(PROJECT, n, width)) == entries[start : start + width]
    assert len(place.ledger.tile(PROJECT, 1, 0, 1)) == 32


@pytest.mark.parametrize(
    ("level", "n", "width"),
    [
        (0, 1, 45),
        (0, 1, 256),
        (0, 2, 1),
        (0, 0, 0),
        (0, 0, 257),
        (0, -1, 1),
        (1, 0, 2),
        (2, 0, 1),
        (-1, 0, 1),
    ],
)
def test_a_tile_no_signed_head_has_is_not_found(
    place: Place, level: int, n: int, width: int
) -> None:
    place.append(make_items(0, 300))

    with pytest.raises(RequestError) as refused:
        place.ledger.tile(PROJECT, level, n, width)
    assert refused.value.code == "not_found"
    if level == 0:
        with pytest.raises(RequestError, match="no such tile"):
            place.ledger.bundle(PROJECT, n, width)


def test_every_entrys_receipt_can_be_had_again(place: Place) -> None:
    items = make_items(0, 258)
    place.append(items)
    for index in (0, 1, 127, 128, 255, 256, 257):
        again = Appended(index, duplicate=True, receipt=place.ledger.receipt(PROJECT, index))
        place.given.append((items[index], again))
    place.check()
    for index in (-1, 258):
        with pytest.raises(RequestError, match="no entry"):
            place.ledger.receipt(PROJECT, index)


def test_the_last_entry_is_there_for_the_clock(place: Place) -> None:
    assert place.ledger.last_entry(PROJECT) is None
    items = make_items(0, 2)
    place.append(items)
    assert place.ledger.last_entry(PROJECT) == items[-1].entry


def test_a_receipt_is_refused_when_the_stored_entry_changed(place: Place) -> None:
    """An outsider would refuse it; so it is not handed out."""
    place.append(make_items(0, 3))
    original = _change_entry(place, 1, b"another entry")

    with pytest.raises(EvidenceError) as refused:
        place.ledger.receipt(PROJECT, 1)
    assert refused.value.code == "proof"
    _change_entry(place, 1, original)


def test_nothing_is_published_that_does_not_hash_to_what_was_signed(place: Place) -> None:
    place.append(make_items(0, 3))
    original = _change_entry(place, 1, b"another entry")

    with pytest.raises(EvidenceError, match="entry 1 does not hash"):
        place.ledger.export_now()

    assert place.ledger.status(PROJECT).frozen
    with pytest.raises(EvidenceError, match="frozen"):
        place.append(make_items(3, 1))
    _change_entry(place, 1, original)
    assert place.check().exported_size == 0


def _change_entry(place: Place, index: int, entry: bytes) -> bytes:
    with sqlite3.connect(place.directory / "ledger.db") as db:
        [original] = db.execute("SELECT entry FROM entries WHERE idx = ?", (index,)).fetchone()
        db.execute("UPDATE entries SET entry = ? WHERE idx = ?", (entry, index))
    db.close()
    assert isinstance(original, bytes)
    return original


@contextmanager
def _writer_held(place: Place) -> Iterator[None]:
    """Hold the writer thread at the door of its transaction while requests pile up behind it."""
    store = place.store
    assert isinstance(store, SqliteLogStore)
    with store._db._write_lock:
        first = place.ledger.append(PROJECT, [])  # records nothing; the writer takes it and waits
        while not first.running():
            time.sleep(0.001)
        yield
