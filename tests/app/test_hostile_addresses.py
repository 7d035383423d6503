"""Every address somebody sets or names, against everything the server behind it may do."""

import gzip
import http.server
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from counterfoil.app import jwks, oidc_issuer, outbound, timestamps
from counterfoil.app.jwks import KeyBook
from counterfoil.app.outbound import NotFetchedError, ask, may_ask
from counterfoil.app.timestamps import Timestamps
from counterfoil.client import evidence_http
from counterfoil.client.address import plain_address
from counterfoil.client.evidence_http import HttpLog
from counterfoil.clock import SystemClock
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.tlog.note_text import parse_note
from tests.issuer import Issuer, Respond, failing, issuing, redirecting, send

IN_TIME_S = 0.3
PATIENCE_S = 20.0
DOCUMENT = "/.well-known/openid-configuration"
STAMPED = (
    b"counterfoil.example/default\n1\n" + b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    b"\n\xe2\x80\x94 counterfoil.example/default AAAAAAAA\n"
)


def _witness(url: str, _folder: Path) -> None:
    answer = outbound.ask_witness(url, b"", IN_TIME_S)
    if answer.status != 200 or not answer.body.startswith(b"\xe2"):
        raise NotFetchedError("no cosignature")


def _authority(url: str, folder: Path) -> None:
    Timestamps(folder, url).stamp(STAMPED)


def _provider(url: str, _folder: Path) -> None:
    oidc_issuer.Issuer(url, SystemClock()).metadata()


def _token_endpoint(url: str, _folder: Path) -> None:
    answer = ask("POST", url, b"code=x", {}, private=True, timeout_s=IN_TIME_S)
    if answer.status != 200 or not answer.body.startswith(b"\xe2"):
        raise NotFetchedError("no token")


def _ci(url: str, _folder: Path) -> None:
    KeyBook().key(url, "one", private=True)


def _log(url: str, _folder: Path) -> None:
    parse_note(HttpLog(url, IN_TIME_S).checkpoint() or b"")


KINDS: dict[str, tuple[Callable[[str, Path], None], str]] = {
    "a witness": (_witness, "/add-checkpoint"),
    "an authority for time stamps": (_authority, "/"),
    "a sign-in provider": (_provider, DOCUMENT),
    "a provider's token endpoint": (_token_endpoint, "/"),
    "a CI that issues tokens": (_ci, DOCUMENT),
    "a log that is verified": (_log, "/checkpoint"),
}


