"""One broadcast after each commit: how open pages and tails hear that the log grew.

A hint carries only (project, size).  Whoever listens reads the entries from the log itself, from
the position it last saw, so a lost or merged hint loses nothing.
"""

import asyncio
import threading
from collections.abc import AsyncIterator


class Live:
    """Fan-out of log sizes from the writer thread to listeners on any event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sizes: dict[str, int] = {}
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._closed = False

    def publish(self, project: str, size: int) -> None:
        """Tell every listener that `project` holds `size` entries; callable from any thread."""
        with self._lock:
            self._sizes[project] = max(size, self._sizes.get(project, 0))
        self._wake()

    def close(self) -> None:
        """End every subscription: the server is going away."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for loop, event in listeners:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def sizes(
        self, project: str, seen: int, heartbeat_s: float = 15.0
    ) -> AsyncIterator[int | None]:
        """Yield the size of `project` whenever it is above `seen` and above the last one yielded.

        Several growths while the listener was busy arrive as one; None arrives after
        `heartbeat_s` of silence, so that a connection can be kept warm.  Ends when the server
        closes.
        """
        event = asyncio.Event()
        listener = (asyncio.get_running_loop(), event)
        with self._lock:
            self._listeners.add(listener)
        try:
            while not self._closed:
                size = self._sizes.get(project, 0)
                if size > seen:
                    seen = size
                    yield size
                    continue
                try:
                    await asyncio.wait_for(event.wait(), heartbeat_s)
                except TimeoutError:
                    yield None
                event.clear()
        finally:
            with self._lock:
                self._listeners.discard(listener)
