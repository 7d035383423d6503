"""The insider: seven attacks, and what each kind of evidence kept elsewhere says of them, alone.

The attackers own the directory.  Those without the signing key are named by `verify DIR`; those
who have it make a directory that is whole from inside, and one command with one piece of evidence
names the range they touched, as narrowly as that piece can.  What a piece cannot expose stands
here too: `verify` then says that all holds, as docs/trust.md does.
"""

import shutil
from pathlib import Path

import pytest

from tests.insider import AGGREGATE, PROJECT, read_history
from tests.insider_attacks import ON_ROWS, WITHOUT_ROWS, Range, Verify, against, attack
from tests.insider_story import LAST_WEEK, SIZE, Story

# Without the signing key.

NAMED: dict[str, list[Range]] = {
    "rewrite one approval": [("damaged", 5, 5)],
    "truncate": [("missing", 16, 20)],
    "delete one entry": [("missing", 20, 20), ("damaged", 5, 19)],
    "replace the whole history": [("damaged", 0, 20)],
    "roll the clock back": [("damaged", 10, 14)],
}


@pytest.mark.parametrize("name", NAMED)
def test_without_the_key_verify_alone_names_what_was_touched(
    story: Story, tmp_path: Path, verify: Verify, name: str
) -> None:
    """Rows that agree with each other do not agree with what was signed and exported."""
    said = verify(attack(story, name, tmp_path / "forged", signed=False))

    assert said.code == 1
    assert said.ranges("ledger.db entries row") == NAMED[name]


def test_without_the_key_an_exported_log_that_fits_the_rows_contradicts_its_signature(
    story: Story, tmp_path: Path, verify: Verify
) -> None:
    """The signature is over one root; the aggregate log narrows down from where on."""
    directory = attack(story, "rewrite one approval", tmp_path / "forged", signed=True)
    for log in (PROJECT, AGGREGATE):
        shutil.copy2(
            story.directory / "public" / log / "checkpoint",
            directory / "public" / log / "checkpoint",
        )
    said = verify(directory)

    assert said.code == 1
    assert said.ranges("ledger.db entries row") == [("damaged", 0, 20)]
    assert ("damaged", None, None) in said.ranges(f"public/{PROJECT}/tile")


# With the signing key, and erasable.db.


@pytest.mark.parametrize("name", [*ON_ROWS, *WITHOUT_ROWS])
def test_with_the_key_the_directory_looks_whole_from_inside(
    forged: dict[str, Path], verify: Verify, name: str
) -> None:
    """So everything that follows rests on what was kept outside, and on nothing else."""
    assert verify(forged[name]).code == 0


def _forked(*ranges: tuple[int, int]) -> list[Range]:
    return [("forked", first, last) for first, last in ranges]


def _missing(first: int, last: int) -> list[Range]:
    return [("missing", first, last)]


