"""Trust rules added, listed and removed: which CI jobs are let in by their own tokens."""

from typing import Final

import msgspec

from counterfoil.app.acting_people import ensure_service, require_holder
from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.admin import public_url
from counterfoil.app.owners import owner_now
from counterfoil.app.tokens import check_scope
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.policy.ci_claims import PROVIDERS, account_of
from counterfoil.policy.trust import SESSION_MAX_S, Rule, check_rule
from counterfoil.policy.trust_words import describe


class Adding(Given, frozen=True, kw_only=True):
    """A rule for the jobs of one repository, project or pipeline.

    Attributes:
        kind: "github", "gitlab", "buildkite" or "circleci".
        claims: what a token must carry, each `NAME=VALUE`.
        projects: where the jobs record; `*` for everywhere.
        issuer: who signs, where the kind does not say it.
        audience: whom the tokens are for; this server's public address where left out.
        verbs: what a session is good for.
        sources: prefixes of the event source it may speak as; none for all.
        session_s: how many seconds a session lasts at most, 60 to 900.
        private: whether the issuer is in a private network.
        holder: the handle the jobs act as; a service of their own where left out.
        dry: say what it would accept and refuse, and add nothing.
    """

    kind: str
    claims: tuple[str, ...]
    projects: tuple[str, ...]
    issuer: str = ""
    audience: str = ""
    verbs: tuple[str, ...] = ("record", "report")
    sources: tuple[str, ...] = ()
    session_s: int = SESSION_MAX_S
    private: bool = False
    holder: str = ""
    dry: bool = False


class Added(Done, frozen=True, kw_only=True):
    """A rule in words; `id` is its name for ever, "" if it was not added."""

    id: str
    accepts: tuple[str, ...]
    refuses: tuple[str, ...]
    warnings: tuple[str, ...]


class Removing(Given, frozen=True, kw_only=True):
    """A rule to remove."""

    rule: str
    reason: str = ""


class Listing(Given, frozen=True, kw_only=True):
    """Nothing: every rule is listed."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One rule as it stands.

    Attributes:
        id: its `trust:` ref.
        holder: the handle the jobs act as.
        open_sessions: how many sessions are open under it.
    """

    id: str
    rule: Rule
    holder: str
    accepts: tuple[str, ...]
    refuses: tuple[str, ...]
    warnings: tuple[str, ...]
    open_sessions: int


class Rules(Done, frozen=True, kw_only=True):
    """Every rule in force."""

    rules: tuple[Listed, ...]


def add(acting: Acting) -> Added:
    """Add a trust rule.

    Raises:
        RequestError: `ci_rule_invalid`, `usage`, `actor_unknown`, `actor_taken`.
    """
    given: Adding = acting.given
    home = acting.home
    rule = check_rule(_rule_of(acting))
    check_scope(rule.projects, (log.project for log in home.log.projects()), rule.verbs)
    words = describe(rule)
    if given.dry:
        return Added(
            said="nothing was added",
            id="",
            accepts=words.accepts,
            refuses=words.refuses,
            warnings=words.warnings,
        )
    holder = given.holder or _own_holder(rule)
    account = account_of({"iss": rule.issuer, **rule.claims}, rule.provider)
    with home.access.changing():
        made: tuple[int, ...] = ()
        if not given.holder:
            holder, made = ensure_service(acting, holder, rule.projects)
        require_holder(acting, holder)
        rule_id = f"trust:{home.randomness.token(6).hex()}"
        data: dict[str, JSON] = msgspec.to_builtins(rule)
        entries = acting.enact(
            "trust.added", rule_id, data, ((home.access.account_ref(holder), "holder"),)
        )
        if owner_now(home, account) is None:
            entries += acting.enact(
                "account.linked",
                home.access.account_ref(holder),
                {"how": "trust"},
                ((f"actor:{account}", "account"),),
            )
    return Added(
        said=f"{rule_id} lets jobs in as {holder}",
        entries=(*made, *entries),
        id=rule_id,
        accepts=words.accepts,
        refuses=words.refuses,
        warnings=words.warnings,
    )


def remove(acting: Acting) -> Done:
    """Remove a rule; the sessions under it end with it.

    Raises:
        RequestError: `not_found`.
    """
    given: Removing = acting.given
    home = acting.home
    with home.access.changing() as directory:
        found = directory.trusts.get(given.rule)
        if found is None:
            raise RequestError("not_found", f"no trust rule {given.rule[:40]!a} is in force")
        ended = sum(one.rule == found.ref for one in home.jobs.open_sessions())
        holder = directory.actors[found.holder]
        named = ((home.access.account_ref(holder.handle), "holder"),) if holder.handle else ()
        entries = acting.enact("trust.removed", found.ref, {"reason": given.reason or None}, named)
    sessions = "1 session" if ended == 1 else f"{ended} sessions"
    return Done(said=f"{given.rule} lets nobody in any more; {sessions} ended", entries=entries)


def listing(acting: Acting) -> Rules:
    """List the rules in force, what each accepts and refuses, and its open sessions."""
    home = acting.home
    open_sessions = home.jobs.open_sessions()
    found = []
    for rule_id, rule in sorted(home.jobs.rules().items()):
        holder = home.access.directory.actor(home.access.directory.trusts[rule_id].holder)
        words = describe(rule)
        found.append(
            Listed(
                id=rule_id,
                rule=rule,
                holder=holder.handle if holder is not None else "",
                open_sessions=sum(one.rule == rule_id for one in open_sessions),
                accepts=words.accepts,
                refuses=words.refuses,
                warnings=words.warnings,
            )
        )
    count = "1 rule" if len(found) == 1 else f"{len(found)} rules"
    return Rules(said=f"{count} in force", rules=tuple(found))


def _rule_of(acting: Acting) -> Rule:
    given: Adding = acting.given
    claims: dict[str, str] = {}
    for text in given.claims:
        name, equals, value = text.partition("=")
        if not equals or name in claims:
            raise RequestError("usage", f"claims are NAME=VALUE, each once; {text[:80]!a} is not")
        claims[name] = value
    provider = PROVIDERS.get(given.kind)
    return Rule(
        kind=given.kind,
        issuer=given.issuer or (provider.issuer if provider is not None else ""),
        audience=given.audience or public_url(acting.home.directory),
        claims=claims,
        projects=given.projects,
        verbs=given.verbs,
        sources=given.sources,
        session_s=given.session_s,
        private=given.private,
    )


def _own_holder(rule: Rule) -> str:
    """Return a handle for the jobs of a rule: the kind, and what is short of the id."""
    return f"{rule.kind}-{rule.claims[rule.provider.ids[-1]][:20].rstrip('-')}"


ACTIONS: Final = (
    Action(
        name="trust-add", verb="trust", takes=Adding, gives=Added, run=add,
        doc="Let jobs of a CI in by their own tokens; says what is accepted and refused.",
    ),
    Action(
        name="trust-remove", verb="trust", takes=Removing, gives=Done, run=remove,
        doc="Remove a trust rule; the sessions under it end.",
    ),
    Action(
        name="trust-list", verb="trust", reads="actors", takes=Listing, gives=Rules, run=listing,
        doc="List the trust rules in force.",
    ),
)  # fmt: skip
