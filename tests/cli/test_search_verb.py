"""`counterfoil search`: words in, lines, JSON or CSV out, and documented exit codes."""

import csv
import io
from pathlib import Path

import pytest

from tests.cli.conftest import Foil


@pytest.fixture
def filled(ledger: Path, foil: Foil) -> Path:
    """A ledger with three entries."""
    for number, name in enumerate(("qa", "qa", "production")):
        done = foil(
            "record", "deployment.reported", "--dir", ledger, "--subject",
            f"deployment:acme/shop/{number}", "--ref", f"deployed-to=env:{name}", "--data",
            '{"state": "success"}', "--id", f"={number}",
        )  # fmt: skip
        assert done.code == 0, done.err
    return ledger


def test_what_matches_is_printed_newest_first(filled: Path, foil: Foil) -> None:
    found = foil("search", "ref:env:qa", "type:deployment.*", "--dir", filled)

    assert found.code == 0
    lines = found.out.splitlines()
    assert [line.split("\t")[-1] for line in lines] == ["entry 1", "entry 0"]
    assert "2 entries" in found.err


def test_json_is_the_answer_of_the_api(filled: Path, foil: Foil) -> None:
    found = foil("search", "--dir", filled, "--json", "--limit", "2").json()

    assert found["total"] == 3
    assert [item["id"] for item in found["items"]] == ["=2", "=1"]
    assert found["next"] == "1"
    assert {facet["key"] for facet in found["facets"]} >= {"outcome", "actor", "type"}


def test_csv_is_guarded_against_formulas(filled: Path, foil: Foil) -> None:
    found = foil("search", "ref:env:production", "--dir", filled, "--csv")

    [row] = csv.DictReader(io.StringIO(found.out))
    assert (row["entry"], row["id"]) == ("2", "'=2")


def test_an_answer_is_as_of_the_entry_asked_for(filled: Path, foil: Foil) -> None:
    assert foil("search", "--dir", filled, "--as-of", "0", "--json").json()["total"] == 1


def test_more_than_one_part_is_fetched_when_asked(
    filled: Path, foil: Foil, monkeypatch: pytest.MonkeyPatch
) -> None:
    from counterfoil.cli import search

    monkeypatch.setattr(search, "_PART", 1)

    found = foil("search", "--dir", filled, "--json", "--limit", "2").json()

    assert [item["index"] for item in found["items"]] == [2, 1]


def test_nothing_found_is_a_no_that_says_why(filled: Path, foil: Foil) -> None:
    found = foil("search", "ref:env:qa", "via:webhook", "--dir", filled)

    assert (found.code, found.out) == (1, "")
    assert "no entry matches" in found.err
    assert "without via:webhook there are 2" in found.err


@pytest.mark.parametrize(
    ("words", "said"),
    [(["outcme:failed"], "write outcome:failed"), (["a", '"open'], "(character 3)"),
     (["--limit", "0"], "--limit"), (["--csv", "--json"], "not both")],
    ids=["a word that is off", "an open quotation", "no lines", "two forms"],
)  # fmt: skip
def test_a_mistake_is_one_line_and_exit_2(
    filled: Path, foil: Foil, words: list[str], said: str
) -> None:
    found = foil("search", *words, "--dir", filled)

    assert found.code == 2
    assert said in found.err
    assert len(found.err.splitlines()) == 1


def test_what_a_sender_wrote_cannot_turn_the_terminal(ledger: Path, foil: Foil) -> None:
    done = foil("record", "com.example.odd", "--dir", ledger, "--subject", "run:a\u202eb/c/1")
    assert done.code == 0, done.err

    assert "\u202e" not in foil("search", "--dir", ledger).out


def test_a_word_that_no_log_knows_is_named_when_every_log_is_searched(
    filled: Path, foil: Foil
) -> None:
    found = foil("search", "--everywhere", "type:com.example.nothing", "--dir", filled)

    assert found.code == 1
    assert found.err.startswith("no entry matches\ntype:com.example.nothing fits no entry")
