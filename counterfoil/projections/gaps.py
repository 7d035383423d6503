"""What is missing in a chain: one function for each rule, and the table of them.

A gap is said in two plain sentences: what has no step, and whom or what that leaves out.  It says
what is not on record, not that it did not happen; nobody is blamed.  docs/gaps.md explains every
rule; a test holds the page and the table together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from counterfoil.projections.chain import LANES, Gap, Known, Step
from counterfoil.projections.gap_build import (
    another_digest_tested,
    artifact_without_build,
    artifact_without_commit,
    cases_missing,
    nothing_tested,
    release_without_contents,
    run_failed,
    run_without_end,
    run_without_outcome,
)
from counterfoil.projections.gap_change import (
    change_without_review,
    commit_after_review,
    commit_without_change,
    merged_before_review,
    reviewed_by_author,
)
from counterfoil.projections.gap_delivery import (
    approval_unsigned,
    approved_by_author,
    deployed_before_approval,
    no_approval,
    not_in_production,
    straight_to_production,
)
from counterfoil.projections.gap_order import order_claimed
from counterfoil.projections.gap_shared import gap
from counterfoil.projections.mentions import Arrival, SequenceGap
from counterfoil.projections.words import (
    plural,
)

RULES: Mapping[str, Callable[[Known], Iterator[Gap]]] = MappingProxyType(
    {
        "commit_without_change": commit_without_change,
        "change_without_review": change_without_review,
        "commit_after_review": commit_after_review,
        "reviewed_by_author": reviewed_by_author,
        "merged_before_review": merged_before_review,
        "artifact_without_build": artifact_without_build,
        "artifact_without_commit": artifact_without_commit,
        "release_without_contents": release_without_contents,
        "nothing_tested": nothing_tested,
        "another_digest_tested": another_digest_tested,
        "run_failed": run_failed,
        "cases_missing": cases_missing,
        "run_without_end": run_without_end,
        "run_without_outcome": run_without_outcome,
        "no_approval": no_approval,
        "approval_unsigned": approval_unsigned,
        "approved_by_author": approved_by_author,
        "deployed_before_approval": deployed_before_approval,
        "straight_to_production": straight_to_production,
        "not_in_production": not_in_production,
        "order_claimed": order_claimed,
    }
)

# Rules about how the entries themselves came, whatever chain they are of.
ENTRY_RULES = ("evidence_absent", "sequence_gap")


def find_gaps(
    known: Known,
    steps: Sequence[Step],
    arrivals: Sequence[Arrival],
    skipped: Sequence[SequenceGap],
) -> tuple[Gap, ...]:
    """Return the gaps of a chain in the order of the lanes, then of the entries.

    Args:
        known: the chain.
        steps: its steps.
        arrivals: how the entries of the steps arrived.
        skipped: numbers its producers skipped.
    """
    found = [gap for rule in RULES.values() for gap in rule(known)]
    found += _evidence(steps, arrivals)
    found += _sequence(known, skipped)
    order = {lane: place for place, lane in enumerate(LANES)}
    rules = {rule: place for place, rule in enumerate((*RULES, *ENTRY_RULES))}
    return tuple(
        sorted(found, key=lambda gap: (order[gap.lane], rules[gap.rule], gap.entries, gap.ref))
    )


def _evidence(steps: Sequence[Step], arrivals: Sequence[Arrival]) -> Iterator[Gap]:
    """Find entries whose evidence was not there when they were recorded."""
    of_entry: dict[int, Step] = {}
    for step in steps:
        of_entry.setdefault(step.entry, step)
    for step in steps:
        if step.end_entry is not None:
            of_entry.setdefault(step.end_entry, step)
    for one in arrivals:
        if not one.evidence_absent:
            continue
        step = of_entry[one.entry]
        yield gap(
            "evidence_absent", step.lane, step.ref,
            f"Entry {one.entry:,} ({step.sentence}) names "
            f"{plural(one.evidence_absent, 'evidence file')} that the log holds no commitment to.",
            "Bytes that are shown for it later cannot be checked against the log.", one.entry,
        )  # fmt: skip


def _sequence(known: Known, skipped: Sequence[SequenceGap]) -> Iterator[Gap]:
    for one in skipped:
        count = one.last - one.first + 1
        numbers = f"{one.first:,}" if count == 1 else f"{one.first:,} to {one.last:,}"
        start = f" (start {one.boot})" if one.boot else ""
        yield gap(
            "sequence_gap", "Runs", known.ref,
            f"Producer {one.producer}{start} has no event number {numbers} on record.",
            f"{plural(count, 'event')} of a producer of this chain never arrived.",
            one.before, one.after,
        )  # fmt: skip
