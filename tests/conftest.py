"""What holds for every test."""

import os
import signal

# How this run is built, not where it is recorded.
KEPT = {"COUNTERFOIL_SYSTEM"}


def pytest_sessionstart() -> None:
    """Forget what this run was begun with: where it is recorded, and signals that are ignored.

    A test that needs a ledger names its own.  In the background of a shell or under nohup SIGINT,
    SIGQUIT or SIGHUP are ignored, and what a test starts would inherit that.
    """
    # A ledger is refused where others may change its files: a tester's umask must not decide that.
    os.umask(0o022)
    for name in [name for name in os.environ if name.startswith("COUNTERFOIL_")]:
        if name not in KEPT:
            del os.environ[name]
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            ours = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, ours)
