"""What one of a crew says about a range: "whole" only where each rule by itself holds.

The database is rewritten by somebody who has all keys, so that only the rule in question is
broken: seals open, and the idempotency digest is made to match.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from counterfoil.app.record import LOCAL
from counterfoil.client import evidence_crew
from counterfoil.events import canonical, codec, commitments
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import read_entry
from counterfoil.events.naming import BlobName
from counterfoil.verifier import rules
from counterfoil.verifier.rows import Tally
from tests.client.test_odd_events import SHAPES, event
from tests.client.verifying import verify
from tests.insider import backdate, read_history, write_history
from tests.ledgers import PROJECT, build_ledger, create_ledger, make_sample, open_ledger

EVENTS = 8


def tally(directory: Path, size: int = EVENTS) -> Tally | None:
    evidence_crew._open(directory, PROJECT)
    return evidence_crew._tally(0, size)


class Forger:
    """Somebody with all keys, at entry `index`."""

    def __init__(self, directory: Path, index: int) -> None:
        self.index = index
        self.ledger = sqlite3.connect(directory / "ledger.db")
        keys = sqlite3.connect(directory / "erasable.db")
        [(data, self.salt)] = self.ledger.execute(
            "SELECT entry, salt FROM entries WHERE idx = ?", (index,)
        ).fetchall()
        [(self.key,)] = keys.execute(
            "SELECT key FROM event_keys WHERE idx = ?", (index,)
        ).fetchall()
        self.people = dict(keys.execute("SELECT pseudonym, key FROM people").fetchall())
        keys.close()
        self.entry = read_entry(data)

    def close(self) -> None:
        """Make the idempotency digest that of what the pieces open to now."""
        body = b"{}"
        personal: dict[str, JSON] = {}
        for name, owner, data in self.ledger.execute(
            "SELECT name, owner, data FROM bodies WHERE idx = ? ORDER BY position", (self.index,)
        ):
            key = self.people.get(owner, self.key)
            plain = commitments.unseal(self._sealing(key, name), data, name)
            if name == "body":
                body = plain
            else:
                personal[name] = canonical.read(plain)
        event = codec.join(self.entry, body, personal)
        digest = rules.idem_digest(self.key, canonical.write(event))
        self.ledger.execute("UPDATE idem SET digest = ? WHERE idx = ?", (digest, self.index))
        self.ledger.commit()
        self.ledger.close()

    def _sealing(self, key: bytes, name: str) -> bytes:
        return commitments.derive(key, self.salt, name).sealing

    def seal(self, name: str, owner: str, plain: bytes) -> None:
        """Put a piece in the place of that name."""
        key = self._sealing(self.people.get(owner, self.key), name)
        sealed = commitments.seal(key, plain)
        self.ledger.execute(
            "UPDATE bodies SET owner = ?, data = ? WHERE idx = ? AND name = ?",
            (owner, sealed, self.index, name),
        )


def another_body(forger: Forger) -> None:
    forger.seal("body", "event", b'{"data":{"outcome":"failure"}}')


def another_actor(forger: Forger) -> None:
    forger.seal("authid", forger.entry.refs[-1].ref, b'"eve@acme.example"')


def a_body_twice(forger: Forger) -> None:
    forger.ledger.execute(
        "UPDATE bodies SET (name, owner, data) = (SELECT b.name, b.owner, b.data FROM bodies b "
        "WHERE b.idx = bodies.idx AND b.name = 'body') WHERE idx = ?",
        (forger.index,),
    )


def a_piece_too_few(forger: Forger) -> None:
    forger.ledger.execute("DELETE FROM bodies WHERE idx = ? AND name = 'authid'", (forger.index,))


def a_piece_too_many(forger: Forger) -> None:
    forger.ledger.execute(
        "INSERT INTO bodies SELECT project, idx, 9, name, owner, data FROM bodies "
        "WHERE idx = ? AND name = 'body'",
        (forger.index,),
    )


FORGERIES = [another_body, another_actor, a_body_twice, a_piece_too_few, a_piece_too_many]


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_no_range_is_whole_with(tmp_path: Path, forge: Callable[[Forger], None]) -> None:
    directory = build_ledger(tmp_path / "ledger", events=EVENTS).directory
    assert tally(directory) is not None
    forger = Forger(directory, 2)
    forge(forger)
    forger.close()

    assert tally(directory) is None
    assert not verify(directory).ok


def test_a_forger_who_forges_nothing_leaves_all_whole(tmp_path: Path) -> None:
    """The refusals above come from what is forged, not from how."""
    directory = build_ledger(tmp_path / "ledger", events=EVENTS).directory
    Forger(directory, 2).close()

    assert tally(directory) is not None


def test_an_event_that_names_only_an_absent_blob_needs_the_row_that_says_so(
    tmp_path: Path,
) -> None:
    create_ledger(tmp_path, (PROJECT,))
    absent = BlobName(f"sha256:{5:064x}", "gone.txt", "text/plain")
    with open_ledger(tmp_path) as (_, recorder):
        recorder.record(PROJECT, [make_sample(1, [absent])], LOCAL, "cli")
    assert tally(tmp_path, 1) is not None
    db = sqlite3.connect(tmp_path / "ledger.db")
    assert db.execute("DELETE FROM blobs").rowcount == 1
    db.commit()
    db.close()

    assert tally(tmp_path, 1) is None
    assert not verify(tmp_path).ok


@pytest.mark.parametrize("name", SHAPES)
def test_ranges_of_events_of_any_shape_are_whole(tmp_path: Path, name: str) -> None:
    """A range that is not whole for no reason would be looked at twice, and nobody would know."""
    create_ledger(tmp_path, (PROJECT,))
    with open_ledger(tmp_path) as (_, recorder):
        recorder.record(PROJECT, [event(name, **SHAPES[name])], LOCAL, "cli")

    found = tally(tmp_path, 1)

    assert found is not None
    assert found.pieces == verify(tmp_path).checked["sealed_pieces"]
    assert (found.idem, found.listed) == (1, 1)


def test_no_range_is_whole_whose_log_committed_to_other_bytes_than_the_blob_it_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a server that lies from the start can do so: all else about its blob agrees."""
    create_ledger(tmp_path, (PROJECT,))
    with open_ledger(tmp_path) as (_, recorder), monkeypatch.context() as lying:
        lying.setattr(commitments.Committing, "add", lambda *_: None)
        blob = recorder.put_blob(b"a log of many lines", "log.txt", "text/plain")
        recorder.record(PROJECT, [make_sample(1, [blob])], LOCAL, "cli")

    assert tally(tmp_path, 1) is None
    assert [one.message for one in verify(tmp_path).findings] == [
        "blob/0 is not what the entry committed to"
    ]


@pytest.mark.parametrize(
    ("index", "first"),
    [(2, 0), (256, 0), (256, 256)],
    ids=["within a bundle", "across two bundles", "across two ranges"],
)
def test_no_range_is_whole_with_an_entry_older_than_the_one_before_it(
    tmp_path: Path, index: int, first: int
) -> None:
    create_ledger(tmp_path, (PROJECT,))
    with open_ledger(tmp_path) as (_, recorder):
        recorder.record(PROJECT, [make_sample(number) for number in range(258)], LOCAL, "cli")
    evidence_crew._open(tmp_path, PROJECT)
    assert evidence_crew._tally(first, 258) is not None
    lines = read_history(tmp_path)
    lines[index] = backdate(lines[index], "2020-01-01T00:00:00.000Z")
    write_history(tmp_path, lines)

    evidence_crew._open(tmp_path, PROJECT)
    assert evidence_crew._tally(first, 258) is None
    found = [one.line() for one in verify(tmp_path).findings]
    assert any(f"entry {index})" in one and "recorded at 2020" in one for one in found)
