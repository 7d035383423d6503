"""Stories for projections: events as people tell them, entries as folds see them.

A story is a list of `Told`; `trail` makes it entries the way the recorder does (refs by
`events.codec`, pseudonyms readable), `replay` folds them in memory, `Memory` answers a trace.
"""

import dataclasses
import datetime
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from counterfoil.clock import format_time, parse_time
from counterfoil.events import codec
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry
from counterfoil.events.event import Event, make_event
from counterfoil.events.naming import BlobName
from counterfoil.projections.approvals import APPROVALS, ApprovalRow
from counterfoil.projections.artifacts import ARTIFACTS, ArtifactRow
from counterfoil.projections.base import Projection, Recorded, Row
from counterfoil.projections.catalogue import PROJECTIONS
from counterfoil.projections.changes import CHANGES, ChangeRow
from counterfoil.projections.commits import COMMITS, CommitRow
from counterfoil.projections.deployments import DEPLOYMENTS, DeploymentRow
from counterfoil.projections.environments import ENVIRONMENTS, EnvironmentRow
from counterfoil.projections.mentions import (
    Arrival,
    Link,
    SequenceGap,
    arrival,
    links,
    mentions,
)
from counterfoil.projections.releases import RELEASES, ReleaseRow
from counterfoil.projections.runs import CASES, RUNS, RunRow

RowT = TypeVar("RowT", bound=Row)
START = "2026-11-20T10:00:00Z"
OURS = "dev.cdeventsx.counterfoil-"
ZERO = "A" * 43 + "="


@dataclasses.dataclass(frozen=True)
class Told:
    """One event: who, what, about what, how many minutes after the start of the story.

    `minute` is what the sender claims; `recorded` is the minute it was recorded, None for the same.
    `blobs` are names of evidence files that never arrived.
    """

    by: str
    type: str
    subject: str | None
    refs: tuple[tuple[str, str], ...]
    data: Mapping[str, JSON]
    minute: float | None
    numbered: tuple[str, str, int] | None = None
    recorded: float | None = None
    blobs: tuple[str, ...] = ()


def told(
    by: str, kind: str, subject: str | None, *refs: tuple[str, str], minute: float | None = None,
    numbered: tuple[str, str, int] | None = None, custom: Mapping[str, JSON] | None = None,
    recorded: float | None = None, blobs: tuple[str, ...] = (), **content: JSON,
) -> Told:  # fmt: skip
    """Tell an event; `kind` is like "change.merged" (CDEvents) or "+release.published" (ours).

    `content` is the document's content for CDEvents, flat data for ours.
    """
    data: dict[str, JSON]
    if kind.startswith("+"):
        name, data = f"{OURS}{kind[1:]}.0.1.0", dict(content)
    else:
        name = f"dev.cdevents.{kind}.0.3.0"
        data = {
            "subject": {"id": "x", "content": dict(content)},
            "customData": dict(custom or {}),
        }
    return Told(by, name, subject, refs, data, minute, numbered, recorded, blobs)


def event_of(one: Told, place: int) -> Event:
    """Return a told event as posted."""
    producer, boot, seq = one.numbered or (None, None, None)
    return make_event(
        type=one.type, source="https://ci.example/acme/shop", id=f"e{place}",
        time=clock(place if one.minute is None else one.minute), authtype="user", authid=one.by, subject=one.subject,
        refs=one.refs, data=dict(one.data),
        blobs=[BlobName("sha256:" + 64 * "0", name, "text/plain") for name in one.blobs],
        producer=producer, boot=boot, seq=seq,
    )  # fmt: skip


def clock(minute: float) -> str:
    """Return the time so many minutes after the start of a story."""
    return format_time(parse_time(START) + datetime.timedelta(minutes=minute))


def recorded_event(event: Event, index: int, recordedtime: str | None = None) -> Recorded:
    """Return an event as a fold sees it; a pseudonym is "actor:" and the account."""
    parts = codec.split(event)
    body = msgspec.json.decode(parts.body)
    data = body.get("data")
    entry = Entry(
        id=event.id, source=event.source, type=event.type, subject=event.subject,
        time=event.time, recordedtime=recordedtime or event.time, recordedby="local", via="cli",
        producer=event.producer, boot=event.boot, seq=event.seq,
        refs=codec.public_refs(event, lambda account: f"actor:{account}"),
        retention="standard", commit={"body": ZERO, "authid": ZERO},
    )  # fmt: skip
    return Recorded(index, entry, data if isinstance(data, dict) else {}, f"actor:{event.authid}")


