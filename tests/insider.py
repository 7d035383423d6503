"""An insider at work: attacks on a ledger directory that lies still, row by row and file by file.

Who has the directory rewrites its databases so that every row agrees with every other.  Who has
the signing keys as well signs the outcome, exports it anew, and makes an aggregate log that tells
the same story: then nothing inside contradicts anything else.

Nothing here goes through the ledger's own code for writing: it would refuse.
"""

import binascii
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from counterfoil.events import canonical, codec, commitments
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import read_entry, write_entry
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.entries import read_bundle, write_bundle
from counterfoil.tlog.keys import SignerKey, parse_signer_key
from counterfoil.tlog.note_text import parse_note
from counterfoil.tlog.proof import consistency_path
from counterfoil.tlog.tile import TILE_WIDTH, entries_path, tile_path, tiles_of
from counterfoil.tlog.tree import HASH_SIZE, TreeHead, leaf_hash, root_from_leaves
from counterfoil.tlog.witness import AddCheckpoint, parse_add_checkpoint, write_add_checkpoint
from counterfoil.verifier import rules

PROJECT = "default"
AGGREGATE = "_aggregate"


@dataclass(frozen=True)
class Line:
    """One entry and everything that is stored beside it, as far as it is the entry's own.

    Args:
        entry: the leaf.
        salt: of its commitments.
        pieces: position, name, owner and bytes of each sealed piece.
        blobs: position and stored name of each blob.
        posted: source and id of its idempotency row.
        digest: of that row.
        key: in `erasable.db`.
    """

    entry: bytes
    salt: bytes
    pieces: tuple[tuple[int, str, str, bytes], ...]
    blobs: tuple[tuple[int, str], ...]
    posted: tuple[str, str]
    digest: bytes
    key: bytes


def read_history(directory: Path, project: str = PROJECT) -> list[Line]:
    """Return the entries of a log and what stands beside them, in order."""
    with closing(sqlite3.connect(directory / "ledger.db")) as db:
        found = db.execute(
            "SELECT idx, entry, salt FROM entries WHERE project = ? ORDER BY idx", (project,)
        ).fetchall()
        pieces = db.execute(
            "SELECT idx, position, name, owner, data FROM bodies WHERE project = ?", (project,)
        ).fetchall()
        blobs = db.execute(
            "SELECT idx, position, stored FROM blobs WHERE project = ?", (project,)
        ).fetchall()
        idem = {
            index: (source, name, digest)
            for source, name, index, digest in db.execute(
                "SELECT source, id, idx, digest FROM idem WHERE project = ?", (project,)
            )
        }
    with closing(sqlite3.connect(directory / "erasable.db")) as db:
        keys = dict(
            db.execute("SELECT idx, key FROM event_keys WHERE project = ?", (project,)).fetchall()
        )
    return [
        Line(
            entry, salt,
            tuple(row[1:] for row in pieces if row[0] == index),
            tuple(row[1:] for row in blobs if row[0] == index),
            idem[index][:2], idem[index][2], keys[index],
        )
        for index, entry, salt in found
    ]  # fmt: skip


def write_history(directory: Path, lines: Sequence[Line], project: str = PROJECT) -> None:
    """Put a history in the place of the one in the databases: rows, tiles and head agree."""
    with closing(sqlite3.connect(directory / "ledger.db")) as db, db:
        _put_rows(db, lines, project)
    with closing(sqlite3.connect(directory / "erasable.db")) as db, db:
        db.execute("DELETE FROM event_keys WHERE project = ?", (project,))
        db.executemany(
            "INSERT INTO event_keys VALUES (?, ?, ?)",
            [(project, index, line.key) for index, line in enumerate(lines)],
        )


def sign_history(directory: Path, project: str = PROJECT) -> None:
    """With the keys: export and sign what the database holds, and make the aggregate fit it."""
    with closing(sqlite3.connect(directory / "ledger.db")) as db:
        entries = [
            entry
            for (entry,) in db.execute(
                "SELECT entry FROM entries WHERE project = ? ORDER BY idx", (project,)
            )
        ]
    signer = _signer(directory, project)
    _export(directory / "public" / project, entries, signer)
    _sign_aggregate(directory, [leaf_hash(entry) for entry in entries], signer)


