"""The ledgers of earlier versions that are kept in `tests/vectors/ledgers`, and what those told.

`python -m tools.keep_ledger` made each with that version's own program.
"""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEDGERS = Path(__file__).parent / "vectors" / "ledgers"
NAMES = ("walk", "front", "aggregate", "derived", "access", "repaired")
"""From the earliest to the latest."""


@dataclass(frozen=True)
class KeptLedger:
    """One ledger as an earlier version left it.

    Args:
        name: of its folder.
        logs: project -> origin, size, root (base64) and vkey of each log.
        told: for some entries: project, event as posted, answer with receipt and openings, and
            the event as that version opened it.
    """

    name: str
    logs: dict[str, dict[str, Any]]
    told: list[dict[str, Any]]

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return LEDGERS / self.name

    @property
    def checkpoints(self) -> list[Path]:
        """The checkpoints that were exported, one a log."""
        return sorted((self.folder / "checkpoints").glob("*.checkpoint"))

    def unpack(self, place: Path) -> Path:
        """Write a copy below `place`, modes as they were; return the ledger directory."""
        with tarfile.open(self.folder / "ledger.tar.gz") as archive:
            archive.extractall(place, filter="tar")
        return place / "ledger"


def kept_ledger(name: str) -> KeptLedger:
    """Return one of `NAMES`."""
    found = json.loads((LEDGERS / name / "kept.json").read_text("utf-8"))
    return KeptLedger(name, found["logs"], found["told"])
