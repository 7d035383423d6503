"""The HTTP client against servers that are none of ours, and words that are no address."""

import json

import pytest

from counterfoil.client.http import Client
from counterfoil.errors import CounterfoilError, RequestError, UnavailableError
from counterfoil.events.event import Event, make_event
from tests.one_answer import answering

ENTRY = {"id": "42", "index": 0, "status": "recorded", "receipt": "c2sp.org/tlog-proof@v1\n"}


def event() -> Event:
    return make_event(
        type="com.example.done", source="urn:ci", id="42", time="2026-11-20T12:00:00Z",
        authtype="user", authid="ana",
    )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Welcome to nginx</html>",
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"entries": null}',
        b'{"entries": [{}]}',
        b'{"entries": []}',
        json.dumps({"entries": [{**ENTRY, "opening": "open"}]}).encode(),
        json.dumps({"entries": [{**ENTRY, "opening": {"body": 1}}]}).encode(),
        b'{"steps": 1, "gaps": 1}',
        b'{"index": "first", "receipt": "c2sp.org/tlog-proof@v1"}',
        b'{"index": 0, "receipt": "anything"}',
    ],
)
def test_an_answer_of_another_program_is_unreachable_and_no_traceback(body: bytes) -> None:
    """A wrong port, a proxy's sign-in page, a captive portal: all of them say 200."""
    with answering(body) as url:
        client = Client(url, "", "default")
        for call in (
            lambda: client.record([event()]),
            lambda: client.post_batch([event().canonical]),
            lambda: client.report(b"<testsuite/>", {}),
            lambda: client.trace("run:1", ""),
            lambda: client.receipt(0),
            lambda: client.receipt_of("urn:ci", "42"),
        ):
            with pytest.raises(UnavailableError) as refused:
                call()
            assert refused.value.code == "unreachable"
            assert "no answer of Counterfoil" in refused.value.message


def test_what_the_shape_does_not_name_is_handed_on() -> None:
    with answering(json.dumps({"entries": [{**ENTRY, "opening": {"body": "x"}}]}).encode()) as url:
        [answer] = Client(url, "", "default").record([event()])

    assert answer == {**ENTRY, "opening": {"body": "x"}}


def test_facts_of_a_problem_never_get_in_the_way_of_the_error() -> None:
    problem = {"code": "id_conflict", "detail": "d", "index": 7, "message": "m", "self": 1}
    with (
        answering(json.dumps(problem).encode(), 409) as url,
        pytest.raises(RequestError) as refused,
    ):
        Client(url, "", "default").record([event()])

    assert (refused.value.code, refused.value.message) == ("id_conflict", "d")
    assert refused.value.facts["index"] == 7


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"[]", b'{"code": ["x"]}', b'{"code": "nope", "detail": "d"}']
)
def test_a_problem_that_is_none_of_ours_is_unreachable(body: bytes) -> None:
    with answering(body, 500) as url, pytest.raises(UnavailableError) as refused:
        Client(url, "", "default").record([event()])

    assert refused.value.code == "unreachable"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1",
        "http://",
        "http://[::1",
        "http://localhost:abc",
        "http://localhost:99999",
        "http://loc alhost",
        "http://localhost/\n",
        "http://localhost/caf\u00e9",
        "http://a..b",
        "http://" + "a" * 70,
    ],
)
def test_what_is_no_address_is_a_mistake_in_the_words(url: str) -> None:
    """Not `unreachable`: trying again later would not help."""
    with pytest.raises(RequestError) as refused:
        Client(url, "", "default")

    assert refused.value.code == "usage"


@pytest.mark.parametrize("token", ["two\nlines", "\u20ac", "with space"])
def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(RequestError) as refused:
        Client("http://localhost:1", token, "default")

    assert refused.value.code == "usage"
    assert token not in refused.value.message


def test_words_that_are_not_utf8_reach_the_server_that_refuses_them() -> None:
    problem = {"code": "project_invalid", "detail": "no project name"}
    with (
        answering(json.dumps(problem).encode(), 400) as url,
        pytest.raises(CounterfoilError) as refused,
    ):
        Client(url, "", "\udcff").trace("run:\udcff", "")

    assert refused.value.code == "project_invalid"
