"""`admin policies` and `admin access`: what is in force, what another set would change, and why."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.acting import LOG, do, tell
from counterfoil.cli.output import ledger_options
from counterfoil.errors import RequestError

# What a grant names that reaches everything of a kind.
ALL = "*"
TEXT_BYTES_MAX = 1024 * 1024


@click.group()
def policies() -> None:
    """Access policies: show, check, activate, roll back."""


@click.group()
def access() -> None:
    """Why somebody may do something, or may not."""


@policies.command()
@click.option("--digest", default="", help="A set that was in force; default: the one that is.")
@ledger_options
def show(*, digest: str, url: str | None, directory: Path | None, as_json: bool) -> int:
    """Print the text of a policy set."""
    found = do("policy-show", {"digest": digest}, directory=directory, url=url)
    if as_json:
        output.show_json(found)
    else:
        click.echo(found["text"], nl=False)
    return output.YES


@policies.command()
@ledger_options
def history(*, url: str | None, directory: Path | None, as_json: bool) -> int:
    """List the sets that were put in force, the latest first."""
    found = do("policy-show", {"digest": ""}, directory=directory, url=url)
    if as_json:
        output.show_json({"versions": found["versions"]})
        return output.YES
    heads = ("Entry", "When", "By", "How", "Digest", "Why")
    rows = [
        (str(one["entry"]), one["time"], one["by"], one["how"], one["digest"][:23], one["reason"])
        for one in found["versions"]
    ]
    if rows:
        output.table(heads, rows)
    else:
        click.echo("the built-in policies are in force, no other set ever was")
    return output.YES


@policies.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@ledger_options
def check(*, file: Path, url: str | None, directory: Path | None, as_json: bool) -> int:
    """Say what the policies in FILE would change, and change nothing; 1 if they lock out."""
    found = do("policy-preview", {"text": _read(file)}, directory=directory, url=url)
    _tell(found, as_json=as_json)
    return output.NO if found["locks_out"] else output.YES


@policies.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--reason", required=True, help="Why: it stands in the log beside them.")
@ledger_options
def activate(
    *, file: Path, reason: str, url: str | None, directory: Path | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Put the policies in FILE in force."""
    given = {"text": _read(file), "reason": reason}
    _tell(do("policy-activate", given, directory=directory, url=url), as_json=as_json)
    return output.YES


@policies.command()
@click.option("--to", metavar="DIGEST|builtin",
              help="The set to go back to; default: the one before.")  # fmt: skip
@click.option("--reason", default="", help="Why.")
@ledger_options
def rollback(
    *, to: str | None, reason: str, url: str | None, directory: Path | None, as_json: bool
) -> int:
    """Put an earlier set back; with --dir and no server no policy is asked."""
    if to == "":
        raise RequestError("usage", "--to is empty; give a digest, or builtin")
    given = {"reason": reason, "to": to or ""}
    return tell(do("policy-rollback", given, directory=directory, url=url), as_json=as_json)


@access.command()
@click.argument("actor")
@click.argument("verb")
@click.argument("refs", nargs=-1, metavar="[REF]...")
@output.where_options
def explain(
    *, actor: str, verb: str, refs: tuple[str, ...], url: str | None, directory: Path | None, project: str,
    as_json: bool,
) -> int:  # fmt: skip
    """Say whether ACTOR may VERB, about REF or about the project; 0 yes, 1 no.

    Several refs say where: an approval and the env: it is for.
    """
    given = {"actor": actor, "verb": verb, "ref": " ".join(refs), "project": project}
    found = do("access-explain", given, directory=directory, url=url)
    told = found["explained"]
    if as_json:
        output.show_json(found)
        return output.YES if told["allowed"] else output.NO
    click.echo(found["said"])
    for reason in told["reasons"]:
        click.echo(f"  because {reason}")
    for ground in told["deciding"]:
        click.echo(f"  policy {ground['id']}, line {ground['line']}: {ground['reason']}")
    for grant in told["grants"]:
        click.echo(f"  role {_grant(grant)}")
    for grant in told["elsewhere"]:
        click.echo(f"  does not reach there: role {_grant(grant)}")
    for one in told["would_pass"]:
        click.echo(f"  would pass: {one}")
    return output.YES if told["allowed"] else output.NO


def _grant(grant: dict[str, Any]) -> str:
    """Say a grant in one line; `*` stands for every one.

    >>> print(_grant({"role": "approver", "project": "*", "tier": "staging", "component": "*",
    ...     "until": "", "entry": 7}))
    approver in every project, tier staging, by entry 7 of _access
    """
    where = "every project" if grant["project"] == ALL else f"project {grant['project']}"
    for name in ("tier", "component"):
        where += "" if grant[name] == ALL else f", {name} {grant[name]}"
    until = f", until {grant['until']}" if grant["until"] else ""
    return f"{grant['role']} in {where}{until}, by entry {grant['entry']} of {LOG}"


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > TEXT_BYTES_MAX:
            raise RequestError("usage", f"{file} is over 1 MiB: that is no policy file")
        return file.read_text("utf-8")
    except OSError as error:
        raise RequestError("usage", f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError("usage", f"{file} is not UTF-8") from error


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.show_json(found)
        return
    if found["diff"]:
        click.echo(found["diff"])
    for one in found["changes"]:
        click.echo(f"{one['question']}: {one['before']} -> {one['after']}")
    for one in found["unknown"]:
        click.echo(one)
    click.echo(found["said"])
