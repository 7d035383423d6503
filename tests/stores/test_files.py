import os
import stat
from pathlib import Path

import pytest

from counterfoil.errors import EvidenceError, UnavailableError
from counterfoil.stores.file_system import SystemFiles
from counterfoil.stores.files import PublicFiles, Staging
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.tree import TreeHead
from tests.ledger_place import ORIGIN, SIGNER

PROJECT = "default"


@pytest.fixture
def public(tmp_path: Path) -> PublicFiles:
    return PublicFiles(tmp_path / "public")


class NotingFiles(SystemFiles):
    """The machine's files; notes which directories were synced."""

    def __init__(self) -> None:
        self.synced: list[Path] = []

    def sync_directory(self, path: Path) -> None:
        """Note it."""
        self.synced.append(path)
        super().sync_directory(path)


def _note(size: int, root: bytes = b"\x01") -> bytes:
    return sign_checkpoint(ORIGIN, TreeHead(size, root * 32), SIGNER)


def _names(directory: Path) -> list[str]:
    return sorted(
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    )


def test_files_are_whole_read_only_and_alone(public: PublicFiles, tmp_path: Path) -> None:
    public.write(PROJECT, [("tile/0/000.p/5", b"five"), ("tile/entries/000.p/5", b"entries")])
    public.publish(PROJECT, _note(5), 5)

    place = tmp_path / "public" / PROJECT
    assert _names(place) == ["checkpoint", "tile/0/000.p/5", "tile/entries/000.p/5"]
    assert (place / "tile/0/000.p/5").read_bytes() == b"five"
    modes = {stat.S_IMODE((place / name).stat().st_mode) for name in _names(place)}
    assert modes == {0o444}
    assert public.published(PROJECT) == _note(5)


def test_the_same_bytes_again_are_no_conflict(public: PublicFiles) -> None:
    """An export that broke off is done again."""
    public.write(PROJECT, [("tile/0/000", b"same")])
    public.write(PROJECT, [("tile/0/000", b"same"), ("tile/0/001", b"next")])


def test_other_bytes_are_refused_and_what_stands_is_kept(
    public: PublicFiles, tmp_path: Path
) -> None:
    public.write(PROJECT, [("tile/0/000", b"first")])

    with pytest.raises(EvidenceError) as refused:
        public.write(PROJECT, [("tile/0/000", b"second")])

    assert refused.value.code == "forked"
    assert (tmp_path / "public" / PROJECT / "tile/0/000").read_bytes() == b"first"


def test_the_checkpoint_only_grows(public: PublicFiles) -> None:
    assert public.published(PROJECT) is None
    public.publish(PROJECT, _note(5), 5)
    public.publish(PROJECT, _note(5), 5)
    public.publish(PROJECT, _note(9), 9)

    with pytest.raises(EvidenceError) as refused:
        public.publish(PROJECT, _note(8), 8)
    assert refused.value.code == "rolled_back"
    with pytest.raises(EvidenceError) as refused:
        public.publish(PROJECT, _note(9, root=b"\x02"), 9)
    assert refused.value.code == "forked"
    assert public.published(PROJECT) == _note(9)


def test_a_damaged_published_checkpoint_is_not_overwritten(
    public: PublicFiles, tmp_path: Path
) -> None:
    public.publish(PROJECT, _note(5), 5)
    file = tmp_path / "public" / PROJECT / "checkpoint"
    file.chmod(0o644)
    file.write_bytes(b"scribbled over")

    with pytest.raises(EvidenceError):
        public.publish(PROJECT, _note(6), 6)
    assert file.read_bytes() == b"scribbled over"


def test_partials_go_when_the_full_tile_is_published(public: PublicFiles, tmp_path: Path) -> None:
    public.write(
        PROJECT, [("tile/0/000.p/5", b"a"), ("tile/0/000.p/9", b"b"), ("tile/0/000", b"c")]
    )
    public.write(PROJECT, [("tile/0/001.p/1", b"d")])

    public.remove_partials(PROJECT, ["tile/0/000", "tile/1/000"])

    assert _names(tmp_path / "public" / PROJECT) == ["tile/0/000", "tile/0/001.p/1"]


def test_what_a_crash_left_aside_is_cleared_and_never_stood_where_readers_look(
    public: PublicFiles, tmp_path: Path
) -> None:
    aside = tmp_path / "public" / ".writing"
    aside.mkdir(parents=True)
    (aside / "half").write_bytes(b"half a ti")

    public.write(PROJECT, [("tile/0/000", b"tile")])

    assert _names(tmp_path / "public") == [f"{PROJECT}/tile/0/000"]


def test_a_directory_an_earlier_write_made_and_did_not_sync_is_synced(tmp_path: Path) -> None:
    """A checkpoint may not outlive the names above the tiles it stands for."""
    place = tmp_path / "public" / PROJECT / "tile" / "0"
    place.mkdir(parents=True)
    system = NotingFiles()
    public = PublicFiles(tmp_path / "public", system)

    public.write(PROJECT, [("tile/0/000", b"tile")])
    above = {place, place.parent, place.parent.parent, tmp_path / "public"}
    assert set(system.synced) == above, "and what is above the tree is not ours to open"

    system.synced.clear()
    public.write(PROJECT, [("tile/0/001", b"tile")])
    assert system.synced == [place], "for the rest, once a process is enough"


def test_a_folder_is_made_that_others_cannot_put_files_in_whatever_the_umask(
    tmp_path: Path,
) -> None:
    """Where users have groups of their own the umask is 0002: the next start would refuse it."""
    folder = tmp_path / "timestamps"
    was = os.umask(0o000)
    try:
        Staging(folder, 0o444).write([(folder / "1.tsr", b"token")])
    finally:
        os.umask(was)

    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / ".writing").stat().st_mode) == 0o700


def test_a_place_that_takes_no_directory_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "public").write_bytes(b"a file stands here")

    with pytest.raises(UnavailableError) as refused:
        PublicFiles(tmp_path / "public").write(PROJECT, [("tile/0/000", b"tile")])
    assert refused.value.code == "storage"
