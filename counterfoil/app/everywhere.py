"""One search over every log of a ledger: a person's acts, a token's whole life.

Each log is searched by itself; what comes back is put in the order it was recorded.  The clock of
one ledger is one clock, so that order holds between its logs, to the millisecond.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

from counterfoil.app.answers import LogLine
from counterfoil.app.read import Reader

LIMIT_MAX: Final = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Somewhere:
    """One entry that matches, and the log it is in."""

    project: str
    entry: LogLine


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """How many entries of a log match."""

    project: str
    total: int


@dataclasses.dataclass(frozen=True, slots=True)
class Everywhere:
    """The answer to a search over several logs.

    Attributes:
        query: as it was asked.
        total: entries that match, over all logs.
        logs: how many in each log that has any.
        items: the newest of them, newest first.
    """

    query: str
    total: int
    logs: tuple[Count, ...]
    items: tuple[Somewhere, ...]


def search_everywhere(
    reader: Reader, projects: Sequence[str], query: str, limit: int
) -> Everywhere:
    """Search some logs with one query.

    Args:
        reader: of the ledger.
        projects: the logs the caller may read.
        query: as in one log.
        limit: how many entries are wanted, at most `LIMIT_MAX`.

    Raises:
        RequestError: `query_invalid`.
    """
    found = [reader.search(project, query, limit=min(limit, LIMIT_MAX)) for project in projects]
    lines = [Somewhere(part.project, line) for part in found for line in part.items]
    lines.sort(key=lambda one: (one.entry.recordedtime, one.project, one.entry.index), reverse=True)
    return Everywhere(
        query=query,
        total=sum(part.total for part in found),
        logs=tuple(Count(part.project, part.total) for part in found if part.total),
        items=tuple(lines[:limit]),
    )
