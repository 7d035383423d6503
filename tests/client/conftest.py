"""A real ledger directory for each test of verifying, and its key kept elsewhere."""

import shutil
from pathlib import Path

import pytest

from tests.ledgers import PROJECT, Built, build_ledger


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_ledger(tmp_path_factory.mktemp("pristine") / "ledger", events=20)


@pytest.fixture
def directory(pristine: Built, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine.directory, tmp_path / "ledger"))


@pytest.fixture
def vkey(pristine: Built, tmp_path: Path) -> Path:
    path = tmp_path / "kept.vkey"
    path.write_text(f"{pristine.vkeys[PROJECT]}\n", "ascii")
    return path