CUT = _missing(16, 20)
SHIFTED = _missing(20, 20)
OLD = _missing(10, 20)
# One root over more entries than are here tells nothing of those that are.
AMONG_CUT = CUT + _missing(0, 15)
AMONG_SHIFTED = SHIFTED + _missing(0, 19)
AMONG_OLD = OLD + _missing(0, 9)
# The path of entry 18 among 21 names 19, 16 to 17, 20, and 0 to 15; that of entry 5 names 4,
# 6 to 7, 0 to 3, 8 to 15, and 16 to 20.
EXPOSED: dict[str, dict[str, list[Range]]] = {
    "rewrite one approval": {
        "the very receipt": _forked((5, 5)),
        "another receipt": _forked((0, 15)),
        "an early receipt": _forked((4, 7)),
        "a checkpoint": _forked((0, 20)),
        "an earlier checkpoint": _forked((0, 9)),
        "two checkpoints": _forked((0, 9), (0, 20)),
        "a witness": _forked((0, 20)),
        "the aggregate log": _forked((4, 9), (10, 20)),
        "a mirror": _forked((5, 5)),
    },
    "truncate": {
        "the very receipt": CUT,
        "another receipt": CUT,
        "a checkpoint": AMONG_CUT,
        "a witness": AMONG_CUT,
        "the aggregate log": CUT,
        "a mirror": CUT,
    },
    "delete one entry": {
        "the very receipt": SHIFTED + _forked((5, 5), (6, 7), (8, 15)) + _missing(16, 19),
        "another receipt": SHIFTED + _forked((18, 18), (19, 19), (16, 17), (0, 15)),
        "an early receipt": _forked((4, 7), (8, 9)),
        "a checkpoint": AMONG_SHIFTED,
        "an earlier checkpoint": _forked((0, 9)),
        "two checkpoints": _forked((0, 9)) + AMONG_SHIFTED,
        "a witness": AMONG_SHIFTED,
        "the aggregate log": _forked((4, 9), (10, 19)) + SHIFTED,
        "a mirror": SHIFTED + _forked((5, 19)),
    },
    "replace the whole history": {
        "the very receipt": _forked((5, 5), (4, 4), (6, 7), (0, 3), (8, 15), (16, 20)),
        "an early receipt": _forked((2, 2), (3, 3), (0, 1), (4, 7), (8, 9)),
        "a checkpoint": _forked((0, 20)),
        "an earlier checkpoint": _forked((0, 9)),
        "a witness": _forked((0, 20)),
        "the aggregate log": _forked((0, 3), (4, 20)),
        "a mirror": _forked((0, 20)),
    },
    "roll the clock back": {
        "the very receipt": _forked((12, 12), (13, 13), (14, 15), (8, 11)),
        "another receipt": _forked((0, 15)),
        "a checkpoint": _forked((0, 20)),
        "two checkpoints": _forked((10, 20)),
        "a witness": _forked((0, 20)),
        "the aggregate log": _forked((10, 15), (16, 20)),
        "a mirror": _forked((10, 14)),
    },
    "restore last week's directory": {
        "the very receipt": AMONG_OLD,
        "another receipt": OLD + _missing(8, 9),
        "a checkpoint": AMONG_OLD,
        "two checkpoints": OLD,
        "a witness": AMONG_OLD,
        "the aggregate log": OLD,
        "a mirror": OLD,
    },
    "run two servers": {
        "the very receipt": _forked((18, 18), (19, 19), (16, 17), (20, 20)),
        "another receipt": _forked((16, 20)),
        "a checkpoint": _forked((0, 20)),
        "two checkpoints": _forked((10, 20)),
        "a witness": _forked((0, 20)),
        "the aggregate log": _forked((16, 20)),
        "a mirror": _forked((16, 20)),
    },
}  # fmt: skip

EARLY = ("an early receipt", "an earlier checkpoint")

# What lies wholly before the range that was touched agrees with every history.
HOLDS: dict[str, tuple[str, ...]] = dict.fromkeys(("truncate", "roll the clock back", "restore last week's directory", "run two servers"), EARLY)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, kinds in EXPOSED.items() for kind in kinds]
)
def test_with_the_key_one_piece_of_evidence_names_the_range(
    story: Story, forged: dict[str, Path], verify: Verify, name: str, kind: str
) -> None:
    said = verify(forged[name], *against(story, name, kind))

    assert said.code == 1
    assert said.ranges() == EXPOSED[name][kind]


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, kinds in EXPOSED.items() for kind in kinds]
)
def test_no_entry_that_was_touched_lies_outside_the_ranges_that_are_named(
    story: Story, forged: dict[str, Path], verify: Verify, name: str, kind: str
) -> None:
    """Where a piece of evidence cannot say which, its range is all it may be, up to its size."""
    honest, lies = (
        [one.entry for one in read_history(it)] for it in (story.directory, forged[name])
    )
    size = LAST_WEEK if kind in EARLY else SIZE
    touched = {at for at in range(size) if lies[at : at + 1] != honest[at : at + 1]}

    said = verify(forged[name], *against(story, name, kind))

    named: set[int] = set()
    for _, first, last in said.ranges():
        assert first is not None
        assert last is not None
        named.update(range(first, last + 1))
    assert touched
    assert touched <= named


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, kinds in HOLDS.items() for kind in kinds]
)
def test_evidence_from_before_the_range_holds_and_exposes_nothing(
    story: Story, forged: dict[str, Path], verify: Verify, name: str, kind: str
) -> None:
    """It speaks for the entries up to its own size, and these were left alone."""
    said = verify(forged[name], *against(story, name, kind))

    assert (said.code, said.report["findings"]) == (0, [])


def test_all_evidence_at_once_holds_for_the_honest_ledger(story: Story, verify: Verify) -> None:
    """Otherwise what it says of a forged one means nothing."""
    kinds = {kind for kinds in EXPOSED.values() for kind in kinds}
    words = [word for kind in sorted(kinds) for word in against(story, "", kind)]

    said = verify(story.directory, *words, "--against", story.witness.url)

    assert (said.code, said.report["findings"], said.report["notes"]) == (0, [], [])
