"""What pages say follows from what was read, and never says more."""

import dataclasses
import datetime

import msgspec
import pytest

from counterfoil.app.answers import ActorView, Page, WitnessStatus
from counterfoil.clock import parse_time
from counterfoil.projections.base import At
from counterfoil.projections.trace import LANES
from counterfoil.web.pages import changed_parts, entry, log, now, releases, runs, timeline, words
from counterfoil.web.pages.parts import (
    RECEIVED_NOTE,
    Counts,
    Links,
    bars,
    gap_lines,
    gaps_pill,
    line,
    mark,
    pill,
    received_note,
    ref_chip,
    who,
)
from tests.web_pages import sample
from tests.web_pages.sample import LINKS, NOW, resolve


@pytest.mark.parametrize("state", ["", None, "unknown", "odd", "requested", "skipped", "planned"])
def test_unknown_is_never_green(state: str | None) -> None:
    assert pill(state).tone == "none"


def test_a_missing_gap_is_no_verdict() -> None:
    assert gaps_pill(0).tone == "none"
    assert gaps_pill(2).text == "2 gaps"


def test_a_mark_is_named_aloud_with_number_and_state() -> None:
    assert mark(4588, LINKS).spoken == "entry 4,588, recorded, not witnessed, open entry and proof"


def test_an_actor_of_no_known_kind_is_nobody() -> None:
    assert who(ActorView("actor:x", "ghost", "spirit", "proven")).handle == "nobody named"
    assert who(None).kind == "nobody"


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        (Links("default", None), "/run?ref=run:a/b%3Fc%26d"),
        (Links("default", 4660), "/run?ref=run:a/b%3Fc%26d&as_of=4660"),
        (Links("shop", None), "/run?ref=run:a/b%3Fc%26d&project=shop"),
        (Links("default", -1), "/run?ref=run:a/b%3Fc%26d&as_of=1970-01-01T00:00:00Z"),
    ],
    ids=["now", "a moment", "another project", "before the first entry"],
)
def test_a_link_keeps_project_and_moment(links: Links, expected: str) -> None:
    assert links.ref("run:a/b?c&d") == expected


def test_a_ref_without_a_page_is_no_link() -> None:
    assert ref_chip("commit:acme/shop@9fceb02aa17b", LINKS).href is None
    assert ref_chip("change:acme/shop#318", LINKS).tail == "#318"


def test_a_late_arrival_says_both_times() -> None:
    assert line(sample.LINES[4], LINKS, NOW).late == "happened 13:10, recorded 14:00"
    assert line(sample.LINES[0], LINKS, NOW).late == ""


def test_a_run_with_retries_counts_cases_and_attempts_apart() -> None:
    """It said "1 of 1 passed" over "3 of 3 cases": both true, and one page against itself."""
    case = sample.CASES.rows[3]
    attempts = [msgspec.structs.replace(case, ref=f"c{n}", attempt=n) for n in (1, 2, 3)]
    counts = Counts({"passed": 1}, {"failed": 2})
    run = msgspec.structs.replace(sample.FINISHED, counts={"total": 1, "passed": 1})

    view = runs.build_run(run, counts, Page(tuple(attempts), None, 3), None, resolve, LINKS, NOW)

    assert "1 of 1 passed, after 2 failed attempts." in view.say
    assert view.case_words == "1 case, 3 attempts"
    assert [each.text for each in view.choices] == [
        "all 3 attempts", "1 passed", "2 failed attempts",
    ]  # fmt: skip
    assert view.choices[1].href.endswith("outcome=passed&attempts=last")
    assert view.choices[2].href.endswith("outcome=failed&attempts=earlier")


def test_a_run_without_retries_speaks_of_cases_alone() -> None:
    counts = runs.counts_of(sample.FINISHED, sample.COUNTED)
    view = runs.build_run(sample.FINISHED, counts, sample.CASES, None, resolve, LINKS, NOW)
    assert view.case_words == "5 of 87 cases"
    assert "attempt" not in view.say


FAILED_FIRST = "First what failed"
REST_ALONE = "then the rest in the order they were recorded."
REST = f"what could not be carried out, {REST_ALONE}"


