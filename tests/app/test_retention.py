"""Rules of retention: what goes when, what is shown before, and what a full disk leaves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.acting_retention import Previewed, Ran
from counterfoil.app.actions import AskedFor
from counterfoil.app.holds import Holds
from counterfoil.app.home import Home
from counterfoil.app.keeping import Keeping
from counterfoil.app.record import SERVER
from counterfoil.app.retention import Retention
from counterfoil.clock import SteppedClock, format_time
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.policy.access import LOG
from tests.app.approving import do
from tests.app.keeping import PROJECT, by, keeping_desk, later, tell, words_of
from tests.client.verifying import verify


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def home(tmp_path: Path, clock: SteppedClock) -> Iterator[Home]:
    with keeping_desk(tmp_path / "ledger", clock) as opened:
        yield opened


def preview(home: Home, **given: Any) -> Previewed:
    made = do(home, "retention-preview", **given)
    assert isinstance(made, Previewed)
    return made


def test_what_goes_is_what_was_shown(home: Home, clock: SteppedClock) -> None:
    old = [tell(home), tell(home)]
    build = tell(home, "dev.cdevents.build.finished.0.3.0", subject="run:acme/shop/2")
    approval = tell(home, "dev.cdeventsx.counterfoil-approval.requested.0.1.0",
                    subject="approval:a")  # fmt: skip
    later(clock, 101)
    young = tell(home)
    do(home, "retention-set", rule="all", types="*", days=100, reason="enough")
    do(home, "retention-set", rule="builds", types="build.*", days=366, reason="longer")

    shown = preview(home).plan
    [going] = shown.going
    assert (going.rule, going.count, going.ranges) == ("all", 2, ((old[0], old[1]),))
    assert going.types == {"com.example.step.finished": 2}
    later(clock, 0.01)
    ran = do(home, "retention-run", at=shown.at, digest=shown.digest)

    assert isinstance(ran, Ran)
    assert ran.plan == shown
    assert [words_of(home, one) for one in old] == ["", ""]
    assert all(words_of(home, one) for one in (build, approval, young))
    [gone] = do(home, "retention-show").expired
    assert (gone.entry, gone.rule, gone.count) == (ran.made[0], "all", 2)
    assert preview(home).plan.going == ()
    # A stranger finds nothing wrong, and is told why the contents are gone.
    home.ledger.export_now()
    report = verify(home.directory)
    assert report.ok, report.findings
    erasures = home.eraser.book.of(PROJECT).all
    assert [one.said() for one in erasures] == ["erased on 2027-03-01 under all"]


def test_a_preview_that_is_no_more_so_lets_nothing_go(home: Home, clock: SteppedClock) -> None:
    index = tell(home)
    later(clock, 101)
    do(home, "retention-set", rule="all", types="*", days=100, reason="enough")
    shown = preview(home).plan
    do(home, "hold-place", case="m-1", reason="claim", refs=("run:acme/shop/1",))

    with pytest.raises(RequestError) as refused:
        do(home, "retention-run", at=shown.at, digest=shown.digest)

    assert refused.value.code == "preview_changed"
    assert words_of(home, index)
    again = preview(home).plan
    assert (again.going, again.held[0].count, again.held[0].first) == ((), 1, index)


def test_blobs_go_when_no_entry_needs_them_any_more(home: Home, clock: SteppedClock) -> None:
    """One that a younger entry names stays, or a hold on that entry would keep half of it."""
    own = home.recorder.put_blob(b"of the old one alone", "a.txt", "text/plain")
    shared = home.recorder.put_blob(b"of both", "b.txt", "text/plain")
    tell(home, blobs=(own, shared))
    later(clock, 101)
    tell(home, blobs=(shared,))
    do(home, "retention-set", rule="all", types="*", days=100, reason="enough")

    do(home, "retention-run")

    assert home.keys.blob(own.digest) is None
    assert home.keys.blob(shared.digest) is not None


def test_things_expire_by_themselves_once_a_day(home: Home, clock: SteppedClock) -> None:
    by_clock = Retention(
        home.log, home.keeping, home.holds, home.access, clock, home.eraser.carry_out, hour=3
    )
    index = tell(home)
    do(home, "retention-set", rule="all", types="*", days=100, reason="enough")
    later(clock, 100.6)  # 02:24, before the hour
    by_clock.look(SERVER)
    assert words_of(home, index)
    later(clock, 0.1)  # 04:48, after it
    young = tell(home)
    by_clock.look(SERVER)

    assert words_of(home, index) == ""
    later(clock, 0.2)
    size = home.log.head(PROJECT).size
    by_clock.look(SERVER)  # once a day
    assert home.log.head(PROJECT).size == size
    assert format_time(by_clock.next_run() or clock.now()) == "2027-03-02T03:00:00.000Z"
    later(clock, 100)
    by_clock.look(SERVER)
    assert words_of(home, young) == ""


def test_what_a_full_disk_broke_off_goes_with_the_next_run(
    home: Home, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is half done: an event is carried out whole, and the rest is due as before."""
    monkeypatch.setattr("counterfoil.app.retention.ENTRIES_PER_EVENT", 1)
    indices = [tell(home), tell(home)]
    later(clock, 101)
    do(home, "retention-set", rule="all", types="*", days=100, reason="enough")
    real, calls = home.eraser.carry_out, []

    def full(*given: Any) -> int:
        calls.append(given)
        if len(calls) == 2:
            raise UnavailableError("storage", "no space left on device")
        return real(*given)

    monkeypatch.setattr(home.retention, "_carry_out", full)
    with pytest.raises(UnavailableError):
        do(home, "retention-run")
    assert [bool(words_of(home, one)) for one in indices] == [False, True]

    do(home, "retention-run")

    assert [bool(words_of(home, one)) for one in indices] == [False, False]
    assert [one.count for one in do(home, "retention-show").expired] == [1, 1]


