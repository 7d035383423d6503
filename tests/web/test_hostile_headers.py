"""Headers that say what is not so, and values that would like to be headers or markup."""

import gzip
import html.parser
import json
import socket
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app import signin
from tests.web_server import Reply, Running, event, running

FORM = "application/x-www-form-urlencoded"
PROGRAMS = ["/v1/runs", "/healthz", "/log/default/checkpoint", "/openapi.json"]
PAGES = ["/", "/runs", "/search?q=x", "/sign-in", "/docs", "/nothing"]


@pytest.fixture(scope="module")
def cookie(web: Running) -> str:
    home = web.home
    address = signin.make_link(home.state, home.clock, home.randomness, f"http://{web.host}")
    query = urllib.parse.urlsplit(address).query.encode()
    reply = web.call("POST", "/sign-in", query, {"Content-Type": FORM}, token=None)
    return reply.headers["set-cookie"].partition(";")[0]


def page(web: Running, path: str, cookie: str, **headers: str) -> Reply:
    return web.call("GET", path, headers={"Cookie": cookie, **headers}, token=None)


# Who the server is.

FORWARDED = {
    "X-Forwarded-Host": "attacker.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Server": "attacker.example",
    "X-Forwarded-Prefix": "/attacker",
    "X-Host": "attacker.example",
    "X-Original-URL": "/admin",
    "X-Rewrite-URL": "/admin",
    "X-Real-IP": "127.0.0.1",
    "Forwarded": "for=127.0.0.1;host=attacker.example;proto=https",
    "Via": "1.1 attacker.example",
    "True-Client-IP": "127.0.0.1",
}


@pytest.mark.parametrize("path", [*PROGRAMS, *PAGES])
def test_nobody_but_a_trusted_proxy_says_what_was_asked_for(web: Running, path: str) -> None:
    """Links, redirects and where a request came from are made of what we know ourselves."""
    plain = web.get(path)

    told = web.get(path, **FORWARDED)

    assert told.status == plain.status
    assert told.headers.get("location") == plain.headers.get("location")
    assert b"attacker" not in told.body
    assert "attacker" not in json.dumps(told.headers)


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example", "localhost", "localhost:0", "localhost:99999", "localhost:80:80",
        "localhost.attacker.example", "attacker.example@localhost", "localhost#attacker.example",
        "localhost/attacker", "[::1", "localhost,attacker.example", "localhost attacker.example",
        "127.1", "0", "2130706433", "xn--lcalhost-e1a", "LOCALHOST.", "*",
    ],
)  # fmt: skip
def test_a_host_that_is_not_ours_is_named_in_no_answer(web: Running, host: str) -> None:
    refused = web.get("/v1/runs", Host=host)

    assert (refused.status, refused.code) == (421, "host_refused")
    assert "location" not in refused.headers
    assert b"attacker" not in refused.body


# What is asked.


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_method_is_what_the_request_line_says(web: Running, name: str) -> None:
    before = web.size()

    answer = web.call("GET", "/v1/events", headers={name: "POST"})
    query = web.call("GET", "/v1/runs?_method=DELETE")

    assert (answer.status, answer.code) == (405, "method")
    assert query.status == 400
    assert web.size() == before


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "DELETE", "PATCH", "PROPFIND", "LINK"])
@pytest.mark.parametrize("path", ["/v1/runs", "/healthz", "/", "/sign-in", "/static/x", "/docs"])
def test_other_methods_do_nothing_and_repeat_nothing(web: Running, method: str, path: str) -> None:
    """TRACE would tell a script the cookie it may not read; OPTIONS would let pages elsewhere in."""
    answer = web.call(method, path, headers={"Cookie": "counterfoil=secret-cookie"})

    assert answer.status in {404, 405}
    assert b"secret-cookie" not in answer.body
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("path", [*PROGRAMS, "/sign-in", "/docs", "/v1/nothing"])
def test_head_is_get_without_its_body(web: Running, path: str) -> None:
    head, get = web.call("HEAD", path), web.get(path)

    assert head.status == get.status
    assert head.body == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers["cache-control"] == get.headers["cache-control"]


