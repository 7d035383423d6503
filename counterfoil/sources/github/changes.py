"""`pull_request` and `pull_request_review` -> CDEvents `change.*`.

Source: docs.github.com, webhook events `pull_request`, `pull_request_review`; CDEvents 0.5.1
source code version control events.
"""

from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event
from counterfoil.events.refs import safe_id
from counterfoil.sources.github.delivery import (
    Delivery,
    dig,
    flag,
    members,
    moment,
    number,
    text,
)

CREATED = "dev.cdevents.change.created.0.4.0"
UPDATED = "dev.cdevents.change.updated.0.3.0"
MERGED = "dev.cdevents.change.merged.0.3.0"
ABANDONED = "dev.cdevents.change.abandoned.0.3.0"
REVIEWED = "dev.cdevents.change.reviewed.0.3.0"

MAX_PEOPLE = 50


def read_pull_request(delivery: Delivery) -> list[Event]:
    """Return the one event of a pull request's new state."""
    body, change = delivery.body, _change(delivery)
    merged = flag(body, "pull_request", "merged") is True
    event_type, clock = UPDATED, "updated_at"
    if delivery.action == "opened":
        event_type, clock = CREATED, "created_at"
    elif delivery.action == "closed":
        event_type, clock = (MERGED, "merged_at") if merged else (ABANDONED, "closed_at")
    refs = _refs(delivery)
    if merged:
        refs.append((delivery.commit("pull_request", "merge_commit_sha"), "merged-as"))
        refs.append((delivery.actor("pull_request", "merged_by"), "merged-by"))
    return [
        delivery.make(
            event_type,
            subject=change,
            refs=refs,
            time=_time(body, "pull_request", clock),
            content=_content(delivery),
            facts={
                **_facts(body),
                "before": text(body, "before", size_bytes=64),
                "after": text(body, "after", size_bytes=64),
                "label": text(body, "label", "name", size_bytes=200),
            },
        )
    ]


def read_review(delivery: Delivery) -> list[Event]:
    """Return the one event of a review: its verdict, and which commit was looked at.

    A later dismissal or edit of the same review is another event about the same `review:` ref.
    """
    body, change = delivery.body, _change(delivery)
    review = number(body, "review", "id")
    review_ref = None
    if review is not None:
        review_ref = f"review:{change.removeprefix('change:')}/{review}"
    commit = text(body, "review", "commit_id", size_bytes=64)
    time = _time(body, "review", "submitted_at")
    if delivery.action != "submitted":
        # A dismissal carries the time of the review it dismisses; the change's own is nearer.
        time = _time(body, "review", "updated_at", "pull_request", "updated_at")
    return [
        delivery.make(
            REVIEWED,
            subject=change,
            refs=[
                (review_ref, "about"),
                (delivery.commit_ref(commit), "reviewed"),
                (delivery.actor("review", "user"), "reviewer"),
                (delivery.actor("pull_request", "user"), "author"),
            ],
            time=time,
            content=_content(delivery),
            facts={
                **_facts(body),
                "review_id": review,
                "review_state": (text(body, "review", "state", size_bytes=100) or "").lower(),
                "commit_id": commit,
                "author_association": text(body, "review", "author_association", size_bytes=100),
                "submitted_at": moment(dig(body, "review", "submitted_at")),
                "url": text(body, "review", "html_url"),
            },
        )
    ]


def _change(delivery: Delivery) -> str:
    repository = delivery.need_repository()
    found = number(delivery.body, "pull_request", "number") or number(delivery.body, "number")
    if found is None:
        raise delivery.lacking("pull_request.number")
    return f"change:{repository}#{found}"


def _content(delivery: Delivery) -> dict[str, JSON]:
    return {
        "description": text(delivery.body, "pull_request", "title"),
        "repository": {"id": delivery.need_repository()},
    }


def _refs(delivery: Delivery) -> list[tuple[str | None, str]]:
    body, repository = delivery.body, delivery.need_repository()
    base = text(body, "pull_request", "base", "ref", size_bytes=300)
    refs = [
        (delivery.commit("pull_request", "head", "sha"), "contains"),
        (f"branch:{repository}@{safe_id(base)}" if base else None, "target"),
        (delivery.actor("pull_request", "user"), "author"),
    ]
    for role, names in (("reviewer", "requested_reviewers"), ("assignee", "assignees")):
        for person in members(body, "pull_request", names)[:MAX_PEOPLE]:
            login = text(person, "login", size_bytes=200)
            if login:
                named = "requested-reviewer" if role == "reviewer" else role
                refs.append((f"actor:{delivery.host}:{safe_id(login)}", named))
    return refs


def _facts(body: JSON) -> dict[str, JSON]:
    pull: JSON = dig(body, "pull_request")
    return {
        "title": text(pull, "title"),
        "url": text(pull, "html_url"),
        "number": number(pull, "number"),
        "state": text(pull, "state", size_bytes=100),
        "draft": flag(pull, "draft"),
        "merged": flag(pull, "merged"),
        "head": text(pull, "head", "ref", size_bytes=300),
        "head_sha": text(pull, "head", "sha", size_bytes=64),
        "base": text(pull, "base", "ref", size_bytes=300),
        "base_sha": text(pull, "base", "sha", size_bytes=64),
        "merge_commit_sha": text(pull, "merge_commit_sha", size_bytes=64),
        "commits": number(pull, "commits"),
        "changed_files": number(pull, "changed_files"),
        "additions": number(pull, "additions"),
        "deletions": number(pull, "deletions"),
    }


def _time(body: JSON, *pairs: str) -> str | None:
    """Return the first time found at the (object, member) pairs, else the object's update."""
    for noun, member in zip(pairs[::2], pairs[1::2], strict=True):
        if time := moment(dig(body, noun, member)):
            return time
    return moment(dig(body, pairs[0], "updated_at"))
