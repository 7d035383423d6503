"""A ledger that was killed leaves a write-ahead log, and SQLite believes it only up to a bad byte.

A flipped bit there is a silent step back to an earlier commit.  What was published in between
shows it; what was not, shows only to who holds a receipt.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.client.evidence import verify_path
from counterfoil.errors import EvidenceError
from counterfoil.verifier.report import Report
from tests.killed_ledger import COMMITS, WAL, Killed, build_killed, flip_wal, judge
from tests.ledgers import open_ledger

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
PAGE_BYTES = 8192


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    return build_killed(tmp_path_factory.mktemp("killed"))


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
    verdicts = Counter(
        judge(directory, killed.receipt) for directory in changed(killed, tmp_path, WAL)
    )
    with capsys.disabled():
        print(f"\n{WAL}: {dict(verdicts)}")  # noqa: T201  the counts are the result

    assert not verdicts["neither"]
    assert verdicts["named"]
    assert verdicts["stepped back"]


def test_every_byte_is_judged_the_same_in_one_place(killed: Killed, tmp_path: Path) -> None:
    """As `bench.flips --wal` does it: what reads the log leaves it as it was."""
    directory = Path(shutil.copytree(killed.directory, tmp_path / "ledger"))
    size_bytes = (directory / WAL).stat().st_size
    outcome = flip_wal(Killed(directory, killed.receipt), range(0, size_bytes, 8_009))

    assert outcome.third == []
    assert outcome.found
    assert outcome.stepped_back


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
