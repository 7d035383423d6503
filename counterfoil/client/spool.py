"""A spool: events on this machine's disk that no server has answered for yet.

A spool is a folder with one append-only file a process, `PRODUCER-BOOT.spool`, mode 0600.  Its
first line is a header; every further line is `HASH PAYLOAD`, where the payload is one event as
canonical JSON, or a mark, and the hash is SHA-256 over the hash of the line before (64 zeros for
the first) and the payload.  So a torn or altered line is seen, and all lines before it are good.

A line is in the operating system's hands when `append` returns: it outlives the process, and
within 0.2 s the machine too.  Whether the writer still lives is told by its lock on the file, not
by a process number that another program may have by now.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import tempfile
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError, UnavailableError

VERSION: Final = 1
SUFFIX: Final = ".spool"
PAYLOAD_BYTES_MAX: Final = 65_536
SYNC_BYTES: Final = 256 * 1024
SYNC_INTERVAL_S: Final = 0.2
RESERVE_BYTES: Final = 64 * 1024

_HASH_LENGTH: Final = 64
_LINE_BYTES_MAX: Final = _HASH_LENGTH + 1 + PAYLOAD_BYTES_MAX + 1
_HEADER_BYTES_MAX: Final = 4_096
_FIRST: Final = "0" * _HASH_LENGTH
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of a spool file.

    Attributes:
        producer, boot: who numbers the events in it.
        project: the log they are for.
        via: how they came about, "pytest" or "cli".
        origin: the origin of the log they are for; None where the writer did not know it.
        created: when the file was begun, RFC 3339.
    """

    producer: str
    boot: str
    project: str
    via: str
    origin: str | None
    created: str


