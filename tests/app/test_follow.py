"""Following a real log: what is folded is what was signed."""

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.follow import Follower
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.errors import EvidenceError
from counterfoil.ledger.store import Sealed
from counterfoil.projections.base import Recorded
from counterfoil.projections.catalogue import PROJECTIONS
from counterfoil.projections.releases import RELEASES, ReleaseRow
from counterfoil.stores.tables import Position, Tables, Writing
from tests.app.desk import (
    PROJECT,
    TIMEOUT_S,
    Altered,
    Forgetful,
    desk,
    examples,
    record,
    story,
    suite,
)

Dump = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with desk(tmp_path / "ledger") as opened:
        yield opened


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Tables]:
    opened = Tables(tmp_path / "other.db")
    yield opened
    opened.close()


def follower(home: Home, tables: Tables, batch_size: int = 1_000, **instead: Any) -> Follower:
    parts = {"log": home.log, "keys": home.keys, "ledger": home.ledger, **instead}
    return Follower(tables=tables, batch_size=batch_size, **parts)


def dump(tables: Tables) -> Dump:
    return list(tables.dump())


def fresh(home: Home, path: Path, batch_size: int = 1_000) -> Dump:
    """Return what a database that never followed before holds after catching up."""
    opened = Tables(path)
    follower(home, opened, batch_size).catch_up(PROJECT)
    found = dump(opened)
    opened.close()
    return found


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1_000])
def test_rows_do_not_depend_on_where_batches_end(
    home: Home, tables: Tables, tmp_path: Path, batch_size: int
) -> None:
    """Live following in odd parts, a rebuild, and a fresh database give the same bytes."""
    live = follower(home, tables, batch_size)
    events = [*examples(), *story(), *suite(40)]
    for start, end in ((0, 3), (3, 60), (60, 61), (61, len(events))):
        record(home, events[start:end])
        live.catch_up(PROJECT)

    followed = dump(tables)

    assert len(followed) > len(events)
    assert follower(home, tables).rebuild(PROJECT) == len(events)
    assert dump(tables) == followed
    assert fresh(home, tmp_path / "fresh.db", 13) == followed
    assert dump(home.tables) == followed, "the background thread's rows"


def test_an_entry_that_is_not_in_the_signed_tree_is_not_folded(home: Home, tables: Tables) -> None:
    """Somebody with root edits a row of the database: the rows must not follow."""
    record(home, story())
    [kept] = home.log.kept(PROJECT, 6, 7)
    edited = kept.entry.replace(b"1.4.2", b"1.4.3")
    assert edited != kept.entry
    following = follower(home, tables, 4, log=Altered(home.log, index=6, entry=edited))

    with pytest.raises(EvidenceError, match="entries 4 to 7 of default") as raised:
        following.catch_up(PROJECT)

    assert raised.value.code == "damaged"
    assert tables.position(PROJECT).size == 4, "what came before is folded"
    assert "entries 4 to 7" in (following.stopped(PROJECT) or "")


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ((Sealed("body", "event", b"other bytes that were never sealed"),), "damaged"),
        ((Sealed("body", "plain", b'{"data":{"title":"forged"}}'),), "commitment"),
        ((), "missing"),
    ],
    ids=["not what was sealed", "not what was committed to", "not there"],
)
def test_a_body_that_does_not_match_its_entry_is_not_folded(
    home: Home, tables: Tables, pieces: tuple[Sealed, ...], code: str
) -> None:
    record(home, story())
    following = follower(home, tables, log=Altered(home.log, index=6, sealed=pieces))

    with pytest.raises(EvidenceError) as raised:
        following.catch_up(PROJECT)

    assert raised.value.code == code
    assert tables.position(PROJECT).size == 0


def test_rows_of_a_longer_log_are_not_continued(home: Home, tables: Tables) -> None:
    """An older ledger.db was put back: views.db remembers more than it holds."""
    record(home, story())
    with tables.write(PROJECT) as writing:
        writing.set_position(Position(4096, (b"n" * 32,), b"r" * 32))
    following = follower(home, tables)

    with pytest.raises(
        EvidenceError, match="the rows rest on 4096 entries, the log has 11"
    ) as raised:
        following.catch_up(PROJECT)

    assert raised.value.code == "rolled_back"


