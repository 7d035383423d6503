"""More than the writer can take: 503 with Retry-After, a bounded queue, nothing lost."""

import itertools
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from counterfoil.ledger.append import QUEUE_ENTRIES_MAX
from tests.web_server import Reply, Running, event, running

BATCH = {"Content-Type": "application/cloudevents-batch+json"}
EVENTS = 1_000
MORE = 40
KEPT_BYTES = 64 << 20


@contextmanager
def _writer_held(server: Running) -> Iterator[None]:
    """Hold the writer thread at the door of its transaction while requests pile up behind it."""
    with server.home.log._db._write_lock:
        first = server.home.ledger.append("default", [])
        pause = threading.Event()
        while not first.running():
            pause.wait(0.001)
        yield


def _post_until_taken(server: Running, batch: list[dict[str, Any]]) -> Reply:
    """Send until it is not told to come again: on a slow disk the queue may be full a while."""
    while (answer := _post(server, batch)).status == 503:
        threading.Event().wait(0.2)
    return answer


def _post(server: Running, events: list[dict[str, Any]]) -> Reply:
    return server.call("POST", "/v1/events", json.dumps(events).encode(), BATCH)


def _memory_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("workers", [0, 1], ids=["one process", "a worker"])
def test_what_the_queue_does_not_hold_is_refused_at_once_and_recorded_later(
    tmp_path: Path, workers: int
) -> None:
    """A client that does as it is told loses nothing; one that does not takes no memory."""
    batches = [[event() for _ in range(EVENTS)] for _ in range(8)]
    with running(tmp_path / "ledger", workers=workers) as server, ThreadPoolExecutor(8) as pool:
        with _writer_held(server):
            waiting = [pool.submit(_post, server, batch) for batch in batches]
            pause = threading.Event()
            while sum(one.done() for one in waiting) < len(batches) - QUEUE_ENTRIES_MAX // EVENTS:
                pause.wait(0.01)
            refused = [one.result() for one in waiting if one.done()]
            full = server.home.ledger._queued_entries
            before = _memory_bytes()
            refused += [_post(server, batches[0]) for _ in range(MORE)]
            grown = _memory_bytes() - before
        accepted = [one.result() for one in waiting if one.result().status == 201]
        again = [_post_until_taken(server, batch) for batch in batches]

        assert full <= QUEUE_ENTRIES_MAX
        assert {(one.status, one.code) for one in refused} == {(503, "busy")}
        assert all(one.headers["retry-after"] == "1" for one in refused)
        assert grown < KEPT_BYTES
        assert len(accepted) == QUEUE_ENTRIES_MAX // EVENTS
        told = [entry for one in again for entry in one.json()["entries"]]
        posted = list(itertools.chain.from_iterable(batches))
        assert [entry["id"] for entry in told] == [one["id"] for one in posted]
        assert len({entry["index"] for entry in told}) == len(posted)
        assert server.size() == len(posted)
