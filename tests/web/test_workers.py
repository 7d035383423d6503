"""Worker processes: what they answer, what they hand over, and what their death leaves behind.

Real servers, real sockets, real kills.
"""

import base64
import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from bench.machine import descendants
from counterfoil.app.founding import create_home
from counterfoil.ids import SystemRandomness
from counterfoil.tlog.keys import VerifierKey, parse_vkey
from counterfoil.tlog.policy import Log, Policy
from counterfoil.verifier.receipt import check_receipt
from tests.check_log import check_log
from tests.served_process import ServerProcess, server_process
from tests.web_server import event

BATCH = "application/cloudevents-batch+json"
SOON_S = 20.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serve a ledger with two workers for the tests that break nothing."""
    with serving(tmp_path_factory.mktemp("workers") / "ledger", 2) as server:
        yield server


@contextlib.contextmanager
def serving(directory: Path, workers: int) -> Iterator[ServerProcess]:
    create_home(directory, SystemRandomness())
    with server_process(directory, workers) as server:
        yield server


def vkey_of(server: ServerProcess) -> VerifierKey:
    return parse_vkey((server.directory / "keys" / "default.vkey").read_text("ascii").strip())


def call(
    server: ServerProcess, body: Any, *, connection: http.client.HTTPConnection | None = None,
    method: str = "POST", path: str = "/v1/events", **headers: str,
) -> tuple[int, dict[str, str], Any]:  # fmt: skip
    """Make one call; return status, headers and JSON."""
    made = connection or http.client.HTTPConnection("localhost", server.port, timeout=30)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = BATCH if isinstance(body, list) else "application/json"
    sent = {"Authorization": f"Bearer {server.token}", "Content-Type": kind, **headers}
    with contextlib.nullcontext() if connection else contextlib.closing(made):
        made.request(method, path, data if method == "POST" else None, sent)
        answer = made.getresponse()
        text = answer.read()
    named = {name.lower(): value for name, value in answer.getheaders()}
    return answer.status, named, json.loads(text) if text else None


def check_answer(server: ServerProcess, posted: dict[str, Any], entry: dict[str, Any]) -> None:
    """Judge an answer as its receiver would: by the public key alone."""
    opening = {name: base64.b64decode(key) for name, key in entry["opening"].items()}
    policy = Policy((Log(vkey_of(server)),))
    verdict = check_receipt(entry["receipt"].encode(), policy, posted, opening)
    assert verdict.findings == ()
    assert verdict.index == entry["index"]
    assert not verdict.unopened


def worker_pids(server: ServerProcess) -> list[int]:
    """Return the processes that take events for a server."""
    assert server.process is not None
    return [pid for pid in descendants(server.process.pid) if _runs(pid, "counterfoil.web.worker")]


def _runs(pid: int, module: str) -> bool:
    with contextlib.suppress(OSError):
        return module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def soon(what: Callable[[], bool]) -> bool:
    """Wait until something is so."""
    end = time.monotonic() + SOON_S
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_worker_answers_with_receipts_that_hold(shared: ServerProcess) -> None:
    """Single events and batches, by somebody nobody has seen before and then by the same."""
    for posted in ([event(authid="new:somebody")], [event() for _ in range(70)], [event()]):
        status, headers, answer = call(shared, posted)
        assert status == 201
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        for one, entry in zip(posted, answer["entries"], strict=True):
            assert entry["status"] == "recorded"
            check_answer(shared, one, entry)
    single = event()
    status, _, answer = call(shared, single)
    check_answer(shared, single, answer["entries"][0])


def test_answers_of_workers_carry_what_every_answer_carries(shared: ServerProcess) -> None:
    """The worker writes its heads itself: they must not drift from those of the pages."""
    _, by_worker, _ = call(shared, event())
    _, by_server, _ = call(shared, event(), Cookie="theme=dark")

    assert by_worker.keys() == by_server.keys()
    differ = {name for name in by_worker if by_worker[name] != by_server[name]}
    assert differ <= {"date", "content-length", "x-request-id"}


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        pytest.param({"Authorization": "Bearer wrong"}, 401, "token_invalid", id="a wrong token"),
        pytest.param({"Host": "evil.example"}, 421, "host_refused", id="another host"),
        pytest.param({"path": "/v1/events?project=no"}, 404, "project_unknown", id="no project"),
        pytest.param({"path": "/v1/events?proje=no"}, 400, "query_invalid", id="no parameter"),
        pytest.param({"body": b'{"a":1,"a":2}'}, 400, "json_duplicate_member", id="bad JSON"),
        pytest.param({"body": b"x" * 5_000_000}, 413, "body_too_large", id="too large"),
        pytest.param({"Content-Type": "text/plain"}, 415, "content_type", id="no such type"),
        pytest.param({"path": "/v1/nothing"}, 404, "not_found", id="no such call"),
    ],
)
def test_refusals_are_those_of_the_server_itself(
    shared: ServerProcess, ask: dict[str, Any], status: int, code: str
) -> None:
    body = ask.pop("body", None) or event()

    found, headers, problem = call(shared, body, **ask)

    assert (found, problem["code"]) == (status, code)
    assert headers["content-type"] == "application/problem+json"


def test_one_connection_serves_events_and_everything_else(shared: ServerProcess) -> None:
    connection = http.client.HTTPConnection("localhost", shared.port, timeout=30)
    with contextlib.closing(connection):
        assert call(shared, event(), connection=connection)[0] == 201
        status, _, size = call(shared, None, connection=connection, method="GET", path="/healthz")
        assert (status, size["status"]) == (200, "alive")
        posted = event()
        status, _, answer = call(shared, posted, connection=connection)
        assert status == 201
        check_answer(shared, posted, answer["entries"][0])


def test_requests_sent_ahead_and_in_pieces_are_answered_in_order(shared: ServerProcess) -> None:
    posted = [event() for _ in range(3)]
    raw = b""
    for one in posted:
        body = json.dumps(one).encode()
        raw += (
            f"POST /v1/events HTTP/1.1\r\nHost: localhost:{shared.port}\r\nAuthorization: Bearer "
            f"{shared.token}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "\r\n"
        ).encode() + body
    with socket.create_connection(("localhost", shared.port), timeout=30) as sock:
        for at in range(0, len(raw), 701):
            sock.sendall(raw[at : at + 701])
            time.sleep(0.005)
        received = b""
        while received.count(b"HTTP/1.1 201") < 3:
            data = sock.recv(65536)
            assert data, received
            received += data

    places = [received.index(f'"id":"{one["id"]}"'.encode()) for one in posted]
    assert places == sorted(places)


def test_a_client_that_reads_slowly_gets_every_answer_whole(shared: ServerProcess) -> None:
    """Nobody else gets a connection before its answers are out: what waited here would be lost."""
    posted = [[event() for _ in range(1_000)] for _ in range(4)]
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(60)
        sock.connect(("127.0.0.1", shared.port))
        with ThreadPoolExecutor(1) as pool:
            raw = b"".join(plain_request(shared, json.dumps(one).encode()) for one in posted)
            sending = pool.submit(sock.sendall, raw)
            time.sleep(3)  # longer than a worker keeps a connection on which nothing happens
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            with sock.makefile("rb") as file:
                bodies = [read_answer(file) for _ in posted]
            sending.result()

    assert [[one["id"] for one in body["entries"]] for body in bodies] == [
        [one["id"] for one in batch] for batch in posted
    ]


def read_answer(file: BinaryIO) -> Any:
    """Read one 201 of several on a connection, and return its body."""
    assert file.readline() == b"HTTP/1.1 201 Created\r\n"
    headers = http.client.parse_headers(file)
    return json.loads(file.read(int(headers["content-length"])))


def plain_request(server: ServerProcess, body: bytes) -> bytes:
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: localhost:{server.port}\r\nAuthorization: Bearer "
        f"{server.token}\r\nContent-Type: {BATCH}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def test_a_body_that_stalls_is_refused_like_everywhere(shared: ServerProcess) -> None:
    """A worker does not wait: the process that knows about slow senders has it."""
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: localhost:{shared.port}\r\nAuthorization: Bearer "
        f"{shared.token}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{{"
    )
    with socket.create_connection(("localhost", shared.port), timeout=40) as sock:
        sock.sendall(head.encode())
        answer = b"".join(iter(lambda: sock.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"request_timeout" in answer


@pytest.mark.parametrize("workers", [0, 2], ids=["one process", "two workers"])
def test_64_at_once_with_the_same_event_make_one_entry(tmp_path: Path, workers: int) -> None:
    """Retries race each other; after a restart they still meet the first one."""
    posted = event(id="the one")
    other = {**posted, "data": {"outcome": "failure"}}
    with serving(tmp_path / "ledger", workers) as server:
        with ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(lambda _: call(server, posted), range(64)))
        server.kill()
        server.start()
        answers += [call(server, posted) for _ in range(3)]
        status, _, problem = call(server, other)

        entries = [answer["entries"][0] for _, _, answer in answers]
        assert {answer[0] for answer in answers} == {201}
        assert len({entry["index"] for entry in entries}) == 1
        assert [entry["status"] for entry in entries].count("recorded") == 1
        for entry in entries:
            check_answer(server, posted, entry)
        assert (status, problem["code"]) == (409, "id_conflict")
        assert problem["index"] == entries[0]["index"]


class Senders:
    """Clients that post until stopped and, when nobody answers, send the same event again."""

    def __init__(self, server: ServerProcess, count: int) -> None:
        self.server = server
        self.acknowledged: dict[str, int] = {}
        self.receipts: list[bytes] = []
        self.unanswered = 0
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        while not self._stop.is_set():
            posted = event(id=f"sent-{next(self._numbers)}")
            while not self._stop.is_set():
                try:
                    status, headers, answer = call(self.server, posted)
                except (OSError, http.client.HTTPException):
                    self.unanswered += 1
                    time.sleep(0.01)
                    continue
                if status == 201:
                    entry = answer["entries"][0]
                    self.acknowledged[posted["id"]] = entry["index"]
                    self.receipts.append(entry["receipt"].encode())
                    break
                assert status == 503, (status, answer)
                assert headers["retry-after"]
                self.unanswered += 1

    def wait_for_more(self, count: int) -> None:
        """Wait until so many further events are acknowledged."""
        enough = len(self.acknowledged) + count
        assert soon(lambda: len(self.acknowledged) >= enough)

    def stop(self) -> None:
        """Stop sending and wait."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def _replaced(server: ServerProcess, before: set[int]) -> bool:
    return len(set(worker_pids(server)) - before) == len(before)


