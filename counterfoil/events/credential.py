"""Credentials: what lets somebody in, from the day it is made to the day it ends.

No secret stands here: of tokens and sessions an id, of passkeys the public half.
"""

from counterfoil.events.kinds import DIRECTORY, own_type

CREDENTIALS = "no row: open sessions stand in state.db; who held one is looked up by its ref"

_ADMIN = ("user", "counterfoil:ana-dev")
_WHO = "actor:counterfoil:bo-dev"
_TOKEN = "token:4f1d6a0c92be"  # noqa: S105  a name, not a secret
_SESSION = "session:9b0d5c6e1f2a3b4c"
_SCOPE = {
    "projects": "the projects it is good for; `*` for all",
    "verbs": "what it may be used for at most",
    "sources": "prefixes of the event `source` it may speak as; none for all",
}

TYPES = (
    own_type(
        "token.issued",
        noun="credential",
        meaning="A token was made for an actor; the token itself was shown once and is kept nowhere.",
        title="issued {thing}[ called {data.name}][, good until {data.until}]",
        row=DIRECTORY,
        subject=_TOKEN,
        data={
            "name": "shop-nightly",
            "projects": ["default"],
            "verbs": ["record", "report"],
            "sources": ["https://ci.example/acme/"],
            "until": "2027-02-19T12:00:00.000Z",
        },
        named=[("actor:counterfoil:shop-ci", "holder")],
        members={"name": "what people call it", **_SCOPE, "until": "when it ends, RFC 3339"},
        refs={"holder": "the `actor:` it acts for"},
        actor=_ADMIN,
    ),
    own_type(
        "token.revoked",
        noun="credential",
        meaning="A token ended before its time.",
        title="revoked {thing}[: {data.reason}]",
        row=DIRECTORY,
        subject=_TOKEN,
        data={"reason": "found in a build log"},
        members={"reason": "why, free text"},
        actor=_ADMIN,
    ),
    own_type(
        "invitation.made",
        noun="credential",
        meaning="Somebody was invited to sign in; the link was shown once to who invited.",
        title="invited {thing}[, until {data.until}]",
        row=DIRECTORY,
        subject=_WHO,
        data={"invitation": "a1c27be09d54", "until": "2026-11-24T12:00:00.000Z"},
        members={
            "invitation": "names it where it is used",
            "until": "when it ends, RFC 3339",
        },
        actor=_ADMIN,
    ),
    own_type(
        "passkey.enrolled",
        noun="credential",
        meaning="A passkey is an actor's from here on; who vouched for that is named.",
        title="enrolled a passkey of {thing}[, vouched for by {data.vouched}]",
        row=DIRECTORY,
        subject=_WHO,
        data={
            "passkey": "5m4xVaXN0cmluZw",
            "name": "laptop",
            "public_key": "pQECAyYgASFYIA",
            "counter": 0,
            "rp": "foil.example",
            "vouched": "invitation",
            "invitation": "a1c27be09d54",
        },
        named=[("actor:counterfoil:ana-dev", "vouched-by")],
        members={
            "passkey": "the credential's id, base64url (WebAuthn)",
            "name": "what its holder calls it",
            "public_key": "the COSE key, base64url: approvals are checked with it",
            "counter": "the authenticator's signature counter at that time",
            "aaguid": "the authenticator's model, where it says so",
            "backed_up": "whether it is kept in more than one place, where it says so",
            "rp": "the host it is bound to",
            "vouched": "`invitation` (a second person), `own-key` (another passkey of the same "
            "person) or `files` (whoever holds the ledger's files)",
            "invitation": "which invitation was used",
        },
        refs={"vouched-by": "the `actor:` who invited"},
        actor=("user", "counterfoil:bo-dev"),
    ),
    own_type(
        "passkey.removed",
        noun="credential",
        meaning="A passkey lets nobody in any more; sessions begun with it ended.",
        title="removed a passkey of {thing}[: {data.reason}]",
        row=DIRECTORY,
        subject=_WHO,
        data={"passkey": "5m4xVaXN0cmluZw", "reason": "lost"},
        members={"passkey": "the credential's id", "reason": "why, free text"},
        actor=_ADMIN,
    ),
    own_type(
        "session.opened",
        noun="credential",
        meaning="Somebody signed in, or a job exchanged its token: what comes under this session is theirs.",
        title="opened {thing}[ by {data.how}][, until {data.until}]",
        row=CREDENTIALS,
        subject=_SESSION,
        data={"how": "passkey", "with": "5m4xVaXN0cmluZw", "until": "2026-11-20T20:00:00.000Z"},
        named=[(_WHO, "holder")],
        members={
            "how": "`passkey`, `oidc`, `link` or `ci`",
            "with": "the passkey's id, the provider's name or the trust rule's",
            "until": "when it ends at the latest, RFC 3339",
            "claims": "of a CI job: what its token says, the names for display only",
            "url": "of a CI job: where people look at it, where the token tells",
        },
        refs={
            "holder": "the `actor:` who is let in",
            "account": "the account it came by, an `actor:`",
            "about": "of a CI job: the `commit:` and `run:` it says it is",
        },
        actor=("user", "counterfoil:bo-dev"),
    ),
    own_type(
        "session.ended",
        noun="credential",
        meaning="A session ended before its time.",
        title="ended {thing}[: {data.how}]",
        row=CREDENTIALS,
        subject=_SESSION,
        data={"how": "signed out"},
        named=[(_WHO, "holder")],
        members={"how": "`signed out`, `revoked` or what ended it"},
        refs={"holder": "the `actor:` who was let in"},
        actor=("user", "counterfoil:bo-dev"),
    ),
    own_type(
        "trust.added",
        noun="credential",
        meaning="Jobs of a CI are let in by their own tokens, within this rule.",
        title="added the trust rule {thing}[ for {data.kind}]",
        row=DIRECTORY,
        subject="trust:3e9a41c07d58",
        data={
            "kind": "github",
            "issuer": "https://token.actions.githubusercontent.com",
            "audience": "https://foil.example",
            "claims": {
                "repository_id": "74",
                "job_workflow_ref": "acme/ci/.github/workflows/record.yml@refs/heads/main",
            },
            "projects": ["default"],
            "verbs": ["record", "report"],
            "sources": [],
            "session_s": 900,
        },
        named=[("actor:counterfoil:shop-ci", "holder")],
        members={
            "kind": "`github`, `gitlab`, `buildkite` or `circleci`",
            "issuer": "who signs the tokens",
            "audience": "whom they must be for",
            "claims": "the claims a token must carry, exactly; behind the `@` of a workflow may stand "
            "a kind of git ref (`*`, `refs/heads/*`)",
            **_SCOPE,
            "session_s": "how many seconds a session lasts at most",
            "private": "true where the issuer is in a private network",
        },
        refs={"holder": "the `actor:` its jobs act as"},
        actor=_ADMIN,
    ),
    own_type(
        "trust.removed",
        noun="credential",
        meaning="Jobs are let in by this rule no more; their sessions ended.",
        title="removed the trust rule {thing}[: {data.reason}]",
        row=DIRECTORY,
        subject="trust:3e9a41c07d58",
        data={"reason": "the repository moved"},
        members={"reason": "why, free text"},
        actor=_ADMIN,
    ),
)
