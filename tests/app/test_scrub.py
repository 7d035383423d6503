"""The scrubber: what is damaged while the server runs is found, said once, and said to be over."""

import contextlib
import errno
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from counterfoil.app import scrub_look
from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.app.opening import open_all
from counterfoil.app.record import LOCAL
from counterfoil.app.scrub import DAMAGED_TYPE, RECOVERED_TYPE
from counterfoil.app.scrub_look import look_at_pages
from counterfoil.client.evidence_rows import LEDGER
from counterfoil.clock import SteppedClock
from counterfoil.errors import CounterfoilError, UnavailableError
from counterfoil.events.entry import read_entry
from counterfoil.ids import SeededRandomness
from counterfoil.policy.access import LOG as ACCESS_LOG
from counterfoil.verifier.report import Findings
from tests.ledgers import make_sample

EVENTS = 300


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("scrub") / "ledger"
    randomness = SeededRandomness("scrub")
    create_home(directory, randomness)
    create_home(directory, randomness, project="other")
    with open_home(directory, SteppedClock(), randomness) as opened:
        fill(opened, 0, EVENTS)
    return directory


@pytest.fixture
def home(pristine: Path, tmp_path: Path) -> Iterator[Home]:
    directory = Path(shutil.copytree(pristine, tmp_path / "ledger"))
    opened = open_home(directory, SteppedClock(), SeededRandomness("opened"))
    yield opened
    with contextlib.suppress(CounterfoilError):  # what is damaged cannot be exported
        opened.close()


def fill(home: Home, first: int, end: int) -> None:
    """Record sample events, every fifth with a blob, and publish them."""
    events = []
    for number in range(first, end):
        content = f"line of blob {number}\n".encode() * 20
        blobs = (
            [home.recorder.put_blob(content, "log.txt", "text/plain")] if number % 5 == 0 else []
        )
        events.append(make_sample(number, blobs))
    home.recorder.record("default", events, LOCAL, "cli")
    home.ledger.export_now()
    assert home.outside.aggregate is not None
    home.outside.aggregate.write(home.outside._sources)


def events_of(home: Home, kind: str, log: str = "default") -> list[dict[str, Any]]:
    """Return the data of the events of one type in a log, in order."""
    size = home.log.head(log).size
    found = []
    for kept in home.log.kept(log, 0, size):
        entry = read_entry(kept.entry)
        if entry.type == kind:
            body = open_all(entry, kept, home.keys, log).body
            assert body is not None
            found.append(msgspec.json.decode(body)["data"])
    return found


def run(home: Home, name: str, statement: str) -> None:
    """Change a database as a failing disk would: behind the server's back."""
    db = sqlite3.connect(home.directory / name)
    with db:
        assert db.execute(statement).rowcount >= 1, "the damage has to hit something"
    db.close()


def flip(path: Path, at: int) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_whole_ledger_raises_no_alarm_however_often_it_is_read(home: Home) -> None:
    for _ in range(3):
        home.scrub.read_through()
        fill(home, home.log.head("default").size, home.log.head("default").size + 3)

    assert home.scrub.damages() == ()
    assert events_of(home, DAMAGED_TYPE) == []


def _cell(table: str, column: str, where: str) -> Callable[[Home], None]:
    name = "erasable.db" if table in {"event_keys", "people", "blob_keys"} else "ledger.db"
    return lambda home: run(
        home, name,
        f"UPDATE {table} SET {column} = zeroblob(length({column})) WHERE {where}",  # noqa: S608  names of ours
    )  # fmt: skip


def _file(path: str, at: int = 40) -> Callable[[Home], None]:
    return lambda home: flip(home.directory / path, at)


def _blob(home: Home) -> None:
    flip(min((home.directory / "blobs").glob("??/*")), 30)


