"""Verdicts on a job's token: let in by this rule, as this job, or refused for this reason.

What must hold: a token that fails anything is refused, with the reason in words; what is said to
somebody whose ids no rule names tells nothing of the rules there are.

Pure: claims whose signature was checked, rules and the time in; a verdict out.
Source: RFC 7519 section 4.1 (exp, nbf, iat, aud, iss, jti), RFC 8725 section 3.
"""

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from counterfoil.policy.ci_claims import CIRCLECI, Claims, Identity, identify, text_of
from counterfoil.policy.trust import (
    COMMIT,
    LEEWAY_S,
    LIFE_MAX_S,
    REF_KINDS,
    TEXT_MAX,
    Rule,
    is_own,
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A token is one this rule is for."""

    rule_id: str
    rule: Rule
    identity: Identity


@dataclass(frozen=True, slots=True)
class Refused:
    """It is not: a short code for programs, and one line that says what is different."""

    code: str
    words: str


def choose(
    claims: Claims, rules: Mapping[str, Rule], project: str, now_s: float
) -> Accepted | Refused:
    """Return which rule a token is let in by, or the reason of the one that came closest.

    Args:
        claims: of a token whose signature by its issuer was checked.
        rules: by id, every rule there is.
        project: what the job wants to record into.
        now_s: seconds since 1970.

    Of several rules that fit, the one that binds the most claims counts; of those, the first by id.
    """
    issued = {rule_id: rule for rule_id, rule in rules.items() if rule.issuer == claims.get("iss")}
    if not issued:
        return Refused("issuer", f"no trust rule is for tokens of {_cut(claims.get('iss'))}")
    verdicts = [(rule, judge(claims, rule_id, rule, now_s)) for rule_id, rule in issued.items()]
    accepted = [one for _, one in verdicts if isinstance(one, Accepted)]
    fitting = [one for one in accepted if {project, "*"} & set(one.rule.projects)]
    if fitting:
        return min(fitting, key=lambda one: (-len(one.rule.claims), one.rule_id))
    if accepted:
        where = ", ".join(sorted({name for one in accepted for name in one.rule.projects}))
        return Refused(
            "project", f"the trust rule for this job lets it into {where}, not {project}"
        )
    refused = [one for _, one in verdicts if isinstance(one, Refused)]
    return max(refused, key=lambda one: _CLOSENESS.index(one.code))


# How far a token came before it was refused: what is told is what came closest.
_CLOSENESS: Final = (
    *("claims", "issuer", "audience", "expired", "not_yet", "life"),
    *("id", "claim", "workflow", "ssh_rerun", "jti"),
)


def judge(claims: Claims, rule_id: str, rule: Rule, now_s: float) -> Accepted | Refused:
    """Say whether a rule lets a token in.

    Args:
        claims: of a token whose signature was checked.
        rule_id: of the rule.
        rule: one that `check_rule` returned.
        now_s: seconds since 1970.
    """
    reason = (
        _judge_standard(claims, rule, now_s)
        or _judge_bound(claims, rule)
        or _judge_evidence(claims, rule)
    )
    return reason or Accepted(rule_id, rule, identify(claims, rule.provider))


def _judge_standard(claims: Claims, rule: Rule, now_s: float) -> Refused | None:
    if claims.get("iss") != rule.issuer:
        return Refused(
            "issuer", f"the token is by {_cut(claims.get('iss'))}, the rule for {rule.issuer}"
        )
    audiences = claims.get("aud")
    if audiences not in (rule.audience, [rule.audience]):
        # One that is for others too is in the hands of others too.
        return Refused(
            "audience", f"the token is for {_cut(audiences)}; ask for one for {rule.audience} alone"
        )
    ends, made = _time(claims, "exp"), _time(claims, "iat")
    begins = _time(claims, "nbf") if "nbf" in claims else made
    if ends is None or made is None or begins is None:
        return Refused("claims", "the token has no exp or iat, or one that is no time")
    if now_s >= ends + LEEWAY_S:
        return Refused("expired", f"the token ended {int(now_s - ends)} s ago; ask for another")
    if max(begins, made) > now_s + LEEWAY_S:
        early = int(max(begins, made) - now_s)
        return Refused("not_yet", f"the token begins in {early} s: is a clock wrong?")
    if ends - made > LIFE_MAX_S:
        return Refused(
            "life", f"the token lives over {LIFE_MAX_S // 3600} hours: ask for a shorter"
        )
    return None


def _judge_bound(claims: Claims, rule: Rule) -> Refused | None:
    """Compare what the rule binds, the ids first.

    Anybody may have a CI sign a token for us, so of a rule for other ids nothing is told.
    """
    provider = rule.provider
    for name in (*provider.ids, *(one for one in rule.claims if one not in provider.ids)):
        value, wanted = text_of(claims.get(name)), rule.claims[name]
        if value is None:
            return Refused("claim", _absent(name, rule))
        if name == provider.workflow:
            if not _is_workflow(value, wanted, claims, rule):
                return Refused("workflow", f"{name} is {_cut(value)}, the rule is for {wanted}")
        elif value != wanted and name in provider.ids:
            return Refused("id", f"no trust rule is for {name} {_cut(value)}")
        elif value != wanted:
            return Refused("claim", f"{name} is {_cut(value)}, the rule is for {wanted}")
    return None


def _judge_evidence(claims: Claims, rule: Rule) -> Refused | None:
    rerun = claims.get(f"{CIRCLECI}/ssh-rerun", False)
    if rule.kind == "circleci" and rerun is not False:
        return Refused(
            "ssh_rerun", "somebody had a shell in this job (ssh-rerun): what it says is no evidence"
        )
    unique = claims.get("jti")
    if rule.provider.unique and not (isinstance(unique, str) and 0 < len(unique) <= TEXT_MAX):
        return Refused("jti", "the token has no jti, so nobody could tell it from a copy")
    return None


def _is_workflow(value: str, wanted: str, claims: Claims, rule: Rule) -> bool:
    """Whether a token's workflow is the rule's: the same file, and the ref or one of its kind.

    A file without a repository is one of the job's own, whatever that is called today.
    """
    path, _, ref = value.partition("@")
    wanted_path, _, wanted_ref = wanted.partition("@")
    own = f"{_own(claims, rule)}{wanted_path}" if is_own(wanted_path, rule) else wanted_path
    if path != own:
        return False
    if wanted_ref == "*":
        return ref.startswith("refs/") or COMMIT.fullmatch(ref) is not None
    if wanted_ref in REF_KINDS:
        return ref.startswith(wanted_ref.removesuffix("*")) and ref != wanted_ref.removesuffix("*")
    return ref == wanted_ref


def _own(claims: Claims, rule: Rule) -> str:
    """Return what stands before a file of the job's own repository."""
    repository = text_of(claims.get(rule.provider.own)) or ""
    if rule.kind == "github":
        return f"{repository}/"
    return f"{urllib.parse.urlsplit(rule.issuer).netloc}/{repository}//"


def _time(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 2**40 else None


def _absent(name: str, rule: Rule) -> str:
    if rule.kind == "buildkite" and name in rule.provider.ids:
        return f"the token has no {name}: ask for it with --claim {','.join(rule.provider.ids)}"
    return f"the token has no {name}"


def _cut(value: object) -> str:
    """Return what a token says, in a form and length that a line can hold."""
    items = value if isinstance(value, list) else [value]
    texts = [text_of(item) for item in items[:3]]
    return ", ".join(ascii(text[:120]) if text is not None else "nobody" for text in texts)
