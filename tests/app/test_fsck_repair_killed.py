"""A repair that is killed: what was done stands, what was not is still named, and it is told."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from counterfoil.app import fsck_repair
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness
from counterfoil.verifier.stages import stage_of
from tests.client.verifying import verify
from tests.fscking import EVENTS, a_copy, build, checked, flip, sql

PROGRAM = """
import os, signal, sys
from pathlib import Path
from counterfoil.app import fsck_journal, fsck_repair
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness
from counterfoil.stores import files, sqlite_open

def killed(owner, name, number, *, after):
    do, seen = getattr(owner, name), []
    def call(*given, **named):
        seen.append(name)
        if len(seen) == number and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = do(*given, **named)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    setattr(owner, name, call)

directory, where = Path(sys.argv[1]), sys.argv[2]
if where == "written down":
    killed(fsck_journal.Journal, "intend", 1, after=True)
elif where == "rows mended":
    killed(sqlite_open.Database, "close", 1, after=True)
elif where == "a file put aside":
    killed(fsck_journal.Journal, "put_aside", 1, after=True)
elif where == "on record":
    killed(fsck_journal.Journal, "close", 1, after=False)
else:
    sys.exit(f"no such moment: {where}")
fsck_repair.repair(directory, SteppedClock(), SeededRandomness("first"))
"""


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with a row, a tile and two files that can be derived again."""
    directory = tmp_path_factory.mktemp("killed") / "ledger"
    build(directory)
    entry = "UPDATE entries SET entry = flipped(entry) WHERE project = 'default' AND idx = 270"
    sql("ledger.db", entry)(directory)
    flip("public/default/tile/0/000")(directory)
    flip("public/default/tile/entries/000")(directory)
    return directory


LEFT = {
    # moment: stages that still find something
    "written down": {"leaves", "tiles", "bundles"},
    "rows mended": {"tiles", "bundles"},
    "a file put aside": {"tiles", "bundles"},
    "on record": set[str](),
}


@pytest.mark.parametrize("moment", LEFT)
def test_killed_at_any_step_the_rest_is_named_and_the_next_repair_tells_of_both(
    damaged: Path, tmp_path: Path, moment: str
) -> None:
    directory = a_copy(damaged, tmp_path / "ledger")
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(directory), moment],
        cwd=Path(__file__).resolve().parents[2], env={**os.environ}, check=False,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL
    between = checked(directory)
    assert {stage_of(one) for one in between.findings} == LEFT[moment], between.lines()
    [journal] = (directory / "damaged").glob("*/repair.json")
    assert json.loads(journal.read_text())["recorded"] is None

    report = fsck_repair.repair(directory, SteppedClock(), SeededRandomness("second"))

    assert report.ok, report.lines()
    assert verify(directory).ok
    journals = sorted((directory / "damaged").glob("*/repair.json"))
    assert len(journals) == (1 if moment == "on record" else 2)
    told = {json.loads(one.read_text())["recorded"]["default"] for one in journals}
    assert told == set(range(EVENTS, EVENTS + len(journals)))
    assert checked(directory).logs[1].size == EVENTS + len(journals), "nothing is told twice"
