"""Sets of entries, against sets of numbers."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.projections.search_set import (
    BITMAP_BYTES,
    CHUNK,
    LIST_MAX,
    add_offsets,
    below,
    chunk_bitmap,
    counts_between,
    from_chunks,
    from_entries,
    newest,
)

OFFSETS = st.sets(st.integers(0, CHUNK - 1), max_size=3 * LIST_MAX).map(sorted)
ENTRIES = st.sets(st.integers(0, 5 * CHUNK), max_size=200)
often = settings(derandomize=True, max_examples=100, deadline=None)


def members_of(bits: int) -> set[int]:
    return {place for place in range(bits.bit_length()) if bits >> place & 1}


@given(OFFSETS, st.integers(1, 200))
@often
def test_the_bytes_of_a_chunk_do_not_depend_on_the_portions(
    offsets: list[int], portion: int
) -> None:
    """Following live takes an entry at a time, a rebuild takes thousands: equal byte for byte."""
    data, count = b"", 0
    for start in range(0, len(offsets), portion):
        data, count = add_offsets(data, count, offsets[start : start + portion])

    assert (data, count) == add_offsets(b"", 0, offsets)
    assert count == len(offsets)
    assert len(data) == (2 * count if count <= LIST_MAX else BITMAP_BYTES)
    assert members_of(int.from_bytes(chunk_bitmap(data, count), "little")) == set(offsets)


@given(ENTRIES, st.integers(0, 3))
@often
def test_a_set_is_read_back_from_its_chunks(entries: set[int], first: int) -> None:
    wanted = sorted(entry for entry in entries if entry >= first * CHUNK)
    chunks = []
    for number, group in itertools.groupby(wanted, lambda entry: entry // CHUNK):
        data, count = add_offsets(b"", 0, [entry - number * CHUNK for entry in group])
        chunks.append((number, count, data))

    whole = from_chunks(chunks, first)

    assert members_of(whole) == set(wanted)
    assert whole == from_entries(wanted, first)


def test_a_chunk_that_comes_twice_is_joined() -> None:
    """A pattern may mean several values with entries in the same chunk."""
    many, few = list(range(0, 1_000, 3)), [1, 3, 999]
    dense, sparse = add_offsets(b"", 0, many), add_offsets(b"", 0, few)
    chunks = [(2, dense[1], dense[0]), (2, sparse[1], sparse[0]), (2, dense[1], dense[0])]

    for order in itertools.permutations(chunks):
        found = members_of(from_chunks(order, 1))
        assert found == {2 * CHUNK + offset for offset in {*many, *few}}


@given(ENTRIES, st.integers(0, 60))
@often
def test_the_newest_come_highest_first(entries: set[int], limit: int) -> None:
    assert newest(from_entries(sorted(entries), 0), limit) == sorted(entries, reverse=True)[:limit]


@given(ENTRIES, st.lists(st.integers(0, 6 * CHUNK), max_size=20).map(sorted))
@often
def test_counts_between_edges_are_those_of_the_members(entries: set[int], edges: list[int]) -> None:
    expected = [
        sum(start <= entry < end for entry in entries) for start, end in itertools.pairwise(edges)
    ]

    assert counts_between(from_entries(sorted(entries), 0), edges) == expected


def test_below_is_every_entry_before_an_end() -> None:
    assert members_of(below(3)) == {0, 1, 2}
    assert below(0) == below(-1) == 0
