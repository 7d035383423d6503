"""Documents are got from the address of the settings, and from nowhere it might lead."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app.outbound import NotFetchedError, fetch, may_ask
from tests.issuer import DESCRIPTION, Issuer, failing, issuing, make_tls, redirecting, send


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing(Issuer()) as running:
        yield running


def get(url: str, *, private: bool = True, limit_bytes: int = 10_000) -> bytes:
    return fetch(url, private=private, limit_bytes=limit_bytes, timeout_s=2.0)


def refusal(url: str, *, private: bool = True, limit_bytes: int = 10_000) -> str:
    with pytest.raises(NotFetchedError) as refused:
        get(url, private=private, limit_bytes=limit_bytes)
    return str(refused.value)


def test_a_document_comes_whole(issuer: Issuer) -> None:
    assert issuer.url.encode() in get(issuer.url + DESCRIPTION)


def test_a_redirect_is_not_followed(issuer: Issuer) -> None:
    issuer.instead["/away"] = redirecting(issuer.url + DESCRIPTION)

    assert "answered 302 (redirects are not followed)" in refusal(issuer.url + "/away")
    assert issuer.asked == ["/away"]


@pytest.mark.parametrize("status", [204, 404, 500])
def test_only_a_good_answer_is_a_document(issuer: Issuer, status: int) -> None:
    issuer.instead["/x"] = failing(status)

    assert f"answered {status}" in refusal(issuer.url + "/x")


def test_a_document_over_the_limit_is_not_read_to_its_end(issuer: Issuer) -> None:
    issuer.instead["/x"] = lambda handler: send(handler, b"x" * 1001)

    assert "over 1000 bytes" in refusal(issuer.url + "/x", limit_bytes=1000)
    assert get(issuer.url + "/x", limit_bytes=1001) == b"x" * 1001


def test_half_a_document_is_none(issuer: Issuer) -> None:
    def half(handler: object) -> None:
        assert hasattr(handler, "wfile")
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\nhalf")

    issuer.instead["/x"] = half

    assert refusal(issuer.url + "/x")


def test_whoever_dribbles_is_hung_up_on(issuer: Issuer) -> None:
    """A byte now and then keeps a socket's own time-out away for ever."""
    issuer.instead["/x"] = issuer.slow
    begun = time.monotonic()
    with pytest.raises(NotFetchedError):
        fetch(issuer.url + "/x", private=True, limit_bytes=10_000, timeout_s=0.3)

    assert time.monotonic() - begun < 5


def test_nobody_there_is_said() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]

        assert str(port) in refusal(f"http://localhost:{port}/x")


def test_a_name_nobody_has_is_said() -> None:
    assert "nobody.invalid" in refusal("https://nobody.invalid/x")


def test_tls_is_for_the_name_that_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, right_file = make_tls(tmp_path)
    wrong, wrong_file = make_tls(tmp_path, "elsewhere.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(right_file))
    with issuing(Issuer(tls=right)) as issuer:
        assert issuer.url.encode() in get(issuer.url + DESCRIPTION)
    monkeypatch.setenv("SSL_CERT_FILE", str(wrong_file))
    with issuing(Issuer(tls=wrong)) as issuer:
        assert "certificate" in refusal(issuer.url + DESCRIPTION)


def test_tls_by_nobody_known_is_refused(tmp_path: Path) -> None:
    with issuing(Issuer(tls=make_tls(tmp_path)[0])) as issuer:
        assert "certificate" in refusal(issuer.url + DESCRIPTION)


# Where it may lead.


def test_this_machine_is_asked_only_where_the_settings_say_so(issuer: Issuer) -> None:
    assert "no public address" in refusal(issuer.url + DESCRIPTION, private=False)
    assert issuer.asked == []


def test_without_tls_only_this_machine_is_asked() -> None:
    assert "not https" in refusal("http://issuer.example/x")


def test_a_name_that_leads_elsewhere_is_not_followed_there(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: `localhost` is answered with another machine."""
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_args, **_more: [(socket.AF_INET, 1, 6, "", ("10.0.0.9", 80))],
    )

    assert "only this machine" in refusal(issuer.url + DESCRIPTION)


def test_one_bad_address_of_several_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, 1, 6, "", (one, 443)) for one in ("192.0.32.7", "169.254.169.254")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)

    assert "169.254.169.254" in refusal("https://issuer.example/x")


NOT_ADDRESSES = [
    "",
    "file:///etc/passwd",
    "ftp://x/y",
    "https://",
    "https://a b/",
    "//x",
    "https://x:0/",
]


@pytest.mark.parametrize("url", NOT_ADDRESSES)
def test_what_is_no_http_address_is_refused(url: str) -> None:
    assert refusal(url)


WHERE = {
    "public": ("140.82.121.4", True, True),
    "public, IPv6": ("2606:50c0:8000::153", True, True),
    "private": ("10.1.2.3", False, True),
    "private, IPv6": ("fd12::1", False, True),
    "loopback": ("127.0.0.1", False, True),
    "loopback, IPv6": ("::1", False, True),
    "loopback as IPv6": ("::ffff:127.0.0.1", False, True),
    "link-local: a cloud's credentials": ("169.254.169.254", False, False),
    "link-local, IPv6": ("fe80::1%eth0", False, False),
    "link-local as IPv6": ("::ffff:169.254.169.254", False, False),
    "everywhere": ("0.0.0.0", False, False),  # noqa: S104  not bound to
    "everywhere, IPv6": ("::", False, False),
    "multicast": ("224.0.0.1", False, False),
    "shared by a provider": ("100.64.0.1", False, True),
}


@pytest.mark.parametrize(("address", "public", "private"), WHERE.values(), ids=WHERE.keys())
def test_an_address_is_asked_by_where_it_is(address: str, public: bool, private: bool) -> None:
    assert may_ask(address, private=False) is public
    assert may_ask(address, private=True) is private
