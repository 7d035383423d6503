"""What the log turned away, and hello from a webhook."""

from counterfoil.events.kinds import LISTED, own_type

_SERVER = ("system", "counterfoil")

TYPES = (
    own_type(
        "refusal.counted",
        noun="log",
        meaning="Requests of one source were refused for one reason within one minute.",
        title="refused[ {data.count}] requests[ of {data.source}][: {data.reason}]",
        row=LISTED,
        data={
            "reason": "not_allowed",
            "why": "needs one of: approver, release-manager",
            "tried": "POST /v1/events",
            "source": "https://ci.example/acme/shop",
            "count": 3,
            "first": "2026-11-20T12:00:02.000Z",
            "last": "2026-11-20T12:00:41.000Z",
            "credential": "token:4f1d6a0c92be",
            "addresses": 2,
            "from": ["192.0.2.7", "198.51.100.20"],
        },
        named=[("token:4f1d6a0c92be", "about"), ("actor:counterfoil:shop-ci", "refused")],
        members={
            "reason": "the error code, see docs/errors.md",
            "why": "what the first of them was told, in words",
            "tried": "what was asked for: method and route",
            "source": "the source that was claimed, cut",
            "count": "how many",
            "first, last": "when the first and the last of them came, RFC 3339",
            "credential": "the credential they came under",
            "addresses": "from how many different addresses they came; 100 is that many or more",
            "from": "the first ten of these addresses, in the order they came; personal",
        },
        refs={
            "about": "the `token:` they came with",
            "refused": "the `actor:` behind the credential",
        },
        personal=("/from",),
        actor=_SERVER,
    ),
    own_type(
        "witness.alarmed",
        noun="log",
        meaning="A witness has seen another history of this log than the one that is here.",
        title="was told of another history of this log[ by witness {data.witness}]",
        row=LISTED,
        data={
            "witness": "audit",
            "kind": "larger",
            "log": "default",
            "size": 4_711,
            "held_size": 4_890,
            "why": "holds a checkpoint of 4890 entries, this log has 4711",
        },
        members={
            "witness": "its name in the settings",
            "kind": "`larger`: it holds a size never signed here; `forked`: no way leads from what it holds",
            "log": "the project whose log it is about, `_aggregate` for the aggregate log",
            "size": "the size it was asked about",
            "held_size": "the size it says it holds, null when it does not say",
            "why": "one line",
        },
        retention="technical",
        actor=_SERVER,
    ),
    own_type(
        "ping",
        noun="log",
        meaning="A webhook was set up and says hello.",
        title="sent a ping[ for {thing}]",
        row=LISTED,
        subject="repo:acme/shop",
        data={"event": "ping", "hook_id": 42},
        members={"event": "`ping`", "hook_id": "the webhook's number at its host"},
        refs={"about": "the `repo:`"},
    ),
)
