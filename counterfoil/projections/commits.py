"""Commits: who pushed which, when, onto which branch."""

import msgspec

from counterfoil.projections.base import (
    At,
    Projection,
    Recorded,
    Row,
    Scalar,
    about,
    content,
    first,
    grow,
    moment,
    noun_of,
    refs_of,
    text,
)


class CommitRow(Row, frozen=True, kw_only=True):
    """One commit, under the name one event gave it.  `ref` is a `commit:` ref.

    Attributes:
        message: its first line.
        author: pseudonym of who wrote it, or of who pushed it if nobody is named.
        branch: the `branch:` it was pushed to.
        pushed: when it was pushed first, with entry and actor.
        committed: when it was made, by its author's clock.
        url: where the sender shows it.
    """

    message: str | None = None
    author: str | None = None
    branch: str | None = None
    pushed: At | None = None
    committed: str | None = None
    url: str | None = None


def touches(recorded: Recorded) -> tuple[str, ...]:
    """Return the commit a push is about."""
    if noun_of(recorded.entry.type)[0] == "commit":
        return about(recorded, "commit")[:1]
    return ()


def fold(key: str, row: CommitRow | None, recorded: Recorded) -> CommitRow:
    """Return the commit after one more entry; its first push stays its first push."""
    before = row or CommitRow(ref=key)
    body = content(recorded)
    return msgspec.structs.replace(
        before,
        message=before.message or text(body, "message"),
        author=before.author or first(refs_of(recorded, "actor", "author")) or recorded.actor,
        branch=before.branch or first(refs_of(recorded, "branch")),
        pushed=before.pushed or moment(recorded),
        committed=before.committed or text(body, "committed"),
        url=before.url or text(body, "url"),
        entries=grow(before.entries, recorded.index),
    )


def _index(row: CommitRow) -> dict[str, Scalar]:
    return {"branch": row.branch}


COMMITS = Projection(
    noun="commits",
    row=CommitRow,
    columns={"branch": "text"},
    touches=touches,
    fold=fold,
    index=_index,
)
