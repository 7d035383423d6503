"""One byte of a database file changed at a time: found, or does everything read back the same?

A database file has bytes that mean nothing.  Every other one has to be missed by none: `verify`
names the file, or a full scan of every evidence table returns what it returned before and SQLite
finds its own pages in order.  There is no third outcome.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from counterfoil.client.evidence import verify_path
from counterfoil.client.evidence_sqlite import Kind
from counterfoil.verifier.report import Report

MASK = 0x5A
LOOKED_AT_AGAIN = 16
"""Of the changes without effect, `verify` is asked about one in so many: it has to say whole."""


@dataclass
class Outcome:
    """What became of the changed bytes.

    Args:
        found: how many `verify` named the file for.
        identical: how many changed nothing that is evidence.
        stepped_back: how many led back to an earlier commit, as a receipt says.
        third: offset and findings of all others: there must be none.
    """

    found: int = 0
    identical: int = 0
    stepped_back: int = 0
    third: list[tuple[int, list[str]]] = field(default_factory=list)

    def line(self, name: str) -> str:
        """Return the counts on one line."""
        back = f" {self.stepped_back} a step back that a receipt names," * bool(self.stepped_back)
        return (
            f"{name}: {self.found} changed bytes found,{back} {self.identical} without effect,"
            f" {len(self.third)} neither"
        )

    def add(self, other: "Outcome") -> None:
        """Count what became of others too."""
        self.found += other.found
        self.identical += other.identical
        self.stepped_back += other.stepped_back
        self.third += other.third


def flip_bytes(directory: Path, kind: Kind, offsets: Iterable[int]) -> Outcome:
    """Change the bytes at these offsets of a database of a ledger directory, one at a time.

    Args:
        directory: a ledger that is whole and lies still; it is left as it was.
        kind: which of its databases.
        offsets: from 0.
    """
    path = directory / kind.name
    data = path.read_bytes()
    before = _evidence(path, kind)
    assert before is not None, f"{path} reads before anything is changed"
    outcome = Outcome()
    for at in offsets:
        with changed_byte(path, at, data[at]):
            same = _evidence(path, kind) == before
            if same and outcome.identical % LOOKED_AT_AGAIN:
                outcome.identical += 1
                continue
            report = verify_path(str(directory))
            assert isinstance(report, Report)
            if any(kind.name in one.object for one in report.findings):
                outcome.found += 1
            elif report.ok and same:
                outcome.identical += 1
            else:
                outcome.third.append((at, [one.line() for one in report.findings]))
    return outcome


@contextlib.contextmanager
def changed_byte(path: Path, at: int, value: int) -> Iterator[None]:
    """Change one byte of a file in its place, for the block."""

    def put(byte: int) -> None:
        with path.open("r+b", buffering=0) as file:
            file.seek(at)
            file.write(bytes([byte]))

    put(value ^ MASK)
    try:
        yield
    finally:
        put(value)


def _evidence(path: Path, kind: Kind) -> list[object] | None:
    """Return every cell of every table with its storage class; None where SQLite objects.

    By full scans, so that nothing depends on a lookup; what lookups depend on, SQLite's own
    check of pages and indices covers.
    """
    found: list[object] = []
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
        ) as db:
            db.text_factory = bytes
            found += [
                db.execute(statement).fetchall()
                for statement in (
                    "PRAGMA application_id", "PRAGMA user_version", "PRAGMA integrity_check",
                    "SELECT type, name, tbl_name FROM sqlite_schema",
                )
            ]  # fmt: skip
            for table, columns in kind.columns.items():
                select = ", ".join(f"typeof({column}), {column}" for column in columns)
                found.append(db.execute(f"SELECT {select} FROM {table}").fetchall())  # noqa: S608  names of ours
    except (sqlite3.Error, OverflowError, MemoryError):
        return None
    return found
