"""`fsck`: an operator's check of a ledger directory, and what of it can be derived again.

It reads beside a running server.  It stands behind [server]: a stranger's check is `verify`.
"""

from pathlib import Path

import click

from counterfoil.cli import output
from counterfoil.cli.nouns import NEEDS_SERVER
from counterfoil.clock import SystemClock
from counterfoil.errors import RequestError
from counterfoil.ids import SystemRandomness

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), envvar="COUNTERFOIL_DIR",
    help="The ledger directory.",
)  # fmt: skip
@click.option("--full", is_flag=True, help="Open everything; let SQLite check every page.")
@click.option("--since", multiple=True, type=_FILE, metavar="CHECKPOINT",
              help="Read only what came after a checkpoint you kept; repeatable.")  # fmt: skip
@click.option("--repair", "mend", is_flag=True,
              help="Derive again what follows from the rest; needs the ledger to itself.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def fsck(
    *, directory: Path | None, full: bool, since: tuple[Path, ...], mend: bool, as_json: bool
) -> int:
    """Check a ledger directory, stage by stage, down to what is derived from it.

    Exit 0 whole, 1 anything wrong, 2 not a ledger, 4 locked or unreadable.
    """
    if directory is None:
        raise RequestError("usage", "which ledger? give --dir DIR")
    if full and since:
        raise RequestError(
            "usage", "--full reads everything, --since only what came later: give one"
        )
    try:
        from counterfoil.app import fsck as work  # noqa: PLC0415  absent from a core install
        from counterfoil.app import fsck_noted, fsck_repair  # noqa: PLC0415  the same
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("counterfoil"):
            raise
        raise click.UsageError(f"fsck {NEEDS_SERVER}") from error
    if mend:
        report = fsck_repair.repair(directory, SystemClock(), SystemRandomness(), since=since)
    else:
        report = work.fsck(directory, full=full, since=since)
        if full:
            fsck_noted.note_whole(directory, report, SystemClock())
    if as_json:
        output.show_json(report.to_json())
    else:
        for line in report.lines():
            click.echo(output.plain(line))
    return output.YES if report.ok else output.NO
