"""Entry bundles."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.tlog.entries import MAX_ENTRY_BYTES, read_bundle, write_bundle


@settings(derandomize=True, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_entries_are_read_back_as_they_were_written(entries: list[bytes]) -> None:
    assert read_bundle(write_bundle(entries)) == entries


def test_an_entry_may_be_empty_or_as_long_as_its_length_can_say() -> None:
    entries = [b"", bytes(MAX_ENTRY_BYTES), b""]
    assert read_bundle(write_bundle(entries)) == entries


def test_the_bundle_of_a_smaller_tree_is_the_beginning_of_the_larger_one() -> None:
    """So one stored bundle serves every partial width by slicing."""
    entries = [b"x" * index for index in range(256)]
    full = write_bundle(entries)
    for width in range(1, 257):
        assert full.startswith(write_bundle(entries[:width]))


def test_a_bundle_is_refused_when_cut_anywhere_within_an_entry() -> None:
    bundle = write_bundle([b"one", b"", b"three"])
    whole = {5, 7, 14}
    for size in range(len(bundle)):
        if size in whole:
            assert read_bundle(bundle[:size])
            continue
        with pytest.raises(EvidenceError) as refusal:
            read_bundle(bundle[:size])
        assert refusal.value.code == "tile"


def test_a_bundle_holds_no_more_than_256_entries() -> None:
    full = write_bundle([b"x"] * 256)
    with pytest.raises(EvidenceError, match="over 256") as refusal:
        read_bundle(full + b"\0\0")
    assert refusal.value.code == "tile"


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.binary(max_size=60))
def test_whatever_bundle_is_accepted_is_written_back_the_same(data: bytes) -> None:
    try:
        entries = read_bundle(data)
    except EvidenceError as error:
        code = error.code
    else:
        code = "tile"
        assert write_bundle(entries) == data
    assert code == "tile"
