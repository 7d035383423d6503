"""The insider: seven attacks, and what each kind of evidence kept elsewhere says of them, alone.

The attackers own the directory.  Those without the signing key are named by `verify DIR`; those
who have it make a directory that is whole from inside, and one command with one piece of evidence
names the range they touched, as narrowly as that piece can.  What a piece cannot expose stands
here too: `verify` then says that all holds, as docs/trust.md does.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from counterfoil.cli import main
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import read_entry
from tests.client.verifying import served
from tests.insider import (
    AGGREGATE,
    PROJECT,
    Line,
    backdate,
    forged_twin,
    read_history,
    rewrite,
    sign_history,
    write_history,
)
from tests.insider_story import (
    APPROVAL,
    LAST_WEEK,
    SIZE,
    SPLIT,
    Story,
    go_on,
    lived,
    reopened,
    vkey,
)

Range = tuple[str, int | None, int | None]
Verify = Callable[..., "Said"]


@dataclass(frozen=True)
class Said:
    """What one command line said: its exit code and its JSON."""

    code: int
    report: dict[str, Any]

    def ranges(self, log: str = f"({PROJECT})") -> list[Range]:
        """Return class, first and last of every finding about one log, in order."""
        return [
            (one["class"], one["first"], one["last"])
            for one in self.report["findings"]
            if log in one["object"]
        ]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with lived(tmp_path_factory.mktemp("story")) as found:
        yield found


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    """Run `counterfoil verify WORDS --json`: the one command."""

    def run(*words: object) -> Said:
        with pytest.raises(SystemExit) as ended:
            main(["verify", *(str(word) for word in words), "--json"])
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, json.loads(printed.out))

    return run


# The attacks on the rows: what somebody makes of an honest history.


def _lie(body: dict[str, JSON]) -> None:
    assert isinstance(body["data"], dict)
    body["data"]["reason"] = "nobody ever wrote this"


def rewrite_one_approval(directory: Path, lines: list[Line]) -> list[Line]:
    lie = rewrite(directory, lines[APPROVAL], _lie)
    return [*lines[:APPROVAL], lie, *lines[APPROVAL + 1 :]]


def truncate(_directory: Path, lines: list[Line]) -> list[Line]:
    return lines[:SPLIT]


def delete_one_entry(_directory: Path, lines: list[Line]) -> list[Line]:
    return [*lines[:APPROVAL], *lines[APPROVAL + 1 :]]


def replace_the_whole_history(directory: Path, lines: list[Line]) -> list[Line]:
    return [rewrite(directory, line, _lie) for line in lines]


def roll_the_clock_back(_directory: Path, lines: list[Line]) -> list[Line]:
    """What was recorded this week claims to be from the last one: no entry's time steps back."""
    moment = read_entry(lines[LAST_WEEK - 1].entry).recordedtime
    return [
        backdate(line, moment) if LAST_WEEK <= index < 15 else line
        for index, line in enumerate(lines)
    ]


ON_ROWS = {
    "rewrite one approval": rewrite_one_approval,
    "truncate": truncate,
    "delete one entry": delete_one_entry,
    "replace the whole history": replace_the_whole_history,
    "roll the clock back": roll_the_clock_back,
}


def restore_last_week(story: Story, place: Path) -> Path:
    return forged_twin(story.last_week, place)


def run_two_servers(story: Story, place: Path) -> Path:
    """A copy goes on by itself, under the same key: other readers are shown this one."""
    forged_twin(story.before_split, place)
    with reopened(place, "2026-11-09T12:00:00.000Z") as home:
        go_on(home, 100, 100 + SIZE - SPLIT)
    return place


WITHOUT_ROWS = {
    "restore last week's directory": restore_last_week,
    "run two servers": run_two_servers,
}


def attack(story: Story, name: str, place: Path, *, signed: bool) -> Path:
    """Carry out an attack on a copy; return the forged directory."""
    if name in WITHOUT_ROWS:
        return WITHOUT_ROWS[name](story, place)
    forged_twin(story.directory, place)
    write_history(place, ON_ROWS[name](place, read_history(place)))
    if signed:
        sign_history(place)
    return place


