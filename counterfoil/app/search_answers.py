"""What a search answers: lines, counts by value and by time, and why nothing was found."""

import dataclasses

from counterfoil.app.answers import LogLine


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """One value of a facet.

    Attributes:
        value: as a word of the search takes it, such as "passed" or "github.com:ana-dev".
        label: as people read it.
        count: matching entries with this value, whatever else of this facet is asked for.
        chosen: the search asks for it.
        query: the search with this value added, or taken out if it is chosen.
    """

    value: str
    label: str
    count: int
    chosen: bool
    query: str


@dataclasses.dataclass(frozen=True, slots=True)
class Facet:
    """Matching entries by the value of one field, most first.

    Attributes:
        key: the word of the search it stands for: outcome, actor, type, via or source.
        values: the most frequent ones.
        others: matching entries with a value that is not among them.
    """

    key: str
    values: tuple[Value, ...]
    others: int


@dataclasses.dataclass(frozen=True, slots=True)
class Bucket:
    """Matching entries recorded in one stretch of time.

    Attributes:
        start: where it begins, RFC 3339; it ends where the next one begins.
        count: entries that match, but for the words `since:` and `until:`.
        failed: those of them whose outcome is failed or error.
        inside: it begins within `since:` and `until:`.
    """

    start: str
    count: int
    failed: int
    inside: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Histogram:
    """Matching entries over time.

    Attributes:
        end: where the last bucket ends, RFC 3339; None when there is none.
        bucket_s: seconds each spans.
        buckets: oldest first, none left out; empty in an empty log.
    """

    end: str | None
    bucket_s: int
    buckets: tuple[Bucket, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Without:
    """What would be found without a part of the search.

    Attributes:
        words: the part that excludes most, as written.
        query: the search without it.
        count: entries that one finds.
    """

    words: str
    query: str
    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Unknown:
    """A word that fits no entry of the log at that moment.

    Attributes:
        position: where it stands: characters from 0.
        word: as written.
        suggestion: the nearest word that does fit entries, "" if none is near.
    """

    position: int
    word: str
    suggestion: str


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The answer to a search.

    Attributes:
        project: the log that was searched.
        query: as it was asked.
        as_of: entry number the answer is as of; -1 before any.
        total: entries that match.
        items: the newest of them, newest first.
        next: cursor of the older ones, or None.
        facets: counts by value.
        histogram: counts by time.
        without: what excludes most, when nothing was found; else None.
        unknown: words that fit nothing at all.
    """

    project: str
    query: str
    as_of: int
    total: int
    items: tuple[LogLine, ...]
    next: str | None
    facets: tuple[Facet, ...]
    histogram: Histogram
    without: Without | None
    unknown: tuple[Unknown, ...]
