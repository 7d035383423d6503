"""What `app.read` answers with: values for pages, the API and the command line.

Rows of the projections (`RunRow`, `CaseRow`, ...) come as the folds made them: `row.ref` is the
key, `row.entries` the evidence, `row.problems` what did not fit.  Everything here is plain data;
actors are pseudonyms until `Reader.resolve` turns them into an `ActorView`.
"""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Generic, TypeVar

from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry
from counterfoil.events.naming import BlobName
from counterfoil.projections.approvals import ApprovalRow
from counterfoil.projections.artifacts import ArtifactRow
from counterfoil.projections.changes import ChangeRow
from counterfoil.projections.commits import CommitRow
from counterfoil.projections.deployments import DeploymentRow
from counterfoil.projections.environments import EnvironmentRow
from counterfoil.projections.mentions import SequenceGap
from counterfoil.projections.releases import ReleaseRow
from counterfoil.projections.runs import CaseRow, RunRow
from counterfoil.projections.tests import TestRow
from counterfoil.projections.trace import Gap, Step, Trace
from counterfoil.tlog.keys import VerifierKey

__all__ = [
    "Activity",
    "ActorView",
    "ApprovalRow",
    "ArtifactRow",
    "BlobView",
    "CaseRow",
    "ChangeRow",
    "CommitRow",
    "DeploymentRow",
    "EntryView",
    "EnvironmentRow",
    "Gap",
    "Health",
    "LogLine",
    "Page",
    "ReleaseRow",
    "RunRow",
    "SequenceGap",
    "ShownTrace",
    "SourceRow",
    "Step",
    "TestRow",
    "Trace",
    "WitnessStatus",
]

T = TypeVar("T")
Octets = bytes  # `EntryView` has a field of that name


