"""Backups on record: taken, and tried.

Files are copied by who may read them, which is no server's business; that it was done is an event
like any other.  What is said here is the caller's word: what a backup holds, its manifest says.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.backup_place import STAMP, moment_of
from counterfoil.clock import format_time
from counterfoil.errors import RequestError
from counterfoil.policy.access import LOG
from counterfoil.stores.state_milestones import What

Count = Annotated[int, msgspec.Meta(ge=0)]
Line = Annotated[str, msgspec.Meta(max_length=500)]
SUBJECT: Final = f"log:{LOG}"


class Taking(Given, frozen=True, kw_only=True):
    """A backup that stands.

    Attributes:
        stamp: its name.
        logs: project -> how many entries it holds.
        files: how many files.
        size_bytes: of all of them.
        copied_bytes: how much of that was written.
        generations: how many backups its destination holds with it.
        signing_keys: whether the keys that sign are in it.
    """

    stamp: str
    logs: dict[str, Count]
    files: Count
    size_bytes: Count
    copied_bytes: Count
    generations: Count
    signing_keys: bool = False


class Drilling(Given, frozen=True, kw_only=True):
    """A backup that was tried.

    Attributes:
        stamp: its name; "" where it has none.
        result: "whole", "proofs" where its keys are gone, or "failed".
        logs: project -> how many entries it holds.
        opened: how many entries were opened and folded.
        findings: how many things were wrong.
        why: the first of them, one line.
        time_s: how long it took.
    """

    stamp: str
    result: Literal["whole", "proofs", "failed"]
    logs: dict[str, Count]
    opened: Count
    findings: Count
    why: Line = ""
    time_s: Count = 0


def taken(acting: Acting) -> Done:
    """Record that a backup was taken.

    Raises:
        RequestError: `usage`: no such stamp can be.
    """
    given: Taking = acting.given
    entries = _record(acting, "backup.taken", given, given.stamp)
    # As of the copy, not of now: what came since is in no backup.
    note_milestones(acting, "backed_up", given.logs, format_time(moment_of(given.stamp)))
    return Done(said=f"backup {given.stamp} is on record", entries=entries)


def drilled(acting: Acting) -> Done:
    """Record what trying a backup came to; one that failed is no milestone.

    Raises:
        RequestError: `usage`: no such stamp can be.
    """
    given: Drilling = acting.given
    entries = _record(acting, "backup.drilled", given, given.stamp)
    if given.result == "whole":
        note_milestones(acting, "drilled", given.logs, format_time(acting.home.clock.now()))
    return Done(said=f"the drill of {given.stamp} is on record: {given.result}", entries=entries)


def note_milestones(acting: Acting, what: What, logs: Mapping[str, int], at: str) -> None:
    """Note how far each log of this ledger has come with that."""
    known = {info.project for info in acting.home.log.projects()}
    for project, size in logs.items():
        if project in known:
            acting.home.state.milestones.note(what, project, size, at)


def _record(acting: Acting, what: str, given: Given, stamp: str) -> tuple[int, ...]:
    if not STAMP.fullmatch(stamp):
        raise RequestError("usage", f"{stamp[:40]!a} names no backup: 20261120T120000000Z does")
    return acting.enact(what, SUBJECT, msgspec.to_builtins(given))


ACTIONS: Final = (
    Action(
        name="backup-taken", verb="admin", takes=Taking, gives=Done, run=taken,
        doc="Record that a backup was taken, and how far it goes.",
    ),
    Action(
        name="backup-drilled", verb="admin", takes=Drilling, gives=Done, run=drilled,
        doc="Record what trying to restore a backup came to.",
    ),
)  # fmt: skip
