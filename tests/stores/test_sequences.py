"""Numbers of producers that never arrived: the same as looking at all numbers that did."""

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.app.rows import Rows
from counterfoil.projections.mentions import Arrival
from counterfoil.stores.tables import Tables

MOMENT = "2026-11-20T12:00:00.000Z"
NUMBERS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 12)), min_size=1, max_size=24
)


def arrived(entry: int, boot: str, seq: int | None) -> Arrival:
    """Return how an entry arrived."""
    producer = None if seq is None else "plugin"
    return Arrival(entry, "urn:x", "pytest", MOMENT, MOMENT, producer, boot, seq)


def missing(numbers: Sequence[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return what is missing between the lowest and the highest number of each start."""
    found = set()
    for boot in {boot for boot, _ in numbers}:
        seen = {seq for of, seq in numbers if of == boot}
        found |= {(boot, seq) for seq in range(min(seen), max(seen)) if seq not in seen}
    return found


@settings(derandomize=True, max_examples=60, deadline=None)
@given(numbers=NUMBERS, batch=st.integers(1, 6))
def test_at_every_entry_the_gaps_are_what_is_missing_among_the_numbers_up_to_it(
    numbers: list[tuple[str, int]], batch: int
) -> None:
    """In whatever order they arrive, twice or late, and wherever a batch ends."""
    with tempfile.TemporaryDirectory() as place, contextlib.closing(
        Tables(Path(place) / "views.db")
    ) as tables:  # fmt: skip
        arrivals = [arrived(entry, *one) for entry, one in enumerate(numbers)]
        for first in range(0, len(arrivals), batch):
            with tables.write("p") as writing:
                writing.append((), (), arrivals[first : first + batch])
        rows = Rows(tables)
        for entry in range(len(numbers)):
            gaps = rows.sequence_gaps("p", entry)
            told = [(gap.boot, seq) for gap in gaps for seq in range(gap.first, gap.last + 1)]
            assert len(told) == len(set(told))
            assert set(told) == missing(numbers[: entry + 1])
            for gap in gaps:
                assert numbers[gap.before] == (gap.boot, gap.first - 1)
                assert numbers[gap.after] == (gap.boot, gap.last + 1)
        assert rows.numbers_missing("p") == len(missing(numbers))
