"""`admin retention`: how long things are kept, and what would go."""

from pathlib import Path
from typing import Any

import click

from counterfoil.cli import output
from counterfoil.cli.acting import do, show, tell
from counterfoil.cli.output import ledger_options, where_options


@click.group()
def retention() -> None:
    """How long things are kept: rules, presets, what would go."""


@retention.command()
@ledger_options
def presets(*, url: str | None, directory: Path | None, as_json: bool) -> int:
    """List presets: what each rests on, and what of it is our choice."""
    done = do("retention-presets", {}, directory=directory, url=url)

    def cells(row: dict[str, Any]) -> tuple[str, ...]:
        hand = str(row["at_hand_days"]) if row["at_hand_days"] else ""
        return (row["id"], row["title"], str(row["days"]), hand, row["rests_on"], row["ours"])

    heads = ("Preset", "", "Days", "At hand", "Rests on", "Our choice")
    return show(done, "presets", heads, cells, as_json=as_json, nothing="no preset")


@retention.command("set")
@click.argument("rule", required=False, default="")
@click.option("--preset", default="", help="Take what is not given from it.")
@click.option("--types", default="", metavar="PATTERN", help="As in type: of a search; * for all.")
@click.option("--days", type=int, default=0, help="How long they are kept.")
@click.option("--end", is_flag=True, help="End the rule.")
@click.option("--reason", required=True, help="Why: it stands in the log beside it.")
@where_options
def set_rule(
    *, rule: str, preset: str, types: str, days: int, end: bool, reason: str, url: str | None,
    directory: Path | None, project: str, as_json: bool,
) -> int:  # fmt: skip
    """Set RULE, or end it; what lets things go sooner is asked of a second person (exit 1)."""
    given: dict[str, Any] = {
        "rule": rule, "preset": preset, "types": types, "days": days, "end": end, "reason": reason,
        "project": project,
    }  # fmt: skip
    return tell(do("retention-set", given, directory=directory, url=url), as_json=as_json)


@retention.command("show")
@where_options
def show_rules(*, url: str | None, directory: Path | None, project: str, as_json: bool) -> int:
    """Show the rules, what expired last, and when things go by themselves next."""
    done = do("retention-show", {"project": project}, directory=directory, url=url)
    if as_json:
        output.show_json(done)
        return output.YES
    click.echo(output.plain(done["said"]))
    if done["rules"]:
        output.table(("Rule", "Types", "Days", "Preset", "Entry", "Why"), [
            (one["name"], one["types"], str(one["days"]), one["preset"], str(one["entry"]),
             one["reason"])
            for one in done["rules"]
        ])  # fmt: skip
    for one in done["expired"]:
        click.echo(
            f"entry {one['entry']}: {one['count']} expired {one['time'][:10]} by {one['rule']}"
        )
    click.echo(f"next: {done['next_run']}" if done["next_run"] else "nothing goes by itself")
    return output.YES


@retention.command()
@click.option("--at", default="", metavar="TIME", help="As of then; now.")
@where_options
def preview(
    *, at: str, url: str | None, directory: Path | None, project: str, as_json: bool
) -> int:
    """Say exactly what would go, and change nothing."""
    given = {"project": project, "at": at}
    done = do("retention-preview", given, directory=directory, url=url)
    return _show(done, as_json=as_json)


@retention.command()
@click.option("--at", default="", metavar="TIME", help="The moment of the preview; now.")
@click.option("--digest", default="", help="Of the preview: nothing else goes than what it showed.")
@where_options
def run(
    *, at: str, digest: str, url: str | None, directory: Path | None, project: str, as_json: bool
) -> int:
    """Let go what is due, or exactly what a preview showed."""
    given = {"project": project, "at": at, "digest": digest}
    done = do("retention-run", given, directory=directory, url=url)
    return tell(done, as_json=as_json) if "plan" not in done else _show(done, as_json=as_json)


def _show(done: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        output.show_json(done)
        return output.YES
    plan = done["plan"]
    click.echo(output.plain(done["said"]))
    for one in plan["going"]:
        click.echo(
            output.plain(
                f"  rule {one['rule']} ({one['days']} days): {one['count']} entries, "
                f"{one['first']} ({one['first_time'][:10]}) to {one['last']} ({one['last_time'][:10]})"
            )
        )
        for name, count in one["types"].items():
            click.echo(output.plain(f"    {count} {name}"))
    for one in plan["held"]:
        click.echo(output.plain(f"  kept: {one['count']} by {one['said']}"))
    click.echo(f"  at {plan['at']}, digest {plan['digest']}")
    return output.YES
