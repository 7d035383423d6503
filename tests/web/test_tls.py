"""The certificate a server shows, and another one while it serves."""

import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from counterfoil.app.founding import create_home
from counterfoil.cli.target import open_target
from counterfoil.client.http import BATCH_CONTENT_TYPE, Client
from counterfoil.client.post import post
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.events.event import parse_event
from counterfoil.ids import SystemRandomness
from counterfoil.web.tls import load_pair
from tests.issuer import make_tls
from tests.served_process import START_S, free_port
from tests.web_server import event


def shown(port: int, *, trusting: Path) -> bytes:
    """Return the certificate a server shows to somebody who trusts one."""
    context = ssl.create_default_context(cafile=str(trusting))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        found = secured.getpeercert(binary_form=True)
        assert found
        return found


def pair(folder: Path) -> tuple[Path, Path]:
    """Make a certificate that is its own authority, and its key."""
    folder.mkdir()
    _, certificate = make_tls(folder)
    return certificate, certificate.with_suffix(".key")


def test_a_renewed_certificate_is_shown_after_sighup_and_a_broken_one_never(tmp_path: Path) -> None:
    """A renewal is weekly business of a program: it stops nobody, also where it went wrong."""
    create_home(tmp_path / "ledger", SystemRandomness())
    first, second = pair(tmp_path / "first"), pair(tmp_path / "second")
    chain, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    chain.write_bytes(first[0].read_bytes())
    key.write_bytes(first[1].read_bytes())
    port = free_port()
    command: list[str | Path]
    command = [sys.executable, "-m", "counterfoil", "serve", "--dir", tmp_path / "ledger",
               "--port", str(port), "--tls-cert", chain, "--tls-key", key]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONUNBUFFERED": "1"}) as served:  # fmt: skip
        try:
            wait_for(tmp_path / "ledger" / "server.json")
            before = shown(port, trusting=first[0])
            record(tmp_path / "ledger", "first")
            send_with_a_socket(tmp_path / "ledger")
            refuse_another_certificate(f"https://127.0.0.1:{port}", digest(second[0]))
            chain.write_bytes(second[0].read_bytes())  # its key is still the first one's
            said = hang_up(served)
            assert "cannot be used" in said
            assert "still shown" in said
            assert shown(port, trusting=first[0]) == before
            key.write_bytes(second[1].read_bytes())
            assert "read again" in hang_up(served)
            assert shown(port, trusting=second[0]) != before
            wait_until(lambda: certificate_of(tmp_path / "ledger") == digest(second[0]))
            record(tmp_path / "ledger", "second")
            served.terminate()
            assert served.wait(30) == 0
        finally:
            if served.poll() is None:
                served.kill()


def wait_for(path: Path) -> None:
    end = time.monotonic() + START_S
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.02)


def wait_until(come: Callable[[], bool]) -> None:
    end = time.monotonic() + START_S
    while not come():
        assert time.monotonic() < end
        time.sleep(0.02)


def certificate_of(directory: Path) -> str:
    """Return the SHA-256 that programs on this machine know the server by."""
    found = json.loads((directory / "server.json").read_text())["certificate"]
    assert isinstance(found, str)
    return found


def digest(certificate: Path) -> str:
    """Return the SHA-256 of a certificate in PEM."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()


def record(directory: Path, event_id: str) -> None:
    """Record through the server that holds a directory, as its commands do."""
    with open_target(directory, None, "default") as target:
        assert isinstance(target, Client)
        [entry] = target.record([parse_event(event(id=event_id))])
    assert entry["status"] == "recorded"


def send_with_a_socket(directory: Path) -> None:
    """Post as `counterfoil run` does when its command has ended."""
    found = json.loads((directory / "server.json").read_text())
    token = (directory / "admin.token").read_text().strip()
    status, _ = post(
        found["url"], "/v1/events", {"project": "default"}, json.dumps([event()]).encode(),
        content_type=BATCH_CONTENT_TYPE, token=token, timeout_s=START_S,
        certificate=found["certificate"],
    )  # fmt: skip
    assert status == 201


def refuse_another_certificate(url: str, certificate: str) -> None:
    """Whoever else took the port is told nothing, the token least of all."""
    with pytest.raises(UnavailableError, match="another certificate"):
        Client(url, "token", "default", certificate=certificate).get("/v1/health")
    with pytest.raises(ssl.SSLCertVerificationError, match="another certificate"):
        post(url, "/v1/events", {}, b"[]", content_type=BATCH_CONTENT_TYPE, token="token",
             timeout_s=START_S, certificate=certificate)  # fmt: skip


def hang_up(served: "subprocess.Popen[str]") -> str:
    """Send SIGHUP and return the line the server says about it."""
    served.send_signal(signal.SIGHUP)
    assert served.stderr is not None
    return served.stderr.readline()


def test_a_key_of_another_certificate_is_refused_by_name(tmp_path: Path) -> None:
    (one, _), (_, other) = pair(tmp_path / "one"), pair(tmp_path / "other")

    with pytest.raises(RequestError) as refused:
        load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), one, other)

    assert refused.value.code == "file_unreadable"
    assert str(other) in refused.value.message


def test_an_encrypted_key_is_refused_and_no_terminal_is_asked(tmp_path: Path) -> None:
    """A service that waits for a password on a terminal it has not would hang for ever."""
    certificate, key = pair(tmp_path / "one")
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked],
        check=True, capture_output=True,
    )  # fmt: skip

    with pytest.raises(RequestError) as refused:
        load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, locked)

    assert refused.value.code == "file_unreadable"
