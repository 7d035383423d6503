"""Write tests/vectors/golden-log/: a log, receipts, notes and cosignatures, and what they are worth.

Anybody's tool for the C2SP formats can be tried on these files: `expected.json` says of each case
what is judged, under which policy, and the verdict.  Everything follows from names, so the same
files come out every time; tests/verifier/test_golden_log.py makes them again and compares.
"""

import base64
import dataclasses
import json
import shutil
from pathlib import Path

from counterfoil.events import registry
from counterfoil.events.canonical import JSON
from counterfoil.ids import SeededRandomness
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.cosignature import cosign
from counterfoil.tlog.entries import write_bundle
from counterfoil.tlog.keys import COSIGNATURE, ED25519, SignerKey
from counterfoil.tlog.note_text import parse_note
from counterfoil.tlog.proof import consistency_path, inclusion_path
from counterfoil.tlog.receipt import Receipt, write_receipt
from counterfoil.tlog.tile import (
    TILE_WIDTH,
    entries_path,
    hash_tile,
    node_from_tiles,
    tile_path,
    tiles_of,
)
from counterfoil.tlog.tree import HASH_SIZE, TreeHead, leaf_hash, root_from_leaves
from counterfoil.tlog.witness import AddCheckpoint, write_add_checkpoint
from tools.golden import golden

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "vectors" / "golden-log"
ORIGIN = "log.example/golden"
SIZE, EARLIER = 260, 100
COSIGNED_S = 1_763_640_000
RECEIPTS = (0, 41, 255, 256, 259)


def files() -> dict[str, bytes]:
    """Return every file of the folder by its path."""
    return _Maker().files()


