"""Where a ledger is put back: aside in its own directory, then into its names, `ledger.db` last.

    DIR/.restoring/   the whole ledger while it is copied and checked

What must hold: a directory without `ledger.db` is no ledger, so whatever a crash leaves is none,
and the next restore begins anew.  What stood in the directory before is not touched but for
`public/`, which the backup was compared with and which is kept as `public.before/`.

Source: docs/adr/0034.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from counterfoil.app.place import LOCK, check_mount
from counterfoil.errors import RequestError
from counterfoil.stores.file_system import make_directory_durably, sync_directory

ASIDE: Final = ".restoring"
BEFORE: Final = "public.before"
"""What was published by the ledger that was lost."""
LEDGER_FILE: Final = "ledger.db"
_MAY_STAND: Final = frozenset({"public", "lost+found", ASIDE, LOCK})


def prepare_directory(directory: Path, names: frozenset[str]) -> Path:
    """Make an empty folder to restore into; return it.

    Args:
        directory: absent, empty, with no more than `public/` of a lost ledger in it, or what an
            earlier restore left.
        names: what a restore puts there.

    Raises:
        RequestError: `dir_exists`: something else stands there; `network_storage`.
        OSError: it cannot be made.
    """
    if directory.exists() and not directory.is_dir():
        raise RequestError("dir_exists", f"{directory} is no folder; name an empty one, or none")
    check_mount(directory.resolve())
    made = not directory.exists()
    make_directory_durably(directory)
    standing = {one.name for one in directory.iterdir()}
    cut_off = ASIDE in standing and LEDGER_FILE not in standing
    if others := standing - _MAY_STAND - (names | {BEFORE} if cut_off else frozenset()):
        raise RequestError(
            "dir_exists",
            f"{directory} holds {min(others)}: restore into an empty folder, or one with nothing"
            " but the public/ of the ledger that was lost",
        )
    if made or not standing:
        directory.chmod(0o700)
    aside = directory / ASIDE
    shutil.rmtree(aside, ignore_errors=True)
    if cut_off:
        for name in standing & (names - {"public"}):
            _remove(directory / name)
        if BEFORE in standing:
            # Cut off in the names: this is what has to be compared with, not our own copy.
            shutil.rmtree(directory / "public", ignore_errors=True)
            (directory / BEFORE).rename(directory / "public")
    aside.mkdir(mode=0o700)
    return aside


def put_in_place(directory: Path) -> None:
    """Give what was restored aside its names; durable on return."""
    aside = directory / ASIDE
    for folder, _, _ in os.walk(aside):
        sync_directory(Path(folder))
    for path in sorted(aside.iterdir()):
        if path.name == "public" and (directory / "public").is_dir():
            # It is evidence, and may hold what was not compared: a log without a checkpoint.
            (directory / "public").rename(directory / BEFORE)
        if path.name != LEDGER_FILE:
            path.rename(directory / path.name)
    # All that a ledger needs is durable before it is one.
    sync_directory(directory)
    (aside / LEDGER_FILE).rename(directory / LEDGER_FILE)
    aside.rmdir()
    sync_directory(directory)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
