"""Reading: who looked at personal data, and what left the house."""

from counterfoil.events.kinds import LISTED, own_type

_READER = ("user", "counterfoil:ana-dev")

TYPES = (
    own_type(
        "personal.read",
        noun="reading",
        meaning="Somebody read personal data: counted per reader, kind and hour.",
        title="read personal data[ {data.count} times][: {data.what}]",
        row=LISTED,
        data={
            "what": "accounts",
            "count": 3,
            "credential": "session:9b0d5c6e1f2a3b4c",
            "first": "2026-11-20T12:00:02.000Z",
            "last": "2026-11-20T12:00:41.000Z",
        },
        named=[("session:9b0d5c6e1f2a3b4c", "about")],
        refs={"about": "the `token:` or `session:` the reader came with"},
        members={
            "what": "`entry` (a whole entry, opened), `accounts`, `actors`, `sessions` (who is signed in where) or `raw` (kept files)",
            "count": "how often within the hour",
            "credential": "what the reader came with",
            "first, last": "when the first and the last time was, RFC 3339",
        },
        actor=_READER,
    ),
    own_type(
        "export.made",
        noun="reading",
        meaning="A copy of what is recorded was made for somebody.",
        title="exported {data.what}",
        row=LISTED,
        data={
            "what": "proof of release:shop@1.4.2",
            "credential": "session:9b0d5c6e1f2a3b4c",
            "people": True,
            "size_bytes": 120_310,
        },
        named=[("session:9b0d5c6e1f2a3b4c", "about")],
        refs={"about": "the `token:` or `session:` it was made for"},
        members={
            "what": "what was made, of what",
            "credential": "what the reader came with",
            "people": "whether personal values are in it",
            "size_bytes": "how large it was",
        },
        actor=_READER,
    ),
)
