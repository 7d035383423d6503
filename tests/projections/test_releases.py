from counterfoil.projections.approvals import APPROVALS
from counterfoil.projections.releases import RELEASES, ReleaseRow
from tests.projections.stories import APPROVAL, ARTIFACT, CHANGE, MERGE, PROD, RELEASE
from tests.projections.trail import Told, replay, told, trail


def row(*story: Told) -> ReleaseRow:
    return replay(RELEASES, trail(*story))[RELEASE]


def published(*, prerelease: bool = False) -> Told:
    return told(
        "release-mgr", "+release.published", RELEASE, (ARTIFACT, "contains"), (CHANGE, "contains"),
        (MERGE, "built-from"), ("repo:acme/shop", "about"), title="1.4.2",
        prerelease=prerelease,
    )  # fmt: skip


def test_a_release_holds_what_it_names() -> None:
    found = row(published(prerelease=True))

    assert (found.name, found.version, found.title) == ("shop", "1.4.2", "1.4.2")
    assert [(piece.ref, piece.role) for piece in found.contents] == [
        (ARTIFACT, "contains"), (CHANGE, "contains"), (MERGE, "built-from"),
    ]  # fmt: skip
    assert found.prerelease
    assert found.author == "actor:release-mgr"


def test_approvals_and_deployments_are_kept_in_the_order_they_were_told() -> None:
    found = row(
        published(),
        told("release-mgr", "+approval.requested", APPROVAL, (RELEASE, "approves")),
        told("qa-lead", "+approval.signed", APPROVAL, (RELEASE, "approves"),
             ("env:production", "target"), reason="all green"),
        told("ci", "+deployment.requested", PROD, (RELEASE, "deploys"), ("env:p", "deployed-to")),
        told("ci", "+deployment.reported", PROD, (RELEASE, "deploys"), ("env:p", "deployed-to"),
             state="failure"),
    )  # fmt: skip

    assert [(one.state, one.actor, one.reason) for one in found.approvals] == [
        ("requested", "actor:release-mgr", None), ("signed", "actor:qa-lead", "all green"),
    ]  # fmt: skip
    assert found.approvals[1].environment == "env:production"
    assert [(one.outcome, one.environment) for one in found.deliveries] == [
        ("requested", "env:p"), ("failed", "env:p"),
    ]  # fmt: skip


def test_a_release_that_is_only_spoken_of_is_announced() -> None:
    found = row(told("release-mgr", "+approval.requested", APPROVAL, (RELEASE, "approves")))

    assert (found.state, found.published) == ("announced", None)


def test_a_withdrawn_release_keeps_when_it_was_published() -> None:
    found = row(published(), told("release-mgr", "+release.withdrawn", RELEASE))

    assert found.state == "withdrawn"
    assert found.published is not None
    assert found.published.entry == 0


def test_a_release_published_twice_says_so() -> None:
    assert row(published(), published()).problems == ((1, "published again, after entry 0"),)


def test_an_approval_of_its_own_keeps_every_step() -> None:
    story = trail(
        told("release-mgr", "+approval.requested", APPROVAL, (RELEASE, "approves")),
        told("qa-lead", "+approval.refused", APPROVAL, (RELEASE, "approves")),
        told("release-mgr", "+approval.requested", APPROVAL, (RELEASE, "approves")),
    )

    found = replay(APPROVALS, story)[APPROVAL]

    assert [one.state for one in found.steps] == ["requested", "refused", "requested"]
    assert found.state == "requested"
    assert found.problems == ((2, "asked again after it was refused"),)
