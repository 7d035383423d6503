"""GET /v1/live: every entry once, in order, over any number of reconnects."""

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.actions import act
from counterfoil.policy.access import ADMIN, Credential
from counterfoil.web.api import live
from tests.own_token import own_token
from tests.signing_in import OWNER, describe, handle_for
from tests.web_server import Running, event, running


def post(web: Running, count: int) -> list[str]:
    ids = []
    for _ in range(count):
        posted = event()
        assert web.call("POST", "/v1/events", posted).status == 201
        ids.append(posted["id"])
    return ids


@contextlib.contextmanager
def listening(
    web: Running, last: str = "", query: str = "", **came_with: str
) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=15)
    headers = {"Host": web.host, **(came_with or {"Authorization": f"Bearer {web.token}"})}
    if last:
        headers["Last-Event-ID"] = last
    with contextlib.closing(connection):
        connection.request("GET", f"/v1/live{query}", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        assert answer.getheader("content-type", "").startswith("text/event-stream")
        assert answer.readline().startswith(b": the log has")
        assert answer.readline() == b"\n"
        yield answer


def take(stream: http.client.HTTPResponse, count: int) -> list[tuple[int, dict[str, Any]]]:
    """Return the next events as (id, data)."""
    found: list[tuple[int, dict[str, Any]]] = []
    number = -1
    while len(found) < count:
        line = stream.readline()
        assert line, "the stream ended"
        if line.startswith(b"id: "):
            number = int(line[4:])
        if line.startswith(b"data: "):
            found.append((number, json.loads(line[6:])))
    return found


def test_what_is_recorded_arrives_while_listening(web: Running) -> None:
    size = web.size()
    with listening(web) as stream:
        post(web, 2)
        found = take(stream, 2)

    assert [number for number, _ in found] == [size, size + 1]
    assert [line["index"] for _, line in found] == [size, size + 1]
    assert found[0][1]["sentence"]


def test_a_reconnect_goes_on_after_the_last_entry_seen(web: Running) -> None:
    """What was recorded while nobody listened arrives first, then what follows, none twice."""
    with listening(web) as stream:
        post(web, 1)
        [(last, _)] = take(stream, 1)
    post(web, 450)

    with listening(web, str(last)) as stream:
        missed = take(stream, 450)
        post(web, 1)
        following = take(stream, 1)

    numbers = [number for number, _ in missed + following]
    assert numbers == list(range(last + 1, last + 452))


def test_asking_for_the_head_alone_leaves_the_connection_to_the_next_request(
    web: Running,
) -> None:
    """An answer without a body that never ends would hold the connection for ever."""
    headers = {"Host": web.host, "Authorization": f"Bearer {web.token}"}
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=5)
    with contextlib.closing(connection):
        connection.request("HEAD", "/v1/live", headers=headers)
        head = connection.getresponse()
        assert head.getheader("content-type", "").startswith("text/event-stream")
        assert head.read() == b""

        connection.request("GET", "/healthz", headers=headers)
        assert connection.getresponse().status == 200


def test_minus_one_asks_for_everything(web: Running) -> None:
    post(web, 1)
    with listening(web, "-1") as stream:
        assert take(stream, 1)[0][0] == 0


@pytest.mark.parametrize("last", ["9007199254740991", "x", "1.5", "-2"])
def test_an_id_that_no_entry_has_is_refused(web: Running, last: str) -> None:
    """Waiting for it would look like a quiet log."""
    refused = web.get("/v1/live", **{"Last-Event-ID": last})

    assert (refused.status, refused.code) == (400, "query_invalid")


def test_projects_have_streams_of_their_own(web: Running) -> None:
    with listening(web, query="?project=other") as stream:
        post(web, 1)
        web.call("POST", "/v1/events?project=other", event(id="only-other"))
        [(number, _)] = take(stream, 1)

    assert number == web.size("other") - 1


