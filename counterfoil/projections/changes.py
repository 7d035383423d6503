"""Changes: pull requests and merge requests, their heads, their reviews, how they ended."""

import msgspec

from counterfoil.projections.base import At, Row


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
    """

    outcome: str
    commit: str | None
    reviewer: str | None
    at: At


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
