"""Clients that come and ask for nothing, ask slowly, or do not take what they asked for."""

import contextlib
import hashlib
import resource
import selectors
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.web import crowd, protocol
from counterfoil.web.crowd import Crowd, connections_max
from tests.hostile import PATIENCE_S, Attacked, attacked, drain, wait_until
from tests.web_server import Running

ALIVE = "GET /healthz HTTP/1.1"
GROWN_MAX_BYTES = 64 << 20
CONTENT_BYTES = 32 << 20
PLACES = pytest.mark.parametrize("workers", [0, 1], ids=["one process", "a worker"])


@pytest.fixture(autouse=True)
def _enough_files() -> Iterator[None]:
    """The attacker needs descriptors too."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], min(4096, before[1])), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module", params=[0, 1], ids=["one process", "a worker"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Attacked]:
    directory = tmp_path_factory.mktemp("hostile") / "ledger"
    with attacked(directory, workers=request.param) as running:
        running.be_honest()
        yield running


@contextlib.contextmanager
def many(place: Attacked, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open connections and leave them."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            opened.append(stack.enter_context(place.connect()))
            with contextlib.suppress(ConnectionError):
                opened[-1].sendall(sent)
        yield opened


def test_a_thousand_connections_that_were_left_cost_a_descriptor_each_and_no_service(
    place: Attacked,
) -> None:
    wait_until("it is quiet", lambda: place.files() < 200)
    memory_bytes = place.memory_bytes()
    with many(place, 500), many(place, 500, b"POST /v1/events HTTP/1.1\r\nHost: loc"):
        wait_until("all of them are held", lambda: place.files() >= 1_000)
        for _ in range(3):
            place.be_honest()
        held = place.files()
        grown_bytes = place.memory_bytes() - memory_bytes

    assert held < 1_200
    assert grown_bytes < GROWN_MAX_BYTES
    wait_until("they are let go of", lambda: place.files() < 200)


@PLACES
def test_with_few_descriptors_who_kept_us_waiting_longest_goes(
    tmp_path: Path, workers: int
) -> None:
    """More connections than the process may have files: entries are written all the same."""
    with (
        attacked(tmp_path / "ledger", workers=workers, files=400) as place,
        many(place, 300) as silent,
        many(place, 300, b"GET /v1/li") as half,
    ):
        for _ in range(3):
            place.be_honest()
        assert place.files() < 400 * (1 + workers)
        most = 600 - connections_at(400) - 50
        wait_until("most are let go of", lambda: sum(map(is_closed, [*silent, *half])) > most)


BEGUN = (
    "POST /v1/token/exchange HTTP/1.1", "Content-Type: application/x-www-form-urlencoded",
    "DPoP: x", "Content-Length: 100",
)  # fmt: skip


@PLACES
def test_who_begins_a_body_and_leaves_it_keeps_nobody_out(tmp_path: Path, workers: int) -> None:
    """Strangers, more than there are places; and while they come an honest upload goes on."""
    content = bytes(range(256)) * (4 << 12)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    length = f"Content-Length: {len(content)}"
    with attacked(tmp_path / "ledger", workers=workers, files=400) as place:
        begun = place.head(*BEGUN, token=False) + b"{"
        with many(place, 300, begun):
            place.be_honest()
            with place.connect() as sock, contextlib.ExitStack() as stack:
                sock.sendall(place.head(f"PUT /v1/blobs/{digest} HTTP/1.1", length))
                for at in range(0, len(content), 512 << 10):
                    sock.sendall(content[at : at + (512 << 10)])
                    stack.enter_context(many(place, 40, begun))
                    # Whoever is answered came after those: they have been let in by now.
                    assert place.talk(place.head(ALIVE, "Connection: close"))
                answered = sock.recv(1 << 16)
            place.be_honest()

    assert answered.startswith(b"HTTP/1.1 201 ")


def test_strangers_from_one_place_do_not_push_out_who_comes_from_elsewhere(tmp_path: Path) -> None:
    """It has kept us waiting longer than any of them, and is not the one that is too many."""
    with attacked(tmp_path / "ledger", files=400) as place, socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.2", 0))
        elsewhere.settimeout(PATIENCE_S)
        elsewhere.connect(("127.0.0.1", place.server.port))
        with many(place, 300, place.head(*BEGUN, token=False) + b"{"):
            place.be_honest()
            elsewhere.sendall(place.head(ALIVE, "Connection: close"))
            answered = drain(elsewhere)

    assert answered.startswith(b"HTTP/1.1 200 ")


def connections_at(files: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    try:
        return connections_max()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_closed(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_who_takes_no_answer_keeps_nobody_from_theirs(place: Attacked) -> None:
    """Large downloads and streams that are opened and never read."""
    content = bytes(range(256)) * (CONTENT_BYTES // 256)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    sending = urllib.request.Request(
        f"{place.server.url}/v1/blobs/{digest}", content, place.token(), method="PUT"
    )
    with urllib.request.urlopen(sending) as kept:
        assert kept.status == 201
    place.be_honest()
    before = place.memory_bytes()
    asked = place.head(f"GET /v1/blobs/{digest} HTTP/1.1")
    followed = place.head("GET /v1/live HTTP/1.1", "Last-Event-ID: -1")
    with contextlib.ExitStack() as stack:
        for request in [asked] * 4 + [followed] * 20:
            sock = stack.enter_context(place.connect(window_bytes=4096))
            sock.sendall(request)
        for _ in range(3):
            place.be_honest()
        grown_bytes = place.memory_bytes() - before
        # One of them reads on after all, and gets all of it.
        with place.connect(window_bytes=1 << 20) as sock:
            sock.sendall(place.head(f"GET /v1/blobs/{digest} HTTP/1.1", "Connection: close"))
            received = drain(sock)

    assert received.partition(b"\r\n\r\n")[2] == content
    assert grown_bytes < GROWN_MAX_BYTES


def test_who_asks_a_byte_at_a_time_keeps_nobody_from_asking(place: Attacked) -> None:
    """Heads and bodies that drip, a hundred at once: what is not whole is no record."""
    place.be_honest()
    before = place.memory_bytes()
    body = place.post("dripped")
    dripping = [(place.connect(), place.head(ALIVE)) for _ in range(50)]
    dripping += [(place.connect(), body) for _ in range(50)]
    begun = len(body.partition(b"\r\n\r\n")[0]) + 10
    for step in range(8):
        for sock, sent in dripping:
            at = step if sent is not body or not step else begun + step
            with contextlib.suppress(ConnectionError):
                sock.sendall(sent[:begun] if at == begun + 1 else sent[at : at + 1])
        place.be_honest()
    assert place.memory_bytes() - before < GROWN_MAX_BYTES
    for sock, _ in dripping:
        sock.close()
    place.be_honest()
    assert "dripped" not in place.names()


# How long each of them is waited for: in this process, where the times can be made short.


def test_a_head_that_drips_is_cut_off(web: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte is in time; the head is not."""
    monkeypatch.setattr(protocol.BoundedProtocol, "headers_timeout_s", 0.5)

    assert drip(web, b"", b"GET /healthz HTTP/1.1\r\nX-One: " + b"x" * 10_000) == b""