class _Maker:
    def __init__(self) -> None:
        self.log = _key(ORIGIN, ED25519)
        self.one = _key("witness.example/one", COSIGNATURE)
        self.two = _key("witness.example/two", COSIGNATURE)
        self.vectors = [_vector(number) for number in range(SIZE)]
        self.entries = [str(vector["entry"]).encode() for vector in self.vectors]
        self.leaves = [leaf_hash(entry) for entry in self.entries]
        self.tiles = _tiles(self.leaves, self.entries)

    def files(self) -> dict[str, bytes]:
        note, earlier = self.note(SIZE), self.note(EARLIER)
        both = note + self.line(self.one, note) + self.line(self.two, note)
        made = {
            "log.vkey": f"{self.log.vkey}\n".encode(),
            "log/checkpoint": both,
            **{f"log/{path}": data for path, data in self.tiles.items()},
            **self.policies(),
            "checkpoints/100.note": earlier + self.line(self.one, earlier),
            "checkpoints/100-forked.note": self.forked(),
            "add-checkpoint/0-100.request": self.request(0, EARLIER),
            "add-checkpoint/100-260.request": self.request(EARLIER, SIZE),
            "add-checkpoint/260.answer": self.line(self.one, note),
        }
        for index in RECEIPTS:
            made[f"receipts/{index}.tlog-proof"] = self.receipt(index, both)
        made["receipts/41.event.json"] = _json(self.vectors[41]["event"])
        made["receipts/41.opening.json"] = _json(self.vectors[41]["opening"])
        made |= self.spoilt(made["receipts/41.tlog-proof"], note)
        made["expected.json"] = _json(_expected())
        return made

    def note(self, size: int) -> bytes:
        head = TreeHead(size, root_from_leaves(self.leaves[:size]))
        return sign_checkpoint(ORIGIN, head, self.log)

    def forked(self) -> bytes:
        root = root_from_leaves([*self.leaves[: EARLIER - 1], leaf_hash(b"another entry")])
        return sign_checkpoint(ORIGIN, TreeHead(EARLIER, root), self.log)

    def line(self, witness: SignerKey, note: bytes) -> bytes:
        return cosign(witness, parse_note(note).text, COSIGNED_S)

    def request(self, old: int, size: int) -> bytes:
        node = node_from_tiles(self.tile)
        path = tuple(consistency_path(old, size, node)) if old else ()
        return write_add_checkpoint(AddCheckpoint(old, path, self.note(size)))

    def receipt(self, index: int, note: bytes) -> bytes:
        path = tuple(inclusion_path(index, SIZE, node_from_tiles(self.tile)))
        return write_receipt(Receipt(index, self.entries[index], path, note))

    def tile(self, level: int, n: int) -> bytes:
        width = min(TILE_WIDTH, (SIZE >> (8 * level)) - n * TILE_WIDTH)
        return self.tiles[tile_path(level, n, width)]

    def policies(self) -> dict[str, bytes]:
        log = f"log {self.log.vkey}\n"
        one = f"witness one {self.one.vkey}\n"
        two = f"witness two {self.two.vkey}\n"
        absent = f"witness absent {_key('witness.example/absent', COSIGNATURE).vkey}\n"
        stranger = f"log {_key('log.example/stranger', ED25519).vkey}\n"
        texts = {
            "log-alone": f"{log}quorum none\n",
            "one": f"{log}{one}quorum one\n",
            "two-of-two": f"{log}{one}{two}group both all one two\nquorum both\n",
            "two-of-three": f"{log}{one}{two}{absent}group g 2 one two absent\nquorum g\n",
            "three-of-three": f"{log}{one}{two}{absent}group g all one two absent\nquorum g\n",
            "another-log": f"{stranger}quorum none\n",
            "unknown-witness": f"{log}{one}group g any one nobody\nquorum g\n",
            "no-quorum": f"{log}{one}",
            "cut-off": f"{log}quorum none",
        }
        return {f"policies/{name}": text.encode() for name, text in texts.items()}

    def spoilt(self, good: bytes, note: bytes) -> dict[str, bytes]:
        """Return receipts that must not pass, each wrong in one place."""
        lines = good.split(b"\n")
        assert lines[2] == b"index 41", lines[:3]
        flipped = base64.b64encode(bytes(HASH_SIZE))
        bad = self.line(self.one, self.note(EARLIER))
        variants = {
            "path-changed": [*lines[:3], flipped, *lines[4:]],
            "path-short": [*lines[:3], *lines[4:]],
            "path-long": [*lines[:3], flipped, *lines[3:]],
            "index-beyond": [*lines[:2], b"index 260", *lines[3:]],
            "index-zero-padded": [*lines[:2], b"index 041", *lines[3:]],
            "index-signed": [*lines[:2], b"index +41", *lines[3:]],
            "base64-pad-bits": [*lines[:3], lines[3][:-2] + _next(lines[3]) + b"=", *lines[4:]],
            "no-entry": [lines[0], *lines[2:]],
        }
        made = {name: b"\n".join(parts) for name, parts in variants.items()}
        made["witness-signature-wrong"] = self.receipt(41, note + bad)
        made["cut-off"] = good[: len(good) // 2]
        return {f"receipts/bad/{name}.tlog-proof": data for name, data in made.items()}


def _expected() -> JSON:
    """Return the cases: what, under which policy, with which options, and the verdict."""
    good = [f"receipts/{index}.tlog-proof" for index in RECEIPTS]
    accepting = ("log-alone", "one", "two-of-two", "two-of-three")
    cases: list[JSON] = [
        {"evidence": evidence, "policy": policy, "verdict": "ok"}
        for evidence in (*good, "log")
        for policy in accepting
    ]
    refused = {
        "three-of-three": "quorum", "another-log": "key_unknown",
        "unknown-witness": "policy_invalid", "no-quorum": "policy_invalid",
        "cut-off": "policy_invalid",
    }  # fmt: skip
    cases += [
        {"evidence": evidence, "policy": policy, "verdict": code}
        for evidence in ("receipts/41.tlog-proof", "log")
        for policy, code in refused.items()
    ]
    wrong = {
        "path-changed": "proof", "path-short": "proof", "path-long": "proof",
        "index-beyond": "proof", "index-zero-padded": "note_invalid",
        "index-signed": "note_invalid", "base64-pad-bits": "note_invalid",
        "no-entry": "note_invalid", "cut-off": "note_invalid",
    }  # fmt: skip
    cases += [
        {"evidence": f"receipts/bad/{name}.tlog-proof", "policy": "log-alone", "verdict": code}
        for name, code in wrong.items()
    ]
    cases += [
        {"evidence": "receipts/bad/witness-signature-wrong.tlog-proof", "policy": "one",
         "verdict": "signature"},
        {"evidence": "receipts/bad/witness-signature-wrong.tlog-proof", "policy": "log-alone",
         "verdict": "ok"},
        {"evidence": "log", "policy": "one", "against": "checkpoints/100.note", "verdict": "ok"},
        {"evidence": "log", "policy": "log-alone", "against": "checkpoints/100-forked.note",
         "verdict": "forked"},
        {"evidence": "log", "policy": "log-alone", "against": "receipts/41.tlog-proof",
         "verdict": "ok"},
    ]  # fmt: skip
    return cases


def _tiles(leaves: list[bytes], entries: list[bytes]) -> dict[str, bytes]:
    hashes = {0: leaves}
    made: dict[str, bytes] = {}
    for level, n, width in tiles_of(len(leaves)):
        row = hashes[level][n * TILE_WIDTH : n * TILE_WIDTH + width]
        made[tile_path(level, n, width)] = b"".join(row)
        if width == TILE_WIDTH:
            hashes.setdefault(level + 1, []).append(hash_tile(b"".join(row)))
        if level == 0:
            start = n * TILE_WIDTH
            made[entries_path(n, width)] = write_bundle(entries[start : start + width])
    return made


def _vector(number: int) -> dict[str, JSON]:
    known = registry.TYPES["dev.cdevents.build.finished.0.3.0"]
    event: dict[str, JSON] = {
        "specversion": "1.0",
        "id": f"golden/{number}",
        "source": "https://ci.example/acme/shop",
        "type": "com.example.step.finished",
        "time": "2026-11-20T12:00:00Z",
        "authtype": "service_account",
        "authid": "ci.example:acme/shop",
        "data": {"number": number, "outcome": "success"},
    }
    named = dataclasses.replace(known, name=f"com.example.golden.{number}", example=event)
    return golden(named)


def _key(name: str, algorithm: int) -> SignerKey:
    return SignerKey.from_seed(name, SeededRandomness(f"golden {name}").token(32), algorithm)


def _next(encoded: bytes) -> bytes:
    """Return the last letter of a hash's base64 with a pad bit set."""
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    at = letters.index(encoded[-2:-1])
    return letters[at + 1 : at + 2]


def _json(value: JSON) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def main() -> None:
    """Write every file anew; README.md stays."""
    for stale in FOLDER.glob("*"):
        if stale.is_dir():
            shutil.rmtree(stale)
        elif stale.name != "README.md":
            stale.unlink()
    made = files()
    for path, data in made.items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_bytes(data)
    print(f"{len(made)} files in {FOLDER}")


if __name__ == "__main__":
    main()
