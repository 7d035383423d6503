"""Every occurrence of every system call of an append, an export and a backup, struck once by each fault.

    python -m bench.strace_faults
    python -m bench.strace_faults --every 7

What `tests/faults/test_strace_faults.py` does at the first, middle and last occurrence.  A fault
that is not survived ends the run with a traceback below the line that names it.
"""

import argparse
import multiprocessing
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.machine import describe
from tests.faults.straced import BACKUP, THREADS, Driver, Injection, every_injection

_STRACE = "strace"


def _share(work: tuple[int, int, int]) -> Counter[str]:
    """Do one of so many equal shares; return how many faults were met, and how each run ended."""
    share, shares, every = work
    strace = shutil.which(_STRACE)
    assert strace is not None, "strace is not installed: make test SYSTEM=1 installs it"
    done: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        driver = Driver(Path(folder), strace)
        try:
            for program, thread in (*THREADS, BACKUP):
                calls = driver.calls(program, thread)
                injections = [
                    one for call in sorted(calls) for one in every_injection(call, calls[call])
                ]
                for one in injections[share * every :: shares * every]:
                    done[_strike(driver, program, thread, one)] += 1
                print(f"share {share}: {thread} of {program}, {len(calls)} calls", flush=True)
        finally:
            driver.close()
    return done


def _strike(driver: Driver, program: str, thread: str, injection: Injection) -> str:
    try:
        outcome = driver.strike(program, thread, injection)
    except BaseException:
        print(f"{thread} of {program}: {injection}", flush=True)
        raise
    if not outcome.struck:
        return "not met"
    if outcome.killed:
        return "killed"
    return "told by name" if outcome.said != ["done"] else "done all the same"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--every", type=int, default=1, help="take one fault in so many")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    print(describe(Path(tempfile.gettempdir())))
    began = time.monotonic()
    shares = [(share, asked.processes, asked.every) for share in range(asked.processes)]
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        done = sum(pool.map(_share, shares), Counter[str]())
    counts = ", ".join(f"{count} {how}" for how, count in sorted(done.items()))
    print(f"{done.total()} faults in {time.monotonic() - began:.0f} s: {counts}; nothing lost")


if __name__ == "__main__":
    main()
