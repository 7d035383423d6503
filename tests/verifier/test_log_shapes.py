"""Logs of many sizes and many faults at once: the right side of a disagreement is blamed."""

import pytest

from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.keys import SignerKey
from counterfoil.tlog.policy import Policy, parse_policy
from counterfoil.tlog.tile import hash_tile
from counterfoil.tlog.tree import TreeHead, leaf_hash
from counterfoil.verifier.log import check_log
from counterfoil.verifier.report import MAX_FINDINGS, Findings
from tests.verifier.memory_log import (
    ORIGIN,
    POLICY,
    SIGNER,
    MemoryLog,
    check,
    flip,
    make_entries,
    make_files,
    make_tiles,
)

SIZES = (0, 1, 2, 255, 256, 257, 511, 512, 513, 1_000)


def named(findings: Findings) -> list[tuple[str, str, int | None, int | None]]:
    return [(one.klass, one.object, one.first, one.last) for one in findings]


@pytest.mark.parametrize("size", SIZES)
def test_a_log_of_any_size_is_whole(size: int) -> None:
    verdict, findings = check(make_files(make_entries(size)))

    assert named(findings) == []
    assert verdict.whole
    assert verdict.entries == size


def test_a_log_of_three_tile_levels_is_whole_and_a_changed_entry_deep_in_it_is_named() -> None:
    files = make_files(make_entries(65_537))
    assert check(files)[0].whole

    bundle = files["tile/entries/200"]
    _, findings = check({**files, "tile/entries/200": flip(bundle, len(bundle) - 1)})

    assert named(findings) == [("damaged", "tile/entries/200", 51_455, 51_455)]


@pytest.mark.parametrize("path", sorted(make_files(make_entries(300))))
def test_a_missing_file_is_missing_by_name(path: str) -> None:
    files = make_files(make_entries(300))
    del files[path]

    _, findings = check(files)

    assert [(one.klass, one.object) for one in findings] == [("missing", path)]


def test_two_faults_in_different_places_are_two_findings() -> None:
    """Each is judged by the tile above it, so one does not hide the other."""
    files = make_files(make_entries(700))
    files["tile/0/000"] = flip(files["tile/0/000"], 64)
    files["tile/entries/001"] = flip(files["tile/entries/001"], 2)
    files["tile/0/002.p/188"] = flip(files["tile/0/002.p/188"], 0)

    _, findings = check(files)

    assert sorted(named(findings)) == [
        ("damaged", "tile/0/000", 2, 2),
        ("damaged", "tile/0/002.p/188", 512, 512),
        ("damaged", "tile/entries/001", 256, 256),
    ]


def test_an_entry_rewritten_with_its_tile_is_contradicted_by_the_tile_above() -> None:
    entries = make_entries(700)
    forged = [*entries]
    forged[300] = b"forged"
    files, other = make_files(entries), make_files(forged)
    for path in ("tile/entries/001", "tile/0/001"):
        files[path] = other[path]

    _, findings = check(files)

    assert named(findings) == [("damaged", "tile/entries/001", 256, 511)]


def test_a_tree_rewritten_up_to_the_root_is_contradicted_by_the_signature() -> None:
    """Without the key nobody can sign the other root; which entry it was, no file here knows."""
    entries = make_entries(700)
    forged = [*entries]
    forged[300] = b"forged"
    files = {**make_files(forged), "checkpoint": make_files(entries)["checkpoint"]}

    verdict, findings = check(files)

    assert not verdict.whole
    assert named(findings) == [("damaged", "tile", None, None)]


def test_a_checkpoint_of_another_key_is_not_believed() -> None:
    stranger = SignerKey.from_seed("log.example/shop", b"\x08" * 32)
    verdict, findings = check(make_files(make_entries(5), stranger))

    assert verdict.checkpoint is None
    assert [(one.klass, one.object) for one in findings] == [("damaged", "checkpoint")]


