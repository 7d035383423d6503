"""A trust rule in words: what people read before they rely on it.

Pure.
"""

from dataclasses import dataclass

from counterfoil.policy.trust import REF_KINDS, Rule, is_own


@dataclass(frozen=True, slots=True)
class Described:
    """A rule in words: what it lets in, what it turns away, what to think of before adding it."""

    accepts: tuple[str, ...]
    refuses: tuple[str, ...]
    warnings: tuple[str, ...]


def describe(rule: Rule) -> Described:
    """Return what `rule`, one that `check_rule` returned, accepts and refuses, in words."""
    provider = rule.provider
    accepts = [f"tokens of {provider.title} signed by {rule.issuer} for {rule.audience} alone"]
    refuses = [f"tokens for another audience than {rule.audience}", "tokens that ended"]
    for name, value in rule.claims.items():
        if name == provider.workflow:
            accepts.append(_workflow_words(value, rule))
        elif name in provider.ids:
            accepts.append(f"jobs whose {name} is {value}, whatever it is called")
            refuses.append(f"jobs of another {name}, even under the same name")
        else:
            accepts.append(f"and only where {name} is {value}")
    verbs, projects = ", ".join(rule.verbs), ", ".join(rule.projects)
    accepts.append(f"to {verbs} in {projects}, {rule.session_s} s at a time")
    if rule.sources:
        accepts.append(f"speaking as sources that begin with {', '.join(rule.sources)}")
    if provider.workflow:
        refuses.append("jobs that another workflow file or another ref told what to do")
    if rule.kind == "circleci":
        refuses.append("jobs somebody had a shell in (ssh-rerun)")
    refuses.append("a copy of a job's token that comes under another key than the first")
    return Described(tuple(accepts), tuple(refuses), tuple(_warnings(rule)))


def _workflow_words(value: str, rule: Rule) -> str:
    path, _, ref = value.partition("@")
    where = "of the job's own repository" if is_own(path, rule) else "there"
    return f"told what to do by {path} {where}, at {REF_KINDS.get(ref, ref)}"


def _warnings(rule: Rule) -> list[str]:
    found: list[str] = []
    provider = rule.provider
    path, _, ref = rule.claims.get(provider.workflow, "").partition("@")
    if ref in REF_KINDS:
        found.append(
            f"the workflow counts at {REF_KINDS[ref]}: whoever may push there may change what it does"
        )
    if path and not is_own(path, rule):
        pin = "job_workflow_sha" if rule.kind == "github" else "ci_config_sha"
        if pin not in rule.claims:
            found.append(
                f"{path} lies in a repository known by its name alone: who gets that name decides"
                f" what it does; bind {pin} to hold it to one commit"
            )
    if rule.kind == "circleci" and rule.audience == rule.issuer.rpartition("/")[2]:
        found.append(
            "the audience is the organization: everybody who takes its jobs' tokens holds ones that"
            " work here; ask for one of ours with `circleci run oidc get`"
        )
    if "*" in rule.projects:
        found.append("the jobs may write to every project, also to those that come later")
    return found