@pytest.mark.parametrize("origin", ["https://attacker.example", "null", "http://localhost"])
def test_no_page_elsewhere_may_read_an_answer(web: Running, cookie: str, origin: str) -> None:
    for path in ("/v1/runs", "/"):
        answer = page(web, path, cookie, Origin=origin)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


# Bodies that are not what they say.


@pytest.mark.parametrize(
    "media",
    ["", "text/plain", FORM, "multipart/form-data; boundary=x", "application/xml", "application/",
     "*/*", "application/json+x", "json", "text/json", "application/json\t,text/plain", "x" * 5_000],
)  # fmt: skip
def test_json_under_another_name_is_not_taken(web: Running, media: str) -> None:
    """A form of another site can send any text, but not under the name of JSON."""
    before = web.size()
    for path in ("/v1/events", "/v1/actions/people-list"):
        refused = web.call(
            "POST", path, event() if "events" in path else {}, {"Content-Type": media}
        )
        assert (refused.status, refused.code) == (415, "content_type")
    assert web.size() == before


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/v1/events", "application/json"),
        ("/v1/reports?project=default", "application/xml"),
        ("/v1/actions/people-list", "application/json"),
        ("/v1/token/exchange", FORM),
        ("/sign-in", FORM),
        ("/sign-out", FORM),
    ],
)
def test_what_is_packed_is_refused_wherever_a_body_is_taken(
    web: Running, cookie: str, path: str, media: str
) -> None:
    packed = gzip.compress(b" " * 10_000_000)

    refused = web.call(
        "POST", path, packed, {"Content-Type": media, "Content-Encoding": "gzip", "Cookie": cookie}
    )

    assert refused.status == 415
    assert b"content_type" in refused.body


def test_packed_bytes_are_no_evidence_under_the_digest_of_what_they_hold(web: Running) -> None:
    refused = web.call(
        "PUT", f"/v1/blobs/sha256:{'0' * 64}", gzip.compress(b"x"), {"Content-Encoding": "gzip"}
    )

    assert (refused.status, refused.code) == (415, "content_type")


# Cookies.


def test_a_thousand_cookies_hide_no_session_and_open_none(web: Running, cookie: str) -> None:
    many = "; ".join(f"c{number}=v" for number in range(1_000))

    assert page(web, "/runs", f"{many}; {cookie}").status == 200
    assert page(web, "/runs", f"{cookie}; {many}").status == 200
    assert page(web, "/runs", many).status == 303


@pytest.mark.parametrize(
    "sent",
    [
        "counterfoil", "counterfoil=", "=x", ";;;;", "counterfoil=\x80", "counterfoil=" + "x" * 20_000,
        '$Version="1"; counterfoil="x"', "counterfoil=%00", "__Host-counterfoil=x",
        "counterfoil=x; counterfoil=y; counterfoil=z", "counterfoil=\t", "counterfoil=\u00e9",
    ],
)  # fmt: skip
def test_a_cookie_that_is_none_is_nobodys(web: Running, sent: str) -> None:
    assert page(web, "/runs", sent).status == 303
    assert web.call("GET", "/v1/runs", headers={"Cookie": sent}, token=None).status == 401


@pytest.mark.parametrize("csrf", ["", "0" * 64, "\u00e9", "x" * 20_000])
def test_a_session_changes_nothing_without_its_token(web: Running, cookie: str, csrf: str) -> None:
    before = web.size()
    headers = {"Cookie": cookie, "X-Counterfoil-CSRF": csrf}

    refused = web.call("POST", "/v1/events", event(), headers, token=None)

    assert (refused.status, refused.code) == (403, "csrf")
    assert web.size() == before


# What is said back.


