"""`admin accounts`: which accounts are whose, and which are nobody's."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli.acting import date_options, dates, do, show, tell
from counterfoil.cli.output import ledger_options


@click.group()
def accounts() -> None:
    """Accounts of actors at providers."""


@accounts.command("list")
@ledger_options
def list_accounts(*, directory: Path | None, url: str | None, as_json: bool) -> int:
    """List linked accounts."""
    done = do("accounts-list", {}, directory=directory, url=url)

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        over = "" if row["holds"] else "over or to come"
        return (row["account"] or row["ref"], row["handle"], dates(row), row["how"], over)

    heads = ("Account", "Whose", "When", "How", "")
    nothing = "no account is linked; link one with: counterfoil admin accounts link HANDLE ACCOUNT"
    return show(done, "accounts", heads, cells, as_json=as_json, nothing=nothing)


@accounts.command("link")
@click.argument("handle")
@click.argument("account")
@date_options
@ledger_options
def link_account(
    *, handle: str, account: str, since: str, until: str, directory: Path | None,
    url: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Say that ACCOUNT, such as github.com:ana-dev, is HANDLE's."""
    given = {"handle": handle, "account": account, "since": since, "until": until}
    return tell(do("account-link", given, directory=directory, url=url), as_json=as_json)


@accounts.command("unlink")
@click.argument("handle")
@click.argument("account")
@click.option("--reason", default="", help="Why.")
@ledger_options
def unlink_account(
    *, handle: str, account: str, reason: str, directory: Path | None, url: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Say that ACCOUNT is HANDLE's no more; what it did before stays theirs."""
    given = {"handle": handle, "account": account, "reason": reason}
    return tell(do("account-unlink", given, directory=directory, url=url), as_json=as_json)


@accounts.command()
@click.option("--limit", type=click.IntRange(1, 1_000), default=100, show_default=True,
              metavar="N", help="Name at most this many, the most active.")  # fmt: skip
@ledger_options
def unmapped(*, limit: int, directory: Path | None, url: str | None, as_json: bool) -> int:
    """List accounts that acted and are nobody's: how often, and when last."""
    done = do("accounts-unmapped", {"limit": limit}, directory=directory, url=url)

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        where = ", ".join(row["projects"])
        return (row["account"] or row["ref"], f"{row['acts']:,}", row["last"], where)

    nothing = "every account that acted is somebody's"
    heads = ("Account", "Acts", "Last", "Projects")
    code = show(done, "accounts", heads, cells, as_json=as_json, nothing=nothing)
    if not as_json and (left := done["total"] - len(done["accounts"])) > 0:
        click.echo(f"and {left:,} more", err=True)
    return code
