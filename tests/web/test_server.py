"""The server as a process: where it listens, what it writes, how it stops."""

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app.founding import create_home
from counterfoil.app.home import open_home
from counterfoil.clock import SystemClock
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.ids import SystemRandomness
from counterfoil.web.server import bind
from tests.web_server import event, running


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    create_home(tmp_path / "ledger", SystemRandomness())
    return tmp_path / "ledger"


@contextlib.contextmanager
def process(directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run `counterfoil serve` until the block ends, and wait until it listens."""
    command = [sys.executable, "-m", "counterfoil", "serve", "--dir", str(directory)]
    with subprocess.Popen(
        [*command, "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as served:
        try:
            give_up = time.monotonic() + 30
            while not (directory / "server.json").exists():
                assert served.poll() is None, served.stdout and served.stdout.read()
                assert time.monotonic() < give_up, "it never listened"
                time.sleep(0.02)
            yield served
        finally:
            if served.poll() is None:
                served.kill()


def address(directory: Path) -> tuple[str, int]:
    host, _, port = json.loads((directory / "server.json").read_text())["url"][7:].partition(":")
    return host, int(port)


def connect(where: tuple[str, int]) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(where[0], where[1], timeout=10)


def post(directory: Path, connection: http.client.HTTPConnection, **members: object) -> int:
    token = (directory / "admin.token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/events", json.dumps(event(**members)), headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_server_json_says_where_to_whoever_owns_the_directory(directory: Path) -> None:
    with process(directory) as served:
        found = json.loads((directory / "server.json").read_text())
        mode = stat.S_IMODE((directory / "server.json").stat().st_mode)
        host, port = address(directory)

    assert mode == 0o600
    assert found["pid"] == served.pid
    assert found["public_url"] == f"http://localhost:{port}"
    assert host == "127.0.0.1"


def test_a_server_told_to_stop_exports_folds_its_log_and_ends_well(directory: Path) -> None:
    """What operators and systemd do: SIGTERM, exit 0, nothing left behind."""
    with process(directory) as served:
        connection = connect(address(directory))
        with contextlib.closing(connection):
            assert [post(directory, connection) for _ in range(3)] == [201, 201, 201]
        served.send_signal(signal.SIGTERM)
        code = served.wait(30)
        output = served.stdout.read() if served.stdout else ""

    assert code == 0, output
    assert "Traceback" not in output
    assert not (directory / "server.json").exists()
    wal = directory / "ledger.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0
    exported = (directory / "public" / "default" / "checkpoint").read_text()
    assert exported.splitlines()[1] == "3"


def test_a_server_told_to_stop_answers_what_it_has_accepted(directory: Path) -> None:
    """Of all posts in flight, each is answered 201 and stays, or was never accepted."""
    answered: list[str] = []
    stop = threading.Event()

    def producer(name: str) -> None:
        for number in range(10_000):
            if stop.is_set():
                return
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = connect(where)
                with contextlib.closing(connection):
                    if post(directory, connection, id=f"{name}-{number}") == 201:
                        answered.append(f"{name}-{number}")

    with process(directory) as served:
        where = address(directory)
        threads = [threading.Thread(target=producer, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        while len(answered) < 40:
            time.sleep(0.01)
        served.send_signal(signal.SIGTERM)
        assert served.wait(30) == 0
        stop.set()
        for thread in threads:
            thread.join(20)

    exported = (directory / "public" / "default" / "checkpoint").read_text()
    assert int(exported.splitlines()[1]) >= len(answered)
    with open_home(directory, SystemClock(), SystemRandomness()) as home:
        for posted in answered:
            assert home.log.find("default", "https://ci.example/acme/shop", posted) is not None


def test_the_first_start_prints_a_link_that_signs_in(directory: Path) -> None:
    with process(directory) as served:
        served.send_signal(signal.SIGTERM)
        served.wait(30)
        output = served.stdout.read() if served.stdout else ""

    [link] = [word for word in output.split() if "/sign-in?token=" in word]
    assert link.startswith("http://localhost:")


def test_a_port_in_use_is_named_and_nothing_is_written(directory: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "counterfoil", "serve", "--dir", str(directory), "--port", port],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert done.returncode == 4
    assert port in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (directory / "server.json").exists()


def test_binding_twice_is_port_in_use() -> None:
    with (
        contextlib.closing(bind("127.0.0.1", 0)) as first,
        pytest.raises(UnavailableError) as refused,
    ):
        bind("127.0.0.1", first.getsockname()[1])

    assert refused.value.code == "port_in_use"


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid", "a:b", "\u00e9" * 70, "a" * 300])
def test_an_address_of_somebody_else_or_of_nobody_is_refused(host: str) -> None:
    with pytest.raises(RequestError) as refused:
        bind(host, 0)

    assert refused.value.code == "config_invalid"


def test_a_bad_public_url_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as refused, running(tmp_path / "l", public_url="foil.example"):
        pass

    assert refused.value.code == "config_invalid"


def test_it_serves_https_by_itself(directory: Path, tmp_path: Path) -> None:
    """A team without a proxy still gets sessions over the network: `__Host-` cookies, HSTS."""
    key, cert = tmp_path / "tls.key", tmp_path / "tls.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    with process(directory, "--tls-cert", str(cert), "--tls-key", str(key)):
        found = json.loads((directory / "server.json").read_text())
        assert found["public_url"].startswith("https://localhost:")
        port = int(found["public_url"].rpartition(":")[2])
        trusting = ssl.create_default_context(cafile=str(cert))
        connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=trusting)
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()

    assert answer.status == 200
    assert answer.headers["Strict-Transport-Security"]
