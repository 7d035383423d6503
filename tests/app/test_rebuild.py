"""`counterfoil admin rebuild` on a disk that fills up: rows are derived, so nothing is lost."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.founding import create_home
from counterfoil.app.home import open_home
from counterfoil.app.record import LOCAL
from counterfoil.client.evidence import verify_path
from counterfoil.clock import SystemClock
from counterfoil.ids import SystemRandomness
from counterfoil.stores.tables import Tables
from counterfoil.verifier.report import Report
from tests.ledgers import make_sample

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "default"
SIZE = 300
_REBUILD = """
import resource, sys
from counterfoil.cli import main
if limit_bytes := int(sys.argv[2]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
main(["admin", "rebuild", "--dir", sys.argv[1]])
"""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger whose rows follow its log."""
    directory = tmp_path_factory.mktemp("rebuild") / "ledger"
    create_home(directory, SystemRandomness())
    with open_home(directory, SystemClock(), SystemRandomness()) as home:
        home.recorder.record(PROJECT, [make_sample(number) for number in range(SIZE)], LOCAL, "cli")
        home.follower.catch_up(PROJECT)
    return directory


def rebuild(directory: Path, limit_bytes: int = 0) -> tuple[int, str]:
    """Rebuild with no file growing beyond a limit; 0 for none.  Return exit code and error."""
    ended = subprocess.run(
        [sys.executable, "-c", _REBUILD, directory, str(limit_bytes)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stderr


def rows(directory: Path) -> list[tuple[str, tuple[Any, ...]]]:
    """Return every derived row."""
    tables = Tables(directory / "views.db")
    try:
        return list(tables.dump())
    finally:
        tables.close()


@pytest.mark.parametrize("share", [0.2, 0.6], ids=["early", "later"])
def test_a_rebuild_on_a_full_disk_is_told_by_name_and_the_next_one_makes_the_same_rows(
    ledger: Path, share: float
) -> None:
    before = rows(ledger)
    limit_bytes = int((ledger / "views.db").stat().st_size * share)

    code, told = rebuild(ledger, limit_bytes)

    assert (code, "storage" in told) == (4, True), told
    assert "Traceback" not in told
    report = verify_path(str(ledger))
    assert isinstance(report, Report)
    assert report.ok, report.lines()
    assert rebuild(ledger) == (0, "")
    assert rows(ledger) == before
