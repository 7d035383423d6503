"""Events of every shape, sealed by whoever: what is kept beside them still opens to what was posted."""

import sqlite3
from pathlib import Path

import pytest

from counterfoil.app.record import LOCAL
from counterfoil.client.evidence import verify_path
from counterfoil.events import commitments
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, parse_event
from counterfoil.verifier.report import Report
from tests.ledgers import PEOPLE, PROJECT, build_ledger, create_ledger, open_ledger

SHAPES: dict[str, dict[str, JSON]] = {
    "no data": {},
    "data that is null": {"data": None},
    "data that is an array": {"data": [1, 2.5, "x", None]},
    "data in base64": {"data_base64": "aGk="},
    "extension attributes": {"traceparent": "00-1-2-01", "sampled": True, "data": {"n": -0.5}},
    "an actor as its subject": {"subject": "actor:dee@acme.example"},
    "personal values in an array": {
        "data": {"people": ["ana", "bo"], "personal": ["/people/0", "/people/1"]}
    },
    "a personal object": {"data": {"author": {"name": "Ana"}, "personal": ["/author"]}},
    "no producer": {"dataschema": "https://acme.example/schema"},
    "members beyond ASCII": {"data": {"\u20ac": 1, "\U0001f600": 2, "\ufb33": 3}},
}


def event(name: str, **shape: JSON) -> Event:
    return parse_event(
        {
            "specversion": "1.0", "id": name, "source": "urn:odd", "type": "com.example.odd",
            "time": "2026-11-20T13:00:00+01:00", "authtype": "user", "authid": PEOPLE[0], **shape,
        }
    )  # fmt: skip


def verify(directory: Path) -> Report:
    report = verify_path(str(directory))
    assert isinstance(report, Report)
    return report


@pytest.mark.parametrize("name", SHAPES)
def test_events_of_any_shape_are_whole(tmp_path: Path, name: str) -> None:
    create_ledger(tmp_path, (PROJECT,))
    with open_ledger(tmp_path) as (_, recorder):
        recorder.record(PROJECT, [event(name, **SHAPES[name])], LOCAL, "cli")

    report = verify(tmp_path)

    assert report.findings == ()
    assert report.checked["idempotency_keys"] == 1


def test_contents_sealed_again_with_the_right_keys_are_not_what_was_committed_to(
    tmp_path: Path,
) -> None:
    """Who owns both databases can make other contents open, never under the old commitment."""
    directory = build_ledger(tmp_path / "ledger", events=4).directory
    ledger = sqlite3.connect(directory / "ledger.db")
    keys = sqlite3.connect(directory / "erasable.db")
    [(salt,)] = ledger.execute("SELECT salt FROM entries WHERE idx = 2").fetchall()
    [(key,)] = keys.execute("SELECT key FROM event_keys WHERE idx = 2").fetchall()
    forged = commitments.seal(
        commitments.derive(key, salt, "body").sealing, b'{"data":{"outcome":"failure"}}'
    )
    ledger.execute("UPDATE bodies SET data = ? WHERE idx = 2 AND name = 'body'", (forged,))
    ledger.commit()
    ledger.close()
    keys.close()

    assert [(one.object, one.first) for one in verify(directory).findings] == [
        ("ledger.db bodies row 2 position 0 column data", 2)
    ]


def test_a_persons_key_that_opens_nothing_is_one_finding_over_all_their_entries(
    tmp_path: Path,
) -> None:
    directory = build_ledger(tmp_path / "ledger", events=12).directory
    keys = sqlite3.connect(directory / "erasable.db")
    [(pseudonym,)] = keys.execute(
        "SELECT pseudonym FROM people WHERE account = ?", (PEOPLE[0],)
    ).fetchall()
    keys.execute("UPDATE people SET key = zeroblob(32) WHERE pseudonym = ?", (pseudonym,))
    keys.commit()
    keys.close()

    [one] = verify(directory).findings

    assert one.object == f"erasable.db people row {pseudonym} column key"
    assert (one.klass, one.first, one.last) == ("damaged", 0, 9)
