"""What `admin doctor` reads of a ledger once, for all its checks: beside a server, never writing.

The ledger's database is read as `verify` reads it; state.db, which keeps a rollback journal,
under the lock that every reader of such a file takes.
"""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from counterfoil.app.config import Config
from counterfoil.client.evidence_sqlite import connect
from counterfoil.clock import parse_time
from counterfoil.events.entry import read_entry

READ_TIMEOUT_S: Final = 5.0
_LOGS: Final = """
    SELECT logs.project, logs.origin, heads.size FROM logs JOIN heads USING (project)
    ORDER BY logs.project
"""
_ENTRY: Final = "SELECT entry FROM entries WHERE project = ? AND idx = ?"


@dataclass(frozen=True, slots=True)
class Log:
    """One log, as its database has it.

    Attributes:
        project: whose it is.
        origin: its name for life.
        size: how many entries it has.
        last: when the last one was recorded, RFC 3339; "" where there is none.
        since: how many entries were recorded in the last week.
        first: when the first one was recorded, RFC 3339; "" where there is none.
    """

    project: str
    origin: str
    size: int
    last: str
    since: int
    first: str


@dataclass(frozen=True, slots=True)
class Serving:
    """The server that holds a ledger, by its own word.

    Attributes:
        url: where programs on this machine reach it.
        public_url: where people do.
        pid: its process.
        certificate: SHA-256 of what `url` shows where it is https, or "".
    """

    url: str
    public_url: str
    pid: int
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A ledger that is looked at.

    Attributes:
        directory: of the ledger, with no link in it.
        config: its settings.
        now: the moment of looking.
        logs: what its database says of them; none where it cannot be read.
        serving: the server that says it holds the ledger, if one does.
    """

    directory: Path
    config: Config
    now: datetime
    logs: Sequence[Log]
    serving: Serving | None

    def age_s(self, moment: str) -> float:
        """Return how long ago a moment was, in seconds."""
        return (self.now - parse_time(moment)).total_seconds()


def read_logs(directory: Path, week_ago: datetime) -> list[Log]:
    """Read every log's size and when it grew.

    Raises:
        sqlite3.Error, EvidenceError: it cannot be read.

    Cost: some 20 rows a log, however long it is: recorded times never step back.
    """
    with closing(connect(directory / "ledger.db")) as db:
        db.execute("PRAGMA query_only = ON")

        def recorded(project: str, index: int) -> str:
            [entry] = db.execute(_ENTRY, (project, index)).fetchone()
            return read_entry(entry).recordedtime

        found = []
        for project, origin, size in db.execute(_LOGS).fetchall():
            low, high = 0, size
            while low < high:
                middle = (low + high) // 2
                if parse_time(recorded(project, middle)) < week_ago:
                    low = middle + 1
                else:
                    high = middle
            last, first = (recorded(project, at) if size else "" for at in (size - 1, 0))
            found.append(Log(project, origin, size, last, size - low, first))
        return found


def read_state(directory: Path, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of one SELECT over state.db; none where its table is not there yet.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    path = directory / "state.db"
    if not path.exists():
        return []  # a ledger that was never served has none
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=READ_TIMEOUT_S)) as db:
        try:
            return db.execute(statement).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise


def read_serving(directory: Path) -> Serving | None:
    """Return the server that wrote DIR/server.json, None without one."""
    try:
        said = json.loads((directory / "server.json").read_text("utf-8"))
        return Serving(
            str(said["url"]), str(said["public_url"]), int(said["pid"]),
            str(said.get("certificate", "")),
        )  # fmt: skip
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
