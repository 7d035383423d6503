"""`admin invite`, `admin sessions`, `admin passkeys`: letting people in, and ending it."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.acting import do, show, tell
from counterfoil.cli.output import ledger_options
from counterfoil.errors import RequestError


@click.command()
@click.argument("handle")
@click.option("--withdraw", is_flag=True, help="End an invitation that was not used yet.")
@click.option("--reason", default="", help="Why it is withdrawn.")
@ledger_options
def invite(
    *, handle: str, withdraw: bool, reason: str, directory: Path | None, url: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Invite a person who is known; print the link, this once.  An earlier invitation ends."""
    if withdraw:
        given = {"handle": handle, "reason": reason}
        return tell(do("invitation-end", given, directory=directory, url=url), as_json=as_json)
    if reason:
        raise RequestError("usage", "--reason says why an invitation is withdrawn; add --withdraw")
    done = do("invite", {"handle": handle}, directory=directory, url=url)
    if as_json:
        output.show_json(done)
    else:
        click.echo(output.plain(done["said"]), err=True)
        click.echo(done["link"])
    return output.YES


@click.group()
def sessions() -> None:
    """Who is signed in."""


@sessions.command("list")
@click.option("--of", "handle", default="", metavar="HANDLE", help="Of one person only.")
@ledger_options
def list_sessions(*, handle: str, directory: Path | None, url: str | None, as_json: bool) -> int:
    """List who is signed in: from what kind of browser and network, since when."""
    done = do("session-list", {"handle": handle}, directory=directory, url=url)

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        names = ("session", "handle", "began", "device", "place", "created", "seen", "until")
        return tuple(str(row[name]) for name in names)

    heads = ("Session", "Who", "By", "Browser", "From", "Since", "Last used", "Until")
    return show(done, "sessions", heads, cells, as_json=as_json, nothing="nobody is signed in")


@sessions.command("end")
@click.argument("session", default="")
@click.option("--of", "handle", default="", metavar="HANDLE", help="All of one person's.")
@click.option("--reason", default="", help="Why.")
@ledger_options
def end_sessions(
    *, session: str, handle: str, reason: str, directory: Path | None, url: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """End one session, by its id, or with --of all of a person's."""
    given = {"session": session, "handle": handle, "reason": reason}
    return tell(do("session-end", given, directory=directory, url=url), as_json=as_json)


@click.group()
def passkeys() -> None:
    """What people sign in with."""


@passkeys.command("remove")
@click.argument("handle")
@click.argument("passkey")
@click.option("--reason", default="", help="Why, such as: lost.")
@ledger_options
def remove_passkey(
    *, handle: str, passkey: str, reason: str, directory: Path | None, url: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Remove a passkey of somebody, by its id; sessions begun with it end."""
    given = {"handle": handle, "passkey": passkey, "reason": reason}
    done = do("passkey-remove", given, directory=directory, url=url)
    _warn([done], as_json=as_json)
    return tell(done, as_json=as_json)


@passkeys.command("list")
@click.argument("handle")
@ledger_options
def list_passkeys(*, handle: str, directory: Path | None, url: str | None, as_json: bool) -> int:
    """List the passkeys of somebody, and on whose word each was enrolled."""
    done = do("passkey-list", {"handle": handle}, directory=directory, url=url)

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        by = f"{row['vouched']} by {row['vouched_by']}" if row["vouched_by"] else row["vouched"]
        return row["passkey"], row["name"], row["since"], by, row["used"] or "never"

    heads = ("Passkey", "Name", "Enrolled", "On whose word", "Last used")
    _warn(done["passkeys"], as_json=as_json)
    nothing = f"{handle} has no passkey; invite them with: counterfoil admin invite {handle}"
    return show(done, "passkeys", heads, cells, as_json=as_json, nothing=nothing)


def _warn(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print on stderr what is lost with a passkey; JSON says it by itself."""
    for warning in [row["warning"] for row in rows if row["warning"]]:
        if not as_json:
            click.echo(output.plain(f"warning: {warning}"), err=True)
