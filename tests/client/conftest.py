"""Real ledger directories for the tests of verifying: a plain one, and one that insiders attack."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.cli import main
from tests.insider_attacks import ON_ROWS, WITHOUT_ROWS, Said, Verify, attack
from tests.insider_story import Story, lived
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


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with lived(tmp_path_factory.mktemp("story")) as found:
        yield found


@pytest.fixture(scope="session")
def forged(story: Story, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every attack, carried out once by somebody who has the keys."""
    place = tmp_path_factory.mktemp("forged")
    return {
        name: attack(story, name, place / name.replace(" ", "-"), signed=True)
        for name in (*ON_ROWS, *WITHOUT_ROWS)
    }


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    """Run `counterfoil verify WORDS --json`: the one command."""

    def run(*words: object) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(["verify", *(str(word) for word in words), "--json"])
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, json.loads(printed.out))

    return run
