"""A backup of a ledger, taken beside a running server: one generation, in two halves.

    DEST/STAMP/       ledger.db at one commit, aggregate.db, public/, timestamps/, the blobs that
                      entries name, verifier keys, settings
    DEST.keys/STAMP/  erasable.db and state.db: what opens contents, and what names people

The second half has a short life, so that what is erased is not read from an older backup; the
first alone still proves every entry and opens none.  views.db follows from the log.

Order matters while a server writes: what is derived from a log is copied before it, and keys,
which are written before the entries they open, after it; so whatever the copy holds fits what it
holds of the log.  No erasure falls in between (`app/erasing_lock.py`).

What did not change, by its bytes, is a second name of the previous generation's file, and never of
the ledger's own: what spoils the one must not spoil the other.

If we crash, no generation stands, and those before are whole.

Source: docs/adr/0034; docs/how-to/backup.md.
"""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from counterfoil import __version__
from counterfoil.app.backup_manifest import (
    FORMAT,
    KEYS_FORMAT,
    STEP_BYTES,
    BackedUpFile,
    BackedUpLog,
    Manifest,
    made_file,
    make_folders,
    read_manifest,
    write_manifest,
)
from counterfoil.app.backup_place import free_bytes, generations, stamp_of, written_aside
from counterfoil.app.config import FILE_NAME
from counterfoil.app.erasing_lock import copying
from counterfoil.clock import Clock, format_time
from counterfoil.errors import EvidenceError, RequestError, UnavailableError
from counterfoil.stores import sqlite_statements as sql
from counterfoil.stores.blobs import STORED_NAME
from counterfoil.stores.erasable import ERASABLE
from counterfoil.stores.files import os_errors_translated
from counterfoil.stores.sqlite import LEDGER
from counterfoil.stores.sqlite_copy import Source, copy_beside, one_commit
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.note_text import parse_note
from counterfoil.tlog.tile import TILE_WIDTH, entries_path, tile_path, tiles_of

LEDGER_FILE: Final = "ledger.db"
AGGREGATE_FILE: Final = "aggregate.db"
ERASABLE_FILE: Final = "erasable.db"
STATE_FILE: Final = "state.db"
TOKEN_FILE: Final = "admin.token"  # noqa: S105  a name, not a secret
_DATABASES: Final = (LEDGER_FILE, AGGREGATE_FILE, ERASABLE_FILE, STATE_FILE)
_LOOKS: Final = 50
"""How often a log that grows while it is looked at is looked at again."""
_NO_LINK: Final = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})


@dataclass(frozen=True, slots=True)
class Plan:
    """What to back up, and to where; the folders were looked at (`prepare_place`).

    Args:
        directory: the ledger.
        keys: the folder of its key files.
        destination: of what lasts.
        keys_destination: of what has a short life.
        signing_keys: whether the keys that sign come along, and the first administrator's token.
        whole: link nothing; copy every byte.
    """

    directory: Path
    keys: Path
    destination: Path
    keys_destination: Path
    signing_keys: bool = False
    whole: bool = False


@dataclass(slots=True)
class Taken:
    """A backup that stands.

    Attributes:
        folder, keys_folder: its two halves.
        manifest: of the first.
        copied_bytes, linked_bytes: of both, by how they came there.
        warnings: what the ledger itself lacks; one line each.
    """

    folder: Path
    keys_folder: Path
    manifest: Manifest
    copied_bytes: int = 0
    linked_bytes: int = 0
    warnings: list[str] = field(default_factory=list)


