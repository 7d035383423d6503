"""Real servers under load, killed again and again; nothing acknowledged may be lost.

    python -m bench.kills --kills 50

Each ledger takes six kills, in a server of one process and in one with workers by turns.  After
every kill the directory is verified as it lies there, and everything the clients hold is compared
with it (`tests/faults/killing.py`).  A fault ends the run with a traceback that names the seed.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.machine import describe
from counterfoil.app.founding import create_home
from counterfoil.ids import SystemRandomness
from tests.faults.killing import KILLS, Clients, check_to_the_end, kill_and_check
from tests.served_process import server_process

KILLS_A_LEDGER: Final = 6
_WORKERS: Final = (0, 1, 2)


def run_ledger(seed: int, kills: int, folder: Path) -> tuple[int, int, int]:
    """Kill one server so many times; return entries, acknowledged batches and repeats."""
    directory = folder / "ledger"
    create_home(directory, SystemRandomness())
    chance = random.Random(f"kills {seed}")  # noqa: S311  moments, no secrets
    workers = _WORKERS[seed % len(_WORKERS)]
    kinds = [kind for kind in KILLS if workers or kind != "a worker"]
    with server_process(directory, workers) as server:
        clients = Clients(server, seed)
        clients.start()
        try:
            for _ in range(kills):
                size = kill_and_check(server, clients, chance.choice(kinds), chance, directory)
        finally:
            clients.stop()
        clients.repeat_last()
        server.stop()
    check_to_the_end(clients, directory, folder)
    return size, clients.answers, clients.repeats


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print(describe(Path(tempfile.gettempdir())))
    done, seed = 0, asked.seed
    began = time.monotonic()
    while done < asked.kills:
        kills = min(KILLS_A_LEDGER, asked.kills - done)
        with tempfile.TemporaryDirectory() as folder:
            print(
                f"seed {seed}: {kills} kills, {_WORKERS[seed % len(_WORKERS)]} workers", flush=True
            )
            size, answers, repeats = run_ledger(seed, kills, Path(folder))
        done, seed = done + kills, seed + 1
        print(
            f"  {size} entries, {answers} batches, {repeats} sent again; nothing lost", flush=True
        )
    print(f"{done} kills in {time.monotonic() - began:.0f} s: nothing lost, nothing twice, no fork")


if __name__ == "__main__":
    main()
