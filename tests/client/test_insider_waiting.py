"""The insider who has no key and can wait: the next start of the server signs what lies there.

The rows are rewritten, and what was published of them is rolled back to before the edit, with
checkpoints that were honestly signed then.  An export that is behind its database is no finding,
and must not be: a crash leaves it so.  Then the server starts, and what it publishes covers the
lie.
"""

import shutil
from pathlib import Path

import pytest

from counterfoil.app.fsck import fsck
from tests.insider import PROJECT, roll_back_published
from tests.insider_attacks import Range, Verify, against, attack
from tests.insider_story import APPROVAL, LAST_WEEK, SIZE, Story, go_on, reopened

EDITS = {"at all": "rewrite one approval", "since last week": "roll the clock back"}
"""Two edits: of an entry behind the first state on record, and of entries behind last week's."""

EXPOSED: dict[str, dict[str, list[Range]]] = {
    "at all": {
        "the very receipt": [("forked", 5, 5)],
        "a checkpoint": [("forked", 0, 20)],
        "a witness": [("forked", 0, 20)],
        "the aggregate log": [("forked", 4, 9), ("forked", 10, 20)],
        "a mirror": [("forked", 5, 5)],
    },
    "since last week": {
        "the very receipt": [("forked", at, to) for at, to in ((12, 12), (13, 13), (14, 15), (8, 11))],
        "a checkpoint": [("forked", 0, 20)],
        "a witness": [("forked", 0, 20)],
        "the aggregate log": [("forked", 10, 15), ("forked", 16, 20)],
        "a mirror": [("forked", 10, 14)],
    },
}  # fmt: skip


def _keys(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (directory / "keys").glob(f"{PROJECT}.*")}


def _rewritten(story: Story, place: Path, since: str) -> Path:
    """Rewrite rows, and roll back what was published of them; no key is read."""
    attack(story, EDITS[since], place, signed=False)
    if since == "at all":
        assert roll_back_published(place) <= APPROVAL
        return place
    for path in (place / "public", *place.glob("aggregate.db*"), *place.glob("state.db*")):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(story.last_week / "public", place / "public")
    for path in story.last_week.glob("aggregate.db*"):
        shutil.copy2(path, place)
    return place


def _start(directory: Path) -> None:
    """Start the server on what lies there, record one step, and stop it."""
    with reopened(directory, "2026-11-10T12:00:00.000Z") as home:
        assert home.ledger.status(PROJECT).size == SIZE
        go_on(home, SIZE, SIZE + 1)


@pytest.fixture(scope="module")
def signed(story: Story, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each edit, after the start that signed it."""
    place = tmp_path_factory.mktemp("signed by the server")
    found = {since: _rewritten(story, place / since.replace(" ", "-"), since) for since in EDITS}
    # With its key there, the server begins no second aggregate log: the key has to go as well.
    for path in (found["at all"] / "keys").glob("_aggregate.*"):
        path.unlink()
    for directory in found.values():
        _start(directory)
    return found


@pytest.mark.parametrize("since", EDITS)
def test_what_a_start_signed_looks_whole_from_inside_and_took_no_key(
    story: Story, signed: dict[str, Path], verify: Verify, since: str
) -> None:
    """The server is the pen of whoever owns its files."""
    said = verify(signed[since])

    assert (said.code, said.report["findings"], said.report["notes"]) == (0, [], [])
    assert fsck(signed[since], full=True).ok
    assert _keys(signed[since]) == _keys(story.directory)


@pytest.mark.parametrize(
    ("since", "kind"), [(since, kind) for since, kinds in EXPOSED.items() for kind in kinds]
)
def test_one_piece_of_evidence_kept_elsewhere_names_what_a_start_signed(
    story: Story, signed: dict[str, Path], verify: Verify, since: str, kind: str, tmp_path: Path
) -> None:
    """Who kept a copy of the aggregate log kept its key as well: there is another one here now."""
    keys = sorted((story.directory / "keys").glob("*.vkey"))
    policy = tmp_path / "policy"
    policy.write_text("".join(f"log {key.read_text('ascii')}" for key in keys) + "quorum none\n")
    trusted = ["--trust", policy] if kind == "the aggregate log" else []

    said = verify(signed[since], *trusted, *against(story, EDITS[since], kind))

    assert said.code == 1
    assert said.ranges() == EXPOSED[since][kind]


def test_before_that_start_only_the_missing_aggregate_log_tells(
    story: Story, tmp_path: Path, verify: Verify
) -> None:
    """And not even that where the whole of last week's export was kept to be put back."""
    taken = verify(_rewritten(story, tmp_path / "at all", "at all"))
    put_back = verify(_rewritten(story, tmp_path / "last week", "since last week"))

    assert [(one["class"], one["object"]) for one in taken.report["findings"]] == [
        ("missing", "aggregate.db"), ("missing", "public/_aggregate/checkpoint"),
    ]  # fmt: skip
    assert (put_back.code, put_back.report["findings"]) == (0, [])
    assert f"public/{PROJECT} holds {LAST_WEEK} of {SIZE} entries" in put_back.report["notes"][0]
