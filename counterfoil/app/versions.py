"""Which version of Counterfoil wrote a ledger, and what a version before it says of that.

`DIR/version` names the version that last opened the directory for writing.  It decides nothing:
layouts and revisions in the files themselves do, since they are committed with what they speak of.
It is there so that a refusal can name the version to use.  It is written before the first database
is led up: if we crash in between, it names a version that reads what stands there all the same.

Source: docs/adr/0036.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from counterfoil import __version__
from counterfoil.errors import RequestError
from counterfoil.stores import sqlite_open, state, tables
from counterfoil.stores.erasable import ERASABLE
from counterfoil.stores.file_system import sync_directory
from counterfoil.stores.sqlite import LEDGER

FILE_NAME: Final = "version"
AGGREGATE_FILE: Final = "aggregate.db"
_VERSION: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,3}[a-z0-9.+-]{0,20}")
_READ_BYTES: Final = 64


def refuse_later(directory: Path) -> None:
    """Refuse a ledger of which any database is of a later version, before any of it is changed.

    What is absent, or no database, is for whoever opens it to tell.

    Raises:
        RequestError: `not_a_ledger`, with the fact `later`.

    Cost: five files opened for reading.
    """
    for name, kind in (
        (LEDGER.name, LEDGER),
        (ERASABLE.name, ERASABLE),
        (AGGREGATE_FILE, LEDGER),
    ):
        sqlite_open.refuse_later(directory / name, kind)
    state.refuse_later(directory / "state.db")
    tables.refuse_later(directory / "views.db")


def note_version(directory: Path) -> None:
    """Write down that this version writes here; durable on return, and once a version.

    The caller holds the directory's lock.
    """
    if written_by(directory) == __version__:
        return
    aside = directory / f"{FILE_NAME}.writing"
    aside.unlink(missing_ok=True)
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, f"{__version__}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    aside.rename(directory / FILE_NAME)
    sync_directory(directory)


def written_by(directory: Path) -> str:
    """Return the version that last opened a directory for writing; "" if nothing readable says."""
    try:
        with (directory / FILE_NAME).open("rb") as file:
            text = file.read(_READ_BYTES).decode("ascii", "replace").strip()
    except OSError:
        return ""
    return text if _VERSION.fullmatch(text) else ""


@contextmanager
def naming_writer(directory: Path) -> Iterator[None]:
    """Let what is refused as of a later version, or as an unknown setting, name that version."""
    try:
        yield
    except RequestError as error:
        version = written_by(directory)
        is_later = bool(error.facts.get("later"))
        if (
            not version
            or version == __version__
            or not (is_later or error.code == "config_invalid")
        ):
            raise
        raise RequestError(
            error.code,
            f"{error.message} (Counterfoil {version} wrote this ledger last, this is {__version__})",
            **error.facts,
        ) from error
