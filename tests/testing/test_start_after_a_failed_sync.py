"""What a start vouches for is on the disk, whatever syncs failed before it."""

import random
from pathlib import Path

import pytest

from counterfoil.errors import UnavailableError
from counterfoil.stores.sqlite import LEDGER, SqliteLogStore
from counterfoil.stores.sqlite_open import create_database
from counterfoil.testing.calls import Calls, Ended, Fault, Kind, Moment, Trace
from counterfoil.testing.disk import Disk, Image
from counterfoil.testing.driver import SimulatedDriver
from counterfoil.testing.vfs import simulated_vfs

PATH = Path("/d/ledger.db")
SYNC_OF_THE_SECOND_LOG = 4
"""One sync of the log at the start, two of what is written first: its header and its frames."""


def chance(seed: int) -> random.Random:
    """Return what decides."""
    return random.Random(f"start {seed}")  # noqa: S311  repeatable is what it has to be


def begin(name: str, disk: Disk, seed: int = 0, fault: Fault | None = None) -> SimulatedDriver:
    """Return the driver of another process."""
    return SimulatedDriver(Calls(name, disk, Trace(), chance(seed), fault), 1_000)


def projects(image: Image) -> list[str]:
    """Return which logs a start finds there."""
    driver = begin("after", Disk(image))
    try:
        return [log.project for log in SqliteLogStore(PATH, driver=driver).projects()]
    finally:
        driver.drop()


@pytest.mark.parametrize("moment", ["before", "half"])
@pytest.mark.parametrize("kind", ["EIO", "kill"])
def test_what_a_start_finds_survives_every_power_cut(kind: Kind, moment: Moment) -> None:
    """Though the sync of it failed or never came back, and the disk held less than was read.

    Nor does what the disk still holds of the emptied log come back over it.
    """
    found = set()
    for seed in range(30):
        simulated_vfs().begin(seed)
        disk = Disk((frozenset({"/d"}), {}))
        maker = begin("maker", disk)
        create_database(PATH, LEDGER, maker, page_size_bytes=1_024)
        maker.drop()
        fault = Fault(kind, "log syncs", SYNC_OF_THE_SECOND_LOG, moment)
        driver = begin("failing", disk, seed, fault)
        failing = SqliteLogStore(PATH, driver=driver)
        failing.create_log("first", "simulated.example/first")
        with pytest.raises((UnavailableError, Ended)):
            failing.create_log("second", "simulated.example/second")
        driver.drop()

        again = begin("again", disk)
        standing = [log.project for log in SqliteLogStore(PATH, driver=again).projects()]
        again.drop()

        found.add(tuple(standing))
        for cut in range(20):
            assert projects(disk.lose_power(chance(cut))) == standing
    assert ("first", "second") in found, "a commit nobody was told of stands there too"
