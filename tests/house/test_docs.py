"""Docs are tested: what they say about verbs, errors and commands is what the code does."""

import contextlib
import re
import shlex
import sqlite3
from pathlib import Path

import click

from counterfoil import __version__
from counterfoil.app.founding import create_home
from counterfoil.app.home import open_home
from counterfoil.cli import VERBS
from counterfoil.cli.group import group
from counterfoil.clock import SteppedClock
from counterfoil.errors import CODES
from counterfoil.ids import SeededRandomness

ROOT = Path(__file__).resolve().parents[2]


def _commands() -> dict[str, click.Command]:
    """Return every command by its full name, such as `admin sources add`."""
    found: dict[str, click.Command] = {}
    context = click.Context(group)

    def walk(prefix: str, command: click.Command) -> None:
        found[prefix] = command
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None
                walk(f"{prefix} {name}", child)

    for verb in VERBS:
        command = group.get_command(context, verb)
        assert command is not None
        walk(verb, command)
    return found


def test_every_verb_and_option_is_in_cli_md() -> None:
    """An option that is not in the docs does not exist for its users."""
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    sections = {
        part.split("\n", 1)[0].strip(): part
        for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    }
    missing = []
    for name, command in _commands().items():
        section = sections.get(name.split()[0], "") + text.split("## Verbs")[0]
        if name.split()[0] not in sections or name.split()[-1] not in section:
            missing.append(name)
        missing += [
            f"{name} {option.opts[0]}"
            for option in command.params
            if isinstance(option, click.Option)
            and not any(word in section for word in option.opts if word.startswith("--"))
        ]

    assert missing == []


def test_every_section_of_cli_md_is_a_verb() -> None:
    """Docs of a verb that is gone mislead."""
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")

    assert sorted(re.findall(r"^### (\w+)$", text, flags=re.MULTILINE)) == sorted(VERBS)


def test_every_error_code_is_in_errors_md_with_its_status_and_no_other_is() -> None:
    """Codes are promises; the catalogue is where people look them up."""
    text = (ROOT / "docs" / "errors.md").read_text("utf-8")
    rows = {
        code: (int(status), meaning, todo)
        for code, status, meaning, todo in re.findall(
            r"^\| `(\w+)` \| (\d+) \| (.+?) \| (.+?) \|$", text, flags=re.MULTILINE
        )
    }

    assert {code: row[:2] for code, row in rows.items()} == {
        code: (status, meaning) for code, (_, status, meaning) in CODES.items()
    }
    assert all(len(todo) > 10 for _, _, todo in rows.values())


def test_every_error_code_is_raised_somewhere() -> None:
    """A code nothing raises is a promise nobody keeps."""
    source = "".join(
        path.read_text("utf-8")
        for path in (ROOT / "counterfoil").rglob("*.py")
        if path.name != "errors.py" or path.parent.name != "counterfoil"
    )

    assert [code for code in CODES if f'"{code}"' not in source] == []


def test_commands_in_the_readme_parse() -> None:
    """Every `counterfoil ...` line of the README names a verb and options that exist."""
    text = (ROOT / "README.md").read_text("utf-8")
    lines = re.findall(
        r"^    \$ (?:\.venv/bin/)?counterfoil (.+?)(?:\s{2,}#.*)?$", text, flags=re.MULTILINE
    )
    commands = _commands()

    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line, comments=True)
        name = max(
            (name for name in commands if words[: len(name.split())] == name.split()), key=len
        )
        known = {word for option in commands[name].params for word in option.opts}
        used = {word for word in words if re.fullmatch(r"--?[a-z-]+", word)}
        assert used <= known, f"counterfoil {line}: {sorted(used - known)}"


def test_links_between_docs_lead_somewhere() -> None:
    """A dead link is a promise of a page."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]

    assert dead == []


def test_the_changelog_begins_with_the_version_of_the_package() -> None:
    """Users read the changelog of what they run."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")

    assert re.findall(r"^## (\S+)", text, flags=re.MULTILINE)[0] == __version__


def test_adrs_are_numbered_once_and_say_what_holds_them() -> None:
    """A decision is found by its number and kept by a check."""
    paths = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [path.name[:4] for path in paths]

    assert numbers == [f"{number:04d}" for number in range(1, len(paths) + 1)]
    for path in paths:
        text = path.read_text("utf-8")
        assert text.startswith(f"# {path.name[:4]} "), path.name
        for head in ("Problem", "Choice", "Instead", "Price", "Held by"):
            assert re.search(rf"^{head} ", text, flags=re.MULTILINE), f"{path.name}: no {head}"


def test_every_test_that_trust_md_names_exists() -> None:
    """The page asks nobody to believe it; a test that is gone is a claim nobody checks."""
    text = (ROOT / "docs" / "trust.md").read_text("utf-8")
    paths = list((ROOT / "tests").rglob("*.py"))
    tests = set(re.findall(r"^ *def (test_\w+)", "".join(map(_text, paths)), flags=re.MULTILINE))
    files = {path.name for path in paths}
    named = re.findall(r"`(?:tests/[\w/]*?)?(test_\w+(?:\.py)?)(?:\[[^`]*\])?`", text)

    assert len(named) > 60
    assert [name for name in named if name not in tests | files] == []
    folders = re.findall(r"`(tests/[\w/.]+)`", text)
    assert [path for path in folders if not (ROOT / path).exists()] == []


def test_every_paragraph_on_a_part_says_what_is_gained_and_what_shows_it() -> None:
    """A part without one of them reads as if there were nothing to gain, or nothing to see."""
    text = (ROOT / "docs" / "trust.md").read_text("utf-8")
    parts = text.split("## Part by part")[1].split("\n## ")[0]
    missing = [
        f"{part.splitlines()[0]}: no {head}"
        for part in re.split(r"^### ", parts, flags=re.MULTILINE)[1:]
        for head in ("Gain", "Shows|`test_")
        if re.search(rf"^(?:{head})", part, flags=re.MULTILINE) is None
    ]

    assert missing == []


def test_everything_a_ledger_directory_holds_is_in_trust_md(tmp_path: Path) -> None:
    """A table or file nobody thought about is what an attacker looks for."""
    text = (ROOT / "docs" / "trust.md").read_text("utf-8")
    create_home(tmp_path / "ledger", SeededRandomness("docs"), origin="log.example/docs")
    with open_home(tmp_path / "ledger", SteppedClock(), SeededRandomness("docs")):
        names = {re.sub(r"-(wal|shm)$", "", one.name) for one in (tmp_path / "ledger").iterdir()}
        tables = {
            table
            for name in ("ledger.db", "erasable.db", "aggregate.db", "state.db")
            for table in _tables(tmp_path / "ledger" / name)
        }
    listed = re.findall(
        r"^\| `([^`]+)`", _part(ARCHITECTURE, "## A ledger directory"), re.MULTILINE
    )
    names |= {name.split("/")[0] for name in listed}

    assert names >= {"ledger.db", "blobs", "timestamps", "lock"}
    assert [name for name in sorted(names) if not re.search(rf"\b{re.escape(name)}\b", text)] == []
    assert [table for table in sorted(tables) if f"`{table}`" not in text] == []


ARCHITECTURE = ROOT / "docs" / "ARCHITECTURE.md"


def _tables(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return [
            name
            for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if not name.startswith("sqlite_")
        ]


def _part(page: Path, heading: str) -> str:
    """Return one section of a page."""
    return _text(page).split(f"{heading}\n")[1].split("\n## ")[0]


def _text(path: Path) -> str:
    return path.read_text("utf-8")