@dataclasses.dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a longer answer.

    Attributes:
        rows: the rows, most recent first unless the query says otherwise.
        cursor: hand it back to get the next part; None when this is the last one.
        total: how many rows there are in all parts together.
    """

    rows: tuple[T, ...]
    cursor: str | None
    total: int


@dataclasses.dataclass(frozen=True, slots=True)
class ActorView:
    """An actor as shown to people: what was claimed, what is proven, what was matched, apart.

    Attributes:
        ref: the pseudonym of what was claimed, "actor:...", or "" when the entry names nobody.
        handle: the account claimed, such as "github.com:octocat"; "erased" after erasure.
        kind: "person", "service", "agent" or "nobody": by the directory, else as claimed.
        how: the most that can be said: "proven" (whoever holds the credential is the actor),
            "matched" (the directory says whose account it was then) or "claimed" (the sender
            says so).
        matched: handle of the actor whose account it was, by the directory; "" for nobody's.
        credential: id of what the entry came under.
        prover: handle of who holds that credential; "" where it is nobody's.
        behalf: of an agent or a service: handle of the person who answers for it.
    """

    ref: str
    handle: str
    kind: str
    how: str
    matched: str = ""
    credential: str = ""
    prover: str = ""
    behalf: str = ""

    @property
    def shown(self) -> str:
        """What people are called: by the directory if it knows them, else by the account."""
        return self.matched or self.handle


@dataclasses.dataclass(frozen=True, slots=True)
class LogLine:
    """One entry as one sentence.

    Attributes:
        index: entry number, from 0.
        time: when it happened, by the sender's word.
        recordedtime: when it was recorded, by the server's clock.
        actor: who did it.
        sentence: what was done to what, past tense, without the actor.
        outcome: "passed", "failed", "skipped", "error", "cancelled", or None.
        demo: the entry came with the demonstration data.
        via: how it arrived: webhook, cli, pytest, api, ...
        source: the event's source.
        type: the event's type.
        subject: the ref it is about, or None.
        erased: its body has been erased.
        id: the event's id, unique within its source.
        time_claimed: `time` is the sender's word; False where the time of receipt stands in.
    """

    index: int
    time: str
    recordedtime: str
    actor: ActorView
    sentence: str
    outcome: str | None
    demo: bool
    via: str
    source: str
    type: str
    subject: str | None
    erased: bool
    id: str
    time_claimed: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShownTrace(Trace):
    """A trace with the accounts behind its pseudonyms, for whoever may read.

    Attributes:
        actors: handle by pseudonym; "erased" after erasure.
    """

    actors: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class BlobView:
    """Evidence bytes an event names.

    Attributes:
        name: digest, file name and media type, as the event says.
        stored: "sha256:HEX" of the stored bytes, or None when they are not kept here.
    """

    name: BlobName
    stored: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class EntryView:
    """One entry with everything that can be opened of it.

    Attributes:
        index: entry number, from 0.
        entry: the public envelope.
        bytes: the exact entry bytes: the leaf.
        leaf_hash: its 32-byte leaf hash.
        event: the event as posted, as far as it can be opened.
        erased: names of the committed parts whose key is gone ("body", "authid", pointers).
        closed: names of the personal values of the data that are there and not shown to whoever
            asks (pointers); accounts are never among them.
        receipt: a C2SP tlog-proof of this entry under the checkpoint that most witnesses cosigned.
        actor: who did it.
        sentence: what was done to what.
        outcome: as in `LogLine`.
        blobs: the evidence files it names.
        demo: the entry came with the demonstration data.
        time_claimed: as in `LogLine`.
        gone: of each absent part, blobs too, its name and in words by which event it is.
    """

    index: int
    entry: Entry
    bytes: Octets
    leaf_hash: Octets
    event: Mapping[str, JSON]
    erased: tuple[str, ...]
    receipt: Octets
    actor: ActorView
    sentence: str
    outcome: str | None
    blobs: tuple[BlobView, ...]
    demo: bool
    time_claimed: bool = True
    closed: tuple[str, ...] = ()
    gone: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class WitnessStatus:
    """How far one witness is with one log.

    Attributes:
        name: as the settings call it.
        vkey: its key.
        size: entries under the latest checkpoint it cosigned; 0 before the first.
        cosigned_at: when it did, by its own clock; None before.
        problem: why there is no cosignature of what is published, one line; "" while there is.
        alarm: what it says about another history, one line; "" for none.
    """

    name: str
    vkey: VerifierKey
    size: int
    cosigned_at: datetime.datetime | None
    problem: str
    alarm: str


@dataclasses.dataclass(frozen=True, slots=True)
class Health:
    """How far the log, its checkpoint, its export and its rows have come: all sizes in entries.

    Attributes:
        size: entries committed.
        root: the 32-byte root at `size`.
        origin: the log's name.
        checkpoint_size: size of the latest signed checkpoint.
        checkpoint: the signed note itself.
        exported_size: size of the checkpoint in the public directory, or None when unknown.
        followed: entries folded into the rows; behind `checkpoint_size` for moments only.
        stopped: why following stopped, one line, or None.
        last_recorded: recorded time of the last entry, or None in an empty log.
        gaps: how many numbered events of producers never arrived.
        witnessed_size: how many entries, from the first on, some witness has cosigned.
        witnesses: how far each is.
        aggregate_problem: why the aggregate log does not go on, one line; "" while it does.
        reread: how far what is kept was read again, and what came of it; None where nobody does.
    """

    size: int
    root: bytes
    origin: str
    checkpoint_size: int
    checkpoint: bytes
    exported_size: int | None
    followed: int
    stopped: str | None
    last_recorded: str | None
    gaps: int
    witnessed_size: int = 0
    witnesses: tuple[WitnessStatus, ...] = ()
    aggregate_problem: str = ""
    reread: "Reread | None" = None


@dataclasses.dataclass(frozen=True, slots=True)
class Reread:
    """How far a log was read again from the disk.

    Attributes:
        size: entries read in this pass.
        ended: when the last pass through all of it ended, RFC 3339; "" before the first.
        damaged: in how many places it is not what was recorded.
    """

    size: int
    ended: str
    damaged: int


@dataclasses.dataclass(frozen=True, slots=True)
class SourceRow:
    """What one source has sent.

    Attributes:
        source: the events' source.
        count: entries from it, at the moment asked for.
        last: number of the last of them.
        last_time: its recorded time.
        via: how that one arrived.
        buckets: entries in each of the 24 hours before the moment asked for, oldest first.
        demo: it is demonstration data.
    """

    source: str
    count: int
    last: int
    last_time: str
    via: str
    buckets: tuple[int, ...]
    demo: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Activity:
    """Entries over time, for the ruler of the as-of bar.

    Attributes:
        start: recorded time the first bucket begins at, or None in an empty log.
        end: recorded time the last bucket ends at, exclusive.
        bucket_s: seconds a bucket spans: whole hours, so that there are at most 180.
        counts: entries in each bucket.
        firsts: number of the first entry at or after each bucket's beginning.
    """

    start: str | None
    end: str | None
    bucket_s: int
    counts: tuple[int, ...]
    firsts: tuple[int, ...]
