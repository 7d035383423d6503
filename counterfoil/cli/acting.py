"""What the nouns of `admin` share: doing an action near or far, and printing what came of it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from counterfoil.cli import output
from counterfoil.cli.target import open_target

# The ledger's own log: actions are about the ledger, not about a project.
LOG: Final = "_access"

# What an action answers that was only asked for: another person has to agree.
WAITS: Final = frozenset({"asked", "until", "digest"})

Command = TypeVar("Command", bound=Callable[..., object])


def date_options(command: Command) -> Command:
    """Add the options that say from when to when."""
    for option in (
        click.option("--since", default="", metavar="DATE|TIME", help="From when on; at once."),
        click.option("--until", default="", metavar="DATE|TIME", help="Up to when; for good."),
    ):
        command = option(command)
    return command


def do(
    name: str, given: Mapping[str, Any], *, directory: Path | None, url: str | None
) -> dict[str, Any]:
    """Do an action and return what came of it; empty texts are left out."""
    said = {key: value for key, value in given.items() if value != ""}
    with open_target(directory, url, LOG) as target:
        return target.act(name, said)


def tell(done: dict[str, Any], *, as_json: bool) -> int:
    """Print what came of an action, one line or JSON; 1 where it waits for a second person."""
    if as_json:
        output.show_json(done)
    else:
        click.echo(output.plain(done["said"]))
    return output.NO if done.keys() >= WAITS else output.YES


def show(
    done: dict[str, Any], rows: str, heads: Sequence[str],
    cells: Callable[[dict[str, Any]], Sequence[str]], *, as_json: bool, nothing: str,
) -> int:  # fmt: skip
    """Print a list as a table or JSON.

    Args:
        done: what came of the action.
        rows: which of its members is the list.
        heads: of the columns.
        cells: one row -> its cells.
        as_json: print JSON.
        nothing: what to say instead of an empty table.
    """
    if as_json:
        output.show_json(done)
    elif done[rows]:
        output.table(heads, [cells(row) for row in done[rows]])
    else:
        click.echo(nothing)
    return output.YES


def dates(row: Mapping[str, Any]) -> str:
    """Return from when to when, as a cell: days where the hour does not matter."""
    since, until = str(row["since"])[:10], str(row["until"])[:10]
    return f"{since} to {until}" if until else f"since {since}"
