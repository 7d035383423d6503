"""Two thousand histories of power cuts, faults, kills, takeovers and restored backups."""

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from counterfoil.ledger.store import LogStore
from counterfoil.stores.sqlite_driver import Driver
from counterfoil.testing import replay
from counterfoil.testing.calls import Ended
from counterfoil.testing.evidence import Violation
from counterfoil.testing.history import History
from counterfoil.testing.process import Parts

SEEDS = 2_000
CHUNKS = 8


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_whatever_happens_nothing_acknowledged_is_lost_forked_or_given_twice(chunk: int) -> None:
    """And no receipt stops verifying, and nobody is alarmed without a cause."""
    met: dict[str, int] = {}
    for seed in range(chunk * SEEDS // CHUNKS, (chunk + 1) * SEEDS // CHUNKS):
        try:
            outcome = History(seed).run()
        except Violation as violation:
            pytest.fail(f"{violation}\nsee python -m counterfoil.testing.replay {seed}")
        for name, count in asdict(outcome).items():
            met[name] = met.get(name, 0) + count

    assert all(met.values()), f"these histories were too quiet to prove anything: {met}"


@pytest.mark.parametrize("error", [KeyError("nobody expected it"), Ended("out of turn")])
def test_a_seed_that_breaks_in_any_other_way_is_named_too(error: BaseException) -> None:
    """A run of a hundred thousand ends with nothing but a traceback otherwise."""

    def breaks(_path: Path, _driver: Driver) -> LogStore:
        raise error

    with pytest.raises(Violation, match=f"^seed 16 broke: {re.escape(repr(error))}$"):
        History(16, Parts(log_store=breaks)).run()


def test_a_seed_is_the_same_history_byte_for_byte() -> None:
    def traces() -> list[str]:
        texts = []
        for seed in (5, 16, 17):
            history = History(seed)
            history.run()
            texts.append(history.trace.text())
        return texts

    first = traces()

    assert traces() == first
    assert len(set(first)) == 3


def test_a_replay_shows_every_call_and_how_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    assert replay.main(["16"]) == 0

    shown = capsys.readouterr().out.splitlines()
    assert any("sync /ledger/ledger.db-wal" in line for line in shown)
    assert shown[-1].startswith("nothing broke: Outcome(")


@pytest.mark.parametrize("words", [[], ["x"], ["1", "2"]], ids=["none", "no number", "two"])
def test_a_replay_of_no_seed_says_how_it_is_called(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay.main(words) == 2
    assert capsys.readouterr().err.startswith("usage: ")