@pytest.fixture(scope="module")
def forged(story: Story, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every attack, carried out once by somebody who has the keys."""
    place = tmp_path_factory.mktemp("forged")
    return {
        name: attack(story, name, place / name.replace(" ", "-"), signed=True)
        for name in (*ON_ROWS, *WITHOUT_ROWS)
    }


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
        "the aggregate log": _forked((4, 9)),
        "a mirror": _forked((5, 5)),
    },
    "truncate": {
        "the very receipt": CUT,
        "another receipt": CUT,
        "a checkpoint": CUT,
        "a witness": CUT,
        "the aggregate log": CUT,
        "a mirror": CUT,
    },
    "delete one entry": {
        "the very receipt": SHIFTED + _forked((5, 5), (6, 7), (8, 15)),
        "another receipt": SHIFTED + _forked((18, 18), (19, 19), (16, 17), (0, 15)),
        "an early receipt": _forked((4, 7), (8, 9)),
        "a checkpoint": SHIFTED,
        "an earlier checkpoint": _forked((0, 9)),
        "two checkpoints": _forked((0, 9)) + SHIFTED,
        "a witness": SHIFTED,
        "the aggregate log": _forked((4, 9)) + SHIFTED,
        "a mirror": SHIFTED + _forked((5, 19)),
    },
    "replace the whole history": {
        "the very receipt": _forked((5, 5), (4, 4), (6, 7), (0, 3), (8, 15), (16, 20)),
        "an early receipt": _forked((2, 2), (3, 3), (0, 1), (4, 7), (8, 9)),
        "a checkpoint": _forked((0, 20)),
        "an earlier checkpoint": _forked((0, 9)),
        "a witness": _forked((0, 20)),
        "the aggregate log": _forked((0, 3)),
        "a mirror": _forked((0, 20)),
    },
    "roll the clock back": {
        "the very receipt": _forked((12, 12), (13, 13), (14, 15), (8, 11)),
        "another receipt": _forked((0, 15)),
        "a checkpoint": _forked((0, 20)),
        "two checkpoints": _forked((10, 20)),
        "a witness": _forked((0, 20)),
        "the aggregate log": _forked((10, 15)),
        "a mirror": _forked((10, 14)),
    },
    "restore last week's directory": {
        "the very receipt": OLD,
        "another receipt": OLD,
        "a checkpoint": OLD,
        "two checkpoints": OLD,
        "a witness": OLD,
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

# What lies wholly before the range that was touched agrees with every history.
HOLDS: dict[str, tuple[str, ...]] = dict.fromkeys(("truncate", "roll the clock back", "restore last week's directory", "run two servers"), ("an early receipt", "an earlier checkpoint"))  # fmt: skip

VERY = {"truncate": 18, "roll the clock back": 12, "run two servers": 18,
        "restore last week's directory": 18}  # fmt: skip
OTHER = {"rewrite one approval": 18, "delete one entry": 18, "roll the clock back": 18}


def evidence(story: Story, name: str, kind: str) -> list[Path]:
    """Return what `--against` is given, for an attack and a kind of evidence."""
    kept = story.kept
    match kind:
        case "the very receipt":
            return [kept / "receipts" / f"{VERY.get(name, APPROVAL)}.tlog-proof"]
        case "another receipt":
            return [kept / "receipts" / f"{OTHER.get(name, 5)}.tlog-proof"]
        case "an early receipt":
            return [kept / "early receipts" / "2.tlog-proof"]
        case "a checkpoint":
            return [kept / "checkpoint"]
        case "an earlier checkpoint":
            return [kept / "earlier checkpoint"]
        case "two checkpoints":
            return [kept / "checkpoint", kept / "earlier checkpoint"]
        case "a witness":
            return [kept / "witness"]
        case "the aggregate log":
            return [kept / "aggregate"]
        case "a mirror":
            return [kept / "mirror"]
    raise AssertionError(kind)


def against(story: Story, name: str, kind: str) -> list[object]:
    return [word for one in evidence(story, name, kind) for word in ("--against", one)]


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


# Other forms of the same evidence.


def test_a_witness_tells_the_same_at_its_address(
    story: Story, forged: dict[str, Path], verify: Verify
) -> None:
    """Nobody needs its files: it hands out what it cosigned last to everybody."""
    said = verify(forged["rewrite one approval"], "--against", story.witness.url)

    assert said.code == 1
    assert said.ranges() == [("forked", 0, 20)]


@pytest.mark.parametrize("form", ["address", "archive"])
def test_a_mirror_tells_the_same_from_an_address_and_in_an_archive(
    story: Story, forged: dict[str, Path], verify: Verify, tmp_path: Path, form: str
) -> None:
    """A static mirror is a web server, or a tar on somebody's disk."""
    if form == "archive":
        packed = shutil.make_archive(str(tmp_path / "mirror"), "tar", story.kept, "mirror")
        said = verify(forged["rewrite one approval"], "--against", packed)
    else:
        with served(story.kept) as url:
            said = verify(forged["rewrite one approval"], "--against", f"{url}/mirror")

    assert said.code == 1
    assert said.ranges() == [("forked", 5, 5)]


def test_one_server_names_what_the_other_one_shows_otherwise(
    story: Story, forged: dict[str, Path], verify: Verify
) -> None:
    """Two directories of one ledger, held against each other with all their logs."""
    said = verify(story.directory, "--against", forged["run two servers"])

    assert said.code == 1
    assert set(said.ranges()) == {("forked", 16, 20)}


def test_a_checkpoint_of_more_entries_says_that_it_cannot_say_more(
    story: Story, forged: dict[str, Path], verify: Verify
) -> None:
    """One entry was deleted and all behind it moved; one signed root shows that one is missing."""
    said = verify(forged["delete one entry"], "--against", story.kept / "checkpoint")

    [found] = said.report["findings"]
    assert "whether those are the same it cannot say" in found["message"]


def test_a_checkpoint_of_the_aggregate_alone_says_that_the_aggregate_was_rewritten(
    story: Story, forged: dict[str, Path], verify: Verify
) -> None:
    """It names entries of the aggregate; which log they are of, takes a copy to say."""
    kept = story.kept / "aggregate" / "checkpoint"
    said = verify(forged["rewrite one approval"], "--against", kept)

    assert said.code == 1
    assert said.ranges(f"public/{AGGREGATE}") == [("forked", 0, 4)]
    assert said.ranges() == []


def test_an_aggregate_log_that_was_taken_away_still_speaks_from_elsewhere(
    story: Story, forged: dict[str, Path], verify: Verify, tmp_path: Path
) -> None:
    """Its copy is checked under the key in the policy; nothing of it has to be here."""
    directory = forged_twin(forged["rewrite one approval"], tmp_path / "forged")
    shutil.rmtree(directory / "public" / AGGREGATE)
    for path in (*directory.glob("aggregate.db*"), *directory.glob(f"keys/{AGGREGATE}.*")):
        path.unlink()
    policy = tmp_path / "policy"
    logs = [vkey(story.directory, log) for log in (PROJECT, AGGREGATE)]
    policy.write_text("".join(f"log {one}\n" for one in logs) + "quorum none\n")

    said = verify(directory, "--trust", policy, "--against", story.kept / "aggregate")

    assert said.code == 1
    assert said.ranges() == [("forked", 4, 9)]


def test_a_policy_that_asks_for_a_witness_believes_no_history_the_witness_has_not_seen(
    story: Story, forged: dict[str, Path], verify: Verify, tmp_path: Path
) -> None:
    """Then no file needs to be kept at all: the witness's key is enough."""
    policy = tmp_path / "policy"
    policy.write_text(
        f"log {vkey(story.directory, PROJECT)}\nwitness audit {story.witness.vkey}\nquorum audit\n"
    )
    assert verify(story.directory, "--trust", policy).code == 0

    for name in ("rewrite one approval", "run two servers"):
        said = verify(forged[name], "--trust", policy)
        assert said.code == 1
        [found] = said.report["findings"]
        assert (found["object"], found["first"], found["last"]) == (
            f"public/{PROJECT}/checkpoint", 0, 20,
        )  # fmt: skip
        assert "quorum" in found["message"]


@pytest.mark.parametrize("what", ["nothing at all", "a witness of another log"])
def test_what_is_no_evidence_of_a_log_here_is_a_mistake_of_the_caller(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    """Exit 2 and one line: silence would pass for "it holds"."""
    given = tmp_path / "given"
    given.mkdir()
    if what != "nothing at all":
        (given / "seen").mkdir()
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(story.directory), "--against", str(given)])

    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