def test_rows_of_another_log_are_not_continued_until_they_are_rebuilt(
    home: Home, tables: Tables, tmp_path: Path
) -> None:
    record(home, story())
    with tables.write(PROJECT) as writing:
        writing.set_position(Position(4, (b"n" * 32,), b"r" * 32))
    following = follower(home, tables)

    with pytest.raises(EvidenceError, match="do not lead to the signed root"):
        following.catch_up(PROJECT)
    assert following.rebuild(PROJECT) == 11

    assert following.stopped(PROJECT) is None
    assert dump(tables) == fresh(home, tmp_path / "fresh.db")


def test_an_erased_body_folds_as_nothing(home: Home, tables: Tables) -> None:
    """What was erased must not come back out of derived data."""
    record(home, story())
    following = follower(home, tables, keys=Forgetful(home.keys, {1, 6}, set()))

    assert following.catch_up(PROJECT) == 11

    text = repr(dump(tables))
    assert "Round VAT" not in text
    assert "release:shop@1.4.2" in text


class Breakable:
    """A fold that fails at one entry while it is broken."""

    def __init__(self) -> None:
        self.broken = True

    def fold(self, key: str, row: ReleaseRow | None, recorded: Recorded) -> ReleaseRow:
        """Fold a release, or fail."""
        if self.broken and recorded.index == 9:
            raise ZeroDivisionError
        return RELEASES.fold(key, row, recorded)


def test_a_fold_that_fails_stops_following_at_its_entry(home: Home, tmp_path: Path) -> None:
    """Rows that silently lack an entry would look whole."""
    record(home, story())
    breakable = Breakable()
    nouns = [
        dataclasses.replace(one, fold=breakable.fold) if one.noun == "releases" else one
        for one in PROJECTIONS
    ]
    tables = Tables(tmp_path / "broken.db", nouns)
    following = follower(home, tables, 8)

    with pytest.raises(ZeroDivisionError):
        following.catch_up(PROJECT)

    assert tables.position(PROJECT).size == 8
    assert "folding entry 9 into releases 'release:shop@1.4.2'" in (
        following.stopped(PROJECT) or ""
    )

    breakable.broken = False
    assert following.catch_up(PROJECT) == 11
    assert following.stopped(PROJECT) is None
    tables.close()


def test_the_thread_says_why_it_stopped_and_waiters_do_not_hang(
    home: Home, tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    record(home, story())
    following = follower(home, tables, log=Altered(home.log, index=6, entry=b"{}"))
    with caplog.at_level(logging.ERROR):
        following.start()
        assert not following.wait_for(PROJECT, 11, TIMEOUT_S)
    following.close()

    assert "following default stopped" in caplog.text


def test_a_crash_in_the_middle_of_a_batch_loses_and_repeats_nothing(
    home: Home, tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(home, [*story(), *suite(20)])
    following = follower(home, tables, 10)
    saved: list[Position] = []
    save = Writing.set_position

    def fall(writing: Writing, position: Position) -> None:
        save(writing, position)
        saved.append(position)
        if len(saved) == 2:
            raise OSError("the power went away")

    with monkeypatch.context() as patched:
        patched.setattr(Writing, "set_position", fall)
        with pytest.raises(OSError, match="the power went away"):
            following.catch_up(PROJECT)
    assert tables.position(PROJECT).size == 10

    following.catch_up(PROJECT)

    assert dump(tables) == fresh(home, tmp_path / "fresh.db")


def test_a_page_can_wait_for_what_was_just_recorded(home: Home) -> None:
    answers = home.recorder.record(PROJECT, story(), LOCAL, "cli")

    assert home.follower.wait_for(PROJECT, answers[-1].index + 1, TIMEOUT_S)
    assert home.reader.release(PROJECT, "release:shop@1.4.2") is not None


def test_waiting_for_what_never_comes_ends(home: Home) -> None:
    assert not home.follower.wait_for(PROJECT, 1, 0.05)


def test_an_empty_log_is_followed(home: Home, tables: Tables) -> None:
    assert follower(home, tables).catch_up(PROJECT) == 0
    assert home.follower.size(PROJECT) == 0


def test_a_run_of_many_cases_makes_few_versions_of_its_row(home: Home) -> None:
    record(home, suite(100))

    versions = [line for name, line in home.tables.dump() if name == "runs"]
    cases = [line for name, line in home.tables.dump() if name == "cases"]

    assert len(versions) == 2
    assert len(cases) == 110