def test_a_hold_that_somebody_hid_in_state_db_holds_all_the_same(
    home: Home, clock: SteppedClock
) -> None:
    """The notes there are no evidence: before anything goes the log itself is read."""
    index = tell(home, subject="release:held@1")
    placed = do(home, "hold-place", case="m-1", reason="x", refs=("release:held@1",))
    do(home, "retention-set", rule="all", types="*", days=100, reason="enough")
    later(clock, 101)
    home.keeping.of(PROJECT)
    found = home.state.keeping.read(PROJECT)[1]
    home.state.keeping.forget(PROJECT)
    home.state.keeping.add(PROJECT, home.log.head(PROJECT).size, set(found) - {placed.hold})
    misled = Keeping(home.log, home.keys, home.state.keeping)
    assert misled.of(PROJECT).holding() == []
    holds = Holds(misled, home.log, home.access, home.clock)
    assert [one.hold for one in holds.over_entries(PROJECT, [[index, index]])] == [placed.hold]
    home.state.keeping.forget(PROJECT)
    home.state.keeping.add(PROJECT, home.log.head(PROJECT).size, set(found) - {placed.hold})
    misled = Keeping(home.log, home.keys, home.state.keeping)
    holds = Holds(misled, home.log, home.access, home.clock)
    later_on = Retention(
        home.log, misled, holds, home.access, clock, home.eraser.carry_out, hour=None
    )

    plan, made = later_on.run(PROJECT, SERVER)

    assert (plan.count, made, plan.held[0].hold) == (0, (), placed.hold)
    assert words_of(home, index)


def test_letting_go_sooner_takes_two_people_under_any_policy(home: Home) -> None:
    by(home, "ana", "retention-set", preset="pci-dss-10.5.1", reason="card data")

    asked = by(home, "ana", "retention-set", rule="pci-dss-10.5.1", types="*", days=100,
               reason="less disk")  # fmt: skip
    assert isinstance(asked, AskedFor)
    assert do(home, "retention-show").rules[0].days == 366
    by(home, "dan", "confirm", entry=asked.asked)

    [rule] = do(home, "retention-show").rules
    assert (rule.days, rule.preset) == (100, "")
    with pytest.raises(RequestError) as refused:
        do(home, "retention-set", rule="short", types="com.example.*", days=7, reason="local")
    assert refused.value.code == "two_people"


def test_a_year_does_not_become_three_months_in_two_steps_of_one_person(home: Home) -> None:
    """An end keeps things for good, but only until a next rule that nothing is compared with."""
    by(home, "ana", "retention-set", preset="pci-dss-10.5.1", reason="card data")

    asked = by(home, "ana", "retention-set", rule="pci-dss-10.5.1", end=True, reason="less disk")

    assert isinstance(asked, AskedFor)
    assert [one.name for one in do(home, "retention-show").rules] == ["pci-dss-10.5.1"]
    by(home, "dan", "confirm", entry=asked.asked)
    assert do(home, "retention-show").rules == ()


def test_a_rule_under_a_longer_one_is_told_that_it_lets_nothing_go(home: Home) -> None:
    do(home, "retention-set", rule="all", types="*", days=366, reason="a year")

    made = do(home, "retention-set", rule="steps", types="com.example.*", days=100, reason="x")

    assert made.warnings == ("all keeps what both cover for 366 days: the longest rule counts",)


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "no days": ("usage", {"rule": "a", "types": "*"}),
    "days without end": ("usage", {"rule": "a", "types": "*", "days": 36_526}),
    "no type": ("usage", {"rule": "a", "types": "bild", "days": 100}),
    "no name": ("usage", {"types": "*", "days": 100}),
    "a name in capitals": ("usage", {"rule": "A", "types": "*", "days": 100}),
    "no reason": ("usage", {"rule": "a", "types": "*", "days": 100, "reason": " "}),
    "no such preset": ("not_found", {"preset": "soc-9"}),
    "an end of no rule": ("not_found", {"rule": "a", "end": True}),
    "what tells of erasing": ("usage", {"rule": "a", "types": "erasure.*", "days": 400}),
    "another project": (
        "project_unknown", {"rule": "a", "types": "*", "days": 100, "project": "x"}),
    "a pattern in the log of who may": (
        "usage", {"rule": "a", "types": "session.*", "days": 100, "project": LOG}),
    "who may, in the log of who may": (
        "usage", {"rule": "a", "types": "role.granted", "days": 400, "project": LOG}),
}  # fmt: skip


def test_what_cannot_be_a_rule_is_refused_and_changes_nothing(home: Home) -> None:
    size = home.log.head(PROJECT).size
    for name, (code, given) in REFUSED.items():
        with pytest.raises(RequestError) as refused:
            do(home, "retention-set", **{"reason": "x", **given})
        assert refused.value.code == code, name
    with pytest.raises(RequestError):
        preview(home, at="2030-01-01T00:00:00Z")
    with pytest.raises(RequestError):
        preview(home, at="tomorrow")
    assert home.log.head(PROJECT).size == size


def test_sessions_of_long_ago_may_expire_in_the_log_of_who_may(home: Home) -> None:
    do(home, "retention-set", rule="s", types="session.ended", days=366, project=LOG, reason="x")

    assert [one.types for one in do(home, "retention-show", project=LOG).rules] == ["session.ended"]
    assert preview(home, project=LOG).plan.going == ()
