"""Changes: pull requests and merge requests, their heads, their reviews, how they ended."""

import msgspec

from counterfoil.projections.base import (
    At,
    Projection,
    Recorded,
    Row,
    Scalar,
    about,
    content,
    custom,
    first,
    grow,
    moment,
    noun_of,
    odd,
    refs_of,
    text,
)

COMMITS_KEPT = 500
REVIEWS_KEPT = 300
_REVIEW_WORDS = {
    "approved": "approved",
    "approve": "approved",
    "success": "approved",
    "changes_requested": "changes_requested",
    "request_changes": "changes_requested",
    "rejected": "changes_requested",
    "failure": "changes_requested",
    "commented": "commented",
    "comment": "commented",
    "dismissed": "dismissed",
}


class Head(msgspec.Struct, frozen=True):
    """A commit that was the head of a change from `at` on."""

    commit: str
    at: At


class Review(msgspec.Struct, frozen=True):
    """One review.

    Attributes:
        outcome: "approved", "changes_requested", "commented", "dismissed", or what the sender says.
        commit: the `commit:` that was looked at; the head at that moment if the sender names none.
        reviewer: the pseudonym of who reviewed, or None.
        at: when, with entry and actor.
        review: the `review:` ref, or None.
    """

    outcome: str
    commit: str | None
    reviewer: str | None
    at: At
    review: str | None = None


class ChangeRow(Row, frozen=True, kw_only=True):
    """One change.  `ref` is a `change:` ref.

    Attributes:
        title: in the sender's words.
        url: where the sender shows it.
        state: "open", "merged" or "abandoned".
        author: pseudonym of who proposed it.
        target: the branch it is for.
        heads: its head commits in the order they were told.
        commits: every `commit:` that was named with it.
        reviews: in the order they were told.
        created, merged, abandoned: when, with entry and actor.
        merge_commit: the `commit:` it was merged as.
    """

    title: str | None = None
    url: str | None = None
    state: str = "open"
    author: str | None = None
    target: str | None = None
    heads: tuple[Head, ...] = ()
    commits: tuple[str, ...] = ()
    reviews: tuple[Review, ...] = ()
    created: At | None = None
    merged: At | None = None
    abandoned: At | None = None
    merge_commit: str | None = None


def touches(recorded: Recorded) -> tuple[str, ...]:
    """Return the changes an entry is about: its own events, and pushes that name a change."""
    noun, predicate = noun_of(recorded.entry.type)
    if noun == "change":
        return about(recorded, "change")[:1]
    if (noun, predicate) == ("commit", "pushed"):
        return refs_of(recorded, "change")
    return ()


def fold(key: str, row: ChangeRow | None, recorded: Recorded) -> ChangeRow:
    """Return the change after one more entry."""
    before = row or ChangeRow(ref=key)
    at = moment(recorded)
    noun, predicate = noun_of(recorded.entry.type)
    if noun == "commit":
        pushed = first(about(recorded, "commit"))
        return _with_head(_seen(before, (pushed,) if pushed else (), recorded), pushed, at)
    described = _describe(before, recorded)
    if predicate == "reviewed":
        return _reviewed(described, recorded, at)
    head = first(refs_of(recorded, "commit", "contains", "head", "input", "output"))
    described = _with_head(described, head, at)
    match predicate:
        case "created":
            return msgspec.structs.replace(described, created=described.created or at)
        case "updated":
            return described
        case "merged":
            return _merged(described, recorded, at)
        case "abandoned":
            state = described.state if described.state == "merged" else "abandoned"
            return msgspec.structs.replace(described, state=state, abandoned=at)
        case _:
            what = f"{recorded.entry.type[:100]} is no step of a change"
            problems = odd(described.problems, at.entry, what)
            return msgspec.structs.replace(described, problems=problems)


def _describe(row: ChangeRow, recorded: Recorded) -> ChangeRow:
    body, more = content(recorded), custom(recorded)
    row = _seen(row, refs_of(recorded, "commit", "contains", "head", "input", "output"), recorded)
    _, predicate = noun_of(recorded.entry.type)
    author = first(refs_of(recorded, "actor", "author"))
    if author is None and predicate == "created":
        author = recorded.actor
    state = row.state
    if predicate == "updated" and state == "abandoned" and text(more, "state") == "open":
        state = "open"
    return msgspec.structs.replace(
        row,
        title=text(more, "title") or text(body, "title") or text(body, "description") or row.title,
        url=text(more, "url") or text(body, "url") or row.url,
        author=author or row.author,
        target=first(refs_of(recorded, "branch", "target")) or row.target,
        state=state,
    )


def _seen(row: ChangeRow, commits: tuple[str, ...], recorded: Recorded) -> ChangeRow:
    """Return the row with the entry counted and the commits it holds."""
    return msgspec.structs.replace(
        row,
        commits=tuple(dict.fromkeys((*row.commits, *commits)))[:COMMITS_KEPT],
        entries=grow(row.entries, recorded.index),
    )


def _with_head(row: ChangeRow, commit: str | None, at: At) -> ChangeRow:
    """Return the row with `commit` as its head from `at` on, unless it is the head already."""
    if commit is None or (row.heads and row.heads[-1].commit == commit):
        return row
    return msgspec.structs.replace(row, heads=(*row.heads, Head(commit, at))[-COMMITS_KEPT:])


def _reviewed(row: ChangeRow, recorded: Recorded, at: At) -> ChangeRow:
    """Return the row with one more review; a later word about the same review takes its place."""
    more, body = custom(recorded), content(recorded)
    word = text(more, "review_state") or text(more, "outcome") or text(body, "outcome") or ""
    named = first(refs_of(recorded, "commit", "reviewed", "approves")) or first(
        refs_of(recorded, "commit")
    )
    review = Review(
        outcome=_REVIEW_WORDS.get(word.lower(), word.lower()[:40] or "reviewed"),
        commit=named or (row.heads[-1].commit if row.heads else None),
        reviewer=first(refs_of(recorded, "actor", "reviewer")) or recorded.actor,
        at=at,
        review=first(about(recorded, "review")),
    )
    kept = tuple(one for one in row.reviews if review.review is None or one.review != review.review)
    return msgspec.structs.replace(row, reviews=(*kept, review)[-REVIEWS_KEPT:])


def _merged(row: ChangeRow, recorded: Recorded, at: At) -> ChangeRow:
    problems = row.problems
    if row.merged is not None:
        problems = odd(problems, at.entry, f"merged again, after entry {row.merged.entry}")
    return msgspec.structs.replace(
        row,
        state="merged",
        merged=row.merged or at,
        merge_commit=first(refs_of(recorded, "commit", "merged-as")) or row.merge_commit,
        problems=problems,
    )


def _index(row: ChangeRow) -> dict[str, Scalar]:
    return {"state": row.state, "merge_commit": row.merge_commit}


CHANGES = Projection(
    noun="changes",
    row=ChangeRow,
    columns={"state": "text", "merge_commit": "text"},
    touches=touches,
    fold=fold,
    index=_index,
)
