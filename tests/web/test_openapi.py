"""The route table against everything that is made from it."""

import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import given
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.specs.openapi.checks import positive_data_acceptance

from counterfoil.errors import CODES
from counterfoil.policy.access import VERBS
from counterfoil.web import openapi
from counterfoil.web.api.table import ROUTES
from tests.api_known import KNOWN, fill
from tests.api_operations import MODES, OPERATIONS, some
from tests.web_server import Running

ROUTE = {route.name: route for route in ROUTES}
DOCS = Path(__file__).parents[2] / "docs" / "http.md"


@pytest.fixture(scope="module")
def filled(web: Running) -> Running:
    fill(web)
    return web


@pytest.mark.parametrize(("name", "mode"), MODES)
def test_no_request_gets_an_answer_that_is_not_documented(
    filled: Running, name: str, mode: GenerationMode
) -> None:
    """Whatever is sent, by the schema or against it: no 5xx; a documented status, type, body."""

    # What is sound is sent as often again below, where it names what exists.
    @some(8 if mode.is_positive else 15)
    @given(OPERATIONS[name].as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case[Any]) -> None:
        send(filled, case)

    check()


@pytest.mark.parametrize("name", KNOWN)
def test_what_exists_is_answered_well_and_as_documented(filled: Running, name: str) -> None:
    """What is drawn names nothing that exists: of half of the calls it sees refusals alone."""
    known = KNOWN[name]
    good = []

    @some(8)
    @given(known.requests(OPERATIONS[name]))
    def check(case: schemathesis.Case[Any]) -> None:
        status = send(filled, case)
        # Another parameter that was drawn may name nothing that exists.
        if dict(case.query or {}) == known.query:
            good.append(status)

    check()
    assert set(good) == {ROUTE[name].status}


def test_every_call_is_asked_for_what_exists_but_for_what_a_ci_signs() -> None:
    """tests/web/test_token_exchange.py has an issuer, and lets its jobs in."""
    assert set(OPERATIONS) - set(KNOWN) == {"POST /v1/token/exchange"}


def send(web: Running, case: schemathesis.Case[Any]) -> int:
    """Send a request with every right; return its status, which the document must name."""
    answer = case.call_and_validate(
        base_url=f"http://127.0.0.1:{web.port}",
        headers={"Authorization": f"Bearer {web.token}"},
        timeout=10,
        # That a ref is a ref, a moment in the past and XML a report, no schema can say.
        excluded_checks=[positive_data_acceptance],
    )
    return int(answer.status_code)


def test_every_route_has_a_verb_of_the_door_and_errors_of_the_catalogue() -> None:
    for route in ROUTES:
        assert not route.verb or route.verb in VERBS, route.name
        assert set(route.all_errors) <= set(CODES), route.name


def test_operation_ids_are_unique() -> None:
    ids = [openapi.operation_id(route) for route in ROUTES]

    assert len(ids) == len(set(ids))


def test_what_changes_something_is_never_open() -> None:
    """But for webhooks and jobs: a vendor's signature, a CI's token is the credential."""
    assert [route.path for route in ROUTES if route.method != "GET" and route.verb is None] == [
        "/v1/webhooks/{source}",
        "/v1/token/exchange",
    ]


def test_what_is_open_to_everyone_is_this_and_nothing_else() -> None:
    assert [route.path for route in ROUTES if route.method == "GET" and route.verb is None] == [
        "/log/{project}/checkpoint",
        "/log/{project}/tile/{tile:path}",
        "/healthz",
        "/readyz",
    ]


def test_the_docs_name_every_call_and_no_other() -> None:
    written = re.findall(
        r"^\| `((?:GET|POST|PUT|DELETE) [^`]+)` \|", DOCS.read_text(), re.MULTILINE
    )

    assert written == [route.name for route in ROUTES]


def test_the_docs_page_shows_every_call_and_every_code(web: Running) -> None:
    page = web.call("GET", "/docs", token=None)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for route in ROUTES:
        assert f"<code>{route.name}</code>".encode() in page.body
    for code in CODES:
        assert f'id="error-{code}"'.encode() in page.body
    assert b"<script" not in page.body
    assert b"http://" not in page.body.replace(b"http://www.w3.org", b"")


def test_a_problem_documents_type_leads_to_its_line_on_the_docs_page(web: Running) -> None:
    found = web.get("/v1/receipts?source=urn:x&id=nothing").json()

    page = web.call("GET", found["type"].partition("#")[0], token=None).body
    assert f'id="{found["type"].partition("#")[2]}"'.encode() in page


def test_every_check_of_the_property_test_is_on() -> None:
    """A check that is renamed away must not leave the test empty."""
    assert {"not_a_server_error", "status_code_conformance", "response_schema_conformance"} <= set(
        CHECKS.get_all_names()
    )
