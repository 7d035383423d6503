"""Every call of the API, sent anything by somebody who may not: refused by name, and no trace.

With rights: tests/web/test_openapi.py sends the same with the administrator's token.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import given
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    positive_data_acceptance,
    unsupported_method,
)

from counterfoil.app.actions import act
from counterfoil.policy.access import LOG
from counterfoil.web.api.table import ROUTES
from tests.api_operations import MODES, OPERATIONS, some
from tests.signing_in import OWNER
from tests.web_server import Running, event, running

# Closed calls, but for what a vendor's signature or a CI's token opens.
CLOSED = {route.name: route for route in ROUTES if route.verb is not None}
STRANGERS = {
    "nobody": {},
    "a token that is none": {"Authorization": "Bearer cf_" + "0" * 48},
    "another scheme": {"Authorization": "Basic YWRtaW46YWRtaW4="},
    "a session that is none": {"Cookie": "counterfoil=" + "0" * 64},
}
REFUSED = {400, 401, 403, 404, 413, 415}
"""What is off about the request itself may be told before who sends it is asked for a right."""


@dataclass
class Place:
    """A ledger with a token whose rights end at another project."""

    web: Running
    elsewhere: str

    def sizes(self) -> tuple[int, int, int]:
        """Return how much is recorded, without what counts refusals."""
        web = self.web
        return web.size("default"), web.size("other"), web.size(LOG)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with running(tmp_path_factory.mktemp("closed") / "ledger") as web:
        given = {"name": "elsewhere", "projects": ["other"], "verbs": ["*"]}
        made: Any = act(web.home, OWNER, "token-issue", given, "api")
        assert web.call("POST", "/v1/events", event()).status == 201
        yield Place(web, made.token)


def send(place: Place, case: schemathesis.Case[Any], headers: dict[str, str]) -> int:
    """Send a request; return its status, which the document must name, with its type and body."""
    answer = case.call_and_validate(
        base_url=f"http://127.0.0.1:{place.web.port}",
        headers=headers,
        timeout=20,
        excluded_checks=[positive_data_acceptance, ignored_auth, unsupported_method],
    )
    assert b"Traceback" not in answer.content
    return int(answer.status_code)


@pytest.mark.parametrize(
    "name", [name for name, mode in MODES if name in CLOSED and mode.is_negative]
)
def test_a_request_that_is_off_is_refused_too_and_changes_nothing(place: Place, name: str) -> None:
    strangers = itertools.cycle(STRANGERS.values())
    before = place.sizes()

    @some(len(STRANGERS))
    @given(OPERATIONS[name].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def check(case: schemathesis.Case[Any]) -> None:
        assert send(place, case, next(strangers)) in REFUSED

    check()
    assert place.sizes() == before


@pytest.mark.parametrize("name", [name for name in CLOSED if name in OPERATIONS])
def test_a_request_in_order_is_refused_for_who_sends_it_and_nothing_else(
    place: Place, name: str
) -> None:
    """A sound request is told 401, whoever is unknown here; never what it would have found."""
    before = place.sizes()
    # Where the route names no verb the handler asks, once it knows for what.
    allowed = {401} if CLOSED[name].verb else {400, 401, 403, 404}
    strangers = itertools.cycle(STRANGERS.values())

    @some(len(STRANGERS))
    @given(OPERATIONS[name].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def check(case: schemathesis.Case[Any]) -> None:
        case.query = {**(case.query or {}), "project": "default"}
        assert send(place, case, next(strangers)) in allowed

    check()
    assert place.sizes() == before


@pytest.mark.parametrize("name", [name for name in CLOSED if name in OPERATIONS])
def test_a_token_of_another_project_opens_nothing_here(place: Place, name: str) -> None:
    before = place.sizes()

    @some(len(STRANGERS))
    @given(OPERATIONS[name].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def check(case: schemathesis.Case[Any]) -> None:
        case.query = {**(case.query or {}), "project": "default"}
        status = send(place, case, {"Authorization": f"Bearer {place.elsewhere}"})
        if CLOSED[name].verb:
            assert status == 403
        else:
            assert status in {200, 400, 403, 404}

    check()
    assert place.sizes() == before


def test_the_same_token_opens_its_own_project(place: Place) -> None:
    """Else the test above would pass with a token that opens nothing at all."""
    size = place.web.size("other")

    answer = place.web.call("POST", "/v1/events?project=other", event(), token=place.elsewhere)

    assert answer.status == 201
    assert place.web.size("other") == size + 1


def test_every_call_is_sent_something() -> None:
    assert set(OPERATIONS) == {route.name for route in ROUTES} - {"GET /v1/live"}
