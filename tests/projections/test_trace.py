import dataclasses

import msgspec
import pytest

from counterfoil.projections.chain import REFS_MAX, fullest_names
from counterfoil.projections.trace import trace
from tests.projections.stories import (
    ARTIFACT,
    BUILD,
    CHANGE,
    LAST,
    MERGE,
    PROD,
    QA,
    RELEASE,
    UNIT,
    whole,
    without,
)
from tests.projections.trail import Memory, Told, told, trail

STORY = list(whole().values())
ALL = {LAST, CHANGE, MERGE, BUILD, UNIT, ARTIFACT, RELEASE, QA, PROD, "approval:AP-95"}


@pytest.mark.parametrize("ref", [RELEASE, ARTIFACT, MERGE, LAST, CHANGE])
def test_the_chain_is_found_from_any_of_its_things(ref: str) -> None:
    found = trace(ref, Memory(trail(*STORY)))

    assert set(found.refs) == ALL
    assert found.known
    assert not found.cut


def test_steps_stand_in_the_order_of_time_with_entry_and_actor() -> None:
    found = trace(RELEASE, Memory(trail(*STORY)))

    assert [(step.lane, step.entry, step.sentence) for step in found.steps] == [
        ("Commits", 0, "pushed 9fceb02"),
        ("Change", 1, "proposed #318: Round VAT per line"),
        ("Review", 2, "reviewed 9fceb02: approved"),
        ("Change", 3, "merged #318"),
        ("Build", 4, "built sha256:10dc…b7a4 in run 1874"),
        ("Build", 4, "finished run 1874"),
        ("Runs", 5, "finished unit, run 1875: passed"),
        ("Build", 6, "published shop@1.4.2"),
        ("Deployment", 7, "finished deploying shop@1.4.2 to qa"),
        ("Approval", 8, "asked for approval of shop@1.4.2 for production"),
        ("Approval", 9, "signed as approved: shop@1.4.2 for production"),
        ("Deployment", 10, "finished deploying shop@1.4.2 to production"),
    ]
    assert found.steps[2].actor == "actor:dev-pay"


def test_a_short_commit_is_traced_as_the_one_it_begins() -> None:
    found = trace("commit:acme/shop@0d77a35", Memory(trail(*STORY)))

    assert found.ref == MERGE
    assert set(found.refs) == ALL


def test_a_short_commit_that_begins_two_is_none_of_them() -> None:
    """Guessing would put one team's review under another's commit."""
    one, other = "commit:acme/shop@0d77a351", "commit:acme/shop@0d77a352"
    short = "commit:acme/shop@0d77a35"

    assert fullest_names(short, [one, other]) == (short,)
    assert fullest_names(one, [short, other]) == (one,)


def test_the_next_release_is_not_part_of_this_one() -> None:
    """They share environment, repository and run; each keeps its own approvals and deployments."""
    later = "release:shop@1.4.3"
    story: list[Told] = [
        *STORY,
        told("release-mgr", "+release.published", later, (ARTIFACT, "contains"), minute=300),
        told("ci", "+deployment.reported", "deployment:acme/shop/3", (later, "deploys"),
             (ARTIFACT, "deploys"), ("env:production", "deployed-to"), minute=310,
             state="success"),
    ]  # fmt: skip

    found = trace(RELEASE, Memory(trail(*story)))

    assert set(found.refs) == ALL
    assert max(step.entry for step in found.steps) == len(STORY) - 1


def test_a_deployment_is_traced_with_what_it_carries() -> None:
    found = trace(QA, Memory(trail(*STORY)))

    assert {RELEASE, ARTIFACT, CHANGE, QA} <= set(found.refs)


def test_hubs_are_not_entered() -> None:
    """Everything meets in an environment: a chain through it would be the whole log."""
    story = [
        *STORY,
        told("ci", "+deployment.reported", "deployment:other", ("release:cart@1", "deploys"),
             ("env:production", "deployed-to"), state="success"),
    ]  # fmt: skip

    found = trace(RELEASE, Memory(trail(*story)))

    assert "release:cart@1" not in found.refs
    assert not any(ref.startswith("env:") for ref in found.refs)


def test_a_thing_nobody_named_is_not_known() -> None:
    found = trace("release:ghost@1", Memory(trail(*STORY)))

    assert (found.known, found.steps, found.gaps) == (False, (), ())


def test_a_chain_that_is_too_large_says_that_it_is_cut() -> None:
    story = [
        told("ci", "testsuiterun.finished", f"run:acme/shop/{n}", (MERGE, "input"),
             outcome="success")
        for n in range(REFS_MAX + 10)
    ]  # fmt: skip

    found = trace(MERGE, Memory(trail(*story)))

    assert found.cut
    assert len(found.refs) <= REFS_MAX


@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        (["queued"], "queued"),
        (["queued", "started"], "running"),
        (["started", "finished"], "passed"),
    ],
    ids=["queued only", "started", "finished"],
)
def test_only_a_run_that_was_started_and_has_not_ended_is_running(
    kinds: list[str], outcome: str
) -> None:
    story = [
        told("ci", f"pipelinerun.{kind}", UNIT, (MERGE, "input"), outcome="success")
        for kind in kinds
    ]

    [step] = trace(UNIT, Memory(trail(*story))).steps

    assert step.outcome == outcome


def test_a_planned_run_is_not_running() -> None:
    story = [told("ci", "+run.planned", UNIT, (MERGE, "input"))]

    assert [step.outcome for step in trace(UNIT, Memory(trail(*story))).steps] == ["planned"]


def test_a_deployment_that_ended_is_running_in_none_of_its_steps() -> None:
    def report(state: str) -> Told:
        return told("ci", "+deployment.reported", PROD, ("env:production", "deployed-to"),
                    (RELEASE, "deploys"), state=state)  # fmt: skip

    begun = trace(RELEASE, Memory(trail(report("in_progress"))))
    ended = trace(RELEASE, Memory(trail(report("in_progress"), report("success"))))

    assert [step.outcome for step in begun.steps] == ["running"]
    assert [step.outcome for step in ended.steps] == [None, "passed"]


def test_what_is_made_for_the_demonstration_is_marked_in_steps_gaps_and_rows() -> None:
    """A reader must not take an invented release for one of theirs, wherever they look."""
    recorded = [
        one
        if one.index
        else dataclasses.replace(
            one, entry=msgspec.structs.replace(one.entry, source="urn:counterfoil:demo/git")
        )
        for one in trail(*without("propose", "review"))
    ]

    facts = Memory(recorded)
    found = trace(RELEASE, facts)

    assert {step.entry for step in found.steps if step.demo} == {0}
    assert {gap.demo for gap in found.gaps if 0 in gap.entries} == {True}
    assert {gap.demo for gap in found.gaps if 0 not in gap.entries} <= {False}
    assert facts.commits([LAST])[LAST].demo
    assert not facts.releases([RELEASE])[RELEASE].demo
