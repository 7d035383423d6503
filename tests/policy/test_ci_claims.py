"""Who a job is, by what its token says."""

import pytest

from counterfoil.policy.ci_claims import PROVIDERS, account_of, identify
from tests.ci_tokens import KINDS, claims_of

COMMIT = "9b1c7f3a2d5e4c6f8a0b1c2d3e4f5a6b7c8d9e0f"
WORKFLOW = "5b2d9a1e-0000-4000-8000-00000000000a"
EXPECTED = {
    "github": (
        "ci:github:74",
        COMMIT,
        "https://github.com/acme/checkout/actions/runs/7001",
        ((f"commit:acme/checkout@{COMMIT}", "about"), ("run:acme/checkout/7001", "about")),
    ),
    "gitlab": (
        "ci:gitlab@gitlab.acme.example:20",
        COMMIT,
        "https://gitlab.acme.example/acme/checkout/-/jobs/302",
        (
            (f"commit:gitlab.acme.example/acme/checkout@{COMMIT}", "about"),
            ("run:gitlab.acme.example/acme/checkout/574", "about"),
        ),
    ),
    "buildkite": (
        "ci:buildkite:0184990a-477b-4fa8-9968-496074483cee/0184990a-4782-42b5-afc1-16715b10b8ff",
        COMMIT,
        "https://buildkite.com/acme/checkout/builds/27#b63254c0-3271-4a98-8270-7cfbd6c2f14e",
        (("run:buildkite.com/acme/checkout/27", "about"),),
    ),
    "circleci": (
        "ci:circleci:f22b6566-597d-46d5-ba74-99ef5bb3d85c/84996744-a854-4f5e-aea3-04e2851dc1d2",
        "",
        "",
        (),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_is_its_ids_and_says_what_it_is_about(kind: str) -> None:
    account, commit, url, refs = EXPECTED[kind]

    found = identify(claims_of(kind), PROVIDERS[kind])

    assert (found.account, found.commit, found.run_url, found.refs) == (account, commit, url, refs)
    assert found.subject == claims_of(kind)["sub"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_account_stays_the_same_after_every_renaming(kind: str) -> None:
    claims = claims_of(kind)
    renamed = {
        **claims,
        **{name: "renamed" for name in PROVIDERS[kind].names if name in claims},
    }

    assert account_of(renamed, PROVIDERS[kind]) == account_of(claims, PROVIDERS[kind])


def test_two_servers_of_one_vendor_are_two_issuers() -> None:
    """Both have a repository 74."""
    ours = claims_of("github")
    theirs = claims_of("github", iss="https://ghes.acme.example/_services/token")

    assert account_of(theirs, PROVIDERS["github"]) == "ci:github@ghes.acme.example:74"
    assert account_of(ours, PROVIDERS["github"]) == "ci:github:74"
    found = identify(theirs, PROVIDERS["github"])
    assert found.refs[1] == ("run:ghes.acme.example/acme/checkout/7001", "about")
    assert found.run_url == "https://ghes.acme.example/acme/checkout/actions/runs/7001"


def test_a_circleci_job_names_its_workflow_where_the_token_does() -> None:
    claims = claims_of("circleci", **{"oidc.circleci.com/workflow-id": WORKFLOW})

    found = identify(claims, PROVIDERS["circleci"])

    assert found.refs == ((f"run:acme/checkout/{WORKFLOW}", "about"),)
    assert found.run_url.endswith(WORKFLOW)


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_mails_of_people_are_not_kept(kind: str) -> None:
    """Ids say who it was to whoever may look them up there."""
    found = identify(claims_of(kind), PROVIDERS[kind])

    assert not {"actor", "user_login", "user_email"} & found.claims.keys()
    assert "ana" not in found.claims.values()
    assert "ana@acme.example" not in found.claims.values()


ODD = {
    "a run that is a path": {"run_id": "../../etc"},
    "a run with a line end": {"run_id": "7001\nx"},
    "a run that is a list": {"run_id": ["7001"]},
    "a repository with a query": {"repository": "acme/checkout?x"},
    "a repository of another script": {"repository": "аcme/checkout"},
    "a commit that is a word": {"sha": "main"},
    "an endless repository": {"repository": "a" * 600},
}


@pytest.mark.parametrize("changed", ODD.values(), ids=ODD.keys())
def test_what_a_token_says_oddly_becomes_no_address(changed: dict[str, object]) -> None:
    found = identify(claims_of("github", **changed), PROVIDERS["github"])

    for text in (found.run_url, *(ref for ref, _ in found.refs)):
        assert text.isascii()
        assert text.isprintable()
        assert not {"?", " "} & set(text)
        assert ".." not in text
    assert len(found.refs) < 2


def test_what_is_kept_for_display_is_short_and_printable() -> None:
    found = identify(
        claims_of("github", ref="refs/heads/\x1b[31m" + "x" * 900), PROVIDERS["github"]
    )

    assert found.claims["ref"].isprintable()
    assert len(found.claims["ref"]) == 512
