"""The simulator can fail: each of these bugs breaks its promise within two thousand histories."""

import re
import sys
from collections.abc import Callable

import pytest

from counterfoil.testing.evidence import Violation
from counterfoil.testing.history import History
from tests.testing.planted import PLANTED, UNSEEN_LOCKS

SEEDS_MAX = 2_000
BROKEN = {
    "signs before it commits": "lost: |rolled back: ",
    "does not sync the write-ahead log": "lost: |rolled back: ",
    "does not sync exported files": "export: .*(torn|untrue)|signature: .*cut off",
    "does not sync the names of exported files": "export: .* names .* absent",
    "takes a directory that stands for a durable one": "export: .* names .* absent",
    "gives an index twice": "reused: .* given to two entries",
    "exports before it commits": "rolled back: ",
    "keeps idempotency rows apart": "idempotency: .* rows are not those of the entries",
    "lets a reader checkpoint whose locks nobody sees": "lost: ",
    "trusts what it reads at the start": (
        "lost: |rolled back: |false alarm: rolled_back: .* holds .* were published"
    ),
}
"""What each of them does, in the first words of the violation.

Nothing else counts: a bug may also raise false alarms, and those would prove little.  The refusal
to start on a ledger that is smaller than what it published is no false one: the power cut did take
what had been told.
"""


def seeds_until_found(name: str) -> tuple[int, str]:
    """Return how many histories it took, and what broke."""
    for seed in range(SEEDS_MAX):
        try:
            History(seed, PLANTED[name]).run()
        except Violation as violation:
            if re.match(BROKEN[name], str(violation)):
                return seed + 1, str(violation)
    pytest.fail(f"in {SEEDS_MAX} histories a ledger that {name} does not do what it has to")


@pytest.mark.parametrize("name", PLANTED)
def test_a_ledger_with_a_bug_is_found_out(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    count, broken = seeds_until_found(name)

    record_property("histories", count)
    sys.stdout.write(f"a ledger that {name} is found out after {count} histories: {broken}\n")


def test_a_reader_whose_locks_nobody_sees_does_no_harm_while_it_folds_nothing() -> None:
    """So what is found of the one that checkpoints is the checkpoint's doing."""
    for seed in range(100):
        History(seed, UNSEEN_LOCKS).run()
