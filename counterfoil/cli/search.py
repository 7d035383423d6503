"""`search`: entries by who, what, when and how."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.target import open_target
from counterfoil.projections.search_csv import to_csv

LIMIT = 50
LIMIT_MAX = 10_000
_PART = 500


@click.command()
@click.argument("query", metavar="QUERY", nargs=-1)
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=LIMIT, show_default=True,
              metavar="N", help="Show at most this many, the newest.")  # fmt: skip
@click.option("--as-of", default="", metavar="ENTRY|TIME", help="As it was known then.")
@click.option("--everywhere", is_flag=True, help="In every log you may read, --project or not.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@output.where_options
def search(
    *, query: tuple[str, ...], limit: int, as_of: str, everywhere: bool, as_csv: bool, url: str | None,
    directory: Path | None, project: str, as_json: bool,
) -> int:  # fmt: skip
    """Show the entries that match QUERY, newest first.

    Words: actor: type: ref: outcome: since: until: via: source: and text.  Exit 1 when nothing
    matches.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv or --json, not both")
    if everywhere:
        if as_csv or as_of:
            raise click.UsageError("--everywhere goes without --csv and --as-of")
        return _everywhere(directory, url, project, " ".join(query), limit, as_json=as_json)
    with open_target(directory, url, project) as target:
        found = target.search(" ".join(query), as_of, "", min(limit, _PART))
        while found["next"] and len(found["items"]) < limit:
            wanted = min(limit - len(found["items"]), _PART)
            moment = str(found["as_of"])
            more = target.search(" ".join(query), moment, found["next"], wanted)
            found = {**found, "items": [*found["items"], *more["items"]], "next": more["next"]}
    if as_json:
        output.show_json(found)
    elif as_csv:
        click.echo(to_csv(found["items"]), nl=False)
    else:
        _show(found)
    return output.YES if found["total"] else output.NO


def _everywhere(
    directory: Path | None, url: str | None, project: str, query: str, limit: int, *, as_json: bool
) -> int:
    with open_target(directory, url, project) as target:
        found = target.search_everywhere(query, min(limit, _PART))
    if as_json:
        output.show_json(found)
        return output.YES if found["total"] else output.NO
    output.table(
        ("Recorded (UTC)", "Log", "Who", "What", "Proof"),
        [
            (
                line["recordedtime"],
                item["project"],
                line["actor"]["matched"] or line["actor"]["handle"],
                line["sentence"],
                f"entry {line['index']}",
            )
            for item in found["items"]
            for line in [item["entry"]]
        ],
    )
    click.echo(_count(found["total"], len(found["items"])), err=True)
    _tell_unknown(found)
    return output.YES if found["total"] else output.NO


def _show(found: dict[str, Any]) -> None:
    items, total = found["items"], found["total"]
    output.table(
        ("Recorded (UTC)", "Who", "What", "Outcome", "Proof"),
        [
            (
                item["recordedtime"],
                item["actor"]["matched"] or item["actor"]["handle"],
                item["sentence"],
                item["outcome"] or "",
                f"entry {item['index']}",
            )
            for item in items
        ],
    )
    click.echo(_count(total, len(items)), err=True)
    _tell_unknown(found)
    if (without := found["without"]) is not None:
        click.echo(
            output.plain(f"without {without['words']} there are {without['count']:,}"), err=True
        )


def _tell_unknown(found: dict[str, Any]) -> None:
    for unknown in found["unknown"]:
        near = f"; the nearest is {unknown['suggestion']}" if unknown["suggestion"] else ""
        click.echo(output.plain(f"{unknown['word']} fits no entry{near}"), err=True)


def _count(total: int, shown: int) -> str:
    if not total:
        return "no entry matches"
    entries = "1 entry" if total == 1 else f"{total:,} entries"
    return entries if shown >= total else f"{entries}, the newest {shown:,} shown"