@dataclass(frozen=True, slots=True)
class Record:
    """One event of a spool.

    Attributes:
        position: its 0-based place among the events of the file; marks are not counted.
        end_offset: where its line ends, in bytes: read on from here.
        payload: the event as canonical JSON.
    """

    position: int
    end_offset: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Events the writer could not keep: `count` of them, before the event at `position`."""

    position: int
    count: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """What was read of one spool file.

    Attributes:
        records: the good events from the offset that was asked for.
        gaps: what the writer says it could not keep, from there on.
        end_offset: where the last good line ends, marks included.
        ended: the writer closed it: nothing follows.
        torn: what is wrong with the line at `end_offset`, or None.
        live: the writer still holds it.
    """

    header: Header
    records: tuple[Record, ...]
    gaps: tuple[Gap, ...]
    end_offset: int
    ended: bool
    torn: str | None
    live: bool


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
        self._hash = _FIRST
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

    def append(self, event_json: bytes) -> None:
        """Append one event: canonical JSON, one line, at most 65,536 bytes.

        Cost: a hash and a write; the disk is waited for elsewhere.
        """
        assert b"\n" not in event_json, "canonical JSON has no line ends"
        assert len(event_json) <= PAYLOAD_BYTES_MAX, "events are cut before they come here"
        with self._lock:
            if self._closing or self._file < 0:
                return
            kept: bytes | None = event_json
            if self._is_full:
                kept = self._slimmed(event_json)
            elif not self._write(event_json):
                # The reserve is for what matters: from here on only that is written.
                self._is_full = True
                self._let_reserve_go()
                kept = self._slimmed(event_json)
            else:
                self.records += 1
                return
            if kept is not None and self._mark_gap() and self._write(kept):
                self.records += 1
            else:
                self.dropped += 1
                self._unmarked += 1

    def flush(self) -> None:
        """Return when everything appended so far is on the disk."""
        with self._lock:
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
            self._let_reserve_go()
            self._mark_gap()
            if end:
                self._write(b'{"mark":"end"}')
            self._sync()
            self._closing = True
            os.close(self._file)
            self._file = -1
        self._wake.set()
        self._thread.join(timeout=2)

    def _write(self, payload: bytes) -> bool:
        digest = hashlib.sha256(self._hash.encode() + payload).hexdigest()
        line = b"%b %b\n" % (digest.encode(), payload)
        try:
            written = os.pwrite(self._file, line, self._size_bytes)
            while written < len(line):
                written += os.pwrite(self._file, line[written:], self._size_bytes + written)
        except OSError as error:
            self._fail(error)
            # A half line would hide what follows it.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size_bytes)
            return False
        self._hash = digest
        self._size_bytes += len(line)
        self._unsynced_bytes += len(line)
        if self._unsynced_bytes >= SYNC_BYTES:
            self._wake.set()
        return True

    def _slimmed(self, event_json: bytes) -> bytes | None:
        return self._slim(event_json) if self._slim is not None else event_json

    def _mark_gap(self) -> bool:
        """Write how many events are missing here, if any; True if none is left to be marked."""
        if self._unmarked:
            reason = self.failure or "write_failed"
            mark = {"count": self._unmarked, "mark": "gap", "reason": reason}
            if not self._write(json.dumps(mark, separators=(",", ":")).encode()):
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
                os.fdatasync(self._file)
            except OSError as error:
                self._fail(error)

    def _sync_now_and_then(self) -> None:
        while not self._closing:
            self._wake.wait(SYNC_INTERVAL_S)
            self._wake.clear()
            with self._lock:
                file, wanted = self._file, self._unsynced_bytes > 0
                self._unsynced_bytes = 0
                copy = os.dup(file) if wanted and file >= 0 else -1
            if copy >= 0:
                # Outside the lock: a slow disk makes nobody wait.
                try:
                    os.fdatasync(copy)
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
        self._closing = True


def read_spool(
    path: Path, offset: int = 0, *, position: int = 0, limit: int | None = None
) -> Spool:
    """Read one spool file, which may be growing.

    Args:
        path: the file.
        offset: an `end_offset` to read on from; 0 for the beginning.
        position: how many events stand before `offset`.
        limit: read at most so many events.

    Raises:
        RequestError: `spool_invalid` if it is no spool this version reads or `offset` is within
            a line, `file_unreadable`.

    Cost: one pass over the rest of the file, or of `limit` events.
    """
    try:
        with path.open("rb") as file:
            # First the lock, then the bytes: a writer that is gone by now writes no more.
            live = _is_locked(file.fileno())
            line = file.readline(_HEADER_BYTES_MAX)
            header = _read_header(path, line)
            before = _hash_before(path, file, len(line), offset)
            start = max(offset, len(line))
            return _read_lines(
                file, header, before, start, position=position, limit=limit, live=live
            )
    except OSError as error:
        raise RequestError("file_unreadable", f"{path}: {error.strerror or error}") from error


def check_origin(header: Header, origin: str) -> None:
    """Refuse a spool that says it is for another log than the one of `origin`.

    Raises:
        RequestError: `spool_foreign`.
    """
    if header.origin is not None and header.origin != origin:
        raise RequestError(
            "spool_foreign",
            f"the spool {header.producer}-{header.boot} is for {header.origin[:100]}, this log is"
            f" {origin[:100]}; push it where it belongs",
        )


def _read_lines(
    file: BinaryIO,
    header: Header,
    before: str,
    start: int,
    *,
    position: int,
    limit: int | None,
    live: bool,
) -> Spool:
    records: list[Record] = []
    gaps: list[Gap] = []
    end, ended, torn = start, False, None
    file.seek(start)
    while limit is None or len(records) < limit:
        line = file.readline(_LINE_BYTES_MAX)
        if not line:
            break
        digest, payload = line[:_HASH_LENGTH], line[_HASH_LENGTH + 1 : -1]
        if not line.endswith(b"\n"):
            # A living writer is in the middle of it.
            if not live or len(line) == _LINE_BYTES_MAX:
                torn = f"the line at byte {end} is cut"
            break
        if digest.decode("latin-1") != hashlib.sha256(before.encode() + payload).hexdigest():
            torn = f"the line at byte {end} is not what was written"
            break
        before, end = digest.decode(), end + len(line)
        mark = _mark_of(payload)
        if mark is None:
            records.append(Record(position, end, payload))
            position += 1
        elif mark.get("mark") == "gap":
            gaps.append(Gap(position, int(mark["count"]), str(mark["reason"])))
        elif mark.get("mark") == "end":
            ended = True
            break
    return Spool(
        header=header, records=tuple(records), gaps=tuple(gaps), end_offset=end, ended=ended,
        torn=torn, live=live,
    )  # fmt: skip


def _mark_of(payload: bytes) -> dict[str, Any] | None:
    # An event may have an attribute of that name, but never lacks a specversion.
    if b'"mark":' not in payload[:40] or b'"specversion":' in payload:
        return None
    value: dict[str, Any] = json.loads(payload)
    return value


def _read_header(path: Path, line: bytes) -> Header:
    try:
        value = json.loads(line)
        version = value["counterfoil-spool"]
    except (ValueError, LookupError, TypeError):
        raise RequestError("spool_invalid", f"{path} is no spool: it has no header") from None
    if version != VERSION:
        raise RequestError(
            "spool_invalid",
            f"{path} is a spool of version {str(version)[:20]!a}; this program reads {VERSION}:"
            " push it with the version that wrote it",
        )
    texts = [value.get(name) for name in ("producer", "boot", "project", "via", "created")]
    origin = value.get("origin")
    if not all(isinstance(one, str) for one in texts) or not isinstance(origin, str | None):
        raise RequestError("spool_invalid", f"{path} has a header this version cannot read")
    return Header(
        producer=texts[0], boot=texts[1], project=texts[2], via=texts[3], origin=origin,
        created=texts[4],
    )  # fmt: skip


def _hash_before(path: Path, file: BinaryIO, header_size: int, offset: int) -> str:
    """Return the hash the line at `offset` goes on from."""
    if offset <= header_size:
        return _FIRST
    start = max(header_size, offset - _LINE_BYTES_MAX)
    file.seek(start)
    data = file.read(offset - start)
    if len(data) != offset - start or not data.endswith(b"\n"):
        raise RequestError("spool_invalid", f"{path} has no line that ends at byte {offset}")
    line = data[data.rfind(b"\n", 0, -1) + 1 :]
    return line[:_HASH_LENGTH].decode("latin-1")


def _create(path: Path, header: bytes) -> int:
    """Make the file with its header under another name, then give it its own: never half there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    file, name = tempfile.mkstemp(prefix=".spool-", dir=path.parent)  # mode 0600
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.write(file, header) != len(header):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301  cleaned up below
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
        os.posix_fallocate(file, 0, RESERVE_BYTES)
    with contextlib.suppress(OSError):
        Path(name).unlink()
    return file


def _is_locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


_open_writers: weakref.WeakSet[SpoolWriter] = weakref.WeakSet()


def _after_fork() -> None:
    for writer in list(_open_writers):
        writer._forget()  # noqa: SLF001  the same module


os.register_at_fork(after_in_child=_after_fork)
