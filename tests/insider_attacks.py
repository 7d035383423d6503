"""The seven attacks, the evidence each is held against, and what one command said of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from counterfoil.events.canonical import JSON
from counterfoil.events.entry import read_entry
from tests.insider import (
    PROJECT,
    Line,
    backdate,
    forged_twin,
    read_history,
    rewrite,
    sign_history,
    write_history,
)
from tests.insider_story import APPROVAL, LAST_WEEK, SIZE, SPLIT, Story, go_on, reopened

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
