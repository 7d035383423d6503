"""Backups on record: taken, and tried.

Files are copied by who may read them, which is no server's business; that it is done is an event
like any other.  It is recorded and published before the copy: a backup that lacked it would be
older than what the published files say at once.  What came of it is no event unless it failed.

What is said here is the caller's word: what a backup holds, its manifest says.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.backup_place import STAMP, moment_of
from counterfoil.clock import format_time
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.policy.access import LOG
from counterfoil.stores.state_milestones import What

Count = Annotated[int, msgspec.Meta(ge=0)]
Line = Annotated[str, msgspec.Meta(max_length=500)]
SUBJECT: Final = f"log:{LOG}"


class Taking(Given, frozen=True, kw_only=True):
    """A backup that is about to be taken.

    Attributes:
        stamp: its name.
        to: the folder of backups it goes to.
        keys_to: the folder of what opens contents.
        signing_keys: whether the keys that sign are in it.
    """

    stamp: str
    to: Line
    keys_to: Line
    signing_keys: bool = False


class Ending(Given, frozen=True, kw_only=True):
    """What became of it.

    Attributes:
        stamp: its name.
        logs: project -> how many entries it holds; of none where it failed.
        why: why it failed, one line; "" where it stands.
    """

    stamp: str
    logs: dict[str, Count] = msgspec.field(default_factory=dict)
    why: Line = ""


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
    """Record and publish that a backup is being taken; the copy is made after this returns.

    Raises:
        RequestError: `usage`: no such stamp can be.
        UnavailableError: `storage`, `read_only`: it is on record and not published.
    """
    given: Taking = acting.given
    entries = _record(acting, "backup.taken", msgspec.to_builtins(given), given.stamp)
    # Whoever looks from here on sees no more than the copy will hold, while nothing is recorded.
    acting.home.outside.publish()
    return Done(said=f"backup {given.stamp} is on record", entries=entries)


def ended(acting: Acting) -> Done:
    """Note how far a backup that stands goes, or record why there is none.

    Raises:
        RequestError: `usage`: no such stamp can be.
    """
    given: Ending = acting.given
    if given.why:
        failed: dict[str, JSON] = {"stamp": given.stamp, "why": given.why}
        entries = _record(acting, "backup.failed", failed, given.stamp)
        return Done(said=f"that backup {given.stamp} failed is on record", entries=entries)
    _require_stamp(given.stamp)
    # As of the copy, not of now: what came since is in no backup.
    note_milestones(acting, "backed_up", given.logs, format_time(moment_of(given.stamp)))
    return Done(said=f"backup {given.stamp} stands")


def drilled(acting: Acting) -> Done:
    """Record what trying a backup came to; one that failed is no milestone.

    Raises:
        RequestError: `usage`: no such stamp can be.
    """
    given: Drilling = acting.given
    entries = _record(acting, "backup.drilled", msgspec.to_builtins(given), given.stamp)
    if given.result == "whole":
        note_milestones(acting, "drilled", given.logs, format_time(acting.home.clock.now()))
    return Done(said=f"the drill of {given.stamp} is on record: {given.result}", entries=entries)


def note_milestones(acting: Acting, what: What, logs: Mapping[str, int], at: str) -> None:
    """Note how far each log of this ledger has come with that."""
    known = {info.project for info in acting.home.log.projects()}
    for project, size in logs.items():
        if project in known:
            acting.home.state.milestones.note(what, project, size, at)


def _record(acting: Acting, what: str, data: dict[str, JSON], stamp: str) -> tuple[int, ...]:
    _require_stamp(stamp)
    return acting.enact(what, SUBJECT, data)


def _require_stamp(stamp: str) -> None:
    if not STAMP.fullmatch(stamp):
        raise RequestError("usage", f"{stamp[:40]!a} names no backup: 20261120T120000000Z does")


ACTIONS: Final = (
    Action(
        name="backup-taken", verb="admin", takes=Taking, gives=Done, run=taken,
        doc="Record and publish that a backup is being taken, before it is copied.",
    ),
    Action(
        name="backup-ended", verb="admin", takes=Ending, gives=Done, run=ended,
        doc="Note how far a backup goes, or record why it failed.",
    ),
    Action(
        name="backup-drilled", verb="admin", takes=Drilling, gives=Done, run=drilled,
        doc="Record what trying to restore a backup came to.",
    ),
)  # fmt: skip
