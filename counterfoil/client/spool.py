"""A spool: events on this machine's disk that no server has answered for yet.

A spool is a folder with one append-only file a process, `PRODUCER-BOOT.spool`, mode 0600.  Its
first line is a header; every further line is `HASH PAYLOAD`, where the payload is one event as
canonical JSON, or a mark, and the hash is SHA-256 over the hash of the line before (64 zeros for
the first) and the payload.  So a torn or altered line is seen, and all lines before it are good.

A line is in the operating system's hands when `append` returns, unless it may wait for the next
one: it outlives the process, and within 0.2 s the machine too.  Whether the writer still lives is told by its lock on the file, not
by a process number that another program may have by now.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from counterfoil.client import system
from counterfoil.client.spool_read import (
    FIRST,
    PAYLOAD_BYTES_MAX,
    VERSION,
    Gap,
    Header,
    Record,
    Spool,
    check_origin,
    read_spool,
)
from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError, UnavailableError

__all__ = [
    "SUFFIX",
    "Gap",
    "Header",
    "Record",
    "Spool",
    "SpoolWriter",
    "check_origin",
    "read_spool",
]

SUFFIX: Final = ".spool"
SYNC_BYTES: Final = 256 * 1024
SYNC_INTERVAL_S: Final = 0.2
RESERVE_BYTES: Final = 64 * 1024

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class SpoolWriter:
    """Appends to one spool file, and never raises once it is made.

    What the disk does not take is dropped and counted: first the part of an event that `slim`
    takes off, then events, and a gap mark says how many as soon as there is room for it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        producer: str,
        boot: str,
        project: str,
        via: str,
        clock: Clock,
        origin: str | None = None,
        slim: Callable[[bytes], bytes | None] | None = None,
    ) -> None:
        """Begin a file in `folder`, which is made if it is not there.

        Args:
            folder: where spools are.
            producer: who numbers the events.
            boot: the start of the producer they are numbered from; both name the file.
            project: the log they are for.
            via: "pytest" or "cli".
            clock: tells when the file was begun.
            origin: the origin of that log, if it is known.
            slim: returns the part of an event to keep when the disk is full, None for nothing.

        Raises:
            RequestError: `usage` if producer and boot make no file name.
            UnavailableError: `read_only` if no spool can be written there.
        """
        name = f"{producer}-{boot}"
        if not _NAME.fullmatch(name):
            raise RequestError("usage", f"a spool is named by letters and digits, not {name!a}")
        header = {
            "counterfoil-spool": VERSION,
            "producer": producer,
            "boot": boot,
            "project": project,
            "via": via,
            "origin": origin,
            "created": format_time(clock.now()),
        }
        self.path: Final = folder / (name + SUFFIX)
        self.records = 0
        self.dropped = 0
        self.failure: str | None = None
        self._slim = slim
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._hash = FIRST.encode()
        self._held: list[bytes] = []
        self._unsynced_bytes = 0
        self._unmarked = 0
        self._is_full = False
        self._closing = False
        line = json.dumps(header, sort_keys=True).encode() + b"\n"
        try:
            self._file = _create(self.path, line)
        except OSError as error:
            raise UnavailableError(
                "read_only", f"no spool can be written in {folder}: {error.strerror or error}"
            ) from error
        self._size_bytes = len(line)
        self._reserve: int | None = _reserve(folder)
        _open_writers.add(self)
        self._thread = threading.Thread(
            target=self._sync_now_and_then, name="counterfoil-spool", daemon=True
        )
        self._thread.start()

    def append(self, event_json: bytes, *, may_wait: bool = False) -> None:
        """Append one event: canonical JSON, one line, at most 65,536 bytes.

        Args:
            event_json: the event.
            may_wait: write it together with the next one, or within 0.2 s: for what nothing
                that could kill this process follows.

        Cost: a hash and a write; the disk is waited for elsewhere.
        """
        assert b"\n" not in event_json, "canonical JSON has no line ends"
        assert len(event_json) <= PAYLOAD_BYTES_MAX, "events are cut before they come here"
        with self._lock:
            if self._closing or self._file < 0:
                return
            self._held.append(event_json)
            if not may_wait:
                self._write_held()

    def flush(self) -> None:
        """Return when everything appended so far is on the disk."""
        with self._lock:
            self._write_held()
            self._sync()

    def close(self, *, end: bool = True) -> None:
        """Stop writing.

        Args:
            end: say that nothing is missing after the last event; without it the file looks as
                if its process had died.
        """
        with self._lock:
            if self._closing or self._file < 0:
                return
            self._write_held()
            self._let_reserve_go()
            self._mark_gap()
            if end:
                self._write([b'{"mark":"end"}'])
            self._sync()
            self._closing = True
            os.close(self._file)
            self._file = -1
        self._wake.set()
        self._thread.join(timeout=2)

    def _write_held(self) -> None:
        """Write what was appended, as much of it as the disk takes."""
        held, self._held = self._held, []
        if not held:
            return
        if not self._is_full:
            if self._write(held):
                self.records += len(held)
                return
            # The reserve is for what matters: from here on only that is written.
            self._is_full = True
            self._let_reserve_go()
        for event in held:
            kept = self._slim(event) if self._slim is not None else event
            if kept is not None and self._mark_gap() and self._write([kept]):
                self.records += 1
            else:
                self.dropped += 1
                self._unmarked += 1

    def _write(self, payloads: Sequence[bytes]) -> bool:
        """Write all of `payloads`, or nothing of them."""
        last, data = self._hash, b""
        for payload in payloads:
            last = hashlib.sha256(last + payload).hexdigest().encode()
            data += b"%b %b\n" % (last, payload)
        try:
            written = system.write_at(self._file, data, self._size_bytes)
            while written < len(data):
                offset = self._size_bytes + written
                written += system.write_at(self._file, data[written:], offset)
        except OSError as error:
            self._fail(error)
            # A half line would hide what follows it.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size_bytes)
            return False
        self._hash = last
        self._size_bytes += len(data)
        self._unsynced_bytes += len(data)
        if self._unsynced_bytes >= SYNC_BYTES:
            self._wake.set()
        return True

    def _mark_gap(self) -> bool:
        """Write how many events are missing here, if any; True if none is left to be marked."""
        if self._unmarked:
            reason = self.failure or "write_failed"
            mark = {"count": self._unmarked, "mark": "gap", "reason": reason}
            if not self._write([json.dumps(mark, separators=(",", ":")).encode()]):
                return False
            self._unmarked = 0
        return True

    def _fail(self, error: OSError) -> None:
        self.failure = "disk_full" if error.errno in _FULL else "write_failed"

    def _let_reserve_go(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None

    def _sync(self) -> None:
        if self._file >= 0 and self._unsynced_bytes:
            self._unsynced_bytes = 0
            try:
                system.sync_data(self._file)
            except OSError as error:
                self._fail(error)

    def _sync_now_and_then(self) -> None:
        while not self._closing:
            self._wake.wait(SYNC_INTERVAL_S)
            self._wake.clear()
            with self._lock:
                self._write_held()
                file, wanted = self._file, self._unsynced_bytes > 0
                self._unsynced_bytes = 0
                copy = os.dup(file) if wanted and file >= 0 else -1
            if copy >= 0:
                # Outside the lock: a slow disk makes nobody wait.
                try:
                    system.sync_data(copy)
                except OSError as error:
                    self._fail(error)
                finally:
                    os.close(copy)

    def _forget(self) -> None:
        """In a forked child: the file, its chain and its lock belong to the parent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._let_reserve_go()
        self._lock = threading.Lock()
        self._held = []
        self._closing = True


def _create(path: Path, header: bytes) -> int:
    """Make the file with its header under another name, then give it its own: never half there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    file, name = tempfile.mkstemp(prefix=".spool-", dir=path.parent)  # mode 0600
    try:
        if not system.RENAMES_OPEN_FILES:
            os.close(file)
            Path(name).unlink()
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | system.OPEN_FLAGS
            file, name = os.open(path, flags, 0o600), str(path)
        system.try_lock(file)
        if system.write_at(file, header, 0) != len(header):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301  cleaned up below
        if name != str(path):
            Path(name).rename(path)
    except OSError:
        os.close(file)
        Path(name).unlink(missing_ok=True)
        raise
    return file


def _reserve(folder: Path) -> int | None:
    """Hold some room on the disk by a file without a name: it goes when we do."""
    try:
        file, name = tempfile.mkstemp(prefix=".reserve-", dir=folder)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        system.reserve(file, RESERVE_BYTES)
    try:
        Path(name).unlink()
    except OSError:
        # Windows: an open file keeps its name, and would outlive us.  No room is held there.
        os.close(file)
        Path(name).unlink(missing_ok=True)
        return None
    return file


_open_writers: weakref.WeakSet[SpoolWriter] = weakref.WeakSet()


def _after_fork() -> None:
    for writer in list(_open_writers):
        writer._forget()  # noqa: SLF001  the same module


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)
