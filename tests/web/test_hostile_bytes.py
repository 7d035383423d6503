"""What no client of ours sends, sent to a real server: each has a named answer, or is closed on."""

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hostile import JSON, PATIENCE_S, SOURCE, Attacked, attacked, drain, event, wait_until

CHUNKED = "Transfer-Encoding: chunked"
POST = "POST /v1/events HTTP/1.1"
ALIVE = "GET /healthz HTTP/1.1"
GROWN_MAX_BYTES = 64 << 20


@pytest.fixture(scope="module", params=[0, 1], ids=["one process", "a worker"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Attacked]:
    directory = tmp_path_factory.mktemp("hostile") / "ledger"
    with attacked(directory, workers=request.param) as running:
        yield running


def statuses(answer: bytes) -> list[int]:
    return [int(one) for one in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", answer)]


# What two readers of the same bytes may understand otherwise.

SMUGGLED = {
    "a length and chunks": (("Content-Length: 5", CHUNKED), b"0\r\n\r\n"),
    "two lengths": (("Content-Length: 5", "Content-Length: 6"), b"[]    "),
    "one length twice": (("Content-Length: 2", "Content-Length: 2"), b"[]"),
    "a list of lengths": (("Content-Length: 2, 2",), b"[]"),
    "a length with a sign": (("Content-Length: +2",), b"[]"),
    "a length below zero": (("Content-Length: -2",), b"[]"),
    "a length in hex": (("Content-Length: 0x2",), b"[]"),
    "a length no number holds": (("Content-Length: 99999999999999999999999",), b"[]"),
    "a blank before the colon": (("Content-Length : 2",), b"[]"),
    "a coding that is none": (("Transfer-Encoding: xchunked",), b"0\r\n\r\n"),
    "a coding besides chunks": (("Transfer-Encoding: gzip, chunked",), b"0\r\n\r\n"),
    "a coding after chunks": (("Transfer-Encoding: chunked, gzip",), b"0\r\n\r\n"),
    "two codings": ((CHUNKED, "Transfer-Encoding: identity"), b"0\r\n\r\n"),
    "a folded coding": (("Transfer-Encoding:", " chunked"), b"0\r\n\r\n"),
    "a folded header": (("X-One: a", "  b", "Content-Length: 2"), b"[]"),
    "a chunk whose size is no number": ((CHUNKED,), b"zz\r\n[]\r\n0\r\n\r\n"),
    "a chunk of less than nothing": ((CHUNKED,), b"-2\r\n[]\r\n0\r\n\r\n"),
    "a chunk no number holds": ((CHUNKED,), b"fffffffffffffffff\r\n[]\r\n0\r\n\r\n"),
    "a chunk longer than it says": ((CHUNKED,), b"1\r\n[]\r\n0\r\n\r\n"),
    "a header with a zero byte": (("X-One: a\0b", "Content-Length: 2"), b"[]"),
    "a header with half a line's end": (("X-One: a\rb", "Content-Length: 2"), b"[]"),
    "a header whose name is none": (("X(One: a", "Content-Length: 2"), b"[]"),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "body"), SMUGGLED.values(), ids=SMUGGLED.keys())
def test_what_may_be_read_in_two_ways_is_read_in_none(
    place: Attacked, lines: tuple[str, ...], body: bytes
) -> None:
    """Behind a proxy that reads it otherwise, the second request would be somebody else's."""
    hidden = place.post("hidden")

    answer = place.talk(place.head(POST, JSON, *lines) + body + hidden)

    assert statuses(answer) == [400]
    assert "hidden" not in place.names()


def test_chunks_are_of_http_1_1_only(place: Attacked) -> None:
    answer = place.talk(place.head("POST /v1/events HTTP/1.0", JSON, CHUNKED) + b"0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")


TARGETS = {
    "another server's": "GET http://attacker.example/healthz HTTP/1.1",
    "a tunnel": "CONNECT attacker.example:443 HTTP/1.1",
    "nothing in particular": "OPTIONS * HTTP/1.1",
    "no path": "GET healthz HTTP/1.1",
    "another scheme's": "GET ftp://localhost/healthz HTTP/1.1",
    "letters that are no ASCII": "GET /caf\u00e9 HTTP/1.1",
    "of a version to come": "GET /healthz HTTP/3.0",
}


@pytest.mark.parametrize("first", TARGETS.values(), ids=TARGETS.keys())
def test_a_target_that_is_not_here_is_refused(place: Attacked, first: str) -> None:
    answer = place.talk(place.head(first))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in answer


def test_a_target_that_names_this_server_in_full_is_answered(place: Attacked) -> None:
    """RFC 9112 section 3.2.2: a server must take it."""
    address = f"http://LOCALHOST:{place.server.port}/healthz"

    answer = place.talk(place.head(f"GET {address} HTTP/1.1", "Connection: close"))

    assert answer.startswith(b"HTTP/1.1 200 ")


FOREIGN = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(32),
    "zeros": bytes(4096),
    "a shell's line": b"id; cat /etc/passwd\n\n",
    "half line ends": b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
}


