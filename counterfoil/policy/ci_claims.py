"""What the tokens of each CI say: which claims are for ever, which are names, and who a job is.

An id is given once and never again.  A name is whatever its owner calls a thing today: somebody
else may have it tomorrow.  So trust is bound to ids, and names are only shown.

Pure: claims whose signature was checked in, an identity out.
Source: the vendors' references for OpenID tokens; samples in tests/vectors/oidc/.
"""

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Claims = Mapping[str, Any]

_NUMBER: Final = r"[1-9][0-9]{0,19}"
_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
# One or more names with slashes between; none of them climbs (`..`).
_PATH: Final = re.compile(r"(?!\.)[A-Za-z0-9._+-]+(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._+-]+)*")
_TEXT_MAX: Final = 512

CIRCLECI: Final = "oidc.circleci.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One CI's tokens.

    Attributes:
        kind: as rules and commands name it.
        title: as people do.
        issuer: who signs, where there is only one; "" where everybody has their own.
        ids: claims that are for ever; a rule binds all of them.
        id_form: what each of their values matches.
        workflow: the claim that says which file told the job what to do, "" where none does; a
            rule binds it.
        own: claim that names the repository a workflow file without one is of.
        also: claims a rule may bind besides: they narrow, within what the ids hold.
        names: claims that are names; a rule binds none of them.
        unique: whether a token carries `jti`.
        shown: claims kept as evidence of who a job said it was.
    """

    kind: str
    title: str
    issuer: str = ""
    ids: tuple[str, ...]
    id_form: str
    workflow: str = ""
    own: str = ""
    also: tuple[str, ...]
    names: tuple[str, ...]
    unique: bool = True
    shown: tuple[str, ...]


PROVIDERS: Final[Mapping[str, Provider]] = {
    "github": Provider(
        kind="github",
        title="GitHub Actions",
        issuer="https://token.actions.githubusercontent.com",
        ids=("repository_id",),
        id_form=_NUMBER,
        workflow="job_workflow_ref",
        own="repository",
        also=(
            *("repository_owner_id", "enterprise_id", "job_workflow_sha", "environment", "ref"),
            *("ref_type", "ref_protected", "event_name", "runner_environment"),
        ),
        names=("repository", "repository_owner", "workflow", "workflow_ref", "actor", "sub"),
        shown=(
            *("repository", "repository_id", "repository_owner_id", "job_workflow_ref"),
            *("job_workflow_sha", "sha", "ref", "ref_protected", "environment", "event_name"),
            *("run_id", "run_attempt", "actor_id", "runner_environment"),
        ),
    ),
    "gitlab": Provider(
        kind="gitlab",
        title="GitLab CI",
        ids=("project_id",),
        id_form=_NUMBER,
        workflow="ci_config_ref_uri",
        own="project_path",
        also=(
            *("namespace_id", "ci_config_sha", "environment", "environment_protected"),
            *("deployment_tier", "ref", "ref_type", "ref_path", "ref_protected"),
            *("pipeline_source", "runner_environment"),
        ),
        names=("project_path", "namespace_path", "user_login", "user_email", "sub"),
        shown=(
            *("project_path", "project_id", "namespace_id", "ci_config_ref_uri", "ci_config_sha"),
            *("sha", "ref", "ref_type", "ref_protected", "environment", "environment_protected"),
            *("deployment_tier", "pipeline_id", "pipeline_source", "job_id", "user_id"),
            "runner_environment",
        ),
    ),
    "buildkite": Provider(
        kind="buildkite",
        title="Buildkite",
        issuer="https://agent.buildkite.com",
        ids=("organization_id", "pipeline_id"),
        id_form=_UUID,
        also=("build_branch", "build_tag", "build_source", "step_key", "runner_environment"),
        names=("organization_slug", "pipeline_slug", "sub"),
        shown=(
            *("organization_slug", "organization_id", "pipeline_slug", "pipeline_id"),
            *("build_number", "build_branch", "build_tag", "build_commit", "build_source"),
            *("step_key", "job_id", "agent_id", "runner_environment"),
        ),
    ),
    "circleci": Provider(
        kind="circleci",
        title="CircleCI",
        ids=(f"{CIRCLECI}/project-id",),
        id_form=_UUID,
        also=(f"{CIRCLECI}/org-id", f"{CIRCLECI}/pipeline-definition-id", f"{CIRCLECI}/vcs-ref"),
        names=(f"{CIRCLECI}/vcs-origin", "sub"),
        # CircleCI documents no `jti`: what tells its tokens apart is what was signed.
        unique=False,
        shown=(
            *(f"{CIRCLECI}/{name}" for name in ("project-id", "vcs-origin", "vcs-ref")),
            *(f"{CIRCLECI}/{name}" for name in ("job-id", "workflow-id", "pipeline-id")),
            f"{CIRCLECI}/ssh-rerun",
        ),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a job is, by a token that was accepted.

    Attributes:
        account: of the ids alone: the same after every renaming.
        subject: the token's `sub`, as it stands.
        commit: object id of the commit the job works on, "" where the token does not say.
        run: the vendor's number of the run, "" likewise.
        run_url: where people look at it, "" where it cannot be told.
        actor_id: the vendor's id of who started it, "" likewise.
        refs: (ref, role) of what the job says it is about: names, so no more than said.
        claims: what it said, for display; never decided upon.
    """

    account: str
    subject: str
    commit: str
    run: str
    run_url: str
    actor_id: str
    refs: tuple[tuple[str, str], ...]
    claims: Mapping[str, str]


