"""`admin teams` and `admin deputies`: who belongs together, whose turn it is, who stands in."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli.acting import date_options, do, show, tell
from counterfoil.cli.output import ledger_options


@click.group()
def teams() -> None:
    """Teams, members and turns."""


@teams.command("list")
@ledger_options
def list_teams(*, directory: Path | None, url: str | None, as_json: bool) -> int:
    """List teams, members and whose turn it is."""
    done = do("teams-list", {}, directory=directory, url=url)

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        members = [
            one["handle"] if one["holds"] else f"({one['handle']} {one['since'][:10]})"
            for one in row["members"]
        ]
        return (row["team"], row["title"], ", ".join(members), row["on_turn"])

    heads = ("Team", "Title", "Members", "On turn")
    nothing = "there is no team; add one with: counterfoil admin teams add NAME"
    return show(done, "teams", heads, cells, as_json=as_json, nothing=nothing)


@teams.command("add")
@click.argument("name")
@click.option("--title", default="", help="What people call it.")
@click.option("--turn", "turns", multiple=True, metavar="HANDLE",
              help="Who takes turns, in order; repeatable.")  # fmt: skip
@click.option("--turns-from", default="", metavar="DATE", help="When the first turn begins.")
@click.option("--turn-days", default=0, metavar="N", help="How many days a turn lasts.")
@ledger_options
def add_team(
    *, name: str, title: str, turns: tuple[str, ...], turns_from: str, turn_days: int,
    directory: Path | None, url: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Make a team known, or describe one anew."""
    given = {
        "team": name, "title": title, "turns": list(turns), "turns_from": turns_from,
        "turn_days": turn_days,
    }  # fmt: skip
    return tell(do("team-describe", given, directory=directory, url=url), as_json=as_json)


@teams.command("remove")
@click.argument("name")
@click.option("--reason", default="", help="Why.")
@ledger_options
def remove_team(
    *, name: str, reason: str, directory: Path | None, url: str | None, as_json: bool
) -> int:
    """Remove a team, and what it was granted."""
    given = {"team": name, "reason": reason}
    return tell(do("team-remove", given, directory=directory, url=url), as_json=as_json)


@teams.command("join")
@click.argument("name")
@click.argument("handle")
@date_options
@ledger_options
def join_team(
    *, name: str, handle: str, since: str, until: str, directory: Path | None,
    url: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Add HANDLE to a team, for a time."""
    given = {"team": name, "handle": handle, "since": since, "until": until}
    return tell(do("member-join", given, directory=directory, url=url), as_json=as_json)


@teams.command("leave")
@click.argument("name")
@click.argument("handle")
@click.option("--reason", default="", help="Why.")
@ledger_options
def leave_team(
    *, name: str, handle: str, reason: str, directory: Path | None, url: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Take HANDLE out of a team."""
    given = {"team": name, "handle": handle, "reason": reason}
    return tell(do("member-leave", given, directory=directory, url=url), as_json=as_json)


@click.group()
def deputies() -> None:
    """Who stands in for whom."""


@deputies.command("name")
@click.argument("handle")
@click.argument("deputy")
@date_options
@ledger_options
def name_deputy(
    *, handle: str, deputy: str, since: str, until: str, directory: Path | None,
    url: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Say that DEPUTY stands in for HANDLE, with what HANDLE may do."""
    given = {"handle": handle, "deputy": deputy, "since": since, "until": until}
    return tell(do("deputy-name", given, directory=directory, url=url), as_json=as_json)


@deputies.command("end")
@click.argument("handle")
@click.argument("deputy")
@click.option("--reason", default="", help="Why.")
@ledger_options
def end_deputy(
    *, handle: str, deputy: str, reason: str, directory: Path | None, url: str | None,
    as_json: bool,
) -> int:  # fmt: skip
    """End that DEPUTY stands in for HANDLE."""
    given = {"handle": handle, "deputy": deputy, "reason": reason}
    return tell(do("deputy-end", given, directory=directory, url=url), as_json=as_json)
