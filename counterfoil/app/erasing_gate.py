"""A gate between recording and erasing: no event is sealed under a key that is being destroyed.

Whoever records passes from before keys are read until the entry is queued; whoever erases waits
until nobody is inside, and nobody enters meanwhile.  What was queued before is in no log yet:
whoever looks for what is to go waits for it first (`Recorder.settle`).

Entries that other processes prepared come with the number of what they were prepared under
(`Access.version`); it changes while the gate is shut, so they are given back.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Many who record, or one who erases.  The one may record too."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._alone: int | None = None

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Pass; wait while somebody erases."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._alone in {None, me})
            self._inside += 1
        try:
            yield
        finally:
            self.leave()

    def enter(self) -> bool:
        """Pass if nobody erases, and say so; whoever passed calls `leave`."""
        with self._changed:
            if self._alone is not None:
                return False
            self._inside += 1
            return True

    @contextmanager
    def erasing(self) -> Iterator[None]:
        """Be the only one: wait until nobody is inside, and keep others out."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._alone is None)
            self._alone = me
            self._changed.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._changed:
                self._alone = None
                self._changed.notify_all()

    def leave(self) -> None:
        """Be outside again."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()
