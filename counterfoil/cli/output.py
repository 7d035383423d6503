"""What every verb shares: printing, JSON, and errors as one line and one exit code."""

import importlib.util
import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from counterfoil.errors import CounterfoilError

# Exit codes of all verbs: docs/cli.md.
YES, NO, USAGE, PARTLY, UNAVAILABLE, NOTHING = range(6)

# Codes that mean "the command itself is off", whatever their group.
_USAGE_CODES = frozenset(
    {
        "usage", "dir_missing", "not_a_ledger", "dir_exists", "config_invalid", "origin_invalid",
        "project_invalid", "project_unknown", "query_invalid", "ci_rule_invalid",
        "unsafe_access", "network_storage", "backup_invalid",
    }
)  # fmt: skip
# Codes that answer a question with no.
_NO_CODES = frozenset({"not_found"})

Command = TypeVar("Command", bound=Callable[..., object])


def exit_code(error: CounterfoilError, *, reading: bool) -> int:
    """Return the documented exit code of an error, for a verb that only reads or one that records."""
    if error.code in _USAGE_CODES:
        return USAGE
    if error.code == "file_unreadable":
        return UNAVAILABLE
    if error.group == "evidence" or error.code in _NO_CODES:
        return NO
    if error.group == "unavailable":
        return UNAVAILABLE
    if reading:
        return USAGE
    return PARTLY if error.facts.get("recorded") else NOTHING


def fail(error: CounterfoilError, *, as_json: bool, reading: bool = False) -> int:
    """Print an error in one line (and as JSON when asked) and return its exit code."""
    code = exit_code(error, reading=reading)
    if as_json:
        show_json({"error": {"code": error.code, "detail": error.message, **error.facts}})
    click.echo(f"counterfoil: {plain(error.message)} [{error.code}]", err=True)
    return code


def fail_usage(error: click.ClickException, *, as_json: bool) -> int:
    """Print a mistake in the words of the command and return 2."""
    message = plain(error.format_message())
    if as_json:
        show_json({"error": {"code": "usage", "detail": message}})
    click.echo(f"counterfoil: {message} [usage]", err=True)
    return USAGE


def show_help(error: click.exceptions.NoArgsIsHelpError) -> int:
    """Print the help of a verb that was called without its words, and return 2."""
    click.echo(error.ctx.get_help(), err=True)
    return USAGE


def show_json(value: object) -> None:
    """Print a value as one JSON document."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        # Another encoding than UTF-8, or the name of a file that is no text.
        text = json.dumps(value, indent=2)
    click.echo(text)


def plain(text: str) -> str:
    """Return outside text with control and bidi characters made visible and harmless."""
    return "".join(
        character
        if character == "\t" or unicodedata.category(character)[0] != "C"
        else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows: a table on a terminal, tab-separated plain text elsewhere and without rich."""
    cells = [tuple(plain(cell) for cell in row) for row in rows]
    if sys.stdout.isatty() and importlib.util.find_spec("rich"):
        from rich import box, console, text  # noqa: PLC0415  comes with [server] only
        from rich.table import Table  # noqa: PLC0415  the same

        grid = Table(*heads, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in cells:
            grid.add_row(*(text.Text(cell) for cell in row))
        console.Console().print(grid)
        return
    for row in cells:
        click.echo("\t".join(row))


def ledger_options(command: Command, *more: Callable[[Any], Any]) -> Command:
    """Add the options that say which ledger a verb talks to, and `more` among them."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        *more,
        click.option(
            "--dir", "directory", type=click.Path(path_type=Path), envvar="COUNTERFOIL_DIR",
            help="A ledger directory on this machine.",
        ),
        click.option(
            "--url", envvar="COUNTERFOIL_URL",
            help="A server's address; its token in COUNTERFOIL_TOKEN.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def where_options(command: Command) -> Command:
    """Add the options that say which ledger a verb talks to, and which project's log."""
    project = click.option(
        "--project", default="default", envvar="COUNTERFOIL_PROJECT", show_default=True,
        help="The project's log.",
    )  # fmt: skip
    return ledger_options(command, project)


def facts(value: dict[str, Any]) -> None:
    """Print named values, one a line, names aligned."""
    width = max(len(name) for name in value)
    for name, fact in value.items():
        click.echo(f"{name.ljust(width)}  {plain(str(fact))}")
