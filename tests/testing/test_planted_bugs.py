"""The simulator can fail: each of these bugs breaks a promise within two thousand histories."""

import re
import sys
from collections.abc import Callable

import pytest

from counterfoil.testing.evidence import Violation
from counterfoil.testing.history import History
from tests.testing.planted import PLANTED

SEEDS_MAX = 2_000
BROKEN = {
    "signs before it commits": "lost|rolled|damaged",
    "does not sync the write-ahead log": "lost|rolled",
    "does not sync exported files": "export|signature",
    "does not sync the names of exported files": "export",
    "takes a directory that stands for a durable one": "export",
    "gives an index twice": "reused|fork",
    "exports before it commits": "rolled|fork|export",
    "keeps idempotency rows apart": "idempotency",
    "lets a reader checkpoint": "damaged|lost|missing",
    "trusts what it reads at the start": "key|lost|rolled",
}
"""Which promises each of them breaks, in the words of the violation."""


def seeds_until_found(name: str) -> tuple[int, str]:
    """Return how many histories it took, and what broke."""
    for seed in range(SEEDS_MAX):
        try:
            History(seed, PLANTED[name]).run()
        except Violation as violation:
            return seed + 1, str(violation)
    pytest.fail(f"a ledger that {name} passes {SEEDS_MAX} histories")


@pytest.mark.parametrize("name", PLANTED)
def test_a_ledger_with_a_bug_is_found_out(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    count, broken = seeds_until_found(name)

    record_property("histories", count)
    sys.stdout.write(f"a ledger that {name} is found out after {count} histories: {broken}\n")
    assert re.search(BROKEN[name], broken)
