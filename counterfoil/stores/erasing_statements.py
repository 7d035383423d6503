"""Every SQL statement that erases, in `ledger.db` and in `erasable.db`, named and described.

Both files overwrite what is deleted (`secure_delete`).  docs/adr/0032 says in which order.
"""

PIECE_KEYS_SCHEMA = (
    """
    CREATE TABLE piece_keys (
        project TEXT NOT NULL,
        idx INTEGER NOT NULL CHECK (idx >= 0),
        name TEXT NOT NULL,
        owner TEXT NOT NULL,
        opening BLOB NOT NULL CHECK (length(opening) = 32),
        sealing BLOB NOT NULL CHECK (length(sealing) = 32),
        PRIMARY KEY (project, idx, name)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE erasures (
        project TEXT NOT NULL,
        idx INTEGER NOT NULL CHECK (idx >= 0),
        PRIMARY KEY (project, idx)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE erased_upto (
        project TEXT PRIMARY KEY,
        keys INTEGER NOT NULL CHECK (keys >= 0),
        copies INTEGER NOT NULL CHECK (copies >= 0)
    ) STRICT, WITHOUT ROWID
    """,
)
"""Make the tables of `erasable.db` that came with layout 2."""

SELECT_PIECE_KEYS = """
    SELECT idx, name, opening, sealing FROM piece_keys WHERE project = ? AND idx >= ? AND idx < ?
"""
"""Read what is left of the keys of a range of entries whose owner's key is destroyed."""

PUT_PIECE_KEY = """
    INSERT INTO piece_keys (project, idx, name, owner, opening, sealing) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (project, idx, name) DO NOTHING
"""
"""Keep a part's own keys; those that stand were derived from a key that is gone by now."""

DELETE_PIECE_KEY = "DELETE FROM piece_keys WHERE project = ? AND idx = ? AND name = ?"
"""Destroy the keys of a part that outlived its owner's key."""

DELETE_PIECE_KEYS_OF = "DELETE FROM piece_keys WHERE owner = ?"
"""Destroy the keys of all parts of a person that outlived the person's key.  It reads the table."""

DELETE_EVENT_KEY = "DELETE FROM event_keys WHERE project = ? AND idx = ?"
"""Destroy an entry's key."""

DELETE_PERSON = "DELETE FROM people WHERE pseudonym = ?"
"""Destroy a person's key, and who they are."""

RENEW_PERSON = "UPDATE people SET key = ? WHERE pseudonym = ?"
"""Give a person another key for what comes; what was sealed before has keys of its own."""

DELETE_STORED_KEY = "DELETE FROM blob_keys WHERE stored = ?"
"""Destroy the key of a blob."""

PUT_ERASURE = "INSERT INTO erasures (project, idx) VALUES (?, ?) ON CONFLICT DO NOTHING"
"""Note the entry of an event that erased."""

SELECT_ERASURES = "SELECT idx FROM erasures WHERE project = ? ORDER BY idx"
"""Name the events of a log that erased."""

COUNT_ERASURES = "SELECT count(*) FROM erasures WHERE project = ?"
"""Count the events of a log that erased."""

SELECT_UPTO = "SELECT keys, copies FROM erased_upto WHERE project = ?"
"""Read up to which entry erasures were carried out: in keys, and in all copies."""

PUT_UPTO = """
    INSERT INTO erased_upto (project, keys, copies) VALUES (?, ?, ?)
    ON CONFLICT (project) DO UPDATE SET keys = excluded.keys, copies = excluded.copies
"""
"""Note up to which entry erasures were carried out."""

SELECT_ERASING = """
    SELECT idx FROM entries
    WHERE project = ? AND idx >= ? AND idx < ? AND (instr(entry, ?) OR instr(entry, ?))
    ORDER BY idx
"""
"""Find entries that may erase.  It reads the whole range."""

SELECT_OWNED = """
    SELECT idx, name FROM bodies
    WHERE project = ? AND idx >= ? AND idx < ? AND owner = ? ORDER BY idx, position
"""
"""Find the parts of a person in a range of entries.  It reads the whole range."""

SELECT_NAMING = """
    SELECT project, idx, position, stored FROM blobs
    WHERE stored IN (SELECT value FROM json_each(?)) ORDER BY project, idx, position
"""
"""Find every entry that names one of some stored blobs.  It reads the whole table once."""

DELETE_PART = "DELETE FROM bodies WHERE project = ? AND idx = ? AND name = ? AND owner != 'plain'"
"""Take out the sealed bytes of a part whose key is destroyed."""

SELECT_KEY_OF = "SELECT entry FROM entries WHERE project = ? AND idx = ?"
"""Read the entry an idempotency key follows from."""

MARK_IDEM = """
    UPDATE idem SET digest = zeroblob(32)
    WHERE project = ? AND source = ? AND id = ? AND digest != zeroblob(32)
"""
"""Put the mark of an erased event in the place of its idempotency digest."""
