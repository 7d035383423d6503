"""What must be true of a ledger directory after anything happened to it, judged from outside.

`Outside` is everything that left the machine: receipts and checkpoints.  None of it may ever be
contradicted by what lies on the disk afterwards, and every event that was acknowledged is there
once, at the index its sender was told.
"""

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from counterfoil.tlog.keys import VerifierKey, parse_vkey
from counterfoil.tlog.policy import Log, Policy
from counterfoil.tlog.tree import Frontier, leaf_hash
from counterfoil.verifier.receipt import check_inclusion

PROJECT = "default"


@dataclass(frozen=True)
class Answered:
    """One event that was acknowledged.

    Args:
        name: its source and id.
        index: the entry its sender was told.
        receipt: the tlog-proof that came with the answer.
    """

    name: tuple[str, str]
    index: int
    receipt: bytes


@dataclass
class Outside:
    """What the clients of one log hold."""

    answered: list[Answered] = field(default_factory=list)
    checkpoints: list[bytes] = field(default_factory=list)

    def copy(self) -> "Outside":
        """Return what is held at this moment; others may go on collecting."""
        return Outside(list(self.answered), list(self.checkpoints))


def key_of(directory: Path, project: str = PROJECT) -> VerifierKey:
    """Return the public key of a log of a ledger directory."""
    return parse_vkey((directory / "keys" / f"{project}.vkey").read_text("ascii").strip())


def check_outside(directory: Path, outside: Outside) -> int:
    """Assert that nothing that left the machine is contradicted; return the size of the log.

    Every receipt holds under the policy by itself, its entry is in `ledger.db` at its index, and
    every checkpoint, those in the receipts too, is the root of the stored entries at its size.

    Cost: about 0.2 ms a receipt.
    """
    policy = Policy((Log(key_of(directory)),))
    entries, keys = _stored(directory)
    signed: dict[int, set[bytes]] = {}
    for note in outside.checkpoints:
        checkpoint = policy.verify_checkpoint(note)
        signed.setdefault(checkpoint.size, set()).add(checkpoint.root)
    for one in outside.answered:
        vouched = check_inclusion(one.receipt, policy)
        signed.setdefault(vouched.checkpoint.size, set()).add(vouched.checkpoint.root)
        assert vouched.receipt.index == one.index, "a receipt is for another index than the answer"
        assert one.index < len(entries), f"entry {one.index} was acknowledged and is gone"
        assert entries[one.index] == vouched.data, f"entry {one.index} is not what was acknowledged"
        assert keys[one.name] == one.index, f"{one.name} was acknowledged elsewhere"
    _check_once(entries, keys, outside.answered)
    _check_roots(entries, signed)
    return len(entries)


def check_command(*words: str | Path) -> dict[str, Any]:
    """Run a verb of the installed program with `--json`; it must find everything whole."""
    ended = subprocess.run(
        [sys.executable, "-m", "counterfoil", *words, "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, f"{words}: {ended.stdout[-2000:]}{ended.stderr[-2000:]}"
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def _stored(directory: Path) -> tuple[list[bytes], dict[tuple[str, str], int]]:
    uri = f"{(directory / 'ledger.db').absolute().as_uri()}?mode=ro"
    db = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        db.execute("BEGIN")  # all statements see one state, also beside a running server
        rows = db.execute(
            "SELECT idx, entry FROM entries WHERE project = ? ORDER BY idx", (PROJECT,)
        ).fetchall()
        keys = db.execute("SELECT source, id, idx FROM idem WHERE project = ?", (PROJECT,))
        found = {(source, event_id): index for source, event_id, index in keys}
    finally:
        db.close()
    assert [index for index, _ in rows] == list(range(len(rows))), "indices have a hole"
    return [entry for _, entry in rows], found


def _check_once(
    entries: list[bytes], keys: dict[tuple[str, str], int], answered: Iterable[Answered]
) -> None:
    """Every acknowledged event is one entry, and no two events were given one index."""
    members = [json.loads(entry) for entry in entries]
    named = Counter((one["source"], one["id"]) for one in members)
    assert all(named[one.name] == 1 for one in answered), "an acknowledged event is there twice"
    assert len(set(keys.values())) == len(keys) == len(entries), "keys and entries do not match"
    places = {(one.name, one.index) for one in answered}
    assert len({index for _, index in places}) == len({name for name, _ in places}) == len(places)


def _check_roots(entries: list[bytes], signed: dict[int, set[bytes]]) -> None:
    tree, at = Frontier(), 0
    for size, roots in sorted(signed.items()):
        assert size <= len(entries), f"a checkpoint of size {size} is out, {len(entries)} are here"
        tree.extend(map(leaf_hash, entries[at:size]))
        at = size
        assert roots == {tree.root()}, f"the checkpoint of size {size} is of another history"