@pytest.mark.parametrize("sent", FOREIGN.values(), ids=FOREIGN.keys())
def test_another_language_is_answered_in_ours_and_closed_on(place: Attacked, sent: bytes) -> None:
    answer = place.talk(sent)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"x-content-type-options: nosniff" in answer


@pytest.mark.parametrize("upgrade", ["websocket", "h2c", "TLS/1.0"])
def test_nobody_changes_to_another_language(place: Attacked, upgrade: str) -> None:
    """It is answered as if it had not been asked for, and nothing after it is a request."""
    asked = place.head(ALIVE, "Connection: Upgrade", f"Upgrade: {upgrade}")

    answer = place.talk(asked + place.post("after the upgrade"))

    assert statuses(answer) == [200]
    assert b"connection: close" in answer
    assert "after the upgrade" not in place.names()


# Requests behind one another.


def test_what_is_broken_does_not_take_the_answer_of_what_came_before(place: Attacked) -> None:
    """A record that was made and answered 400 would be sent again under another id."""
    name = f"before the broken one, {place.server.workers}"

    answer = place.talk(place.post(name) + b"\x16\x03 no request at all\r\n\r\n")

    assert statuses(answer)[0] == 201
    assert place.get("/v1/receipts", source=SOURCE, id=name)["receipt"]


def test_requests_behind_one_another_are_answered_in_their_order(place: Attacked) -> None:
    asked = [place.head(f"GET /v1/nothing-{number} HTTP/1.1") for number in range(8)]
    asked.append(place.head(ALIVE, "Connection: close"))

    answer = place.talk(b"".join(asked))

    assert statuses(answer) == [404] * 8 + [200]
    assert [answer.find(f"nothing-{number} ".encode()) for number in range(8)] == sorted(
        answer.find(f"nothing-{number} ".encode()) for number in range(8)
    )


def test_of_thousands_behind_one_another_the_first_are_answered(place: Attacked) -> None:
    """One read of 256 KiB holds ten thousand requests, and each would be kept until its turn."""
    short = f"GET /v1/x HTTP/1.1\r\nHost: localhost:{place.server.port}\r\n\r\n".encode()
    before = place.memory_bytes()

    answers = [place.talk(short * 5_000) for _ in range(4)]

    assert all(1 <= len(statuses(answer)) <= 64 for answer in answers)
    assert place.memory_bytes() - before < GROWN_MAX_BYTES


# What does not end.

ENDLESS = {
    "one header": (ALIVE, ("X-One: ",), b"x"),
    "headers": (ALIVE, (), b"X-One: a\r\n"),
    "a target": ("GET /", (), b"x"),
    "a method": ("", (), b"A"),
    "empty lines before a request": ("", (), b"\r\n"),
    "a chunk's extension": (POST, (JSON, CHUNKED, "", "1;"), b"x"),
    "a trailer": (POST, (JSON, CHUNKED, "", "1", "[", "0", "X-One: "), b"x"),
    "trailers": (POST, (JSON, CHUNKED, "", "1", "[", "0"), b"\r\nX-One: a"),
}


