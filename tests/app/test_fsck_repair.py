"""fsck --repair: what follows from the rest is derived again and put on record; nothing else is."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from counterfoil.app import fsck_repair
from counterfoil.app.fsck_report import FsckReport, Repairs
from counterfoil.app.home import open_home
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.events.entry import read_entry
from counterfoil.ids import SeededRandomness
from counterfoil.tlog.tree import leaf_hash, root_from_leaves
from counterfoil.verifier.stages import derived_from
from tests.client.verifying import verify
from tests.fscking import (
    EVENTS,
    OTHERS,
    a_copy,
    build,
    checked,
    files,
    flip,
    put,
    record,
    remove,
    said,
    sql,
)

TYPE = "dev.cdeventsx.counterfoil-log.repaired.0.1.0"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("repair") / "ledger"
    build(directory)
    return directory


@pytest.fixture
def directory(pristine: Path, tmp_path: Path) -> Path:
    return a_copy(pristine, tmp_path / "ledger")


def repair(directory: Path, seed: str = "repair", since: tuple[Path, ...] = ()) -> FsckReport:
    return fsck_repair.repair(directory, SteppedClock(), SeededRandomness(seed), since=since)


def repairs(report: FsckReport) -> Repairs:
    assert report.repairs is not None
    return report.repairs


def entries(directory: Path, project: str = "default", name: str = "ledger.db") -> list[bytes]:
    db = sqlite3.connect(f"{(directory / name).as_uri()}?mode=ro", uri=True)
    rows = db.execute(
        "SELECT entry FROM entries WHERE project = ? ORDER BY idx", (project,)
    ).fetchall()
    db.close()
    return [entry for (entry,) in rows]


ENTRY = "UPDATE entries SET entry = flipped(entry) WHERE project = 'default' AND idx = 270"
DERIVABLE: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    # id: the log it is told in, the thing that is named, the damage
    "an entry whose bundle is whole": (
        "default", "ledger.db entries row 270 of default column entry", sql("ledger.db", ENTRY),
    ),
    "a tile of the database": (
        "default", "ledger.db tiles row level 0 n 0 of default column data",
        sql("ledger.db", "UPDATE tiles SET data = flipped(data) "
            "WHERE project = 'default' AND level = 0 AND n = 0"),
    ),
    "all tiles of the database": (
        "default", "ledger.db tiles row level 1 n 0 of default column data",
        sql("ledger.db", "DELETE FROM tiles WHERE project = 'default'"),
    ),
    "a tile of no tree": (
        "other", "ledger.db tiles row level 0 n 9 of other",
        sql("ledger.db", "INSERT INTO tiles VALUES ('other', 0, 9, zeroblob(32))"),
    ),
    "a head": (
        "other", "ledger.db heads row of the log of other",
        sql("ledger.db", "UPDATE heads SET size = 7, root = zeroblob(32) WHERE project = 'other'"),
    ),
    "a head that is gone": (
        "other", "ledger.db heads row of the log of other",
        sql("ledger.db", "DELETE FROM heads WHERE project = 'other'"),
    ),
    "an exported bundle": (
        "default", "public/default/tile/entries/000", flip("public/default/tile/entries/000"),
    ),
    "an exported bundle that is gone": (
        "other", "public/other/tile/entries/000.p/20", remove("public/other/tile/entries/000.p/20"),
    ),
    "an exported tile": (
        "default", "public/default/tile/0/001.p/44", flip("public/default/tile/0/001.p/44"),
    ),
    "a file that is no part of a log": (
        "other", "public/other/tile/notes.txt", put("public/other/tile/notes.txt", b"x"),
    ),
    "a checkpoint that is gone": (
        "other", "public/other/checkpoint", remove("public/other/checkpoint"),
    ),
    "a checkpoint": ("other", "public/other/checkpoint", flip("public/other/checkpoint", -9)),
    "an idempotency row that is gone": (
        "default", "ledger.db idem row 12 of default",
        sql("ledger.db", "DELETE FROM idem WHERE project = 'default' AND idx = 12"),
    ),
    "an idempotency digest": (
        "default", "ledger.db idem row 13 of default",
        sql("ledger.db", "UPDATE idem SET digest = flipped(digest) "
            "WHERE project = 'default' AND idx = 13"),
    ),
    "an idempotency key of another entry": (
        "default", "ledger.db idem row 14 of default",
        sql("ledger.db", "UPDATE idem SET idx = 999 WHERE project = 'default' AND idx = 14"),
    ),
    "an idempotency key that is no text": (
        "default", "ledger.db idem row 15 of default",
        sql("ledger.db", "UPDATE idem SET id = CAST(x'ff6964' AS TEXT) "
            "WHERE project = 'default' AND idx = 15"),
    ),
    "an idempotency row too many": (
        "other", "ledger.db idem row 3 of other",
        sql("ledger.db", "INSERT INTO idem SELECT project, source, id || 'x', idx, digest "
            "FROM idem WHERE project = 'other' AND idx = 3"),
    ),
    "an entry of the aggregate log that is gone": (
        "_access", "aggregate.db entries row 1 column entry",
        sql("aggregate.db", "DELETE FROM entries WHERE idx = 1"),
    ),
    "an idempotency row of the aggregate log": (
        "_access", "aggregate.db idem row 2", sql("aggregate.db", "DELETE FROM idem WHERE idx = 2"),
    ),
    "the database of the aggregate log": ("_access", "aggregate.db", remove("aggregate.db")),
    "the database of the aggregate log, rubble": (
        "_access", "aggregate.db", put("aggregate.db", b"rubble" * 2_000),
    ),
    "a position of the rows": (
        "_access", "views.db",
        sql("views.db", "UPDATE positions SET next_index = 310 WHERE project = 'default'"),
    ),
    "rows that are no database": ("_access", "views.db", put("views.db", b"rubble" * 999)),
    "a cosigned checkpoint that is kept": (
        "default", f"state.db cosigned row {EVENTS} of default",
        sql("state.db", "UPDATE cosigned SET note = x'00'"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DERIVABLE)
def test_what_follows_from_the_rest_is_derived_again(
    pristine: Path, directory: Path, name: str
) -> None:
    log, thing, damage = DERIVABLE[name]
    damage(directory)
    found = checked(directory)
    assert found.findings
    assert all(derived_from(one) for one in found.findings), found.lines()

    report = repair(directory)

    assert report.ok, report.lines()
    done = repairs(report)
    assert thing in [one["object"] for one in done.done], report.lines()
    assert done.refused == ()
    assert verify(directory).ok
    for project in ("default", "other", "_access"):
        before = entries(pristine, project)
        assert entries(directory, project)[: len(before)] == before
    aggregated = entries(pristine, "_aggregate", "aggregate.db")
    assert entries(directory, "_aggregate", "aggregate.db")[: len(aggregated)] == aggregated
    # On record, in the log it concerns and in no other.
    assert list(done.recorded) == [log]
    told = read_entry(entries(directory, log)[done.recorded[log]])
    assert (told.type, told.via, told.recordedby) == (TYPE, "cli", "local")


UNDERIVABLE: dict[str, Callable[[Path], None]] = {
    "a sealed piece": sql(
        "ledger.db", "UPDATE bodies SET data = flipped(data) WHERE project = 'default' AND idx = 7"
    ),
    "a salt": sql(
        "ledger.db", "UPDATE entries SET salt = flipped(salt) WHERE project = 'other' AND idx = 9"
    ),
    "an entry with its salt": sql(
        "ledger.db", "DELETE FROM entries WHERE project = 'default' AND idx = 8"
    ),
    "a key": sql(
        "erasable.db", "DELETE FROM event_keys WHERE project = 'default' AND idx = 11"
    ),
    "a signing key": flip("keys/other.key", 70),
    "a verifier key": flip("keys/other.vkey", 50),
    "the origin of a log": sql(
        "ledger.db", "UPDATE logs SET origin = 'log.example/x' WHERE project = 'other'"
    ),
    "the last entries": sql(
        "ledger.db", "DELETE FROM entries WHERE project = 'other' AND idx >= 15"
    ),
    "a cosignature": flip("public/default/checkpoint", -9),
    "a file beyond the database": put(
        "public/other/tile/entries/000.p/21", b"\x00\x01x" * 21
    ),
    "the database": put("ledger.db", b"rubble" * 4_000),
}  # fmt: skip


@pytest.mark.parametrize("name", UNDERIVABLE)
def test_what_stands_nowhere_else_is_refused_and_nothing_is_changed(
    directory: Path, name: str
) -> None:
    UNDERIVABLE[name](directory)
    before = files(directory)
    found = said(checked(directory))

    report = repair(directory)

    assert not report.ok
    assert repairs(report).done == ()
    assert repairs(report).refused
    assert repairs(report).recorded == {}
    assert said(report) == found
    assert files(directory) == before


def test_a_blob_is_never_made_up(directory: Path) -> None:
    blob = next(path for path in sorted(directory.rglob("blobs/*/*")) if path.is_file())
    flip(str(blob.relative_to(directory)))(directory)
    before = files(directory)

    report = repair(directory)

    assert [one.klass for one in report.findings] == ["damaged"]
    assert files(directory) == before


def test_an_entry_and_its_bundle_both_damaged_are_left_as_they_are(directory: Path) -> None:
    bundle = "public/default/tile/entries/001.p/44"
    at = (directory / bundle).read_bytes().index(entries(directory)[270])
    sql("ledger.db", ENTRY)(directory)
    flip(bundle, at + 20)(directory)
    before = files(directory)

    report = repair(directory)

    assert not report.ok
    assert "nothing that is here leads to the root" in " ".join(repairs(report).refused)
    assert files(directory) == before


def test_where_two_copies_differ_the_signed_root_says_which_is_right(directory: Path) -> None:
    """Entry 270 is wrong in the database, entry 5 in its bundle."""
    before = entries(directory)
    sql("ledger.db", ENTRY)(directory)
    flip("public/default/tile/entries/000", 1_500)(directory)

    report = repair(directory)

    assert report.ok, report.lines()
    assert entries(directory)[:EVENTS] == before


def test_a_rewritten_database_is_brought_back_to_what_was_signed(directory: Path) -> None:
    """Somebody without the key made entry, tiles and head agree with each other."""
    before = entries(directory, "other")
    sql("ledger.db", "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'event-3', "
        "'event-X') AS BLOB) WHERE project = 'other' AND idx = 3")(directory)  # fmt: skip
    _make_agree(directory, "other")
    assert "forked" in {one.klass for one in checked(directory).findings}

    report = repair(directory)

    assert entries(directory, "other")[:OTHERS] == before
    assert report.ok, report.lines()


def _make_agree(directory: Path, project: str) -> None:
    leaves = [leaf_hash(entry) for entry in entries(directory, project)]
    db = sqlite3.connect(directory / "ledger.db")
    db.execute("UPDATE tiles SET data = ? WHERE project = ?", (b"".join(leaves), project))
    root = root_from_leaves(leaves)
    db.execute("UPDATE heads SET root = ? WHERE project = ?", (root, project))
    db.commit()
    db.close()


def test_nothing_is_derived_that_contradicts_a_checkpoint_kept_elsewhere(
    pristine: Path, directory: Path, tmp_path: Path
) -> None:
    """Of the log as it is here all agrees, but somebody holds a longer one."""
    later = a_copy(pristine, tmp_path / "later")
    with open_home(later, SteppedClock(), SeededRandomness("later")) as home:
        record(home, "other", OTHERS + 5, first=OTHERS)
    kept = tmp_path / "kept"
    kept.write_bytes((later / "public/other/checkpoint").read_bytes())
    remove("public/other/checkpoint")(directory)
    before = files(directory)

    report = repair(directory, since=(kept,))

    assert repairs(report).done == ()
    assert f"signed over {OTHERS + 5} entries" in " ".join(repairs(report).refused)
    assert files(directory) == before


def test_a_log_of_which_nothing_signed_stands_is_left_as_it_is(directory: Path) -> None:
    for name in ("public/other", "public/_aggregate"):
        for path in sorted((directory / name).rglob("*")):
            if path.is_file():
                path.unlink()
    remove("aggregate.db")(directory)
    before = files(directory)

    report = repair(directory)

    refused = " ".join(repairs(report).refused)
    assert "nothing signed stands that other could be held against" in refused
    assert files(directory) == before


def test_what_stood_there_is_kept_aside(directory: Path) -> None:
    flip("public/default/tile/0/000")(directory)
    damaged = (directory / "public/default/tile/0/000").read_bytes()
    sql("ledger.db", ENTRY)(directory)

    report = repair(directory)

    place = directory / repairs(report).kept
    assert (place / "public/default/tile/0/000").read_bytes() == damaged
    journal = json.loads((place / "repair.json").read_text())
    assert journal["recorded"] == {"default": EVENTS}
    [row] = [one for one in journal["mends"] if one["object"].startswith("ledger.db")]
    assert row["was"]


def test_a_partial_tile_left_over_is_taken_away(directory: Path) -> None:
    tile = (directory / "public/default/tile/0/000").read_bytes()
    left = directory / "public/default/tile/0/000.p/9"
    left.parent.mkdir()
    left.write_bytes(tile[: 9 * 32])
    assert checked(directory).ok, "it is true, and harms nobody"

    report = repair(directory)

    assert report.ok
    assert [one["object"] for one in repairs(report).done] == ["public/default/tile/0/000.p/9"]
    assert not left.exists()


def test_a_link_in_the_place_of_a_tile_is_put_aside_and_not_followed(
    directory: Path, tmp_path: Path
) -> None:
    path = directory / "public/default/tile/0/000"
    outside = tmp_path / "outside"
    outside.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(outside)

    assert repair(directory).ok

    assert not path.is_symlink()
    assert outside.read_bytes() == path.read_bytes()


def test_a_second_repair_finds_nothing_to_do(directory: Path) -> None:
    for _, _, damage in (DERIVABLE["an exported tile"], DERIVABLE["an idempotency digest"]):
        damage(directory)
    assert len(repairs(repair(directory)).done) == 2

    assert repairs(repair(directory, "again")).done == ()


def test_a_whole_ledger_is_left_as_it_is(directory: Path) -> None:
    before = files(directory)

    report = repair(directory)

    assert report.ok
    assert repairs(report) == Repairs((), (), "", {}, "")
    assert files(directory) == before


def test_beside_a_server_it_is_refused(directory: Path) -> None:
    with (
        open_home(directory, SteppedClock(), SeededRandomness("server")),
        pytest.raises(UnavailableError) as refusal,
    ):
        repair(directory)
    assert refusal.value.code == "locked"
    assert "stop it first" in refusal.value.message


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as refusal:
        repair(tmp_path)
    assert refusal.value.code == "not_a_ledger"
    assert list(tmp_path.iterdir()) == []
