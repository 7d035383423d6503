"""`issues` -> CDEvents `ticket.*`.

Source: docs.github.com, webhook event `issues`; CDEvents 0.5.1 ticket events.  CDEvents names the
creator and assignees by name; here they are `actor:` refs instead.
"""

from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event
from counterfoil.events.refs import safe_id
from counterfoil.sources.github.delivery import Delivery, dig, members, moment, number, text

_TYPES = {
    "opened": ("dev.cdevents.ticket.created.0.2.0", "created_at"),
    "closed": ("dev.cdevents.ticket.closed.0.2.0", "closed_at"),
}
_UPDATED = ("dev.cdevents.ticket.updated.0.2.0", "updated_at")
MAX_NAMES = 50


def read_issue(delivery: Delivery) -> list[Event]:
    """Return the one event of an issue's new state."""
    body, repository = delivery.body, delivery.need_repository()
    issue: JSON = dig(body, "issue")
    found = number(issue, "number")
    if found is None:
        raise delivery.lacking("issue.number")
    event_type, clock = _TYPES.get(delivery.action, _UPDATED)
    people: list[tuple[str | None, str]] = [(delivery.actor("issue", "user"), "author")]
    logins = [text(one, "login") for one in members(issue, "assignees")[:MAX_NAMES]]
    people += [(f"actor:{delivery.host}:{safe_id(one)}", "assignee") for one in logins if one]
    people.append((delivery.actor("assignee"), "assignee"))
    labels: list[JSON] = [
        text(label, "name", size_bytes=200) for label in members(issue, "labels")[:MAX_NAMES]
    ]
    return [
        delivery.make(
            event_type,
            subject=f"ticket:{repository}#{found}",
            refs=[(f"repo:{repository}", "about"), *people],
            time=moment(dig(issue, clock)) or moment(dig(issue, "updated_at")),
            content={
                "summary": text(issue, "title"),
                "labels": [label for label in labels if label] or None,
                "milestone": text(issue, "milestone", "title", size_bytes=200),
                "uri": text(issue, "html_url"),
                "resolution": text(issue, "state_reason", size_bytes=100)
                if delivery.action == "closed"
                else None,
            },
            facts={
                "title": text(issue, "title"),
                "state": text(issue, "state", size_bytes=100),
                "state_reason": text(issue, "state_reason", size_bytes=100),
                "closed_at": moment(dig(issue, "closed_at")),
                "label": text(body, "label", "name", size_bytes=200),
                "url": text(issue, "html_url"),
            },
        )
    ]