@pytest.mark.parametrize(
    ("counted", "outcome", "said"),
    [
        ({"passed": 3, "failed": 1, "error": 2}, None, f"{FAILED_FIRST}, then {REST}"),
        ({"passed": 3, "error": 2}, None, f"First what could not be carried out, {REST_ALONE}"),
        ({"passed": 3}, None, "In the order they were recorded."),
        ({"passed": 3, "failed": 1}, "failed", "In the order they were recorded."),
    ],
    ids=["all three", "errors alone", "nothing red", "narrowed"],
)  # fmt: skip
def test_the_order_of_the_cases_is_said_in_words(
    counted: dict[str, int], outcome: str | None, said: str
) -> None:
    view = runs.build_run(
        sample.FINISHED, Counts(counted), sample.CASES, outcome, resolve, LINKS, NOW
    )
    assert view.order_words == said


def test_in_the_past_ago_and_so_far_end_at_the_moment_shown() -> None:
    """Looked at in March, November's build does not "run for 120 days so far"."""
    march = parse_time("2027-03-20T14:03:25Z")
    past = Links("default", 4711)

    board = now.build_now(sample.BOARD, resolve, past, march)
    listed = runs.build_runs(sample.RUNS, sample.COUNTED, resolve, past, march, NOW)
    counts = Counts({})
    one = runs.build_run(sample.RUNNING, counts, sample.CASES, None, resolve, past, march,
                         moment=NOW)  # fmt: skip
    logged = log.build_log(
        sample.LINES, sample.HEALTH, sample.SOURCES, sample.SIGNER.vkey, before=None,
        public_url="", links=past, now=march, moment=NOW,
    )  # fmt: skip

    assert board.running[0].lasted == "9 min 22 s so far", "up to the last entry shown"
    assert listed.rows[0].lasted == "9 min 25 s so far"
    assert "9 min 25 s so far" in [fact.text for fact in one.facts]
    assert (board.sources[0].last, logged.sources[0].last) == ("41 s ago", "44 s ago")
    assert board.lines_words == "247 entries that day"


def test_a_time_of_receipt_is_not_shown_as_the_senders() -> None:
    said = "time of receipt, the sender gave none"
    row = dataclasses.replace(sample.LINES[0], time_claimed=False)
    shown = line(row, LINKS, NOW)
    assert shown.late == ""
    assert shown.received
    assert shown.mark.spoken.endswith(said)
    assert received_note([line(sample.LINES[1], LINKS, NOW), shown]) == RECEIVED_NOTE
    assert received_note([line(sample.LINES[1], LINKS, NOW)]) == ""

    opened = dataclasses.replace(sample.OPENED, time_claimed=False)
    made = entry.build_entry(opened, sample.SIGNER.vkey, 4712, as_hex=False, links=LINKS)
    assert made.recorded == said


def test_witnesses_under_the_shown_receipt_are_named_and_their_absence_is_said() -> None:
    def last_step(*names: str) -> entry.Step:
        view = entry.build_entry(
            sample.OPENED, sample.SIGNER.vkey, 4712, as_hex=False, links=LINKS, witnessed_by=names
        )
        return view.steps[-1]

    assert last_step("north", "south").claim == "north and south cosigned that root"
    assert last_step("north", "south").rest == "in this receipt"
    assert last_step().claim == "No witness has signed it"


LATE = At(4521, "2026-11-20T09:00:00Z", None, "2026-11-20T12:05:00.000Z")


def test_a_late_run_release_or_step_says_both_times_too() -> None:
    """Only the log page said so, and there nobody looks for a release."""
    said = "happened 09:00, recorded 12:05"
    run = msgspec.structs.replace(sample.FINISHED, finished=LATE)
    assert runs.run_line(run, Counts({}), resolve, LINKS, NOW).late == said

    release = msgspec.structs.replace(sample.RELEASE, published=LATE)
    [row] = releases.build_releases(Page((release,), None, 1), resolve, LINKS, NOW).rows
    assert row.late == said

    step = dataclasses.replace(sample.STEPS[0], time=LATE.time, recordedtime=LATE.recordedtime)
    trace = dataclasses.replace(sample.TRACE, steps=(step,), gaps=())
    [line_] = releases.build_release(release, trace, {}, resolve, LINKS, NOW).steps
    assert line_.late == said


