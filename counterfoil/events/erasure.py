"""Erasing: what was taken from the ledger for good, and under which request."""

from counterfoil.events.kinds import LISTED, own_type

TYPES = (
    own_type(
        "erasure.performed",
        noun="erasure",
        meaning="Parts of entries were erased: their keys are destroyed, and every proof still holds.",
        title="erased personal data[ of {data.subject}][ under {data.request_id}]",
        row=LISTED,
        data={
            "subject": "actor:k3vq7m2p9d4t8w6z",
            "parts": [{"ranges": [[12, 12], [40, 41]], "names": ["body"]}],
            "reason": "asked for by the person it is about",
            "request_id": "DSR-2026-017",
        },
        members={
            "subject": "a pseudonym: every part sealed under that person's key in an entry before "
            "this one is erased; absent where only `parts` are",
            "parts": "`ranges` of entry numbers, both ends inclusive, and the `names` of the "
            "commitments that are erased in them, `*` for all",
            "reason": "why; personal, since it may say who asked",
            "request_id": "the request this was done under",
        },
        personal=("/reason",),
        retention="technical",
        actor=("system", "counterfoil"),
    ),
)