def text_of(value: object) -> str | None:
    """Return a claim as text: some vendors write numbers and truths as text, some as they are.

    >>> text_of("74"), text_of(74), text_of(True), text_of(None), text_of([])
    ('74', '74', 'true', None, None)
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) else None


def identify(claims: Claims, provider: Provider) -> Identity:
    """Return who the job is.

    Args:
        claims: of a token that a rule accepted: the provider's ids are there.
        provider: whose token it is.
    """
    shown = {name: text for name in provider.shown if (text := _shown(claims.get(name)))}
    place = _PLACES[provider.kind](claims)
    refs: list[tuple[str, str]] = []
    if place.repository and _COMMIT.fullmatch(place.commit):
        refs.append((f"commit:{place.repository}@{place.commit}", "about"))
    if place.runs and place.run:
        refs.append((f"run:{place.runs}/{place.run}", "about"))
    return Identity(
        account=account_of(claims, provider),
        subject=_shown(claims.get("sub")) or "",
        commit=place.commit,
        run=place.run,
        run_url=place.url,
        actor_id=_first(claims, "actor_id", "user_id"),
        refs=tuple(refs),
        claims=shown,
    )


def account_of(claims: Claims, provider: Provider) -> str:
    """Return the account of a job: CI, issuer where there are several, and ids.

    >>> account_of({"iss": "https://gitlab.acme.example", "project_id": "20"}, PROVIDERS["gitlab"])
    'ci:gitlab@gitlab.acme.example:20'
    """
    issuer = str(claims["iss"])
    where = provider.kind
    if provider.kind == "circleci":
        # The organization's id stands in the issuer, so no two issuers share an account.
        ids = [issuer.rpartition("/")[2], str(text_of(claims[f"{CIRCLECI}/project-id"]))]
    else:
        ids = [str(text_of(claims[name])) for name in provider.ids]
        if issuer != provider.issuer:
            where += "@" + urllib.parse.urlsplit(issuer).netloc.replace(":", "_")
    return f"ci:{where}:{'/'.join(ids)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a job says it runs; "" for what it does not say.

    Attributes:
        repository: as `commit:` refs name it.
        runs: what stands before the run's number in a `run:` ref.
        commit, run, url: as of `Identity`.
    """

    repository: str
    runs: str
    commit: str = ""
    run: str
    url: str


def _github(claims: Claims) -> _Place:
    repository, run = _first(claims, "repository"), _first(claims, "run_id")
    public = claims["iss"] == PROVIDERS["github"].issuer
    host = "github.com" if public else urllib.parse.urlsplit(str(claims["iss"])).netloc
    named = repository if public or not repository else f"{host}/{repository}"
    return _Place(
        repository=named,
        runs=named,
        commit=_first(claims, "sha"),
        run=run,
        url=f"https://{host}/{repository}/actions/runs/{run}" if repository and run else "",
    )


def _gitlab(claims: Claims) -> _Place:
    path, job = _first(claims, "project_path"), _first(claims, "job_id")
    host = urllib.parse.urlsplit(str(claims["iss"])).netloc
    named = f"{host}/{path}" if path else ""
    return _Place(
        repository=named,
        runs=named,
        commit=_first(claims, "sha"),
        run=_first(claims, "pipeline_id"),
        url=f"{claims['iss']}/{path}/-/jobs/{job}" if path and job else "",
    )


def _buildkite(claims: Claims) -> _Place:
    """A build's token names its pipeline and its commit, but not the repository."""
    organization = _first(claims, "organization_slug")
    pipeline = _first(claims, "pipeline_slug")
    build, job = _first(claims, "build_number"), _first(claims, "job_id")
    named = f"buildkite.com/{organization}/{pipeline}" if organization and pipeline else ""
    return _Place(
        repository="",
        runs=named,
        commit=_first(claims, "build_commit"),
        run=build,
        url=f"https://{named}/builds/{build}#{job}" if named and build else "",
    )


def _circleci(claims: Claims) -> _Place:
    """A job's token names no commit."""
    workflow = _first(claims, f"{CIRCLECI}/workflow-id")
    origin = _first(claims, f"{CIRCLECI}/vcs-origin").removeprefix("github.com/")
    return _Place(
        repository=origin,
        runs=origin,
        run=workflow,
        url=f"https://app.circleci.com/pipelines/workflows/{workflow}" if workflow else "",
    )


_PLACES: Final = {
    "github": _github,
    "gitlab": _gitlab,
    "buildkite": _buildkite,
    "circleci": _circleci,
}


def _first(claims: Claims, *names: str) -> str:
    """Return the first of these claims that may be a part of an address, "" if none may."""
    for name in names:
        text = text_of(claims.get(name))
        if text and len(text) <= _TEXT_MAX and _PATH.fullmatch(text):
            return text
    return ""


def _shown(value: object) -> str | None:
    text = text_of(value)
    if text is None:
        return None
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)[
        :_TEXT_MAX
    ]
