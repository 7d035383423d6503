"""Every SQL statement of `ledger.db` and `erasable.db`, named and described.

Nothing else in the log's stores is SQL but what erases (`erasing_statements`), so these two pages
are all there is to review.  Each table of
`ledger.db` is bound to the tree or follows from it:

- `logs`: project and origin; the origin is signed in every checkpoint.
- `heads`: size and root of each tree; both follow from `entries`.
- `entries`: the leaves themselves, and the salt their commitments are derived from.
- `bodies`: the sealed pieces; `commit` in the entry binds each by name.
- `blobs`: stored names by position; `commit` in the entry binds the content.
- `idem`: idempotency keys; source and id stand in the entry, the digest follows from the opened
  event and its key.
- `tiles`: hashes; they follow from `entries`.

All tables are WITHOUT ROWID: one b-tree each, clustered by the order they are read in.
"""

LEDGER_SCHEMA = (
    """
    CREATE TABLE logs (
        project TEXT PRIMARY KEY,
        origin TEXT NOT NULL UNIQUE
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE heads (
        project TEXT PRIMARY KEY,
        size INTEGER NOT NULL CHECK (size >= 0),
        root BLOB NOT NULL CHECK (length(root) = 32)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE entries (
        project TEXT NOT NULL,
        idx INTEGER NOT NULL CHECK (idx >= 0),
        entry BLOB NOT NULL,
        salt BLOB NOT NULL,
        PRIMARY KEY (project, idx)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE bodies (
        project TEXT NOT NULL,
        idx INTEGER NOT NULL,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        owner TEXT NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (project, idx, position)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE blobs (
        project TEXT NOT NULL,
        idx INTEGER NOT NULL,
        position INTEGER NOT NULL,
        stored TEXT NOT NULL,
        PRIMARY KEY (project, idx, position)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE idem (
        project TEXT NOT NULL,
        source TEXT NOT NULL,
        id TEXT NOT NULL,
        idx INTEGER NOT NULL,
        digest BLOB NOT NULL CHECK (length(digest) = 32),
        PRIMARY KEY (project, source, id)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE tiles (
        project TEXT NOT NULL,
        level INTEGER NOT NULL,
        n INTEGER NOT NULL,
        data BLOB NOT NULL CHECK (length(data) % 32 = 0),
        PRIMARY KEY (project, level, n)
    ) STRICT, WITHOUT ROWID
    """,
)
"""Make the tables of `ledger.db`."""

LEDGER_UPGRADES = {
    1: (
        """
        UPDATE entries SET salt = CAST(x'01' || salt AS BLOB) WHERE salt <> zeroblob(16)
        """,
    ),
}
"""Lead `ledger.db` from each layout to the next.

From 1: the keys of values were derived by HMAC-SHA-256; what was written so says so by a salt that
begins with 1 (`events.commitments`).  Zeros are the salt of the aggregate log: nothing is sealed.
"""

INSERT_LOG = "INSERT INTO logs (project, origin) VALUES (?, ?)"
"""Add a log."""

INSERT_HEAD = "INSERT INTO heads (project, size, root) VALUES (?, ?, ?)"
"""Give a log its first head, in the transaction of `INSERT_LOG`."""

SELECT_LOGS = "SELECT project, origin FROM logs ORDER BY project LIKE '\\_%' ESCAPE '\\', project"
"""Name every log, the ledger's own behind those of projects."""

SELECT_HEAD = "SELECT size, root FROM heads WHERE project = ?"
"""Read a tree head."""

ADVANCE_HEAD = """
    UPDATE heads SET size = :size, root = :root
    WHERE project = :project AND size = :old_size AND root = :old_root
"""
"""Compare-and-swap: one row changes, or the transaction is rolled back.  docs/adr/0004."""

INSERT_ENTRY = "INSERT INTO entries (project, idx, entry, salt) VALUES (?, ?, ?, ?)"
"""Keep an entry; a taken index is an error."""

INSERT_BODY = """
    INSERT INTO bodies (project, idx, position, name, owner, data) VALUES (?, ?, ?, ?, ?, ?)
"""
"""Keep a sealed piece beside its entry."""

INSERT_BLOB = "INSERT INTO blobs (project, idx, position, stored) VALUES (?, ?, ?, ?)"
"""Keep the stored name of a blob beside its entry; empty where the blob is absent."""

INSERT_IDEM = "INSERT INTO idem (project, source, id, idx, digest) VALUES (?, ?, ?, ?, ?)"
"""Keep an idempotency key; a taken key is an error."""

SELECT_IDEM = "SELECT idx, digest FROM idem WHERE project = ? AND source = ? AND id = ?"
"""Look an idempotency key up."""

SELECT_IDEMS = """
    SELECT id, idx, digest FROM idem
    WHERE project = ? AND source = ? AND id IN (SELECT value FROM json_each(?))
"""
"""Look the idempotency keys of a batch up, those of one source at a time."""

UPSERT_TILE = """
    INSERT INTO tiles (project, level, n, data) VALUES (?, ?, ?, ?)
    ON CONFLICT (project, level, n) DO UPDATE SET data = excluded.data
"""
"""Write a tile in the place of its narrower form."""

MEND_ENTRY = "UPDATE entries SET entry = ? WHERE project = ? AND idx = ?"
"""Write an entry's bytes again, as its bundle has them.  docs/adr/0028."""

MEND_HEAD = """
    INSERT INTO heads (project, size, root) VALUES (?, ?, ?)
    ON CONFLICT (project) DO UPDATE SET size = excluded.size, root = excluded.root
"""
"""Write a head again, as its entries lead to it.  docs/adr/0028."""

