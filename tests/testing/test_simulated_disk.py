"""The disk promises what POSIX does and nothing more; the rest of the simulator stands on that."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from counterfoil.testing.calls import Calls, Ended, Fault, Trace
from counterfoil.testing.disk import SECTOR_BYTES, Disk
from counterfoil.testing.driver import SimulatedConnection, SimulatedDriver
from counterfoil.testing.vfs import simulated_vfs

EMPTY = (frozenset({"/d"}), dict[str, bytes]())


def chance(seed: int = 0) -> random.Random:
    """Return what decides."""
    return random.Random(seed)  # noqa: S311  repeatable is what it has to be


def after_power_cuts(disk: Disk) -> list[dict[str, bytes]]:
    """Return what may lie there after a power cut at this moment, in many ways it can go."""
    return [disk.lose_power(chance(seed))[1] for seed in range(40)]


@pytest.fixture
def disk() -> Disk:
    return Disk(EMPTY)


def test_what_was_synced_with_its_name_survives(disk: Disk) -> None:
    file = disk.create("/d/a")
    disk.write(file, 0, b"kept")
    disk.sync(file)
    disk.sync_directory("/d")

    assert all(files == {"/d/a": b"kept"} for files in after_power_cuts(disk))


def test_a_synced_file_whose_directory_was_not_synced_may_be_gone(disk: Disk) -> None:
    file = disk.create("/d/a")
    disk.write(file, 0, b"kept")
    disk.sync(file)

    cuts = after_power_cuts(disk)
    assert {} in cuts
    assert {"/d/a": b"kept"} in cuts


def test_a_file_in_a_directory_that_is_gone_is_gone(disk: Disk) -> None:
    disk.make_directory("/d/e")
    disk.create("/d/e/a")
    disk.sync_directory("/d/e")

    assert {} in after_power_cuts(disk)


def test_an_unsynced_write_may_be_there_whole_in_part_or_not(disk: Disk) -> None:
    """Single sectors of it survive or not each for itself; none of them is torn."""
    file = disk.create("/d/a")
    disk.write(file, 0, b"o" * 3 * SECTOR_BYTES)
    disk.sync(file)
    disk.sync_directory("/d")
    disk.write(file, 0, b"n" * 3 * SECTOR_BYTES)

    found = {files["/d/a"] for files in after_power_cuts(disk)}
    sectors = {data[at : at + SECTOR_BYTES] for data in found for at in (0, 512, 1024)}
    assert sectors == {b"o" * SECTOR_BYTES, b"n" * SECTOR_BYTES}
    assert {b"o" * 3 * SECTOR_BYTES, b"n" * 3 * SECTOR_BYTES} < found
    assert file.cached == b"n" * 3 * SECTOR_BYTES, "processes read what was written"


def test_a_rename_happens_or_does_not(disk: Disk) -> None:
    for name in ("/d/a", "/d/aside"):
        file = disk.create(name)
        disk.write(file, 0, name.encode())
        disk.sync(file)
    disk.sync_directory("/d")
    disk.rename("/d/aside", "/d/a")

    cuts = after_power_cuts(disk)
    assert {"/d/a": b"/d/a", "/d/aside": b"/d/aside"} in cuts
    assert {"/d/a": b"/d/aside"} in cuts
    assert len({tuple(sorted(files.items())) for files in cuts}) == 2


def test_what_a_failed_sync_gave_up_no_later_sync_brings_back(disk: Disk) -> None:
    """So Linux does it: the pages count as clean, and processes go on reading them."""
    file = disk.create("/d/a")
    disk.sync_directory("/d")
    disk.write(file, 0, b"x" * 64 * SECTOR_BYTES)
    disk.forget(file, chance())
    disk.sync(file)

    assert file.cached != file.durable
    disk.write(file, 0, b"x" * 64 * SECTOR_BYTES)
    disk.sync(file)
    assert file.cached == file.durable


@contextmanager
def opened(fault: Fault) -> Iterator[tuple[SimulatedConnection, Disk]]:
    """Lend a connection to an empty table that was made before the fault can strike."""
    simulated_vfs().begin("a test of the disk")
    disk = Disk(EMPTY)
    made = SimulatedDriver(Calls("maker", disk, Trace(), chance()), 1_000)
    made.create(Path("/d/a.db"))
    first = made.connect(Path("/d/a.db"), "rw")
    first.execute("PRAGMA journal_mode = WAL")
    first.execute("CREATE TABLE t (a)")
    first.close()
    disk.sync_directory("/d")
    driver = SimulatedDriver(Calls("p", disk, Trace(), chance(), fault), 1_000)
    try:
        yield driver.connect(Path("/d/a.db"), "rw"), disk
    finally:
        driver.drop()


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (Fault("EIO", "changes", 2, "half"), "SQLITE_IOERR_WRITE"),
        (Fault("EIO", "syncs", 1, "before"), "SQLITE_IOERR_FSYNC"),
        (Fault("EIO", "reads", 2, "before"), "SQLITE_IOERR_READ"),
        (Fault("ENOSPC", "changes", 2, "before"), "SQLITE_FULL"),
    ],
    ids=["a write fails", "a sync fails", "a read fails", "the disk is full"],
)
def test_sqlite_says_what_failed_as_the_standard_driver_does(fault: Fault, name: str) -> None:
    with (
        opened(fault) as (connection, _),
        pytest.raises(sqlite3.OperationalError) as failed,
    ):
        connection.execute("INSERT INTO t VALUES (1)")
    assert failed.value.sqlite_errorname == name


def test_a_killed_process_does_nothing_more() -> None:
    """Not even the rollback that SQLite tries when its call fails, nor what closing does."""
    with opened(Fault("kill", "syncs", 2, "before")) as (connection, disk):
        before = disk.image()
        with pytest.raises(Ended):
            connection.execute("INSERT INTO t VALUES (1)")
        after = disk.image()
        with pytest.raises(Ended):
            connection.execute("INSERT INTO t VALUES (2)")

    assert disk.image() == after != before
