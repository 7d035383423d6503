"""A power cut at any call of a real run: what was printed before it is there afterwards.

The crash simulator runs on another build of SQLite; this is the one that Python ships, seen
through its system calls.  `python -m bench.strace_replay` takes every call and several seeds.
"""

import random
from pathlib import Path

import pytest

from counterfoil.errors import CounterfoilError
from tests.faults.planted import PLANTED
from tests.faults.replaying import WAYS, Run, check_image, moments, record, record_birth
from tests.tools import needs_tool

pytestmark = pytest.mark.strace

CUTS = 16
CUTS_AFTER_BIRTH = 5
"""Power cuts in each way; every fourth of them is verified before the start as well."""
PLANTED_STEP = 8


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return one run of the ledger: opened, written to, published, closed."""
    return record(tmp_path_factory.mktemp("replayed"), needs_tool("strace"))


@pytest.mark.parametrize("way", WAYS)
def test_a_power_cut_at_any_call_loses_nothing_that_was_acknowledged(
    run: Run, tmp_path: Path, way: str
) -> None:
    chance = random.Random(f"cuts, {way}")  # noqa: S311  moments, no secrets
    cuts = set(chance.sample(range(len(run.calls)), CUTS))
    checked = 0
    for number, moment in enumerate(moments(run)):
        if number in cuts:
            keep = WAYS[way](moment.at, chance)
            check_image(run, moment, keep, tmp_path / "image", as_it_lies=checked % 4 == 0)
            checked += 1
    assert checked == CUTS


@pytest.fixture(scope="module")
def birth(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the run that makes a ledger and records in it."""
    return record_birth(tmp_path_factory.mktemp("born"), needs_tool("strace"))


@pytest.mark.parametrize("way", ["nothing unsynced survives", "any part survives"])
def test_a_power_cut_soon_after_a_ledger_was_made_leaves_its_keys_and_its_first_entries(
    birth: Run, tmp_path: Path, way: str
) -> None:
    """Its directory, keys and databases are durable, names and all, before the first receipt."""
    chance = random.Random(f"birth, {way}")  # noqa: S311  moments, no secrets
    acknowledged = [
        number for number, moment in enumerate(moments(birth)) if moment.outside.answered
    ]
    cuts = {acknowledged[0], *chance.sample(acknowledged, CUTS_AFTER_BIRTH - 1)}
    for number, moment in enumerate(moments(birth)):
        if number in cuts:
            check_image(birth, moment, WAYS[way](moment.at, chance), tmp_path / "image")


def test_the_run_that_is_cut_acknowledges_publishes_and_closes(run: Run) -> None:
    """Else the cuts above would have nothing to lose."""
    *_, last = moments(run)

    assert len(last.outside.answered) == 15
    assert len(last.outside.checkpoints) == 2
    assert last.disk.read("ledger.db-wal") is None, "closing folds the log into the file"
    for name in ("ledger.db", "erasable.db", "public/default/checkpoint"):
        assert last.disk.read(name) == (run.root / name).read_bytes(), name


@pytest.mark.parametrize("name", PLANTED)
def test_a_sync_that_is_left_out_is_found(tmp_path: Path, name: str) -> None:
    run = record(tmp_path, needs_tool("strace"), name)
    chance = random.Random(f"cuts, {name}")  # noqa: S311  moments, no secrets
    found = ""
    for number, moment in enumerate(moments(run)):
        if number % PLANTED_STEP or not moment.outside.answered or found:
            continue
        try:
            keep = WAYS["any part survives"](moment.at, chance)
            check_image(run, moment, keep, tmp_path / "image")
        except (AssertionError, CounterfoilError) as error:
            found = str(error)

    assert found, f"{name}: no power cut brought it to light"
