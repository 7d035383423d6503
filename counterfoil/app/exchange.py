"""A CI's token for one job becomes a session of some minutes.

The order is what makes it safe: the token is taken apart and bounded; its issuer is one that a rule
names; its signature is checked with that issuer's key; a rule lets the job in; whoever sends it
shows the key it was first sent under; the log says that a session was opened; then it lets in.
What must hold: before the signature is checked nothing of a token is believed, and only its issuer
and its key's name are looked at; no token, proof or session ever stands in a message or a log.

If we crash after the binding: the same key may come again.  After the event: the session was
never shown, and the job asks for another.
Source: RFC 8693 section 2; RFC 9449; docs/adr/0025.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from counterfoil.app import proving
from counterfoil.app.jobs import PREFIX
from counterfoil.clock import format_time
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.policy.access import Credential
from counterfoil.policy.jws import check_signature, parse_token
from counterfoil.policy.possession import WINDOW_S, Proof, check_proof
from counterfoil.policy.trust import LEEWAY_S, issuers_of
from counterfoil.policy.trust_verdict import Accepted, Refused, choose
from counterfoil.stores.state_jobs import Binding, JobSession

if TYPE_CHECKING:
    from counterfoil.app.home import Home

SESSION_BYTES: Final = 32
SESSIONS_MAX: Final = 100
"""Sessions that one job's token may have open: commands share one, so it is plenty."""
_NOT_VALID: Final = frozenset({"claims", "audience", "expired", "not_yet", "life", "jti"})


@dataclass(frozen=True, slots=True)
class Brought:
    """What a job brings.

    Attributes:
        token: its CI's token, as it was sent.
        proof: the proof that came with it.
        url: where it was sent, as people reach it.
        project: what it wants to record into.
    """

    token: bytes
    proof: bytes
    url: str
    project: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A session at its start.  `token` is the job's secret, shown here once."""

    token: str
    id: str
    rule: str
    lasts_s: int
    verbs: tuple[str, ...]


def exchange(home: "Home", brought: Brought) -> Opened:
    """Open a session for a job.

    Raises:
        RequestError: `job_token_invalid`, `job_token_refused`, `job_token_replayed`,
            `proof_invalid`.
        UnavailableError: `issuer_unreachable`, `busy`; what recording may raise.
    """
    claims, unique = _believed(home, brought.token)
    now = home.clock.now()
    found = choose(claims, home.jobs.rules(), brought.project, now.timestamp())
    if isinstance(found, Refused):
        raise _refused(found)
    proof = check_proof(
        brought.proof, method="POST", url=brought.url, token=brought.token, now_s=now.timestamp()
    )
    bound = _token_id(claims, found, unique)
    _bind(home, found, bound, proof, float(claims["exp"]))
    return _open(home, found, bound)


def _believed(home: "Home", compact: bytes) -> tuple[Mapping[str, Any], bytes]:
    """Return what a token says once its issuer has signed it, and the part that was signed."""
    token = parse_token(compact)
    issuers = issuers_of(list(home.jobs.rules().values()))
    issuer = token.claims.get("iss")
    if not isinstance(issuer, str) or issuer not in issuers:
        raise RequestError(
            "job_token_refused",
            "no trust rule is for tokens of this issuer; see counterfoil admin trust list",
            reason="issuer",
        )
    if not token.kid:
        raise RequestError(
            "job_token_invalid", "the token does not name the key that signed it", reason="kid"
        )
    key = home.jobs.keys.key(issuer, token.kid, private=issuers[issuer])
    return check_signature(token, key), token.signed


def _refused(found: Refused) -> RequestError:
    code = "job_token_invalid" if found.code in _NOT_VALID else "job_token_refused"
    return RequestError(code, found.words, reason=found.code)


def _token_id(claims: Mapping[str, Any], found: Accepted, signed: bytes) -> bytes:
    """Return what tells this token from every other one.

    Its `jti`, which is its issuer's; where a CI gives none, what was signed.  Never the whole
    token: the same words may be signed twice.
    """
    unique = claims["jti"].encode() if found.rule.provider.unique else signed
    kind = b"jti" if found.rule.provider.unique else b"signed"
    return hashlib.sha256(b"\0".join((found.rule.issuer.encode(), kind, unique))).digest()


def _bind(home: "Home", found: Accepted, bound: bytes, proof: Proof, ends_s: float) -> None:
    now = home.clock.now()
    # As long as they could be brought again, and no shorter.
    until = now + timedelta(seconds=ends_s - now.timestamp() + LEEWAY_S + 1)
    forget = now + timedelta(seconds=proof.made_s - now.timestamp() + WINDOW_S + 1)
    seen = hashlib.sha256(f"{proof.thumbprint}\0{proof.id}".encode()).digest()
    binding = home.jobs.rows.bind(
        (bound, format_time(until)), (seen, format_time(forget)), proof.thumbprint,
        format_time(now), SESSIONS_MAX,
    )  # fmt: skip
    if binding is Binding.USED:
        raise RequestError(
            "proof_invalid", "the proof of the job's key was used before; make one for each call"
        )
    if binding is Binding.FOREIGN:
        raise RequestError(
            "job_token_replayed",
            f"the token of {found.identity.account} ({found.rule_id}) was first brought under"
            " another key; keep .counterfoil/ between the commands of a job",
        )
    if binding is Binding.FLOOD:
        raise UnavailableError(
            "busy", f"this job has {SESSIONS_MAX} sessions open; use one of them, or wait"
        )


def _open(home: "Home", found: Accepted, bound: bytes) -> Opened:
    rule, identity = found.rule, found.identity
    secret = PREFIX + home.randomness.token(SESSION_BYTES).hex()
    digest = proving.digest(secret)
    until = format_time(home.clock.now() + timedelta(seconds=rule.session_s))
    # The id stands in entries for ever, so it tells sessions apart and says nothing more.
    session = JobSession(
        digest, f"session:{digest.hex()[:16]}", found.rule_id, identity.account, bound, until
    )
    with home.access.changing():
        credential = home.jobs.credential(session)
        if credential is None:
            raise RequestError(
                "job_token_refused", "the trust rule for this job was just removed", reason="issuer"
            )
        _record(home, found, session, credential)
    home.jobs.keep(session)
    return Opened(secret, session.id, found.rule_id, rule.session_s, rule.verbs)


def _record(home: "Home", found: Accepted, session: JobSession, credential: Credential) -> None:
    """Say in the log that a job was let in: by which rule, as which account, about what."""
    access, identity = home.access, found.identity
    holder = access.directory.actors[credential.actor]
    said = {**identity.claims, "sub": identity.subject}
    event = access.event(
        "session.opened",
        credential,
        subject=session.id,
        data={
            "how": "ci",
            "with": found.rule_id,
            "until": session.until,
            "claims": dict(said),
            "url": identity.run_url or None,
        },
        named=(
            (access.account_ref(holder.handle), "holder"),
            (f"actor:{identity.account}", "account"),
            *identity.refs,
        ),
    )
    access.enact([event], credential)
