"""One search over every log of a ledger: a person's acts, a token's whole life.

Each log is searched by itself; what comes back is put in the order it was recorded.  The clock of
one ledger is one clock, so that order holds between its logs, to the millisecond, and a moment of
all of them is a time.

What must hold: a log that whoever asks may not read is not searched; neither its name nor a count
nor a suggestion of it is in the answer.
"""

import dataclasses
import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from counterfoil.app.answers import LogLine
from counterfoil.app.read import Reader
from counterfoil.app.search_answers import Found, Unknown
from counterfoil.policy.access import Credential

if TYPE_CHECKING:
    from counterfoil.app.home import Home

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
        unknown: words that fit nothing in any of the logs.
    """

    query: str
    total: int
    logs: tuple[Count, ...]
    items: tuple[Somewhere, ...]
    unknown: tuple[Unknown, ...]


def readable(home: "Home", credential: Credential) -> list[str]:
    """Return the logs somebody may read, by name; the ledger's own are last."""
    return [
        log.project
        for log in home.log.projects()
        if home.access.decide(credential, "read", log.project).allowed
    ]


def search_everywhere(
    reader: Reader, projects: Sequence[str], query: str, limit: int, at: str = ""
) -> Everywhere:
    """Search some logs with one query.

    Args:
        reader: of the ledger.
        projects: the logs the caller may read.
        query: as in one log.
        limit: how many entries are wanted, at most `LIMIT_MAX`.
        at: as it was known then, RFC 3339; "" for now.

    Raises:
        RequestError: `query_invalid`.

    Cost: that of as many searches as there are logs.
    """
    found = [
        reader.search(
            project, query, limit=min(limit, LIMIT_MAX),
            as_of=reader.position(project, at) if at else None,
        )
        for project in projects
    ]  # fmt: skip
    lines = [Somewhere(part.project, line) for part in found for line in part.items]
    lines.sort(key=lambda one: (one.entry.recordedtime, one.project, one.entry.index), reverse=True)
    return Everywhere(
        query=query,
        total=sum(part.total for part in found),
        logs=tuple(Count(part.project, part.total) for part in found if part.total),
        items=tuple(lines[:limit]),
        unknown=_unknown(found),
    )


def _unknown(found: Sequence[Found]) -> tuple[Unknown, ...]:
    """Return the words that are unknown in every log, each with the nearest suggestion."""
    told: dict[int, list[Unknown]] = {}
    for one in (each for part in found for each in part.unknown):
        told.setdefault(one.position, []).append(one)
    return tuple(
        max(same, key=_nearness) for _, same in sorted(told.items()) if len(same) == len(found)
    )


def _nearness(one: Unknown) -> float:
    return difflib.SequenceMatcher(None, one.word, one.suggestion).ratio()
