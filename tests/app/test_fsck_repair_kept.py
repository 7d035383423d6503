"""fsck --repair: nothing is replaced, moved or believed that no signature and no journal speaks for."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from counterfoil.app import fsck_journal, fsck_repair
from counterfoil.app.fsck_report import FsckReport, Repairs
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.ids import SeededRandomness
from counterfoil.ledger.edge import RightEdge
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.note import parse_signer_key
from counterfoil.tlog.tree import EMPTY_ROOT, Frontier, TreeHead, leaf_hash, root_from_leaves
from tests.fscking import (
    EVENTS,
    a_copy,
    build,
    checked,
    files,
    flip,
    put,
    remove,
    sql,
)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("repair") / "ledger"
    build(directory)
    return directory


@pytest.fixture
def directory(pristine: Path, tmp_path: Path) -> Path:
    return a_copy(pristine, tmp_path / "ledger")


def repair(directory: Path) -> FsckReport:
    return fsck_repair.repair(directory, SteppedClock(), SeededRandomness("repair"))


def repairs(report: FsckReport) -> Repairs:
    assert report.repairs is not None
    return report.repairs


def entries(directory: Path) -> list[bytes]:
    db = sqlite3.connect(f"{(directory / 'ledger.db').as_uri()}?mode=ro", uri=True)
    rows = db.execute("SELECT entry FROM entries WHERE project = 'default' ORDER BY idx").fetchall()
    db.close()
    return [entry for (entry,) in rows]


def _put_back(directory: Path, size: int) -> None:
    """Leave of what was signed no more than a checkpoint of `size` entries of `default`."""
    signer = parse_signer_key((directory / "keys/default.key").read_text().strip())
    root = root_from_leaves([leaf_hash(one) for one in entries(directory)[:size]])
    note = sign_checkpoint(signer.name, TreeHead(size, root), signer)
    put("public/default/checkpoint", note)(directory)
    sql("state.db", "DELETE FROM cosigned")(directory)
    remove("aggregate.db")(directory)
    shutil.rmtree(directory / "public/_aggregate")


def _rewrite(directory: Path, index: int) -> None:
    """Write another entry into `default`, with tiles and head that agree with it."""
    sql("ledger.db", "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), ?, 'event-X') "
        "AS BLOB) WHERE project = 'default' AND idx = ?", f"event-{index}", index)(directory)  # fmt: skip
    edge = RightEdge(TreeHead(0, EMPTY_ROOT), Frontier(), ())
    edge, tiles = edge.grow([leaf_hash(one) for one in entries(directory)])
    for (level, n), data in tiles.items():
        sql("ledger.db", "UPDATE tiles SET data = ? WHERE project = 'default' AND level = ? "
            "AND n = ?", data, level, n)(directory)  # fmt: skip
    sql("ledger.db", "UPDATE heads SET root = ? WHERE project = 'default'", edge.head.root)(
        directory
    )


def test_what_was_exported_and_never_signed_here_is_not_replaced_from_a_rewrite(
    directory: Path,
) -> None:
    """A checkpoint from before was put back, and the rest of the signatures taken away."""
    _put_back(directory, 10)
    _rewrite(directory, 20)
    remove("views.db")(directory)
    flip("public/other/tile/0/000.p/20")(directory)
    before = files(directory)
    found = {one.object for one in checked(directory).findings if one.klass == "forked"}
    assert {"public/default/tile/entries/000", "public/default/tile/0/000"} <= found

    report = repair(directory)

    refused = " ".join(repairs(report).refused)
    assert "public/default/tile/entries/000: forked" in refused
    assert "keep both" in refused
    assert repairs(report).recorded == {}, "no start signs one of the two"
    changed = {name for name, data in files(directory).items() if before.get(name) != data}
    kept = repairs(report).kept
    assert changed == {
        "public/other/tile/0/000.p/20", f"{kept}/public/other/tile/0/000.p/20",
        f"{kept}/repair.json",
    }  # fmt: skip
    assert "forked" in {one.klass for one in report.findings}


def test_what_was_exported_and_not_signed_yet_is_no_finding(directory: Path) -> None:
    """As after a crash between files and checkpoint."""
    _put_back(directory, 10)
    remove("keys/_aggregate.vkey")(directory)
    remove("keys/_aggregate.key")(directory)

    report = checked(directory)

    assert report.ok, report.lines()


def test_a_row_under_an_older_signature_is_mended_though_its_bundle_reaches_beyond(
    directory: Path,
) -> None:
    _put_back(directory, 10)
    before = entries(directory)
    sql("ledger.db", "UPDATE entries SET entry = flipped(entry) WHERE project = 'default' "
        "AND idx = 5")(directory)  # fmt: skip

    repair(directory)

    assert entries(directory)[:EVENTS] == before


def test_under_a_clock_that_cannot_be_right_nothing_is_mended(directory: Path) -> None:
    flip("public/default/tile/0/000")(directory)
    before = files(directory)
    clock = SteppedClock("2099-01-01T00:00:00.000Z")

    with pytest.raises(UnavailableError) as refusal:
        fsck_repair.repair(directory, clock, SeededRandomness("clock"))

    assert refusal.value.code == "clock"
    assert files(directory) == before


def test_what_was_mended_is_told_though_it_cannot_be_recorded(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the journal is to be closed."""

    def full(*_: object) -> None:
        raise UnavailableError("storage", "no space is left")

    flip("public/default/tile/0/000")(directory)
    monkeypatch.setattr(fsck_journal.Journal, "close", full)

    told = repairs(repair(directory))

    assert [one["object"] for one in told.done] == ["public/default/tile/0/000"]
    assert told.unrecorded == "no space is left"


