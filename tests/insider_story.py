"""A ledger that lived through two honest weeks, and everything that was kept of it elsewhere.

    story = live(tmp_path)

The project's log, by index: 0 to 3 steps, 4 an approval asked for, 5 the approval, 6 to 9 steps,
and here last week's directory was copied; then 10 to 15 steps and one more copy, from which a
second server may go on; then 16 to 20 steps.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness
from counterfoil.tlog.keys import VerifierKey, parse_vkey
from tests.app import approving
from tests.app.witnessed import until
from tests.insider import AGGREGATE, PROJECT
from tests.ledgers import make_sample
from tests.witnessing import WitnessProcess, make_witness

APPROVAL = 5
LAST_WEEK = 10
SPLIT = 16
SIZE = 21
AGGREGATED = (4, 10, 16, 21)
"""The sizes the aggregate log has on record of the project."""

DAY_S = 86_400.0
_UNASKED = "[aggregate]\ninterval_s = 86400\n"


@dataclass(frozen=True)
class Story:
    """What there is after the two weeks.

    Args:
        directory: the ledger, closed.
        last_week: a copy of it at size 10.
        before_split: a copy of it at size 16.
        kept: the evidence: `receipts/N.tlog-proof` under the last checkpoint, `early receipts`
            under that of last week, `checkpoint`, `earlier checkpoint` (last week's), `mirror`
            and `aggregate` (copies of what is exported), `witness` (the directory of one).
        witness: whoever cosigned all of it; it is running.
    """

    directory: Path
    last_week: Path
    before_split: Path
    kept: Path
    witness: WitnessProcess


@contextlib.contextmanager
def lived(place: Path) -> Iterator[Story]:
    """Live through the two weeks; the witness runs until the block ends."""
    directory, kept = place / "ledger", place / "kept"
    kept.mkdir()
    randomness, clock = SeededRandomness("two weeks"), SteppedClock("2026-11-02T09:00:00.000Z")
    create_home(directory, randomness, origin="log.example/shop")
    (directory / "counterfoil.toml").write_text(_UNASKED)
    with open_home(directory, clock, randomness):
        pass  # the ledger's own logs have their keys from here on
    keys = [vkey(directory, name) for name in (PROJECT, "_access", AGGREGATE)]
    witness = make_witness(kept / "witness", "witness.example/audit", *keys)
    witness.start()
    try:
        table = f'[[witness]]\nname = "audit"\nvkey = "{witness.vkey}"\nurl = "{witness.url}"\n'
        (directory / "counterfoil.toml").write_text(_UNASKED + table)
        with open_home(directory, clock, randomness) as home:
            approving.people(home)
            go_on(home, 0, 4)
            approving.ask(home)
            approving.sign(home)
            go_on(home, 6, 10)
            _keep_receipts(home, kept / "early receipts", LAST_WEEK)
        last_week = _copy(directory, place / "last week")
        shutil.copy2(directory / "public" / PROJECT / "checkpoint", kept / "earlier checkpoint")
        with open_home(directory, clock, randomness) as home:
            clock.step(7 * DAY_S)
            go_on(home, 10, SPLIT)
        before_split = _copy(directory, place / "before the split")
        with open_home(directory, clock, randomness) as home:
            go_on(home, SPLIT, SIZE)
            until(
                lambda: home.outside.witnesses.size(PROJECT) == SIZE, "the witness has not seen it"
            )
            _keep_receipts(home, kept / "receipts", SIZE)
        shutil.copy2(directory / "public" / PROJECT / "checkpoint", kept / "checkpoint")
        for name, log in (("mirror", PROJECT), ("aggregate", AGGREGATE)):
            shutil.copytree(directory / "public" / log, kept / name)
        yield Story(directory, last_week, before_split, kept, witness)
    finally:
        witness.kill()


def go_on(home: Home, first: int, end: int) -> None:
    """Record steps with these numbers, a minute apart, and have the aggregate log see them."""
    assert isinstance(home.clock, SteppedClock), "the story is told by its own clock"
    for number in range(first, end):
        home.clock.step(60)
        home.recorder.record(PROJECT, [make_sample(number)], LOCAL, "cli")
    aggregate = home.outside.aggregate
    assert aggregate is not None
    aggregate.write(home.outside._sources)


def reopened(directory: Path, moment: str) -> "contextlib.AbstractContextManager[Home]":
    """Open a copy at a moment, by itself: no witness is asked."""
    (directory / "counterfoil.toml").write_text(_UNASKED)
    return open_home(directory, SteppedClock(moment), SeededRandomness(f"{directory} {moment}"))


def _keep_receipts(home: Home, folder: Path, size: int) -> None:
    """Keep a receipt of every entry, under the checkpoint of this size."""
    folder.mkdir()
    for index in range(size):
        (folder / f"{index}.tlog-proof").write_bytes(home.ledger.receipt(PROJECT, index))


def vkey(directory: Path, project: str) -> VerifierKey:
    """Return the key of a log."""
    return parse_vkey((directory / "keys" / f"{project}.vkey").read_text("ascii").strip())


def _copy(directory: Path, place: Path) -> Path:
    """Copy a ledger that is closed, with the times of its files, as a backup would."""
    shutil.copytree(directory, place, ignore=shutil.ignore_patterns("lock", "server.json"))
    for path in place.rglob("*.db"):
        os.utime(path)
    return place
