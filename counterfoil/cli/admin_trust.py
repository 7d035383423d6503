"""`admin trust`: which CI jobs are let in by their own tokens.

The options name claims as people know them; `--bind` takes any other.  What a rule accepts and
refuses is printed before anybody relies on it, and with `--dry-run` before it is added.
"""

from pathlib import Path
from typing import Any, Final

import click

from counterfoil.cli import output
from counterfoil.cli.acting import WAITS, do, tell
from counterfoil.cli.output import ledger_options

# option -> the claim it binds, by CI.
_CLAIMS: Final = {
    "github": {"repository_id": "repository_id", "workflow_ref": "job_workflow_ref"},
    "gitlab": {"project_id": "project_id", "config_ref": "ci_config_ref_uri"},
    "buildkite": {"organization_id": "organization_id", "pipeline_id": "pipeline_id"},
    "circleci": {"project_id": "oidc.circleci.com/project-id"},
}


@click.group()
def trust() -> None:
    """CI jobs that are let in by their own tokens, without a stored secret."""


@trust.command("add")
@click.argument("kind", type=click.Choice(list(_CLAIMS)))
@click.option("--repository-id", help="GitHub: the repository's number.")
@click.option("--workflow-ref",
              help="GitHub: FILE@REF, such as .github/workflows/ci.yml@refs/heads/main.")  # fmt: skip
@click.option("--project-id", help="GitLab, CircleCI: the project's id.")
@click.option("--config-ref", help="GitLab: FILE@REF, such as .gitlab-ci.yml@refs/heads/main.")
@click.option("--organization-id", help="Buildkite: the organization's id.")
@click.option("--pipeline-id", help="Buildkite: the pipeline's id.")
@click.option("--bind", multiple=True, metavar="CLAIM=VALUE", help="Bind another claim.")
@click.option("--issuer", default="", help="Who signs: of GitLab, CircleCI, GitHub's own servers.")
@click.option("--audience", default="", help="Whom tokens are for; default: the public address.")
@click.option("--project", "projects", multiple=True, default=("default",), show_default=True,
              help="Where the jobs record; * for everywhere.")  # fmt: skip
@click.option("--verbs", default="record,report", show_default=True, help="What they may do.")
@click.option("--source", "sources", multiple=True, help="Prefix of the source they speak as.")
@click.option("--session-s", default=900, show_default=True, help="How long a session lasts.")
@click.option("--private", is_flag=True, help="The issuer is in a private network.")
@click.option("--holder", default="", help="The handle they act as; default: one of their own.")
@click.option("--dry-run", is_flag=True, help="Say what it would accept; add nothing.")
@ledger_options
def add_rule(
    *, kind: str, bind: tuple[str, ...], issuer: str, audience: str, projects: tuple[str, ...],
    verbs: str, sources: tuple[str, ...], session_s: int, private: bool, holder: str,
    dry_run: bool, directory: Path | None, url: str | None, as_json: bool, **named: str | None,
) -> int:  # fmt: skip
    """Let jobs in by their own tokens; print what is accepted and what is refused."""
    claims = [
        f"{_claim(kind, option)}={value}" for option, value in named.items() if value is not None
    ]
    given = {
        "kind": kind, "claims": [*claims, *bind], "issuer": issuer, "audience": audience,
        "projects": projects, "verbs": verbs.replace(",", " ").split(), "sources": sources,
        "session_s": session_s, "private": private, "holder": holder, "dry": dry_run,
    }  # fmt: skip
    made = do("trust-add", given, directory=directory, url=url)
    if as_json or made.keys() >= WAITS:
        return tell(made, as_json=as_json)
    click.echo(output.plain(made["said"]))
    _say(made)
    return output.YES


@trust.command("list")
@ledger_options
def list_rules(*, directory: Path | None, url: str | None, as_json: bool) -> int:
    """List the rules in force, with what each accepts and refuses."""
    found = do("trust-list", {}, directory=directory, url=url)
    if as_json:
        output.show_json(found)
        return output.YES
    if not found["rules"]:
        click.echo(
            "no trust rule is in force; add one with: counterfoil admin trust add github ..."
        )
    for one in found["rules"]:
        rule = one["rule"]
        click.echo(
            output.plain(
                f"{one['id']}  {rule['kind']}, as {one['holder']}, {one['open_sessions']} open"
            )
        )
        _say(one)
    return output.YES


@trust.command("remove")
@click.argument("rule")
@click.option("--reason", default="", help="Why; it is recorded.")
@ledger_options
def remove_rule(
    *, rule: str, reason: str, directory: Path | None, url: str | None, as_json: bool
) -> int:
    """Remove a rule; the sessions under it end."""
    done = do("trust-remove", {"rule": rule, "reason": reason}, directory=directory, url=url)
    return tell(done, as_json=as_json)


def _claim(kind: str, option: str) -> str:
    claim = _CLAIMS[kind].get(option)
    if claim is None:
        raise click.UsageError(f"--{option.replace('_', '-')} is not for {kind}")
    return claim


def _say(words: dict[str, Any]) -> None:
    for head, name in (("accepts", "accepts"), ("refuses", "refuses"), ("note", "warnings")):
        for line in words[name]:
            click.echo(output.plain(f"  {head}: {line}"))
