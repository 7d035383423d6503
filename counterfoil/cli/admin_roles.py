"""`admin roles`: who was given which role, where and until when."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli.acting import date_options, dates, do, show, tell
from counterfoil.cli.output import ledger_options


@click.group()
def roles() -> None:
    """Roles given and taken back."""


@roles.command("list")
@ledger_options
def list_roles(*, directory: Path | None, url: str | None, as_json: bool) -> int:
    """List grants."""
    done = do("roles-list", {}, directory=directory, url=url)

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        over = "" if row["holds"] else "over or to come"
        place = (row["project"], row["tier"], row["component"])
        return (row["to"], row["role"], *place, dates(row), row["grant"], over)

    heads = ("Who", "Role", "Project", "Tier", "Component", "When", "Grant", "")
    nothing = "no role is given; give one with: counterfoil admin roles grant HANDLE ROLE"
    return show(done, "grants", heads, cells, as_json=as_json, nothing=nothing)


@roles.command()
@click.argument("to", metavar="HANDLE|team:NAME")
@click.argument("role")
@click.option("--project", default="*", show_default=True, help="In which project.")
@click.option("--tier", default="*", show_default=True, help="In environments of which tier.")
@click.option("--component", default="*", show_default=True, help="For which component.")
@date_options
@ledger_options
def grant(
    *, to: str, role: str, project: str, tier: str, component: str, since: str, until: str,
    directory: Path | None, url: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Give a role, somewhere, for a time."""
    given = {
        "to": to, "role": role, "project": project, "tier": tier, "component": component,
        "since": since, "until": until,
    }  # fmt: skip
    return tell(do("role-grant", given, directory=directory, url=url), as_json=as_json)


@roles.command()
@click.argument("grant", metavar="GRANT")
@click.option("--reason", default="", help="Why.")
@ledger_options
def revoke(
    *, grant: str, reason: str, directory: Path | None, url: str | None, as_json: bool
) -> int:
    """Take a role back; `roles list` has the name of each GRANT."""
    given = {"grant": grant, "reason": reason}
    return tell(do("role-revoke", given, directory=directory, url=url), as_json=as_json)
