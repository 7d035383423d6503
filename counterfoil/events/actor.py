"""Actors: who there is, which accounts are theirs, who stands in for whom.

An actor is known by a handle; in entries by the pseudonym of the account `counterfoil:HANDLE`.
Names are sealed under the actor's own key, so erasing a person erases them wherever they stand.
"""

from counterfoil.events.kinds import DIRECTORY, own_type

_ADMIN = ("user", "counterfoil:ana-dev")
_WHO = "actor:counterfoil:bo-dev"
_DATES = {
    "since": "from when on, RFC 3339 or a date (its first moment, UTC); at once if absent",
    "until": "up to when, exclusive, in the same form; without an end if absent",
}

TYPES = (
    own_type(
        "actor.described",
        noun="actor",
        meaning="An actor came to be known, or is described anew: this description holds from here on.",
        title="described {thing}[ as a {data.kind}]",
        row=DIRECTORY,
        subject=_WHO,
        data={"kind": "person", "name": "Bo Dev"},
        named=[("actor:counterfoil:ana-dev", "on-behalf-of")],
        members={
            "kind": "`person`, `service` or `agent`",
            "name": "what people call them; personal",
        },
        refs={"on-behalf-of": "for an agent or a service: the `actor:` who answers for it"},
        of_subject=("/name",),
        actor=_ADMIN,
    ),
    own_type(
        "actor.removed",
        noun="actor",
        meaning="An actor is gone: nothing of theirs lets anybody in any more.",
        title="removed {thing}[: {data.reason}]",
        row=DIRECTORY,
        subject=_WHO,
        data={"reason": "left the company"},
        members={"reason": "why, free text"},
        actor=_ADMIN,
    ),
    own_type(
        "account.linked",
        noun="actor",
        meaning="An account was said to be an actor's, for a time.",
        title="linked an account to {thing}[, by {data.how}]",
        row=DIRECTORY,
        subject=_WHO,
        data={"how": "directory", "since": "2026-01-01", "until": "2027-01-01"},
        named=[("actor:github.com:bo-dev", "account")],
        members={
            "how": "`directory` (a file), `ceremony` (the holder showed both), `administrator` or "
            "`trust` (a CI's account, by the trust rule that lets its jobs in)",
            "signs_in": "true where whoever shows this account at its provider is let in",
            "invitation": "which invitation was used, where one was",
            "comment": "where a comment of the account proved it: the index of its entry",
            "project": "of that entry",
            "vouched": "on whose word that was, as in `passkey.enrolled`",
            **_DATES,
        },
        refs={
            "account": "the account, an `actor:`",
            "vouched-by": "the `actor:` who invited",
            "about": "of a comment's: the `session:` in which its holder began it",
        },
        actor=_ADMIN,
    ),
    own_type(
        "account.unlinked",
        noun="actor",
        meaning="An account is no longer an actor's; what it did before stays theirs.",
        title="unlinked an account from {thing}[: {data.reason}]",
        row=DIRECTORY,
        subject=_WHO,
        data={"reason": "not in the directory file any more"},
        named=[("actor:github.com:bo-dev", "account")],
        members={"reason": "why, free text"},
        refs={"account": "the account, an `actor:`"},
        actor=_ADMIN,
    ),
    own_type(
        "deputy.named",
        noun="actor",
        meaning="Somebody stands in for an actor for a time, with what that actor may do.",
        title="named a deputy for {thing}[ until {data.until}]",
        row=DIRECTORY,
        subject=_WHO,
        data={"since": "2026-12-01", "until": "2026-12-15"},
        named=[("actor:counterfoil:ana-dev", "deputy")],
        members=_DATES,
        refs={"deputy": "the `actor:` who stands in"},
        actor=_ADMIN,
    ),
    own_type(
        "deputy.ended",
        noun="actor",
        meaning="A deputy stands in no more.",
        title="ended a deputy of {thing}[: {data.reason}]",
        row=DIRECTORY,
        subject=_WHO,
        data={"reason": "back early"},
        named=[("actor:counterfoil:ana-dev", "deputy")],
        members={"reason": "why, free text"},
        refs={"deputy": "the `actor:` who stood in"},
        actor=_ADMIN,
    ),
)
