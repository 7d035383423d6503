"""What holds for every test."""

import os

# How this run is built, not where it is recorded.
KEPT = {"COUNTERFOIL_SYSTEM"}


def pytest_sessionstart() -> None:
    """Forget where this run itself is recorded: a test that needs a ledger names its own."""
    for name in [name for name in os.environ if name.startswith("COUNTERFOIL_")]:
        if name not in KEPT:
            del os.environ[name]
