"""Write tests/vectors/golden/: for every type of event, an example and the exact entry it becomes.

Entry bytes are permanent, so a change of them must be meant: tests/events/test_golden.py makes
every file again and compares.  Keys, salt and pseudonyms are fixed here and follow from names; a
real ledger draws them at random.
"""

import base64
import hashlib
import json
from pathlib import Path

from counterfoil.events import codec, commitments, registry
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry, write_entry
from counterfoil.events.event import parse_event
from counterfoil.events.registry import EventType
from counterfoil.ids import SeededRandomness, short_id

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "vectors" / "golden"
RECORDED = "2026-11-20T12:00:01.188Z"

# The evidence the examples name, by digest.
_BLOBS = [b'<testsuites name="cart"/>\n', b"permit (principal, action, resource);\n"]
BLOBS = {"sha256:" + hashlib.sha256(content).hexdigest(): content for content in _BLOBS}


def golden(known: EventType) -> dict[str, JSON]:
    """Return the vector of one type: all that goes in, and the entry's bytes."""
    event = parse_event(known.example)
    parts = codec.split(event)
    event_key, salt = _fixed("event key", known.name), _fixed("salt", known.name)[:16]
    people = {one.person: _person(one.person) for one in parts.personal if one.person}
    people |= {event.authid: _person(event.authid)}

    opening = {"body": commitments.derive_opening(event_key, salt, "body")}
    for one in parts.personal:
        key = event_key if one.person is None else people[one.person][1]
        opening[one.name] = commitments.derive_opening(key, salt, one.name)
    blobs = {f"blob/{place}": BLOBS[blob.digest] for place, blob in enumerate(parts.blobs)}
    for name in blobs:
        opening[name] = commitments.derive_opening(event_key, salt, name)

    via = "server" if known.retention == "technical" else "api"
    entry = write_entry(
        Entry(
            id=event.id,
            source=event.source,
            type=event.type,
            subject=codec.public_subject(event, lambda account: people[account][0]),
            time=event.time,
            recordedtime=RECORDED,
            recordedby="golden",
            via=via,
            producer=event.producer,
            boot=event.boot,
            seq=event.seq,
            refs=codec.public_refs(event, lambda account: people[account][0]),
            retention=registry.retention(known.name, via),
            commit=codec.commit_map(
                parts,
                opening,
                {name: commitments.commit(opening[name], blobs[name]) for name in blobs},
            ),
        )
    )
    return {
        "event": event.to_json(),
        "event_key": event_key.hex(),
        "salt": salt.hex(),
        "people": {
            account: {"pseudonym": pseudonym, "key": key.hex()}
            for account, (pseudonym, key) in people.items()
        },
        "blobs": {name: content.decode() for name, content in blobs.items()},
        "body": parts.body.decode(),
        "opening": {name: base64.b64encode(key).decode() for name, key in opening.items()},
        "entry": entry.decode(),
        "entry_sha256": hashlib.sha256(entry).hexdigest(),
    }


def text(vector: dict[str, JSON]) -> str:
    """Return a vector as its file holds it."""
    return json.dumps(vector, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _fixed(purpose: str, name: str) -> bytes:
    return hashlib.sha256(f"counterfoil golden vector: {purpose} of {name}".encode()).digest()


def _person(account: str) -> tuple[str, bytes]:
    return "actor:" + short_id(SeededRandomness("golden " + account)), _fixed("person key", account)


def main() -> None:
    """Write every vector, and delete those of types that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for stale in FOLDER.glob("*.json"):
        stale.unlink()
    for name, known in registry.TYPES.items():
        (FOLDER / f"{name}.json").write_text(text(golden(known)), "utf-8")
    print(f"{len(registry.TYPES)} vectors in {FOLDER}")


if __name__ == "__main__":
    main()
