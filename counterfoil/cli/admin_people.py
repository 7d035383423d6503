"""`admin people`: who there is, one by one or from a directory file."""

from pathlib import Path
from typing import Any, Final

import click

from counterfoil.cli import output
from counterfoil.cli.acting import dates, do, show, tell
from counterfoil.cli.output import ledger_options
from counterfoil.errors import RequestError

# As the server's own limit (app.directory_file): a larger file is not even read.
FILE_BYTES_MAX: Final = 3_000_000
SHOWN_MAX: Final = 200


@click.group()
def people() -> None:
    """Persons, services and agents."""


@people.command("list")
@click.option("--removed", is_flag=True, help="Those too who were removed.")
@ledger_options
def list_people(*, removed: bool, directory: Path | None, url: str | None, as_json: bool) -> int:
    """List who there is."""
    done = do("people-list", {"removed": removed}, directory=directory, url=url)

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        return (
            row["handle"] or row["ref"],
            "removed" if row["removed"] else row["kind"],
            row["name"],
            ", ".join(row["accounts"]),
            ", ".join(row["teams"]),
            ", ".join(row["roles"]),
        )

    heads = ("Handle", "Kind", "Name", "Accounts", "Teams", "Roles")
    nothing = "nobody is known; add somebody with: counterfoil admin people add HANDLE"
    return show(done, "people", heads, cells, as_json=as_json, nothing=nothing)


@people.command("show")
@click.argument("handle")
@ledger_options
def show_person(*, handle: str, directory: Path | None, url: str | None, as_json: bool) -> int:
    """Show one actor: accounts, roles, deputies, tokens."""
    done = do("person-show", {"handle": handle}, directory=directory, url=url)
    if as_json:
        output.show_json(done)
        return output.YES
    person = done["person"]
    named = [(name, person[name]) for name in ("handle", "kind", "name", "behalf", "ref")]
    named += [("teams", ", ".join(person["teams"]))]
    named += [("passkey", one) for one in done["passkeys"]]
    named += [
        ("account", f"{one['account']} {dates(one)}, {one['how']}") for one in done["accounts"]
    ]
    named += [("role", _role(one, handle)) for one in done["roles"]]
    named += [("deputy", one) for one in done["deputies"]]
    named += [("stands in for", one) for one in done["stands_in_for"]]
    named += [("token", f"{one['token']} {one['name']}, {one['state']}") for one in done["tokens"]]
    width = max(len(name) for name, _ in named)
    for name, value in named:
        if value != "":
            click.echo(f"{name.ljust(width)}  {output.plain(str(value))}")
    return output.YES


def _role(grant: dict[str, Any], handle: str) -> str:
    where = [
        f"{name} {grant[name]}" for name in ("project", "tier", "component") if grant[name] != "*"
    ]
    through = [] if grant["to"] == handle else [f"as {grant['to']}"]
    return ", ".join([grant["role"], *where, *through, dates(grant)])


@people.command("add")
@click.argument("handle")
@click.option("--kind", type=click.Choice(["person", "service", "agent"]), default="person",
              show_default=True, help="What they are.")  # fmt: skip
@click.option("--name", default="", help="What people call them.")
@click.option("--behalf", default="", metavar="HANDLE", help="Who answers for an agent or service.")
@ledger_options
def add_person(
    *, handle: str, kind: str, name: str, behalf: str, directory: Path | None, url: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Make an actor known, or describe one anew."""
    given = {"handle": handle, "kind": kind, "name": name, "behalf": behalf}
    return tell(do("actor-describe", given, directory=directory, url=url), as_json=as_json)


@people.command("remove")
@click.argument("handle")
@click.option("--reason", default="", help="Why.")
@ledger_options
def remove_person(
    *, handle: str, reason: str, directory: Path | None, url: str | None, as_json: bool
) -> int:
    """Remove an actor: nothing of theirs lets anybody in from then on."""
    given = {"handle": handle, "reason": reason}
    return tell(do("actor-remove", given, directory=directory, url=url), as_json=as_json)


@people.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--apply", "digest", metavar="DIGEST", help="Apply the difference of this digest.")
@click.option("--remove-missing", is_flag=True,
              help="Remove persons, agents and teams the file does not describe.")  # fmt: skip
@click.option("--form", type=click.Choice(["yaml", "csv"]),
              help="What FILE is; default: by its name, YAML unless it ends in .csv.")  # fmt: skip
@ledger_options
def import_people(
    *, file: Path, digest: str | None, remove_missing: bool, form: str | None,
    directory: Path | None, url: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Show what a directory file would change; with --apply, change exactly that."""
    if digest == "":
        raise RequestError("usage", "--apply is empty; give the digest that was printed")
    given = {
        "content": _read(file),
        "form": form or ("csv" if file.suffix.lower() == ".csv" else "yaml"),
        "remove_missing": remove_missing,
    }
    if digest is not None:
        applied = do("directory-import", {**given, "digest": digest}, directory=directory, url=url)
        return tell(applied, as_json=as_json)
    found = do("directory-diff", given, directory=directory, url=url)
    if as_json:
        output.show_json(found)
        return output.YES
    for change in found["changes"][:SHOWN_MAX]:
        click.echo(output.plain(f"{change['does']:<12}  {change['who']}  {change['text']}"))
    if (left := len(found["changes"]) - SHOWN_MAX) > 0:
        click.echo(f"and {left:,} more; --json has them all")
    if not found["changes"]:
        click.echo(found["said"])
        return output.YES
    click.echo(", ".join(f"{count} {does}" for does, count in found["counts"].items()))
    missing = " --remove-missing" if remove_missing else ""
    click.echo(
        output.plain(
            "nothing is changed yet; to apply exactly this: counterfoil admin people import "
            f"{file}{missing} --apply {found['digest']}"
        )
    )
    return output.YES


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise RequestError(
            "file_unreadable", f"{file} cannot be read: {error.strerror}; check the path"
        ) from error
    if len(content) > FILE_BYTES_MAX:
        raise RequestError(
            "directory_refused",
            f"{file} is over {FILE_BYTES_MAX:,} bytes; a directory file has at most that: "
            "split it by team",
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise RequestError(
            "directory_refused", f"{file}: line {line} is not UTF-8; save it as such", line=line
        ) from error