def test_files_that_are_no_part_of_a_log_are_named() -> None:
    files = make_files(make_entries(5))
    for path in ("notes.txt", "tile/0/000.p/05", "tile/64/000.p/1", "tile/entries/x000/000.p/5"):
        files[path] = b"x"

    _, findings = check(files)

    assert [one.object for one in findings] == [
        "notes.txt", "tile/0/000.p/05", "tile/64/000.p/1", "tile/entries/x000/000.p/5",
    ]  # fmt: skip
    assert {one.klass for one in findings} == {"damaged"}


def test_partial_tiles_of_earlier_sizes_may_stay_if_they_are_true() -> None:
    entries = make_entries(300)
    files = {**make_files(entries[:280]), **make_files(entries[:200]), **make_files(entries)}
    verdict, findings = check(files)
    assert named(findings) == []
    assert verdict.files == 4

    for path in ("tile/0/000.p/200", "tile/entries/001.p/24"):
        _, findings = check({**files, path: flip(files[path], 5)})
        assert [(one.klass, one.object) for one in findings] == [("damaged", path)]


def test_a_full_tile_stands_in_for_an_absent_partial_one() -> None:
    """Source: C2SP tlog-tiles: partial tiles may be removed once the full one is there."""
    entries = make_entries(512)
    files = {**make_files(entries), "checkpoint": make_files(entries[:300])["checkpoint"]}
    del files["tile/1/000.p/2"]
    files |= {"tile/1/000.p/1": make_files(entries[:300])["tile/1/000.p/1"]}

    verdict, findings = check(files)

    assert named(findings) == []
    assert verdict.whole


def test_files_beyond_the_checkpoint_are_told_apart_from_the_log() -> None:
    entries = make_entries(300)
    files = {**make_files(entries), "checkpoint": make_files(entries[:290])["checkpoint"]}
    del files["tile/0/001.p/44"], files["tile/entries/001.p/44"]
    files |= {
        path: data for path, data in make_files(entries[:290]).items() if path != "checkpoint"
    }
    files["tile/0/002.p/1"] = bytes(32)

    verdict, findings = check(files)

    assert named(findings) == []
    assert verdict.beyond == ("tile/0/002.p/1",)


def test_a_signed_size_without_entries_ends_after_so_many_findings() -> None:
    """A hostile checkpoint may claim any size; checking it must end."""
    head = TreeHead(10**15, bytes(range(32)))
    files = {"checkpoint": sign_checkpoint(ORIGIN, head, SIGNER)}
    findings = Findings()
    verdict = check_log(MemoryLog(files), POLICY, findings, lambda path: path)

    assert not verdict.whole
    assert len(findings) == MAX_FINDINGS
    assert verdict.entries < 10**6


def test_without_a_usable_key_the_files_are_still_compared_with_each_other() -> None:
    files = make_files(make_entries(20))
    findings = Findings()
    check_log(MemoryLog(files), None, findings, lambda path: path)
    assert named(findings) == []

    files["tile/0/000.p/20"] = flip(files["tile/0/000.p/20"], 3)
    check_log(MemoryLog(files), None, findings, lambda path: path)
    assert {one.object for one in findings} == {"tile/0/000.p/20", "tile/entries/000.p/20"}


def test_tiles_alone_carry_the_check_over_a_missing_bundle() -> None:
    """The tree is still followed to the root; only the entries themselves are gone."""
    files = make_files(make_entries(600))
    del files["tile/entries/001"]

    verdict, findings = check(files)

    assert verdict.whole
    assert named(findings) == [("missing", "tile/entries/001", 256, 511)]


def test_a_quorum_the_policy_asks_for_has_to_be_met() -> None:
    """The policy decides, not the log: a signature alone is not enough for this reader."""
    witness = SignerKey.from_seed("witness.example/w", b"\x09" * 32, algorithm=4)
    text = f"log {POLICY.logs[0].key}\nwitness w {witness.vkey}\nquorum w\n"

    policy: Policy = parse_policy(text)
    _, findings = check(make_files(make_entries(3)), policy)

    assert [(one.klass, one.object) for one in findings] == [("damaged", "checkpoint")]


def test_a_tile_helper_of_these_tests_hashes_as_the_definition_says() -> None:
    leaves = [leaf_hash(entry) for entry in make_entries(256)]
    assert make_tiles(leaves)["tile/1/000.p/1"] == hash_tile(b"".join(leaves))