@pytest.mark.parametrize(
    ("lane", "outcome", "sentence", "shown"),
    [
        ("Approval", "passed", "signed as approved: shop@1.4.2", None),
        ("Review", "passed", "reviewed 9fceb02: approved", None),
        ("Review", "failed", "reviewed 9fceb02: asked for changes", None),
        ("Runs", "passed", "finished unit, run 1875: passed", None),
        ("Runs", "running", "started unit, run 1875", "running"),
        ("Deployment", "passed", "finished deploying shop@1.4.2 to qa", "passed"),
    ],
)
def test_a_step_shows_no_outcome_that_its_sentence_says(
    lane: str, outcome: str, sentence: str, shown: str | None
) -> None:
    step = dataclasses.replace(sample.STEPS[0], lane=lane, outcome=outcome, sentence=sentence)
    trace = dataclasses.replace(sample.TRACE, steps=(step,), gaps=())

    [made] = releases.build_release(sample.RELEASE, trace, {}, resolve, LINKS, NOW).steps

    assert (made.outcome.text if made.outcome else None) == shown
    assert made.tone == pill(outcome).tone


def test_a_release_that_is_merely_published_has_no_tick() -> None:
    assert releases.state_pill(sample.RELEASE).icon != "pass"


def test_a_time_nobody_can_read_is_said_to_be_that() -> None:
    odd = dataclasses.replace(sample.LINES[0], time="yesterday")
    assert line(odd, LINKS, NOW).late.endswith("the sender's time cannot be read")


def test_an_outcome_the_sentence_says_is_not_said_twice() -> None:
    assert line(sample.LINES[0], LINKS, NOW).outcome is None
    silent = dataclasses.replace(sample.LINES[0], sentence="finished run 902")
    shown = line(silent, LINKS, NOW).outcome
    assert shown is not None
    assert shown.text == "failed"


def test_a_nonzero_count_is_never_an_invisible_bar() -> None:
    drawn = bars((0, 1, 100_000)).bars
    assert len(drawn) == 2
    assert min(bar.height for bar in drawn) >= 1


def test_what_still_runs_is_not_green() -> None:
    counts = Counts({"passed": 5, "failed": 1, "running": 4})
    progress = counts.progress(running=True)
    assert progress is not None
    assert [part.tone for part in progress.parts] == ["failed", "done"]
    assert progress.spoken == "5 of 10 passed, 1 failed, 4 running"


def test_a_run_whose_sender_counts_otherwise_says_so() -> None:
    row = sample.FINISHED
    view = runs.build_run(row, Counts({"passed": 2}), Page((), None, 0), None, resolve, LINKS, NOW)
    assert "Its sender counts 87; 2 are recorded here." in view.say


def test_a_lost_run_says_after_which_test_and_is_not_called_running() -> None:
    lost = msgspec.structs.replace(
        sample.RUNNING, state="lost", tests_planned=97, lost=sample.RUNNING.started,
        reason="lost after test 30 of 97; the last to begin was t.py::test_total",
    )  # fmt: skip
    view = runs.build_run(
        lost, Counts({"passed": 30}), Page((), None, 0), None, resolve, LINKS, NOW
    )
    assert (view.state.text, view.state.tone) == ("lost", "fail")
    assert "It was lost after test 30 of 97;" in view.say
    assert ("Tests planned", "97") in [(fact.label, fact.text) for fact in view.facts]
    took = next(fact.text for fact in view.facts if fact.label == "Took")
    assert took.endswith("until it was lost")


def test_the_total_a_sender_states_is_no_outcome() -> None:
    told = type(sample.FINISHED)(ref="run:x", counts={"passed": 4, "failed": 1, "total": 5})
    assert runs.counts_of(told, {}).total == 5


def test_a_release_is_never_called_complete() -> None:
    whole = dataclasses.replace(sample.TRACE, gaps=())
    assert "complete" not in releases.sentence(sample.RELEASE, whole, NOW)
    assert "By the rules of this page" in releases.sentence(sample.RELEASE, whole, NOW)
    cut = dataclasses.replace(whole, cut=True)
    assert "more may be missing" in releases.sentence(sample.RELEASE, cut, NOW)


def test_a_release_nobody_deployed_says_so() -> None:
    bare = type(sample.RELEASE)(ref="release:shop@1", published=sample.RELEASE.published)
    said = releases.sentence(bare, sample.TRACE, NOW)
    assert said.startswith("Published 13:00; no deployment of it is recorded.")
    assert releases.where_of(bare) == "not deployed, as far as recorded"


