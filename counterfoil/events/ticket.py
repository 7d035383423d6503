"""Tickets and incidents: what people have to look after."""

from collections.abc import Mapping

from counterfoil.events.canonical import JSON
from counterfoil.events.kinds import LISTED, EventType, cdevents_type

_DIGEST = "0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"


def _incident(
    predicate: str, meaning: str, title: str, more: Mapping[str, JSON] | None = None
) -> EventType:
    return cdevents_type(
        f"incident.{predicate}.0.3.0",
        noun="ticket",
        meaning=meaning,
        title=title,
        row=LISTED,
        ident="INC-77",
        subject="ticket:INC-77",
        content={
            "description": "checkout answers above 100 ms",
            "environment": {"id": "production"},
            "service": {"id": "shop"},
            "artifactId": f"pkg:oci/shop@sha256%3A{_DIGEST}",
            **(more or {}),
        },
        members={
            "description": "what is wrong, free text",
            "environment.id": "where",
            "service.id": "which service",
            "artifactId": "package URL of what runs there",
            **({"ticketURI": "the ticket people follow"} if more else {}),
        },
        refs={"environment": "the `env:` it is in", "about": "the `artifact:` that runs there"},
    )


def _ticket(
    predicate: str, meaning: str, title: str, more: Mapping[str, JSON] | None = None
) -> EventType:
    return cdevents_type(
        f"ticket.{predicate}.0.2.0",
        noun="ticket",
        meaning=meaning,
        title=title,
        row=LISTED,
        ident="SHOP-42",
        subject="ticket:SHOP-42",
        content={
            "summary": "Cart total is off by one cent",
            "ticketType": "bug",
            "creator": "Ana Dev",
            "assignees": ["Bo Dev"],
            "priority": "high",
            "labels": ["cart"],
            "uri": "https://tickets.example/SHOP-42",
            **(more or {}),
        },
        members={
            "summary": "the title",
            "ticketType": "such as `bug`, `task` or `enhancement`",
            "group": "the team it belongs to",
            "creator": "who wrote it; personal",
            "assignees": "who is to work on it; personal",
            "priority": "as the tracker has it",
            "labels": "as the tracker has them",
            "milestone": "as the tracker has it",
            "uri": "where people look at it",
            **({"updatedBy": "who changed it; personal"} if more else {}),
            **({"resolution": "how it ended"} if more and "resolution" in more else {}),
        },
        refs={"author": "the `actor:` who wrote it", "assignee": "the `actor:` who works on it"},
        personal=("creator", "assignees", "updatedBy"),
    )


TYPES = (
    _ticket("created", "A ticket was opened.", "opened {thing}[: {content.summary}]"),
    _ticket(
        "updated",
        "A ticket changed.",
        "updated {thing}[: {content.summary}]",
        {"updatedBy": "Bo Dev"},
    ),
    _ticket(
        "closed",
        "A ticket was closed.",
        "closed {thing}[ as {content.resolution}][: {content.summary}]",
        {"updatedBy": "Bo Dev", "resolution": "completed"},
    ),
    _incident(
        "detected",
        "A machine saw that something is wrong.",
        "detected incident[ {ident}][ in {content.environment.id}][: {content.description}]",
    ),
    _incident(
        "reported",
        "Somebody said that something is wrong.",
        "reported incident[ {ident}][ in {content.environment.id}][: {content.description}]",
        {"ticketURI": "https://tickets.example/INC-77"},
    ),
    _incident(
        "resolved",
        "It is right again.",
        "resolved incident[ {ident}][ in {content.environment.id}][: {content.description}]",
    ),
)
