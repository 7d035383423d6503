"""One child process in our place: same terminal, same streams, its signals, its exit code.

The child stays in our process group, so the terminal treats it as if we were not there: Ctrl-C
and Ctrl-Z reach it from the kernel, and job control stops and continues both of us.  What another
process sends to us alone is passed on.  We read our signals from a queue instead of handling
them, because only the queue says who sent one: what the kernel sent to the whole group must not
arrive twice.

Imports little: this is loaded in front of every recorded command.
"""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Self

NOT_EXECUTABLE = 126
NOT_FOUND = 127
SLOW_S = 0.25
_BY_SIGNAL = 128
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})
_SHELL = "/bin/sh"
_FORWARDED_NAMES = (
    "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT",
)  # fmt: skip
FORWARDED = frozenset(getattr(signal, name) for name in _FORWARDED_NAMES if hasattr(signal, name))


class Ended:
    """How a command ended.

    Attributes:
        code: what a shell would have for it: its exit code, 128 + n after signal n, 127 if there
            is no such command, 126 if it cannot be executed.
        signal: the name of the signal it died by, or None.
        failure: why it could not be started, or None.
    """

    __slots__ = ("code", "failure", "signal")

    def __init__(self, code: int, signal: str | None = None, failure: str | None = None) -> None:
        self.code = code
        self.signal = signal
        self.failure = failure


class Held:
    """A `with` block in which signals wait for us instead of ending us.

    What arrives after the child's end is for nobody: leaving the block drops it.
    """

    def __enter__(self) -> Self:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would eat the exit code
        self.before = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED | {signal.SIGCHLD})
        return self

    def __exit__(self, *_error: object) -> None:
        while signal.sigtimedwait(FORWARDED | {signal.SIGCHLD}, 0) is not None:
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, self.before)

    def run(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        meanwhile: Callable[[], object],
        on_slow: Callable[[], object] | None = None,
    ) -> Ended:
        """Run a command to its end.

        Args:
            words: the command and its arguments.
            environment: all of the child's environment.
            meanwhile: called when it has begun; signals wait in their queue until it returns.
            on_slow: called once, if the child still runs after `SLOW_S`.
        """
        try:
            child = _spawn(words, environment, self.before)
        except OSError as error:
            return not_started(words[0], error)
        meanwhile()
        while True:
            timeout_s = SLOW_S if on_slow is not None else 86_400.0
            info = signal.sigtimedwait(FORWARDED | {signal.SIGCHLD}, timeout_s)
            if info is None:
                if on_slow is not None:
                    on_slow()
                on_slow = None
            elif info.si_signo != signal.SIGCHLD:
                _pass_on(child, info)
            elif (status := _status_of(child)) is not None:
                return ended(status)


def ended(status: int) -> Ended:
    """Return how a process ended by its wait status."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return Ended(_BY_SIGNAL + number, signal=signal_name(number))
    return Ended(os.WEXITSTATUS(status))


def signal_name(number: int) -> str:
    """Return the name of a signal.

    >>> signal_name(9), signal_name(34 + 1)
    ('SIGKILL', 'signal 35')
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def not_started(word: str, error: OSError) -> Ended:
    """Say on stderr that a command could not be started, in a shell's words and codes."""
    absent = error.errno in _ABSENT
    why = "command not found" if absent else os.strerror(error.errno or 0)
    sys.stderr.write(f"counterfoil: {word}: {why}\n")
    return Ended(NOT_FOUND if absent else NOT_EXECUTABLE, failure=why)


def _spawn(words: Sequence[str], environment: Mapping[str, str], mask: Iterable[int]) -> int:
    # Python ignores these two for itself; the child gets them as they are everywhere.
    default = [signal.SIGPIPE, signal.SIGXFSZ]
    try:
        return os.posix_spawnp(
            words[0], list(words), environment, setsigmask=mask, setsigdef=default
        )
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script without a first line that names its interpreter: execvp(3) and shells take sh.
        found = _which(words[0], environment)
        return os.posix_spawn(
            _SHELL, [_SHELL, found, *words[1:]], environment, setsigmask=mask, setsigdef=default
        )


def _which(word: str, environment: Mapping[str, str]) -> str:
    if "/" in word:
        return word
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        path = f"{folder or '.'}/{word}"
        if os.access(path, os.X_OK):
            return path
    return word


def _pass_on(child: int, info: signal.struct_siginfo) -> None:
    """Send the child what was sent to us, unless the kernel has sent it to the whole group."""
    try:
        by_a_process = info.si_code <= 0  # SI_USER, SI_QUEUE, SI_TKILL: sigaction(2)
        if by_a_process or os.getpgid(child) != os.getpgrp():
            os.kill(child, info.si_signo)
    except ProcessLookupError:
        pass  # it ended just now; its SIGCHLD is next in the queue


def _status_of(child: int) -> int | None:
    """Return the child's wait status if it has ended; stop with it if it was stopped alone."""
    found, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
    if found == 0:
        return None
    if os.WIFSTOPPED(status):
        # Ctrl-Z and its kin stop the group, us included.  SIGSTOP went to the child alone: whoever
        # waits for us must see that nothing goes on; SIGCONT to us is passed on to the child.
        if os.WSTOPSIG(status) == signal.SIGSTOP:
            os.kill(os.getpid(), signal.SIGSTOP)
        return None
    return status