def test_log_health_is_not_well_when_something_is_not() -> None:
    def tones(**changed: object) -> dict[str, str]:
        health = dataclasses.replace(sample.HEALTH, gaps=0, **changed)  # type: ignore[arg-type]
        return {each.name: each.tone for each in now.health_lines(health, NOW)}

    assert set(tones().values()) <= {"pass", "none"}
    assert tones()["Witnessed"] == "none"
    assert tones(checkpoint_size=4700)["Signed checkpoint"] == "warn"
    assert tones(stopped="entry 7 does not match")["Folded into these pages"] == "fail"
    assert tones(exported_size=None)["Exported for anybody to check"] == "none"


def seen(name: str, size: int, problem: str = "", alarm: str = "") -> WitnessStatus:
    at = datetime.datetime(2026, 11, 20, 14, 3, tzinfo=datetime.UTC) if size else None
    return WitnessStatus(name, sample.SIGNER.vkey, size, at, problem, alarm)


WITNESSES = {
    "none is set up": ((), ("none", "none", "no witness is set up")),
    "all are level": ((seen("a", 4710), seen("b", 4712)), ("pass", "4,712", "a and b cosigned")),
    "one is on its way": ((seen("a", 4710), seen("b", 90)), ("none", "4,710", "1 of 2 witnesses")),
    "one does not answer": (
        (seen("a", 4710), seen("b", 0, "timed out")), ("warn", "4,710", "b: timed out"),
    ),
    "one alarms": ((seen("a", 4710), seen("b", 9, "x", "forked")), ("fail", "4,710", "ALARM: b forked")),
}  # fmt: skip


@pytest.mark.parametrize(("witnesses", "said"), WITNESSES.values(), ids=WITNESSES.keys())
def test_witnessed_is_green_only_when_all_have_signed_what_is_published(
    witnesses: tuple[WitnessStatus, ...], said: tuple[str, str, str]
) -> None:
    size = max((one.size for one in witnesses), default=0)
    health = dataclasses.replace(sample.HEALTH, witnesses=witnesses, witnessed_size=size)
    [line] = [each for each in now.health_lines(health, NOW) if each.name == "Witnessed"]

    tone, number, words = said
    assert line.tone == tone
    assert line.number == number
    assert words in line.detail


def test_a_mark_says_witnessed_only_of_entries_a_cosignature_covers() -> None:
    links = Links("default", None, 10)

    states = [mark(index, links).state for index in (0, 9, 10, 11)]

    assert states == ["witnessed", "witnessed", "recorded", "recorded"]
    assert mark(0, LINKS).state == "recorded"
    assert mark(0, links, state="erased").state == "erased"
    assert links.at(3).witnessed_size == 10


def test_the_board_counts_every_red_test_and_not_only_those_shown() -> None:
    board = dataclasses.replace(sample.BOARD, red=Page(sample.RED.rows, "more", 17))
    view = now.build_now(board, resolve, LINKS, NOW)
    assert view.figures[0].text == "17"
    assert "17 red tests" in view.say


def test_an_empty_log_is_not_praised() -> None:
    view = now.build_now(sample.EMPTY_BOARD, resolve, LINKS, NOW)
    assert "Nothing is recorded." in view.say
    assert view.figures[2].text == "nothing recorded"
    assert view.red_empty.fact == "No test is recorded."


def draw(**changed: object) -> timeline.Drawing:
    """Return the drawing of the story."""
    steps = changed.get("steps", sample.STEPS)
    gaps = gap_lines(sample.GAPS, LINKS)
    drawing = timeline.draw(steps, gaps, {1: 4517, 2: 4641}, LANES, LINKS, NOW)  # type: ignore[arg-type]
    assert drawing is not None
    return drawing


def test_every_step_is_drawn_with_a_link_to_its_entry() -> None:
    hrefs = {shape.href for lane in draw().lanes for shape in lane.shapes}
    assert hrefs == {f"/entries/{step.entry}" for step in sample.STEPS}


def test_later_is_further_right() -> None:
    for lane in draw().lanes:
        places = [shape.x for shape in lane.shapes]
        times = [step.time for step in sample.STEPS if step.lane == lane.name]
        assert places == [x for _, x in sorted(zip(times, places, strict=True))]


