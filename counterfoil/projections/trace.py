"""The chain of a thing from commit to production, and what is missing in it."""

import dataclasses

LANES = ("Commits", "Change", "Review", "Build", "Runs", "Approval", "Deployment")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One fact of the chain.

    Attributes:
        lane: one of `LANES`.
        ref: what it is about.
        entry: number of the entry that says so, from 0.
        time: when, by the sender's word.
        end: when it ended, for things that last; else None.
        end_entry: number of the entry that says it ended, or None.
        actor: the pseudonym of who did it, or None.
        sentence: what was done to what, past tense, without the actor.
        label: a few words for a drawing.
        outcome: "passed", "failed", "error", "skipped", "cancelled", "running", or None.
    """

    lane: str
    ref: str
    entry: int
    time: str
    end: str | None = None
    end_entry: int | None = None
    actor: str | None = None
    sentence: str
    label: str
    outcome: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that is missing.

    Attributes:
        rule: name of the rule that found it; docs/gaps.md explains each.
        what: what is missing, one sentence.
        why: whom or what that leaves out, one sentence; "" where `what` says it all.
        entries: numbers of the entries it rests on, ascending.
        lane: the lane it belongs to.
        ref: the thing that lacks something.
    """

    rule: str
    what: str
    why: str
    entries: tuple[int, ...]
    lane: str
    ref: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The chain of one ref as of one moment.

    Attributes:
        ref: what was asked for.
        known: the log holds an entry that names it.
        steps: by time.
        gaps: in the order of the lanes.
        refs: every ref of the chain.
        cut: the walk stopped at a limit, so the chain may be longer than shown.
    """

    ref: str
    known: bool
    steps: tuple[Step, ...]
    gaps: tuple[Gap, ...]
    refs: tuple[str, ...]
    cut: bool
