"""`verify` on everything it takes: directories, archives, URLs; and what it refuses."""

import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from counterfoil.app.record import LOCAL
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.tlog.tree import Frontier, leaf_hash
from counterfoil.verifier.report import Finding, Report
from tests.client.verifying import named, verify
from tests.ledgers import PROJECT, Built, build_ledger, make_sample, open_ledger


def files_under(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(directory)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_a_whole_directory_is_whole_under_its_own_key_and_says_that_this_is_no_outsiders_verdict(
    pristine: Built, directory: Path
) -> None:
    report = verify(directory)

    fingerprint = pristine.vkeys[PROJECT].fingerprint()
    assert report.ok
    assert report.verdict() == (
        f"whole under the key found in this directory (fingerprint {fingerprint[:16]});"
        " give --trust POLICY for an outsider's verdict"
    )
    shown = report.to_json()
    assert (shown["trust"], shown["size"], shown["fingerprint"]) == ("self", 20, fingerprint)
    assert report.checked["entries"] == report.checked["idempotency_keys"] == 20
    assert report.checked["blobs"] == 4
    assert report.checked["sealed_pieces"] > 40


def test_verifying_writes_nothing(directory: Path) -> None:
    before = files_under(directory)
    verify(directory)

    assert files_under(directory) == before


def test_with_a_policy_the_keys_in_the_directory_count_for_nothing(
    pristine: Built, directory: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy"
    policy.write_text(f"log {pristine.vkeys[PROJECT]}\nquorum none\n", "ascii")
    (directory / "keys" / "default.vkey").write_text("another key\n", "ascii")

    report = verify(directory, trust=policy)

    assert report.ok
    assert report.trust == "policy"


def test_a_ledger_made_whole_again_with_another_key_fails_under_the_policy(
    tmp_path: Path, vkey: Path
) -> None:
    """Whoever owns the whole directory can make it agree with itself; not with a key kept outside."""
    forged = build_ledger(tmp_path / "forged", events=20, seed="forged")
    assert verify(forged.directory).ok

    assert named(verify(forged.directory, vkey=vkey))[0] == (
        "damaged", "public/default/checkpoint",
    )  # fmt: skip


def test_two_projects_are_both_checked_and_one_can_be_chosen(tmp_path: Path) -> None:
    built = build_ledger(tmp_path / "two", events=6, projects=("default", "shop"))

    report = verify(built.directory)
    assert report.ok
    assert [log.project for log in report.logs] == ["default", "shop"]
    assert [log.project for log in verify(built.directory, project="shop").logs] == ["shop"]
    with pytest.raises(RequestError, match="no log of project 'other'"):
        verify(built.directory, project="other")

    change(
        built.directory, "UPDATE entries SET salt = zeroblob(16) WHERE idx = 3 AND project = 'shop'"
    )
    assert named(verify(built.directory)) == [
        ("damaged", "ledger.db entries row 3 of shop column salt")
    ]


def change(directory: Path, *statements: str) -> None:
    db = sqlite3.connect(directory / "ledger.db")
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


@pytest.mark.parametrize(
    ("statement", "klass", "name"),
    [
        ("DELETE FROM entries WHERE idx = 7", "missing", "ledger.db entries row 7"),
        ("DELETE FROM bodies WHERE idx = 7 AND name = 'body'", "unlogged_absence", "ledger.db bodies row 7"),
        ("DELETE FROM bodies WHERE idx = 7", "unlogged_absence", "ledger.db bodies row 7"),
        ("DELETE FROM blobs WHERE idx = 5", "missing", "ledger.db blobs row 5 position 0"),
        ("DELETE FROM idem WHERE idx = 7", "missing", "ledger.db idem row 7"),
        ("DELETE FROM tiles", "missing", "ledger.db tiles row level 0 n 0"),
        ("DELETE FROM heads", "missing", "ledger.db heads row of the log"),
        ("DELETE FROM logs", "missing", "ledger.db logs row default"),
        ("INSERT INTO entries VALUES ('default', 20, x'00', x'00')", "damaged", "ledger.db entries row 20"),
        ("INSERT INTO entries VALUES ('ghost', 0, x'00', x'00')", "damaged", "ledger.db entries row 0 of ghost"),
        ("INSERT INTO bodies VALUES ('default', 7, 9, 'more', 'event', x'00')", "damaged", "ledger.db bodies row 7 position 9"),
        ("INSERT INTO bodies VALUES ('default', 900, 0, 'more', 'event', x'00')", "damaged", "ledger.db bodies row 900"),
        ("INSERT INTO blobs VALUES ('default', 7, 0, '')", "damaged", "ledger.db blobs row 7 position 0"),
        ("INSERT INTO idem VALUES ('default', 'urn:x', 'y', 7, zeroblob(32))", "damaged", "ledger.db idem row 7"),
        ("INSERT INTO idem VALUES ('default', 'urn:x', 'y', 999, zeroblob(32))", "damaged", "ledger.db idem row 999"),
        ("INSERT INTO tiles VALUES ('default', 1, 0, zeroblob(32))", "damaged", "ledger.db tiles row level 1 n 0"),
        ("INSERT INTO heads VALUES ('ghost', 0, zeroblob(32))", "damaged", "ledger.db heads row of the log of ghost column root"),
        ("CREATE TABLE more (x)", "damaged", "ledger.db schema table more"),
        ("CREATE VIEW more AS SELECT 1", "damaged", "ledger.db schema view more"),
        ("DROP TABLE idem", "missing", "ledger.db table idem"),
        ("PRAGMA user_version = 9", "damaged", "ledger.db header"),
    ],
)  # fmt: skip
def test_rows_too_few_and_too_many_are_named(
    directory: Path, statement: str, klass: str, name: str
) -> None:
    change(directory, statement)

    assert (klass, name) in named(verify(directory))


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("DELETE FROM event_keys WHERE idx = 7", "erasable.db event_keys row 7 column key"),
        ("DELETE FROM people WHERE account = 'ana@acme.example'", "erasable.db people row "),
        ("DELETE FROM blob_keys", "erasable.db blob_keys row sha256:"),
    ],
)
def test_a_key_that_is_gone_without_an_erasure_in_the_log_is_an_unlogged_absence(
    directory: Path, statement: str, name: str
) -> None:
    db = sqlite3.connect(directory / "erasable.db")
    db.execute(statement)
    db.commit()
    db.close()

    report = verify(directory)

    assert {one.klass for one in report.findings} == {"unlogged_absence"}
    assert all(one.object.startswith(name) for one in report.findings)
    assert all(one.first is not None for one in report.findings)