MEND = {"object": "o", "how": "h", "log": "default", "first": None, "last": None, "was": None}


@pytest.mark.parametrize(
    ("stamp", "mends"),
    [
        pytest.param("20260101T000000Z-00ff", [{"object": "o"}], id="members that are not there"),
        pytest.param("20260101T000000Z-00ff", [MEND | {"first": "x"}], id="an index of text"),
        pytest.param("20260101T000000Z-00ff", [MEND | {"log": "../x"}], id="a log of no name"),
        pytest.param("20260101T000000Z-00ff", {"object": "o"}, id="no list"),
        pytest.param("20260101T000000Z-00ff", ["o"], id="a mend that is text"),
        pytest.param("y y", [MEND], id="another name"),
    ],
)
def test_a_journal_that_is_none_of_ours_is_left_alone(
    directory: Path, stamp: str, mends: object
) -> None:
    path = directory / "damaged" / stamp / "repair.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"mends": mends, "recorded": None}))
    before = files(directory)

    assert repairs(repair(directory)) == Repairs((), (), "", {}, "")
    assert files(directory) == before


@pytest.mark.parametrize("name", ["damaged", "damaged/earlier", "public/default", "public/x"])
def test_nothing_is_moved_through_a_link(directory: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    path = directory / name
    if path.exists():
        path.rename(outside)
    outside.mkdir(exist_ok=True)
    (outside / "precious.txt").write_text("not of a log")
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(outside)
    before = files(outside)

    with pytest.raises(RequestError) as refusal:
        repair(directory)

    assert refusal.value.code == "unsafe_access"
    assert files(outside) == before


def test_an_aggregate_that_is_made_again_has_its_idempotency_rows_at_once(
    directory: Path,
) -> None:
    sql("aggregate.db", "DELETE FROM entries WHERE idx = 1")(directory)
    sql("aggregate.db", "DELETE FROM idem WHERE idx = 1")(directory)

    report = repair(directory)

    assert report.ok, report.lines()
    done = {one["object"] for one in repairs(report).done}
    assert {"aggregate.db entries row 1 column entry", "aggregate.db idem row 1"} <= done