def test_a_quiet_stream_is_kept_warm(web: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies cut connections on which nothing is said."""
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.1)
    with listening(web) as stream:
        assert stream.readline() == b": still here\n"


def sizes(stream: http.client.HTTPResponse, count: int) -> list[tuple[int, int]]:
    """Return the next messages named size as (id, size)."""
    found: list[tuple[int, int]] = []
    number = -2
    while len(found) < count:
        line = stream.readline()
        assert line, "the stream ended"
        if line.startswith(b"id: "):
            number = int(line[4:])
        if line.startswith(b"data: "):
            found.append((number, json.loads(line[6:])["size"]))
    return found


def test_a_page_is_told_the_size_at_once_and_when_it_grows(web: Running) -> None:
    """At once even if nothing is news: its id is what a reconnect goes on from."""
    size = web.size()
    with listening(web, str(size - 1) if size else "", "?as=size") as stream:
        assert sizes(stream, 1) == [(size - 1, size)]
        post(web, 1)
        assert sizes(stream, 1) == [(size, size + 1)]


def test_a_burst_is_a_few_messages_to_a_page(web: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast the log grows, a page hears of it twice a second, and of the last size."""
    monkeypatch.setattr(live, "SIZES_EVERY_S", 1.0)
    with listening(web, query="?as=size") as stream:
        sizes(stream, 1)
        batch = [event() for _ in range(500)]
        kind = {"Content-Type": "application/cloudevents-batch+json"}
        for first in range(0, 500, 50):
            body = json.dumps(batch[first : first + 50]).encode()
            assert web.call("POST", "/v1/events", body, kind).status == 201
        told: list[int] = []
        while not told or told[-1] < web.size():
            told += [size for _, size in sizes(stream, 1)]
    assert len(told) < 10
    assert told == sorted(set(told))


def test_a_stopping_server_ends_its_streams(tmp_path: Path) -> None:
    """Otherwise stopping would wait for every open page."""
    ended = threading.Event()

    def listen(web: Running) -> None:
        with listening(web) as stream:
            started.set()
            assert stream.read() == b""
        ended.set()

    started = threading.Event()
    with running(tmp_path / "ledger") as web:
        thread = threading.Thread(target=listen, args=(web,))
        thread.start()
        assert started.wait(10)
    thread.join(10)

    assert ended.is_set()


def test_signing_out_ends_the_stream(web: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.1)
    from counterfoil.app import signin
    from counterfoil.app.sessions import Sessions

    home = web.home
    address = signin.make_link(home.state, home.clock, home.randomness, "http://x")
    opened = signin.open_session(home.state, home.clock, home.randomness, address[-64:])
    assert opened is not None
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=15)
    with contextlib.closing(connection):
        headers = {"Host": web.host, "Cookie": f"counterfoil={opened.cookie}"}
        connection.request("GET", "/v1/live", headers=headers)
        answer = connection.getresponse()
        assert answer.readline().startswith(b": the log has")
        Sessions(home.state.sign_in, home.clock, home.randomness).end(opened.cookie)
        rest = answer.read()

    assert set(rest.split(b"\n")) <= {b"", b": still here"}


def is_told(stream: http.client.HTTPResponse) -> bool:
    """Whether anything more is told before the stream ends."""
    return any(line.startswith(b"data: ") for line in iter(stream.readline, b""))


def reader(web: Running, handle: str) -> tuple[str, str]:
    """Return the id and the secret of a token of a viewer."""
    describe(web, handle)
    issued = own_token(web.home, handle, name=f"of-{handle}", projects=["default"], verbs=["read"])
    return issued.id, issued.token


ENDS: dict[str, tuple[str, Callable[[str, str], dict[str, str]]]] = {
    "its token is revoked": ("token-revoke", lambda token, _: {"token": token}),
    "its holder is removed": ("actor-remove", lambda _, handle: {"handle": handle}),
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("query", ["", "?as=size"], ids=["entries", "sizes"])
def test_a_stream_ends_before_the_next_entry_once(
    web: Running, monkeypatch: pytest.MonkeyPatch, how: str, query: str
) -> None:
    """Not after a silence: a log that grows has none, and everything would be told for ever."""
    monkeypatch.setattr(live, "SIZES_EVERY_S", 0.0)
    action, given = ENDS[how]
    handle = handle_for(f"live {how} {query}")
    token, secret = reader(web, handle)
    with listening(web, query=query, Authorization=f"Bearer {secret}") as stream:
        if query:
            sizes(stream, 1)
        act(web.home, OWNER, action, given(token, handle), "api")
        post(web, 3)
        assert not is_told(stream)


def test_a_token_that_runs_out_ends_its_stream_though_nothing_is_recorded(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "ASKED_EVERY_S", 0.05)
    _, secret = reader(web, "soon-over")
    with listening(web, Authorization=f"Bearer {secret}") as stream:
        # No entry says so and no version counts it: the moment has come, that is all.
        monkeypatch.setattr(web.home.tokens, "_lives", lambda _scope: False)
        assert stream.readline() == b""


def test_the_stream_of_a_job_ends_with_the_rule_that_let_it_in(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    describe(web, "ci-bot")
    job = Credential(
        "job:1", "ci", "ci:job", actor=web.home.access.require_actor("ci-bot").ref,
        projects=("default",), verbs=("read",),
    )  # fmt: skip
    stands = {"a job's session": job}
    monkeypatch.setattr(web.home.jobs, "find", stands.get)
    monkeypatch.setattr(live, "ASKED_EVERY_S", 0.05)
    with listening(web, Authorization="Bearer a job's session") as stream:
        stands.clear()
        assert stream.readline() == b""


def test_who_came_with_the_same_words_is_not_who_opened_the_stream(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked again is what came, and it has to be the same credential still."""
    monkeypatch.setattr(live, "ASKED_EVERY_S", 0.05)
    _, secret = reader(web, "one-reader")
    with listening(web, Authorization=f"Bearer {secret}") as stream:
        monkeypatch.setattr(web.home.tokens, "find", lambda _token: ADMIN)
        assert stream.readline() == b""
