"""`admin keys`: which keys sign the logs, handing one over to another, retiring one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from counterfoil.cli import output
from counterfoil.cli.target import open_target

LOG: Final = "_access"
Command = TypeVar("Command", bound=Callable[..., object])


def _where(command: Command) -> Command:
    """Add the options that say whose keys they are."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option(
            "--url", envvar="COUNTERFOIL_URL",
            help="A server's address; its token in COUNTERFOIL_TOKEN.",
        ),
        click.option(
            "--dir", "directory", type=click.Path(path_type=Path), envvar="COUNTERFOIL_DIR",
            help="A ledger directory on this machine.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


_PROJECT = click.option("--project", default="default", show_default=True, help="Whose log.")
_REASON = click.option("--reason", default="", help="Why; it is recorded.")


@click.group()
def keys() -> None:
    """Signing keys of logs: list them, hand a log over to another one, retire an earlier one."""


@keys.command("list")
@click.option("--project", default="", help="Of this log alone.")
@click.option("--policy", "as_policy", is_flag=True, help="Print a trust policy that names them.")
@_where
def list_keys(
    *, project: str, as_policy: bool, directory: Path | None, url: str | None, as_json: bool
) -> int:
    """List the keys of logs, in force and earlier."""
    with open_target(directory, url, LOG) as target:
        found = target.act("keys-list", {"project": project})
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
@_where
def rotate(
    *, project: str, reason: str, directory: Path | None, url: str | None, as_json: bool
) -> int:
    """Hand a log over to another key; both sign until the earlier one is retired."""
    with open_target(directory, url, LOG) as target:
        done = target.act("keys-rotate", {"project": project, "reason": reason})
    if as_json:
        output.show_json(done)
        return output.YES
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
@_where
def retire(
    *, project: str, key: str, compromised: bool, since: str, reason: str,
    directory: Path | None, url: str | None, as_json: bool,
) -> int:  # fmt: skip
    """End the overlap of an earlier key, or say since when it was in other hands."""
    given = {
        "project": project, "key": key, "compromised": compromised, "since": since,
        "reason": reason,
    }  # fmt: skip
    with open_target(directory, url, LOG) as target:
        done = target.act("keys-retire", given)
    if as_json:
        output.show_json(done)
    else:
        click.echo(output.plain(done["said"]))
    return output.YES


@keys.command("make")
@_PROJECT
@_where
def make(*, project: str, directory: Path | None, url: str | None, as_json: bool) -> int:
    """Make a key for a log whose key comes from a variable or a command; it is kept nowhere."""
    with open_target(directory, url, LOG) as target:
        made = target.act("keys-make", {"project": project})
    if as_json:
        output.show_json(made)
        return output.YES
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
