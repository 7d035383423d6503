"""What `/metrics` says of the machine: files, disk, other processes, sessions, spool, this build.

Of this process itself Prometheus' own collector says memory, processor time and descriptors.
"""

import contextlib
import os
import platform
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from counterfoil import __version__
from counterfoil.app.following import FollowingElsewhere
from counterfoil.app.home import Home
from counterfoil.app.measured_logs import Sample
from counterfoil.app.sessions import Sessions
from counterfoil.client.spool import SUFFIX

DATABASES: Final = ("ledger.db", "erasable.db", "views.db", "state.db", "aggregate.db")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def machine_figures(home: Home, logs: list[str]) -> Iterator[Sample]:
    """Return the figures of this machine; blobs of these logs."""
    yield from _files(home.directory)
    for log in logs:
        yield Sample("blob_bytes", "Plain bytes of blobs that a project keeps.",
                     home.state.arrived_bytes(log), {"log": log})  # fmt: skip
    yield Sample("blob_quota_bytes", "Plain bytes of blobs that a project may keep.",
                 home.blobs.quota_bytes)  # fmt: skip
    yield from _spool(home)
    people = Sessions(home.state.sign_in, home.clock, home.randomness).listed()
    about = "Sessions that let somebody in."
    yield Sample("sessions", about, len(people), {"kind": "person"})
    yield Sample("sessions", "", len(home.jobs.open_sessions()), {"kind": "job"})
    yield from _processes(home)
    yield Sample(
        "build_info", "What runs: always 1.", 1,
        {
            "version": __version__,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        },
    )  # fmt: skip


def _files(directory: Path) -> Iterator[Sample]:
    for name in DATABASES:
        for file in (name, f"{name}-wal"):
            with contextlib.suppress(OSError):
                size_bytes = (directory / file).stat().st_size
                yield Sample("file_bytes", "Sizes of databases and write-ahead logs.",
                             size_bytes, {"file": file})  # fmt: skip
    disk = shutil.disk_usage(directory)
    yield Sample("disk_free_bytes", "Room that is left on the disk of the ledger.", disk.free)
    yield Sample("disk_size_bytes", "Size of the disk of the ledger.", disk.total)


def _spool(home: Home) -> Iterator[Sample]:
    bad = home.spool.left_alone
    waiting, size_bytes = 0, 0
    for path in (home.directory / "spool").glob("*" + SUFFIX):
        with contextlib.suppress(OSError):
            size_bytes += path.stat().st_size
            waiting += path.name not in bad
    yield Sample("spool_files", "Spools of producers on this machine that are there.",
                 waiting, {"state": "waiting"})  # fmt: skip
    yield Sample("spool_files", "", len(bad), {"state": "left_alone"})
    yield Sample("spool_bytes", "Bytes of spools that are there.", size_bytes)


def _processes(home: Home) -> Iterator[Sample]:
    """Return memory and processor time of the processes this one started."""
    pids = {"worker": home.meters.running().worker_pids, "follower": ()}
    if isinstance(home.follower, FollowingElsewhere) and home.follower.pid:
        pids["follower"] = (home.follower.pid,)
    for process, of_kind in pids.items():
        figures = [_of_process(pid) for pid in of_kind]
        about = "Memory of the processes the server started, by kind."
        yield Sample("children_resident_memory_bytes", about, sum(one[0] for one in figures),
                     {"process": process})  # fmt: skip
        about = "Processor time of the processes of a kind that run now."
        yield Sample("children_cpu_seconds", about, sum(one[1] for one in figures),
                     {"process": process})  # fmt: skip


def _of_process(pid: int) -> tuple[int, float]:
    """Return resident bytes and seconds of processor time of a process; nothing once it is gone.

    Source: proc(5), /proc/PID/stat; the name in brackets may hold anything.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return int(fields[21]) * _PAGE_BYTES, (int(fields[11]) + int(fields[12])) / _TICKS
    except (OSError, ValueError, IndexError):
        return 0, 0.0