def roll_back_published(directory: Path, project: str = PROJECT) -> int:
    """Without any key: publish the first state on record again, and let nothing tell of a later one.

    The signed checkpoint of that state is copied out of the aggregate log, where everybody has it.

    Returns:
        How many entries it is over.
    """
    origin = (directory / "keys" / f"{project}.vkey").read_text("ascii").partition("+")[0]
    notes = [parse_add_checkpoint(entry).note for entry in aggregated(directory)]
    heads = [parse_checkpoint(parse_note(note).text) for note in notes]
    first = next(at for at, head in enumerate(heads) if head.origin == origin)
    size = heads[first].size
    entries = [line.entry for line in read_history(directory, project)[:size]]
    _publish(directory / "public" / project, entries, notes[first])
    shutil.rmtree(directory / "public" / AGGREGATE)
    for path in (*directory.glob("aggregate.db*"), *directory.glob("state.db*")):
        path.unlink()
    return size


def rewrite(directory: Path, line: Line, change: Callable[[dict[str, JSON]], None]) -> Line:
    """Return an entry whose body says something else, sealed under the keys it had.

    Args:
        directory: where the keys of people are.
        line: the entry.
        change: edits the body in place.
    """
    keys = commitments.derive(line.key, line.salt, "body")
    (place,) = [piece for piece in line.pieces if piece[1] == "body"]
    told = canonical.read(commitments.unseal(keys.sealing, place[3], "body"), "the body")
    assert isinstance(told, dict)
    change(told)
    body = canonical.write(told)
    made = binascii.b2a_base64(commitments.commit(keys.opening, body), newline=False).decode()
    entry = read_entry(line.entry)
    entry = msgspec.structs.replace(entry, commit={**entry.commit, "body": made})
    event = codec.join(entry, body, _personal(directory, line))
    digest = rules.idem_digest(line.key, canonical.write(event))
    sealed = (place[0], "body", place[2], commitments.seal(keys.sealing, body))
    pieces = tuple(sealed if piece is place else piece for piece in line.pieces)
    return replace(line, entry=write_entry(entry), pieces=pieces, digest=digest)


def backdate(line: Line, recordedtime: str) -> Line:
    """Return an entry that claims to have been recorded at another time."""
    entry = msgspec.structs.replace(read_entry(line.entry), recordedtime=recordedtime)
    return replace(line, entry=write_entry(entry))


def forged_twin(genuine: Path, directory: Path) -> Path:
    """Copy a ledger to where the forger works; the lock and the address are not copied."""
    shutil.copytree(
        genuine, directory, ignore=shutil.ignore_patterns("lock", "server.json", "views.db*")
    )
    return directory


def _personal(directory: Path, line: Line) -> dict[str, JSON]:
    """Open the personal values of an event, with whatever key they are sealed under."""
    with closing(sqlite3.connect(directory / "erasable.db")) as db:
        people = dict(db.execute("SELECT pseudonym, key FROM people").fetchall())
    values: dict[str, JSON] = {}
    for _, name, owner, data in line.pieces:
        if name != "body":
            keys = commitments.derive(people.get(owner, line.key), line.salt, name)
            values[name] = canonical.read_written(commitments.unseal(keys.sealing, data, name))
    return values


def _put_rows(db: sqlite3.Connection, lines: Sequence[Line], project: str) -> None:
    for table in ("entries", "bodies", "blobs", "idem"):
        db.execute(f"DELETE FROM {table} WHERE project = ?", (project,))  # noqa: S608  names of ours
    numbered = list(enumerate(lines))
    db.executemany(
        "INSERT INTO entries VALUES (?, ?, ?, ?)",
        [(project, index, line.entry, line.salt) for index, line in numbered],
    )
    db.executemany(
        "INSERT INTO bodies VALUES (?, ?, ?, ?, ?, ?)",
        [(project, index, *piece) for index, line in numbered for piece in line.pieces],
    )
    db.executemany(
        "INSERT INTO blobs VALUES (?, ?, ?, ?)",
        [(project, index, *blob) for index, line in numbered for blob in line.blobs],
    )
    db.executemany(
        "INSERT INTO idem VALUES (?, ?, ?, ?, ?)",
        [(project, *line.posted, index, line.digest) for index, line in numbered],
    )
    _put_tree(db, [leaf_hash(line.entry) for line in lines], project)