def _check_nothing_lost(server: ServerProcess, senders: Senders) -> None:
    found = check_log(server.directory, vkey_of(server), senders.receipts)
    for name, index in senders.acknowledged.items():
        assert found.keys["https://ci.example/acme/shop", name] == index


def test_killed_workers_are_replaced_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    with serving(tmp_path / "ledger", 2) as server:
        senders = Senders(server, 8)
        try:
            for _ in range(3):
                before = set(worker_pids(server))
                senders.wait_for_more(20)
                for pid in before:
                    os.kill(pid, signal.SIGKILL)
                assert soon(partial(_replaced, server, before))
            senders.wait_for_more(20)
        finally:
            senders.stop()
        server.stop()

    assert senders.unanswered > 0
    _check_nothing_lost(server, senders)


def test_when_the_writer_is_killed_its_workers_end_and_nothing_acknowledged_is_lost(
    tmp_path: Path,
) -> None:
    with serving(tmp_path / "ledger", 2) as server:
        senders = Senders(server, 8)
        try:
            senders.wait_for_more(50)
            pids = worker_pids(server)
            server.kill()
            assert soon(lambda: not any(_runs(pid, "counterfoil.web.worker") for pid in pids))
            server.start()
            senders.wait_for_more(20)
        finally:
            senders.stop()
        server.stop()

    _check_nothing_lost(server, senders)


