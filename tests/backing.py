"""Backups for tests: one ledger, backed up once, copied for whoever changes it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from counterfoil.app.backing_up import BackedUp, back_up
from counterfoil.app.restore import Asked, Restored, restore
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness

TAKEN = "2026-11-20T13:00:00.000Z"


@dataclass(frozen=True)
class Backups:
    """A ledger, the folder of its backups, and its keys kept apart."""

    ledger: Path
    destination: Path

    @property
    def keys(self) -> Path:
        """Where what opens contents goes."""
        return self.destination.with_name(f"{self.destination.name}.keys")

    @property
    def latest(self) -> Path:
        """The latest generation."""
        return max(one for one in self.destination.iterdir() if one.name.endswith("Z"))

    def take(self, clock: SteppedClock, *, whole: bool = False) -> BackedUp:
        """Take one more backup, a second later."""
        clock.step(1)
        return back_up(self.ledger, self.destination, clock, whole=whole)

    def restore(self, directory: Path, *against: str, keys: Path | None = None) -> Restored:
        """Restore the latest one, needing no witness."""
        asked = Asked(
            self.destination, directory, keys=keys, signing_keys=self.ledger / "keys",
            against=against, need_witnesses=False,
        )  # fmt: skip
        return restore(asked, SteppedClock(TAKEN), SeededRandomness("restore"))

    def copied(self, to: Path) -> "Backups":
        """Return a copy to change, of the backups alone."""
        shutil.copytree(self.destination, to / "backups", symlinks=True)
        shutil.copytree(self.keys, to / "backups.keys", symlinks=True)
        return Backups(self.ledger, to / "backups")


def tree_of(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def inode_of(path: Path) -> int:
    """Return the file behind a name."""
    return path.stat().st_ino
