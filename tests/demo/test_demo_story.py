"""The made-up part keeps its word: a whole release, with the gaps it is meant to have."""

import re
from collections.abc import Iterable
from importlib.resources import files

import pytest

from counterfoil.clock import parse_time
from counterfoil.demo import samples, story
from counterfoil.events.event import Event
from counterfoil.sources import git

COMMITS = [
    story.Commit(f"commit:counterfoil/counterfoil@{digit * 40}", time)
    for digit, time in (
        ("a", "2026-11-20T09:00:00.000Z"),
        ("b", "2026-11-20T10:00:00.000Z"),
        ("c", "2026-11-20T11:00:00.000Z"),
        ("d", "2026-11-20T12:00:00.000Z"),
    )
]
STORY = story.tell(COMMITS, "2026-11-20T12:05:00.000Z")


def _of(name: str, events: Iterable[Event] = STORY) -> list[Event]:
    return [event for event in events if f".{name}." in event.type.replace("counterfoil-", ".")]


def test_the_story_is_told_in_order_and_the_same_every_time() -> None:
    assert list(STORY) == sorted(STORY, key=lambda event: parse_time(event.time))
    assert story.tell(COMMITS, "2026-11-20T12:05:00.000Z") == STORY
    assert len({event.id for event in STORY}) == len(STORY)


def test_everything_made_up_says_so_by_its_source() -> None:
    assert {event.source for event in STORY} == {"urn:counterfoil:demo"}
    assert all(event.authid.startswith("demo:") for event in STORY)


def test_a_release_goes_from_its_commits_to_production() -> None:
    [published] = _of("release.published")
    refs = {(one.ref, one.role) for one in published.refs}
    assert published.subject == "release:counterfoil@0.1.0"
    assert {(COMMITS[-1].ref, "built-from"), (story.ARTIFACT, "contains")} <= refs
    went = [
        one.ref
        for event in _of("deployment.reported")
        for one in event.refs
        if one.role == "deployed-to" and isinstance(event.data, dict)
        if event.data["state"] == "success"
    ]
    assert went == ["env:qa", "env:staging", "env:production"]


def test_one_commit_was_pushed_after_the_only_review() -> None:
    [review] = _of("change.reviewed")
    [merged] = _of("change.merged")
    looked_at = [one.ref for one in review.refs if one.role == "reviewed"]
    became = [one.ref for one in merged.refs if one.role == "merged-as"]
    assert looked_at == [COMMITS[-3].ref]
    assert became == [COMMITS[-1].ref]
    assert (COMMITS[-2].ref, "contains") in [(one.ref, one.role) for one in merged.refs]
    assert parse_time(COMMITS[-3].time) < parse_time(review.time) < parse_time(COMMITS[-2].time)


def test_the_performance_run_was_planned_and_never_heard_of_again() -> None:
    [planned] = _of("run.planned")
    assert [event for event in STORY if event.subject == planned.subject] == [planned]


def test_production_had_it_before_anybody_had_approved_it() -> None:
    [signed] = _of("approval.signed")
    [arrived] = [
        event
        for event in _of("deployment.reported")
        if any(one.ref == "env:production" for one in event.refs)
        if isinstance(event.data, dict)
        if event.data["state"] == "success"
    ]
    assert parse_time(arrived.time) < parse_time(signed.time)


def test_less_than_four_commits_make_no_story() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        story.tell(COMMITS[:3], "2026-11-20T12:05:00.000Z")


def test_the_snapshot_holds_no_mail_host_or_path_of_the_machine_it_was_made_on() -> None:
    snapshot = samples.snapshot()
    for name in ("git-log.bin", *(run.file for run in snapshot.runs)):
        content = samples.project_file(name)
        assert b"hostname=" not in content
        assert not re.search(rb"(?:File |\n)[\"]?/(?:root|home|Users)/", content)
    log = samples.project_file("git-log.bin")
    assert {tuple(one.split(b"\x1f")[5:7]) for one in log.split(b"\0") if one} == {
        (b"maintainers", b"maintainers")
    }


def test_the_tested_commits_are_in_the_history_that_ships() -> None:
    events = git.parse_log(
        samples.project_file("git-log.bin"),
        samples.REPOSITORY,
        source="urn:counterfoil:demo",
        authtype="system",
        authid="demo:git",
    )
    known = {event.subject for event in events}
    for run in samples.snapshot().runs:
        assert f"commit:{samples.REPOSITORY}@{run.commit}" in known


def test_every_shipped_file_has_its_origin_told() -> None:
    origin = files("counterfoil.demo").joinpath("captured", "ORIGIN.md").read_text("utf-8")
    for sample in samples.reports():
        assert f"{sample.name}.xml" in origin
    assert f"({len(list(samples.deliveries()))})" in origin