MEND_IDEM = """
    INSERT INTO idem (project, source, id, idx, digest) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (project, source, id) DO UPDATE SET idx = excluded.idx, digest = excluded.digest
"""
"""Write an idempotency row again, as its event leads to it.  docs/adr/0028."""

DELETE_IDEM = """
    DELETE FROM idem WHERE project = ? AND source = CAST(? AS TEXT) AND id = CAST(? AS TEXT)
"""
"""Take out an idempotency row of no entry; its key may be no UTF-8.  docs/adr/0028."""

DELETE_TILE = "DELETE FROM tiles WHERE project = ? AND level = ? AND n = ?"
"""Take out a tile of no tree.  docs/adr/0028."""

SELECT_TILE = "SELECT data FROM tiles WHERE project = ? AND level = ? AND n = ?"
"""Read a tile."""

SELECT_ENTRIES = """
    SELECT idx, entry FROM entries WHERE project = ? AND idx >= ? AND idx < ? ORDER BY idx
"""
"""Read a range of entries."""

SELECT_KEPT = """
    SELECT idx, entry, salt FROM entries WHERE project = ? AND idx >= ? AND idx < ? ORDER BY idx
"""
"""Read a range of entries with their salts."""

SELECT_BODIES = """
    SELECT idx, name, owner, data FROM bodies
    WHERE project = ? AND idx >= ? AND idx < ? ORDER BY idx, position
"""
"""Read the sealed pieces of a range of entries."""

SELECT_BLOBS = """
    SELECT idx, stored FROM blobs
    WHERE project = ? AND idx >= ? AND idx < ? ORDER BY idx, position
"""
"""Read the blob names of a range of entries."""

SELECT_NAMED_BLOBS = """
    SELECT DISTINCT stored FROM blobs WHERE stored IN (SELECT value FROM json_each(?))
"""
"""Of some stored names, find those that entries name.  It reads the whole table once."""

SELECT_ALL_BLOBS = "SELECT DISTINCT stored FROM blobs WHERE stored <> '' ORDER BY stored"
"""Name every blob that entries name, once.  It reads the whole table."""

SELECT_PROJECT_BLOB = "SELECT 1 FROM blobs WHERE project = ? AND stored = ? LIMIT 1"
"""Find out whether an entry of a log names a stored blob.  It may read the log's whole table."""

ERASABLE_SCHEMA = (
    """
    CREATE TABLE event_keys (
        project TEXT NOT NULL,
        idx INTEGER NOT NULL CHECK (idx >= 0),
        key BLOB NOT NULL CHECK (length(key) = 32),
        PRIMARY KEY (project, idx)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE people (
        pseudonym TEXT PRIMARY KEY,
        account TEXT NOT NULL UNIQUE,
        key BLOB NOT NULL CHECK (length(key) = 32)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE blob_keys (
        digest TEXT PRIMARY KEY,
        stored TEXT NOT NULL UNIQUE,
        key BLOB NOT NULL CHECK (length(key) = 32)
    ) STRICT, WITHOUT ROWID
    """,
)
"""Make the tables of `erasable.db` as layout 1 had them."""

PUT_EVENT_KEY = """
    INSERT INTO event_keys (project, idx, key) VALUES (?, ?, ?)
    ON CONFLICT (project, idx) DO UPDATE SET key = excluded.key
"""
"""Keep an entry's key, over the orphan a failed transaction may have left.  docs/adr/0005."""

SELECT_EVENT_KEYS = "SELECT idx, key FROM event_keys WHERE project = ? AND idx >= ? AND idx < ?"
"""Read the keys of a range of entries."""

INSERT_PERSON = """
    INSERT INTO people (pseudonym, account, key) VALUES (?, ?, ?) ON CONFLICT (account) DO NOTHING
"""
"""Keep a person at first sight; a pseudonym that is taken is an error."""

SELECT_PEOPLE = """
    SELECT pseudonym, account, key FROM people
    WHERE account IN (SELECT value FROM json_each(?))
"""
"""Find the people behind some accounts."""

SELECT_ACCOUNTS = """
    SELECT pseudonym, account FROM people WHERE pseudonym IN (SELECT value FROM json_each(?))
"""
"""Find the accounts behind some pseudonyms."""

SELECT_PERSON = "SELECT pseudonym, account, key FROM people WHERE account = ?"
"""Find the person behind an account."""

SELECT_PEOPLE_NAMED = """
    SELECT pseudonym, account, key FROM people
    WHERE account = ?1 OR substr(account, -length(?2)) = ?2 ORDER BY account LIMIT ?3
"""
"""Find people by account, or by what stands behind a colon of it.  It reads the whole table."""

SELECT_PSEUDONYM = "SELECT pseudonym, account, key FROM people WHERE pseudonym = ?"
"""Find the person behind a pseudonym."""

PUT_BLOB_KEY = """
    INSERT INTO blob_keys (digest, stored, key) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING
"""
"""Keep a blob's key; the first one stays, for entries may name what it opens."""

SELECT_BLOB = "SELECT stored, key FROM blob_keys WHERE digest = ?"
"""Find a blob by the digest of its plain bytes."""

SELECT_STORED = "SELECT stored, key FROM blob_keys WHERE stored = ?"
"""Find a blob's key by its stored name."""

SELECT_BLOBS_WITH_KEY = """
    SELECT stored FROM blob_keys WHERE stored IN (SELECT value FROM json_each(?)) ORDER BY stored
"""
"""Of some stored names, find those whose key is there: they are not erased."""

DELETE_BLOB_KEY = "DELETE FROM blob_keys WHERE digest = ? AND stored = ?"
"""Forget a blob that no entry names."""
