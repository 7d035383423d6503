"""The rule for orders that rest on a sender's word alone; see `projections.gaps`.

Who holds a credential writes `time`; the order of the log and `recordedtime` are nobody's to
choose.  Where the two orders disagree, and a time is over a minute from its record, the claimed
order is no evidence: what "came before" only by it is said to be unknown.
"""

from collections.abc import Iterator, Sequence

from counterfoil.clock import LATE_S, late_s, parse_time
from counterfoil.projections.base import At
from counterfoil.projections.chain import Gap, Known
from counterfoil.projections.changes import ChangeRow
from counterfoil.projections.gap_shared import (
    approvals_of,
    first_in_production,
    gap,
    places_of,
    reviews_by_others,
    when,
)
from counterfoil.projections.steps import in_production
from counterfoil.projections.words import commit_name, env_name, is_before, name_of, span

Named = tuple[str, At]  # how a sentence calls it, when


def order_claimed(known: Known) -> Iterator[Gap]:
    """Find approvals, reviews and first deployments that came in time by their own word alone."""
    yield from _before_production(known)
    for ref, change in known.changes.items():
        yield from _before_merge(ref, change)
        yield from _after_push(known, ref, change)


def _before_production(known: Known) -> Iterator[Gap]:
    places = places_of(known)
    elsewhere = [
        (f"the deployment to {env_name(environment)}", at)
        for _, environment, at in places
        if not in_production(known, environment)
    ]
    for ref, environment, at in first_in_production(known, places):
        prod = (f"the deployment to {env_name(environment)}", at)
        yield from _unsure("Deployment", ref, elsewhere, prod)
        for release_ref, release in known.releases.items():
            signed = [
                (f"the approval of {name_of(release_ref)}", one.at)
                for one in approvals_of(known, release_ref, release)
                if one.state == "signed"
            ]
            yield from _unsure("Approval", release_ref, signed, prod)


def _before_merge(ref: str, change: ChangeRow) -> Iterator[Gap]:
    if change.merged is not None:
        reviews = [(f"the review of {name_of(ref)}", one.at) for one in reviews_by_others(change)]
        yield from _unsure("Review", ref, reviews, ("the merge", change.merged))


def _after_push(known: Known, ref: str, change: ChangeRow) -> Iterator[Gap]:
    """Find the commits that are reviewed only by reviews said to be older than they are."""
    for commit in dict.fromkeys(known.full(head.commit) for head in change.heads):
        row = known.commits.get(commit)
        reviews = [one.at for one in reviews_by_others(change) if known.same(one.commit, commit)]
        if row is None or row.pushed is None or not reviews:
            continue
        pushed = row.pushed
        if any(not is_before(when(at), when(pushed)) for at in reviews):
            continue
        named = [(f"the review of {commit_name(commit)}", at) for at in reviews]
        yield from _unsure("Review", ref, named, ("the push", pushed))


def _unsure(lane: str, ref: str, firsts: Sequence[Named], then: Named) -> Iterator[Gap]:
    """Find that nothing of `firsts` came before `then`, except by its own word."""
    claimed = [one for one in firsts if is_before(when(one[1]), when(then[1]))]
    if not claimed or not all(only_claimed(at, then[1]) for _, at in claimed):
        return
    first = min(claimed, key=lambda one: one[1].entry)
    off = first if _late_s(first[1]) > LATE_S else then
    name = off[0][:1].upper() + off[0][1:]
    said = f"{name} says {parse_time(off[1].time):%Y-%m-%d %H:%M} and was recorded"
    if off is first:
        apart = span(first[1].time, first[1].recordedtime)
        what = f"{said} {apart} later, after {then[0]}."
    else:
        apart = span(then[1].recordedtime, then[1].time)
        what = f"{said} {apart} before that, ahead of {first[0]}."
    yield gap(
        "order_claimed", lane, ref, what, "Which came first is not known here.",
        first[1].entry, then[1].entry,
    )  # fmt: skip


def only_claimed(first: At, then: At) -> bool:
    """Say whether `first`, claimed to be the earlier one, is so by the senders' word alone.

    The log has it later, and one of the two times is over a minute from its record in the
    direction that turns the order round.
    """
    return first.entry > then.entry and (_late_s(first) > LATE_S or _late_s(then) < -LATE_S)


def _late_s(at: At) -> float:
    return late_s(at.time, at.recordedtime)
