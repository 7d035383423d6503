"""fsck: each stage finds what is off in it, and names file or row, log and entries."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from counterfoil.app.fsck import fsck
from counterfoil.app.fsck_meter import Meter
from counterfoil.app.home import open_home
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from counterfoil.ids import SeededRandomness
from counterfoil.verifier.stages import STAGES, log_of, stage_of
from tests.client.verifying import verify
from tests.fscking import (
    EVENTS,
    OTHERS,
    Said,
    a_copy,
    build,
    checked,
    finding,
    flip,
    put,
    record,
    remove,
    said,
    sql,
)

LAST = EVENTS - 1


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fsck") / "ledger"
    build(directory)
    return directory


@pytest.fixture
def directory(pristine: Path, tmp_path: Path) -> Path:
    return a_copy(pristine, tmp_path / "ledger")


def test_a_whole_ledger_is_whole_in_every_stage(pristine: Path) -> None:
    report = checked(pristine)

    assert report.ok, report.lines()
    assert [stage.name for stage in report.stages] == list(STAGES)
    counts = {stage.name: dict(stage.counts) for stage in report.stages}
    entries = EVENTS + OTHERS + 1
    assert counts["pages"] == {"files": 5}
    assert counts["leaves"]["entries"] == counts["bundles"]["exported_entries"]
    assert counts["leaves"]["entries"] == entries + counts["aggregate"]["aggregated_checkpoints"]
    assert counts["aggregate"]["aggregated_checkpoints"] == 4
    assert counts["signature"] == {"checkpoints": 4}
    assert counts["cosignatures"] == {"cosignatures": 2, "kept_checkpoints": 1}
    assert counts["commitments"]["blobs"] == 7
    assert counts["idempotency"] == {"keys": entries + 4, "digests": entries}
    assert counts["positions"] == {"logs": 3}
    ranges = {stage.name: stage.ranges for stage in report.stages}
    assert ("default", 0, LAST) in ranges["leaves"]
    assert ("other", 0, OTHERS - 1) in ranges["commitments"]


def test_it_reads_and_writes_nothing(directory: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sorted(directory.rglob("*"))}

    checked(directory)

    assert {path: path.stat().st_mtime_ns for path in sorted(directory.rglob("*"))} == before


DAMAGES: list[tuple[str, Callable[[Path], None], Said]] = [
    (
        "a table of another name",
        sql("ledger.db", "CREATE TABLE extra AS SELECT 1 AS one FROM logs"),
        Said("pages", "damaged", "ledger.db schema table extra", "", None),
    ),
    (
        "a bundle",
        flip("public/default/tile/entries/000"),
        Said("bundles", "damaged", "public/default/tile/entries/000", "default", (0, 0)),
    ),
    (
        "a bundle that is gone",
        remove("public/other/tile/entries/000.p/20"),
        Said("bundles", "missing", "public/other/tile/entries/000.p/20", "other", (0, 19)),
    ),
    (
        "an entry",
        sql("ledger.db", "UPDATE entries SET entry = flipped(entry) "
            "WHERE project = 'default' AND idx = 270"),
        Said("leaves", "damaged", "ledger.db entries row 270 of default column entry", "default",
             (270, 270)),
    ),
    (
        "an entry that is gone",
        sql("ledger.db", "DELETE FROM entries WHERE project = 'other' AND idx = 4"),
        Said("leaves", "missing", "ledger.db entries row 4 of other", "other", (4, 4)),
    ),
    (
        "a tile of the database",
        sql("ledger.db", "UPDATE tiles SET data = flipped(data) "
            "WHERE project = 'default' AND level = 0 AND n = 1"),
        Said("tiles", "damaged", "ledger.db tiles row level 0 n 1 of default column data",
             "default", (256, 256)),
    ),
    (
        "an exported tile",
        flip("public/default/tile/1/000.p/1"),
        Said("tiles", "damaged", "public/default/tile/1/000.p/1", "default", (0, 255)),
    ),
    (
        "a file that is no part of a log",
        put("public/other/tile/notes.txt", b"x"),
        Said("tiles", "damaged", "public/other/tile/notes.txt", "other", None),
    ),
    (
        "a stored root",
        sql("ledger.db", "UPDATE heads SET root = zeroblob(32) WHERE project = 'other'"),
        Said("root", "damaged", "ledger.db heads row of the log of other column root", "other",
             None),
    ),
    (
        "a signature",
        flip("public/other/checkpoint", -9),
        Said("signature", "damaged", "public/other/checkpoint", "other", (0, OTHERS - 1)),
    ),
    (
        "the origin of a log",
        sql("ledger.db", "UPDATE logs SET origin = 'log.example/x' WHERE project = 'other'"),
        Said("signature", "damaged", "ledger.db logs row other of other column origin", "other",
             None),
    ),
    (
        "a cosignature",
        flip("public/default/checkpoint", -9),
        Said("cosignatures", "damaged", "cosignatures of public/default/checkpoint", "default",
             None),
    ),
    (
        "a cosigned checkpoint that is kept",
        sql("state.db", "UPDATE cosigned SET note = x'00'"),
        Said("cosignatures", "stale", f"state.db cosigned row {EVENTS} of default", "default",
             None),
    ),
    (
        "a sealed piece",
        sql("ledger.db", "UPDATE bodies SET data = zeroblob(length(data)) "
            "WHERE project = 'default' AND idx = 7 AND name = 'body'"),
        Said("commitments", "damaged",
             "erasable.db event_keys row 7 of default column key or "
             "ledger.db bodies row 7 position 0 of default column data", "default", (7, 7)),
    ),
    (
        "a salt",
        sql("ledger.db", "UPDATE entries SET salt = zeroblob(16) "
            "WHERE project = 'other' AND idx = 9"),
        Said("commitments", "damaged", "ledger.db entries row 9 of other column salt", "other",
             (9, 9)),
    ),
    (
        "a key that is gone",
        sql("erasable.db", "DELETE FROM event_keys WHERE project = 'default' AND idx = 11"),
        Said("erasures", "unlogged_absence",
             "erasable.db event_keys row 11 of default column key", "default", (11, 11)),
    ),
    (
        "an idempotency row that is gone",
        sql("ledger.db", "DELETE FROM idem WHERE project = 'default' AND idx = 12"),
        Said("idempotency", "missing", "ledger.db idem row 12 of default", "default", (12, 12)),
    ),
    (
        "an idempotency digest",
        sql("ledger.db", "UPDATE idem SET digest = zeroblob(32) "
            "WHERE project = 'default' AND idx = 13"),
        Said("idempotency", "damaged", "ledger.db idem row 13 of default column digest", "default",
             (13, 13)),
    ),
    (
        "an entry of the aggregate log in its database",
        sql("aggregate.db", "UPDATE entries SET entry = x'00' WHERE idx = 1"),
        Said("leaves", "damaged", "aggregate.db entries row 1 column entry", "_aggregate", (1, 1)),
    ),
    (
        "a tile of the aggregate log in its database",
        sql("aggregate.db", "UPDATE tiles SET data = zeroblob(length(data))"),
        Said("tiles", "damaged", "aggregate.db tiles row level 0 n 0 column data", "_aggregate",
             (0, 3)),
    ),
    (
        "an idempotency row of the aggregate log",
        sql("aggregate.db", "UPDATE idem SET digest = zeroblob(32) WHERE idx = 2"),
        Said("idempotency", "damaged", "aggregate.db idem row 2 column digest", "_aggregate", (2, 2)),
    ),
    (
        "the database of the aggregate log",
        remove("aggregate.db"),
        Said("pages", "missing", "aggregate.db", "_aggregate", None),
    ),
    (
        "a position beyond the log",
        sql("views.db", "UPDATE positions SET next_index = 310 WHERE project = 'default'"),
        Said("positions", "stale", "views.db positions row default", "default", (EVENTS, 309)),
    ),
    (
        "a position in another tree",
        sql("views.db", "UPDATE positions SET nodes = flipped(nodes) "
            "WHERE project = 'other'"),
        Said("positions", "stale", "views.db positions row other", "other", (0, OTHERS - 1)),
    ),
    (
        "rows that are no database",
        put("views.db", b"rubble" * 999),
        Said("pages", "stale", "views.db", "", None),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("damage", "expected"),
    [pytest.param(damage, expected, id=name) for name, damage, expected in DAMAGES],
)
def test_damage_is_named_by_stage_thing_log_and_entries(
    directory: Path, damage: Callable[[Path], None], expected: Said
) -> None:
    damage(directory)

    report = checked(directory)

    assert said(report)[:1] == [expected], report.lines()
    assert len(report.findings) == 1, report.lines()
    assert {stage["name"]: stage["findings"] for stage in report.to_json()["stages"]} == {  # type: ignore[call-overload,index,union-attr]
        name: int(name == expected.stage) for name in STAGES
    }


def test_a_blob_is_named_with_its_entry(directory: Path) -> None:
    blob = next(path for path in sorted(directory.rglob("blobs/*/*")) if path.is_file())
    name = str(blob.relative_to(directory))
    flip(name)(directory)

    [one] = said(checked(directory))

    assert (one.stage, one.klass, one.object) == ("commitments", "damaged", name)
    assert one.span is not None
    assert one.span[0] % 50 == 0


def test_every_stage_has_a_damage_that_only_it_names() -> None:
    named = {expected.stage for _, _, expected in DAMAGES}

    # What only the aggregate log contradicts is told below.
    assert named == set(STAGES) - {"aggregate"}


def test_a_log_that_was_put_back_is_contradicted_by_the_aggregate(
    pristine: Path, directory: Path, tmp_path: Path
) -> None:
    with open_home(directory, SteppedClock(), SeededRandomness("later")) as home:
        record(home, "other", OTHERS + 5, first=OTHERS)
    for name in ("public/_aggregate", "aggregate.db"):
        _bring(directory / name, tmp_path / "kept" / name)
    later = a_copy(pristine, tmp_path / "put back")
    for name in ("public/_aggregate", "aggregate.db"):
        _bring(tmp_path / "kept" / name, later / name)

    report = checked(later)

    assert [(one.klass, one.span) for one in said(report)][:1] == [
        ("missing", (OTHERS, OTHERS + 4))
    ], report.lines()


def _bring(source: Path, target: Path) -> None:
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file():
                _bring(path, target / path.relative_to(source))
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.chmod(0o600)
    target.write_bytes(source.read_bytes())


def test_without_full_only_the_last_contents_are_opened(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("counterfoil.app.fsck.CONTENTS_LAST", 10)
    for index in (5, 290):
        sql("ledger.db", "UPDATE bodies SET data = zeroblob(length(data)) "
            "WHERE project = 'default' AND idx = ? AND name = 'body'", index)(directory)  # fmt: skip

    report = fsck(directory)

    assert [one.span for one in said(report)] == [(290, 290)]
    assert "default: contents of entries before 256 were not opened" in report.notes
    [pages] = [stage for stage in report.stages if stage.name == "pages"]
    assert pages.skipped


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE entries SET entry = flipped(entry)", id="entry"),
        pytest.param("DELETE FROM idem", id="idempotency row"),
        pytest.param("UPDATE idem SET idx = 999", id="idempotency index"),
    ],
)
def test_without_full_the_whole_tree_and_every_key_are_checked(
    directory: Path, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("counterfoil.app.fsck.CONTENTS_LAST", 10)
    sql("ledger.db", f"{statement} WHERE project = 'default' AND idx = 5")(directory)

    assert (5, 5) in [one.span for one in said(fsck(directory))]


def test_since_reads_what_came_later_and_no_more(directory: Path, tmp_path: Path) -> None:
    kept = _kept(directory, tmp_path)
    with open_home(directory, SteppedClock(), SeededRandomness("later")) as home:
        record(home, "default", EVENTS + 5, first=EVENTS)
    sql("ledger.db", "UPDATE entries SET entry = flipped(entry) "
        "WHERE project = 'default' AND idx = 5")(directory)  # fmt: skip

    assert fsck(directory, since=[kept]).ok
    sql("ledger.db", "UPDATE entries SET entry = flipped(entry) "
        "WHERE project = 'default' AND idx = 302")(directory)  # fmt: skip
    # Where anything is wrong, all of that log is read.
    assert [one.span for one in said(fsck(directory, since=[kept]))] == [(5, 5), (302, 302)]


def test_since_proves_that_the_log_is_still_the_one_it_was(directory: Path, tmp_path: Path) -> None:
    """The tiles before it are not recomputed, but what they lead to is."""
    kept = _kept(directory, tmp_path)
    with open_home(directory, SteppedClock(), SeededRandomness("later")) as home:
        record(home, "default", EVENTS + 300, first=EVENTS)
    sql("ledger.db", "UPDATE tiles SET data = flipped(data) "
        "WHERE project = 'default' AND level = 1")(directory)  # fmt: skip

    report = fsck(directory, since=[kept])

    assert ("tiles", "default") in {(one.stage, one.log) for one in said(report)}


def test_since_another_history_is_a_fork(directory: Path, tmp_path: Path) -> None:
    """Somebody with the key wrote the log anew, as large as it was."""
    build(tmp_path / "another")
    other = a_copy(directory, tmp_path / "copy")
    with open_home(other, SteppedClock(), SeededRandomness("one")) as home:
        record(home, "default", EVENTS + 9, first=EVENTS)
    kept = _kept(other, tmp_path)
    with open_home(directory, SteppedClock(), SeededRandomness("two")) as home:
        record(home, "default", EVENTS + 19, first=EVENTS + 10)

    report = fsck(directory, since=[kept])

    assert [(one.stage, one.klass, one.span) for one in said(report)] == [
        ("root", "forked", (0, EVENTS + 8))
    ]


def test_since_a_larger_log_says_what_is_missing(directory: Path, tmp_path: Path) -> None:
    later = a_copy(directory, tmp_path / "later")
    with open_home(later, SteppedClock(), SeededRandomness("one")) as home:
        record(home, "default", EVENTS + 9, first=EVENTS)
    kept = _kept(later, tmp_path)

    report = fsck(directory, since=[kept])

    # A larger head cannot say whether what is here is the same.
    assert [(one.klass, one.span) for one in said(report)] == [
        ("missing", (EVENTS, EVENTS + 8)),
        ("missing", (0, EVENTS - 1)),
    ]


@pytest.mark.parametrize("content", [b"nothing signed", b""])
def test_since_what_is_no_checkpoint_of_this_ledger_is_refused(
    directory: Path, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "kept"
    path.write_bytes(content)
    with pytest.raises(RequestError) as refusal:
        fsck(directory, since=[path])
    assert refusal.value.code == "usage"


def _kept(directory: Path, tmp_path: Path) -> Path:
    kept = tmp_path / "kept.checkpoint"
    kept.write_bytes((directory / "public/default/checkpoint").read_bytes())
    return kept


def tiles_of(directory: Path) -> list[tuple[int, int]]:
    db = sqlite3.connect(directory / "ledger.db")
    found = db.execute("SELECT level, n FROM tiles WHERE project = 'default'").fetchall()
    db.close()
    return found


def test_a_wrong_or_absent_tile_is_that_and_no_fork(directory: Path, tmp_path: Path) -> None:
    """What others kept is compared with the log, and not with the tile that is wrong."""
    kept = _kept(directory, tmp_path)
    with open_home(directory, SteppedClock(), SeededRandomness("later")) as home:
        record(home, "default", EVENTS + 5, first=EVENTS)
    saved = (directory / "ledger.db").read_bytes()
    for level, n in tiles_of(directory):
        for statement in (
            "UPDATE tiles SET data = flipped(data) WHERE project = 'default' AND (level, n) = (?, ?)",
            "DELETE FROM tiles WHERE project = 'default' AND (level, n) = (?, ?)",
        ):
            sql("ledger.db", statement, level, n)(directory)
            found = verify(directory, against=(str(kept),)).findings
            assert {one.klass for one in found} <= {"damaged", "missing"}, found
            assert {one.object.partition(" column")[0] for one in found} == {
                f"ledger.db tiles row level {level} n {n} of default"
            }
            (directory / "ledger.db").write_bytes(saved)


def test_it_reads_beside_a_server_that_writes(directory: Path) -> None:
    with open_home(directory, SteppedClock(), SeededRandomness("later")) as home:
        record(home, "default", EVENTS + 5, first=EVENTS)

        report = checked(directory)

        assert report.ok, report.lines()


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as refusal:
        fsck(tmp_path)
    assert refusal.value.code == "not_a_ledger"
    with pytest.raises(RequestError) as refusal:
        fsck(tmp_path / "nowhere")
    assert refusal.value.code == "dir_missing"


def test_stages_that_nest_add_up_to_the_time_of_the_whole() -> None:
    ticks = iter([0.0, 1.0, 3.0, 7.0, 15.0])
    meter = Meter(lambda: next(ticks))
    with meter.enter("leaves"), meter.enter("tiles"):
        pass

    assert dict(meter.spent_s) == {"leaves": 2.0 + 8.0, "tiles": 4.0}


@pytest.mark.parametrize(
    ("klass", "name", "stage", "log"),
    [
        ("damaged", "ledger.db entries row 5 column entry", "leaves", "only"),
        ("damaged", "blobs/ab/abcd", "commitments", "only"),
        ("forked", "public/default/entry 3", "root", "default"),
        ("missing", "erasable.db", "pages", ""),
        ("damaged", "erasable.db people row actor:x column key", "commitments", ""),
        ("damaged", "public/_aggregate/entry 7", "aggregate", "_aggregate"),
        ("missing", "ledger.db entries (default)", "leaves", "default"),
        (
            "damaged",
            "erasable.db event_keys row 3 of shop column key or ledger.db idem row 3 of shop column digest",
            "commitments",
            "shop",
        ),
    ],
)
def test_a_finding_belongs_to_one_stage_and_one_log(
    klass: str, name: str, stage: str, log: str
) -> None:
    one = finding(klass, name)

    assert (stage_of(one), log_of(one, "only")) == (stage, log)
