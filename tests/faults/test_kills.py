"""The real server, killed under load: whatever was acknowledged is there, once, for ever.

The long run is `python -m bench.kills --kills 50`.
"""

import random
from pathlib import Path

import pytest

from counterfoil.app.founding import create_home
from counterfoil.ids import SystemRandomness
from tests.faults.killing import Clients, check_to_the_end, kill_and_check
from tests.served_process import server_process


@pytest.mark.parametrize(
    ("workers", "kills"),
    [(0, ["the group", "the writer"]), (1, ["the writer", "a worker", "the group"])],
    ids=["one process, killed twice", "writer and worker, each killed and both"],
)
def test_a_server_killed_under_load_loses_nothing_and_repeats_nothing(
    tmp_path: Path, workers: int, kills: list[str]
) -> None:
    directory = tmp_path / "ledger"
    create_home(directory, SystemRandomness())
    chance = random.Random(f"kills {workers}")  # noqa: S311  a test's moments
    with server_process(directory, workers) as server:
        clients = Clients(server, seed=workers)
        clients.start()
        try:
            sizes = [kill_and_check(server, clients, what, chance, directory) for what in kills]
        finally:
            clients.stop()
        clients.repeat_last()
        assert server.stop() == 0
    assert sizes == sorted(sizes)
    assert sizes[0] > 0
    assert clients.repeats > 0
    check_to_the_end(clients, directory, tmp_path)
