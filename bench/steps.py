"""Where the time of an event goes: each step of its way to a receipt, one after another.

    python -m bench.steps --batch 100

Processor time of one process in microseconds an event, nothing beside it: the profile of
docs/performance.md.  The steps are the program's own functions, in the order of
docs/life-of-an-event.md; syncs cost time but little processor time.
"""

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.machine import describe
from bench.posting import event_bytes
from counterfoil.app.desk import answers_to
from counterfoil.app.posted import Answer
from counterfoil.app.prepare import Prepared, accounts_of, open_keys, prepare
from counterfoil.app.wire import Place, Placed, Standing, frame, read_from_worker, read_to_worker
from counterfoil.events import codec
from counterfoil.events.event import parse_posting
from counterfoil.ids import SystemRandomness
from counterfoil.ledger.edge import RightEdge
from counterfoil.ledger.receipts import Added
from counterfoil.ledger.selfcheck import check_committed
from counterfoil.ledger.sign import Notary
from counterfoil.ledger.store import Item, Row
from counterfoil.policy.access import ADMIN
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.tlog.keys import SignerKey
from counterfoil.tlog.tree import EMPTY_ROOT, Frontier, TreeHead, leaf_hash
from counterfoil.web.api.posted import EventsAnswer, entry_answer

T = TypeVar("T")
_PROJECT = "default"
_ORIGIN = "bench.invalid/log"
_BATCH_TYPE = "application/cloudevents-batch+json"


class Steps:
    """One ledger, and the processor time of each step so far."""

    def __init__(self, directory: Path, batch: int) -> None:
        self._batch = batch
        self._randomness = SystemRandomness()
        self._keys = ErasableStore(directory / "erasable.db", self._randomness, create=True)
        self._store = SqliteLogStore(directory / "ledger.db", create=True)
        self._store.create_log(_PROJECT, _ORIGIN)
        self._notary = Notary({_PROJECT: SignerKey.from_seed(_ORIGIN, b"\7" * 32)})
        self._edge = RightEdge(TreeHead(0, EMPTY_ROOT), Frontier(), ())
        self.spent: dict[str, list[float]] = {}

    def run(self, first: int) -> None:
        """Take one batch all the way."""
        body = b"[" + b",".join(map(event_bytes, range(first, first + self._batch))) + b"]"
        events = self._timed(
            "read, check, canonical form", lambda: parse_posting(body, _BATCH_TYPE)
        )
        parts = self._timed("take apart", lambda: [codec.split(event) for event in events])
        people = self._keys.people(accounts_of(events, parts))

        def sealed() -> list[Prepared]:
            opened = open_keys(self._randomness, parts, {})
            return prepare(events, parts, opened, people, ADMIN, "api")

        prepared = self._timed("keys, commitments, sealing, entry bytes", sealed)
        stamp = "2026-11-20T12:00:00.000Z"

        def crossed() -> list[Item]:
            place = Place(
                1,
                _PROJECT,
                1,
                ADMIN.id,
                [one.item for one in prepared],
                [one.time_at for one in prepared],
            )
            back = read_from_worker(frame(place)[4:])
            assert isinstance(back, Place)
            return [one.stamped(stamp) for one in prepared]

        items = self._timed("frames to the writer, recorded time", crossed)
        added = self._write(items)
        placed = Placed((Standing(1, stamp, added.first),), added)

        def answered() -> list[Answer]:
            back = read_to_worker(frame(placed)[4:])
            assert isinstance(back, Placed)
            [(_, answers)] = answers_to(back, {1: prepared})
            return answers

        answers = self._timed("receipts, checked", answered)
        self._timed(
            "answer as JSON",
            lambda: msgspec.json.encode(EventsAnswer([entry_answer(one) for one in answers])),
        )

    def _write(self, items: list[Item]) -> Added:
        old = self._edge.head
        keys = [(item.source, item.id) for item in items]
        with self._store.write() as writing:
            self._timed("idempotency", lambda: writing.find_all(_PROJECT, keys))
            event_keys = [item.event_key for item in items]
            self._timed(
                "event keys, synced",
                lambda: self._keys.put_event_keys(_PROJECT, old.size, event_keys),
            )
            leaves = self._timed("leaf hashes", lambda: [leaf_hash(item.entry) for item in items])
            edge, tiles = self._timed("tree, tiles", lambda: self._edge.grow(leaves))
            rows = [Row(item, hashlib.sha256(item.digest).digest()) for item in items]
            self._timed(
                "entry, body and idempotency rows", lambda: writing.insert(_PROJECT, old.size, rows)
            )
            writing.put_tiles(_PROJECT, tiles)
            writing.advance(_PROJECT, old, edge.head)
        checked = self._timed(
            "read back, compare, hash again",
            lambda: check_committed(self._store, _PROJECT, old.size, edge.head, items),
        )
        signed = self._timed("sign", lambda: self._notary.sign(checked))
        before, self._edge = self._edge, edge
        return Added(
            old.size, before.frontier.nodes, tuple(leaves), edge.head.size, edge.head.root,
            signed.checkpoint,
        )  # fmt: skip

    def _timed(self, name: str, act: Callable[[], T]) -> T:
        started = time.process_time()
        result = act()
        spent = (time.process_time() - started) / self._batch * 1e6
        self.spent.setdefault(name, []).append(spent)
        return result

    def close(self) -> None:
        """Let go of the files."""
        self._store.close()
        self._keys.close()


def main() -> None:
    """Print one row a step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batch", type=int, default=100, help="events in a batch")
    parser.add_argument("--rounds", type=int, default=100, help="batches")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        print(describe(Path(place)))
        steps = Steps(Path(place), arguments.batch)
        for number in range(arguments.rounds):
            steps.run(number * arguments.batch)
        steps.close()
    print(f"\n{'step':<42} us an event (median of {arguments.rounds} batches of {arguments.batch})")
    total = 0.0
    for name, times in steps.spent.items():
        total += statistics.median(times)
        print(f"{name:<42} {statistics.median(times):>6.1f}")
    print(f"{'all of it':<42} {total:>6.1f}")


if __name__ == "__main__":
    main()
