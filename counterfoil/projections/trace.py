"""The chain of a thing from commit to production, step by step, and what is missing in it.

Source: the wording of gaps is docs/gaps.md; the rules are `projections.gaps`.
"""

import dataclasses

from counterfoil.projections.base import is_demo
from counterfoil.projections.chain import LANES, Facts, Gap, Step, Trace, walk
from counterfoil.projections.gaps import find_gaps
from counterfoil.projections.steps import steps_of

__all__ = ["LANES", "Facts", "Gap", "Step", "Trace", "trace"]


def trace(ref: str, facts: Facts) -> Trace:
    """Return the chain of `ref` as of the moment `facts` is of.

    Args:
        ref: a well-formed ref of any kind; a commit may be short.
        facts: what is on record.

    Cost: one small query for each thing in the chain; both are bounded.
    """
    known = walk(ref, facts)
    steps = steps_of(known)
    entries = sorted({step.entry for step in steps})
    ends = {step.end_entry for step in steps if step.end_entry is not None}
    arrivals = facts.arrivals(sorted({*entries, *ends}))
    gaps = find_gaps(known, steps, arrivals, facts.sequence_gaps(entries))
    return Trace(
        ref=known.ref,
        known=facts.mentioned([name for name, full in known.alias.items() if full == known.ref]),
        steps=steps,
        gaps=_marked(gaps, facts),
        refs=known.refs,
        cut=known.cut,
    )


def _marked(gaps: tuple[Gap, ...], facts: Facts) -> tuple[Gap, ...]:
    """Return the gaps, marked where an entry one rests on is of the demonstration data."""
    rests_on = sorted({entry for one in gaps for entry in one.entries})
    made_up = {one.entry for one in facts.arrivals(rests_on) if is_demo(one.source)}
    return tuple(dataclasses.replace(one, demo=not made_up.isdisjoint(one.entries)) for one in gaps)
