"""`counterfoil fsck` at a terminal: words, exit codes, and the shape of its JSON."""

import re
from pathlib import Path

import pytest

from counterfoil.app.home import open_home
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness
from counterfoil.stores.state import State
from counterfoil.verifier.stages import STAGES
from tests.cli.conftest import Foil
from tests.fscking import a_copy, build, flip, put

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fsck-verb") / "ledger"
    build(directory)
    return directory


@pytest.fixture
def directory(pristine: Path, tmp_path: Path) -> Path:
    return a_copy(pristine, tmp_path / "ledger")


def test_a_whole_ledger_is_0_and_a_damaged_one_1(foil: Foil, directory: Path) -> None:
    whole = foil("fsck", "--dir", directory, "--full")
    assert (whole.code, whole.err) == (0, "")
    assert "whole (full)" in whole.out
    assert [name for name in STAGES if f"  {name} " in whole.out] == list(STAGES)

    flip("public/default/tile/0/000")(directory)
    damaged = foil("fsck", "--dir", directory)
    assert damaged.code == 1
    assert "damaged  public/default/tile/0/000  (entry 0)" in damaged.out


def test_a_full_check_that_found_all_whole_is_noted_for_the_health_page(
    foil: Foil, directory: Path
) -> None:
    """One that left something out, or found something, says nothing about all of it."""

    def noted() -> set[tuple[str, str]]:
        state = State(directory / "state.db")
        try:
            return {(one.what, one.project) for one in state.milestones.latest()}
        finally:
            state.close()

    assert foil("fsck", "--dir", directory).code == 0
    assert not noted()
    assert foil("fsck", "--dir", directory, "--full").code == 0
    assert ("verified", "default") in noted()


def test_repair_mends_says_so_and_is_0(foil: Foil, directory: Path) -> None:
    flip("public/default/tile/0/000")(directory)

    mended = foil("fsck", "--dir", directory, "--repair")

    assert mended.code == 0, mended.out
    assert "mended  public/default/tile/0/000: from the database" in mended.out
    assert re.search(r"kept in damaged/\S+", mended.out)
    assert "on record as entry 300 of default" in mended.out


def test_what_cannot_be_mended_is_1_and_says_why(foil: Foil, directory: Path) -> None:
    blob = next(path for path in sorted(directory.rglob("blobs/*/*")) if path.is_file())
    flip(str(blob.relative_to(directory)))(directory)

    refused = foil("fsck", "--dir", directory, "--repair", "--json")

    assert refused.code == 1
    assert "restore it from a backup" in refused.json()["repairs"]["refused"][0]


def test_the_json_is_what_the_docs_say(foil: Foil, directory: Path) -> None:
    flip("public/default/tile/0/000")(directory)
    text = (ROOT / "docs" / "how-to" / "fsck.md").read_text("utf-8")
    text = text.partition("## The report as JSON")[2].partition("## Mend")[0]
    members = set(re.findall(r"^\| `([a-z_.\[\]]+)` \|", text, re.MULTILINE))

    report = foil("fsck", "--dir", directory, "--full", "--repair", "--json").json()
    found = set(report)
    for name in ("logs", "stages"):
        found |= {f"{name}[].{member}" for member in report[name][0]}
    found |= {f"stages[].ranges[].{member}" for member in report["stages"][1]["ranges"][0]}
    found |= {f"repairs.{member}" for member in report["repairs"]}
    found |= {f"repairs.done[].{member}" for member in report["repairs"]["done"][0]}
    put("keys/other.vkey", b"x")(directory)
    damaged = foil("fsck", "--dir", directory, "--json").json()
    found |= {f"findings[].{member}" for member in damaged["findings"][0]}

    assert found == members


def test_no_ledger_and_words_that_do_not_fit_are_2(
    foil: Foil, directory: Path, tmp_path: Path
) -> None:
    assert foil("fsck", "--dir", tmp_path / "nowhere").code == 2
    assert foil("fsck", "--dir", ROOT / "docs").code == 2
    assert foil("fsck").code == 2
    kept = directory / "public/default/checkpoint"
    assert foil("fsck", "--dir", directory, "--full", "--since", kept).code == 2
    assert foil("fsck", "--dir", directory, "--since", directory / "keys/other.vkey").code == 2


def test_a_repair_beside_a_server_is_4_and_says_what_to_do(foil: Foil, directory: Path) -> None:
    with open_home(directory, SteppedClock(), SeededRandomness("server")):
        refused = foil("fsck", "--dir", directory, "--repair")

    assert refused.code == 4
    assert refused.err.endswith("[locked]\n")
    assert "stop it first" in refused.err
