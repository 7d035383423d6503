"""A ledger of usual events to measure on: recorded like any other, only not over HTTP."""

from pathlib import Path

from counterfoil.app.founding import create_home
from counterfoil.app.home import open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SystemClock
from counterfoil.events.canonical import JSON
from counterfoil.events.event import parse_event
from counterfoil.ids import SystemRandomness

BATCH_SIZE = 1_000


def posted(number: int) -> dict[str, JSON]:
    """Return a test case as a plug-in reports it: about 700 bytes."""
    test = f"tests/checkout/test_{number % 97}.py::test_{number % 5_000}"
    return {
        "specversion": "1.0", "id": str(number), "source": "urn:bench",
        "type": "dev.cdevents.testcaserun.finished.0.3.0", "time": "2026-11-20T12:00:00Z",
        "authtype": "service_account", "authid": "ci.example:acme/shop",
        "subject": f"test:{test}", "producer": "bench", "boot": "b1", "seq": number,
        "data": {
            "context": {"version": "0.5.0"},
            "subject": {"id": test, "content": {"outcome": "pass", "testCase": {"id": test}}},
            "customData": {"attempt": 1, "duration_ms": number % 900, "phases": {"call": "passed"}},
            "refs": [
                {"ref": f"run:acme/shop/{number // 400}", "role": "part-of"},
                {"ref": "commit:acme/shop@9fceb02ab4c1", "role": "input"},
            ],
        },
    }  # fmt: skip


def fill(directory: Path, size: int, *, followed: bool = False) -> None:
    """Make a ledger of `size` entries, exported and closed; with the rows of pages if `followed`."""
    create_home(directory, SystemRandomness())
    with open_home(directory, SystemClock(), SystemRandomness()) as home:
        for first in range(0, size, BATCH_SIZE):
            events = [
                parse_event({**posted(n)}) for n in range(first, min(first + BATCH_SIZE, size))
            ]
            home.recorder.record("default", events, LOCAL, via="api")
        if followed:
            home.follower.catch_up("default")
