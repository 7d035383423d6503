"""Reading a log's lines out of a directory that others may be writing: for `tail --dir`.

Takes no lock and writes nothing: both databases are opened read-only, which a server that runs
does not notice and a server that stops does not end.  Only committed entries are seen.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from counterfoil.app.actors import Actors
from counterfoil.app.entries import Entries
from counterfoil.app.erased import ErasedBook
from counterfoil.app.naming import check_ledger, check_named
from counterfoil.errors import RequestError
from counterfoil.ids import SystemRandomness
from counterfoil.policy.directory import Directory
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.sqlite import SqliteLogStore

PART: Final = 200


class _NoRows:
    """Who acted last is asked of the rows only to resolve a bare pseudonym; lines hold entries."""

    def acted(self, projects: Sequence[str], actor: str) -> dict[str, int]:
        """Return that nothing is known."""
        del projects, actor
        return {}


class Tail:
    """The lines of one project's log, read while somebody else writes it."""

    def __init__(self, log: SqliteLogStore, keys: ErasableStore, project: str) -> None:
        self._log = log
        self._project = project
        actors = Actors(log, keys, _NoRows(), Directory())
        self._entries = Entries(log, keys, actors, ErasedBook(log, keys, keys.erasing).of)

    def size(self) -> int:
        """Return how many entries are committed."""
        return self._log.head(self._project).size

    def after(self, last: int) -> Iterator[dict[str, Any]]:
        """Yield the entries after number `last` that are committed by now, in order."""
        end = self.size()
        for start in range(last + 1, end, PART):
            for line in self._entries.lines(self._project, range(start, min(start + PART, end))):
                yield msgspec.to_builtins(line)


@contextlib.contextmanager
def open_tail(directory: Path, project: str) -> Iterator[Tail]:
    """Open a ledger directory for reading along.

    Raises:
        RequestError: `dir_missing`, `not_a_ledger`, `project_invalid`, `project_unknown`.
        UnavailableError, EvidenceError: the files cannot be read, or are damaged.
    """
    check_named(project)
    check_ledger(directory)
    with contextlib.ExitStack() as opened:
        log = SqliteLogStore(directory / "ledger.db", write=False)
        opened.callback(log.close)
        keys = ErasableStore(directory / "erasable.db", SystemRandomness(), write=False)
        opened.callback(keys.close)
        if project not in {info.project for info in log.projects()}:
            raise RequestError("project_unknown", f"this ledger has no log {project!r}")
        yield Tail(log, keys, project)