class Reader(html.parser.HTMLParser):
    """Notes what in a page could run, besides the scripts of this server."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note scripts in the page, handlers, and images of elsewhere."""
        given = dict(attrs)
        own = (given.get("src") or "").startswith("/static/")
        if (tag == "script" and not own) or any(name.startswith("on") for name in given):
            self.found.append(tag)
        if any((given.get(name) or "").lower().startswith("javascript:") for name in given):
            self.found.append(tag)


def markup_of(answer: Reply) -> list[str]:
    reader = Reader()
    reader.feed(answer.body.decode())
    return reader.found


MARKUP = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}\r\nSet-Cookie: a=b"


@pytest.mark.parametrize(
    "path",
    ["/{}", "/v1/{}", "/search?q={}", "/runs?as_of={}", "/run?ref={}", "/release?ref={}",
     "/test?ref={}", "/changed?ref={}", "/log?project={}", "/entries/{}", "/sign-in?token={}",
     "/sign-in/oidc/{}", "/invitation?token={}", "/?told={}", "/?project={}", "/v1/runs?{}=1",
     "/v1/search?q={}", "/v1/search.csv?q={}", "/v1/runs?cursor={}", "/v1/prove?ref={}"],
)  # fmt: skip
def test_what_was_asked_for_comes_back_as_text_or_not_at_all(
    web: Running, cookie: str, path: str
) -> None:
    answer = page(web, path.format(urllib.parse.quote(MARKUP, safe="")), cookie)

    assert answer.status < 500
    assert answer.set_cookies.count("a=b") == 0
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert markup_of(answer) == []
    for value in answer.headers.values():
        assert "\r" not in value
        assert "\n" not in value


def test_what_an_event_says_is_text_in_every_page_and_header(web: Running, cookie: str) -> None:
    """Sentences, refs and subjects are other people's words."""
    told = event(subject=MARKUP.replace("\r\n", " "), data={"outcome": MARKUP, "note": MARKUP})
    posted = web.call("POST", "/v1/events", told)
    assert posted.status == 201
    index = posted.json()["entries"][0]["index"]
    web.settle()

    for path in ("/", "/log", f"/entries/{index}", f"/entries/{index}/raw", "/search?q=alert"):
        shown = page(web, path, cookie)
        assert shown.status == 200
        assert markup_of(shown) == []
    csv = web.get("/v1/search.csv?q=alert")
    assert csv.headers["content-type"].startswith("text/csv")
    assert "a=b" not in csv.set_cookies


@pytest.mark.parametrize("path", [*PAGES[:3], "/v1/runs", "/v1/nothing", "/admin", "/account"])
def test_what_is_for_one_person_is_kept_by_nobody(web: Running, cookie: str, path: str) -> None:
    assert page(web, path, cookie).headers["cache-control"] == "no-store"
    assert page(web, path, "").headers["cache-control"] == "no-store"


# What a connection may carry behind one head.


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Running]:
    settings = '[server]\npublic_url = "https://foil.example"\ntrusted_proxies = ["192.0.2.0/24"]\n'
    with running(tmp_path / "ledger", settings=settings) as server:
        yield server


def test_an_address_that_is_no_proxy_of_ours_is_believed_nothing(proxied: Running) -> None:
    refused = proxied.get(
        "/v1/runs", Host="attacker.example", **{"X-Forwarded-Host": "foil.example"}
    )

    assert (refused.status, refused.code) == (421, "host_refused")


def test_two_tokens_are_none(web: Running) -> None:
    """Whose request it is must not hang on which of two headers is read first."""
    lines = [
        "GET /v1/runs HTTP/1.1", f"Host: {web.host}", "Connection: close",
        f"Authorization: Bearer {web.token}", "Authorization: Bearer wrong", "", "",
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as sock:
        sock.sendall("\r\n".join(lines).encode())
        answer = b"".join(iter(lambda: sock.recv(65_536), b""))

    assert answer.startswith(b"HTTP/1.1 401 ")