def test_the_night_is_folded() -> None:
    assert [fold.label for fold in draw().folds] == ["night: no events"]


def test_everything_lies_inside() -> None:
    drawing = draw()
    for lane in drawing.lanes:
        assert drawing.top <= lane.y
        assert lane.y + lane.height <= drawing.height
        for shape in lane.shapes:
            assert shape.x >= timeline.AXIS_LEFT
            assert shape.x + shape.width <= timeline.AXIS_RIGHT + 0.1
            assert lane.y < shape.y < lane.y + lane.height


def test_no_two_labels_lie_on_each_other() -> None:
    for lane in draw().lanes:
        spans = []
        for label in [shape.label for shape in lane.shapes if shape.label]:
            long = len(label.text) * timeline.CHARACTER
            left = label.x if label.anchor == "start" else label.x - long
            spans.append((label.y, left, left + long))
        for place, (y, left, right) in enumerate(spans):
            for other_y, other_left, other_right in spans[place + 1 :]:
                assert y != other_y or right <= other_left or other_right <= left


def test_a_gap_stands_on_its_lane_with_its_number() -> None:
    found = {
        lane.name: [each.label.text[:6] for each in lane.missing]
        for lane in draw().lanes
        if lane.missing
    }
    assert found == {"Review": ["Gap 1:"], "Deployment": ["Gap 2:"]}


def test_years_apart_and_all_at_once_are_drawn_too() -> None:
    old = dataclasses.replace(sample.STEPS[0], time="2019-05-15T00:00:00Z")
    drawing = draw(steps=(old, sample.STEPS[-1]))
    assert drawing.folds[0].label == "7 years: no events"
    same = tuple(dataclasses.replace(step, time=old.time, end=None) for step in sample.STEPS)
    assert draw(steps=same).height > 0


def test_many_steps_are_counted_where_they_are_not_drawn() -> None:
    many = tuple(
        dataclasses.replace(sample.STEPS[0], entry=n, time=f"2026-11-20T10:{n % 60:02d}:00Z")
        for n in range(200)
    )
    assert draw(steps=many).left_out == 200 - timeline.POINTS_MAX


def test_without_a_readable_time_there_is_no_drawing() -> None:
    odd = tuple(dataclasses.replace(step, time="soon") for step in sample.STEPS)
    assert timeline.draw(odd, (), {}, LANES, LINKS, NOW) is None


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("2026-11-20T13:26:00Z", "13:26"),
        ("2026-11-20T14:26:00+01:00", "13:26"),
        ("2026-11-17T09:14:00Z", "Tue 09:14"),
        ("2026-11-13T09:14:00Z", "13 Nov"),
        ("2027-01-01T00:00:00Z", "1 Jan 2027"),
        ("", "unknown"),
    ],
    ids=["today", "another zone", "this week", "older", "to come", "none"],
)
def test_times_are_said_as_people_say_them(time: str, said: str) -> None:
    assert words.when(time, NOW) == said


def test_relative_time_is_only_for_the_last_hour() -> None:
    assert words.ago("2026-11-20T14:03:13Z", NOW) == "12 s ago"
    assert words.ago("2026-11-20T13:31:00Z", NOW) == "32 min ago"
    assert words.ago("2026-11-20T12:31:00Z", NOW) == "12:31"
    assert words.ago("2026-11-20T14:04:00Z", parse_time("2026-11-20T14:03:00Z")) == "14:04"


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200b", "\u0000", "\u001b", "\ufeff"])
def test_characters_that_act_on_others_are_boxes(character: str) -> None:
    assert f"U+{ord(character):04X}" in words.visible(f"a{character}b")
    assert character not in words.plain_visible(f"a{character}b")


def test_what_is_not_shown_of_the_commits_and_changes_between_is_counted() -> None:
    found = sample.COMMITS_BETWEEN.between
    assert found is not None
    many = dataclasses.replace(found, commits=found.commits[:1] * 40, changes=found.changes * 43)

    view = changed_parts.between_view(many, resolve, LINKS)

    assert (len(view.commits), view.commits_more) == (40, "")
    assert (len(view.changes), view.changes_more) == (40, "3 more are in the JSON.")