def test_a_blob_file_that_is_gone_is_an_unlogged_absence(directory: Path) -> None:
    path = min(path for path in (directory / "blobs").rglob("*") if path.is_file())
    path.unlink()

    assert named(verify(directory)) == [("unlogged_absence", str(path.relative_to(directory)))]


@pytest.mark.parametrize("name", ["ledger.db", "erasable.db"])
def test_a_database_that_is_gone_is_missing_and_one_of_rubble_is_damaged(
    directory: Path, name: str
) -> None:
    path = directory / name
    path.write_bytes(b"rubble" * 1_000)
    assert ("damaged", name) in named(verify(directory))

    path.unlink()
    assert ("missing", name) in named(verify(directory))


def test_a_truncated_database_is_damaged(directory: Path) -> None:
    data = (directory / "ledger.db").read_bytes()
    (directory / "ledger.db").write_bytes(data[: len(data) // 2])

    assert "damaged" in {one.klass for one in verify(directory).findings}


def test_a_rewritten_database_that_agrees_with_itself_is_contradicted_by_the_exported_log(
    directory: Path, tmp_path: Path
) -> None:
    """Without the signing key: the altered entry is found by comparing both trees."""
    build_ledger(tmp_path / "other", events=20)
    with open_ledger(tmp_path / "other") as (_, recorder):
        recorder.record(PROJECT, [make_sample(20)], LOCAL, "cli")
    shutil.copy(tmp_path / "other" / "ledger.db", directory / "ledger.db")
    shutil.copy(tmp_path / "other" / "erasable.db", directory / "erasable.db")
    assert verify(directory).ok, "the same history, one entry longer"

    forge(directory, index=4)
    report = verify(directory)

    assert [(one.object, one.first, one.last) for one in report.findings] == [
        ("ledger.db entries row 4", 4, 4)
    ]


def forge(directory: Path, index: int) -> None:
    """Rewrite an entry with the tile and the head above it, as somebody without the key would."""
    db = sqlite3.connect(directory / "ledger.db")
    rows = dict(db.execute("SELECT idx, entry FROM entries").fetchall())
    rows[index] = rows[index].replace(b'"via":"cli"', b'"via":"api"')
    db.execute("UPDATE entries SET entry = ? WHERE idx = ?", (rows[index], index))
    leaves = [leaf_hash(rows[at]) for at in range(len(rows))]
    frontier = Frontier()
    frontier.extend(leaves)
    db.execute("UPDATE tiles SET data = ?", (b"".join(leaves),))
    db.execute("UPDATE heads SET root = ?", (frontier.root(),))
    db.commit()
    db.close()


def test_a_database_older_than_what_it_published_is_missing_entries(
    directory: Path, tmp_path: Path
) -> None:
    build_ledger(tmp_path / "older", events=20)
    old = (tmp_path / "older" / "ledger.db").read_bytes()
    with open_ledger(directory) as (_, recorder):
        recorder.record(PROJECT, [make_sample(20), make_sample(21)], LOCAL, "cli")
    (directory / "ledger.db").write_bytes(old)

    report = verify(directory)

    assert Finding(
        "missing", "ledger.db entries row 20 and on", 20, 21,
        "public/default/checkpoint signs 22 entries, the database holds 20:"
        " it is older than what was published from it",
    ) in report.findings  # fmt: skip


def test_it_verifies_beside_a_server_that_writes_and_lags_with_its_export(directory: Path) -> None:
    """One commit is seen whole, and an export that is behind is a prefix and no finding."""
    stop = threading.Event()
    reports: list[Report] = []
    with open_ledger(directory, export_interval_s=0.01) as (_, recorder):

        def write() -> None:
            number = 20
            while not stop.is_set():
                recorder.record(PROJECT, [make_sample(number)], LOCAL, "cli")
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            while len(reports) < 25:
                reports.append(verify(directory))
        finally:
            stop.set()
            writer.join()

    assert [report.findings for report in reports] == [()] * 25
    assert reports[-1].size > reports[0].size >= 20


def test_it_reads_what_a_crash_left_in_the_write_ahead_log(directory: Path, tmp_path: Path) -> None:
    with open_ledger(directory) as (ledger, recorder):
        recorder.record(PROJECT, [make_sample(20)], LOCAL, "cli")
        ledger.export_now()
        crashed = tmp_path / "crashed"
        shutil.copytree(directory, crashed, ignore=shutil.ignore_patterns("*-shm"))

    report = verify(crashed)

    assert report.ok
    assert report.size == 21


def test_an_empty_ledger_is_whole(tmp_path: Path) -> None:
    built = build_ledger(tmp_path / "empty", events=0)
    assert verify(built.directory).ok

    shutil.rmtree(built.directory / "public")
    report = verify(built.directory)
    assert report.ok
    assert report.size == 0


def test_an_exported_log_needs_a_key_from_outside(directory: Path, vkey: Path) -> None:
    public = directory / "public" / PROJECT
    with pytest.raises(RequestError, match="give --trust POLICY or --vkey FILE"):
        verify(public)

    report = verify(public, vkey=vkey)
    assert report.ok
    assert report.verdict().startswith("whole under the key given (fingerprint ")

    (public / "note.txt").write_text("x", "ascii")
    (public / "checkpoint.lnk").symlink_to("checkpoint")
    assert named(verify(public, vkey=vkey)) == [
        ("damaged", "checkpoint.lnk"), ("damaged", "note.txt"),
    ]  # fmt: skip


def test_a_directory_in_the_place_of_a_file_is_damage_and_the_rest_is_still_checked(
    directory: Path,
) -> None:
    """Whoever can put it there must not be able to keep the verdict from being given."""
    blob = next(path for path in (directory / "blobs").rglob("*") if path.is_file())
    tile = directory / "public" / PROJECT / "tile" / "0" / "000.p" / "20"
    for path in (blob, tile):
        path.unlink()
        path.mkdir()

    assert {
        ("damaged", str(blob.relative_to(directory))),
        ("damaged", str(tile.relative_to(directory))),
    } <= set(named(verify(directory)))


def test_a_link_or_a_pipe_in_the_place_of_a_tile_is_damage_and_is_not_followed(
    directory: Path, vkey: Path
) -> None:
    tile = directory / "public" / PROJECT / "tile" / "0" / "000.p" / "20"
    tile.unlink()
    tile.symlink_to("/etc/hostname")
    assert named(verify(directory / "public" / PROJECT, vkey=vkey)) == [
        ("damaged", "tile/0/000.p/20")
    ]
    tile.unlink()
    os.mkfifo(tile)
    assert named(verify(directory / "public" / PROJECT, vkey=vkey)) == [
        ("damaged", "tile/0/000.p/20")
    ]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: path / "nothing", "dir_missing"),
        (lambda path: _write(path / "a.txt", b"text"), "not_a_ledger"),
        (lambda path: _directory(path / "empty"), "not_a_ledger"),
    ],
)
def test_what_is_no_evidence_is_named_as_such(
    tmp_path: Path, make: Callable[[Path], Path], code: str
) -> None:
    with pytest.raises(RequestError) as caught:
        verify(make(tmp_path))
    assert caught.value.code == code


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _directory(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(
    "text", ["", "log nonsense\nquorum none\n", "quorum none\n" * 2, "counterfoil"]
)
def test_a_broken_policy_is_a_mistake_of_the_caller(
    directory: Path, tmp_path: Path, text: str
) -> None:
    (tmp_path / "policy").write_text(text, "ascii")
    with pytest.raises(RequestError) as caught:
        verify(directory, trust=tmp_path / "policy")
    assert caught.value.code == "trust_invalid"


def test_files_in_the_exported_log_that_are_no_part_of_it_are_named_in_a_directory(
    directory: Path,
) -> None:
    """With the database at hand, a tile beyond it is no export under way."""
    public = directory / "public"
    for name in (
        "default/notes.txt",
        "default/tile/0/000.p/21",
        "default/tile/entries/007",
        "other",
    ):
        (public / name).parent.mkdir(parents=True, exist_ok=True)
        (public / name).write_bytes(bytes(32))

    assert sorted(named(verify(directory))) == [
        ("damaged", "public/default/notes.txt"),
        ("damaged", "public/default/tile/0/000.p/21"),
        ("damaged", "public/default/tile/entries/007"),
        ("damaged", "public/other"),
    ]


def test_a_file_larger_than_it_can_be_is_not_read_to_its_end(directory: Path, vkey: Path) -> None:
    tile = directory / "public" / PROJECT / "tile" / "0" / "000.p" / "20"
    tile.chmod(0o600)
    with tile.open("ab") as file:
        file.truncate(1 << 40)

    [one] = verify(directory / "public" / PROJECT, vkey=vkey).findings

    assert one.object == "tile/0/000.p/20"
    assert one.message == "larger than the 8192 bytes it may have"


def test_a_directory_the_system_does_not_let_us_look_into_is_unreadable(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Path.exists

    def refuse(path: Path) -> bool:
        if path.parent == directory:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(UnavailableError, match="Permission denied"):
        verify(directory)


def test_a_database_the_system_does_not_open_is_unreadable_and_no_verdict(directory: Path) -> None:
    (directory / "ledger.db").unlink()
    (directory / "ledger.db").mkdir()

    with pytest.raises(UnavailableError, match=r"ledger\.db cannot be read"):
        verify(directory)
