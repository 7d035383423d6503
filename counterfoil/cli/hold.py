"""`hold`: what is not erased and does not expire, whatever the rules say."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.acting import do, show, tell
from counterfoil.cli.output import where_options


@click.group()
def hold() -> None:
    """Legal hold: placed, released, listed."""


@hold.command()
@click.option("--ref", "refs", multiple=True, metavar="REF", help="Entries that name it; repeat.")
@click.option("--actor", "actors", multiple=True, metavar="HANDLE|ACCOUNT",
              help="Entries they did or are named in, by any account; repeat.")  # fmt: skip
@click.option("--since", default="", metavar="DATE|TIME", help="Recorded from then on.")
@click.option("--until", default="", metavar="DATE|TIME", help="Recorded before then.")
@click.option("--case", required=True, help="What it is for, such as the number of a matter.")
@click.option("--reason", required=True, help="Why.")
@where_options
def place(
    *, refs: tuple[str, ...], actors: tuple[str, ...], since: str, until: str, case: str,
    reason: str, url: str | None, directory: Path | None, project: str, as_json: bool,
) -> int:  # fmt: skip
    """Hold evidence: nothing of it is erased or expires until that is released."""
    given: dict[str, Any] = {
        "refs": list(refs), "actors": list(actors), "since": since, "until": until, "case": case,
        "reason": reason, "project": project,
    }  # fmt: skip
    return tell(do("hold-place", given, directory=directory, url=url), as_json=as_json)


@hold.command()
@click.argument("number", metavar="HOLD", type=int)
@click.option("--reason", required=True, help="Why.")
@where_options
def release(
    *, number: int, reason: str, url: str | None, directory: Path | None, project: str,
    as_json: bool,
) -> int:  # fmt: skip
    """End a hold; `hold list` has the numbers."""
    given = {"hold": number, "reason": reason, "project": project}
    return tell(do("hold-release", given, directory=directory, url=url), as_json=as_json)


@hold.command("list")
@click.option("--released", is_flag=True, help="Those too that ended.")
@where_options
def list_holds(
    *, released: bool, url: str | None, directory: Path | None, project: str, as_json: bool
) -> int:
    """List holds."""
    given = {"released": released, "project": project}
    done = do("hold-list", given, directory=directory, url=url)

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        ended = f"released by entry {row['released']}" if row["released"] >= 0 else ""
        return (
            str(row["hold"]), row["case"], row["on"], row["time"][:10], row["by"], row["reason"],
            ended,
        )  # fmt: skip

    heads = ("Hold", "Case", "On", "Since", "By", "Why", "")
    nothing = f"nothing is held in {output.plain(project)}"
    return show(done, "holds", heads, cells, as_json=as_json, nothing=nothing)