def _endless(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    assert isinstance(handler.server, Issuer)
    while not handler.server.ended.is_set():
        handler.wfile.write(b"x" * 65_536)


def _endless_head(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.0 200 OK\r\n")
    for number in range(100_000):
        handler.wfile.write(b"X-%d: %s\r\n" % (number, b"y" * 1_000))


def _endless_continue(handler: http.server.BaseHTTPRequestHandler) -> None:
    for _ in range(1_000_000):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _dripping_head(handler: http.server.BaseHTTPRequestHandler) -> None:
    assert isinstance(handler.server, Issuer)
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
    while not handler.server.ended.is_set():
        handler.wfile.write(b"x")
        time.sleep(0.02)


def _dripping(handler: http.server.BaseHTTPRequestHandler) -> None:
    assert isinstance(handler.server, Issuer)
    handler.server.slow(handler)


def _silent(handler: http.server.BaseHTTPRequestHandler) -> None:
    assert isinstance(handler.server, Issuer)
    handler.server.ended.wait(PATIENCE_S)


def _half(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 900\r\n\r\nhalf")


_BOMB = gzip.compress(bytes(64 << 20))


def _bomb(handler: http.server.BaseHTTPRequestHandler) -> None:
    packed = _BOMB
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(packed)))
    handler.end_headers()
    handler.wfile.write(packed)


def _other(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")


ANSWERS: dict[str, Respond] = {
    "leads to a file": redirecting("file:///etc/passwd"),
    "leads to another protocol": redirecting("gopher://127.0.0.1:6379/_FLUSHALL"),
    "leads to a cloud's credentials": redirecting("http://169.254.169.254/latest/meta-data/"),
    "leads to another user": redirecting("http://user:secret@localhost/"),
    "is nowhere": failing(404),
    "fails": failing(500),
    "never ends": _endless,
    "never ends its head": _endless_head,
    "asks to go on without end": _endless_continue,
    "drips": _dripping,
    "drips its head": _dripping_head,
    "says nothing": _silent,
    "says half of it": _half,
    "unpacks to gigabytes": _bomb,
    "speaks another language": _other,
    "says something else": lambda handler: send(handler, b"<html>"),
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    monkeypatch.setattr(timestamps, "TIMEOUT_S", IN_TIME_S)
    monkeypatch.setattr(oidc_issuer, "TIMEOUT_S", IN_TIME_S)
    monkeypatch.setattr(jwks, "FETCH_TIMEOUT_S", IN_TIME_S)
    monkeypatch.setattr(evidence_http, "RESPONSE_MAX_S", IN_TIME_S)
    with issuing(Issuer()) as running:
        yield running


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize(("kind", "path"), KINDS.values(), ids=KINDS.keys())
def test_whatever_an_address_answers_it_is_asked_alone_and_in_time(
    server: Issuer,
    tmp_path: Path,
    kind: Callable[[str, Path], None],
    path: str,
    answer: Respond,
) -> None:
    """One named error; nobody else is asked, nothing is kept, and it costs little."""
    server.instead[path] = answer
    begun_s = time.monotonic()
    with pytest.raises((CounterfoilError, NotFetchedError)) as refused:
        kind(
            server.url
            + path.removesuffix("/checkpoint")
            .removesuffix("/add-checkpoint")
            .removesuffix(DOCUMENT),
            tmp_path,
        )

    assert "\n" not in str(refused.value)
    assert time.monotonic() - begun_s < PATIENCE_S
    assert set(server.asked) == {path}
    assert list(tmp_path.rglob("*.tsr")) == []


@pytest.mark.parametrize("kind", [one for one, _ in KINDS.values()], ids=KINDS.keys())
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL", "unix:///run/docker.sock",
        "http+unix://%2frun%2fdocker.sock/info", "ftp://localhost/x", "localhost:80/x", "//localhost/x",
        "http://localhost:0/x", "http://localhost:99999/x", "http://[::1/x", "http://local host/x",
        "http://localhost/x\r\nHost: other",
    ],
)  # fmt: skip
def test_what_is_no_http_address_is_not_asked(
    tmp_path: Path, kind: Callable[[str, Path], None], url: str
) -> None:
    with pytest.raises((CounterfoilError, NotFetchedError)):
        kind(url, tmp_path)


@pytest.mark.parametrize("kind", [one for one, _ in KINDS.values()], ids=KINDS.keys())
def test_an_address_that_names_a_user_is_not_asked(
    server: Issuer, tmp_path: Path, kind: Callable[[str, Path], None]
) -> None:
    """What stands before the @ may be a password, and addresses stand in messages."""
    with pytest.raises((CounterfoilError, NotFetchedError)) as refused:
        kind(server.url.replace("//", "//user:secret-word@"), tmp_path)

    assert server.asked == []
    if kind in {_witness, _authority, _token_endpoint}:  # of the others the settings refuse it
        assert "secret-word" not in str(refused.value)


def test_what_the_settings_refuse_does_not_repeat_a_password() -> None:
    with pytest.raises(RequestError) as refused:
        plain_address("https://user:secret-word@tsa.example/")

    assert "secret-word" not in refused.value.message


SERVER_KINDS = {name: one for name, one in KINDS.items() if one[0] is not _log}

SURROUNDINGS = {
    "link-local": "169.254.169.254",
    "link-local inside IPv6": "::ffff:169.254.169.254",
    "link-local, old form inside IPv6": "::169.254.169.254",
    "link-local behind NAT64": "64:ff9b::a9fe:a9fe",
    "link-local behind 6to4": "2002:a9fe:a9fe::1",
    "Amazon's, IPv6": "fd00:ec2::254",
    "Google's, IPv6": "fd20:ce::254",
    "Alibaba's": "100.100.100.200",
    "Oracle's": "192.0.0.192",
    "Azure's, which is a public address": "168.63.129.16",
    "nowhere": "0.0.0.0",  # noqa: S104  not bound to
    "everybody": "224.0.0.1",
    "everybody, broadcast": "255.255.255.255",
}


@pytest.mark.parametrize("address", SURROUNDINGS.values(), ids=SURROUNDINGS.keys())
@pytest.mark.parametrize("kind", [one for one, _ in SERVER_KINDS.values()], ids=SERVER_KINDS.keys())
def test_a_name_that_leads_to_the_machines_surroundings_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: Callable[[str, Path], None],
    address: str,
) -> None:
    """Even where the settings name it: what answers there answers to this machine's rights."""
    tried: list[object] = []
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_args, **_more: [(family, 1, 6, "", (address, 443))]
    )
    monkeypatch.setattr(socket.socket, "connect", lambda _self, place: tried.append(place))

    with pytest.raises((CounterfoilError, NotFetchedError)) as refused:
        kind("https://meta.example", tmp_path)

    assert address in str(refused.value)
    assert tried == []


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[::1]"]
)
def test_this_machine_in_other_letters_is_this_machine(host: str) -> None:
    """However it is written, what counts is where it leads."""
    with pytest.raises(NotFetchedError, match="no public address"):
        ask("GET", f"https://{host}/x", None, {}, private=False, timeout_s=IN_TIME_S)


