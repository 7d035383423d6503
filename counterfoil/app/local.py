"""A ledger directory used in this process, with the words of the HTTP API.

What the command line does with `--dir` when no server holds the lock.  The export is complete
before it is closed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from counterfoil.app.actions import act
from counterfoil.app.everywhere import search_everywhere
from counterfoil.app.home import open_home
from counterfoil.app.intake import ReportOptions, report
from counterfoil.app.naming import check_named
from counterfoil.app.prove import prove
from counterfoil.app.record import LOCAL
from counterfoil.app.serving import serving_address
from counterfoil.clock import SystemClock
from counterfoil.errors import RequestError
from counterfoil.events.event import Event
from counterfoil.ids import SystemRandomness

__all__ = ["LocalLedger", "open_local", "serving_address"]

PIECE_BYTES = 256 * 1024


class LocalLedger:
    """One opened directory and one project of it."""

    def __init__(self, directory: Path, project: str) -> None:
        """Open the directory; see `counterfoil.app.home.open_home` for what may be refused."""
        check_named(project)
        self._home = open_home(directory, SystemClock(), SystemRandomness())
        self._project = project
        try:
            self._home.require_project(project)
        except BaseException:
            self._home.close()
            raise

    def record(self, events: Sequence[Event]) -> list[dict[str, Any]]:
        """Record one batch, all or nothing."""
        answers = self._home.recorder.record(self._project, events, LOCAL, "cli")
        return [answer.to_json() for answer in answers]

    def report(self, content: bytes, query: Mapping[str, str]) -> dict[str, Any]:
        """Record one test report."""
        options = msgspec.convert(dict(query), ReportOptions)
        answer = report(self._home, self._project, content, options, LOCAL, "cli")
        return answer.to_json()

    def put_blob(self, content: IO[bytes], digest: str, size_bytes: int) -> None:
        """Keep evidence bytes that hash to `digest`, read from an open file."""
        with self._home.blobs.receive(self._project, digest) as receiving:
            receiving.announce(size_bytes)
            while piece := content.read(PIECE_BYTES):
                receiving.add(piece)
            receiving.keep()

    def act(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Do an action as whoever holds the ledger's files."""
        value: dict[str, Any] = msgspec.to_builtins(act(self._home, LOCAL, name, given, "cli"))
        return value

    def trace(self, ref: str, as_of: str) -> dict[str, Any]:
        """Return the trace of a ref, as far as the log goes now."""
        self._home.follower.catch_up(self._project)
        position = self._home.reader.position(self._project, as_of) if as_of else None
        found = self._home.reader.shown_trace(self._project, ref, position)
        value: dict[str, Any] = msgspec.to_builtins(found)
        return value

    def prove(self, what: str, as_of: str, *, with_people: bool) -> bytes:
        """Return the proof file of an entry or ref, as far as the log goes now."""
        self._home.follower.catch_up(self._project)
        position = self._home.reader.position(self._project, as_of) if as_of else None
        made = prove(self._home, self._project, what, as_of=position, with_people=with_people)
        self._home.recorder.export(
            self._project, LOCAL, f"proof of {what}", len(made.content), people=with_people
        )
        return made.content

    def search(self, query: str, as_of: str, cursor: str, limit: int) -> dict[str, Any]:
        """Return a part of what a query matches, as far as the log goes now."""
        self._home.follower.catch_up(self._project)
        position = self._home.reader.position(self._project, as_of) if as_of else None
        found = self._home.reader.search(
            self._project, query, as_of=position, cursor=cursor or None, limit=limit
        )
        value: dict[str, Any] = msgspec.to_builtins(found)
        return value

    def search_everywhere(self, query: str, limit: int) -> dict[str, Any]:
        """Return what a query finds in every log, as far as they go now."""
        projects = [log.project for log in self._home.log.projects()]
        for project in projects:
            self._home.follower.catch_up(project)
        found = search_everywhere(self._home.reader, projects, query, limit)
        value: dict[str, Any] = msgspec.to_builtins(found)
        return value

    def receipt(self, index: int, as_of: str) -> bytes:
        """Return the receipt of an entry that was recorded by `as_of`."""
        self._home.follower.catch_up(self._project)
        then = self._home.reader.position(self._project, as_of) if as_of else index
        if index > then:
            raise RequestError(
                "not_found", f"entry {index} was not recorded yet: the last one then was {then}"
            )
        return self._home.outside.receipt(self._project, index)

    def receipt_of(self, source: str, event_id: str, as_of: str) -> tuple[int, bytes]:
        """Return the entry number and receipt of an event that was recorded by `as_of`."""
        index = self._home.log.find(self._project, source, event_id)
        if index is None:
            raise RequestError("not_found", f"no event {event_id!r} of {source!r} is recorded")
        return index, self.receipt(index, as_of)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._home.close()


def open_local(directory: Path, project: str) -> LocalLedger:
    """Open a ledger directory in this process."""
    return LocalLedger(directory, project)
