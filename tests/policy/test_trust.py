"""Which jobs a trust rule lets in, and which it does not."""

from typing import Any

import msgspec
import pytest

from counterfoil.errors import RequestError
from counterfoil.policy.trust import LEEWAY_S, LIFE_MAX_S, Rule, check_rule, rules_of
from counterfoil.policy.trust_verdict import Accepted, Refused, choose, judge
from counterfoil.policy.trust_words import describe
from tests.ci_tokens import AUDIENCE, KINDS, MADE_S, NOW_S, ORGANIZATION, RULES, claims_of

SSH_RERUN = "oidc.circleci.com/ssh-rerun"
OWN_WORKFLOW = ".github/workflows/ci.yml"


def change(kind: str, /, **fields: Any) -> Rule:
    """Return the sample rule of a kind with some fields changed."""
    return msgspec.structs.replace(RULES[kind], **fields)


def bind(kind: str, /, **claims: str | None) -> Rule:
    """Return the sample rule with some claims bound, or no longer bound (None)."""
    merged = {**RULES[kind].claims, **claims}
    return change(kind, claims={name: value for name, value in merged.items() if value is not None})


def verdict(kind: str, rule: Rule | None = None, now_s: float = NOW_S, **claims: Any) -> str:
    """Return "accepted", or the code of the refusal, of a sample token."""
    found = judge(claims_of(kind, **claims), "trust:1", rule or RULES[kind], now_s)
    return "accepted" if isinstance(found, Accepted) else found.code


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_of_each_ci_is_let_in_by_its_rule(kind: str) -> None:
    assert verdict(kind, check_rule(RULES[kind])) == "accepted"


# Adding a rule.

UNSOUND = {
    "a rule by the repository's name alone": change(
        "github", claims={"repository": "acme/checkout"}
    ),
    "a rule by a name beside the id": bind("github", repository="acme/checkout"),
    "a rule by the subject alone": change("gitlab", claims={"sub": "project_path:acme/checkout"}),
    "a rule by slugs alone": change(
        "buildkite", claims={"organization_slug": "acme", "pipeline_slug": "checkout"}
    ),
    "a rule by half of the ids": bind("buildkite", organization_id=None),
    "a rule without the workflow": bind("github", job_workflow_ref=None),
    "a rule without the configuration": bind("gitlab", ci_config_ref_uri=None),
    "a workflow without its ref": bind("github", job_workflow_ref=OWN_WORKFLOW),
    "a workflow whose ref is half a name": bind("github", job_workflow_ref=f"{OWN_WORKFLOW}@main"),
    "a pattern in a ref": bind("github", job_workflow_ref=f"{OWN_WORKFLOW}@refs/tags/v*"),
    "a pattern in a path": bind("github", job_workflow_ref=".github/workflows/*@refs/heads/main"),
    "a pattern in a claim": bind("github", environment="prod*"),
    "a workflow outside its folder": bind("github", job_workflow_ref="ci.yml@refs/heads/main"),
    "a workflow deeper than its folder": bind(
        "github", job_workflow_ref="acme/x/y/.github/workflows/ci.yml@refs/heads/main"
    ),
    "an id that is none": bind("github", repository_id="acme"),
    "an id with a zero before it": bind("github", repository_id="074"),
    "a claim nobody knows": bind("github", repositoryid="74"),
    "an issuer without TLS": change("gitlab", issuer="http://gitlab.acme.example"),
    "an issuer with a user": change("gitlab", issuer="https://me@gitlab.acme.example"),
    "an issuer with a slash": change("gitlab", issuer="https://gitlab.acme.example/"),
    "an issuer with a query": change("gitlab", issuer="https://gitlab.acme.example?x=1"),
    "an issuer that is a word": change("gitlab", issuer="gitlab"),
    "an issuer with a broken port": change("gitlab", issuer="https://gitlab.acme.example:x"),
    "CircleCI without an organization": change("circleci", issuer="https://oidc.circleci.com"),
    "no audience": change("github", audience=""),
    "an audience of look-alike letters": change("github", audience="https://аudit.acme.example"),
    "an audience with a space": change("github", audience=" https://audit.acme.example"),
    "no project": change("github", projects=()),
    "a verb that is for people": change("github", verbs=("record", "approve")),
    "no verb": change("github", verbs=()),
    "a session of an hour": change("github", session_s=3600),
    "a session of a second": change("github", session_s=1),
    "another CI": change("github", kind="jenkins"),
}


