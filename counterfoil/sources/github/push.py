"""`push` and what a repository's branches do -> `commit.pushed`, `branch.created`, `branch.deleted`.

One event for each commit, because reviews, runs and releases speak of commits.  The time is
`repository.pushed_at`, when GitHub took the push; a commit's own time is its author's clock and is
kept as `committed`.
Source: docs.github.com, webhook event `push`.
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
    text,
)

PUSHED = "dev.cdeventsx.counterfoil-commit.pushed.0.1.0"
BRANCH_CREATED = "dev.cdevents.branch.created.0.3.0"
BRANCH_DELETED = "dev.cdevents.branch.deleted.0.3.0"

# GitHub lists up to 2,048 commits of a push.  Beyond this many only the newest become events;
# `commits` says how many there were and the raw delivery keeps them all.
MAX_COMMITS = 500
_HEADS = "refs/heads/"


def branch_ref(repository: str, name: str) -> str:
    """Return the ref of a branch."""
    return f"branch:{repository}@{safe_id(name)}"


def read_push(delivery: Delivery) -> list[Event]:
    """Return the events of a push: the branch's if it came or went, then one a commit."""
    body, repository = delivery.body, delivery.need_repository()
    ref = text(body, "ref")
    if ref is None:
        raise delivery.lacking("ref")
    time = moment(dig(body, "repository", "pushed_at"))
    time = time or moment(dig(body, "head_commit", "timestamp"))
    facts = _facts(body, ref)
    branch = branch_ref(repository, ref.removeprefix(_HEADS)) if ref.startswith(_HEADS) else None
    events: list[Event] = []
    created, deleted = flag(body, "created") is True, flag(body, "deleted") is True
    if branch is not None and (created or deleted):
        events.append(
            delivery.make(
                BRANCH_DELETED if deleted else BRANCH_CREATED,
                subject=branch,
                refs=[(f"repo:{repository}", "about"), (_tip(delivery), "about")],
                time=time,
                content={"repository": {"id": repository}},
                facts=facts,
            )
        )
    commits = members(body, "commits")
    shown = commits[-MAX_COMMITS:]
    if not shown and not created and not deleted:
        shown = [dig(body, "head_commit") or {"id": dig(body, "after")}]
    for commit in shown:
        subject = delivery.commit_ref(text(commit, "id"))
        if subject is None:
            continue
        about = [
            (branch, "about"),
            (f"repo:{repository}", "about"),
            (_account(delivery, commit, "author"), "author"),
            (_account(delivery, commit, "committer"), "committer"),
        ]
        events.append(
            delivery.make(
                PUSHED,
                subject=subject,
                refs=about,
                time=time,
                facts={**facts, **_commit_facts(commit)},
                part=len(events),
            )
        )
    return events or [_ref_only(delivery, repository, facts, time)]


def _facts(body: JSON, ref: str) -> dict[str, JSON]:
    return {
        "ref": ref,
        "branch": ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else None,
        "before": text(body, "before", size_bytes=64),
        "after": text(body, "after", size_bytes=64),
        "forced": flag(body, "forced"),
        "created": flag(body, "created"),
        "deleted": flag(body, "deleted"),
        "base_ref": text(body, "base_ref"),
        "commits": len(members(body, "commits")),
        "compare": text(body, "compare"),
    }


def _commit_facts(commit: JSON) -> dict[str, JSON]:
    message = text(commit, "message") or ""
    return {
        # Only the subject line: trailers below it name people and their mail addresses.
        "message": message.splitlines()[0][:300] if message else None,
        "committed": moment(dig(commit, "timestamp")),
        "tree": text(commit, "tree_id", size_bytes=64),
        "url": text(commit, "url"),
        "distinct": flag(commit, "distinct"),
        "files": {
            name: len(members(commit, name))
            for name in ("added", "removed", "modified")
            if members(commit, name)
        }
        or None,
    }


def _account(delivery: Delivery, commit: JSON, role: str) -> str | None:
    """Return the account behind a commit's author, if GitHub knows one; its mail is not used."""
    login = text(commit, role, "username", size_bytes=200)
    return f"actor:{delivery.host}:{safe_id(login)}" if login else None


def _tip(delivery: Delivery) -> str | None:
    return delivery.commit("after") or delivery.commit("before")


def _ref_only(
    delivery: Delivery, repository: str, facts: dict[str, JSON], time: str | None
) -> Event:
    """A tag that came or went: kept as it is, about the commit it names."""
    return delivery.make(
        "dev.cdeventsx.counterfoil-repository.event.0.1.0",
        subject=f"repo:{repository}",
        refs=[(_tip(delivery), "about")],
        time=time,
        facts=facts,
    )
