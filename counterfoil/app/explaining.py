"""Why somebody may or may not do something: the same engine that decides says so."""

import msgspec

from counterfoil.app.access import Access
from counterfoil.app.around import NOBODY_ASKED
from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError
from counterfoil.policy.access import LOG, Credential, ceiling
from counterfoil.policy.directory import Grant
from counterfoil.policy.verbs import VERBS, kind_of


class Ground(msgspec.Struct, frozen=True):
    """A policy that decided: its id, why, where it stands in the text, and its text."""

    id: str
    reason: str
    line: int
    text: str


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """An answer and its grounds, in words.

    Attributes:
        allowed: yes or no, of a session of the actor that showed its passkey a moment ago.
        question: what was asked, in words.
        reasons: why, one line each.
        roles: the roles that count there; `grants` says where each comes from.
        elsewhere: what the actor was granted in other places.
        teams: the teams the actor is in.
        deciding: the policies that decided.
        would_pass: each one thing that would turn a no into a yes.
        policy: the digest of the policy set that was asked.
    """

    allowed: bool
    question: str
    reasons: tuple[str, ...]
    roles: tuple[str, ...]
    grants: tuple[Grant, ...]
    elsewhere: tuple[Grant, ...]
    teams: tuple[str, ...]
    deciding: tuple[Ground, ...]
    would_pass: tuple[str, ...]
    policy: str


def explain(
    access: Access, clock: Clock, handle: str, verb: str, project: str, ref: str
) -> Explained:
    """Explain what the answer would be.

    Args:
        access: whose directory and policies.
        clock: now.
        handle: of an actor.
        verb: one of docs/access.md.
        project: where.
        ref: what it is about, refs parted by spaces or commas, such as an approval and the `env:`
            it is for; "" for the project as a whole.

    Raises:
        RequestError: `actor_unknown`; `usage`: there is no such verb.
    """
    from counterfoil.policy.explain import explain as explained  # noqa: PLC0415  heavy, and late

    if verb not in VERBS:
        raise RequestError("usage", f"{verb[:40]!a} is no verb; they are {', '.join(VERBS)}")
    actor = access.require_actor(handle)
    if access.directory.let_in(actor.ref) is None:
        return _not_let_in(access, handle, f"may {handle} {verb} {ref or project}?")
    now = format_time(clock.now())
    kind = "session" if actor.kind == "person" else "token"
    credential = Credential("session:explain", kind, handle, actor=actor.ref, verified=now)
    asked = VERBS[verb].asked
    refs = _about(verb, tuple(ref.replace(",", " ").split())) if asked == "thing" else ()
    where = LOG if asked == "ledger" else project
    around, places = access.around(verb, where, refs)
    requests = [access.request(credential, verb, place, around) for place in places]
    # The first no, else the first yes: that is what would be answered.
    answers = [explained(access.policies(), request) for request in requests]
    at = next((n for n, one in enumerate(answers) if not one.allowed), 0)
    found, place, most = answers[at], requests[at].object, ceiling(credential, verb, where)
    reasons = found.reasons if most.allowed else most.reasons
    if found.allowed and not around.asked:
        reasons = (*reasons, NOBODY_ASKED)
    if ref and asked != "thing":
        reasons = (*reasons, f"{verb} is asked of the {asked} as a whole, whatever it is about")
    held = access.directory.grants_of(actor.ref, now)
    grants = [one for one in held if one.covers(place.project, place.tier, place.component)]
    return Explained(
        allowed=found.allowed and most.allowed,
        question=f"may {handle} {verb} {ref or project}?",
        reasons=reasons,
        roles=found.roles,
        grants=tuple(grants),
        elsewhere=tuple(one for one in held if one not in grants),
        teams=found.teams,
        deciding=tuple(Ground(one.id, one.reason, one.line, one.source) for one in found.deciding),
        would_pass=found.would_pass,
        policy=access.directory.policy,
    )


def _not_let_in(access: Access, handle: str, question: str) -> Explained:
    """Explain that an agent is let in nowhere: no policy is asked about it."""
    why = f"{handle} is an agent, and the person on whose behalf it acted is removed: it is let in nowhere"
    describe = f"counterfoil admin people add {handle} --kind agent --behalf HANDLE"
    return Explained(
        allowed=False,
        question=question,
        reasons=(why,),
        roles=(),
        grants=(),
        elsewhere=(),
        teams=(),
        deciding=(),
        would_pass=(f"say who answers for it now: {describe}",),
        policy=access.directory.policy,
    )


def _about(verb: str, refs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the refs with a thing the verb can be about in front, any one where none is named."""
    kinds = VERBS[verb].kinds
    if "project" in kinds or "ledger" in kinds:
        return refs
    for ref in refs:
        if kind_of(ref.partition(":")[0]) in kinds:
            return (ref, *(one for one in refs if one != ref))
    return (f"{'env' if kinds[0] == 'environment' else kinds[0]}:any", *refs)
