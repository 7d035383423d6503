"""How long `counterfoil` takes to answer at all: `--help`, and the verbs pipelines call.

    python -m bench.startup [--rounds N]

The promise is `--help` below 150 ms.  Beside it stands the interpreter that does nothing, which
is the floor; rounds are interleaved, so that a busy moment of the machine meets all of them.  CPU
time, user and system, stands beside the time that passes: a busy machine leaves that alone.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.machine import children_cpu_s

PROGRAM = Path(sys.executable).with_name("counterfoil")
PROMISE_MS = 150.0
NOWHERE = "http://127.0.0.1:9"
WAYS: dict[str, list[str]] = {
    "python, nothing": [sys.executable, "-c", "pass"],
    "--help": [str(PROGRAM), "--help"],
    "verify (no such file)": [str(PROGRAM), "verify", "nothing-here"],
    "record (no server)": [str(PROGRAM), "record", "x.y.z", "--url", NOWHERE],
    "run (a spool)": [str(PROGRAM), "run", "--", sys.executable, "-c", "pass"],
}


def measure(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return milliseconds, passed and of CPU, by way."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as place:
        # The first rounds compile what an installed package has compiled already.
        for number in range(rounds + 2):
            for name, words in WAYS.items():
                before_s = children_cpu_s()
                began = time.perf_counter()
                subprocess.run(words, cwd=place, check=False, capture_output=True)
                took_s = time.perf_counter() - began
                cpu_s = children_cpu_s() - before_s
                if number >= 2:
                    found[name].append((took_s * 1000, cpu_s * 1000))
    return found


def main() -> None:
    """Run the benchmark."""
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=10)
    found = measure(options.parse_args().rounds)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    for name, both in found.items():
        times, cpu = zip(*both, strict=True)
        print(
            f"{name:24} {statistics.median(times):6.0f} ms, at best {min(times):6.0f} ms,"
            f" CPU {statistics.median(cpu):6.0f} ms"
        )
    kept = statistics.median(took_ms for took_ms, _ in found["--help"]) < PROMISE_MS
    print(f"--help below {PROMISE_MS:.0f} ms: {'kept' if kept else 'not kept on this machine now'}")


if __name__ == "__main__":
    main()