@pytest.mark.parametrize("rule", UNSOUND.values(), ids=UNSOUND.keys())
def test_what_rests_on_too_little_is_no_rule(rule: Rule) -> None:
    with pytest.raises(RequestError) as refused:
        check_rule(rule)

    assert refused.value.code == "ci_rule_invalid"
    assert "\n" not in refused.value.message


def test_who_binds_a_name_is_told_which_id_to_bind() -> None:
    rule = change("github", claims={"repository": "acme/checkout"})

    with pytest.raises(RequestError, match=r"repository is a name.*bind repository_id"):
        check_rule(rule)


def test_what_is_stored_and_is_no_sound_rule_lets_nobody_in() -> None:
    """The log holds what was written, whoever wrote it; only sound rules count."""
    sound = msgspec.to_builtins(RULES["github"])

    found = rules_of(
        {
            "trust:1": sound,
            "trust:2": {**sound, "claims": {"repository": "acme/checkout"}},
            "trust:3": {**sound, "session_s": "long"},
            "trust:4": {},
        }
    )

    assert found == {"trust:1": RULES["github"]}


# Times, audience, issuer.

STANDARD = {
    "one second before its end": (MADE_S + 900 - 1, "accepted"),
    "within the leeway after it": (MADE_S + 900 + LEEWAY_S - 1, "accepted"),
    "after the leeway": (MADE_S + 900 + LEEWAY_S, "expired"),
    "a moment before its begin": (MADE_S - LEEWAY_S, "accepted"),
    "long before its begin": (MADE_S - LEEWAY_S - 1, "not_yet"),
}


@pytest.mark.parametrize(("now_s", "expected"), STANDARD.values(), ids=STANDARD.keys())
def test_a_token_counts_while_it_lasts(now_s: float, expected: str) -> None:
    assert verdict("github", now_s=now_s) == expected


CHANGED: dict[str, tuple[dict[str, Any], str]] = {
    "another audience": ({"aud": "https://elsewhere.example"}, "audience"),
    "no audience": ({"aud": None}, "audience"),
    "our audience in a list of its own": ({"aud": [AUDIENCE]}, "accepted"),
    "our audience and another": ({"aud": [AUDIENCE, "https://elsewhere.example"]}, "audience"),
    "an audience that only begins like ours": ({"aud": f"{AUDIENCE}.evil.example"}, "audience"),
    "an audience in another case": ({"aud": AUDIENCE.upper()}, "audience"),
    "an empty list of audiences": ({"aud": []}, "audience"),
    "another issuer": (
        {"iss": "https://token.actions.githubusercontent.com.evil.example"},
        "issuer",
    ),
    "an issuer with a slash": ({"iss": "https://token.actions.githubusercontent.com/"}, "issuer"),
    "no issuer": ({"iss": None}, "issuer"),
    "no end": ({"exp": None}, "claims"),
    "an end that is text": ({"exp": "1772446200"}, "claims"),
    "an end that is a truth": ({"exp": True}, "claims"),
    "an end before time": ({"exp": -1}, "claims"),
    "no begin": ({"nbf": None}, "accepted"),
    "a begin that is no time": ({"nbf": "now"}, "claims"),
    "not said when it was made": ({"iat": None}, "claims"),
    "made tomorrow": ({"iat": MADE_S + 86_400, "exp": MADE_S + 90_000}, "not_yet"),
    "begins tomorrow": ({"nbf": MADE_S + 86_400, "exp": MADE_S + 90_000}, "not_yet"),
    "lives for ever": ({"exp": MADE_S + LIFE_MAX_S + 1}, "life"),
    "no jti": ({"jti": None}, "jti"),
    "an empty jti": ({"jti": ""}, "jti"),
    "a jti that is a number": ({"jti": 7}, "jti"),
    "another repository": ({"repository_id": "75"}, "id"),
    "another repository under the same name": (
        {"repository_id": "75", "repository": "acme/checkout"},
        "id",
    ),
    "the same repository under another name": (
        {"repository": "acme/till", "sub": "repo:acme/till:environment:production"},
        "accepted",
    ),
    "no repository id": ({"repository_id": None}, "claim"),
    "a repository id in a list": ({"repository_id": ["74"]}, "claim"),
    "another workflow": (
        {"job_workflow_ref": "acme/platform/.github/workflows/other.yml@refs/tags/v3"},
        "workflow",
    ),
    "the workflow on another ref": (
        {"job_workflow_ref": "acme/platform/.github/workflows/release.yml@refs/heads/v3"},
        "workflow",
    ),
    "the workflow in a fork": (
        {"job_workflow_ref": "eve/platform/.github/workflows/release.yml@refs/tags/v3"},
        "workflow",
    ),
    "no workflow": ({"job_workflow_ref": None}, "claim"),
}


