"""Rules for gaps in commits, changes and their reviews; see `projections.gaps`."""

from collections.abc import Iterator

from counterfoil.projections.chain import Gap, Known
from counterfoil.projections.changes import Head, Review
from counterfoil.projections.gap_shared import (
    commits_of,
    entries_of,
    first_link,
    gap,
    reviews_by_others,
    standing_reviews,
    when,
)
from counterfoil.projections.words import (
    commit_name,
    is_before,
    name_of,
    span,
)


def commit_without_change(known: Known) -> Iterator[Gap]:
    """Find commits of the chain that no change holds or became."""
    held = {known.full(one) for change in known.changes.values() for one in commits_of(change)}
    for ref in known.of_kind("commit"):
        if ref in held:
            continue
        row = known.commits.get(ref)
        yield gap(
            "commit_without_change", "Change", ref,
            f"Commit {commit_name(ref)} has no change request on record.",
            "Nobody was asked to look at it here.",
            row.pushed.entry if row and row.pushed else first_link(known, ref),
        )  # fmt: skip


def change_without_review(known: Known) -> Iterator[Gap]:
    """Find changes without a review that stands."""
    for ref, change in known.changes.items():
        if standing_reviews(change):
            continue
        yet = " yet" if change.state == "open" else ""
        yield gap(
            "change_without_review", "Review", ref,
            f"Change {name_of(ref)} has no review{yet}.",
            "Nobody except its author has looked at it, as far as the log knows.",
            *entries_of(change.created, change.merged, change.heads[-1].at if change.heads else None),
        )  # fmt: skip


def commit_after_review(known: Known) -> Iterator[Gap]:
    """Find heads of a change that the last review by somebody else did not see."""
    for ref, change in known.changes.items():
        reviews = reviews_by_others(change)
        heads = [head for head in change.heads if not known.same(head.commit, change.merge_commit)]
        if not reviews or not heads:
            continue
        last = max(reviews, key=lambda one: one.at.entry)
        which = "only" if len(reviews) == 1 else "last"
        seen = [place for place, head in enumerate(heads) if known.same(head.commit, last.commit)]
        later = (
            heads[seen[-1] + 1 :]
            if seen
            else [head for head in heads if head.at.entry > last.at.entry]
        )
        for head in later:
            yield _unseen_commit(known, ref, head, last, which)


def _unseen_commit(known: Known, ref: str, head: Head, last: Review, which: str) -> Gap:
    row = known.commits.get(known.full(head.commit))
    pushed = row.pushed if row and row.pushed else head.at
    after = span(last.at.time, pushed.time)
    name = commit_name(head.commit)
    if after is not None:
        what = f"Commit {name} was pushed {after} after the {which} review."
    elif last.commit is not None and not known.same(last.commit, head.commit):
        what = (
            f"Commit {name} was not in the {which} review, which was of {commit_name(last.commit)}."
        )
    else:
        what = f"Commit {name} was recorded after the {which} review."
    return gap(
        "commit_after_review", "Review", ref, what,
        "Nobody except its author has looked at it.", pushed.entry, last.at.entry,
    )  # fmt: skip


def reviewed_by_author(known: Known) -> Iterator[Gap]:
    """Find changes that only their author reviewed."""
    for ref, change in known.changes.items():
        reviews = standing_reviews(change)
        if change.author is None or not reviews or reviews_by_others(change):
            continue
        yield gap(
            "reviewed_by_author", "Review", ref,
            f"Change {name_of(ref)} was reviewed only by its author.",
            "Nobody else has looked at it.",
            *(review.at.entry for review in reviews),
        )  # fmt: skip


def merged_before_review(known: Known) -> Iterator[Gap]:
    """Find changes that were merged before anybody else looked."""
    for ref, change in known.changes.items():
        reviews = reviews_by_others(change)
        if change.merged is None or not reviews:
            continue
        merged = when(change.merged)
        earliest = min(reviews, key=lambda one: one.at.entry)
        if any(is_before(when(one.at), merged) for one in reviews):
            continue
        after = span(change.merged.time, earliest.at.time)
        lead = f"{after} before" if after else "before"
        yield gap(
            "merged_before_review", "Review", ref,
            f"Change {name_of(ref)} was merged {lead} its first review.",
            "Nobody except its author had looked at it by then.",
            change.merged.entry, earliest.at.entry,
        )  # fmt: skip
