"""The model of a disk promises no more than POSIX does: else the replays would prove nothing."""

import random

from tests.faults import disk_model
from tests.faults.disk_model import Disk, everything, nothing, resize, some, sync, write


def image(disk: Disk, keep: disk_model.Keep = nothing) -> dict[str, bytes | None]:
    return dict(disk.images(keep))


def test_bytes_are_durable_once_a_sync_that_began_after_them_has_returned() -> None:
    disk = Disk({"file": b"old"})
    node = disk.find("file")
    assert node is not None
    write(node, 1, 0, b"new")
    write(node, 5, 3, b" and more")

    assert disk.read("file") == b"new and more"
    assert image(disk) == {"file": b"old"}
    sync(node, 3)
    assert image(disk) == {"file": b"new"}, "what was written while it synced is not covered"
    assert image(disk, everything) == {"file": b"new and more"}


def test_a_name_is_durable_once_its_directory_was_synced_and_not_with_its_file() -> None:
    disk = Disk({"folder": None})
    node = disk.make(1, "folder/file")
    write(node, 2, 0, b"content")
    sync(node, 3)
    folder = disk.find("folder")
    assert folder is not None

    assert image(disk) == {"folder": None}
    sync(folder, 4)
    assert image(disk) == {"folder": None, "folder/file": b"content"}


def test_a_rename_leaves_the_old_content_or_the_new_one_and_may_leave_both_names() -> None:
    disk = Disk({"aside": b"new", "file": b"old"})
    disk.rename(1, "aside", "file")
    chance = random.Random(1)  # noqa: S311  a test's choices
    seen = [image(disk, some(chance)) for _ in range(60)]

    assert disk.read("aside") is None
    assert {one["file"] for one in seen} == {b"old", b"new"}
    assert {"aside": b"new", "file": b"new"} in seen


def test_a_file_removed_and_not_synced_may_come_back_whole() -> None:
    disk = Disk({"file": b"content"})
    disk.remove(1, "file")

    assert disk.read("file") is None
    assert image(disk) == {"file": b"content"}
    assert image(disk, everything) == {}


def test_a_write_is_torn_at_sectors_of_the_file_and_what_is_skipped_reads_as_zeroes() -> None:
    disk = Disk({"file": b""})
    node = disk.find("file")
    assert node is not None
    write(node, 1, 500, b"x" * 1024)
    chance = random.Random(2)  # noqa: S311  a test's choices
    borders = set()
    for _ in range(80):
        content = image(disk, some(chance))["file"]
        assert content is not None
        kept = [content[start:end] for start, end in ((500, 512), (512, 1024), (1024, 1524))]
        assert all(set(piece) <= {0} or set(piece) == {ord("x")} for piece in kept)
        assert not content[:500].strip(b"\0")
        borders.add(tuple(piece[:1] == b"x" for piece in kept))

    assert len(borders) == 8, "every choice of sectors is met"


def test_a_cut_that_is_not_durable_may_leave_the_old_end() -> None:
    disk = Disk({"file": b"0123456789"})
    node = disk.find("file")
    assert node is not None
    resize(node, 1, 4)
    resize(node, 2, 6)

    assert disk.read("file") == b"0123\0\0"
    assert image(disk) == {"file": b"0123456789"}
