"""Every rule for gaps, each as the story that has it."""

import dataclasses
import re
from pathlib import Path

import pytest

from counterfoil.projections.gaps import ENTRY_RULES, RULES
from counterfoil.projections.trace import Trace, trace
from tests.projections import stories
from tests.projections.stories import (
    APPROVAL,
    ARTIFACT,
    CHANGE,
    CI,
    DEV,
    LAST,
    MERGE,
    OTHER,
    PROD,
    RELEASE,
    REVIEWER,
    SECOND,
    UNIT,
    changed,
    without,
)
from tests.projections.trail import Memory, Told, told, trail

PAGE = Path(__file__).parents[2] / "docs" / "gaps.md"


def traced(story: list[Told], ref: str = RELEASE) -> Trace:
    return trace(ref, Memory(trail(*story)))


def said(story: list[Told], ref: str = RELEASE) -> dict[str, str]:
    return {gap.rule: f"{gap.what} {gap.why}" for gap in traced(story, ref).gaps}


def test_a_release_with_every_step_has_no_gap() -> None:
    found = traced(list(stories.whole().values()))

    assert found.gaps == ()
    assert {step.lane for step in found.steps} == {
        "Commits", "Change", "Review", "Build", "Runs", "Approval", "Deployment",
    }  # fmt: skip


def review(by: str, commit: str, minute: float, state: str = "approved") -> Told:
    return told(
        by, "change.reviewed", CHANGE, (commit, "reviewed"), (f"actor:{by}", "reviewer"),
        minute=minute, custom={"review_state": state},
    )  # fmt: skip


def late_commit() -> list[Told]:
    """The story of the picture: reviewed at c41d9aa, pushed on, merged."""
    return [
        told(DEV, "+commit.pushed", SECOND, minute=0),
        told(DEV, "change.created", CHANGE, (SECOND, "contains"), (f"actor:{DEV}", "author"),
             minute=1),
        review(REVIEWER, SECOND, 24),
        told(DEV, "+commit.pushed", LAST, (CHANGE, "part-of"), minute=52),
        *without("push", "propose", "review"),
    ]  # fmt: skip


