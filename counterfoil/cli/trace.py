"""`trace` a thing from commit to production; `receipt` of an entry or event."""

import sys
from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.target import open_target
from counterfoil.errors import RequestError


@click.command()
@click.argument("ref", metavar="REF")
@click.option("--as-of", default="", metavar="ENTRY|TIME", help="As it was known then.")
@output.where_options
def trace(
    *, ref: str, as_of: str, url: str | None, directory: Path | None, project: str, as_json: bool
) -> int:
    """Show everything on record about REF in order, gaps first.

    Exit 0 when nothing is missing, 1 when there are gaps or nothing is on record.
    """
    with open_target(directory, url, project) as target:
        found = target.trace(ref, as_of)
    if as_json:
        output.show_json(found)
    else:
        _show(found)
    return output.NO if found["gaps"] or not found["steps"] else output.YES


def _show(found: dict[str, Any]) -> None:
    gaps = found["gaps"]
    count = "no gaps" if not gaps else "1 gap" if len(gaps) == 1 else f"{len(gaps)} gaps"
    click.echo(output.plain(f"{found['ref']}: {len(found['steps'])} entries, {count}"))
    for number, gap in enumerate(gaps, 1):
        entries = ", ".join(f"entry {entry}" for entry in gap["entries"])
        click.echo(
            output.plain(f"  Gap {number}. {gap['what']}" + (f"  [{entries}]" if entries else ""))
        )
    if not found["steps"]:
        return
    rows = [
        (
            step["time"],
            step["lane"],
            found["actors"].get(step["actor"], "nobody named"),
            step["sentence"],
            f"entry {step['entry']}",
        )
        for step in found["steps"]
    ]
    output.table(("When (UTC)", "Lane", "Who", "What", "Proof"), rows)


@click.command()
@click.argument("which", metavar="ENTRY|ID")
@click.option("--source", metavar="URI", default="urn:counterfoil:cli", show_default=True,
              help="The source of the event ID names.")  # fmt: skip
@click.option("-o", "--output", "file", type=click.Path(path_type=Path, dir_okay=False),
              help="Write it here instead of standard output.")  # fmt: skip
@click.option("--as-of", default="", metavar="ENTRY|TIME", help="Only if it was recorded by then.")
@output.where_options
def receipt(
    *, which: str, source: str, file: Path | None, as_of: str, url: str | None, directory: Path | None,
    project: str, as_json: bool,
) -> int:  # fmt: skip
    """Print the receipt (C2SP tlog-proof) of an entry number, or of an event by its id."""
    number = which.removeprefix("entry:")
    with open_target(directory, url, project) as target:
        if number.isascii() and number.isdigit():
            index = int(number)
            proof = target.receipt(index, as_of)
        else:
            index, proof = target.receipt_of(source, which, as_of)
    if file is not None:
        try:
            file.write_bytes(proof)
        except OSError as error:
            raise RequestError("file_unreadable", f"{file}: {error.strerror}") from error
    if as_json:
        output.show_json({"index": index, "receipt": proof.decode()})
    elif file is None:
        sys.stdout.write(proof.decode())
    else:
        click.echo(f"wrote the receipt of entry {index} to {file}")
    return output.YES
