"""Taking backups: whole or absent, apart from the ledger, and not kept longer than was said."""

import hashlib
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from counterfoil.app.backing_up import back_up
from counterfoil.app.backup_manifest import MANIFEST, read_manifest
from counterfoil.app.backup_place import generations
from counterfoil.client.evidence import verify_path
from counterfoil.clock import SteppedClock
from counterfoil.errors import CounterfoilError, UnavailableError
from counterfoil.verifier.report import Report
from tests.backing import TAKEN, Backups, inode_of, tree_of
from tests.fscking import a_copy, build

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("backup") / "ledger"
    build(directory)
    return directory


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(TAKEN)


@pytest.fixture
def backups(pristine: Path, tmp_path: Path) -> Backups:
    return Backups(a_copy(pristine, tmp_path / "ledger"), tmp_path / "backups")


def test_a_backup_holds_every_log_and_leaves_the_ledger_as_it_was(
    backups: Backups, clock: SteppedClock
) -> None:
    before = tree_of(backups.ledger)
    made = backups.take(clock)
    after = tree_of(backups.ledger)

    # SQLite makes an index beside a database it reads; the lock keeps erasures away.
    assert {name: after[name] for name in before} == before
    assert {
        name for name in after.keys() - before.keys() if not name.endswith(("-shm", "-wal"))
    } == {"erasing.lock"}
    assert {one.project: one.size for one in made.taken.manifest.logs} == {
        "default": 300, "other": 20, "_access": 1,
    }  # fmt: skip
    assert made.taken.warnings == []
    held = tree_of(made.taken.folder)
    assert held.keys() - {MANIFEST, "manifest.sha256"} == {
        one.path for one in made.taken.manifest.files
    }
    assert not {"views.db", "erasable.db", "state.db", "admin.token"} & held.keys()
    assert not [name for name in held if name.endswith(".key")]
    assert tree_of(made.taken.keys_folder).keys() == {
        "erasable.db", "state.db", MANIFEST, "manifest.sha256",
    }  # fmt: skip


def test_a_backup_without_its_keys_proves_every_entry_and_opens_none(
    backups: Backups, clock: SteppedClock
) -> None:
    """It is what is left of an older one, and all that a thief of it has."""
    report = verify_path(str(backups.take(clock).taken.folder))

    assert isinstance(report, Report)
    assert [(one.klass, one.object) for one in report.findings] == [("missing", "erasable.db")]
    assert report.checked["entries"] == 300 + 20 + 1
    assert report.checked["sealed_pieces"] == 0


def test_what_is_unchanged_is_the_file_of_the_backup_before_and_never_the_ledgers_own(
    backups: Backups, clock: SteppedClock
) -> None:
    """What spoils the ledger's file would spoil a second name of it as well."""
    first, second = backups.take(clock), backups.take(clock)
    blob = next(one.path for one in first.taken.manifest.files if one.path.startswith("blobs/"))
    bundle = "public/default/tile/entries/000"

    for name in (blob, bundle):
        inodes = [inode_of(made.taken.folder / name) for made in (first, second)]
        assert inodes[0] == inodes[1]
        assert inode_of(backups.ledger / name) not in inodes
    assert second.taken.linked_bytes > 0
    assert inode_of(first.taken.folder / "ledger.db") != inode_of(second.taken.folder / "ledger.db")

    third = backups.take(clock, whole=True)
    assert third.taken.linked_bytes == 0
    assert inode_of(third.taken.folder / blob) != inode_of(second.taken.folder / blob)
    assert tree_of(third.taken.folder).keys() == tree_of(second.taken.folder).keys()


def test_other_bytes_under_the_same_name_and_size_are_copied_and_not_linked(
    backups: Backups, clock: SteppedClock
) -> None:
    """A ledger that went back to an earlier generation has other tiles of the same width."""
    backups.take(clock)
    tile = backups.ledger / "public/default/tile/0/000"
    data = tile.read_bytes()
    tile.chmod(0o644)
    tile.write_bytes(bytes(byte ^ 1 for byte in data))

    second = backups.take(clock)

    copied = second.taken.folder / "public/default/tile/0/000"
    assert copied.read_bytes() == tile.read_bytes()
    [listed] = [
        one for one in second.taken.manifest.files if one.path == "public/default/tile/0/000"
    ]
    assert listed.sha256 == hashlib.sha256(tile.read_bytes()).hexdigest()


def test_a_generation_more_than_are_kept_takes_the_place_of_the_first(
    backups: Backups, clock: SteppedClock
) -> None:
    settings = backups.ledger / "counterfoil.toml"
    settings.write_text(settings.read_text().replace("# keep = 7 ", "keep = 2 "))
    stamps = [backups.take(clock).taken.manifest.stamp for _ in range(2)]
    third = backups.take(clock)

    assert third.removed == third.keys_removed == (stamps[0],)
    left = [stamps[1], third.taken.manifest.stamp]
    assert [one.name for one in generations(backups.destination)] == left
    assert [one.name for one in generations(backups.keys)] == left


def test_keys_that_had_their_time_go_and_the_proofs_stay(
    backups: Backups, clock: SteppedClock
) -> None:
    first = backups.take(clock)
    clock.step(7 * 86_400 + 1)
    second = backups.take(clock)

    assert second.keys_removed == (first.taken.manifest.stamp,)
    assert second.removed == ()
    assert generations(backups.keys) == [second.taken.keys_folder]
    assert len(generations(backups.destination)) == 2