CASES = {
    "no change request holds the commit": (
        [told(DEV, "+commit.pushed", MERGE, minute=0), *without("push", "propose", "review", "merge")],
        "commit_without_change",
        "Commit 0d77a35 has no change request on record. Nobody was asked to look at it here.",
    ),
    "nobody reviewed the change": (
        without("review"),
        "change_without_review",
        ("Change #318 has no review. "
        "Nobody except its author has looked at it, as far as the log knows."),
    ),
    "a dismissed review is none": (
        changed(review=review(REVIEWER, LAST, 24, "dismissed")),
        "change_without_review",
        ("Change #318 has no review. "
        "Nobody except its author has looked at it, as far as the log knows."),
    ),
    "a commit came after the only review": (
        late_commit(),
        "commit_after_review",
        ("Commit 9fceb02 was pushed 28 minutes after the only review. "
        "Nobody except its author has looked at it."),
    ),
    "the review was of an earlier commit": (
        [review(REVIEWER, SECOND, 0.5), *without("review")],
        "commit_after_review",
        ("Commit 9fceb02 was not in the only review, which was of c41d9aa. "
        "Nobody except its author has looked at it."),
    ),
    "the author reviewed the change alone": (
        changed(review=review(DEV, LAST, 24)),
        "reviewed_by_author",
        "Change #318 was reviewed only by its author. Nobody else has looked at it.",
    ),
    "the review came after the merge": (
        changed(review=review(REVIEWER, LAST, 126)),
        "merged_before_review",
        ("Change #318 was merged 60 minutes before its first review. "
        "Nobody except its author had looked at it by then."),
    ),
    "no build made the artifact": (
        without("build"),
        "artifact_without_build",
        ("Artifact sha256:10dc…b7a4 has no build on record. "
        "What it was made of, and by whom, is unknown."),
    ),
    "the build names no commit": (
        changed(
            build=told(CI, "build.finished", stories.BUILD, (ARTIFACT, "output"), minute=70)
        ),
        "artifact_without_commit",
        ("Artifact sha256:10dc…b7a4 has no commit on record that it was built from. "
        "Which source it holds is unknown."),
    ),
    "the build names a commit nobody told of": (
        without("push", "propose", "review", "merge"),
        "artifact_without_commit",
        ("Artifact sha256:10dc…b7a4 was built from 0d77a35, which has no push on record. "
        "Who wrote that commit, and who looked at it, is unknown."),
    ),
    "the release does not say what is in it": (
        changed(release=told("release-mgr", "+release.published", RELEASE, minute=90)),
        "release_without_contents",
        ("Release shop@1.4.2 has no commit, change or artifact on record. "
        "What is in it is unknown."),
    ),
    "nothing tested the artifact": (
        without("test"),
        "nothing_tested",
        "Artifact sha256:10dc…b7a4 has no test run on record. Whether it works was not tried here.",
    ),
    "another digest was tested than deployed": (
        [
            told(CI, "build.finished", stories.BUILD + "0", (MERGE, "input"), (OTHER, "output"),
                 minute=60),
            *changed(
                test=told(CI, "testsuiterun.finished", UNIT, (OTHER, "input"), minute=80,
                          outcome="success"),
            ),
        ],
        "another_digest_tested",
        ("Artifact sha256:10dc…b7a4 was deployed to production, but the test runs were of "
        "sha256:65da…d234. No run tested the digest that was deployed."),
    ),
    "a run failed": (
        changed(
            test=told(CI, "testsuiterun.finished", UNIT, (MERGE, "input"), minute=80,
                      outcome="failure", testSuite={"name": "unit"},
                      custom={"counts": {"passed": 96, "failed": 1}}),
        ),
        "run_failed",
        ("Run 1875 (unit) failed: 96 passed, 1 failed. "
        "No later run of that name has passed on the same commit."),
    ),
    "a run never finished": (
        changed(test=told(CI, "testsuiterun.started", UNIT, (MERGE, "input"), minute=80)),
        "run_without_end",
        "Run 1875 was started and has no end on record. How it came out is unknown.",
    ),
    "a run finished without an outcome": (
        changed(test=told(CI, "testsuiterun.finished", UNIT, (MERGE, "input"), minute=80)),
        "run_without_outcome",
        "Run 1875 finished and has no outcome on record. Whether it passed is unknown.",
    ),
    "a run reports more cases than are on record": (
        changed(
            test=told(CI, "testsuiterun.finished", UNIT, (MERGE, "input"), minute=80,
                      outcome="success", custom={"counts": {"total": 1204, "passed": 1204}}),
        ),
        "cases_missing",
        ("Run 1875 was reported with 1,204 cases and has 0 on record. "
        "How the others came out is one number, without entries behind it."),
    ),
    "nobody asked for approval": (
        without("ask", "sign"),
        "no_approval",
        ("Release shop@1.4.2 has no request for approval on record. "
        "Nobody was asked whether it may go out."),
    ),
    "nobody signed": (
        without("sign"),
        "approval_unsigned",
        ("Release shop@1.4.2 was asked to be approved and has no signature. "
        "Nobody stands behind it."),
    ),
    "approval was refused": (
        changed(
            sign=told("qa-lead", "+approval.refused", APPROVAL, (RELEASE, "approves"), minute=151)
        ),
        "approval_unsigned",
        ("Release shop@1.4.2 was refused approval, and nobody signed after that. "
        "Nobody stands behind it."),
    ),
    "the author approved it alone": (
        changed(
            sign=told("release-mgr", "+approval.signed", APPROVAL, (RELEASE, "approves"),
                      minute=151)
        ),
        "approved_by_author",
        "Release shop@1.4.2 was approved only by its own author. Nobody else stands behind it.",
    ),
    "it was deployed before the approval": (
        changed(
            sign=told("qa-lead", "+approval.signed", APPROVAL, (RELEASE, "approves"), minute=236)
        ),
        "deployed_before_approval",
        ("Release shop@1.4.2 was in production 30 minutes before its first approval. "
        "Nobody had signed by then."),
    ),
    "it went straight to production": (
        without("qa"),
        "straight_to_production",
        ("Release shop@1.4.2 went to production and has no deployment to any other environment "
        "before that. It was first run where it counts."),
    ),
    "it is not in production": (
        without("prod"),
        "not_in_production",
        ("Release shop@1.4.2 has no deployment to production on record. "
        "Whether it runs there is unknown."),
    ),
    "the approval is dated back before the deployment": (
        [
            *without("sign"),
            told("qa-lead", "+approval.signed", APPROVAL, (RELEASE, "approves"), minute=151,
                 recorded=206 + 2 * 1440),
        ],
        "order_claimed",
        ("The approval of shop@1.4.2 says 2026-11-20 12:31 and was recorded 2 days later, after "
        "the deployment to production. Which came first is not known here."),
    ),
    "an entry names evidence that the log does not hold": (
        changed(
            build=told(CI, "build.finished", stories.BUILD, (MERGE, "input"), (ARTIFACT, "output"),
                       minute=70, blobs=("build.log",)),
        ),
        "evidence_absent",
        ("Entry 4 (built sha256:10dc…b7a4 in run 1874) names 1 evidence file that the log holds "
        "no commitment to. Bytes that are shown for it later cannot be checked against the log."),
    ),
    "a producer skipped numbers": (
        changed(
            qa=told(CI, "+deployment.reported", stories.QA, ("env:qa", "deployed-to"),
                    (RELEASE, "deploys"), minute=100, state="success",
                    numbered=("ci-7", "b1", 1039)),
            prod=told(CI, "+deployment.reported", PROD, ("env:production", "deployed-to"),
                      (RELEASE, "deploys"), (ARTIFACT, "deploys"), minute=206, state="success",
                      numbered=("ci-7", "b1", 1042)),
        ),
        "sequence_gap",
        ("Producer ci-7 (start b1) has no event number 1,040 to 1,041 on record. "
        "2 events of a producer of this chain never arrived."),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("story", "rule", "sentence"), CASES.values(), ids=CASES.keys())
def test_what_is_missing_is_said_in_words(story: list[Told], rule: str, sentence: str) -> None:
    found = said(story)

    assert found.get(rule) == sentence
    assert all(gap.entries for gap in traced(story).gaps), "every gap rests on entries"


def test_a_review_dated_back_before_the_merge_is_no_review_before_it() -> None:
    """Who holds a credential writes the time; the order of the log is nobody's to choose."""
    late = dataclasses.replace(review(REVIEWER, LAST, 24), recorded=90)

    found = said([*without("review"), late])

    assert found["order_claimed"] == (
        "The review of #318 says 2026-11-20 10:24 and was recorded 66 minutes later, after "
        "the merge. Which came first is not known here."
    )
    assert "merged_before_review" not in found


def test_a_review_dated_back_before_the_push_of_its_commit_is_no_review_of_it() -> None:
    late = dataclasses.replace(review(REVIEWER, LAST, -30), recorded=24)

    assert said(changed(review=late))["order_claimed"] == (
        "The review of 9fceb02 says 2026-11-20 09:30 and was recorded 54 minutes later, after "
        "the push. Which came first is not known here."
    )


def test_a_deployment_to_qa_dated_back_is_none_before_production() -> None:
    late = dataclasses.replace(stories.whole()["qa"], recorded=300)

    assert said([*without("qa"), late])["order_claimed"].startswith(
        "The deployment to qa says 2026-11-20 11:40 and was recorded 3 hours later, after "
        "the deployment to production."
    )


def test_a_deployment_dated_ahead_of_an_approval_does_not_come_after_it() -> None:
    sign = dataclasses.replace(stories.whole()["sign"], minute=100, recorded=100)
    prod = dataclasses.replace(stories.whole()["prod"], minute=206, recorded=90)

    assert said([*without("sign", "prod"), prod, sign])["order_claimed"] == (
        "The deployment to production says 2026-11-20 13:26 and was recorded 116 minutes before that, "
        "ahead of the approval of shop@1.4.2. Which came first is not known here."
    )


def test_one_approval_that_was_recorded_in_time_is_enough() -> None:
    late = dataclasses.replace(stories.whole()["sign"], minute=140, recorded=300)

    assert said([*stories.whole().values(), late]) == {}


def test_a_minute_between_happening_and_record_is_no_gap() -> None:
    late = dataclasses.replace(stories.whole()["sign"], minute=205.5, recorded=206.4)

    assert said([*without("sign"), late]) == {}


def test_every_rule_has_a_story() -> None:
    assert {rule for _, rule, _ in CASES.values()} == {*RULES, *ENTRY_RULES}


def test_every_rule_is_explained_on_the_page() -> None:
    explained = re.findall(r"^\| `([a-z_]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)

    assert explained == [*RULES, *ENTRY_RULES]


def test_a_later_pass_of_the_same_run_closes_a_failure() -> None:
    again = told(CI, "testsuiterun.finished", UNIT + "9", (MERGE, "input"), minute=85,
                 outcome="success")  # fmt: skip
    failed = told(CI, "testsuiterun.finished", UNIT, (MERGE, "input"), minute=80,
                  outcome="failure")  # fmt: skip

    assert "run_failed" not in said([*without("test"), failed, again])
    assert "run_failed" in said([*without("test"), again, failed])


def test_a_second_review_of_the_last_commit_closes_the_gap() -> None:
    assert "commit_after_review" not in said([*late_commit(), review(REVIEWER, LAST, 60)])


def test_a_commit_that_was_reviewed_by_its_short_name_is_reviewed() -> None:
    story = changed(review=review(REVIEWER, "commit:acme/shop@9fceb02", 24))

    assert said(story) == {}
