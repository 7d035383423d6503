"""What takes two people: asked for by one, agreed to by another, and what came of it."""

from counterfoil.events.kinds import LISTED, own_type

_ASKER = ("user", "counterfoil:ana-dev")
_SECOND = ("user", "counterfoil:bo-dev")
_DIGEST = "sha256:1f0e7a8a4f1d6a0c92be3e9a41c07d58c5ad120fb9af314a4a45eb7c89341450"

TYPES = (
    own_type(
        "action.asked",
        noun="action",
        meaning="Somebody asked for an action that another person has to agree to.",
        title="asked for[ {data.action}][ in project {data.project}], which another person has to confirm",
        row=LISTED,
        data={
            "action": "retention-set",
            "verb": "erase",
            "project": "default",
            "digest": _DIGEST,
            "given": {"project": "default", "rule": "builds", "types": "build.*", "days": 30},
            "why": "builds would be kept for 30 days instead of 366",
            "until": "2026-11-27T12:00:00.000Z",
        },
        members={
            "action": "its name, as in docs/http.md",
            "verb": "what both have to be allowed",
            "project": "where, `_access` for the ledger as a whole",
            "digest": "SHA-256 of the RFC 8785 form of `action` and `given`",
            "given": "every field it was given; personal, people in it by pseudonym",
            "why": "why one person is not enough",
            "until": "when it is over if nobody confirmed it, RFC 3339",
        },
        personal=("/given",),
        actor=_ASKER,
    ),
    own_type(
        "action.confirmed",
        noun="action",
        meaning="Another person agreed to exactly what was asked; recorded before it is done.",
        title="confirmed[ {data.action}][, as asked in entry {data.asked}]",
        row=LISTED,
        data={"asked": 17, "action": "retention-set", "digest": _DIGEST},
        members={
            "asked": "the entry of `_access` that asked",
            "action": "its name",
            "digest": "as it was asked",
        },
        actor=_SECOND,
    ),
    own_type(
        "action.ended",
        noun="action",
        meaning="What was asked is done, or will not be.",
        title="ended what was asked for[ in entry {data.asked}][: {data.how}][, {data.why}]",
        row=LISTED,
        data={
            "asked": 17,
            "action": "retention-set",
            "how": "done",
            "project": "default",
            "entries": [4_711],
        },
        members={
            "asked": "the entry of `_access` that asked",
            "action": "its name",
            "how": "`done`, `failed` (it could not be done any more), or `withdrawn` (by who asked, or refused by another)",
            "why": "in words, where it is not done",
            "project": "whose log `entries` are of",
            "entries": "the entries that say what was done",
        },
        actor=_SECOND,
    ),
)