@pytest.mark.parametrize(("claims", "expected"), CHANGED.values(), ids=CHANGED.keys())
def test_every_claim_a_rule_rests_on_is_compared_whole(
    claims: dict[str, Any], expected: str
) -> None:
    assert verdict("github", **claims) == expected


def test_an_id_counts_as_text_or_as_a_number() -> None:
    """Vendors write ids both ways, and the same id is the same id."""
    assert verdict("gitlab", project_id=20) == "accepted"
    assert verdict("gitlab", project_id=200) == "id"


def test_a_claim_that_is_bound_besides_narrows() -> None:
    rule = check_rule(bind("github", environment="production", ref_protected="true"))

    assert verdict("github", rule) == "accepted"
    assert verdict("github", rule, environment="staging") == "claim"
    assert verdict("github", rule, environment=None) == "claim"
    assert verdict("github", rule, ref_protected="false") == "claim"


# Workflows.

OWN = "acme/checkout/.github/workflows/ci.yml"
WORKFLOWS = {
    "exactly": (f"{OWN_WORKFLOW}@refs/heads/main", f"{OWN}@refs/heads/main", True),
    "another branch": (f"{OWN_WORKFLOW}@refs/heads/main", f"{OWN}@refs/heads/main2", False),
    "a tag of that name": (f"{OWN_WORKFLOW}@refs/heads/main", f"{OWN}@refs/tags/main", False),
    "a pull request": (f"{OWN_WORKFLOW}@refs/heads/main", f"{OWN}@refs/pull/27/merge", False),
    "any ref, a branch": (f"{OWN_WORKFLOW}@*", f"{OWN}@refs/heads/x", True),
    "any ref, a pull request": (f"{OWN_WORKFLOW}@*", f"{OWN}@refs/pull/27/merge", True),
    "any ref, a commit": (f"{OWN_WORKFLOW}@*", f"{OWN}@{'a' * 40}", True),
    "any ref, none": (f"{OWN_WORKFLOW}@*", OWN, False),
    "any branch": (f"{OWN_WORKFLOW}@refs/heads/*", f"{OWN}@refs/heads/feature/x", True),
    "any branch, a tag": (f"{OWN_WORKFLOW}@refs/heads/*", f"{OWN}@refs/tags/x", False),
    "any branch, no name": (f"{OWN_WORKFLOW}@refs/heads/*", f"{OWN}@refs/heads/", False),
    "any tag": (f"{OWN_WORKFLOW}@refs/tags/*", f"{OWN}@refs/tags/v1", True),
    "a longer file name": (f"{OWN_WORKFLOW}@*", f"{OWN}@evil.yml@refs/heads/x", False),
    "another file": (
        f"{OWN_WORKFLOW}@*",
        "acme/checkout/.github/workflows/x.yml@refs/heads/x",
        False,
    ),
    "the same file elsewhere": (
        f"{OWN_WORKFLOW}@*",
        "eve/checkout/.github/workflows/ci.yml@refs/heads/x",
        False,
    ),
}


