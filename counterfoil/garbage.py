"""Garbage collection in processes that serve: rare, and never over what stays anyway.

Python frees what nobody refers to at once; only cycles wait for the collector, and what an event
leaves behind on its way has none (tests/app/test_garbage.py).  The collector does not know that: with
the usual thresholds it walks through all events under way again and again, and everybody waits.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG_OBJECTS: Final = 50_000
"""How many objects more than before there are when the collector looks at the young ones."""


@contextmanager
def not_collected() -> Iterator[None]:
    """Collect nothing while modules are loaded: what they make stays, and looking at it takes long.

    Cost saved: a fifth of the second that the server's modules take.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def collect_rarely() -> None:
    """Call once when a process is about to serve: what it holds by then is not walked again.

    Cost: one whole collection, about 50 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
