"""The log about itself: its beginning, what it turned away, and what was handed in."""

from counterfoil.events.kinds import LISTED, own_type

# SHA-256 of the bytes: <testsuites name="cart"/> and a line feed.
_REPORT_DIGEST = "sha256:c10ad2582da169b861057a33e6924b0086439d59eabcb5d2609b8b6768b47042"
_SERVER = ("system", "counterfoil")

TYPES = (
    own_type(
        "log.started",
        noun="log",
        meaning="The first entry of a log: which log this is, and which key signs it.",
        title="started the log[ {data.origin}]",
        row=LISTED,
        data={
            "origin": "counterfoil.invalid/0123456789abcdef/default",
            "project": "default",
            "version": "0.1.0",
        },
        members={
            "origin": "the log's name in every checkpoint, fixed for life",
            "project": "the project it is the log of",
            "vkey": "the C2SP verifier key its checkpoints are signed with",
            "version": "the version of Counterfoil that made it",
        },
        retention="technical",
        actor=_SERVER,
    ),
    own_type(
        "refusal.counted",
        noun="log",
        meaning="Requests of one source were refused for one reason within one minute.",
        title="refused[ {data.count}] requests[ of {data.source}][: {data.reason}]",
        row=LISTED,
        data={
            "reason": "webhook_signature",
            "source": "github",
            "count": 3,
            "first": "2026-11-20T12:00:02.000Z",
            "last": "2026-11-20T12:00:41.000Z",
            "credential": "anonymous",
        },
        members={
            "reason": "the error code, see docs/errors.md",
            "source": "the source that was claimed, cut",
            "count": "how many",
            "first, last": "when the first and the last of them came, RFC 3339",
            "credential": "the credential the first of them came under",
        },
        retention="technical",
        actor=_SERVER,
    ),
    own_type(
        "report.received",
        noun="log",
        meaning="A test report was handed in; what it says is in events of its own.",
        title="handed in a report[, {data.name}][ with {data.cases} cases][ of {thing}]",
        row=LISTED,
        subject="run:acme/shop/902",
        data={
            "name": "junit.xml",
            "dialect": "junit",
            "cases": 97,
            "size_bytes": 26,
            "blobs": [
                {"digest": _REPORT_DIGEST, "name": "junit.xml", "mediatype": "application/xml"}
            ],
        },
        members={
            "name": "the file's name",
            "dialect": "how it was read",
            "cases": "how many test cases it holds",
            "size_bytes": "its length",
            "blobs": "the report as it came",
        },
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