def trail(*story: Told) -> list[Recorded]:
    """Return a story as recorded entries, numbered from 0."""
    return [
        recorded_event(
            event_of(one, place), place, None if one.recorded is None else clock(one.recorded)
        )
        for place, one in enumerate(story)
    ]


def replay(projection: Projection[RowT], recorded: Sequence[Recorded]) -> dict[str, RowT]:
    """Fold entries into rows in memory."""
    rows: dict[str, RowT] = {}
    for one in recorded:
        for key in projection.touches(one):
            rows[key] = projection.after(key, rows.get(key), one)
    return rows


class Memory:
    """`projections.chain.Facts` over a story, in memory."""

    def __init__(self, recorded: Sequence[Recorded]) -> None:
        self.rows: dict[str, dict[str, Any]] = {
            one.noun: dict(replay(one, recorded)) for one in PROJECTIONS
        }
        self._links = [link for one in recorded for link in links(one)]
        self._refs = {mention.ref for one in recorded for mention in mentions(one)}
        self._arrivals = [arrival(one) for one in recorded]

    def names(self, commit: str) -> Sequence[str]:
        """Return every commit named in the same repository."""
        repository = commit.rpartition("@")[0]
        return sorted(ref for ref in self._refs if ref.startswith(f"{repository}@"))

    def links(self, refs: Sequence[str], limit: int) -> Sequence[Link]:
        """Return links from or to `refs`."""
        return [one for one in self._links if one.source in refs or one.target in refs][:limit]

    def mentioned(self, refs: Sequence[str]) -> bool:
        """Say whether an entry names one of `refs`."""
        return not self._refs.isdisjoint(refs)

    def _some(self, projection: Projection[RowT], refs: Sequence[str]) -> dict[str, RowT]:
        rows: dict[str, RowT] = self.rows[projection.noun]
        return {ref: rows[ref] for ref in refs if ref in rows}

    def commits(self, refs: Sequence[str]) -> Mapping[str, CommitRow]:
        """Return commits."""
        return self._some(COMMITS, refs)

    def changes(self, refs: Sequence[str]) -> Mapping[str, ChangeRow]:
        """Return changes."""
        return self._some(CHANGES, refs)

    def artifacts(self, refs: Sequence[str]) -> Mapping[str, ArtifactRow]:
        """Return artifacts."""
        return self._some(ARTIFACTS, refs)

    def runs(self, refs: Sequence[str]) -> Mapping[str, RunRow]:
        """Return runs."""
        return self._some(RUNS, refs)

    def case_counts(self, runs: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """Return cases by outcome for each run."""
        counted: dict[str, dict[str, int]] = {run: {} for run in runs}
        for row in self.rows[CASES.noun].values():
            if row.run in counted and row.final:
                counts = counted[row.run]
                counts[row.outcome] = counts.get(row.outcome, 0) + 1
        return counted

    def releases(self, refs: Sequence[str]) -> Mapping[str, ReleaseRow]:
        """Return releases."""
        return self._some(RELEASES, refs)

    def approvals(self, refs: Sequence[str]) -> Mapping[str, ApprovalRow]:
        """Return approvals."""
        return self._some(APPROVALS, refs)

    def deployments(self, refs: Sequence[str]) -> Mapping[str, DeploymentRow]:
        """Return deployments."""
        return self._some(DEPLOYMENTS, refs)

    def environments(self, refs: Sequence[str]) -> Mapping[str, EnvironmentRow]:
        """Return environments."""
        return self._some(ENVIRONMENTS, refs)

    def arrivals(self, entries: Sequence[int]) -> Sequence[Arrival]:
        """Return how `entries` arrived."""
        return [one for one in self._arrivals if one.entry in set(entries)]

    def sequence_gaps(self, entries: Sequence[int]) -> Sequence[SequenceGap]:
        """Return the numbers skipped by producers that numbered `entries`."""
        chosen = {(one.producer, one.boot) for one in self._arrivals if one.entry in set(entries)}
        found = []
        for producer, boot in chosen:
            if producer is None or boot is None:
                continue
            numbers = sorted(
                (one.seq, one.entry)
                for one in self._arrivals
                if (one.producer, one.boot) == (producer, boot) and one.seq is not None
            )
            for (low, before), (high, after) in itertools.pairwise(numbers):
                if high - low > 1:
                    found.append(SequenceGap(producer, boot, low + 1, high - 1, before, after))
        return found
