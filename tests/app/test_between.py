"""The commits and changes between two runs and two releases, from a real ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app.between import Between
from counterfoil.app.changed import changed
from counterfoil.app.home import Home
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from tests.app.desk import PROJECT, desk, record
from tests.projections.trail import Told, event_of, told

REPO = "commit:acme/shop@"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with desk(tmp_path / "ledger", SteppedClock()) as opened:
        yield opened


def sha(number: int) -> str:
    return f"{REPO}{number:07x}{'e' * 33}"


def commit(number: int, *parents: int, where: str = "") -> Told:
    ref = sha(number).replace("acme/shop", where) if where else sha(number)
    return told("ci", "+commit.pushed", ref, *[(sha(one), "parent") for one in parents],
                message=f"Message {number}")  # fmt: skip


def run(number: int, on: int, outcome: str) -> Told:
    return told(
        "ci", "testsuiterun.finished", f"run:acme/shop/{number}", (sha(on), "input"),
        outcome=outcome, testSuite={"name": "unit"},
    )  # fmt: skip


def release(version: str, on: int, *more: tuple[str, str]) -> Told:
    return told("ci", "+release.published", f"release:shop@{version}", (sha(on), "contains"), *more,
                name="shop", version=version)  # fmt: skip


def fill(home: Home, *steps: Told) -> int:
    """Record events; return the number of the last entry."""
    return record(home, [event_of(one, place) for place, one in enumerate(steps)]) - 1


def lies_between(home: Home, ref: str, last: int, since: str = "") -> Between:
    found = changed(home.reader, PROJECT, ref, since, last).between
    assert found is not None
    return found


def numbers(found: Between) -> list[int]:
    return [int(one.ref.rpartition("@")[2][:7], 16) for one in found.commits]


def test_the_commits_are_those_git_log_would_name(home: Home) -> None:
    r"""A side branch that left before the earlier commit is between; what is behind it is not.

    1 - 2 - 3 - 5 - 6       green on 3, red on 6
     \- 4 ---------/
    """
    last = fill(
        home, commit(1), commit(2, 1), commit(3, 2), run(1, 3, "success"), commit(4, 1),
        commit(5, 3), commit(6, 5, 4), commit(7, 6), run(2, 6, "failure"),
    )  # fmt: skip

    found = lies_between(home, "run:acme/shop/2", last)

    assert (found.before, found.after, found.by, found.cut) == (sha(3), sha(6), "parents", False)
    assert numbers(found) == [6, 5, 4]
    assert [one.message for one in found.commits] == ["Message 6", "Message 5", "Message 4"]


def test_without_a_way_of_parents_it_is_what_was_recorded_between(home: Home) -> None:
    last = fill(
        home, commit(1), commit(2), run(1, 2, "success"), commit(3),
        commit(9, where="acme/other"), commit(4), run(2, 4, "failure"), commit(5),
    )  # fmt: skip

    found = lies_between(home, "run:acme/shop/2", last)

    assert (found.by, numbers(found)) == ("recorded", [4, 3])


def test_changes_are_those_that_hold_one_of_the_commits(home: Home) -> None:
    last = fill(
        home, commit(1), run(1, 1, "success"), commit(2, 1), commit(3, 2),
        told("ci", "change.merged", "change:acme/shop#7", (sha(3), "contains")),
        told("ci", "change.merged", "change:acme/shop#6", (sha(1), "contains")),
        run(2, 3, "failure"),
    )  # fmt: skip

    found = lies_between(home, "run:acme/shop/2", last)

    assert [(one.ref, one.state) for one in found.changes] == [("change:acme/shop#7", "merged")]


def test_it_is_as_of_the_entry_looked_at(home: Home) -> None:
    last = fill(
        home, commit(1), run(1, 1, "success"), commit(2), run(2, 3, "failure"), commit(3, 2),
    )  # fmt: skip
    assert numbers(lies_between(home, "run:acme/shop/2", last - 1)) == [2]
    assert numbers(lies_between(home, "run:acme/shop/2", last)) == [3, 2]


def test_the_same_commit_or_another_repository_has_nothing_between(home: Home) -> None:
    other = told("ci", "testsuiterun.finished", "run:acme/shop/3", ("commit:acme/other@" + "b" * 40,
                 "input"), outcome="failure", testSuite={"name": "unit"})  # fmt: skip
    last = fill(home, commit(1), run(1, 1, "success"), run(2, 1, "failure"), other)
    for ref in ("run:acme/shop/2", "run:acme/shop/3"):
        found = changed(home.reader, PROJECT, ref, "", last)
        assert found.run is not None
        assert found.between is None


def test_a_long_way_is_cut_and_says_so(home: Home) -> None:
    """At most 400 commits are walked, 200 are named."""
    last = fill(
        home, commit(0), run(1, 0, "success"), *[commit(n, n - 1) for n in range(1, 451)],
        run(2, 450, "failure"),
    )  # fmt: skip
    found = lies_between(home, "run:acme/shop/2", last)
    assert found.cut
    assert numbers(found)[:2] == [450, 449]
    assert len(found.commits) == 200


def test_changes_beyond_the_links_that_are_read_are_cut_and_said_so(home: Home) -> None:
    """Every commit has 5 runs and a change, more links than are read at once: some are missing."""
    commits = range(1, 151)
    last = fill(
        home, commit(0), run(0, 0, "success"), *[commit(n, n - 1) for n in commits],
        *[run(5 * n + extra, n, "failure") for n in commits for extra in range(5)],
        *[told("ci", "change.merged", f"change:acme/shop#{n}", (sha(n), "contains"))
          for n in commits],
    )  # fmt: skip
    found = lies_between(home, "run:acme/shop/754", last)
    assert (found.by, len(found.commits)) == ("parents", 150)
    assert len(found.changes) < 150
    assert found.cut


def test_parents_beyond_the_links_that_are_read_are_cut_and_said_so(home: Home) -> None:
    """A commit with more runs than links are read, known before its parents are."""
    last = fill(
        home, commit(1), commit(2, 1), run(0, 2, "success"),
        *[run(n, 3, "failure") for n in range(1, 1_001)], commit(4, 3, 2), commit(3, 1), commit(5, 4),
        run(1_001, 5, "failure"),
    )  # fmt: skip
    found = lies_between(home, "run:acme/shop/1001", last)
    assert (found.by, numbers(found)) == ("parents", [5, 3, 4])
    assert found.cut


# --- releases


def test_a_release_is_compared_with_the_one_before_it(home: Home) -> None:
    last = fill(
        home, commit(1), release("1.0", 1, ("artifact:sha256:" + "a" * 64, "contains")),
        told("ci", "+release.published", "release:else@9", name="else", version="9"),
        commit(2, 1), told("ci", "change.merged", "change:acme/shop#7", (sha(2), "contains")),
        release("1.1", 2, ("change:acme/shop#7", "contains")), release("1.2", 2),
    )  # fmt: skip

    found = changed(home.reader, PROJECT, "release:shop@1.1", "", last)

    assert found.release is not None
    assert (found.release.before, found.release.after) == ("release:shop@1.0", "release:shop@1.1")
    assert found.release.added == ("change:acme/shop#7", sha(2))
    assert set(found.release.gone) == {sha(1), "artifact:sha256:" + "a" * 64}
    assert found.between is not None
    assert numbers(found.between) == [2]
    assert [one.ref for one in found.between.changes] == ["change:acme/shop#7"]
    trace = home.reader.trace(PROJECT, "release:shop@1.1", last)
    assert sum(one.after for one in found.release.gaps) == len(trace.gaps) > 0


def test_a_release_can_be_compared_with_one_that_is_named(home: Home) -> None:
    last = fill(home, commit(1), release("1.0", 1), release("1.1", 1), release("1.2", 1))
    found = changed(home.reader, PROJECT, "release:shop@1.2", "release:shop@1.0", last)
    assert found.release is not None
    assert found.release.before == "release:shop@1.0"
    assert found.release.same == 1


def test_the_first_release_of_a_name_has_none_before(home: Home) -> None:
    last = fill(home, commit(1), release("1.0", 1))
    found = changed(home.reader, PROJECT, "release:shop@1.0", "", last)
    assert (found.release, found.between, found.trace) == (None, None, None)
    with pytest.raises(RequestError, match="no release release:shop@0"):
        changed(home.reader, PROJECT, "release:shop@1.0", "release:shop@0", last)
