"""`admin deploy-files` and `admin doctor`: an installation for real use, set up and looked at."""

from pathlib import Path

import click

from counterfoil.cli import output
from counterfoil.cli.nouns import NEEDS_SERVER
from counterfoil.clock import SystemClock
from counterfoil.errors import RequestError


def _absent(error: ModuleNotFoundError) -> click.UsageError:
    """Return what to say of a module that a core install lacks; ours are never absent."""
    if error.name is None or error.name.startswith("counterfoil"):
        raise error
    return click.UsageError(f"this {NEEDS_SERVER}")


@click.command("deploy-files")
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@click.option("--name", required=True, metavar="HOST",
              help="The host name people reach the server under.")  # fmt: skip
@click.option("--dir", "directory", default="/var/lib/counterfoil", show_default=True,
              help="The ledger directory.")  # fmt: skip
@click.option("--user", default="counterfoil", show_default=True, help="Who runs it.")
@click.option("--programs", default="/opt/counterfoil/bin", show_default=True,
              help="The folder `counterfoil` stands in.")  # fmt: skip
@click.option("--backups", default="/var/backups/counterfoil", show_default=True,
              help="The folder backups go to.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def deploy_files(
    *, destination: Path, name: str, directory: str, user: str, programs: str, backups: str,
    as_json: bool,
) -> int:  # fmt: skip
    """Write systemd units, nginx settings, log rotation and monitoring files into DEST."""
    try:
        from counterfoil.app import deploy_files as work  # noqa: PLC0415  absent from a core install
    except ModuleNotFoundError as error:
        raise _absent(error) from error
    installation = work.Installation(name, directory, user, programs, backups)
    names = work.write_deploy_files(destination, installation)
    if as_json:
        output.show_json({"directory": str(destination), "files": names})
    else:
        for one in names:
            click.echo(str(destination / one))
    return output.YES


@click.command()
@click.option("--dir", "directory", type=click.Path(path_type=Path), envvar="COUNTERFOIL_DIR",
              help="The ledger directory.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(*, directory: Path | None, as_json: bool) -> int:
    """Look at the clock, the disk, keys, witnesses, backups and more; say what to do.

    Changes nothing.  Exit 0 nothing is wrong, 1 something is to be mended now.
    """
    if directory is None:
        raise RequestError("usage", "which ledger? give --dir DIR")
    try:
        from counterfoil.app.doctor import doctor as look  # noqa: PLC0415  absent from a core install
    except ModuleNotFoundError as error:
        raise _absent(error) from error
    diagnosis = look(directory, SystemClock())
    if as_json:
        output.show_json(diagnosis.to_json())
    else:
        for line in diagnosis.text():
            click.echo(output.plain(line))
    return output.YES if diagnosis.ok else output.NO
