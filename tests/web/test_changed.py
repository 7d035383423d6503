"""GET /v1/changed: a run against the last green one, a chain and all tests since a moment."""

from typing import Any

import pytest

from tests.web_server import Running, event

CONTEXT = {"version": "0.5.1"}


def record(web: Running, **members: Any) -> int:
    answer = web.call("POST", "/v1/events", event(**members))
    assert answer.status == 201, answer.body
    return int(answer.json()["entries"][0]["index"])


def suite(web: Running, run: str, name: str, cases: dict[str, str], commit: str) -> int:
    """Record a run with its cases; return the entry of its end."""
    for test, outcome in cases.items():
        record(
            web, type="dev.cdevents.testcaserun.finished.0.3.0", subject=f"test:{test}",
            data={"context": CONTEXT, "subject": {"id": test, "content": {"outcome": outcome}},
                  "refs": [{"ref": run, "role": "part-of"},
                           {"ref": f"test:{test}", "role": "about"}]},
        )  # fmt: skip
    red = "fail" in cases.values()
    return record(
        web, type="dev.cdevents.testsuiterun.finished.0.3.0", subject=run,
        data={"context": CONTEXT,
              "subject": {"id": run, "content": {"outcome": "fail" if red else "pass",
                                                 "testSuite": {"name": name}}},
              "refs": [{"ref": f"commit:acme/shop@{commit}", "role": "input"}]},
    )  # fmt: skip


@pytest.fixture(scope="module")
def told(web: Running) -> dict[str, int]:
    """Three runs named unit: green, red, red; one of another name between them."""
    ends = {
        "green": suite(web, "run:x/1", "unit", {"u::a": "pass", "u::b": "pass"}, "1111111"),
        "other": suite(web, "run:x/2", "e2e", {"e::a": "pass"}, "1111111"),
        "red": suite(web, "run:x/3", "unit", {"u::a": "fail", "u::b": "pass", "u::c": "pass"},
                     "2222222"),
    }  # fmt: skip
    ends["again"] = suite(web, "run:x/4", "unit", {"u::a": "fail"}, "3333333")
    return ends


def test_a_run_is_compared_with_the_last_green_one_of_its_name(
    web: Running, told: dict[str, int]
) -> None:
    found = web.get("/v1/changed?ref=run:x/3").json()
    run = found["run"]
    assert (run["before"], run["after"]) == ("run:x/1", "run:x/3")
    assert [(one["test"], one["before"], one["after"]) for one in run["turned"]] == [
        ("test:u::a", "passed", "failed")
    ]
    assert [one["test"] for one in run["added"]] == ["test:u::c"]
    assert (run["gone"], run["same"]) == ([], 1)
    assert [one["what"] for one in run["differs"]] == ["commit"]
    assert found["as_of"] == told["again"]


def test_another_run_can_be_named(web: Running, told: dict[str, int]) -> None:
    del told
    run = web.get("/v1/changed?ref=run:x/4&since=run:x/3").json()["run"]
    assert (run["before"], run["turned"], len(run["gone"])) == ("run:x/3", [], 2)


def test_the_first_green_run_has_nothing_to_be_compared_with(
    web: Running, told: dict[str, int]
) -> None:
    del told
    assert web.get("/v1/changed?ref=run:x/1").json()["run"] is None


def test_what_was_not_known_then_is_not_compared(web: Running, told: dict[str, int]) -> None:
    """As of the green run's last case, there is no green run yet."""
    early = told["green"] - 1
    refused = web.get(f"/v1/changed?ref=run:x/3&as_of={early}")
    assert (refused.status, refused.code) == (404, "not_found")
    found = web.get(f"/v1/changed?ref=run:x/3&since={early}").json()
    assert (found["run"], found["since"]) == (None, early)


def test_without_a_thing_it_is_which_tests_turned(web: Running, told: dict[str, int]) -> None:
    found = web.get(f"/v1/changed?since={told['other']}&as_of={told['red']}").json()
    assert [(one["test"], one["before"], one["after"]) for one in found["tests"]] == [
        ("test:u::a", "passed", "failed"), ("test:u::c", None, "passed"),
    ]  # fmt: skip
    assert found["since"] == told["other"]


def test_a_chain_has_the_steps_that_were_added(web: Running, told: dict[str, int]) -> None:
    found = web.get(f"/v1/changed?ref=commit:acme/shop@2222222&since={told['other']}").json()
    assert [step["ref"] for step in found["trace"]["steps"]] == ["run:x/3"]
    assert web.get(
        f"/v1/changed?ref=commit:acme/shop@2222222&since={told['again']}"
    ).json()["trace"]["steps"] == []  # fmt: skip


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [("ref=run:none", 404, "not_found"), ("ref=run:x/3&since=run:none", 404, "not_found"),
     ("", 400, "query_invalid"), ("since=soon", 400, "query_invalid"),
     ("since=999999", 400, "query_invalid"), ("since=5&as_of=4", 400, "query_invalid"),
     ("ref=nonsense&since=0", 400, "ref_invalid")],
)  # fmt: skip
def test_what_cannot_be_compared_is_named(
    web: Running, told: dict[str, int], query: str, status: int, code: str
) -> None:
    del told
    refused = web.get(f"/v1/changed?{query}")
    assert (refused.status, refused.code) == (status, code)


@pytest.mark.parametrize("as_of", ["2020-01-01", "2020-01-01T10:00", "2020-01-01%2010:00:00"])
def test_a_date_is_a_moment_too(web: Running, told: dict[str, int], as_of: str) -> None:
    """Before the first entry nothing was known."""
    del told
    assert web.get(f"/v1/runs?as_of={as_of}").json()["as_of"] == -1


def test_a_receipt_is_only_given_for_what_was_there(web: Running, told: dict[str, int]) -> None:
    index = told["red"]
    assert web.get(f"/v1/entries/{index}/receipt?as_of={index}").status == 200
    refused = web.get(f"/v1/entries/{index}/receipt?as_of={index - 1}")
    assert (refused.status, refused.code) == (404, "not_found")
