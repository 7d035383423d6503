"""`confirm`: agreeing to what another person asked for, where one is not enough."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli.acting import do, show, tell
from counterfoil.cli.output import ledger_options
from counterfoil.errors import RequestError


@click.command()
@click.argument("entry", type=int, required=False)
@click.option(
    "--digest", default="", help="Of what you read; refused if it asks for something else."
)
@click.option("--no", "refuse", is_flag=True, help="End it without doing it.")
@click.option("--reason", default="", help="Why not.")
@ledger_options
def confirm(
    *, entry: int | None, digest: str, refuse: bool, reason: str, url: str | None,
    directory: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Agree to what ENTRY of _access asks for, and do it; without ENTRY, list what waits."""
    if entry is None:
        if digest or refuse or reason:
            raise RequestError("usage", "which one? give its ENTRY; without one, confirm lists")
        return _list(url, directory, as_json=as_json)
    if refuse:
        given: dict[str, Any] = {"entry": entry, "reason": reason}
        return tell(do("asked-withdraw", given, directory=directory, url=url), as_json=as_json)
    given = {"entry": entry, "digest": digest}
    return tell(do("confirm", given, directory=directory, url=url), as_json=as_json)


def _list(url: str | None, directory: Path | None, *, as_json: bool) -> int:
    done = do("asked-list", {}, directory=directory, url=url)

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        given = row["given"] or {}
        words = " ".join(
            f"{name}={value}" for name, value in given.items() if value not in ("", [])
        )
        return (
            str(row["entry"]), row["action"], row["by"] or "erased", row["until"][:10], row["why"],
            words, row["digest"][:23],
        )  # fmt: skip

    heads = ("Entry", "Action", "Asked by", "Until", "Why two", "With", "Digest")
    nothing = "nothing waits for a second person"
    return show(done, "asked", heads, cells, as_json=as_json, nothing=nothing)