@pytest.mark.parametrize(("wanted", "given", "fits"), WORKFLOWS.values(), ids=WORKFLOWS.keys())
def test_a_workflow_is_one_file_at_one_ref_or_one_kind_of_ref(
    wanted: str, given: str, fits: bool
) -> None:
    rule = check_rule(bind("github", job_workflow_ref=wanted))

    assert (verdict("github", rule, job_workflow_ref=given) == "accepted") is fits


def test_the_workflow_of_a_renamed_repository_is_still_its_own() -> None:
    """The name stands in the token twice and both change; the id that is bound does not."""
    rule = check_rule(bind("github", job_workflow_ref=f"{OWN_WORKFLOW}@refs/heads/main"))
    renamed = {"repository": "acme/till", "job_workflow_ref": OWN.replace("checkout", "till")}

    assert verdict("github", rule, **_at_main(renamed)) == "accepted"
    assert verdict("github", rule, **_at_main({**renamed, "repository_id": "75"})) == "id"
    assert verdict("github", rule, **_at_main({**renamed, "repository": "acme/x"})) == "workflow"


def _at_main(claims: dict[str, str]) -> dict[str, Any]:
    return {**claims, "job_workflow_ref": f"{claims['job_workflow_ref']}@refs/heads/main"}


def test_the_configuration_of_a_renamed_gitlab_project_is_still_its_own() -> None:
    rule = check_rule(bind("gitlab", ci_config_ref_uri=".gitlab-ci.yml@refs/heads/main"))
    moved = "gitlab.acme.example/acme/tills/till//.gitlab-ci.yml@refs/heads/main"

    assert verdict("gitlab", rule) == "accepted"
    assert (
        verdict("gitlab", rule, project_path="acme/tills/till", ci_config_ref_uri=moved)
        == "accepted"
    )
    assert verdict("gitlab", rule, ci_config_ref_uri=moved) == "workflow"


# What is no evidence.

RERUNS: dict[str, tuple[Any, str]] = {
    "no": (False, "accepted"),
    "not said": (None, "accepted"),
    "yes": (True, "ssh_rerun"),
    "yes as text": ("true", "ssh_rerun"),
    "no as text": ("false", "ssh_rerun"),
    "nothing": (0, "ssh_rerun"),
}


@pytest.mark.parametrize(("rerun", "expected"), RERUNS.values(), ids=RERUNS.keys())
def test_a_job_somebody_had_a_shell_in_is_no_evidence(rerun: Any, expected: str) -> None:
    assert verdict("circleci", **{SSH_RERUN: rerun}) == expected


def test_slugs_alone_are_not_enough_and_the_job_is_told_what_to_ask_for() -> None:
    found = judge(claims_of("buildkite", pipeline_id=None), "trust:1", RULES["buildkite"], NOW_S)

    assert isinstance(found, Refused)
    assert "--claim organization_id,pipeline_id" in found.words


# Choosing among rules.


def test_the_rule_that_binds_more_counts() -> None:
    rules = {
        "trust:b": RULES["github"],
        "trust:a": bind("github", environment="production"),
        "trust:c": RULES["gitlab"],
    }

    found = choose(claims_of("github"), rules, "default", NOW_S)

    assert isinstance(found, Accepted)
    assert found.rule_id == "trust:a"


