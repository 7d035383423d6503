import pytest

from counterfoil.errors import RequestError
from counterfoil.web.site import make_site


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("https://Foil.Example", "https://foil.example"),
        ("https://foil.example:443", "https://foil.example"),
        ("http://foil.example:80", "http://foil.example"),
        ("https://foil.example:8443", "https://foil.example:8443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_public_url_is_kept_in_one_form(url: str, public: str) -> None:
    assert make_site(url).public_url == public


@pytest.mark.parametrize(
    "url",
    [
        "", "foil.example", "ftp://foil.example", "https://", "https://foil.example/path",
        "https://foil.example?x=1", "https://user@foil.example", "https://foil.example:99999",
        "http://[x", "http://caf\u00e9.example", "http://foil example", 'http://foil"example',
    ],
)  # fmt: skip
def test_what_is_no_public_url_is_refused(url: str) -> None:
    with pytest.raises(RequestError) as refused:
        make_site(url)

    assert refused.value.code == "config_invalid"


def test_a_trusted_proxy_that_is_no_address_is_refused() -> None:
    with pytest.raises(RequestError, match="trusted_proxies"):
        make_site("https://foil.example", ["the-proxy"])


@pytest.mark.parametrize(
    ("url", "can"),
    [
        ("https://foil.example", True),
        ("http://localhost:8000", True),
        ("http://localhost", True),
        ("http://foil.example", False),
        ("http://127.0.0.1:8000", False),
        ("http://localhost.foil.example", False),
    ],
)
def test_sessions_are_for_https_and_localhost(url: str, *, can: bool) -> None:
    """Elsewhere browsers would send the cookie in the clear, and hold no passkey."""
    assert make_site(url).can_sign_in is can


def test_only_https_gives_the_cookie_its_host_prefix() -> None:
    """A browser drops a `__Host-` cookie that is not Secure."""
    assert make_site("https://foil.example").cookie == "__Host-counterfoil"
    assert make_site("http://localhost:8000").cookie == "counterfoil"


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("foil.example", True),
        ("FOIL.example", True),
        ("foil.example:443", True),
        ("foil.example:80", False),
        ("foil.example.attacker.example", False),
        ("attacker.example", False),
        ("", False),
    ],
)
def test_only_the_public_name_is_the_public_name(host: str, *, ours: bool) -> None:
    assert make_site("https://foil.example").is_public(host) is ours


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:8000", True),
        ("localhost:8000", True),
        ("[::1]:8000", True),
        ("127.0.0.1:8001", False),
        ("127.0.0.1", False),
        ("localhost.attacker.example:8000", False),
        ("127.0.0.1.attacker.example:8000", False),
        ("attacker.example:8000", False),
    ],
)
def test_loopback_names_count_at_the_port_they_came_in_at(host: str, *, local: bool) -> None:
    assert make_site("https://foil.example").is_loopback(host, 8000) is local


def test_a_proxy_is_trusted_by_its_address() -> None:
    site = make_site("https://foil.example", ["10.0.0.0/8", "::1"])

    assert site.trusts("10.1.2.3")
    assert site.trusts("::1")
    assert not site.trusts("192.0.2.1")
    assert not site.trusts("")
