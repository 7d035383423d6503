"""A power cut at every call of two real runs, in every way it can end, with several seeds.

    python -m bench.strace_replay --seeds 3

What `tests/faults/test_strace_replay.py` does at a sample: a ledger that stands, and one that is
made first (from its first receipt on).  Each image is verified as it lies and
after the real ledger opened it.  An image that does not hold ends the run with a traceback below
the line that names it.
"""

import argparse
import multiprocessing
import random
import shutil
import tempfile
import time
from pathlib import Path

from bench.machine import describe
from tests.faults.replaying import WAYS, Run, check_image, moments, record, record_birth

_SEEDED = ("any part survives", "all before one call survives")


def _share(work: tuple[Run, int, int, int, int]) -> int:
    """Check one of so many equal shares of the moments; return the count of images."""
    run, share, shares, seeds, every = work
    images = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, moment in enumerate(moments(run)):
            if number % (shares * every) != share * every:
                continue
            if run.ledger and not moment.outside.answered:
                continue  # it is being made, and nobody was promised anything
            for way, keep_of in WAYS.items():
                for seed in range(seeds if way in _SEEDED else 1):
                    chance = random.Random(f"{way} {number} {seed}")  # noqa: S311  no secrets
                    try:
                        check_image(run, moment, keep_of(moment.at, chance), Path(folder) / "image")
                    except BaseException:
                        print(f"{way}, at call {number} ({run.calls[number].name}), seed {seed}")
                        raise
                    images += 1
    return images


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--every", type=int, default=1, help="cut at one call in so many")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    strace = shutil.which("strace")
    assert strace is not None, "strace is not installed: make test SYSTEM=1 installs it"
    print(describe(Path(tempfile.gettempdir())))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as standing, tempfile.TemporaryDirectory() as making:
        runs = [record(Path(standing), strace), record_birth(Path(making), strace)]
        shares = [
            (run, share, asked.processes, asked.seeds, asked.every)
            for run in runs
            for share in range(asked.processes)
        ]
        with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
            images = sum(pool.map(_share, shares, chunksize=1))
    spent = time.monotonic() - began
    calls = sum(len(run.calls) for run in runs)
    print(f"{images} images of {calls} calls in {spent:.0f} s: nothing lost, all whole")


if __name__ == "__main__":
    main()
