"""Deployments, and the environments they change."""

from counterfoil.projections.deployments import DEPLOYMENTS, DeploymentRow
from counterfoil.projections.environments import ENVIRONMENTS, EnvironmentRow
from tests.projections.stories import ARTIFACT, MERGE, PROD, RELEASE
from tests.projections.trail import Told, replay, told, trail

TO = ("env:production", "deployed-to")
NEXT = "release:shop@1.4.3"


def report(state: str, *refs: tuple[str, str], of: str = PROD) -> Told:
    return told("ci", "+deployment.reported", of, TO, *(refs or ((RELEASE, "deploys"),)),
                state=state)  # fmt: skip


def deployment(*story: Told) -> DeploymentRow:
    return replay(DEPLOYMENTS, trail(*story))[PROD]


def production(*story: Told) -> EnvironmentRow:
    return replay(ENVIRONMENTS, trail(*story))["env:production"]


def test_a_deployment_goes_from_request_to_success() -> None:
    found = deployment(
        told("lead", "+deployment.requested", PROD, TO, (MERGE, "deploys"), production=True),
        report("in_progress"),
        report("success"),
    )

    assert (found.state, found.environment, found.production) == (
        "succeeded", "env:production", True,
    )  # fmt: skip
    assert [at.entry for at in (found.requested, found.succeeded, found.reported) if at] == [
        0, 2, 2,
    ]  # fmt: skip
    assert {piece.ref for piece in found.contents} == {MERGE, RELEASE}


def test_a_request_that_arrives_late_does_not_undo_the_report() -> None:
    found = deployment(report("success"), told("lead", "+deployment.requested", PROD, TO))

    assert found.state == "succeeded"
    assert found.requested is not None


def test_a_state_nobody_knows_is_a_problem_and_no_success() -> None:
    found = deployment(report("purple"))

    assert (found.state, found.succeeded) == ("requested", None)
    assert found.problems == ((0, "a state that is not known here"),)


def test_a_deployment_that_moves_house_says_so() -> None:
    found = deployment(
        report("success"),
        told("ci", "+deployment.reported", PROD, ("env:qa", "deployed-to"), state="success"),
    )

    assert found.problems == ((1, "went to env:production before, to env:qa here"),)


def test_success_puts_a_release_into_its_environment_and_the_last_one_into_the_past() -> None:
    found = production(
        report("success", (RELEASE, "deploys"), (ARTIFACT, "deploys")),
        report("failure", (NEXT, "deploys"), of="deployment:b"),
        report("success", (NEXT, "deploys"), of="deployment:c"),
    )

    assert found.production
    assert [(one.name, one.what, one.at.entry) for one in found.deployed] == [("shop", NEXT, 2)]
    assert [(one.what, one.carries) for one in found.before] == [(RELEASE, (RELEASE, ARTIFACT))]


def test_two_products_stand_side_by_side() -> None:
    found = production(
        report("success"), report("success", ("release:cart@1", "deploys"), of="deployment:b")
    )

    assert [one.name for one in found.deployed] == ["shop", "cart"]


def test_an_inactive_deployment_is_gone() -> None:
    found = production(report("success"), report("inactive"))

    assert found.deployed == ()
    assert [one.what for one in found.before] == [RELEASE]


def test_a_deployment_of_nothing_is_a_problem_of_the_environment() -> None:
    found = production(report("success", ("repo:acme/shop", "about")))

    assert found.deployed == ()
    assert found.problems == ((0, "a deployment that does not say of what"),)


def test_an_environment_comes_and_goes() -> None:
    story = trail(
        told("ops", "environment.created", "env:qa", name="QA"),
        told("ops", "environment.deleted", "env:qa"),
    )

    found = replay(ENVIRONMENTS, story)["env:qa"]

    assert (found.name, found.state, found.production) == ("QA", "deleted", False)
