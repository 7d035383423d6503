"""`admin backup`, `admin restore`, `admin drill`: copies of a ledger, put in place and tried.

They work on files and stand behind [server].  That it was done is recorded through whoever serves
the ledger, or in it where nobody does.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from counterfoil.cli import output
from counterfoil.cli.acting import do
from counterfoil.cli.nouns import NEEDS_SERVER
from counterfoil.clock import SystemClock
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.ids import SystemRandomness

if TYPE_CHECKING:
    from counterfoil.app.backing_up import BackedUp

_FOLDER = click.Path(path_type=Path, file_okay=False)
_DIR = click.option(
    "--dir", "directory", type=click.Path(path_type=Path), envvar="COUNTERFOIL_DIR",
    help="The ledger directory.",
)  # fmt: skip
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@contextlib.contextmanager
def _needs_server() -> Iterator[None]:
    """Say so where what does the work is not installed: it stands behind [server]."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("counterfoil"):
            raise
        raise click.UsageError(f"this {NEEDS_SERVER}") from error


def _ledger(directory: Path | None) -> Path:
    if directory is None:
        raise RequestError("usage", "which ledger? give --dir DIR")
    return directory


@click.command()
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
@_DIR
@click.option("--keys-to", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Where what opens contents goes, for a short life; default: DEST.keys.")  # fmt: skip
@click.option("--with-signing-keys", "signing_keys", is_flag=True,
              help="Take the keys that sign along: whoever has the backup can sign.")  # fmt: skip
@click.option("--whole", is_flag=True, help="Copy everything, link nothing to the backup before.")
@_JSON
def backup(
    *, destination: Path, directory: Path | None, keys_to: Path | None, signing_keys: bool,
    whole: bool, as_json: bool,
) -> int:  # fmt: skip
    """Take a backup of a ledger, beside a running server too.

    DEST gets one folder a backup; what is unchanged since the one before is linked to it.  What
    opens contents goes to a folder apart and is removed after [backup] keys_days.
    """
    with _needs_server():
        from counterfoil.app import backing_up as work  # noqa: PLC0415  absent from a core install
    ledger = _ledger(directory)
    record = _Record(ledger)
    try:
        made = work.back_up(
            ledger, destination, SystemClock(), keys_to=keys_to, signing_keys=signing_keys,
            whole=whole, announce=record.begun,
        )  # fmt: skip
    except CounterfoilError as error:
        record.ended({"why": f"{error.code}  {error.message}"[:500]})
        raise
    said = made.said()
    record.ended({"logs": said["logs"]})
    recorded, problem = record.entries, record.problem
    if as_json:
        output.show_json(
            {
                **said,
                "folder": str(made.taken.folder),
                "keys_folder": str(made.taken.keys_folder),
                "linked_bytes": made.taken.linked_bytes,
                "removed": list(made.removed),
                "keys_removed": list(made.keys_removed),
                "warnings": made.taken.warnings,
                "recorded": recorded,
            }
        )
    else:
        _tell_backup(made, recorded)
    return _partly(problem)


def _tell_backup(made: "BackedUp", recorded: list[int]) -> None:
    manifest = made.taken.manifest
    click.echo(f"backup {manifest.stamp}: {output.plain(str(made.taken.folder))}")
    for one in manifest.logs:
        click.echo(f"  {one.project}: {one.size} entries, root {one.root}")
    click.echo(
        f"  {len(manifest.files)} files, {made.taken.copied_bytes} bytes copied,"
        f" {made.taken.linked_bytes} as in the one before"
    )
    click.echo(f"  what opens contents: {output.plain(str(made.taken.keys_folder))}")
    if manifest.signing_keys:
        click.echo("  the keys that sign are in it: whoever has it can sign for these logs")
    else:
        click.echo("  the keys that sign are not in it: keep a copy of keys/ elsewhere")
    for stamp in made.removed:
        click.echo(f"  removed {stamp}: {made.generations} backups are kept")
    for stamp in made.keys_removed:
        click.echo(f"  removed what opened the contents of {stamp}")
    for line in made.taken.warnings:
        click.echo(f"  look: {output.plain(line)}")
    if recorded:
        click.echo(f"  on record as entry {recorded[0]} of _access")


class _Record:
    """What of a backup is put on record: that it is taken, and what became of it."""

    def __init__(self, directory: Path) -> None:
        self.entries: list[int] = []
        self.problem: CounterfoilError | None = None
        self._directory = directory
        self._stamp = ""

    def begun(self, said: dict[str, Any]) -> None:
        """Record what is about to be copied; a copy that no entry tells of is better than none."""
        self._stamp = said["stamp"]
        self.entries, self.problem = _recorded("backup-taken", said, self._directory)

    def ended(self, said: dict[str, Any]) -> None:
        """Say what became of it, where something was begun."""
        if self._stamp and self.problem is None:
            told = {"stamp": self._stamp, **said}
            _, self.problem = _recorded("backup-ended", told, self._directory)


def _recorded(
    action: str, said: dict[str, Any], directory: Path
) -> tuple[list[int], CounterfoilError | None]:
    """Record what was done; return the entries, or why it could not be recorded."""
    try:
        return list(do(action, said, directory=directory, url=None)["entries"]), None
    except CounterfoilError as error:
        return [], error


def _partly(problem: CounterfoilError | None) -> int:
    if problem is None:
        return output.YES
    click.echo(
        f"counterfoil: it was done and could not be recorded: {output.plain(problem.message)}"
        f" [{problem.code}]",
        err=True,
    )
    return output.PARTLY


@click.command()
@click.argument("backup", metavar="BACKUP", type=click.Path(path_type=Path))
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--keys", type=_FOLDER, metavar="FOLDER",
              help="Where what opens contents is; default: beside the backup, .keys.")  # fmt: skip
