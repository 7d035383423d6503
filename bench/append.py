"""How fast the ledger appends: entries a second in one process, with every receipt.

    python -m bench.append --seconds 2

What is timed: queue, transaction with its sync, self-check, signature, and one verified receipt
an entry; not timed: decoding, commitments, encryption.  The sync floor is the time one 4 KiB
write and fdatasync takes on the same disk in the same minute: compare with that first.
"""

import argparse
import hashlib
import statistics
import tempfile
import time
from pathlib import Path

from bench.machine import sync_floor_s
from counterfoil.clock import SystemClock
from counterfoil.ids import SeededRandomness
from counterfoil.ledger.append import Ledger
from counterfoil.ledger.store import Item, Sealed
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.files import PublicFiles
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.tlog.note import SignerKey

BATCHES = (1, 16, 100, 1_000)
ENTRY_BYTES = 900
BODY_BYTES = 400
PROJECT = "default"


def make_item(number: int) -> Item:
    """Return an item of a usual size: an entry, a sealed body and a sealed name."""
    name = f"event-{number}"
    filler = hashlib.shake_256(name.encode()).digest(ENTRY_BYTES)
    return Item(
        source="urn:bench",
        id=name,
        digest=filler[:32],
        entry=filler,
        event_key=filler[32:64],
        salt=filler[64:80],
        sealed=(
            Sealed("body", "event", filler[:BODY_BYTES]),
            Sealed("authid", "actor:bench", filler[:40]),
        ),
        blobs=(),
    )


def measure(directory: Path, batch: int, seconds: float) -> tuple[float, float, float]:
    """Return entries a second, and median and 99th percentile of one append call in seconds."""
    store = SqliteLogStore(directory / "ledger.db", create=True)
    keys = ErasableStore(directory / "erasable.db", SeededRandomness("bench"), create=True)
    store.create_log(PROJECT, "bench.invalid/log")
    signer = SignerKey.from_seed("bench.invalid/log", b"\7" * 32)
    ledger = Ledger(
        store, keys, {PROJECT: signer}, PublicFiles(directory / "public"), SystemClock()
    )
    ledger.open()
    times: list[float] = []
    number = 0
    timed = 0.0
    while timed < seconds:
        items = [make_item(number + i) for i in range(batch)]
        number += batch
        start = time.perf_counter()
        appended = ledger.append(PROJECT, items).result()
        times.append(time.perf_counter() - start)
        timed += times[-1]
        assert len(appended) == batch
    ledger.close()
    store.close()
    keys.close()
    times.sort()
    return number / timed, statistics.median(times), times[int(len(times) * 0.99)]


def main() -> None:
    """Print one row a batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each batch size")
    parser.add_argument("--dir", type=Path, help="measure on the disk of this directory")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.dir) as place:
        floor_ms = sync_floor_s(Path(place))[0] * 1_000
        print(f"sync floor {floor_ms:.2f} ms (4 KiB, median of 50)")
        print(f"{'batch':>6} {'entries/s':>10} {'p50 ms':>8} {'p99 ms':>8}")
        for batch in BATCHES:
            directory = Path(place) / str(batch)
            directory.mkdir()
            rate, median, worst = measure(directory, batch, arguments.seconds)
            print(f"{batch:>6} {rate:>10.0f} {median * 1_000:>8.2f} {worst * 1_000:>8.2f}")


if __name__ == "__main__":
    main()
