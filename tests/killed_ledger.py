"""A ledger directory as a kill leaves it, and what becomes of one changed byte of its write-ahead log.

SQLite believes a write-ahead log up to the first bad byte.  So a changed byte is named by
`verify`, or is a step back to an earlier commit that whoever holds a receipt finds, or nothing.
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from counterfoil.app.record import LOCAL
from counterfoil.client.evidence import verify_path
from counterfoil.verifier.report import Report
from tests.flips import Outcome, changed_byte
from tests.ledgers import PROJECT, create_ledger, make_sample, open_ledger

PUBLISHED = 6
COMMITS = (6, 8, 10, 12)
"""The sizes after each commit."""
WAL = "ledger.db-wal"

Verdict = Literal["named", "stepped back", "identical", "neither"]


@dataclass(frozen=True)
class Killed:
    """A directory as a kill leaves it, without the index that SQLite makes again.

    Args:
        directory: databases with their write-ahead logs.
        receipt: of the last entry.
    """

    directory: Path
    receipt: Path


def build_killed(place: Path) -> Killed:
    """Six entries are published, six more are acknowledged in three commits, and then: nothing."""
    create_ledger(place / "ledger", (PROJECT,))
    with open_ledger(place / "ledger") as (ledger, recorder):
        start = 0
        for size in COMMITS:
            events = [make_sample(number) for number in range(start, size)]
            answers = recorder.record(PROJECT, events, LOCAL, "cli")
            start = size
            if size == PUBLISHED:
                ledger.export_now()
        shutil.copytree(
            place / "ledger", place / "copy", ignore=shutil.ignore_patterns("*-shm", "state.db*")
        )
    receipt = place / "last.tlog-proof"
    receipt.write_bytes(answers[-1].receipt)
    return Killed(place / "copy", receipt)


def judge(directory: Path, receipt: Path) -> Verdict:
    """Say what `verify` makes of a changed write-ahead log, without and with the last receipt."""
    report = _verify(directory)
    if not report.ok:
        return "named"
    if report.size == COMMITS[-1]:
        return "identical"
    found = _verify(directory, str(receipt)).findings
    told = ("missing", report.size) in {(one.klass, one.first) for one in found}
    return "stepped back" if told and report.size in COMMITS else "neither"


def flip_wal(killed: Killed, offsets: Iterable[int]) -> Outcome:
    """Change the bytes at these offsets of `ledger.db-wal`, one at a time.

    Args:
        killed: is left as it was, but for the index that SQLite makes.
        offsets: from 0.
    """
    path = killed.directory / WAL
    data, database = path.read_bytes(), (killed.directory / "ledger.db").read_bytes()
    outcome = Outcome()
    for at in offsets:
        with changed_byte(path, at, data[at]):
            verdict = judge(killed.directory, killed.receipt)
        match verdict:
            case "named":
                outcome.found += 1
            case "stepped back":
                outcome.stepped_back += 1
            case "identical":
                outcome.identical += 1
            case "neither":
                outcome.third.append((at, []))
    # Else SQLite would have merged the log, and the last changes would have changed nothing.
    assert (path.read_bytes(), (killed.directory / "ledger.db").read_bytes()) == (data, database)
    assert judge(killed.directory, killed.receipt) == "identical"
    return outcome


def _verify(directory: Path, *against: str) -> Report:
    report = verify_path(str(directory), against=against)
    assert isinstance(report, Report)
    return report
