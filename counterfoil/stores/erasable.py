"""`erasable.db`: the keys that make stored pieces readable; destroying one is erasing.

It is kept apart from the truth so that it can have short-lived backups of its own.  The file
overwrites what it deletes (`secure_delete`).  What an attacker who owns this file can do: read
sealed pieces if `ledger.db` is theirs too, or erase them; no entry, index or signature changes.

Nothing here is bound to the tree: a lost key reads as erased, and verify tells whether an erasure
was ever logged.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from counterfoil.events.commitments import Keys
from counterfoil.ids import Randomness, short_id
from counterfoil.ledger.store import BlobKey, Person
from counterfoil.stores import sqlite_statements as sql
from counterfoil.stores.erasing_keys import ErasingKeys
from counterfoil.stores.erasing_statements import PIECE_KEYS_SCHEMA
from counterfoil.stores.sqlite_driver import STANDARD, Connection, Driver
from counterfoil.stores.sqlite_open import Database, Kind, create_database

ERASABLE = Kind(
    "erasable.db", 0x43466572, 2, (*sql.ERASABLE_SCHEMA, *PIECE_KEYS_SCHEMA), secure_delete=True,
    upgrades={1: PIECE_KEYS_SCHEMA},
)  # fmt: skip
"""The header mark is "CFer" in ASCII.  Layout 2 keeps parts whose owner's key is destroyed."""

KEY_BYTES = 32


class ErasableStore:
    """The key store of one ledger directory.  Every put is durable on return.

    Args:
        path: `erasable.db`.
        randomness: where keys and pseudonyms of people come from.
        create: make it if it is absent.  Otherwise an absent file is an error: without its keys
            everything would read as erased.
        write: whether this process holds the directory's lock.
        driver: what opens it.
    """

    def __init__(
        self,
        path: Path,
        randomness: Randomness,
        *,
        create: bool = False,
        write: bool = True,
        driver: Driver = STANDARD,
    ) -> None:
        if create and driver.size_bytes(path) is None:
            create_database(path, ERASABLE, driver)
        self._db = Database(path, ERASABLE, write=write, driver=driver)
        self._randomness = randomness
        self.erasing = ErasingKeys(self._db, randomness)

    def piece_keys(self, project: str, start: int, end: int) -> dict[tuple[int, str], Keys]:
        """Return the keys of parts of a range that outlived their owner's, by (index, name)."""
        return self.erasing.piece_keys(project, start, end)

    def put_event_keys(self, project: str, first: int, keys: Sequence[bytes]) -> None:
        """Keep the keys of entries `first`, `first + 1` and so on, over any orphans there."""
        rows = [(project, index, key) for index, key in enumerate(keys, first)]
        with self._db.transaction() as db:
            db.executemany(sql.PUT_EVENT_KEY, rows)

    def event_key(self, project: str, index: int) -> bytes | None:
        """Return the key of an entry; None once it is erased."""
        return self.event_keys(project, index, index + 1).get(index)

    def event_keys(self, project: str, start: int, end: int) -> dict[int, bytes]:
        """Return the keys of a range by index; erased ones are absent."""
        with self._db.reading() as db:
            return dict(db.execute(sql.SELECT_EVENT_KEYS, (project, start, end)).fetchall())

    def person(self, account: str) -> Person:
        """Return the person behind an account, made and kept at first sight."""
        return self.people([account])[account]

    def people(self, accounts: Iterable[str]) -> dict[str, Person]:
        """Return the people behind accounts, by account; the unknown are made and kept."""
        wanted = list(dict.fromkeys(accounts))
        people = self.known_people(wanted)
        if missing := [account for account in wanted if account not in people]:
            with self._db.transaction() as db:
                for account in missing:
                    # Another thread may have been first; then its row stands and is read.
                    pseudonym = f"actor:{short_id(self._randomness)}"
                    key = self._randomness.token(KEY_BYTES)
                    db.execute(sql.INSERT_PERSON, (pseudonym, account, key))
                    if (person := _person(db, sql.SELECT_PERSON, account)) is not None:
                        people[account] = person
        return people

    def known_people(self, accounts: Iterable[str]) -> dict[str, Person]:
        """Return the people behind accounts, by account; the unknown are left out."""
        wanted = json.dumps(list(accounts))
        with self._db.reading() as db:
            people = [Person(*row) for row in db.execute(sql.SELECT_PEOPLE, (wanted,))]
        return {person.account: person for person in people}

    def people_named(self, name: str, limit: int) -> list[Person]:
        """Return up to `limit` people whose account is `name`, or is that behind its last colon."""
        with self._db.reading() as db:
            rows = db.execute(sql.SELECT_PEOPLE_NAMED, (name, f":{name}", limit)).fetchall()
        return [Person(*row) for row in rows]

    def person_by_pseudonym(self, pseudonym: str) -> Person | None:
        """Return the person behind a pseudonym; None once erased."""
        with self._db.reading() as db:
            return _person(db, sql.SELECT_PSEUDONYM, pseudonym)

    def accounts_of(self, pseudonyms: Iterable[str]) -> dict[str, str]:
        """Return the accounts behind pseudonyms, by pseudonym; the erased are left out."""
        with self._db.reading() as db:
            rows = db.execute(sql.SELECT_ACCOUNTS, (json.dumps(list(pseudonyms)),)).fetchall()
        return dict(rows)

    def put_blob(self, digest: str, stored: str, key: bytes) -> None:
        """Keep the key of a blob; what is kept under a digest already stays as it is."""
        with self._db.transaction() as db:
            db.execute(sql.PUT_BLOB_KEY, (digest, stored, key))

    def remove_blob(self, digest: str, stored: str) -> None:
        """Forget the key of a blob that no entry names."""
        with self._db.transaction() as db:
            db.execute(sql.DELETE_BLOB_KEY, (digest, stored))

    def blob(self, digest: str) -> BlobKey | None:
        """Return where the blob of that plain digest lies."""
        return self._blob(sql.SELECT_BLOB, digest)

    def blob_by_stored(self, stored: str) -> BlobKey | None:
        """Return the key to the blob of that stored name."""
        return self._blob(sql.SELECT_STORED, stored)

    def close(self) -> None:
        """Finish and let go of the files."""
        self._db.close()

    def _blob(self, statement: str, name: str) -> BlobKey | None:
        with self._db.reading() as db:
            row = db.execute(statement, (name,)).fetchone()
        return None if row is None else BlobKey(*row)


def _person(db: Connection, statement: str, name: str) -> Person | None:
    row = db.execute(statement, (name,)).fetchone()
    return None if row is None else Person(*row)
