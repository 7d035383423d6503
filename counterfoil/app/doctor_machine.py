"""`admin doctor`, the machine: its clock, its disk, what lies under the ledger, its libraries."""

import ctypes
import os
import platform
import sqlite3
import ssl
import statistics
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from counterfoil import __version__
from counterfoil.app.clock_check import check_clock, doubt
from counterfoil.app.doctor_case import Case, read_state
from counterfoil.app.doctor_report import Line
from counterfoil.errors import CounterfoilError
from counterfoil.stores.mounts import MOUNTINFO, Mount, mount_of

GIB: Final = 1 << 30
FREE_LEAST_BYTES: Final = GIB
FREE_LEAST_SHARE: Final = 0.05
INODES_LEAST: Final = 10_000
DAYS_LEAST: Final = 7.0
DAYS_FEW: Final = 30.0
ENTRIES_LEAST: Final = 1_000
"""Of fewer the databases' own pages would be taken for what entries cost."""
SYNC_BYTES: Final = 4096
SYNCS: Final = 15
SYNC_TOO_FAST_S: Final = 20e-6
"""No disk that keeps what it was given answers faster; memory and a volatile cache do."""
SYNC_SLOW_S: Final = 0.025
FLEETING: Final = frozenset({"tmpfs", "ramfs", "overlay"})
"""What a restart, or the end of a container, empties."""
WAL_RACE_UNTIL: Final = (3, 51, 2)
_SET_NOTHING: Final = bytes(512)
_UNSYNCHRONISED: Final = 5
"""What adjtimex(2) returns as the state of the clock: TIME_ERROR."""
_BLOBS: Final = "SELECT SUM(size_bytes) FROM blob_arrivals"
_DATABASES: Final = ("ledger.db", "erasable.db", "views.db", "state.db", "aggregate.db")
_LIBRARIES: Final = ("cryptography", "msgspec", "sqlalchemy", "starlette", "uvicorn", "cedarpy")


def clock(case: Case) -> Iterator[Line]:
    """Whether the clock can be right, is kept right, and goes with what was recorded."""
    try:
        check_clock(case.now)
    except CounterfoilError as error:
        yield Line("clock", "fail", error.message, "timedatectl set-ntp true")
        return
    doubts = [f"log {log.project}: {why}" for log in case.logs
              if log.last and (why := doubt(case.now, log.last))]  # fmt: skip
    for why in doubts:
        yield Line("clock", "fail", why, "set the clock right; nothing recorded is lost by waiting")
    kept = _is_synchronised()
    if kept is None:
        yield Line("clock", "warn", "nothing says whether it is kept right",
                   "see: timedatectl timesync-status")  # fmt: skip
    elif not kept:
        yield Line("clock", "warn", "no time server keeps it right",
                   "apt-get install systemd-timesyncd, or set one: timedatectl set-ntp true")  # fmt: skip
    elif not doubts:
        yield Line("clock", "ok", "kept right by a time server, and behind no entry")


def _is_synchronised() -> bool | None:
    """Whether the kernel counts its clock as kept by NTP; None where it cannot be asked.

    Source: adjtimex(2): with no bit set in `modes` it only reads.
    """
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_SET_NOTHING))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _UNSYNCHRONISED


def disk(case: Case) -> Iterator[Line]:
    """How much room is left, and for how many days at the pace of the last week."""
    room = os.statvfs(case.directory)
    free_bytes, total_bytes = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
    if room.f_flag & os.ST_RDONLY:
        yield Line(
            "disk", "fail", "it is mounted read-only", "see dmesg: disks do that when they fail"
        )
    days, pace = _days_left(case, free_bytes)
    yield judge_room(free_bytes, total_bytes, days, pace)
    if room.f_files and room.f_favail < INODES_LEAST:
        yield Line("disk", "fail", f"{room.f_favail} files may still be made",
                   "each tile and blob is one: use a file system with more inodes")  # fmt: skip


def judge_room(free_bytes: int, total_bytes: int, days: float, pace: str = "") -> Line:
    """Return what is to be said of room that is left for so many days."""
    share = free_bytes / total_bytes if total_bytes else 0.0
    said = f"{free_bytes / GIB:.1f} GiB free ({share:.0%}){pace}"
    if free_bytes < FREE_LEAST_BYTES or days < DAYS_LEAST:
        return Line("disk", "fail", said, "make room now: a full disk records nothing")
    if share < FREE_LEAST_SHARE or days < DAYS_FEW:
        return Line("disk", "warn", said, "give it a larger disk, or set retention")
    return Line("disk", "ok", said)


