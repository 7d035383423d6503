"""The demonstration fills a ledger through the front door, and the ledger tells its gaps."""

import time
from collections.abc import Iterator

import pytest

from counterfoil.app.founding import DEFAULT_PROJECT, create_home
from counterfoil.app.home import Home, open_home
from counterfoil.client.evidence import verify_path
from counterfoil.clock import SteppedClock, parse_time
from counterfoil.demo import samples, story
from counterfoil.demo.build import BuildResult, build
from counterfoil.errors import RequestError
from counterfoil.events.entry import Entry, read_entry
from counterfoil.ids import SeededRandomness
from counterfoil.verifier.report import Report

START = "2026-12-01T09:00:00.000Z"
BUDGET_S = 30


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, BuildResult, float]]:
    directory = tmp_path_factory.mktemp("demo") / "ledger"
    randomness = SeededRandomness("demo")
    create_home(directory, randomness)
    with open_home(directory, SteppedClock(START), randomness) as home:
        started = time.perf_counter()
        result = build(home)
        home.follower.catch_up(DEFAULT_PROJECT)
        yield home, result, time.perf_counter() - started


def _entries(home: Home) -> list[Entry]:
    size = home.log.head(DEFAULT_PROJECT).size
    return [read_entry(entry) for entry in home.log.entries(DEFAULT_PROJECT, 0, size)]


def test_it_fills_in_time(filled: tuple[Home, BuildResult, float]) -> None:
    _, result, seconds = filled
    assert seconds < BUDGET_S
    assert result.deliveries == 76
    assert result.reports == len(list(samples.reports())) + len(samples.snapshot().runs)
    assert result.events > 2_000


def test_events_are_recorded_in_the_order_of_their_times(
    filled: tuple[Home, BuildResult, float],
) -> None:
    home, result, _ = filled
    entries = _entries(home)
    times = [parse_time(entry.time) for entry in entries]
    assert times == sorted(times)
    assert len(entries) == result.events == result.last_index + 1


def test_every_entry_says_that_the_demonstration_recorded_it(
    filled: tuple[Home, BuildResult, float],
) -> None:
    """The captured deliveries carry no signature any more; GitHub did not send them here."""
    home, _, _ = filled
    assert {(entry.recordedby, entry.via) for entry in _entries(home)} == {("demo", "cli")}


def test_the_ledger_is_whole_with_every_blob(filled: tuple[Home, BuildResult, float]) -> None:
    home, _, _ = filled
    home.ledger.export_now()
    report = verify_path(str(home.directory))
    assert isinstance(report, Report)
    assert report.findings == ()
    assert all("" not in kept.blobs for kept in home.log.kept(DEFAULT_PROJECT, 0, 1_000))


def test_the_trace_of_the_release_finds_the_gaps_the_story_has_on_purpose(
    filled: tuple[Home, BuildResult, float],
) -> None:
    home, _, _ = filled
    trace = home.reader.trace(DEFAULT_PROJECT, story.RELEASE)
    assert {gap.rule for gap in trace.gaps} == {
        "commit_after_review",
        "run_without_end",
        "deployed_before_approval",
    }
    assert {step.lane for step in trace.steps} == {
        "Commits",
        "Change",
        "Review",
        "Build",
        "Runs",
        "Approval",
        "Deployment",
    }


def test_counts_of_a_captured_run_are_those_of_its_report(
    filled: tuple[Home, BuildResult, float],
) -> None:
    home, _, _ = filled
    counts = home.reader.case_counts(DEFAULT_PROJECT, ["run:captured/pulsar"])
    assert counts["run:captured/pulsar"] == {"passed": 793, "failed": 1, "skipped": 14}


def test_a_second_filling_is_refused_and_adds_nothing(
    filled: tuple[Home, BuildResult, float],
) -> None:
    home, _, _ = filled
    before = home.log.head(DEFAULT_PROJECT).size
    clock = home.clock
    assert isinstance(clock, SteppedClock)
    clock.step(60)
    with pytest.raises(RequestError) as refused:
        build(home)
    assert refused.value.code == "id_conflict"
    assert home.log.head(DEFAULT_PROJECT).size == before
