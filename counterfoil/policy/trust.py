"""Trust rules: which jobs of which CI are let in by their own tokens, and as what.

A rule says who signs (the issuer), whom the token must be for (the audience), which claims it must
carry, and what a session under it may do.  What must hold: a rule rests on ids, never on names
alone; every comparison is of whole texts, and the one thing that stands for many is a whole kind
of git ref, written out; a token that fails anything is refused with the reason in words.

Pure: claims whose signature was checked, a rule and the time in; a verdict out.
Source: RFC 7519 section 4.1 (exp, nbf, iat, aud, iss, jti), RFC 8725 section 3.
"""

import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import msgspec

from counterfoil.errors import RequestError
from counterfoil.policy.ci_claims import (
    CIRCLECI,
    PROVIDERS,
    Claims,
    Identity,
    Provider,
    identify,
    text_of,
)

SESSION_MAX_S: Final = 900
SESSION_MIN_S: Final = 60
LEEWAY_S: Final = 30
"""How far the clocks of a CI and of this server may be apart."""
LIFE_MAX_S: Final = 24 * 3600
"""A token that lives longer is no job's: what is remembered of it is kept until its end."""
VERBS: Final = ("read", "record", "report", "request", "audit")
"""What a job may be let in for.  Deciding is for people."""

_TEXT_MAX: Final = 512
_REF_KINDS: Final[Mapping[str, str]] = {
    "*": "any branch, tag or change request",
    "refs/heads/*": "any branch",
    "refs/tags/*": "any tag",
    "refs/pull/*": "any pull request",
    "refs/merge-requests/*": "any merge request",
}
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ORGANIZATION: Final = re.compile(r".+/org/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule lets in; the `data` of its event.

    Attributes:
        kind: a key of `PROVIDERS`.
        issuer: who signs, exactly as the tokens say it.
        audience: whom the tokens are for, exactly; one for every deployment of ours.
        claims: what a token must carry: exactly, but for the ref of a workflow.
        projects: whose logs a session may write to; `*` for all.
        verbs: what it may do there at most.
        sources: prefixes of the event `source` it may speak as; none for all.
        session_s: how long a session lasts at most, in seconds.
        private: whether the issuer is in a private network.
    """

    kind: str
    issuer: str
    audience: str
    claims: dict[str, str]
    projects: tuple[str, ...]
    verbs: tuple[str, ...] = ("record", "report")
    sources: tuple[str, ...] = ()
    session_s: int = SESSION_MAX_S
    private: bool = False

    @property
    def provider(self) -> Provider:
        """What the tokens of this kind look like."""
        return PROVIDERS[self.kind]


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


# Adding a rule.


def check_rule(rule: Rule) -> Rule:
    """Return the rule, if it is one that can be trusted.

    Raises:
        RequestError: `ci_rule_invalid`: it rests on names, binds too little, or breaks a form.
    """
    if rule.kind not in PROVIDERS:
        _refuse(f"{rule.kind[:40]!a} is no CI that is known here: {', '.join(PROVIDERS)}")
    provider = rule.provider
    _check_issuer(rule)
    _check_text("audience", rule.audience)
    for name, value in rule.claims.items():
        _check_claim(provider, name, value)
    for name in provider.ids:
        if name not in rule.claims:
            _refuse(_unbound(rule, name))
    if provider.workflow and provider.workflow not in rule.claims:
        _refuse(
            f"bind {provider.workflow}: without it every workflow anybody writes there is let in"
        )
    _check_scope(rule)
    return rule


def _unbound(rule: Rule, name: str) -> str:
    bound = [one for one in rule.claims if one in rule.provider.names]
    if bound:
        return f"{bound[0]} is a name, and names change hands; bind the id {name}"
    return f"bind {name}: a rule rests on ids that are given once"


def _check_issuer(rule: Rule) -> None:
    _check_text("issuer", rule.issuer)
    try:
        parts = urllib.parse.urlsplit(rule.issuer)
        named = parts.hostname is not None and parts.port != 0
    except ValueError:
        named = False
    if not named or parts.query or parts.fragment or "@" in parts.netloc:
        _refuse(f"issuer {rule.issuer!a} is no address; give it as the tokens do: https://HOST")
    if rule.issuer.endswith("/"):
        _refuse(f"issuer {rule.issuer!a} ends with a slash, which no CI's tokens do: leave it out")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        _refuse(f"issuer {rule.issuer!a} is not https: anybody on the way could sign for it")
    if rule.kind == "circleci" and not _ORGANIZATION.fullmatch(rule.issuer):
        _refuse("CircleCI has an issuer for each organization: https://oidc.circleci.com/org/ID")


def _check_claim(provider: Provider, name: str, value: str) -> None:
    if name in provider.names:
        _refuse(f"{name} is a name, and names change hands; bind {' and '.join(provider.ids)}")
    if name not in {*provider.ids, provider.workflow, *provider.also}:
        known = ", ".join((*provider.ids, provider.workflow, *provider.also)).replace(", ,", ",")
        _refuse(f"{provider.title} has no claim {name[:60]!a} a rule may bind; there are {known}")
    _check_text(name, value)
    if name in provider.ids and not re.fullmatch(provider.id_form, value):
        _refuse(f"{name} {value!a} is no id of {provider.title}; copy it from there")
    if name == provider.workflow:
        _check_workflow(provider, value)
    elif "*" in value:
        _refuse(f"{name} {value!a}: a claim is compared whole, and * stands for nothing in it")


def _check_workflow(provider: Provider, value: str) -> None:
    name = provider.workflow
    path, _, ref = value.partition("@")
    if not path or not ref:
        _refuse(f"{name} {value!a} names no ref; end it with @refs/heads/main, or @* for any")
    if "*" in path or ("*" in ref and ref not in _REF_KINDS):
        _refuse(
            f"{name} {value!a}: behind the @ stands one whole ref, or one of"
            f" {', '.join(_REF_KINDS)}; nothing else stands for many"
        )
    if provider.kind == "github" and not re.fullmatch(
        r"([^/]+/[^/]+/)?\.github/workflows/[^/]+", path
    ):
        _refuse(
            f"{name} {value!a}: a workflow is .github/workflows/FILE, or OWNER/REPO before that"
        )
    if ref not in _REF_KINDS and not ref.startswith("refs/") and not _COMMIT.fullmatch(ref):
        _refuse(f"{name} {value!a}: a ref is written whole, such as refs/heads/main")


def _check_scope(rule: Rule) -> None:
    if not rule.projects or not all(rule.projects):
        _refuse("name the projects the jobs record into")
    foreign = [verb for verb in rule.verbs if verb not in VERBS]
    if foreign or not rule.verbs:
        _refuse(f"a job may {', '.join(VERBS)}; {', '.join(foreign) or 'nothing'} is not for it")
    if not SESSION_MIN_S <= rule.session_s <= SESSION_MAX_S:
        _refuse(f"a session lasts {SESSION_MIN_S} to {SESSION_MAX_S} seconds, not {rule.session_s}")


def _check_text(name: str, text: str) -> None:
    if not text or len(text) > _TEXT_MAX or not text.isascii() or not text.isprintable():
        _refuse(f"{name} {text[:80]!a} is not 1 to {_TEXT_MAX} printable ASCII characters")
    if text != text.strip():
        _refuse(f"{name} {text[:80]!a} begins or ends with a space")


def _refuse(words: str) -> NoReturn:
    raise RequestError("ci_rule_invalid", words)


# Judging a token.


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
    if rule.provider.unique and not (isinstance(unique, str) and 0 < len(unique) <= _TEXT_MAX):
        return Refused("jti", "the token has no jti, so nobody could tell it from a copy")
    return None


def _is_workflow(value: str, wanted: str, claims: Claims, rule: Rule) -> bool:
    """Whether a token's workflow is the rule's: the same file, and the ref or one of its kind.

    A file without a repository is one of the job's own, whatever that is called today.
    """
    path, _, ref = value.partition("@")
    wanted_path, _, wanted_ref = wanted.partition("@")
    own = f"{_own(claims, rule)}{wanted_path}" if _is_own(wanted_path, rule) else wanted_path
    if path != own:
        return False
    if wanted_ref == "*":
        return ref.startswith("refs/") or _COMMIT.fullmatch(ref) is not None
    if wanted_ref in _REF_KINDS:
        return ref.startswith(wanted_ref.removesuffix("*")) and ref != wanted_ref.removesuffix("*")
    return ref == wanted_ref


def _is_own(path: str, rule: Rule) -> bool:
    return path.startswith(".github/") if rule.kind == "github" else "//" not in path


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


# Saying what a rule does.


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
    where = "of the job's own repository" if _is_own(path, rule) else "there"
    return f"told what to do by {path} {where}, at {_REF_KINDS.get(ref, ref)}"


def _warnings(rule: Rule) -> list[str]:
    found: list[str] = []
    provider = rule.provider
    path, _, ref = rule.claims.get(provider.workflow, "").partition("@")
    if ref in _REF_KINDS:
        found.append(
            f"the workflow counts at {_REF_KINDS[ref]}: whoever may push there may change what it does"
        )
    if path and not _is_own(path, rule):
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


def rules_of(stored: Mapping[str, Mapping[str, object]]) -> dict[str, Rule]:
    """Return the rules among what events say, by id; what is no sound rule lets nobody in."""
    found: dict[str, Rule] = {}
    for rule_id, data in stored.items():
        try:
            found[rule_id] = check_rule(msgspec.convert(data, Rule))
        except (msgspec.ValidationError, RequestError):
            continue
    return found


def issuers_of(rules: Sequence[Rule]) -> dict[str, bool]:
    """Return the issuers of some rules, and whether each may be asked in a private network."""
    return {
        issuer: any(rule.private for rule in rules if rule.issuer == issuer)
        for issuer in {rule.issuer for rule in rules}
    }