def _days_left(case: Case, free_bytes: int) -> tuple[float, str]:
    """Return for how many days room is left, and the pace in words; no growth lasts for ever."""
    size = sum(log.size for log in case.logs)
    grown = sum(log.since for log in case.logs)
    firsts = [case.age_s(log.first) for log in case.logs if log.first]
    if not grown or not firsts or size < ENTRIES_LEAST:
        return float("inf"), ""
    days = min(7.0, max(1.0, max(firsts) / 86_400))
    kept = sum(_size_of(case.directory / name) for name in _DATABASES) + _blobs_bytes(case)
    # What stands, spread over the entries there are, says what one costs, whatever it carries.
    day_bytes = kept / size * grown / days
    left = free_bytes / day_bytes
    return left, f", {day_bytes / (1 << 20):.1f} MiB a day: room for {left:,.0f} days"


def _blobs_bytes(case: Case) -> int:
    [(size_bytes,)] = read_state(case.directory, _BLOBS) or [(0,)]
    return int(size_bytes or 0)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def mount(case: Case) -> Iterator[Line]:
    """What kind of file system the ledger lies on; shared ones are refused under `modes`."""
    try:
        text = MOUNTINFO.read_text("utf-8", errors="surrogateescape")
    except OSError:
        text = ""
    yield judge_mount(mount_of(text, str(case.directory)))


def judge_mount(found: Mount | None) -> Line:
    """Return what is to be said of a file system that the kernel names, or does not."""
    if found is None:
        return Line("mount", "warn", "nothing says what it lies on", "see: findmnt -T DIR")
    if found.kind in FLEETING:
        return Line("mount", "fail", f"it lies on {found.kind}, mounted at {found.point}",
                    "move it to a disk: what a restart empties keeps no evidence")  # fmt: skip
    return Line("mount", "ok", f"{found.kind}, mounted at {found.point}")


def sync(case: Case) -> Iterator[Line]:
    """How long the disk takes to keep 4 KiB, which every receipt waits for."""
    try:
        spent_s = _syncs_s(case.directory)
    except OSError as error:
        yield Line("sync", "warn", f"cannot be measured here: {error.strerror}",
                   "measure it as the ledger's owner: python -m bench.append")  # fmt: skip
        return
    yield judge_syncs(spent_s)


def judge_syncs(spent_s: Sequence[float]) -> Line:
    """Return what is to be said of a disk that took so long to keep each of some writes."""
    median_s = statistics.median(spent_s)
    said = f"4 KiB are kept in {median_s * 1e3:.2f} ms, at most {max(spent_s) * 1e3:.1f}"
    if median_s < SYNC_TOO_FAST_S:
        return Line("sync", "warn", f"{said}: too fast for a disk that keeps it",
                    "find out whether it survives a power cut; nothing shows here if not")  # fmt: skip
    if median_s > SYNC_SLOW_S:
        return Line("sync", "warn", f"{said}: some {1 / median_s:.0f} commits a second at most",
                    "a disk of its own, or one with a protected cache")  # fmt: skip
    return Line("sync", "ok", said)


def _syncs_s(directory: Path) -> list[float]:
    """Return how long each of some writes took to be kept; the file has no name, and goes."""
    file = os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    spent_s = []
    try:
        for position in range(SYNCS):
            began_s = time.perf_counter()
            os.pwrite(file, b"\0" * SYNC_BYTES, position * SYNC_BYTES)
            os.fdatasync(file)
            spent_s.append(time.perf_counter() - began_s)
    finally:
        os.close(file)
    return spent_s


def versions(case: Case) -> Iterator[Line]:
    """What runs here: the program, its interpreter, SQLite, OpenSSL, and the libraries under it."""
    del case
    found = " ".join(f"{name} {metadata.version(name)}" for name in _LIBRARIES)
    yield Line("versions", "ok", f"counterfoil {__version__}, Python {platform.python_version()}, "
               f"SQLite {sqlite3.sqlite_version}, {ssl.OPENSSL_VERSION}, {found}")  # fmt: skip
    if (3, 7, 0) <= sqlite3.sqlite_version_info <= WAL_RACE_UNTIL:
        yield Line("versions", "ok", "SQLite has the WAL race of versions up to 3.51.2, which one "
                   "writing connection stays clear of: let nothing else open the databases for writing")  # fmt: skip
