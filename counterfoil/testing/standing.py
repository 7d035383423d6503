"""The directory every history begins with: made once, by the ledger itself, without any fault.

The log `main` holds a few entries, or is about to fill its first tile, so that a few events cross
the border; `side` is empty.  Pages are small, so that a commit is many writes.
"""

import random
from functools import cache

from counterfoil.errors import CounterfoilError
from counterfoil.stores.erasable import ERASABLE
from counterfoil.stores.sqlite import LEDGER, SqliteLogStore
from counterfoil.stores.sqlite_open import create_database
from counterfoil.testing.calls import Calls
from counterfoil.testing.clients import make_item
from counterfoil.testing.disk import Image
from counterfoil.testing.driver import SimulatedDriver
from counterfoil.testing.evidence import LogEvidence
from counterfoil.testing.process import DIRECTORY, PROJECTS, SIGNERS, Answer, Machine, Parts
from counterfoil.testing.vfs import simulated_vfs

PAGE_SIZE_BYTES = 1_024
STANDING_ENTRIES = (3, 3, 250)
_MOMENT = "2026-11-20T11:00:00.000Z"


@cache
def standing_ledger(count: int) -> tuple[Image, dict[str, LogEvidence]]:
    """Return what lies on the disk, and what outsiders hold of it.

    Args:
        count: how many entries `main` holds, at least 1.

    Cost: 50 ms, once a count.
    """
    simulated_vfs().begin("standing")
    chance = random.Random("standing")  # noqa: S311  repeatable is what it has to be
    directories = frozenset({str(DIRECTORY), f"{DIRECTORY}/public"})
    machine = Machine((directories, {}), chance)
    driver = SimulatedDriver(Calls("maker", machine.disk, machine.trace, chance), 1_000)
    for kind in (LEDGER, ERASABLE):
        create_database(DIRECTORY / kind.name, kind, driver, page_size_bytes=PAGE_SIZE_BYTES)
    store = SqliteLogStore(DIRECTORY / LEDGER.name, driver=driver)
    for project in PROJECTS:
        store.create_log(project, SIGNERS[project].name)
    store.close()

    evidence = {project: LogEvidence(project) for project in PROJECTS}
    items = [
        make_item(chance, PROJECTS[0], f"standing-{number}", "content", _MOMENT)
        for number in range(count)
    ]
    process = machine.begin(Parts(), autocheckpoint_pages=1_000)
    process.start()
    evidence[PROJECTS[0]].send(items)

    def hear(_number: int, answers: list[Answer] | CounterfoilError) -> None:
        assert isinstance(answers, list), answers
        for item, answer in zip(items, answers, strict=True):
            evidence[PROJECTS[0]].hear(item, answer)

    process.append([(PROJECTS[0], items, False)], hear)
    process.close()
    return machine.disk.image(), evidence
