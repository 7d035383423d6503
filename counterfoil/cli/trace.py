"""`trace` a thing from commit to production; `receipt` of an entry or event."""

import sys
from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.target import open_target
from counterfoil.clock import LATE_S, late_s
from counterfoil.errors import RequestError

_INDEX_DIGITS_MAX = 16  # of 2^53 - 1, the largest number that JSON carries


@click.command()
@click.argument("ref", metavar="REF")
@click.option("--as-of", default="", metavar="ENTRY|TIME", help="As it was known then.")
@output.where_options
def trace(
    *, ref: str, as_of: str, url: str | None, directory: Path | None, project: str, as_json: bool
) -> int:
    """Show everything on record about REF in order, gaps first.

    Exit 0 when nothing is missing, 1 when there are gaps, nothing is on record, or the chain is too
    long to be followed to its end.
    """
    with open_target(directory, url, project) as target:
        found = target.trace(ref, as_of)
    if as_json:
        output.show_json(found)
    else:
        _show(found)
    whole = found["steps"] and not found["gaps"] and not found["cut"]
    return output.YES if whole else output.NO


def _show(found: dict[str, Any]) -> None:
    gaps = found["gaps"]
    if not found["known"]:
        click.echo(output.plain(f"nothing is on record about {found['ref']}"))
        return
    count = "no gaps" if not gaps else "1 gap" if len(gaps) == 1 else f"{len(gaps)} gaps"
    click.echo(output.plain(f"{found['ref']}: {len(found['steps'])} entries, {count}"))
    if found["cut"]:
        click.echo("  The chain was followed up to a limit; it may be longer than what is shown.")
    for number, gap in enumerate(gaps, 1):
        entries = ", ".join(f"entry {entry}" for entry in gap["entries"])
        click.echo(
            output.plain(
                f"  Gap {number}. {gap['what']}{_demo(gap)}" + (f"  [{entries}]" if entries else "")
            )
        )
    if not found["steps"]:
        return
    rows = [
        (
            _when(step),
            step["lane"],
            found["actors"].get(step["actor"], "nobody named"),
            f"{step['sentence']}{_demo(step)}",
            f"entry {step['entry']}",
        )
        for step in found["steps"]
    ]
    output.table(("When (UTC)", "Lane", "Who", "What", "Proof"), rows)


def _demo(fact: dict[str, Any]) -> str:
    return " (made for the demo)" if fact["demo"] else ""


def _when(step: dict[str, Any]) -> str:
    """Return when a step happened, and when it was recorded if that is over a minute away."""
    apart = abs(late_s(step["time"], step["recordedtime"])) > LATE_S
    return f"{step['time']} (recorded {step['recordedtime']})" if apart else str(step["time"])


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
            index = _index(number)
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


def _index(number: str) -> int:
    if len(number) > _INDEX_DIGITS_MAX:
        raise RequestError("not_found", f"no log has an entry {number[:20]}...")
    return int(number)
