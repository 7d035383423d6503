"""Nothing on an event's way waits for the garbage collector."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.posting import event_bytes
from counterfoil.app.desk import Desk, answers_to
from counterfoil.app.wire import Placed, Standing
from counterfoil.ids import SystemRandomness
from counterfoil.policy.access import ADMIN
from tests.app.desk import PROJECT, TIMEOUT_S, desk

COMMITS = 40


@contextmanager
def _everything_kept() -> Iterator[None]:
    """Have what only a collection would free put into `gc.garbage`."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def test_events_on_their_way_to_a_receipt_and_to_rows_leave_no_cycles(tmp_path: Path) -> None:
    """One closure that called itself made a cycle a commit, with all it remembered.

    Once a second all senders waited a tenth of one for its collection.
    """
    with desk(tmp_path / "ledger") as home:
        at_desk = Desk(tmp_path / "ledger", SystemRandomness())
        home.keys.people([f"ci.example:acme/shop-{number}" for number in range(40)])
        with _everything_kept():
            for number in range(COMMITS):
                body = event_bytes(number)
                prepared = at_desk.take(PROJECT, body, "application/json", ADMIN)
                assert isinstance(prepared, list)
                items, times_at = [one.item for one in prepared], [one.time_at for one in prepared]
                stood = home.recorder.place(PROJECT, items, times_at).result(TIMEOUT_S)
                standing = Standing(number, stood.recordedtime, stood.placed.indices[0])
                list(answers_to(Placed((standing,), stood.placed.added), {number: prepared}))
                assert home.follower.wait_for(PROJECT, number + 1, TIMEOUT_S)
            gc.collect()
            ours = [
                one
                for one in gc.garbage
                if getattr(one, "__module__", "").startswith("counterfoil")
            ]
            assert len(gc.garbage) < COMMITS, (len(gc.garbage), ours[:5], threading.active_count())
        at_desk.close()