@click.option("--signing-keys", type=_FOLDER, metavar="FOLDER",
              help="Your copy of keys/, where the backup has none.")  # fmt: skip
@click.option("--against", multiple=True, metavar="EVIDENCE",
              help="Compare with what was kept outside, as in verify; repeatable.")  # fmt: skip
@click.option("--erasures", type=click.Path(path_type=Path), metavar="LEDGER|FILE",
              help="Do again what was erased after the backup: as a later ledger.db has it, or a"
              " file of lines.")  # fmt: skip
@click.option("--without-witnesses", is_flag=True,
              help="Go on without the word of witnesses that do not answer; all are asked.")  # fmt: skip
@click.option("--with-findings", is_flag=True,
              help="Put it in place as it is, whatever verify finds in it.")  # fmt: skip
@_JSON
def restore(
    *, backup: Path, directory: Path, keys: Path | None, signing_keys: Path | None,
    against: tuple[str, ...], erasures: Path | None, without_witnesses: bool,
    with_findings: bool, as_json: bool,
) -> int:  # fmt: skip
    """Go on from a backup in DIR, an empty folder.

    BACKUP is one generation, or the folder they lie in for its latest.  Every file is compared
    with its digest, the ledger is verified, and whoever outside saw the logs is asked: a backup
    older than what they saw is refused, since two histories would be signed.
    """
    with _needs_server():
        from counterfoil.app import restore as work  # noqa: PLC0415  absent from a core install
    done = work.restore(
        work.Asked(
            backup, directory, keys=keys, signing_keys=signing_keys, against=against,
            need_witnesses=not without_witnesses, with_findings=with_findings, erasures=erasures,
        ),
        SystemClock(), SystemRandomness(),
    )  # fmt: skip
    logs = {one.project: one.size for one in done.manifest.logs}
    if as_json:
        output.show_json(
            {
                "stamp": done.manifest.stamp,
                "taken": done.manifest.taken,
                "logs": logs,
                "compared": done.compared.agreed,
                "absent": done.compared.absent,
                "findings": list(done.findings),
                "erasures": done.erased,
                "recorded": list(done.entries),
            }
        )
        return output.YES
    click.echo(f"{output.plain(str(directory))} goes on from backup {done.manifest.stamp}")
    for line in done.compared.agreed:
        click.echo(f"  compared  {output.plain(line)}")
    for line in done.compared.absent:
        click.echo(f"  not compared  {output.plain(line)}")
    for line in done.findings:
        click.echo(f"  as it is  {output.plain(line)}")
    for project, size in logs.items():
        click.echo(f"  {project}: {size} entries; what came after is not here")
    if done.erased is None:
        click.echo(
            "  erasures after that are unknown here: do them again, or restore with --erasures"
        )
    else:
        click.echo(f"  erasures after that: {done.erased}, done again")
    click.echo("  roles, tokens and accounts ended after that are good again: look through them")
    click.echo(f"  on record as entry {done.entries[0]} of _access")
    click.echo(f"serve it with: counterfoil serve --dir {output.plain(str(directory))}")
    return output.YES


@click.command()
@click.argument("backup", metavar="BACKUP", type=click.Path(path_type=Path))
@_DIR
@click.option("--keys", type=_FOLDER, metavar="FOLDER",
              help="Where what opens contents is; default: beside the backup, .keys.")  # fmt: skip
@click.option("--scratch", type=_FOLDER, metavar="FOLDER",
              help="Where it is put for the time; default: the system's folder for such.")  # fmt: skip
@_JSON
def drill(
    *, backup: Path, directory: Path | None, keys: Path | None, scratch: Path | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Try whether a backup can be restored, without going near the ledger.

    It is put in a folder of its own, verified, opened in places and removed; the result, good or
    bad, is recorded in the ledger of --dir.  Exit 0 whole, 1 anything wrong.
    """
    with _needs_server():
        from counterfoil.app import drill as work  # noqa: PLC0415  absent from a core install
    done = work.drill(backup, keys, scratch, ledger=_ledger(directory))
    said = done.said()
    recorded, problem = _recorded("backup-drilled", said, _ledger(directory))
    if as_json:
        output.show_json({**said, "findings": list(done.findings), "recorded": recorded})
    else:
        click.echo(f"drill of {output.plain(done.stamp)}: {done.result}, {done.time_s:.1f} s")
        for project, size in done.logs.items():
            click.echo(f"  {project}: {size} entries")
        click.echo(f"  {done.opened} entries opened")
        if done.result == "proofs":
            click.echo("  what opens contents had its time: it proves every entry and opens none")
        for line in done.findings:
            click.echo(f"  {output.plain(line)}")
        if recorded:
            click.echo(f"  on record as entry {recorded[0]} of _access")
    code = _partly(problem)
    return output.NO if done.result == "failed" else code
