"""A ledger that was killed leaves a write-ahead log, and SQLite believes it only up to a bad byte.

A flipped bit there is a silent step back to an earlier commit.  What was published in between
shows it; what was not, shows only to who holds a receipt.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from counterfoil.app.record import LOCAL
from counterfoil.client.evidence import verify_path
from counterfoil.errors import EvidenceError
from counterfoil.verifier.report import Report
from tests.ledgers import PROJECT, create_ledger, make_sample, open_ledger

PUBLISHED = 6
COMMITS = (6, 8, 10, 12)
"""The sizes after each commit."""
HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
PAGE_BYTES = 8192


@dataclass(frozen=True)
class Killed:
    """A directory as a kill leaves it, without the index that SQLite makes again.

    Args:
        directory: databases with their write-ahead logs.
        receipt: of the last entry.
    """

    directory: Path
    receipt: Path


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """Six entries are published, six more are acknowledged in three commits, and then: nothing."""
    place = tmp_path_factory.mktemp("killed")
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


def verify(directory: Path, *against: str) -> Report:
    report = verify_path(str(directory), against=against)
    assert isinstance(report, Report)
    return report


def offsets(path: Path) -> Iterator[int]:
    """Yield where to change a byte: in the header, and of each frame in header, sum and page."""
    yield from range(0, HEADER_BYTES, 5)
    frame = FRAME_HEADER_BYTES + PAGE_BYTES
    for start in range(HEADER_BYTES, path.stat().st_size, frame):
        yield from (start + 2, start + 7, start + 17, start + FRAME_HEADER_BYTES + PAGE_BYTES // 3)


def changed(killed: Killed, place: Path, name: str) -> Iterator[Path]:
    """Yield the ledger with one byte of a write-ahead log changed, at each of the offsets."""
    source = killed.directory / name
    data = source.read_bytes()
    for at in offsets(source):
        directory = Path(shutil.copytree(killed.directory, place / str(at)))
        (directory / name).write_bytes(data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :])
        yield directory
        shutil.rmtree(directory)


def test_what_a_kill_leaves_is_whole_with_everything_that_was_acknowledged(
    killed: Killed, tmp_path: Path
) -> None:
    """The write-ahead log is read, and the export may be behind."""
    directory = Path(shutil.copytree(killed.directory, tmp_path / "ledger"))
    assert (directory / "ledger.db-wal").stat().st_size > 10 * PAGE_BYTES
    report = verify(directory, str(killed.receipt))

    assert (report.ok, report.size) == (True, COMMITS[-1]), report.findings


def test_a_flipped_bit_in_the_write_ahead_log_is_named_or_is_a_step_back_that_a_receipt_names(
    killed: Killed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLite drops what lies behind a bad frame: a whole, earlier ledger, and no word about it."""
    named = stepped_back = identical = 0
    third = []
    for directory in changed(killed, tmp_path, "ledger.db-wal"):
        report = verify(directory)
        if not report.ok:
            named += 1
        elif report.size == COMMITS[-1]:
            identical += 1
        elif report.size in COMMITS:
            stepped_back += 1
            found = verify(directory, str(killed.receipt)).findings
            if ("missing", report.size) not in {(one.klass, one.first) for one in found}:
                third.append((directory.name, report.size))
        else:
            third.append((directory.name, report.size))
    with capsys.disabled():
        print(  # noqa: T201  the counts are the result
            f"\nledger.db-wal: {named} changed bytes named, {stepped_back} a step back that a"
            f" receipt names, {identical} without effect"
        )

    assert third == []
    assert named
    assert stepped_back


def test_keys_lost_with_the_write_ahead_log_are_named_with_their_entries(
    killed: Killed, tmp_path: Path
) -> None:
    """Keys are committed before entries, so a step back of `erasable.db` alone shows at once."""
    third = []
    named = 0
    for directory in changed(killed, tmp_path, "erasable.db-wal"):
        report = verify(directory)
        if report.ok and report.size == COMMITS[-1]:
            continue
        named += 1
        if not any(one.object.startswith("erasable.db") for one in report.findings):
            third.append((directory.name, [one.line() for one in report.findings]))

    assert third == []
    assert named


def test_a_step_back_below_what_was_published_keeps_the_ledger_from_opening(
    killed: Killed, tmp_path: Path
) -> None:
    """Going on from there would give indices away a second time that the public has seen."""
    directory = Path(shutil.copytree(killed.directory, tmp_path / "ledger"))
    path = directory / "ledger.db-wal"
    data = path.read_bytes()
    at = HEADER_BYTES + FRAME_HEADER_BYTES
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])

    with pytest.raises(EvidenceError) as refusal, open_ledger(directory):
        pass

    assert refusal.value.code == "rolled_back"
    assert not verify(directory).ok
