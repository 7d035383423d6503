"""How far a log's public copy has come, as it stands on the disk at this moment.

What this process published last is not asked alone: somebody may have taken it away since, and
nobody outside can check the log while it is gone.
"""

from pathlib import Path
from typing import Final, NamedTuple

from counterfoil.client.evidence_files import DirectoryLog
from counterfoil.errors import CounterfoilError
from counterfoil.ledger.append import Ledger

GONE: Final = "the published checkpoint is gone"


class Published(NamedTuple):
    """The public copy of one log.

    Attributes:
        size: entries its checkpoint speaks for; 0 where none stands there that holds.
        failed: why it is not what was published, one line; "" if it is.
    """

    size: int
    failed: str = ""


def published(directory: Path, ledger: Ledger, log: str) -> Published:
    """Read the published checkpoint of a log.

    Args:
        directory: the ledger directory.
        ledger: whose log it is.
        log: its name.

    Cost: one small file and one signature.
    """
    # Asked before the file is read: an export in between makes the file larger, never smaller.
    remembered = ledger.status(log).exported_size
    try:
        note = DirectoryLog(directory / "public" / log).checkpoint()
        size = 0 if note is None else ledger.trust(log).verify_checkpoint(note).head.size
    except CounterfoilError as error:
        return Published(0, f"the published checkpoint does not hold: {error.message}")
    if note is None and remembered:
        return Published(0, GONE)
    if size < remembered:
        return Published(size, f"{GONE}: one of size {size} stands there, not of {remembered}")
    return Published(size)
