"""`erase`: a person with all that is theirs, or parts of an entry, for good."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.acting import WAITS, do, tell
from counterfoil.errors import RequestError


@click.command()
@click.option(
    "--subject",
    default="",
    metavar="ACTOR",
    help="A handle, an account or an actor: pseudonym, with all that is theirs.",
)
@click.option("--entry", type=click.IntRange(min=0), metavar="N", help="Or an entry by its number.")
@click.option(
    "--field",
    "fields",
    multiple=True,
    metavar="NAME",
    help="What of the entry: body, authid, blob/0, /data/...; * for all; repeatable.",
)
@click.option("--reason", required=True, help="Why; it is sealed.")
@click.option(
    "--request-id",
    required=True,
    metavar="ID",
    help="The request this is done under; it stands in the open.",
)
@click.option(
    "--theirs-only", is_flag=True, help="Of a person, leave alone what others wrote of them."
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@output.where_options
def erase(
    *, subject: str, entry: int | None, fields: tuple[str, ...], reason: str, request_id: str,
    theirs_only: bool, dry_run: bool, url: str | None, directory: Path | None, project: str,
    as_json: bool,
) -> int:  # fmt: skip
    """Erase a person, or parts of an entry: keys, copies and all. It cannot be undone.

    Every proof still verifies, and says when it was erased and under which request.
    """
    if bool(subject) == (entry is not None):
        raise RequestError("usage", "give --subject ACTOR, or --entry N with --field NAME")
    given: dict[str, Any] = {
        "subject": subject, "field": fields, "reason": reason, "request_id": request_id,
        "project": project, "theirs_only": theirs_only, "dry_run": dry_run,
    }  # fmt: skip
    if entry is not None:
        given["entry"] = entry
    done = do("erase", given, directory=directory, url=url)
    if as_json or done.keys() >= WAITS:
        return tell(done, as_json=as_json)
    click.echo(output.plain(done["said"]))
    for log in done["logs"]:
        _tell(log)
    if done["files"]:
        click.echo(f"  waiting in spool/: {done['files']} files")
    for hold in done["held"]:
        click.echo(output.plain(f"  on hold: {hold}"))
    return output.YES


def _tell(log: dict[str, Any]) -> None:
    said = "" if log["event"] is None else f", as entry {log['event']} says"
    click.echo(output.plain(f"  {log['project']}: {_entries(log['entries'])}{said}"))
    if log["theirs"]:
        click.echo(f"    under their own keys: in {_entries(log['theirs'])}")
    for one in log["named"]:
        click.echo(output.plain(f"    entry {one}"))
    if log["more"]:
        click.echo(f"    and {log['more']} more")
    for one in log["stays"]:
        click.echo(output.plain(f"    stays, for rights follow from it: entry {one}"))


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"
