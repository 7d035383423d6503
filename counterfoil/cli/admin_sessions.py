"""`admin invite`, `admin sessions` and `admin passkeys`: who comes in, by what, and no more."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.acting import do, ledger_options, show, tell


@click.group()
def sessions() -> None:
    """Who is signed in."""


@click.group()
def passkeys() -> None:
    """Passkeys of people."""


@click.command()
@click.argument("handle")
@ledger_options
def invite(*, handle: str, directory: Path | None, url: str | None, as_json: bool) -> int:
    """Print a one-time link by which HANDLE makes a first passkey: it is shown this once."""
    done = do("invite", {"handle": handle}, directory=directory, url=url)
    if as_json:
        output.show_json(done)
    else:
        click.echo(output.plain(done["said"]), err=True)
        click.echo(done["link"])
    return output.YES


@sessions.command("list")
@click.option("--handle", default="", help="Of this actor alone.")
@ledger_options
def list_sessions(*, handle: str, directory: Path | None, url: str | None, as_json: bool) -> int:
    """List the open sessions, the youngest first."""
    done = do("session-list", {"handle": handle}, directory=directory, url=url)

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        return tuple(str(row[name]) for name in ("handle", "began", "device", "seen", "until", "session"))  # fmt: skip

    heads = ("Who", "By", "Device", "Last seen", "Until", "Session")
    return show(done, "sessions", heads, cells, as_json=as_json, nothing="nobody is signed in")


@sessions.command("end")
@click.argument("session", default="")
@click.option("--handle", default="", help="All sessions of this actor instead.")
@click.option("--reason", default="", help="Why.")
@ledger_options
def end_session(
    *, session: str, handle: str, reason: str, directory: Path | None, url: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """End SESSION, or all of an actor's."""
    given = {"session": session, "handle": handle, "reason": reason}
    return tell(do("session-end", given, directory=directory, url=url), as_json=as_json)


@passkeys.command("remove")
@click.argument("handle")
@click.argument("passkey")
@click.option("--reason", default="", help="Why: lost, stolen.")
@ledger_options
def remove_passkey(
    *, handle: str, passkey: str, reason: str, directory: Path | None, url: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Remove a PASSKEY of HANDLE; the sessions begun with it end."""
    given = {"handle": handle, "passkey": passkey, "reason": reason}
    return tell(do("passkey-remove", given, directory=directory, url=url), as_json=as_json)