def _put_tree(db: sqlite3.Connection, leaves: Sequence[bytes], project: str) -> None:
    db.execute("DELETE FROM tiles WHERE project = ?", (project,))
    db.executemany(
        "INSERT INTO tiles VALUES (?, ?, ?, ?)",
        [(project, level, n, data) for level, n, data in _tiles(leaves)],
    )
    db.execute(
        "UPDATE heads SET size = ?, root = ? WHERE project = ?",
        (len(leaves), root_from_leaves(leaves), project),
    )


def _tiles(leaves: Sequence[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Yield level, number and hashes of every tile of a tree."""
    for level, n, width in tiles_of(len(leaves)):
        span = TILE_WIDTH**level
        starts = range(n * TILE_WIDTH * span, (n * TILE_WIDTH + width) * span, span)
        yield level, n, b"".join(root_from_leaves(leaves[at : at + span]) for at in starts)


def _export(public: Path, entries: Sequence[bytes], signer: SignerKey) -> None:
    """Write the whole log as files, signed, in the place of what stands there."""
    head = TreeHead(len(entries), root_from_leaves([leaf_hash(entry) for entry in entries]))
    _publish(public, entries, sign_checkpoint(signer.name, head, signer))


def _publish(public: Path, entries: Sequence[bytes], note: bytes) -> None:
    """Write a log as files under a signed checkpoint, in the place of what stands there."""
    shutil.rmtree(public)
    leaves = [leaf_hash(entry) for entry in entries]
    files = {tile_path(level, n, len(data) // HASH_SIZE): data for level, n, data in _tiles(leaves)}
    for start in range(0, len(entries), TILE_WIDTH):
        part = entries[start : start + TILE_WIDTH]
        files[entries_path(start // TILE_WIDTH, len(part))] = write_bundle(part)
    files["checkpoint"] = note
    for name, data in files.items():
        path = public / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _sign_aggregate(directory: Path, leaves: Sequence[bytes], signer: SignerKey) -> None:
    """Let the aggregate log have seen this history and no other, at the sizes it has on record.

    Sizes beyond the end are dropped, and the end is added.
    """
    told = [parse_add_checkpoint(entry) for entry in aggregated(directory)]
    claimed = [parse_checkpoint(parse_note(one.note).text) for one in told]
    entries, held = [], 0
    last = max(at for at, one in enumerate(claimed) if one.origin == signer.name)
    for at, (request, one) in enumerate(zip(told, claimed, strict=True)):
        if one.origin != signer.name:
            entries.append(write_add_checkpoint(request))
            continue
        size = len(leaves) if at == last else min(one.size, len(leaves))
        if size > held:
            entries.append(_growth(leaves, held, size, signer))
            held = size
    _export(directory / "public" / AGGREGATE, entries, _signer(directory, AGGREGATE))
    with closing(sqlite3.connect(directory / "aggregate.db")) as db, db:
        for table in ("entries", "idem"):
            db.execute(f"DELETE FROM {table}")  # noqa: S608  names of ours
        for index, entry in enumerate(entries):
            one = parse_checkpoint(parse_note(parse_add_checkpoint(entry).note).text)
            digest = rules.idem_digest(bytes(32), entry)
            db.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?)", (AGGREGATE, index, entry, bytes(16))
            )
            db.execute(
                "INSERT INTO idem VALUES (?, ?, ?, ?, ?)",
                (AGGREGATE, one.origin, str(one.size), index, digest),
            )
        _put_tree(db, [leaf_hash(entry) for entry in entries], AGGREGATE)


def aggregated(directory: Path) -> list[bytes]:
    """Return the entries of the aggregate log, as exported; it has no full bundle yet."""
    public = directory / "public" / AGGREGATE
    size = parse_checkpoint(parse_note((public / "checkpoint").read_bytes()).text).size
    return read_bundle((public / entries_path(0, size)).read_bytes())


def _growth(leaves: Sequence[bytes], held: int, size: int, signer: SignerKey) -> bytes:
    """Return the entry of the aggregate log that says how the history grew."""

    def node(level: int, n: int) -> bytes:
        return root_from_leaves(leaves[n << level : (n + 1) << level])

    path = tuple(consistency_path(held, size, node)) if held else ()
    head = TreeHead(size, root_from_leaves(leaves[:size]))
    return write_add_checkpoint(
        AddCheckpoint(held, path, sign_checkpoint(signer.name, head, signer))
    )


def _signer(directory: Path, project: str) -> SignerKey:
    return parse_signer_key((directory / "keys" / f"{project}.key").read_text("ascii").strip())
