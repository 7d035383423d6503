"""`admin`: running a ledger.

The verbs here work on the directory's files.  Setting up a webhook source and printing a sign-in
link work while a server runs, because state.db is not evidence; a rebuild needs the lock.  Nouns
have modules of their own: they do actions, near or over HTTP, and need no server install for that.
"""

from pathlib import Path
from types import ModuleType

import click

from counterfoil.cli import output
from counterfoil.cli.nouns import NEEDS_SERVER, Nouns
from counterfoil.errors import RequestError

KINDS = ("github", "cdevents")


NOUNS = {
    "people": ("admin_people", "Persons, services and agents, one by one or from a file."),
    "accounts": ("admin_accounts", "Which accounts are whose, and which are nobody's."),
    "teams": ("admin_teams", "Teams, members and turns."),
    "deputies": ("admin_teams", "Who stands in for whom."),
    "retention": ("admin_retention", "How long things are kept: rules, presets, what would go."),
    "roles": ("admin_roles", "Roles given and taken back."),
    "invite": ("admin_sessions", "Invite a person to make their first passkey."),
    "passkeys": ("admin_sessions", "What people sign in with."),
    "tokens": ("admin_tokens", "Tokens of programs."),
    "trust": ("admin_trust", "Which CI jobs are let in by their own tokens."),
    "keys": ("admin_keys", "Keys that sign the logs: list, hand over, retire."),
    "sessions": ("admin_sessions", "Who is signed in."),
    "policies": ("admin_policies", "Access policies: show, check, activate, roll back."),
    "backup": ("admin_backup", "Take a backup, beside a running server too."),
    "restore": ("admin_backup", "Go on from a backup, in an empty folder."),
    "drill": ("admin_backup", "Try whether a backup can be restored."),
    "access": ("admin_policies", "Why somebody may do something, or may not."),
    "doctor": ("admin_installation", "Look at the machine, the installation and the ledger."),
    "deploy-files": ("admin_installation", "Write units, proxy settings and log rotation."),
}


@click.group(cls=Nouns, nouns=NOUNS)
def admin() -> None:
    """People, roles, tokens, sign-in links, webhook sources, rebuilding what is derived."""


def _work() -> ModuleType:
    """Return what does the work on a directory: it stands behind [server]."""
    try:
        from counterfoil.app import admin as work  # noqa: PLC0415  absent from a core install
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("counterfoil"):
            raise
        raise click.UsageError(f"this {NEEDS_SERVER}") from error
    return work


def _directory(directory: Path | None) -> Path:
    if directory is None:
        raise RequestError("usage", "which ledger? give --dir DIR")
    return directory


_DIR = click.option(
    "--dir", "directory", type=click.Path(path_type=Path), envvar="COUNTERFOIL_DIR",
    help="The ledger directory.",
)  # fmt: skip
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_PROJECT = click.option(
    "--project", default="default", show_default=True, help="The project's log."
)


@admin.command()
@_DIR
@_JSON
def rebuild(*, directory: Path | None, as_json: bool) -> int:
    """Drop every derived table and fold the whole log again."""
    counts = _work().rebuild(_directory(directory))
    if as_json:
        output.show_json({"rebuilt": counts})
    else:
        for project, size in counts.items():
            click.echo(f"{project}: folded {size} entries again")
    return output.YES


@admin.command("sign-in")
@_DIR
@_JSON
@click.option("--url", help="The server's public address; default: where it serves.")
@click.option("--as", "handle", default="", help="Whom it signs in, by handle.")
def sign_in(*, directory: Path | None, url: str | None, handle: str, as_json: bool) -> int:
    """Print a one-time link that signs one browser in.

    Once people are enrolled it has to name one (--as), and the log says that whoever holds the
    ledger's files vouched for them.
    """
    link = _work().sign_in_link(_directory(directory), url, handle)
    if as_json:
        output.show_json({"link": link})
    else:
        click.echo(link)
    return output.YES


@admin.group()
def sources() -> None:
    """Senders of webhooks."""


@sources.command("add")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="Whose webhooks.")
@_DIR
@_PROJECT
@_JSON
def add_source(*, name: str, kind: str, directory: Path | None, project: str, as_json: bool) -> int:
    """Set up a sender and print its address and secret: the secret is shown once."""
    made = _work().add_source(_directory(directory), name, kind, project)
    if as_json:
        output.show_json(made)
    else:
        output.facts(made)
    return output.YES


@sources.command("rotate")
@click.argument("name")
@_DIR
@_JSON
def rotate_source(*, name: str, directory: Path | None, as_json: bool) -> int:
    """Give a sender another secret; the one before stays good until the next rotation."""
    made = _work().rotate_source(_directory(directory), name)
    if as_json:
        output.show_json(made)
    else:
        output.facts(made)
    return output.YES


@sources.command("remove")
@click.argument("name")
@_DIR
@_JSON
def remove_source(*, name: str, directory: Path | None, as_json: bool) -> int:
    """Forget a sender and its secrets; its deliveries are refused from here on."""
    _work().remove_source(_directory(directory), name)
    if as_json:
        output.show_json({"removed": name})
    else:
        click.echo(f"removed {name}; what it sent stays in the log")
    return output.YES


@sources.command("list")
@_DIR
@_JSON
def list_sources(*, directory: Path | None, as_json: bool) -> int:
    """List the senders that are set up."""
    found = _work().list_sources(_directory(directory))
    if as_json:
        output.show_json({"sources": found})
    elif found:
        heads = ("Name", "Kind", "Project", "Live secrets")
        output.table(heads, [tuple(str(value) for value in one.values()) for one in found])
    else:
        click.echo(
            "no webhook source is set up; add one with: counterfoil admin sources add NAME --kind github"
        )
    return output.YES