def take_backup(plan: Plan, clock: Clock, announce: Callable[[str], None]) -> Taken:
    """Take one backup; both halves stand, durably, when this returns.

    Args:
        plan: what, and to where.
        clock: names it.
        announce: called with its name before a byte is copied; what it records is in the copy.

    Raises:
        RequestError: `backup_invalid`: the destination has backups of another ledger.
        EvidenceError: `damaged`: a database cannot be read.
        UnavailableError: `storage`: too little room, or the disk fails; `locked`: something is
            being erased; `read_only`.

    Cost: reads every byte of the ledger, writes the databases and what the previous generation
    has not.
    """
    before = None if plan.whole else _previous(plan.destination)
    moment = clock.now()
    stamp = stamp_of(moment)
    if (plan.destination / stamp).exists() or (plan.keys_destination / stamp).exists():
        raise UnavailableError("locked", f"a backup of {stamp} stands already; try again")
    _require_room(plan, before)
    announce(stamp)
    with copying(plan.directory), written_aside(plan.destination, stamp) as aside:
        # The keys' half is named first: a generation that stands has had its keys.
        with written_aside(plan.keys_destination, stamp) as keys_aside:
            taking = _Taking(plan, aside, keys_aside, before)
            made = (stamp, format_time(moment), __version__, tuple(taking.copy()))
            write_manifest(keys_aside, Manifest(KEYS_FORMAT, *made, tuple(taking.keys.files)))
        manifest = Manifest(FORMAT, *made, tuple(taking.kept.files), plan.signing_keys)
        write_manifest(aside, manifest)
    return Taken(
        plan.destination / stamp,
        plan.keys_destination / stamp,
        manifest,
        taking.kept.copied_bytes + taking.keys.copied_bytes,
        taking.kept.linked_bytes,
        taking.warnings,
    )


@dataclass(frozen=True, slots=True)
class _Before:
    """The generation before this one, and its files by path."""

    folder: Path
    manifest: Manifest
    files: dict[str, BackedUpFile]


def _previous(destination: Path) -> _Before | None:
    """Return the latest generation; one whose manifest is damaged is linked to by nobody."""
    for folder in reversed(generations(destination)):
        with contextlib.suppress(EvidenceError, RequestError):
            manifest = read_manifest(folder)
            return _Before(folder, manifest, {one.path: one for one in manifest.files})
    return None


def _require_room(plan: Plan, before: _Before | None) -> None:
    """Refuse what cannot end well before a byte is written."""
    known = before.files if before is not None else {}
    databases = sum(_size_bytes(plan.directory / name) for name in _DATABASES)
    logs = sum(_size_bytes(plan.directory / f"{name}-wal") for name in _DATABASES)
    files = 0
    for name in ("public", "blobs", "timestamps"):
        for root, _, names in os.walk(plan.directory / name):
            below = Path(root).relative_to(plan.directory)
            files += sum(
                _size_bytes(Path(root) / one) for one in names if str(below / one) not in known
            )
    needed = databases + logs + files
    free = free_bytes(plan.destination)
    if free < needed:
        raise UnavailableError(
            "storage",
            f"{plan.destination} has {free} bytes free, and a backup may take {needed}: make room"
            " there, or name another disk; nothing was changed",
        )


def _size_bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