@pytest.mark.parametrize(("first", "lines", "more"), ENDLESS.values(), ids=ENDLESS.keys())
def test_what_is_endless_is_cut_off(
    place: Attacked, first: str, lines: tuple[str, ...], more: bytes
) -> None:
    begin = place.head(first, *lines)[: -len("\r\n\r\n")] if first else b""
    before = place.memory_bytes()
    sent_bytes = 0
    with place.connect() as sock:
        try:
            sock.sendall(begin + b"\r\n" * (more == b"X-One: a\r\n"))
            while sent_bytes < 256 << 20:
                sent_bytes += sock.send(more * (65_536 // len(more)))
            pytest.fail("all of it was taken")
        except ConnectionError:
            answer = drain(sock)

    assert answer[:12] in {b"HTTP/1.1 431", b"HTTP/1.1 400", b""}
    assert place.memory_bytes() - before < GROWN_MAX_BYTES
    place.be_honest()


def test_many_headers_are_taken_up_to_their_limit(place: Attacked) -> None:
    few = [f"X-{number}: {'y' * 20}" for number in range(1_000)]
    many = [f"X-{number}: {'y' * 20}" for number in range(1_500)]

    assert place.talk(place.head(ALIVE, "Connection: close", *few)).startswith(b"HTTP/1.1 200 ")
    refused = place.talk(place.head(ALIVE, "Connection: close", *many))
    assert refused.startswith(b"HTTP/1.1 431 ")
    assert b"headers_too_large" in refused


# Bodies.


LIMITS = {
    POST: (JSON, 4 << 20),
    "POST /v1/reports HTTP/1.1": ("Content-Type: application/xml", 100 << 20),
    f"PUT /v1/blobs/sha256:{'0' * 64} HTTP/1.1": (JSON, 100 << 20),
    "POST /v1/actions/people-list HTTP/1.1": (JSON, 64 << 20),
}


def test_a_body_that_says_it_is_too_large_is_refused_unread(place: Attacked) -> None:
    with ThreadPoolExecutor(len(LIMITS)) as pool:
        answers = pool.map(
            lambda one: place.talk(
                place.head(one[0], one[1][0], f"Content-Length: {one[1][1] + 1}")
            ),
            LIMITS.items(),
        )

    for answer in answers:
        assert statuses(answer) == [413]
        assert b"body_too_large" in answer


def test_a_body_without_end_is_cut_at_its_limit(place: Attacked) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    before = place.memory_bytes()
    with place.connect() as sock:
        try:
            sock.sendall(place.head(POST, JSON, CHUNKED))
            give_up = time.monotonic() + PATIENCE_S
            while time.monotonic() < give_up:
                sock.sendall(chunk)
            pytest.fail("it is taken for ever")
        except ConnectionError:
            answer = drain(sock)

    assert answer[:12] in {b"HTTP/1.1 413", b""}
    assert place.memory_bytes() - before < GROWN_MAX_BYTES


def test_a_body_nobody_asked_for_is_not_read(place: Attacked) -> None:
    """A call that takes nothing answers at once, and what was still to come is no request."""
    lines = (f"Content-Length: {1 << 40}",)

    answer = place.talk(place.head(ALIVE, *lines) + place.post("in a body"))

    assert statuses(answer) == [200]
    assert "in a body" not in place.names()


CODINGS = ["gzip", "GZIP", "deflate", "br", "identity, gzip", "x"]


@pytest.mark.parametrize("coding", CODINGS)
def test_a_compressed_body_is_refused_by_name(place: Attacked, coding: str) -> None:
    """A few bytes of it can be gigabytes."""
    body = event("compressed")
    lines = (JSON, f"Content-Encoding: {coding}", f"Content-Length: {len(body)}")

    answer = place.talk(place.head(POST, "Connection: close", *lines) + body)

    assert answer.startswith(b"HTTP/1.1 415 ")
    assert b'"code":"content_type"' in answer


def test_half_a_body_is_no_record(place: Attacked) -> None:
    whole = place.post("cut off")
    for part in (1, len(whole) // 2, len(whole) - 1):
        with place.connect() as sock:
            sock.sendall(whole[:part])

    place.be_honest()
    assert "cut off" not in place.names()


def test_a_client_that_says_no_more_is_closed_on_and_may_ask_again(place: Attacked) -> None:
    """Half closed: with or without its answer, the same event sent again is the same entry."""
    name = f"half closed, {place.server.workers}"
    with place.connect() as sock:
        sock.sendall(place.post(name))
        sock.shutdown(socket.SHUT_WR)
        answer = drain(sock)

    again = place.talk(place.post(name, "Connection: close"))

    assert answer == b"" or answer.startswith(b"HTTP/1.1 201 ")
    assert again.startswith(b"HTTP/1.1 20")
    assert place.names().count(name) == 1


def test_a_storm_of_connections_that_are_reset_leaves_nothing(place: Attacked) -> None:
    wait_until("it is quiet", lambda: place.files() < 200)
    files = place.files()
    for number in range(300):
        sock = place.connect()
        # Closing sends a reset: nothing is waited for, nothing is read.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        sock.sendall(place.head(ALIVE)[: number % 60])
        sock.close()

    place.be_honest()
    wait_until("the connections are gone", lambda: place.files() < files + 20)
