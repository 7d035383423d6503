"""`admin trust`: rules for CI jobs, with the ledger's files and nobody serving."""

from pathlib import Path

import pytest

from tests.cli.conftest import Foil, Result

GITHUB = ("--repository-id", "74", "--workflow-ref", ".github/workflows/ci.yml@refs/heads/main")
KINDS: dict[str, tuple[str, ...]] = {
    "github": GITHUB,
    "gitlab": (
        *("--issuer", "https://gitlab.acme.example", "--project-id", "20"),
        *("--config-ref", ".gitlab-ci.yml@refs/heads/main"),
    ),
    "buildkite": (
        *("--organization-id", "0184990a-477b-4fa8-9968-496074483cee"),
        *("--pipeline-id", "0184990a-4782-42b5-afc1-16715b10b8ff"),
    ),
    "circleci": (
        *("--issuer", "https://oidc.circleci.com/org/f22b6566-597d-46d5-ba74-99ef5bb3d85c"),
        *("--project-id", "84996744-a854-4f5e-aea3-04e2851dc1d2"),
    ),
}


@pytest.fixture
def trust(foil: Foil, ledger: Path) -> Foil:
    """Run `counterfoil admin trust WORDS` on a ledger of its own."""

    def run(*words: object) -> Result:
        return foil("admin", "trust", *words, "--dir", ledger)

    return run


@pytest.mark.parametrize("kind", KINDS)
def test_adding_a_rule_prints_what_it_accepts_and_refuses(trust: Foil, kind: str) -> None:
    done = trust("add", kind, *KINDS[kind])

    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("trust:")
    assert any(line.startswith("  accepts: tokens of ") for line in lines)
    assert any("whatever it is called" in line for line in lines)
    assert any(line.startswith("  refuses: ") and "same name" in line for line in lines)


def test_a_dry_run_adds_nothing(trust: Foil) -> None:
    shown = trust("add", "github", *GITHUB, "--dry-run")

    assert shown.out.startswith("nothing was added\n  accepts: ")
    assert trust("list").out.startswith("no trust rule is in force")


def test_a_rule_is_listed_and_removed(trust: Foil) -> None:
    made = trust("add", "github", *GITHUB, "--json").json()
    listed = trust("list", "--json").json()
    gone = trust("remove", made["id"], "--reason", "moved")

    assert [one["id"] for one in listed["rules"]] == [made["id"]]
    assert listed["rules"][0]["rule"]["claims"]["repository_id"] == "74"
    assert listed["rules"][0]["holder"] == "github-74"
    assert gone.out == f"{made['id']} lets nobody in any more; 0 sessions ended\n"
    assert trust("list", "--json").json()["rules"] == []


def test_the_scope_of_a_rule_is_what_the_options_say(trust: Foil) -> None:
    scope = (
        *("--verbs", "record", "--source", "https://ci.example/", "--session-s", "120"),
        *("--audience", "https://foil.example", "--bind", "environment=production"),
        *("--project", "default", "--private"),
    )
    trust("add", "github", *GITHUB, *scope)
    [one] = trust("list", "--json").json()["rules"]
    rule = one["rule"]

    assert rule["verbs"] == ["record"]
    assert rule["sources"] == ["https://ci.example/"]
    assert (rule["session_s"], rule["private"]) == (120, True)
    assert rule["audience"] == "https://foil.example"
    assert rule["claims"]["environment"] == "production"


REFUSED: dict[str, tuple[tuple[str, ...], int, str]] = {
    "names": (("add", "github", "--bind", "repository=acme/shop"), 2, "bind repository_id"),
    "no workflow": (("add", "github", "--repository-id", "74"), 2, "bind job_workflow_ref"),
    "no such rule": (("remove", "trust:nothing"), 1, "no trust rule"),
    "no such project": (("add", "github", *GITHUB, "--project", "nowhere"), 2, "nowhere"),
    "nobody of that handle": (("add", "github", *GITHUB, "--holder", "nobody"), 5, "nobody"),
}


@pytest.mark.parametrize(("words", "code", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_off_is_said_in_one_line_and_changes_nothing(
    trust: Foil, words: tuple[str, ...], code: int, said: str
) -> None:
    done = trust(*words)

    assert done.code == code
    assert said in done.err
    assert done.err.count("\n") == 1
    assert trust("list").out.startswith("no trust rule is in force")


def test_an_option_of_another_ci_is_refused(trust: Foil) -> None:
    done = trust("add", "gitlab", "--repository-id", "74")

    assert done.code == 2
    assert "--repository-id is not for gitlab" in done.err