def test_a_name_is_looked_up_once(server: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the second answer, which would be connected to, is never asked for."""
    looked_up = socket.getaddrinfo
    port = server.server_address[1]
    asked: list[str] = []

    def rebinding(host: str, *args: object, **more: object) -> object:
        asked.append(host)
        if len(asked) > 1:
            return [(socket.AF_INET, 1, 6, "", ("169.254.169.254", port))]
        return looked_up("127.0.0.1", *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    server.instead["/x"] = lambda handler: send(handler, b"here")

    answer = ask("GET", server.url + "/x", None, {}, private=True, timeout_s=5.0)

    assert (answer.body, answer.address, asked) == (b"here", "127.0.0.1", ["localhost"])


def test_a_public_provider_names_no_private_address(
    server: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings let it say where its keys are, not have us ask what only we can reach."""
    server.instead[DOCUMENT] = lambda handler: send(
        handler,
        b'{"issuer":"%b","authorization_endpoint":"%b/a","token_endpoint":"%b/t",'
        b'"jwks_uri":"https://10.0.0.5/keys"}' % ((server.url.encode(),) * 3),
    )
    issuer = oidc_issuer.Issuer(server.url, SystemClock())
    issuer.metadata()
    assert issuer.private

    monkeypatch.setattr(oidc_issuer, "may_ask", lambda *_args, **_more: True)
    outside = oidc_issuer.Issuer(server.url, SystemClock())
    with pytest.raises(CounterfoilError, match=r"10\.0\.0\.5: not asked"):
        outside.key("one")
    assert not outside.private


def test_what_is_written_in_ipv6_is_judged_by_the_address_inside() -> None:
    assert may_ask("64:ff9b::8c52:7904", private=False)
    assert not may_ask("64:ff9b::a00:1", private=False)
    assert may_ask("64:ff9b::a00:1", private=True)
    assert may_ask("::1", private=True)


@pytest.mark.parametrize("address", ["100.64.0.1", "100.127.255.254", "::ffff:100.64.0.1"])
def test_a_network_between_private_and_public_counts_as_private(address: str) -> None:
    """Overlay networks and carriers use 100.64.0.0/10; to `ipaddress` it is neither."""
    assert may_ask(address, private=True)
    assert not may_ask(address, private=False)
    assert not may_ask("100.100.100.200", private=True)
