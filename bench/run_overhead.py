"""What `counterfoil run` adds to a command that ends at once: the bare command beside it.

    python -m bench.run_overhead [--rounds N]

Three ways: to a server on this machine (the promise: at most 60 ms added at the median), into a
spool, and into a ledger directory nobody serves, which loads the ledger's own code.  Rounds are
interleaved, so that a busy moment of the machine meets all of them.  Beside the time that passes
stands the CPU time the command line took, user and system: what a busy machine leaves alone.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench.machine import children_cpu_s
from counterfoil.app.founding import create_home
from counterfoil.app.home import open_home
from counterfoil.clock import SystemClock
from counterfoil.ids import SystemRandomness
from counterfoil.web.server import bind, make_server

PROMISE_MS = 60.0
PROGRAM = Path(sys.executable).with_name("counterfoil")
BARE = ["/bin/true"]


def timed_ms(words: list[str], place: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Run one command line; return how long it took, and its CPU time."""
    before_s = children_cpu_s()
    began = time.perf_counter()
    subprocess.run(words, cwd=place, env=environment, check=True, stderr=subprocess.DEVNULL)
    took_s = time.perf_counter() - began
    cpu_s = children_cpu_s() - before_s
    return took_s * 1000, cpu_s * 1000


def measure(place: Path, url: str, token: str, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return milliseconds, passed and of CPU, by way of running it."""
    create_home(place / "unserved", SystemRandomness())
    # An installed package is compiled; the first rounds, which do not count, do the same here.
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("COUNTERFOIL_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    step = [str(PROGRAM), "run", "--", *BARE]
    ways = {
        "bare": (BARE, plain),
        "python alone": ([sys.executable, "-c", ""], plain),
        "server": (step, {**plain, "COUNTERFOIL_URL": url, "COUNTERFOIL_TOKEN": token}),
        "spool": (step, plain),
        "directory": (step, {**plain, "COUNTERFOIL_DIR": str(place / "unserved")}),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 2):
        for name, (words, environment) in ways.items():
            took_ms = timed_ms(words, place, environment)
            if number >= 2:  # the first ones find cold files
                taken[name].append(took_ms)
    return taken


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / ".counterfoil").mkdir()
        create_home(place / "served", SystemRandomness())
        with open_home(place / "served", SystemClock(), SystemRandomness()) as home:
            sock = bind("127.0.0.1", 0)
            server = make_server(home, sock)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
            thread.start()
            server.listening.wait(20)
            url = f"http://localhost:{sock.getsockname()[1]}"
            try:
                taken = measure(place, url, home.admin_token, rounds)
            finally:
                server.should_exit = True
                thread.join()
                sock.close()
    bare, bare_cpu = (statistics.median(one) for one in zip(*taken["bare"], strict=True))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    for name, found in taken.items():
        times, cpu = zip(*found, strict=True)
        middle, middle_cpu = statistics.median(times), statistics.median(cpu)
        print(
            f"{name:13} median {middle:6.1f} ms   best {min(times):6.1f} ms"
            f"   added {middle - bare:6.1f} ms   CPU {middle_cpu:6.1f} ms"
            f"   added {middle_cpu - bare_cpu:6.1f} ms"
        )
    times, cpu = zip(*taken["server"], strict=True)
    print(
        f"promise: at most {PROMISE_MS:.0f} ms added with a server; measured"
        f" {statistics.median(times) - bare:.1f} ms, of it {statistics.median(cpu) - bare_cpu:.1f} ms CPU"
    )


if __name__ == "__main__":
    main()
