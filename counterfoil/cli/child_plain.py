"""One child process in our place, where there are no POSIX signals: Windows.

Its streams are ours and its exit code is ours.  Ctrl-C reaches it from the console, as it reaches
us; what it does about that is what counts, so here it does nothing.
"""

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from counterfoil.cli.child import SLOW_S, Ended, Held, not_started, signal_name


class PlainlyHeld(Held):
    """A `with` block in which Ctrl-C does not end us."""

    def __enter__(self) -> Self:
        # A function, not SIG_IGN: that one the child would inherit.
        self._interrupt = signal.signal(signal.SIGINT, lambda *_seen: None)
        return self

    def __exit__(self, *_error: object) -> None:
        signal.signal(signal.SIGINT, self._interrupt)

    def run(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        meanwhile: Callable[[], object],
        on_slow: Callable[[], object] | None = None,
    ) -> Ended:
        """Run a command to its end; arguments as of `Held.run`."""
        try:
            child = subprocess.Popen(list(words), env=dict(environment))  # noqa: S603  it is the task
        except OSError as error:
            return not_started(words[0], error)
        meanwhile()
        try:
            code = child.wait(SLOW_S)
        except subprocess.TimeoutExpired:
            if on_slow is not None:
                on_slow()
            code = child.wait()
        return Ended(code) if code >= 0 else Ended(128 - code, signal=signal_name(-code))
