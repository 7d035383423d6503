"""Clumsy and hostile command lines: one line each, the documented code, nothing recorded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from counterfoil.cli import main
from tests.cli.conftest import Foil

JUNIT = '<testsuite name="unit"><testcase classname="cart" name="test_total"/></testsuite>'
NOT_UTF8 = "\udcff"


@pytest.fixture
def junit(tmp_path: Path) -> Path:
    path = tmp_path / "junit.xml"
    path.write_text(JUNIT)
    return path


def count(ledger: Path, foil: Foil) -> int:
    """Return how many entries the ledger holds."""
    return int(foil("verify", ledger, "--json").json()["checked"]["entries"])


@pytest.mark.parametrize(
    "words",
    [
        ("record", "com.example.done", "--data", f'{{"a": "{NOT_UTF8}"}}'),
        ("record", "com.example.done", "--id", NOT_UTF8),
        ("record", NOT_UTF8),
        ("receipt", NOT_UTF8),
        ("trace", f"run:{NOT_UTF8}"),
        ("admin", "sources", "rotate", NOT_UTF8),
    ],
)
def test_words_that_are_not_utf8_are_a_mistake_in_the_words(
    foil: Foil, ledger: Path, words: tuple[str, ...]
) -> None:
    result = foil(*words, "--dir", ledger)

    assert result.code == 2
    assert "is not UTF-8" in result.err
    assert result.err.count("\n") == 1
    assert count(ledger, foil) == 0


def test_a_file_may_have_any_name(foil: Foil, ledger: Path, tmp_path: Path) -> None:
    report = tmp_path / f"{NOT_UTF8}.xml"
    report.write_text(JUNIT)

    result = foil("report", report, "--run", "run:odd/1", "--dir", ledger, "--json")

    assert result.code == 0
    assert result.json()["reports"][0]["run"] == "run:odd/1"


@pytest.mark.parametrize("as_json", [False, True])
def test_what_the_terminal_cannot_show_is_spelt(ledger: Path, as_json: bool) -> None:
    """Printing must not fail behind the back of what was recorded."""
    words = ["-m", "counterfoil", "record", "com.\u20ac.\U0001f600", "--dir", str(ledger)]
    done = subprocess.run(
        [sys.executable, *words, *(["--json"] if as_json else [])],
        env={**os.environ, "PYTHONIOENCODING": "latin-1:strict"},
        capture_output=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, b"")
    if as_json:
        assert json.loads(done.stdout)["index"] == 0
    else:
        assert b"com.\\u20ac." in done.stdout


@pytest.mark.parametrize("option", ["--by", "--time", "--id", "--subject", "--source", "--data"])
def test_an_empty_value_is_refused_and_not_filled_in(foil: Foil, ledger: Path, option: str) -> None:
    """`--by "$ACTOR"` with ACTOR unset would name the wrong person, for ever."""
    result = foil("record", "com.example.done", option, "", "--dir", ledger)

    assert result.code == 5
    assert result.err.count("\n") == 1
    assert count(ledger, foil) == 0


@pytest.mark.parametrize("option", ["--run", "--commit", "--environment", "--name"])
def test_an_empty_word_about_a_report_is_refused(
    foil: Foil, ledger: Path, junit: Path, option: str
) -> None:
    result = foil("report", junit, option, "", "--dir", ledger)

    assert result.code == 2
    assert f"{option} is empty" in result.err
    assert count(ledger, foil) == 0


def test_a_folder_for_receipts_that_cannot_be_made_is_found_before_anything_is_recorded(
    foil: Foil, ledger: Path, junit: Path
) -> None:
    result = foil("report", junit, "--receipts", junit / "receipts", "--dir", ledger)

    assert result.code == 4
    assert "nothing is recorded" in result.err
    assert count(ledger, foil) == 0


def test_a_file_that_cannot_be_read_is_named_once(foil: Foil, ledger: Path) -> None:
    result = foil("report", "/nowhere.xml", "--dir", ledger)

    assert result.code == 4
    assert result.err.count("/nowhere.xml") == 1


@pytest.mark.parametrize("number", ["9" * 30, "9" * 5000])
def test_no_log_has_so_many_entries(foil: Foil, ledger: Path, number: str) -> None:
    result = foil("receipt", number, "--dir", ledger)

    assert result.code == 1
    assert "[not_found]" in result.err
    assert len(result.err) < 300


@pytest.mark.parametrize("words", [(), ("admin",), ("admin", "sources")])
def test_a_verb_without_its_words_prints_its_help(foil: Foil, words: tuple[str, ...]) -> None:
    result = foil(*words)

    assert result.code == 2
    assert result.err.startswith("Usage: counterfoil")
    assert len(result.err.splitlines()) > 5
    assert "\N{REPLACEMENT CHARACTER}" not in result.err


def test_a_path_that_no_system_takes_is_unreadable(foil: Foil) -> None:
    long = "x" * 5000
    for words in (
        ("record", "a.b.c", "--dir", long),
        ("serve", "--dir", long),
        ("demo", "--dir", long),
        ("verify", long),
    ):
        result = foil(*words)
        assert (result.code, result.err.count("\n")) == (4, 1), words


def test_a_chain_followed_up_to_a_limit_says_so(foil: Foil, ledger: Path) -> None:
    """What was not looked at may be missing."""
    commits = [f"contains=commit:a/b@{number:07x}{0:033x}" for number in range(410)]
    words = [word for commit in commits for word in ("--ref", commit)]
    made = foil("record", "com.example.made", "--subject", "release:a@1", *words, "--dir", ledger)
    assert made.code == 0

    result = foil("trace", "release:a@1", "--dir", ledger)

    assert result.code == 1
    assert "followed up to a limit" in result.out


def test_a_webhook_source_is_of_a_project_that_exists(foil: Foil, ledger: Path) -> None:
    """Its deliveries would be refused, one by one, by then far from whoever mistyped the name."""
    words = ("admin", "sources", "add", "shop", "--kind", "github", "--dir", ledger)

    assert foil(*words, "--project", "nope").code == 2
    assert foil("admin", "sources", "list", "--dir", ledger, "--json").json() == {"sources": []}
    assert foil(*words).code == 0


def test_a_sign_in_link_has_no_slash_too_many(foil: Foil, ledger: Path) -> None:
    link = foil("admin", "sign-in", "--dir", ledger, "--url", "https://foil.example/").out

    assert link.startswith("https://foil.example/sign-in?token=")


def test_words_are_those_of_the_process_when_none_are_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["counterfoil", "--version"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 0
    assert "counterfoil" in capsys.readouterr().out
