"""`admin keys`: which keys sign the logs, handing one over to another, retiring one."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.acting import WAITS, do, tell
from counterfoil.cli.output import ledger_options

_PROJECT = click.option("--project", default="default", show_default=True, help="Whose log.")
_REASON = click.option("--reason", default="", help="Why; it is recorded.")


@click.group()
def keys() -> None:
    """Signing keys of logs: list them, hand a log over to another one, retire an earlier one."""


@keys.command("list")
@click.option("--project", default="", help="Of this log alone.")
@click.option("--policy", "as_policy", is_flag=True, help="Print a trust policy that names them.")
@ledger_options
def list_keys(
    *, project: str, as_policy: bool, directory: Path | None, url: str | None, as_json: bool
) -> int:
    """List the keys of logs, in force and earlier."""
    found = do("keys-list", {"project": project}, directory=directory, url=url)
    if as_json:
        output.show_json(found)
    elif as_policy:
        click.echo(found["policy"], nl=False)
    else:
        for one in found["keys"]:
            click.echo(output.plain(_line(one)))
            click.echo(output.plain(f"  {one['vkey']}"))
    return output.YES


@keys.command("rotate")
@_PROJECT
@_REASON
@ledger_options
def rotate(
    *, project: str, reason: str, directory: Path | None, url: str | None, as_json: bool
) -> int:
    """Hand a log over to another key; both sign until the earlier one is retired."""
    done = do("keys-rotate", {"project": project, "reason": reason}, directory=directory, url=url)
    if as_json or done.keys() >= WAITS:
        return tell(done, as_json=as_json)
    click.echo(output.plain(done["said"]))
    click.echo(
        output.plain(f"the later verifier key, for everybody who will check: {done['vkey']}")
    )
    return output.YES


@keys.command("retire")
@_PROJECT
@click.option("--key", default="", help="First 16 digits of its fingerprint; default: the last.")
@click.option("--compromised", is_flag=True, help="Somebody else has it, or may have it.")
@click.option("--since", default="", help="Up to where it is believed: a size, or a time.")
@_REASON
@ledger_options
def retire(
    *, project: str, key: str, compromised: bool, since: str, reason: str,
    directory: Path | None, url: str | None, as_json: bool,
) -> int:  # fmt: skip
    """End the overlap of an earlier key, or say since when it was in other hands."""
    given = {
        "project": project, "key": key, "compromised": compromised, "since": since,
        "reason": reason,
    }  # fmt: skip
    done = do("keys-retire", given, directory=directory, url=url)
    return tell(done, as_json=as_json)


@keys.command("make")
@_PROJECT
@ledger_options
def make(*, project: str, directory: Path | None, url: str | None, as_json: bool) -> int:
    """Make a key for a log whose key comes from a variable or a command; it is kept nowhere."""
    made = do("keys-make", {"project": project}, directory=directory, url=url)
    if as_json or made.keys() >= WAITS:
        return tell(made, as_json=as_json)
    # The secret alone on standard output, so that it can go where it belongs unseen.
    click.echo(output.plain(f"{made['said']}; its verifier key: {made['vkey']}"), err=True)
    click.echo(made["key"])
    return output.YES


def _line(one: dict[str, Any]) -> str:
    line = f"{one['project']}  {one['fingerprint'][:16]}  {one['state']}"
    if one["until"] is not None:
        line += f", alone up to {one['until']} entries"
    if one["entry"] is not None:
        line += f", handed over in entry {one['entry']}"
    if one["compromised"]:
        line += ", was in other hands"
    return line + (f"  ({one['source']})" if one["state"] == "in force" else "")