# The clock.


def test_an_entry_that_claims_to_be_older_than_one_before_it_is_named(
    story: Story, tmp_path: Path, verify: Verify
) -> None:
    """With all the keys: the order of entries and their times have to agree."""
    directory = forged_twin(story.directory, tmp_path / "forged")
    lines = read_history(directory)
    early = "2026-11-01T00:00:00.000Z"
    lines[SPLIT] = backdate(lines[SPLIT], early)
    write_history(directory, lines)
    sign_history(directory)

    said = verify(directory)

    assert said.code == 1
    assert said.ranges("ledger.db entries row") == [("damaged", SPLIT, SPLIT)]
    assert early in said.report["findings"][0]["message"]


def test_under_a_clock_that_was_set_back_recorded_times_stand_still(
    story: Story, tmp_path: Path, verify: Verify
) -> None:
    """Then the entries are true and their times are not, and no evidence from before can tell."""
    directory = forged_twin(story.directory, tmp_path / "forged")
    with reopened(directory, "2020-01-01T00:00:00.000Z") as home:
        go_on(home, SIZE, SIZE + 2)

    times = [read_entry(line.entry).recordedtime for line in read_history(directory)]
    assert times[-3:] == [times[-3]] * 3
    for kind in ("a checkpoint", "a witness", "the aggregate log", "a mirror", "the very receipt"):
        assert verify(directory, *against(story, "", kind)).code == 0


# What none of them can expose.


def test_what_was_recorded_after_the_last_look_and_cut_off_again_shows_to_nobody(
    story: Story, tmp_path: Path, verify: Verify
) -> None:
    """Evidence speaks up to its own size; what nobody outside was shown, nobody misses."""
    directory = forged_twin(story.directory, tmp_path / "ledger")
    with reopened(directory, "2026-11-10T00:00:00.000Z") as home:
        go_on(home, SIZE, SIZE + 3)
    write_history(directory, read_history(directory)[:SIZE])
    sign_history(directory)

    for kind in ("a checkpoint", "a witness", "the aggregate log", "a mirror", "the very receipt"):
        assert verify(directory, *against(story, "", kind)).code == 0


def test_two_servers_are_exposed_by_neither_side_alone(
    story: Story, forged: dict[str, Path], verify: Verify
) -> None:
    """Whoever only ever talks to one of them is shown one history; it takes two who compare."""
    other = forged["run two servers"]

    for log in (PROJECT, AGGREGATE):
        assert verify(other, "--against", other / "public" / log).code == 0
    assert verify(story.directory, "--against", story.kept / "mirror").code == 0
