"""What a figure was measured on: processors, memory, load, and the disk's own sync floor."""

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def sync_floor_s(directory: Path, tries: int = 100) -> tuple[float, float]:
    """Return median and 99th percentile of one 4 KiB write with its fdatasync, in seconds."""
    times = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(tries):
            start = time.perf_counter()
            file.write(b"\0" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.99)]


def hmac_floor_us() -> tuple[float, float]:
    """Return what one HMAC-SHA-256 takes of a processor alone, and with all of them busy.

    The second is what others on the same cores cost: it may be twice the first from one minute
    to the next, and every figure beside it moves along.
    """

    def run(processes: int) -> float:
        started = [
            subprocess.Popen([sys.executable, "-c", _HASHING], stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        return max(float(one.communicate()[0]) for one in started)

    return run(1), run(os.cpu_count() or 1)


_HASHING = """
import hmac, time
began, count = time.process_time(), 0
while time.process_time() < began + 0.3:
    for _ in range(100):
        hmac.digest(b"k" * 32, b"x" * 64, "sha256")
    count += 100
print((time.process_time() - began) / count * 1e6)
"""


def describe(directory: Path) -> str:
    """Return three lines about the machine, its load at this moment, and the disk below a path."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    device = subprocess.run(
        ["/bin/df", "--output=source,fstype", directory], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1]
    median_s, worst_s = sync_floor_s(directory)
    alone_us, busy_us = hmac_floor_us()
    return (
        f"{os.cpu_count()} processors ({model}), {memory_gib:.0f} GiB, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n"
        f"one HMAC-SHA-256 takes {alone_us:.2f} us, {busy_us:.2f} us with all processors busy\n"
        f"disk {' '.join(device.split())}: one 4 KiB write and fdatasync takes "
        f"{median_s * 1e3:.2f} ms (p99 {worst_s * 1e3:.2f} ms)"
    )


def memory_bytes(pid: int, name: str = "VmRSS") -> int:
    """Return what the kernel says of a process's memory: `VmRSS` now, `VmHWM` at most."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    [line] = [line for line in status.splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024


def children_cpu_s() -> float:
    """Return the processor time, user and system, of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_s(pids: "list[int]") -> float:
    """Return the processor time that processes and their ended children have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> "list[int]":
    """Return a process and everything it has started that still runs."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in task.read_text("ascii").split()]
    return found


def cpu_by_kind_s(pid: int) -> "dict[str, float]":
    """Return the processor time of a server so far, by what its processes do."""
    spent: dict[str, float] = {}
    for one in descendants(pid):
        words = Path(f"/proc/{one}/cmdline").read_bytes().decode("utf-8", "replace")
        kind = (
            "worker" if "web.worker" in words else "follower" if "following" in words else "writer"
        )
        spent[kind] = spent.get(kind, 0.0) + cpu_s([one])
    return spent