def test_a_server_told_to_stop_answers_what_its_workers_accepted(tmp_path: Path) -> None:
    with serving(tmp_path / "ledger", 2) as server:
        senders = Senders(server, 8)
        try:
            senders.wait_for_more(50)
            pids = worker_pids(server)
            assert server.stop() == 0
        finally:
            senders.stop()

    assert not any(_runs(pid, "counterfoil.web.worker") for pid in pids)
    _check_nothing_lost(server, senders)


def test_tls_and_workers_are_refused_together(tmp_path: Path) -> None:
    """A connection inside TLS cannot be handed to another process."""
    create_home(tmp_path / "ledger", SystemRandomness())
    done = subprocess.run(
        [sys.executable, "-m", "counterfoil", "serve", "--dir", tmp_path / "ledger", "--port", "0",
         "--workers", "1", "--tls-cert", __file__, "--tls-key", __file__],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "--workers" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_worker_loads_nothing_it_does_not_need() -> None:
    """A worker is up before the sender of the first event gives up on it, and small."""
    heavy = {"sqlalchemy", "jinja2", "counterfoil.app.home", "counterfoil.stores.state"}
    found = subprocess.run(
        [sys.executable, "-c", "import counterfoil.web.worker, sys; print(*sys.modules)"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip

    assert "counterfoil.app.desk" in found
    assert not heavy & set(found)


def act(shared: ServerProcess, name: str, given: dict[str, Any]) -> dict[str, Any]:
    status, _, answer = call(shared, given, path=f"/v1/actions/{name}")
    assert status == 200, answer
    found: dict[str, Any] = answer
    return found


def test_a_token_is_let_in_by_workers_and_from_its_revocation_on_by_nobody(
    shared: ServerProcess,
) -> None:
    """Workers let in what they were told; the writer gives back what was told before."""
    for _ in range(5):
        made = act(shared, "token-issue", {"name": "nightly", "projects": ["default"]})
        bearer: Any = {"Authorization": f"Bearer {made['token']}"}
        for _ in range(4):
            assert call(shared, event(), **bearer)[0] == 201
        act(shared, "token-revoke", {"token": made["id"]})
        for _ in range(4):
            status, _, problem = call(shared, event(), **bearer)
            assert (status, problem["code"]) == (401, "token_invalid")


def test_workers_hold_a_token_to_its_sources(shared: ServerProcess) -> None:
    given = {"name": "scoped", "projects": ["default"], "sources": ["urn:mine"]}
    bearer: Any = {"Authorization": f"Bearer {act(shared, 'token-issue', given)['token']}"}

    assert call(shared, event(source="urn:mine:1"), **bearer)[0] == 201
    status, _, problem = call(shared, event(source="urn:theirs"), **bearer)
    assert (status, problem["code"]) == (403, "not_allowed")


def test_workers_leave_approvals_to_whoever_asks_the_policy(shared: ServerProcess) -> None:
    made = act(shared, "token-issue", {"name": "approving", "projects": ["default"]})
    signed = event(type="dev.cdeventsx.counterfoil-approval.signed.0.1.0", subject="approval:x")

    status, _, problem = call(shared, signed, Authorization=f"Bearer {made['token']}")

    assert (status, problem["code"]) == (403, "not_allowed")
