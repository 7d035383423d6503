"""A ledger directory, begun: its keys, its settings, its empty log, durable before it is used."""

import os
import re
from pathlib import Path

from counterfoil.app.config import FILE_NAME, TEMPLATE, read_config
from counterfoil.app.naming import check_project
from counterfoil.app.place import check_mount, real_place, take_lock
from counterfoil.errors import RequestError
from counterfoil.ids import Randomness
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.file_system import make_directory_durably, sync_directory
from counterfoil.stores.files import os_errors_translated
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.tlog.note import SignerKey

ORIGIN = re.compile(r"[a-z0-9][a-z0-9.-]*(?::\d{1,5})?(?:/[A-Za-z0-9._~-]+)*")
DEFAULT_PROJECT = "default"


def create_home(
    directory: Path, randomness: Randomness, *, origin: str = "", project: str = DEFAULT_PROJECT
) -> None:
    """Make a ledger directory with one empty log.

    Args:
        directory: absent or empty; or an existing ledger, to which a log is added.
        randomness: where keys, the origin and the first token come from.
        origin: the log's name for life, a schema-less URL; random under counterfoil.invalid
            when empty.
        project: the project of the log.

    Raises:
        RequestError: `dir_exists`, `origin_invalid`, `project_invalid`, `unsafe_access`,
            `network_storage`.
        UnavailableError: `read_only`, `storage`, `locked`.

    If we crash in between, the directory has no ledger.db yet: remove it and start again.
    """
    check_project(project)
    if origin and not ORIGIN.fullmatch(origin):
        raise RequestError(
            "origin_invalid", f"{origin!r} is no schema-less URL such as log.example/acme"
        )
    with os_errors_translated(directory):
        existing = (directory / "ledger.db").exists()
        taken = directory.exists() and (not directory.is_dir() or any(directory.iterdir()))
        if taken and not existing:
            raise RequestError(
                "dir_exists", f"{directory} is no empty directory; choose one that is"
            )
        check_mount(directory.resolve())
        make_directory_durably(directory)
        if not existing and directory.stat().st_uid == os.geteuid():
            directory.chmod(0o700)  # ours and empty: whoever made it may have a wide umask
        directory = real_place(directory)
        lock = take_lock(directory)
        try:
            _create(directory, randomness, origin, project, existing=existing)
        finally:
            os.close(lock)


def _create(
    directory: Path, randomness: Randomness, origin: str, project: str, *, existing: bool
) -> None:
    name = origin or f"counterfoil.invalid/{randomness.token(8).hex()}/{project}"
    keys = directory / read_config(directory).keys.directory
    make_directory_durably(keys)
    if existing:
        _check_free(directory, project, name)
    if (keys / f"{project}.key").exists():
        # Of no log of this ledger: left by a crash, or another ledger's.
        raise RequestError(
            "dir_exists",
            f"{keys / project}.key stands there; move it away if no log is signed by it",
        )
    if not existing:
        (directory / "blobs").mkdir(mode=0o700, exist_ok=True)
        (directory / "public").mkdir(mode=0o755, exist_ok=True)
        (directory / "spool").mkdir(mode=0o700, exist_ok=True)
        _write(directory / FILE_NAME, TEMPLATE, 0o600)
        _write(directory / "admin.token", f"cf_{randomness.token(24).hex()}\n", 0o600)
        ErasableStore(directory / "erasable.db", randomness, create=True).close()
    signer = SignerKey.from_seed(name, randomness.token(32))
    _write(keys / f"{project}.key", signer.to_text() + "\n", 0o600)
    _write(keys / f"{project}.vkey", f"{signer.vkey}\n", 0o644)
    # The key is durable, name and all, before a log that needs it is: its entries outlive a power
    # cut, and nobody could sign another one.
    sync_directory(keys)
    store = SqliteLogStore(directory / "ledger.db", create=True)
    try:
        store.create_log(project, name)
    finally:
        store.close()


def _check_free(directory: Path, project: str, origin: str) -> None:
    """Refuse a second log of a project or an origin, before anything is written."""
    store = SqliteLogStore(directory / "ledger.db", write=False)
    try:
        for log in store.projects():
            if log.project == project:
                raise RequestError(
                    "dir_exists", f"{directory} has a log for project {project} already"
                )
            if log.origin == origin:
                raise RequestError("dir_exists", f"{origin} is the log of project {log.project}")
    finally:
        store.close()


def _write(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