DAMAGES: dict[str, tuple[Callable[[Home], None], str, tuple[int | None, int | None]]] = {
    "an entry": (
        _cell("entries", "entry", "project = 'default' AND idx = 17"),
        "ledger.db entries row 17 of default column entry", (17, 17),
    ),
    "an entry that is gone": (
        lambda home: run(home, "ledger.db",
                         "DELETE FROM entries WHERE project = 'default' AND idx = 290"),
        "ledger.db entries row 290 of default", (290, 290),
    ),
    "a salt": (
        _cell("entries", "salt", "project = 'default' AND idx = 18"),
        "ledger.db entries row 18 of default column salt", (18, 18),
    ),
    "a sealed piece": (
        _cell("bodies", "data", "project = 'default' AND idx = 19 AND name = 'body'"),
        "ledger.db bodies row 19", (19, 19),
    ),
    "an idempotency digest": (
        _cell("idem", "digest", "project = 'default' AND idx = 20"),
        "ledger.db idem row", (20, 20),
    ),
    "the key of an event": (
        _cell("event_keys", "key", "project = 'default' AND idx = 21"),
        "erasable.db event_keys row 21 of default column key", (21, 21),
    ),
    "a tile": (
        _cell("tiles", "data", "project = 'default' AND level = 0 AND n = 0"),
        "ledger.db tiles row level 0 n 0", (0, 255),
    ),
    "a tile of the right edge": (
        _cell("tiles", "data", "project = 'default' AND level = 1 AND n = 0"),
        "ledger.db tiles row", (0, 299),
    ),
    "the head": (
        lambda home: run(home, "ledger.db", "UPDATE heads SET size = 2 WHERE project = 'default'"),
        "ledger.db heads row of the log of default", (None, None),
    ),
    "a blob": (_blob, "blobs/", (0, 299)),
    "an exported bundle": (
        _file("public/default/tile/entries/000"), "public/default/tile/entries/000", (0, 255),
    ),
    "an exported tile": (
        _file("public/default/tile/0/000"), "public/default/tile/0/000", (0, 255),
    ),
    "the exported bundle of the edge": (
        _file(f"public/default/tile/entries/001.p/{EVENTS - 256}"),
        "public/default/tile/entries/001.p", (256, 299),
    ),
    "the published checkpoint": (
        _file("public/default/checkpoint", 60), "public/default/checkpoint", (0, 299),
    ),
    "an exported bundle that is gone": (
        lambda home: (home.directory / "public/default/tile/entries/000").unlink(),
        "public/default/tile/entries/000", (0, 255),
    ),
    "the aggregate log": (
        lambda home: run(home, "aggregate.db", "UPDATE entries SET entry = zeroblob(200)"),
        "aggregate.db entries row 0 column entry", (0, 0),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("harm", "name", "span"), DAMAGES.values(), ids=[f"{name} is named" for name in DAMAGES]
)
def test_what_is_damaged_is_named_with_its_entries(
    home: Home, harm: Callable[[Home], None], name: str, span: tuple[int | None, int | None]
) -> None:
    harm(home)
    home.scrub.read_through()

    found = home.scrub.damages()
    assert found, "nothing was found"
    objects = {line: each for each in found for line in each.objects.split("\n")}
    assert any(name in line for line in objects), objects
    one = next(each for line, each in objects.items() if name in line)
    first, last = span
    if first is None:
        assert (one.first, one.last) == (None, None)
    else:
        assert one.first is not None
        assert one.last is not None
        assert last is not None
        assert first <= one.first <= one.last <= last


def test_damage_is_one_event_however_often_it_is_read(home: Home) -> None:
    _cell("bodies", "data", "project = 'default' AND idx = 19 AND name = 'body'")(home)

    for _ in range(3):
        home.scrub.read_through()

    [told] = events_of(home, DAMAGED_TYPE)
    assert (told["log"], told["classes"], told["first"]) == ("default", ["damaged"], 19)
    assert any("ledger.db bodies row 19" in one for one in told["objects"])
    [one] = home.scrub.damages()
    assert (one.recorded_in, one.entry) == ("default", EVENTS)


def test_further_damage_in_a_place_that_is_damaged_already_is_told_too(home: Home) -> None:
    """A ledger of less than 256 entries is one place: nobody may hide behind the first flipped bit."""
    _cell("bodies", "data", "project = 'default' AND idx = 3 AND name = 'body'")(home)
    home.scrub.read_through()
    _cell("bodies", "data", "project = 'default' AND idx BETWEEN 10 AND 25 AND name = 'body'")(home)
    for _ in range(2):
        home.scrub.read_through()

    first, second = events_of(home, DAMAGED_TYPE)
    assert (first["first"], first["last"]) == (3, 3)
    assert (second["first"], second["last"]) == (3, 25)
    assert second["objects"][-1] == "and 7 more"
    [one] = home.scrub.damages()
    assert (one.first, one.last) == (3, 25)


def failing(number: int, times: int) -> Callable[[Findings], None]:
    """Return a look the system refuses with an error of that number, so many times."""
    left = iter(range(times))

    def look(findings: Findings) -> None:
        del findings
        if next(left, None) is not None:
            raise UnavailableError("storage", "cannot be read") from OSError(number, "refused")

    return look


@pytest.mark.parametrize(
    ("number", "times", "damaged"),
    [
        (errno.EIO, 2, True),
        (errno.EIO, 1, False),
        (errno.EMFILE, 9, False),
        (errno.EACCES, 9, False),
    ],
    ids=["a sector that is lost", "a disk that stuttered", "too many open files", "no permission"],
)
def test_only_a_disk_that_has_lost_a_place_is_damage(
    home: Home, number: int, times: int, damaged: bool
) -> None:
    """And it keeps nobody from reading what comes after it."""
    home.scrub._look("default/entries/0", "default", failing(number, times))

    assert bool(home.scrub.damages()) == damaged


def test_what_reads_whole_again_is_an_event_too_and_no_alarm_any_more(home: Home) -> None:
    path = home.directory / "public/default/tile/entries/000"
    flip(path, 40)
    home.scrub.read_through()
    flip(path, 40)
    home.scrub.read_through()

    assert home.scrub.damages() == ()
    [told] = events_of(home, RECOVERED_TYPE)
    assert told["objects"] == ["public/default/tile/entries/000"]


def test_what_is_damaged_is_known_after_a_restart(home: Home) -> None:
    flip(home.directory / "public/default/tile/entries/000", 40)
    home.scrub.read_through()
    found = home.scrub.damages()
    home.close()

    with open_home(home.directory, SteppedClock(), SeededRandomness("again")) as again:
        assert again.scrub.damages() == found
        again.scrub.read_through()
        assert len(events_of(again, DAMAGED_TYPE)) == 1


def test_of_a_log_that_takes_nothing_the_damage_is_on_record_in_the_ledgers_own(
    home: Home,
) -> None:
    """The log is frozen by an export that found other bytes standing; the alarm is no less one."""
    path = home.directory / "public/default/tile/entries/000"
    flip(path, 40)
    home.ledger._logs["default"].frozen = "for this test"
    home.scrub.read_through()

    assert events_of(home, DAMAGED_TYPE) == []
    [told] = events_of(home, DAMAGED_TYPE, ACCESS_LOG)
    assert told["objects"] == [str(path.relative_to(home.directory))]
    home.ledger._logs["default"].frozen = ""


def test_the_end_of_a_server_waits_for_no_look_at_all_pages(home: Home) -> None:
    """Of a large database it takes minutes, and whoever stops a service waits seconds."""
    home.scrub._stop.set()

    with pytest.raises(UnavailableError):
        look_at_pages(home.directory, LEDGER, home.scrub._stop.is_set, Findings())
    home.scrub._stop.clear()


def test_pages_of_a_file_too_large_to_break_off_are_left_to_fsck(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at 16 GB cannot be ended: the server would not end either, and is killed."""
    monkeypatch.setattr(scrub_look, "PAGES_BYTES_MAX", 4_096)
    home.scrub._stop.set()
    findings = Findings()
    look_at_pages(home.directory, LEDGER, home.scrub._stop.is_set, findings)
    assert not len(findings)
    home.scrub._stop.clear()


def test_pages_that_nobody_came_to_look_at_are_looked_at_by_the_next_pass(home: Home) -> None:
    """A look that is broken off has seen nothing; noted as done, it would be left out for a day."""
    home.scrub._stop.set()
    home.scrub.read_through()
    assert LEDGER.name not in home.scrub._progress
    home.scrub._stop.clear()
    home.scrub.read_through()
    assert LEDGER.name in home.scrub._progress


def test_a_pass_that_broke_off_goes_on_where_it_was(home: Home) -> None:
    """Else a server that is restarted often never reads the end of its log."""
    steps = home.scrub._pass()
    while "default" not in home.scrub._progress:
        next(steps)
    assert home.scrub._progress["default"].next == 256
    home.state.scrub.put_progress(home.scrub._progress)
    home.close()

    run(home, "ledger.db", "UPDATE bodies SET data = zeroblob(9) WHERE idx = 19")
    with open_home(home.directory, SteppedClock(), SeededRandomness("again")) as again:
        for _ in again.scrub._pass():
            pass
        assert again.scrub.damages() == (), "entry 19 was read before, in this pass"
        for _ in again.scrub._pass():
            pass
        assert [one.first for one in again.scrub.damages()] == [19]
