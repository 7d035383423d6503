"""What is derived from the logs of a ledger, compared with them: rows of pages, cosignatures.

Both are read before `ledger.db` is opened, so a server that goes on meanwhile can only be ahead of
them.  Nothing here is evidence of its own: positions are made again, cosignatures asked for again.
A checkpoint that a witness cosigned is signed by the log too, though, and holds it to its past.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from counterfoil.app.cosigned import CosignedNote
from counterfoil.client.evidence_ledger import CheckedLog
from counterfoil.client.evidence_sqlite import connect
from counterfoil.errors import EvidenceError, UnavailableError
from counterfoil.tlog.checkpoint_text import Checkpoint
from counterfoil.tlog.keys import VerifierKey
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.tree import HASH_SIZE, Frontier
from counterfoil.verifier.anchor import Anchor, compare
from counterfoil.verifier.report import Findings

VIEWS = "views.db"
STATE = "state.db"
_POSITIONS = "SELECT project, next_index, nodes, root FROM positions ORDER BY project"
_COSIGNED = "SELECT project, size, note FROM cosigned ORDER BY project, size"
_HAS_TABLE = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?"
_OUTSIDE = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM")


@dataclass(frozen=True, slots=True)
class Derived:
    """What stood in views.db and state.db at one moment.

    Args:
        positions: project -> entries folded, nodes of the frontier, root.
        cosigned: (project, size, note) of checkpoints that witnesses cosigned.
        found: what could not be read.
        files: how many files SQLite checked.
    """

    positions: Mapping[str, tuple[int, bytes, bytes]]
    cosigned: Sequence[tuple[str, int, bytes]]
    found: Findings
    files: int


def read_derived(directory: Path, *, pages: bool) -> Derived:
    """Read it; with `pages` let SQLite check the files too.

    Raises:
        UnavailableError: `storage`: the disk does not answer.
    """
    found = Findings()
    positions = _rows(directory / VIEWS, _POSITIONS, (str, int, bytes, bytes), found, pages=pages)
    cosigned = _rows(directory / STATE, _COSIGNED, (str, int, bytes), found, pages=pages)
    return Derived(
        {project: (size, nodes, root) for project, size, nodes, root in positions},
        [(project, size, note) for project, size, note in cosigned],
        found,
        sum((directory / name).exists() for name in (VIEWS, STATE)) if pages else 0,
    )


def _rows(
    path: Path, statement: str, kinds: tuple[type, ...], found: Findings, *, pages: bool
) -> list[tuple]:  # type: ignore[type-arg]
    """Return the rows of one SELECT; a file that is not there, or not its table, has none.

    A table is not there where an earlier version, which did not have it, wrote the file.
    """
    if not path.exists():
        return []
    try:
        with closing(connect(path)) as db:
            db.execute("PRAGMA query_only = ON")
            if pages:
                for (text,) in db.execute("PRAGMA quick_check(20)").fetchall():
                    if text != "ok":
                        found.add("stale", path.name, f"SQLite: {'; '.join(text.splitlines())}")
            table = statement.split(" FROM ")[1].split(maxsplit=1)[0]
            [known] = db.execute(_HAS_TABLE, (table,)).fetchone()
            rows = db.execute(statement).fetchall() if known else []
    except (sqlite3.Error, UnicodeError) as error:
        code = getattr(error, "sqlite_errorname", type(error).__name__)
        if code.startswith(_OUTSIDE):
            raise UnavailableError(
                "storage", f"{path} cannot be read: {error} ({code}); try again"
            ) from error
        found.add("stale", path.name, f"SQLite cannot read it: {error} ({code})")
        return []
    whole = [row for row in rows if tuple(map(type, row)) == kinds]
    if len(whole) < len(rows):
        found.add("stale", path.name, "a cell of another type than its column")
    return whole


def check_positions(derived: Derived, logs: Sequence[CheckedLog], findings: Findings) -> int:
    """Compare how far the rows of pages are with the logs; return how many positions there were.

    A position behind its log is no finding: following goes on from there.
    """
    count = 0
    known = {log.seen.project: log for log in logs}
    for project, (size, nodes, root) in derived.positions.items():
        count += 1
        name = f"views.db positions row {project}"
        log = known.get(project)
        if log is None:
            findings.add("stale", name, "rows of a project that has no log")
        elif log.held is None:
            continue  # what the rows rest on is damaged itself, and named
        elif size > log.held.size or size < 0:
            last = max(size, log.held.size) - 1
            message = f"rows rest on {size} entries, the log has {log.held.size}"
            findings.add("stale", name, message, log.held.size, last)
        elif log.held.root_at(size) != root or _root(size, nodes) != root:
            message = f"rows rest on other entries than the first {size} of the log"
            findings.add("stale", name, message, 0 if size else None, size - 1 if size else None)
    return count


def _root(size: int, nodes: bytes) -> bytes | None:
    hashes = [nodes[at : at + HASH_SIZE] for at in range(0, len(nodes), HASH_SIZE)]
    if len(nodes) % HASH_SIZE or len(hashes) != size.bit_count():
        return None
    return Frontier(size, hashes).root()


@dataclass(frozen=True, slots=True)
class Cosignatures:
    """How many were checked."""

    lines: int
    kept: int


def check_cosignatures(
    published: Mapping[str, bytes], derived: Derived, logs: Sequence[CheckedLog],
    witnesses: Sequence[VerifierKey], findings: Findings,
) -> Cosignatures:  # fmt: skip
    """Check what witnesses signed: on published checkpoints, and on those that are kept.

    Args:
        published: project -> checkpoint, of logs whose own signature holds.
        derived: what is kept.
        logs: as checked.
        witnesses: of the settings; signatures by others say nothing here.
        findings: where findings go.
    """
    lines = kept = 0
    known = {log.seen.project: log for log in logs}
    for project, note in published.items():
        trust = Policy(known[project].trust)
        if not trust.logs:
            continue
        try:
            lines += len(CosignedNote.read(note, trust, witnesses).witnesses)
        except EvidenceError as error:
            name = f"cosignatures of public/{project}/checkpoint"
            findings.add("damaged", name, error.message)
    for project, size, note in derived.cosigned:
        log = known.get(project)
        if log is None or not log.trust:
            continue
        kept += 1
        name = f"state.db cosigned row {size} of {project}"
        try:
            found = CosignedNote.read(note, Policy(log.trust), witnesses)
        except EvidenceError as error:
            findings.add("stale", name, error.message)
            continue
        lines += len(found.witnesses)
        if log.held is not None:
            checkpoint = Checkpoint(log.origin, found.head.size, found.head.root)
            compare(Anchor(name, checkpoint), log.held, findings)
    return Cosignatures(lines, kept)