def test_what_a_cut_backup_left_is_no_generation_and_goes_with_the_next(
    backups: Backups, clock: SteppedClock
) -> None:
    made = backups.take(clock)
    (made.taken.folder / "manifest.sha256").unlink()  # as a removal begins
    (backups.destination / ".writing").mkdir()
    (backups.destination / ".writing" / "ledger.db").write_bytes(b"half")
    assert generations(backups.destination) == []

    again = backups.take(clock)

    assert [path.name for path in sorted(backups.destination.iterdir())] == [
        again.taken.manifest.stamp,
        "lock",
    ]


@pytest.mark.parametrize(
    ("to", "code", "why"),
    [
        pytest.param("ledger/backups", "usage", "lie in each other", id="inside the ledger"),
        pytest.param(".", "usage", "lie in each other", id="around the ledger"),
        pytest.param("a-file", "usage", "is no folder", id="a file"),
        pytest.param("open", "unsafe_access", "chmod 700", id="open to others"),
        pytest.param("link", "unsafe_access", "chmod 700", id="a link to what is open to others"),
        pytest.param("of-another", "backup_invalid", "another ledger", id="of another ledger"),
    ],
)
def test_a_place_no_backup_may_go_to_is_refused_by_name(
    backups: Backups, clock: SteppedClock, tmp_path: Path, to: str, code: str, why: str
) -> None:
    (tmp_path / "a-file").write_text("x")
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    if to == "of-another":
        other = Backups(_another(tmp_path), tmp_path / to)
        other.take(clock)
        clock.step(1)
    before = tree_of(tmp_path)

    with pytest.raises(CounterfoilError, match=why) as caught:
        back_up(backups.ledger, tmp_path / to, clock)

    assert caught.value.code == code
    after = tree_of(tmp_path)
    assert not [name for name in after.keys() - before.keys() if name.endswith((".db", ".json"))]
    assert [
        name for name in before if after.get(name) != before[name] and name.endswith(".db")
    ] == []


def _another(tmp_path: Path) -> Path:
    from counterfoil.app.founding import create_home
    from counterfoil.ids import SeededRandomness

    create_home(tmp_path / "other-ledger", SeededRandomness("x"), origin="log.example/elsewhere")
    return tmp_path / "other-ledger"


def test_a_backup_is_its_owners_alone(backups: Backups, clock: SteppedClock) -> None:
    backups.take(clock)

    for place in (backups.destination, backups.keys):
        for path in (place, *place.rglob("*")):
            assert not stat.S_IMODE(path.lstat().st_mode) & 0o077, path


def test_a_disk_with_too_little_room_is_told_before_anything_is_written(
    backups: Backups, clock: SteppedClock
) -> None:
    vast = backups.ledger / "blobs" / "00" / ("0" * 64)
    vast.parent.mkdir(exist_ok=True)
    with vast.open("wb") as file:
        file.truncate(1 << 43)  # sparse: it takes no room here

    with pytest.raises(UnavailableError, match="nothing was changed") as caught:
        backups.take(clock)

    assert caught.value.code == "storage"
    assert [path.name for path in backups.destination.iterdir()] == ["lock"]


_FULL = """
import resource, sys
from pathlib import Path
from counterfoil.app.backing_up import back_up
from counterfoil.clock import SteppedClock
from counterfoil.errors import CounterfoilError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    back_up(Path(sys.argv[1]), Path(sys.argv[2]), SteppedClock("2026-11-21T13:00:00.000Z"))
except CounterfoilError as error:
    print(error.code)
"""


@pytest.mark.parametrize("limit_bytes", [100, 100_000], ids=["in a small file", "in a database"])
def test_a_disk_that_is_full_in_the_middle_leaves_the_backups_before_whole(
    backups: Backups, clock: SteppedClock, limit_bytes: int
) -> None:
    backups.take(clock)
    before = tree_of(backups.destination), tree_of(backups.keys)

    ended = subprocess.run(
        [sys.executable, "-c", _FULL, backups.ledger, backups.destination, str(limit_bytes)],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip

    assert ended.stdout == "storage\n", ended.stderr
    assert (tree_of(backups.destination), tree_of(backups.keys)) == before
    assert not (backups.destination / ".writing").exists()


def test_a_backup_that_is_killed_leaves_those_before_and_the_next_one_is_whole(
    backups: Backups, clock: SteppedClock
) -> None:
    first = backups.take(clock)
    before = tree_of(first.taken.folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "counterfoil", "admin", "backup", backups.destination,
         "--dir", backups.ledger],
        stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    end = time.monotonic() + 30
    while not (backups.destination / ".writing" / "ledger.db").exists():
        assert time.monotonic() < end
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert generations(backups.destination) == [first.taken.folder]
    assert tree_of(first.taken.folder) == before
    clock.step(86_400)
    again = backups.take(clock)
    assert generations(backups.destination) == [first.taken.folder, again.taken.folder]
    assert read_manifest(again.taken.folder) == again.taken.manifest


def test_two_backups_to_one_place_are_taken_one_after_the_other(
    backups: Backups, clock: SteppedClock
) -> None:
    from counterfoil.app.backup_place import held

    backups.take(clock)
    with held(backups.destination), pytest.raises(UnavailableError, match="under way"):
        backups.take(clock)


def test_a_blob_that_the_ledger_itself_lacks_is_said(backups: Backups, clock: SteppedClock) -> None:
    """A backup that is silent about it would be found short on the day it is needed."""
    blob = next(path for path in sorted(backups.ledger.glob("blobs/??/*")))
    blob.unlink()

    [warning] = backups.take(clock).taken.warnings

    assert blob.name in warning
    assert "missing in the ledger itself" in warning
