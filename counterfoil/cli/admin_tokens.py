"""`admin tokens`: what lets programs in."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.acting import do, show, tell
from counterfoil.cli.output import ledger_options


@click.group()
def tokens() -> None:
    """Tokens of programs."""


@tokens.command("list")
@ledger_options
def list_tokens(*, directory: Path | None, url: str | None, as_json: bool) -> int:
    """List tokens with their scope and last use; the tokens themselves are kept nowhere."""
    done = do("tokens-list", {}, directory=directory, url=url)

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        return (
            row["token"],
            row["name"],
            row["holder"],
            ", ".join(row["projects"]),
            ", ".join(row["verbs"]),
            row["until"],
            row["state"],
            f"{row['used']} ({row['uses']:,})" if row["used"] else "never used",
        )

    heads = ("Token", "Name", "Acts as", "Projects", "Verbs", "Until", "State", "Last use")
    nothing = "there is no token; make one with: counterfoil admin tokens add NAME --for PROJECT"
    return show(done, "tokens", heads, cells, as_json=as_json, nothing=nothing)


@tokens.command("add")
@click.argument("name")
@click.option("--for", "projects", multiple=True, required=True, metavar="PROJECT",
              help="Where it is good, `*` for everywhere; repeatable.")  # fmt: skip
@click.option("--verb", "verbs", multiple=True, default=("record", "report"), show_default=True,
              help="What it is good for; repeatable.")  # fmt: skip
@click.option("--holder", default="", metavar="HANDLE",
              help="For whom it acts; a service of the token's name if left out.")  # fmt: skip
@click.option("--source", "sources", multiple=True, metavar="PREFIX",
              help="The event sources it may speak as begin so; all if left out.")  # fmt: skip
@click.option("--days", default=90, show_default=True, help="How long it lasts, 366 at most.")
@ledger_options
def add_token(
    *, name: str, projects: tuple[str, ...], verbs: tuple[str, ...], holder: str,
    sources: tuple[str, ...], days: int, directory: Path | None, url: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Make a token and print it: it is shown this once."""
    given = {
        "name": name, "projects": list(projects), "verbs": list(verbs), "holder": holder,
        "sources": list(sources), "days": days,
    }  # fmt: skip
    done = do("token-issue", given, directory=directory, url=url)
    if as_json:
        output.show_json(done)
    else:
        click.echo(output.plain(done["said"]), err=True)
        click.echo(done["token"])
    return output.YES


@tokens.command("revoke")
@click.argument("token")
@click.option("--reason", default="", help="Why.")
@ledger_options
def revoke_token(
    *, token: str, reason: str, directory: Path | None, url: str | None, as_json: bool
) -> int:
    """End a token; TOKEN is its id, such as token:4f1d6a0c92be."""
    given = {"token": token, "reason": reason}
    return tell(do("token-revoke", given, directory=directory, url=url), as_json=as_json)