class _Half:
    """One half of a backup while it is written: a folder, and what is in it."""

    def __init__(self, folder: Path, before: _Before | None) -> None:
        self.folder = folder
        self.files: list[BackedUpFile] = []
        self.copied_bytes = 0
        self.linked_bytes = 0
        self._before = before

    def copy(self, source: Path, name: str, *, lasting: bool = False) -> str | None:
        """Copy a file, or link the previous generation's; return its SHA-256, None if absent.

        Args:
            source: the ledger's file.
            name: where it goes.
            lasting: it seldom changes: where the previous generation has these bytes under this
                name, they are linked.
        """
        target = self.folder / name
        with os_errors_translated(target):
            try:
                file = source.open("rb")
            except FileNotFoundError:
                return None
            with file:
                make_folders(target)
                linked = lasting and self._link(name, file.fileno(), target)
                return linked or self._write(file.fileno(), target, name)

    def add(self, name: str) -> None:
        """Take up a file that was written here."""
        path, digest = self.folder / name, hashlib.sha256()
        with os_errors_translated(path), path.open("rb") as file:
            while data := file.read(STEP_BYTES):
                digest.update(data)
            self._added(name, file.tell(), digest.hexdigest())

    def _link(self, name: str, opened: int, target: Path) -> str | None:
        known = self._before.files.get(name) if self._before is not None else None
        size_bytes = os.fstat(opened).st_size
        if self._before is None or known is None or known.size_bytes != size_bytes:
            return None
        # A ledger that went back to an earlier state has other bytes under the same names.
        if _sha256_of(opened) != known.sha256:
            return None
        source = self._before.folder / name
        try:
            if source.lstat().st_size != size_bytes:
                return None
            os.link(source, target, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            return None
        self.files.append(known)
        self.linked_bytes += size_bytes
        return known.sha256

    def _write(self, source: int, target: Path, name: str) -> str:
        digest, size_bytes = hashlib.sha256(), 0
        with made_file(target) as file:
            while data := os.read(source, STEP_BYTES):
                digest.update(data)
                size_bytes += file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._added(name, size_bytes, digest.hexdigest())
        return digest.hexdigest()

    def _added(self, name: str, size_bytes: int, sha256: str) -> None:
        self.files.append(BackedUpFile(name, size_bytes, sha256))
        self.copied_bytes += size_bytes


class _Taking:
    """One backup under way."""

    def __init__(self, plan: Plan, aside: Path, keys_aside: Path, before: _Before | None) -> None:
        self.kept = _Half(aside, before)
        self.keys = _Half(keys_aside, None)
        self.warnings: list[str] = []
        self._plan = plan
        self._before = before

    def copy(self) -> list[BackedUpLog]:
        """Copy all there is, in the order that fits together; return the logs."""
        directory = self._plan.directory
        self.kept.copy(directory / FILE_NAME, FILE_NAME)
        self._copy_keys()
        for path in _files_of(directory / "timestamps"):
            self.kept.copy(path, f"timestamps/{path.name}", lasting=True)
        projects = sorted(path.parent.name for path in directory.glob("public/*/checkpoint"))
        notes = {project: self._copy_public(project) for project in projects}
        if (directory / AGGREGATE_FILE).exists():
            with one_commit(directory / AGGREGATE_FILE, LEDGER) as source:
                self._copy_database(source, self.kept, AGGREGATE_FILE)
        with one_commit(directory / LEDGER_FILE, LEDGER) as source:
            logs = [
                _log(source, project, origin, notes)
                for project, origin in source.connection.execute(sql.SELECT_LOGS).fetchall()
            ]
            self._require_same(logs)
            self._copy_database(source, self.kept, LEDGER_FILE)
            absent = self._copy_blobs(
                row[0] for row in source.connection.execute(sql.SELECT_ALL_BLOBS)
            )
        with one_commit(directory / ERASABLE_FILE, ERASABLE) as source:
            self._copy_database(source, self.keys, ERASABLE_FILE)
            asked = json.dumps(absent)
            for (stored,) in source.connection.execute(sql.SELECT_BLOBS_WITH_KEY, (asked,)):
                self.warnings.append(
                    f"blob {stored} is missing in the ledger itself; run fsck on it"
                )
        if (directory / STATE_FILE).exists():
            with os_errors_translated(self.keys.folder):
                copy_beside(directory / STATE_FILE, self.keys.folder / STATE_FILE)
            self.keys.add(STATE_FILE)
        return logs

    def _copy_keys(self) -> None:
        for path in _files_of(self._plan.keys):
            if path.suffix != ".key" or self._plan.signing_keys:
                self.kept.copy(path, f"keys/{path.name}")
        if self._plan.signing_keys:
            self.kept.copy(self._plan.directory / TOKEN_FILE, TOKEN_FILE)

    def _copy_public(self, project: str) -> bytes:
        """Copy an exported log: what its checkpoint needs, and no more; return the checkpoint.

        A log that grows takes its narrow tiles away once they are full.  So these are copied
        first, and where one is gone the checkpoint is read again: it has moved on.
        """
        place = self._plan.directory / "public" / project
        for _ in range(_LOOKS):
            with os_errors_translated(place):
                note = (place / "checkpoint").read_bytes()
            size = parse_checkpoint(parse_note(note).text).size
            if self._copy_tiles(project, place, size):
                with os_errors_translated(self.kept.folder):
                    path = self.kept.folder / "public" / project / "checkpoint"
                    make_folders(path)
                    with made_file(path) as file:
                        file.write(note)
                        file.flush()
                        os.fsync(file.fileno())
                self.kept.add(f"public/{project}/checkpoint")
                return note
        raise EvidenceError(
            "missing",
            f"public/{project} lacks a file its checkpoint of {size} entries needs; run fsck"
            " --repair, then take the backup",
        )

    def _copy_tiles(self, project: str, place: Path, size: int) -> bool:
        have = {one.path for one in self.kept.files}
        for name, narrow in sorted(_exported(size), key=lambda pair: not pair[1]):
            path = f"public/{project}/{name}"
            if path not in have and self.kept.copy(place / name, path, lasting=True) is None:
                if narrow:
                    return False
                raise EvidenceError(
                    "missing", f"{path} is not there; run fsck --repair, then take the backup"
                )
        return True

    def _copy_database(self, source: Source, half: _Half, name: str) -> None:
        with os_errors_translated(half.folder):
            source.copy(half.folder / name)
        half.add(name)

    def _copy_blobs(self, named: Iterable[str]) -> list[str]:
        """Copy the blobs that entries name; return those that are not there."""
        absent = []
        for stored in named:
            match = STORED_NAME.fullmatch(stored)
            if match is None:
                continue
            name = f"blobs/{match[1][:2]}/{match[1]}"
            sha256 = self.kept.copy(self._plan.directory / name, name, lasting=True)
            if sha256 is None:
                absent.append(stored)
            elif sha256 != match[1]:
                self.warnings.append(
                    f"blob {stored} is damaged in the ledger itself; run fsck on it"
                )
        return absent

    def _require_same(self, logs: Iterable[BackedUpLog]) -> None:
        """Refuse to put two ledgers into one row of generations."""
        if self._before is None:
            return
        origins = {one.origin for one in logs}
        if not origins & {one.origin for one in self._before.manifest.logs}:
            raise RequestError(
                "backup_invalid",
                f"{self._plan.destination} holds backups of another ledger"
                f" ({self._before.manifest.logs[0].origin}): name another folder",
            )


def _sha256_of(opened: int) -> str:
    """Return the digest of an open file, read from its beginning and left there."""
    digest = hashlib.sha256()
    while data := os.read(opened, STEP_BYTES):
        digest.update(data)
    os.lseek(opened, 0, os.SEEK_SET)
    return digest.hexdigest()


def _log(source: Source, project: str, origin: str, notes: dict[str, bytes]) -> BackedUpLog:
    [size, root] = source.connection.execute(sql.SELECT_HEAD, (project,)).fetchone()
    note = notes.get(project, b"").decode("utf-8", "replace")
    return BackedUpLog(project, origin, size, bytes(root).hex(), note)


def _exported(size: int) -> Iterator[tuple[str, bool]]:
    """Yield the files a checkpoint of that size needs, and whether it is a narrow one."""
    for level, n, width in tiles_of(size):
        yield tile_path(level, n, width), width < TILE_WIDTH
        if level == 0:
            yield entries_path(n, width), width < TILE_WIDTH


def _files_of(folder: Path) -> list[Path]:
    """Return the files of a folder by name; nothing of one that is absent."""
    with os_errors_translated(folder):
        try:
            return sorted(path for path in folder.iterdir() if path.is_file())
        except FileNotFoundError:
            return []
