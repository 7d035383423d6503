"""What a repair is going to do, written down before it does it, with what stood there before.

    DIR/damaged/STAMP/repair.json   what was to be mended, with the rows as they were (base64)
    DIR/damaged/STAMP/public/...    files as they were

What must hold: nothing is changed before it is written here; the journal is closed by the name of
the entry that tells of the repair.  If we crash in between, the journal stays open: the next
repair puts it on record, as one that broke off.  Nothing here is ever removed by the program.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from counterfoil.app.fsck_mend_files import FileMend
from counterfoil.app.fsck_mend_log import Mend
from counterfoil.stores.file_system import SYSTEM
from counterfoil.stores.files import Staging, os_errors_translated

FOLDER: Final = "damaged"
_NAME: Final = "repair.json"
_STAMP: Final = re.compile(r"[0-9]{8}T[0-9]{6,15}Z-[0-9a-f]{4}")
_LOG: Final = re.compile(r"([a-z0-9_][a-z0-9-]{0,62})?")


class Journal:
    """The journal of one repair.

    Args:
        directory: the ledger.
        stamp: names the repair: a moment, and a few random digits.
    """

    def __init__(self, directory: Path, stamp: str) -> None:
        self.stamp = stamp
        self.mends: list[dict[str, Any]] = []
        self.recorded: dict[str, int] = {}
        self._directory = directory
        self._staging = Staging(directory / FOLDER, 0o600)

    @property
    def place(self) -> str:
        """Where it is, below the ledger directory."""
        return f"{FOLDER}/{self.stamp}"

    def intend(self, mends: Sequence[Mend]) -> None:
        """Write down what will be done; durable on return."""
        self.mends += [_to_json(one) for one in mends]
        self._write()

    def close(self, recorded: Mapping[str, int]) -> None:
        """Write down which entries tell of it, project -> index; durable on return."""
        self.recorded = dict(recorded)
        self._write()

    def put_aside(self, mend: FileMend) -> None:
        """Move a file as it stands below this journal; durable on return.

        If we crash here, it stands in one of the two places.
        """
        source = self._directory / mend.path
        target = self._directory / self.place / mend.path
        with os_errors_translated(target):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            source.rename(target)
            for folder in (target, *target.parents):
                if folder == self._directory:
                    break
                SYSTEM.sync_directory(folder.parent)
            SYSTEM.sync_directory(source.parent)

    def _write(self) -> None:
        value = {"mends": self.mends, "recorded": self.recorded or None}
        data = json.dumps(value, indent=1).encode() + b"\n"
        self._staging.write([(self._directory / self.place / _NAME, data)])


def open_journals(directory: Path) -> Iterator[Journal]:
    """Yield the journals of repairs that no entry tells of yet, the earliest first."""
    for path in sorted((directory / FOLDER).glob(f"*/{_NAME}")):
        with os_errors_translated(path):
            try:
                value = json.loads(path.read_bytes())
                if value["recorded"] is None and _is_ours(path.parent.name, value["mends"]):
                    journal = Journal(directory, path.parent.name)
                    journal.mends = list(value["mends"])
                    yield journal
            except (ValueError, LookupError, TypeError):
                continue  # whole or not there is how it was written: this one is not ours


def _is_ours(stamp: str, mends: object) -> bool:
    """Say whether a journal of that name with those mends can have been written here."""
    return (
        _STAMP.fullmatch(stamp) is not None
        and isinstance(mends, list)
        and all(
            isinstance(one["object"], str)
            and isinstance(one["how"], str)
            and isinstance(one["log"], str)
            and _LOG.fullmatch(one["log"]) is not None
            and all(one[name] is None or type(one[name]) is int for name in ("first", "last"))
            for one in mends
        )
    )


def _to_json(mend: Mend) -> dict[str, Any]:
    was = None if mend.was is None else base64.b64encode(mend.was).decode()
    return {
        "object": mend.object,
        "how": mend.how,
        "log": mend.log,
        "first": mend.first,
        "last": mend.last,
        "was": was,
    }
