"""One suite for every log store: what `counterfoil.ledger.store.LogStore` promises."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError
from counterfoil.ledger.store import Item, Kept, Known, LogInfo, LogStore, Row
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.tlog.tree import EMPTY_ROOT, TreeHead
from tests.ledger_place import make_item, make_items

PROJECT = "default"
EMPTY = TreeHead(0, EMPTY_ROOT)

# Opens the store of a directory, made at first sight; a second call is a restart.
STORES: dict[str, Callable[[Path], LogStore]] = {
    "sqlite": lambda directory: SqliteLogStore(directory / "ledger.db", create=True),
}


@pytest.fixture(params=list(STORES))
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], LogStore]:
    return lambda: STORES[request.param](tmp_path)


@pytest.fixture
def store(open_store: Callable[[], LogStore]) -> Iterator[LogStore]:
    store = open_store()
    store.create_log(PROJECT, "ledger.example/default")
    yield store
    store.close()


def _rows(items: list[Item]) -> list[Row]:
    return [Row(item, item.digest) for item in items]


def _head(size: int) -> TreeHead:
    return TreeHead(size, bytes([size]) * 32)


def _write(store: LogStore, first: int, items: list[Item]) -> None:
    with store.write() as writing:
        old = writing.head(PROJECT)
        writing.insert(PROJECT, first, _rows(items))
        writing.put_tiles(PROJECT, {(0, 0): b"\x01" * 32 * (first + len(items))})
        writing.advance(PROJECT, old, _head(first + len(items)))


def test_a_fresh_log_is_empty(store: LogStore) -> None:
    assert store.projects() == [LogInfo(PROJECT, "ledger.example/default")]
    assert store.head(PROJECT) == EMPTY
    assert store.entries(PROJECT, 0, 10) == []
    assert store.kept(PROJECT, 0, 10) == []


def test_logs_are_listed_by_project_name(store: LogStore) -> None:
    store.create_log("abacus", "ledger.example/abacus")

    assert [log.project for log in store.projects()] == ["abacus", PROJECT]


@pytest.mark.parametrize(
    ("project", "origin"),
    [(PROJECT, "ledger.example/other"), ("other", "ledger.example/default")],
    ids=["the same project", "the same origin"],
)
def test_project_and_origin_are_each_taken_once(store: LogStore, project: str, origin: str) -> None:
    with pytest.raises(RequestError) as refused:
        store.create_log(project, origin)
    assert refused.value.code == "dir_exists"
    assert len(store.projects()) == 1


def test_what_is_committed_is_read_back_as_it_was_written(store: LogStore) -> None:
    items = [make_item("a", blobs=3), make_item("b"), make_item("c", blobs=1)]
    _write(store, 0, items)

    assert store.entries(PROJECT, 0, 99) == [item.entry for item in items]
    assert store.kept(PROJECT, 1, 3) == [
        Kept(index, item.entry, item.salt, item.sealed, item.blobs)
        for index, item in list(enumerate(items))[1:]
    ]
    assert store.head(PROJECT) == _head(3)
    assert store.tile(PROJECT, 0, 0) == b"\x01" * 96
    assert store.find(PROJECT, "urn:test", "b") == 1
    assert store.find(PROJECT, "urn:other", "b") is None


def test_what_is_committed_outlives_a_restart(
    store: LogStore, open_store: Callable[[], LogStore]
) -> None:
    _write(store, 0, make_items(0, 5))
    store.close()
    again = open_store()

    assert again.head(PROJECT) == _head(5)
    assert len(again.entries(PROJECT, 0, 9)) == 5
    again.close()


def test_a_transaction_sees_its_own_writes_and_readers_see_none_of_them(store: LogStore) -> None:
    with store.write() as writing:
        writing.insert(PROJECT, 0, _rows(make_items(0, 1)))
        writing.advance(PROJECT, EMPTY, _head(1))
        assert writing.head(PROJECT) == _head(1)
        keys = [("urn:test", "event-0"), ("urn:test", "event-1"), ("urn:other", "event-0")]
        assert writing.find_all(PROJECT, keys) == {
            ("urn:test", "event-0"): Known(0, make_items(0, 1)[0].digest)
        }
        assert store.head(PROJECT) == EMPTY
        assert store.entries(PROJECT, 0, 9) == []
        assert store.find(PROJECT, "urn:test", "event-0") is None
    assert store.head(PROJECT) == _head(1)


def test_a_block_left_by_an_exception_leaves_nothing(store: LogStore) -> None:
    def write_and_fail() -> None:
        with store.write() as writing:
            writing.insert(PROJECT, 0, _rows(make_items(0, 3)))
            writing.put_tiles(PROJECT, {(0, 0): b"\x01" * 32})
            writing.advance(PROJECT, EMPTY, _head(3))
            raise KeyError("in the middle")

    with pytest.raises(KeyError):
        write_and_fail()

    assert store.head(PROJECT) == EMPTY
    assert store.kept(PROJECT, 0, 9) == []
    assert store.find(PROJECT, "urn:test", "event-0") is None
    _write(store, 0, make_items(0, 1))


@pytest.mark.parametrize(
    "old",
    [_head(0), TreeHead(1, EMPTY_ROOT), _head(3)],
    ids=["another root", "another size", "a later head"],
)
def test_the_head_moves_only_from_exactly_the_one_named(store: LogStore, old: TreeHead) -> None:
    def swap() -> None:
        with store.write() as writing:
            writing.insert(PROJECT, 0, _rows(make_items(0, 1)))
            writing.advance(PROJECT, old, _head(1))

    with pytest.raises(UnavailableError) as refused:
        swap()
    assert refused.value.code == "locked"
    assert store.head(PROJECT) == EMPTY
    assert store.entries(PROJECT, 0, 9) == []


@pytest.mark.parametrize(
    ("first", "item"),
    [(0, make_item("fresh")), (1, make_item("event-0"))],
    ids=["an index", "an idempotency key"],
)
def test_what_is_taken_is_never_overwritten(store: LogStore, first: int, item: Item) -> None:
    _write(store, 0, make_items(0, 1))
    before = store.kept(PROJECT, 0, 9)

    with pytest.raises(CounterfoilError):
        _write(store, first, [item])

    assert store.kept(PROJECT, 0, 9) == before
    assert store.find(PROJECT, "urn:test", "event-0") == 0


def test_a_wider_tile_takes_the_place_of_the_narrower(store: LogStore) -> None:
    for width in (1, 200, 256):
        with store.write() as writing:
            writing.put_tiles(PROJECT, {(0, 0): b"\x05" * 32 * width, (1, 0): b"\x06" * 32})
        assert store.tile(PROJECT, 0, 0) == b"\x05" * 32 * width


def test_an_absent_tile_is_missing_evidence(store: LogStore) -> None:
    with pytest.raises(EvidenceError) as refused:
        store.tile(PROJECT, 0, 7)
    assert refused.value.code == "missing"


def test_an_entry_missing_in_the_middle_is_named(store: LogStore) -> None:
    """A range never closes over a hole: what follows would slide to another index."""
    _write(store, 0, make_items(0, 2))
    with store.write() as writing:
        writing.insert(PROJECT, 3, _rows(make_items(3, 2)))

    for read in (store.entries, store.kept):
        with pytest.raises(EvidenceError, match="entry 2 is missing") as refused:
            read(PROJECT, 0, 9)
        assert refused.value.code == "missing"
        with pytest.raises(EvidenceError):
            read(PROJECT, 2, 9)
    assert len(store.entries(PROJECT, 0, 2)) == 2


def test_logs_do_not_see_each_other(store: LogStore) -> None:
    store.create_log("other", "ledger.example/other")
    _write(store, 0, make_items(0, 3))

    assert store.head("other") == EMPTY
    assert store.entries("other", 0, 9) == []
    assert store.find("other", "urn:test", "event-0") is None
    with pytest.raises(EvidenceError):
        store.tile("other", 0, 0)


def test_an_unknown_project_has_no_head(store: LogStore) -> None:
    with pytest.raises(RequestError) as refused:
        store.head("nowhere")
    assert refused.value.code == "project_unknown"
    with pytest.raises(RequestError), store.write() as writing:
        writing.head("nowhere")
