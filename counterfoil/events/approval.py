"""Approvals: what was asked for, and who answered what.

What is said here is a claim of whoever sent it: the credential is proven, the approver is not.
"""

from counterfoil.events.kinds import EventType, own_type


def _approval(predicate: str, meaning: str, title: str, reason: str) -> EventType:
    return own_type(
        f"approval.{predicate}",
        noun="approval",
        meaning=meaning,
        title=title,
        row="releases",
        subject="approval:shop-1.4.2-production",
        data={"environment": "production", "reason": reason},
        named=(("release:shop@1.4.2", "approves"), ("env:production", "target")),
        actor=("user", "github.com:bo-dev"),
        members={
            "environment": "where it may go, in the sender's words",
            "reason": "why, free text",
        },
        refs={
            "approves": "the `release:`, `artifact:`, `change:` or `commit:` it is about",
            "target": "the `env:` it may go to",
        },
    )


TYPES = (
    _approval(
        "requested",
        "Somebody asked for an approval.",
        "requested {thing}[ for {data.environment}][: {data.reason}]",
        "1.4.2 repairs the cart total",
    ),
    _approval(
        "signed",
        "Somebody approved, by the word of whoever sent this.",
        "signed {thing}[ for {data.environment}][: {data.reason}]",
        "96 of 97 passed, the other one is owned",
    ),
    _approval(
        "refused",
        "Somebody said no, by the word of whoever sent this.",
        "refused {thing}[ for {data.environment}][: {data.reason}]",
        "wait for the payment sandbox",
    ),
)