def test_empty_lines_keep_no_connection_open(web: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """They come before a request and begin none, so nothing else has its clock running."""
    monkeypatch.setattr(protocol, "KEEP_ALIVE_S", 0.5)
    first = f"GET /healthz HTTP/1.1\r\nHost: {web.host}\r\n\r\n".encode()

    assert drip(web, first, b"\r\n" * 5_000).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_is_not_taken_is_given_up(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "UNREAD_TIMEOUT_S", 1)
    name = web.home.recorder.put_blob(bytes(16 << 20), "large.bin", "application/octet-stream")
    asked = (
        f"GET /v1/blobs/{name.digest} HTTP/1.1\r\nHost: {web.host}\r\n"
        f"Authorization: Bearer {web.token}\r\n\r\n"
    )
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", web.port))
        here = sock.getsockname()[1]
        sock.sendall(asked.encode())
        wait_until("the answer waits", lambda: connected_to(web.port, here))
        wait_until("it is given up", lambda: not connected_to(web.port, here))
        sock.settimeout(20)

        assert len(drain(sock)) < 16 << 20


def connected_to(port: int, other: int) -> bool:
    """Whether the server's end of a connection of this machine still stands."""
    lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    ends = [line.split()[1:4] for line in lines]
    return any(
        (local[-4:], remote[-4:], state) == (f"{port:04X}", f"{other:04X}", "01")
        for local, remote, state in ends
    )


def drip(web: Running, first: bytes, then: bytes) -> bytes:
    """Send something, then a byte now and then; return what came until the server closed."""
    received = b""
    with (
        socket.create_connection(("127.0.0.1", web.port), timeout=20) as sock,
        selectors.DefaultSelector() as selector,
    ):
        selector.register(sock, selectors.EVENT_READ)
        sock.sendall(first)
        for byte in then:
            try:
                sock.sendall(bytes([byte]))
                while selector.select(0.01):
                    part = sock.recv(65_536)
                    if not part:
                        return received
                    received += part
            except ConnectionError:
                return received
    pytest.fail("it is listened to for ever")


# Who is let go of.

HERE, THERE = "192.0.2.1", "198.51.100.2"


class Left:
    """A connection that notes when it was let go of."""

    def __init__(self, gone: "list[Left]") -> None:
        self._gone = gone

    def let_go(self) -> None:
        """Note it."""
        self._gone.append(self)


def test_who_has_waited_longest_and_is_not_at_work_is_let_go_of() -> None:
    gone: list[Left] = []
    first, second, third, fourth = (Left(gone) for _ in range(4))
    held = Crowd(3)
    for one in (first, second, third):
        held.join(one, HERE)
    held.work_for(first)

    held.join(fourth, HERE)

    assert gone == [second]
    assert len(held) == 3


def test_where_everybody_is_at_work_the_one_that_comes_is_let_go_of() -> None:
    gone: list[Left] = []
    first, second = Left(gone), Left(gone)
    held = Crowd(1)
    held.join(first, HERE)
    held.work_for(first)

    held.join(second, HERE)

    assert gone == [second]


def test_who_is_heard_from_has_not_waited_before() -> None:
    """An upload that goes on is not the first to go."""
    gone: list[Left] = []
    first, second, third = (Left(gone) for _ in range(3))
    held = Crowd(2)
    held.join(first, HERE)
    held.join(second, HERE)
    held.heard_from(first)

    held.join(third, HERE)

    assert gone == [second]


def test_who_is_heard_from_at_work_stays_at_work() -> None:
    gone: list[Left] = []
    first, second = Left(gone), Left(gone)
    held = Crowd(1)
    held.join(first, HERE)
    held.work_for(first)
    held.heard_from(first)

    held.join(second, HERE)

    assert gone == [second]


@pytest.mark.parametrize(
    ("many", "one"),
    [
        (["192.0.2.1"] * 3, "192.0.2.2"),
        (["2001:db8::1", "2001:db8::2:0:0:1", "2001:db8::3"], "2001:db8:1::1"),
        (["::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"], "::ffff:192.0.2.2"),
    ],
    ids=["an address", "a network of IPv6", "an address, IPv4 inside IPv6"],
)
def test_where_one_place_holds_more_than_half_it_gives_way(many: list[str], one: str) -> None:
    gone: list[Left] = []
    first, second, third, fourth, last = (Left(gone) for _ in range(5))
    held = Crowd(4)
    held.join(first, one)
    for member, address in zip((second, third, fourth), many, strict=True):
        held.join(member, address)
    held.work_for(second)

    held.join(last, one)

    assert gone == [third]


def test_where_nobody_holds_more_than_half_who_waited_longest_gives_way() -> None:
    gone: list[Left] = []
    first, second, third, fourth, last = (Left(gone) for _ in range(5))
    held = Crowd(3)
    for member in (first, second, third):
        held.join(member, HERE)
    held.leave(second)
    held.leave(third)
    held.join(fourth, THERE)
    held.join(second, THERE)

    held.join(last, HERE)

    assert gone == [first]


def test_where_all_of_the_largest_are_at_work_who_waited_longest_gives_way() -> None:
    gone: list[Left] = []
    first, second, third, last = (Left(gone) for _ in range(4))
    held = Crowd(3)
    held.join(first, THERE)
    for member in (second, third):
        held.join(member, HERE)
        held.work_for(member)

    held.join(last, THERE)

    assert gone == [first]


def test_who_keeps_us_waiting_again_has_not_waited_before() -> None:
    gone: list[Left] = []
    first, second, third = (Left(gone) for _ in range(3))
    held = Crowd(2)
    held.join(first, HERE)
    held.join(second, HERE)
    held.work_for(first)
    held.wait_for(first)
    held.wait_for(second)

    held.join(third, HERE)

    assert gone == [second]


def test_who_has_left_keeps_nobody_waiting() -> None:
    gone: list[Left] = []
    first, second = Left(gone), Left(gone)
    held = Crowd(1)
    held.join(first, HERE)
    held.leave(first)
    held.wait_for(first)

    held.join(second, HERE)

    assert gone == []
    assert len(held) == 1
