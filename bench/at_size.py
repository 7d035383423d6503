"""What a large ledger asks of the machine: to start, to be checked, backed up, and made again.

    python -m bench.at_size DIR --backup DEST --rebuild

The ledger of `bench.fill`.  Each line is a command as an operator gives it, in a process of its
own: how long it took on the wall and on the processors, and the most memory it held.  A server is
started three times, the first time after the kernel was asked to forget the ledger's files.
"""

import argparse
import contextlib
import http.client
import os
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.machine import descendants, describe, memory_bytes
from bench.served import FOIL, serving

POLL_S = 0.05
STARTS = 3


def forget(directory: Path) -> None:
    """Ask the kernel to drop what it holds of a ledger's databases in memory."""
    for path in directory.glob("*.db"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextlib.contextmanager
def watched(pid: int) -> Iterator[list[int]]:
    """Yield a list that holds the most bytes a process and its descendants were seen with."""
    most, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(POLL_S):
            with contextlib.suppress(OSError, ValueError):
                most[0] = max(most[0], sum(map(memory_bytes, [pid, *descendants(pid)])))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield most
    finally:
        stop.set()
        thread.join()


def row(name: str, entries: int, command: Sequence[object]) -> None:
    """Run a command of `counterfoil` and print what it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen([*FOIL, *map(str, command)], stdout=subprocess.DEVNULL)
    with watched(process.pid) as most:
        status = process.wait()
    took_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    ended = "" if status == 0 else f"  ended with {status}"
    print(
        f"{name:<32} {took_s:>9.1f} {cpu_s:>9.1f} {entries / took_s:>12,.0f}"
        f" {most[0] / 2**20:>9.0f}{ended}",
        flush=True,
    )


def starts(directory: Path) -> None:
    """Serve some times; print how long until the first answer, and the memory held."""
    for number in range(STARTS):
        if not number:
            forget(directory)
        began = time.perf_counter()
        with serving(directory) as server:
            while True:
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
                connection.request("GET", "/readyz")
                ready = connection.getresponse().status == 200
                connection.close()
                if ready:
                    break
                time.sleep(0.005)
            took_s = time.perf_counter() - began
            held = sum(map(memory_bytes, [server.pid, *descendants(server.pid)])) / 2**20
        name = "serve, until ready" + ("" if number else ", files not in memory")
        print(f"{name:<44} {took_s:>5.2f} s {held:>9.0f} MiB", flush=True)


def sizes(directory: Path) -> str:
    """Return how large the parts of a ledger are, one line."""
    parts = {
        path.name: sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
        if path.is_dir()
        else path.stat().st_size
        for path in sorted(directory.iterdir())
    }
    large = {name: size for name, size in parts.items() if size > 2**20}
    return ", ".join(f"{name} {size / 2**30:.2f} GiB" for name, size in large.items())


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--backup", type=Path, help="take two backups there, and remove them")
    parser.add_argument("--rebuild", action="store_true", help="make the rows of pages again")
    options = parser.parse_args()
    directory: Path = options.directory
    print(describe(directory), "\n", sizes(directory), sep="")
    starts(directory)
    with serving(directory) as server:
        size = server.size()
    print(f"\n{size:,} entries{'':<14} seconds   on cpus    entries/s  MiB held")
    public = directory / "public" / "default"
    key = directory / "keys" / "default.vkey"
    row("verify the exported log", size, ["verify", public, "--vkey", key])
    row("verify the ledger", size, ["verify", directory])
    kept = public / "checkpoint"
    row("fsck since the last checkpoint", size, ["fsck", "--dir", directory, "--since", kept])
    if options.backup:
        for name in ("backup, the first", "backup, the second"):
            row(name, size, ["admin", "backup", options.backup, "--dir", directory])
        shutil.rmtree(options.backup)
        shutil.rmtree(f"{options.backup}.keys")
    if options.rebuild:
        row("rebuild the rows of pages", size, ["admin", "rebuild", "--dir", directory])


if __name__ == "__main__":
    main()
