"""Trust rules: which jobs of which CI are let in by their own tokens, and as what.

A rule says who signs (the issuer), whom the token must be for (the audience), which claims it must
carry, and what a session under it may do.  What must hold: a rule rests on ids, never on names;
every comparison is of whole texts, and the one thing that stands for many is a whole kind of git
ref, written out.

Pure.  `trust_verdict` judges tokens by a rule, `trust_words` says in words what it does.
Source: docs/adr/0025.
"""

import re
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

import msgspec

from counterfoil.errors import RequestError
from counterfoil.policy.ci_claims import PROVIDERS, Provider

SESSION_MAX_S: Final = 900
SESSION_MIN_S: Final = 60
LEEWAY_S: Final = 30
"""How far the clocks of a CI and of this server may be apart."""
LIFE_MAX_S: Final = 24 * 3600
"""A token that lives longer is no job's: what is remembered of it is kept until its end."""
VERBS: Final = ("read", "record", "report", "request", "audit")
"""What a job may be let in for.  Deciding is for people."""

TEXT_MAX: Final = 512
REF_KINDS: Final[Mapping[str, str]] = {
    "*": "any branch, tag or change request",
    "refs/heads/*": "any branch",
    "refs/tags/*": "any tag",
    "refs/pull/*": "any pull request",
    "refs/merge-requests/*": "any merge request",
}
COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
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
            _refuse(f"bind {name}: a rule rests on ids that are given once")
    if provider.workflow and provider.workflow not in rule.claims:
        _refuse(
            f"bind {provider.workflow}: without it every workflow anybody writes there is let in"
        )
    _check_scope(rule)
    return rule


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
    if "*" in path or ("*" in ref and ref not in REF_KINDS):
        _refuse(
            f"{name} {value!a}: behind the @ stands one whole ref, or one of"
            f" {', '.join(REF_KINDS)}; nothing else stands for many"
        )
    if provider.kind == "github" and not re.fullmatch(
        r"([^/]+/[^/]+/)?\.github/workflows/[^/]+", path
    ):
        _refuse(
            f"{name} {value!a}: a workflow is .github/workflows/FILE, or OWNER/REPO before that"
        )
    if ref not in REF_KINDS and not ref.startswith("refs/") and not COMMIT.fullmatch(ref):
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
    if not text or len(text) > TEXT_MAX or not text.isascii() or not text.isprintable():
        _refuse(f"{name} {text[:80]!a} is not 1 to {TEXT_MAX} printable ASCII characters")
    if text != text.strip():
        _refuse(f"{name} {text[:80]!a} begins or ends with a space")


def _refuse(words: str) -> NoReturn:
    raise RequestError("ci_rule_invalid", words)


# What others ask of rules.


def is_own(path: str, rule: Rule) -> bool:
    """Whether a workflow's file is named without a repository: then it is of the job's own."""
    return path.startswith(".github/") if rule.kind == "github" else "//" not in path


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
