"""The search index in views.db: the same however it was written, complete, and of one project."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from counterfoil.projections.search_entry import FoundBy
from counterfoil.projections.search_set import CHUNK, from_entries
from counterfoil.stores.search import SearchIndex, _Remembered
from counterfoil.stores.tables import Position, Tables

PROJECT = "default"


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    opened = Tables(tmp_path / "views.db")
    yield opened
    opened.close()


def entries(numbers: Sequence[int]) -> list[FoundBy]:
    """Return entries: every second one passed, every fifth names a release of its own."""
    return [
        FoundBy(
            n,
            (
                ("outcome", "passed" if n % 2 else "failed"),
                ("ref", "env:qa"),
                *([("ref", f"release:shop@{n}")] if n % 5 == 0 else ()),
            ),
            f"ran test number{n} of " + ("odd" if n % 2 else "even"),
        )
        for n in numbers
    ]


def add(tables: Tables, index: SearchIndex, numbers: Sequence[int], project: str = PROJECT) -> None:
    with tables.write(project) as writing:
        index.add(writing.connection, project, entries(numbers))
        writing.set_position(Position(numbers[-1] + 1, (), b"\0" * 32))


def marked(tables: Tables, index: SearchIndex, field: str, value: str, size: int) -> int:
    with tables.read() as connection:
        [found] = index.marked(connection, PROJECT, field, [value], size)
    return found


def worded(
    tables: Tables, index: SearchIndex, phrase: str, size: int, *, prefix: bool = False
) -> int:
    with tables.read() as connection:
        return index.worded(connection, PROJECT, phrase, size, prefix=prefix)


def test_marks_words_and_beginnings_find_their_entries(tables: Tables) -> None:
    index = SearchIndex()
    add(tables, index, range(20))

    assert marked(tables, index, "outcome", "passed", 20) == from_entries(range(1, 20, 2), 0)
    assert marked(tables, index, "ref", "release:shop@15", 20) == 1 << 15
    assert worded(tables, index, "of odd", 20) == from_entries(range(1, 20, 2), 0)
    assert worded(tables, index, "number7", 20) == 1 << 7
    assert worded(tables, index, "number1", 20, prefix=True) == from_entries([1, *range(10, 20)], 0)
    assert worded(tables, index, "odd of", 20) == 0
    with tables.read() as connection:
        shops = index.marked_from(connection, PROJECT, "ref", "release:shop@1", 20)
        assert shops == from_entries([10, 15], 0)
        assert index.values(connection, PROJECT, "outcome", 5) == ["failed", "passed"]
        assert index.values(connection, PROJECT, "ref", 5) == [], "refs are not counted"


@pytest.mark.parametrize(
    "phrase", ['"', 'a" OR "ran', "ran AND", "NEAR(ran test)", "line:ran", "-ran", "ran*test", "("]
)
def test_a_phrase_is_text_and_no_language(tables: Tables, phrase: str) -> None:
    """FTS5 has operators; what people paste must neither raise nor widen the search."""
    index = SearchIndex()
    add(tables, index, range(3))

    found = worded(tables, index, phrase, 3)

    words = "".join(c if c.isalnum() else " " for c in phrase.lower()).split()
    assert found in ({0b111} if words in (["ran"], ["ran", "test"]) else {0})


def test_a_project_named_like_an_inner_table_keeps_its_words_to_itself(tables: Tables) -> None:
    index = SearchIndex()
    for project in ("shop", "shop-data", "shop-idx", "shop-search", "shop-search-data"):
        add(tables, index, range(3), project)

    with tables.write("shop") as writing:
        index.clear(writing.connection, "shop")

    with tables.read() as connection:
        assert index.worded(connection, "shop", "ran", 3, prefix=False) == 0
        for project in ("shop-data", "shop-idx", "shop-search", "shop-search-data"):
            index.forget(project)
            assert index.worded(connection, project, "ran", 3, prefix=False) == 0b111


def test_rows_are_equal_whatever_the_batches(tmp_path: Path) -> None:
    """A rebuild must give the rows that following live gave, byte for byte."""
    dumps = []
    size = CHUNK + 300
    for number, step in enumerate((size, 997, 4_096)):
        tables = Tables(tmp_path / f"{number}.db")
        index = SearchIndex()
        for start in range(0, size, step):
            add(tables, index, range(start, min(start + step, size)))
        dumps.append([line for line in tables.dump() if line[0].startswith("search_")])
        tables.close()

    assert dumps[0] == dumps[1] == dumps[2]
    assert any(line[1][3] == 1 for line in dumps[0]), "a second chunk was begun"


def test_what_is_remembered_grows_with_the_log(tables: Tables) -> None:
    """A full chunk is read once; what comes after it must be seen all the same."""
    index = SearchIndex()
    add(tables, index, range(CHUNK + 10))
    before = marked(tables, index, "ref", "env:qa", CHUNK + 10)
    words = worded(tables, index, "odd", CHUNK + 10)

    add(tables, index, range(CHUNK + 10, 2 * CHUNK + 5))
    size = 2 * CHUNK + 5

    assert before == (1 << (CHUNK + 10)) - 1
    assert marked(tables, index, "ref", "env:qa", size) == (1 << size) - 1
    assert worded(tables, index, "odd", size).bit_count() == size // 2
    assert words.bit_count() == (CHUNK + 10) // 2
    fresh = SearchIndex()
    assert marked(tables, fresh, "outcome", "failed", size) == marked(
        tables, index, "outcome", "failed", size
    )


def test_a_reader_of_an_earlier_moment_gets_no_later_chunk(tables: Tables) -> None:
    index = SearchIndex()
    add(tables, index, range(CHUNK))
    with tables.read() as earlier:
        assert index.marked(earlier, PROJECT, "ref", ["env:qa"], 10)[0] & ((1 << 10) - 1)
        add(tables, index, range(CHUNK, 2 * CHUNK))
        assert marked(tables, index, "ref", "env:qa", 2 * CHUNK).bit_count() == 2 * CHUNK

        [found] = index.marked(earlier, PROJECT, "ref", ["env:qa"], CHUNK)

    assert found.bit_count() == CHUNK


def test_what_was_made_again_is_not_answered_from_memory(tables: Tables) -> None:
    index = SearchIndex()
    add(tables, index, range(CHUNK))
    assert marked(tables, index, "ref", "env:qa", CHUNK).bit_count() == CHUNK

    with tables.write(PROJECT) as writing:
        writing.clear()
        index.clear(writing.connection, PROJECT)
    index.forget(PROJECT)

    assert marked(tables, index, "ref", "env:qa", CHUNK) == 0
    assert worded(tables, index, "ran", CHUNK) == 0


def test_a_set_read_while_the_rows_went_is_not_kept() -> None:
    """It was read from rows that are gone by now; after an erasure they would say too much."""
    remembered = _Remembered(1_000_000)
    key = (PROJECT, "mark", "ref", "env:qa")

    def load_while_rows_go(_first: int) -> int:
        remembered.forget(PROJECT)
        return 0b1

    assert remembered.one(key, CHUNK, load_while_rows_go) == 0b1
    assert remembered.one(key, CHUNK, lambda _first: 0b10) == 0b10


def test_memory_is_bounded(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    from counterfoil.stores import search

    monkeypatch.setattr(search, "REMEMBERED_BYTES_MAX", 8_000)
    index = SearchIndex()
    add(tables, index, range(CHUNK))

    for n in range(0, 400, 5):
        assert marked(tables, index, "ref", f"release:shop@{n}", CHUNK) == 1 << n
    for value in ("passed", "failed", "passed"):
        assert marked(tables, index, "outcome", value, CHUNK).bit_count() == CHUNK // 2

    assert index._remembered._bytes <= 8_000
    assert index._remembered._sets


def test_a_file_of_other_folds_loses_its_words_too(tmp_path: Path) -> None:
    tables = Tables(tmp_path / "views.db")
    index = SearchIndex()
    add(tables, index, range(3))
    with tables.write(PROJECT) as writing:
        writing.connection.exec_driver_sql("UPDATE folds SET version = version - 1")
    tables.close()

    tables = Tables(tmp_path / "views.db")
    try:
        assert worded(tables, SearchIndex(), "ran", 3) == 0
        add(tables, SearchIndex(), range(3))
        assert worded(tables, SearchIndex(), "ran", 3) == 0b111
    finally:
        tables.close()
