"""A ledger with one of everything, and one flipped bit or cell at a time: every one is named.

`python -m bench.flips` changes every byte: of the database files, of cells, of all other files.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.client.evidence import verify_path
from counterfoil.verifier.report import Report
from tests.cells import KINDS, cell_bytes, cells, changed, flip_cells, is_named, set_cell
from tests.everything import LOGS, Everything, build_everything
from tests.file_flips import (
    BLOB_PROJECT,
    flip_files,
    is_blob_named,
    is_exported_named,
    is_key_named,
    places,
    whose,
)
from tests.flips import flip_bytes

STEP = 61
"""A prime, so that the samples fall on every kind of place in a page."""
BUNDLE_STEP = 7
JUDGED_STEP = 307


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Everything:
    return build_everything(tmp_path_factory.mktemp("everything"))


@pytest.fixture
def directory(pristine: Everything, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine.directory, tmp_path / "ledger"))


def verify(target: Path, trust: Path | None = None, project: str | None = None) -> Report:
    report = verify_path(str(target), trust=trust, project=project)
    assert isinstance(report, Report)
    return report


def flips(path: Path, step: int = 1) -> Iterator[int]:
    """Change one byte of a file at a time; yield its offset while it is changed."""
    data = path.read_bytes()
    path.chmod(0o600)
    for at in range(0, len(data), step):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        yield at
    path.write_bytes(data)


def test_the_ledger_is_whole_and_has_one_of_everything(
    directory: Path, pristine: Everything
) -> None:
    """Otherwise what is found below was there before."""
    for report in (verify(directory), verify(directory, pristine.policy)):
        assert report.ok, report.findings
        assert {log.project for log in report.logs} == set(LOGS)
        assert all(report.checked[what] for what in ("sealed_pieces", "blobs", "tiles"))
    tables = {(cell.file, cell.table) for name in KINDS for cell in cells(directory, name)}
    # The aggregate log has no pieces and no blobs; nothing was erased here, so no part has keys
    # of its own (tests/app/test_erasing.py has some).
    assert {(kind.name, table) for kind in KINDS.values() for table in kind.columns} - tables == {
        ("aggregate.db", "bodies"), ("aggregate.db", "blobs"), ("erasable.db", "piece_keys"),
    }  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_changed_cell_is_found_with_its_table_and_its_entry(
    directory: Path, name: str
) -> None:
    """A person's key that nothing needs does not exist here: every person seals something."""
    missed = []
    for cell in list(cells(directory, name)):
        set_cell(directory, cell, undo=False)
        report = verify(directory)
        set_cell(directory, cell, undo=True)
        if not is_named(cell, report, changed(cell.value)):
            missed.append((str(cell), [one.line() for one in report.findings]))

    assert missed == []
    assert verify(directory).ok


@pytest.mark.parametrize("name", KINDS)
def test_a_changed_byte_anywhere_in_a_cell_is_found_with_its_table_and_its_entry(
    directory: Path, name: str
) -> None:
    """Not only in the middle: where a cell is read in parts, each part has to count."""
    numbers = range(0, sum(1 for _ in cell_bytes(directory, name)), JUDGED_STEP)
    outcome = flip_cells(directory, name, numbers)

    assert outcome.third == []
    assert outcome.found == len(numbers)


def test_a_changed_byte_of_any_other_file_is_found_alone_and_beside_the_database(
    directory: Path, pristine: Everything
) -> None:
    """The same judgement as over every byte: `bench.flips --files`."""
    numbers = range(0, sum(1 for _ in places(directory)), JUDGED_STEP)
    outcome = flip_files(directory, pristine.policy, numbers)

    assert outcome.third == []
    assert outcome.found == len(numbers)


@pytest.mark.parametrize("name", KINDS)
def test_a_changed_byte_of_a_database_file_is_found_or_changes_no_evidence(
    directory: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A database file has bytes that mean nothing; every other one has to be missed by none."""
    size_bytes = (directory / name).stat().st_size
    outcome = flip_bytes(directory, KINDS[name], range(0, size_bytes, STEP))
    with capsys.disabled():
        print(f"\n{outcome.line(name)}")  # noqa: T201  both counts are the result

    assert outcome.third == []
    assert outcome.found > 0
    assert outcome.identical > 0


@pytest.mark.parametrize("log", LOGS)
def test_every_changed_byte_of_an_exported_log_is_found(
    pristine: Everything, directory: Path, log: str
) -> None:
    """The checkpoint with its cosignature and every tile in full; bundles at every seventh byte."""
    public = directory / "public" / log
    for path in sorted(path for path in public.rglob("*") if path.is_file()):
        name = str(path.relative_to(public))
        for at in flips(path, BUNDLE_STEP if "entries" in name else 1):
            found = verify(public, pristine.policy).findings
            assert is_exported_named(found, log, name), at


def test_every_changed_byte_of_a_blob_is_found(directory: Path) -> None:
    """In both sealed forms; the entries that name the blob are named with it."""
    paths = sorted(path for path in (directory / "blobs").rglob("*") if path.is_file())
    assert len(paths) == 2
    for path in paths:
        for at in flips(path):
            found = verify(directory, project=BLOB_PROJECT).findings
            assert is_blob_named(found, str(path.relative_to(directory))), at


@pytest.mark.parametrize("log", LOGS)
def test_every_changed_byte_of_a_key_file_is_found(directory: Path, log: str) -> None:
    for name in (f"keys/{log}.vkey", f"keys/{log}.key"):
        for at in flips(directory / name):
            found = verify(directory, project=log).findings
            assert is_key_named(found, name), at


@pytest.mark.parametrize("log", LOGS)
def test_every_changed_byte_of_an_exported_log_is_found_in_the_directory(
    pristine: Everything, directory: Path, log: str
) -> None:
    """What is found in the exported log alone is found beside the database too, by its path."""
    prefix = f"public/{log}/"
    for path in sorted(path for path in (directory / prefix).rglob("*") if path.is_file()):
        name = str(path.relative_to(directory))
        for at in flips(path, 31):
            found = verify(directory, pristine.policy, log).findings
            assert ("damaged", name) in whose(found, log, prefix), at