def test_of_rules_that_bind_the_same_the_first_by_id_counts() -> None:
    rules = {"trust:b": RULES["github"], "trust:a": change("github", verbs=("record",))}

    found = choose(claims_of("github"), rules, "default", NOW_S)

    assert isinstance(found, Accepted)
    assert found.rule_id == "trust:a"


def test_a_rule_lets_into_its_projects_only() -> None:
    rules = {"trust:1": change("github", projects=("shop",))}

    inside = choose(claims_of("github"), rules, "shop", NOW_S)
    outside = choose(claims_of("github"), rules, "default", NOW_S)

    assert isinstance(inside, Accepted)
    assert outside == Refused(
        "project", "the trust rule for this job lets it into shop, not default"
    )


def test_a_token_of_an_issuer_without_a_rule_is_refused() -> None:
    found = choose(claims_of("gitlab"), {"trust:1": RULES["github"]}, "default", NOW_S)

    assert isinstance(found, Refused)
    assert found.code == "issuer"


def test_of_several_refusals_the_closest_is_told() -> None:
    """Somebody whose workflow is off by a ref should not hear of a rule for another repository."""
    rules = {
        "trust:a": bind("github", repository_id="99"),
        "trust:b": RULES["github"],
        "trust:c": change("github", audience="https://elsewhere.example"),
    }
    claims = claims_of(
        "github", job_workflow_ref="acme/platform/.github/workflows/release.yml@refs/heads/x"
    )

    found = choose(claims, rules, "default", NOW_S)

    assert isinstance(found, Refused)
    assert found.code == "workflow"


@pytest.mark.parametrize("value", [None, [], {}, "x" * 5000, "\x1b[31m", 7, "аcme"])
def test_a_refusal_is_one_short_line_of_ascii_whatever_the_token_says(value: object) -> None:
    for name in ("iss", "aud", "repository_id", "job_workflow_ref"):
        claims = claims_of("github") | {name: value}
        found = choose(claims, {"trust:1": RULES["github"]}, "default", NOW_S)

        assert isinstance(found, Refused)
        assert found.words.isascii()
        assert found.words.isprintable()
        assert len(found.words) < 500


# Saying what a rule does.


def test_a_rule_says_what_it_accepts_and_what_it_refuses() -> None:
    described = describe(bind("github", job_workflow_ref=f"{OWN_WORKFLOW}@refs/heads/main"))

    assert described.accepts == (
        f"tokens of GitHub Actions signed by {RULES['github'].issuer} for {AUDIENCE} alone",
        "jobs whose repository_id is 74, whatever it is called",
        "told what to do by .github/workflows/ci.yml of the job's own repository, at refs/heads/main",
        "to record, report in default, 900 s at a time",
    )
    assert described.refuses == (
        "tokens for another audience than https://audit.acme.example",
        "tokens that ended",
        "jobs of another repository_id, even under the same name",
        "jobs that another workflow file or another ref told what to do",
        "a copy of a job's token that comes under another key than the first",
    )
    assert described.warnings == ()


WARNED = {
    "any ref": (bind("github", job_workflow_ref=f"{OWN_WORKFLOW}@*"), "whoever may push"),
    "somebody else's workflow": (RULES["github"], "known by its name alone"),
    "somebody else's configuration": (RULES["gitlab"], "bind ci_config_sha"),
    "an audience many share": (
        change("circleci", audience=ORGANIZATION),
        "circleci run oidc get",
    ),
    "every project": (change("buildkite", projects=("*",)), "every project"),
}


@pytest.mark.parametrize(("rule", "words"), WARNED.values(), ids=WARNED.keys())
def test_a_rule_warns_of_what_it_leaves_open(rule: Rule, words: str) -> None:
    assert any(words in warning for warning in describe(check_rule(rule)).warnings)


def test_a_workflow_held_to_one_commit_needs_no_warning() -> None:
    assert describe(bind("github", job_workflow_sha="9" * 40)).warnings == ()
