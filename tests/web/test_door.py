"""Who gets in: tokens, sessions, sign-in links, CSRF, Host, headers, and bodies that misbehave."""

import re
import select
import socket
import urllib.parse
from pathlib import Path

import pytest

from counterfoil.app import signin
from tests.web_server import Reply, Running, event, running

FORM = "application/x-www-form-urlencoded"


def test_an_address_with_a_slash_too_many_is_not_found_and_leads_nowhere(web: Running) -> None:
    """A redirect would be made of the scheme and name a proxy asked for, not of the public ones."""
    for path in ("/v1/runs/", "/healthz/", "/static"):
        answer = web.get(path)
        assert (answer.status, answer.headers.get("location")) == (404, None), path


def link(web: Running) -> str:
    home = web.home
    address = f"http://{web.host}"
    return signin.make_link(home.state, home.clock, home.randomness, address)


def token_of(address: str) -> str:
    return urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["token"][0]


def post_form(web: Running, path: str, fields: dict[str, str], **headers: str) -> Reply:
    body = urllib.parse.urlencode(fields).encode()
    return web.call("POST", path, body, {"Content-Type": FORM, **headers}, token=None)


def sign_in(web: Running) -> str:
    """Return the Cookie header of a fresh session."""
    reply = post_form(web, "/sign-in", {"token": token_of(link(web))})
    assert reply.status == 303
    return reply.headers["set-cookie"].partition(";")[0]


def csrf_of(cookie: str) -> str:
    from counterfoil.web.sessions import csrf_token

    return csrf_token(cookie.partition("=")[2])


# Tokens


@pytest.mark.parametrize("path", ["/v1/runs", "/v1/live", "/v1/receipts?source=a&id=b"])
def test_reading_without_a_token_is_refused_with_what_is_needed(web: Running, path: str) -> None:
    refused = web.call("GET", path, token=None)

    assert (refused.status, refused.code) == (401, "token_missing")
    assert refused.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["wrong", "cf_" + "0" * 48, "x" * 5_000])
def test_a_wrong_token_is_refused(web: Running, token: str) -> None:
    refused = web.call("POST", "/v1/events", event(), token=token)

    assert (refused.status, refused.code) == (401, "token_invalid")


@pytest.mark.parametrize("authorization", ["Basic YTpi", "Bearer", "", "Bearer  "])
def test_another_scheme_is_refused(web: Running, authorization: str) -> None:
    refused = web.get("/v1/runs", Authorization=authorization)

    assert (refused.status, refused.code) == (401, "token_invalid")


def test_the_scheme_is_read_in_any_case(web: Running) -> None:
    assert web.get("/v1/runs", Authorization=f"bearer {web.token}").status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs", "/sign-in"])
def test_what_says_nothing_about_the_record_is_open(web: Running, path: str) -> None:
    assert web.call("GET", path, token=None).status == 200


# Signing in


def test_a_page_without_a_session_leads_to_the_sign_in_page(web: Running) -> None:
    reply = web.call("GET", "/", token=None)

    assert (reply.status, reply.headers["location"]) == (303, "/sign-in")
    assert b"admin" in web.call("GET", "/sign-in", token=None).body


def test_looking_at_a_link_does_not_use_it(web: Running) -> None:
    """Mail and chat programs open links to preview them."""
    address = link(web)
    path = address.removeprefix(f"http://{web.host}")

    for _ in range(3):
        shown = web.call("GET", path, token=None)
        assert shown.status == 200
        assert b'method="post"' in shown.body
        assert "set-cookie" not in shown.headers

    assert post_form(web, "/sign-in", {"token": token_of(address)}).status == 303


def test_a_link_signs_in_once(web: Running) -> None:
    token = token_of(link(web))

    first = post_form(web, "/sign-in", {"token": token})
    second = post_form(web, "/sign-in", {"token": token})

    assert (first.status, first.headers["location"]) == (303, "/")
    assert second.status == 403
    assert "set-cookie" not in second.headers


def test_the_session_cookie_is_out_of_reach_for_scripts_and_other_sites(web: Running) -> None:
    reply = post_form(web, "/sign-in", {"token": token_of(link(web))})

    cookie = reply.headers["set-cookie"]
    assert re.match(r"counterfoil=[0-9a-f]{64};", cookie)
    for attribute in ("httponly", "samesite=lax", "path=/", "max-age=86400"):
        assert attribute in cookie.lower()


def test_a_session_reads_the_api(web: Running) -> None:
    assert web.call("GET", "/v1/runs", headers={"Cookie": sign_in(web)}, token=None).status == 200


def test_an_unknown_session_is_nobody(web: Running) -> None:
    cookie = "counterfoil=" + "0" * 64

    assert web.call("GET", "/", headers={"Cookie": cookie}, token=None).status == 303
    assert web.call("GET", "/v1/runs", headers={"Cookie": cookie}, token=None).status == 401


def test_signing_out_ends_the_session_on_the_server(web: Running) -> None:
    cookie = sign_in(web)

    reply = post_form(web, "/sign-out", {"csrf": csrf_of(cookie)}, Cookie=cookie)

    assert reply.status == 303
    assert "max-age=0" in reply.headers["set-cookie"].lower()
    assert web.call("GET", "/v1/runs", headers={"Cookie": cookie}, token=None).status == 401


@pytest.mark.parametrize("csrf", ["", "0" * 64, "é"])
def test_signing_out_needs_the_sessions_own_token(web: Running, csrf: str) -> None:
    cookie = sign_in(web)

    assert post_form(web, "/sign-out", {"csrf": csrf}, Cookie=cookie).status == 403
    assert web.call("GET", "/v1/runs", headers={"Cookie": cookie}, token=None).status == 200


def test_a_form_of_another_site_signs_nobody_in(web: Running) -> None:
    """Signed in to somebody else's session, a victim would leave traces under a wrong name."""
    token = token_of(link(web))

    for headers in ({"Origin": "https://attacker.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert post_form(web, "/sign-in", {"token": token}, **headers).status == 403
    assert post_form(web, "/sign-in", {"token": token}, Origin=f"http://{web.host}").status == 303


def test_a_session_posts_events_only_with_its_csrf_token(web: Running) -> None:
    cookie = sign_in(web)
    size = web.size()

    bare = web.call("POST", "/v1/events", event(), {"Cookie": cookie}, token=None)
    wrong = web.call(
        "POST", "/v1/events", event(), {"Cookie": cookie, "X-Counterfoil-CSRF": "0"}, token=None
    )
    assert (bare.status, bare.code) == (wrong.status, wrong.code) == (403, "csrf")
    assert web.size() == size

    headers = {"Cookie": cookie, "X-Counterfoil-CSRF": csrf_of(cookie)}
    right = web.call("POST", "/v1/events", event(), headers, token=None)
    assert right.status == 201
    shown = web.get(f"/v1/entries/{right.json()['entries'][0]['index']}").json()
    assert shown["entry"]["via"] == "web"
    assert shown["entry"]["recordedby"].startswith("session:")


def test_over_plain_http_elsewhere_the_sign_in_page_says_why_not(tmp_path: Path) -> None:
    with running(tmp_path / "ledger", public_url="http://foil.example:8000") as web:
        web.host = "foil.example:8000"
        shown = web.call("GET", "/sign-in", token=None)
        token = token_of(link(web))
        posted = post_form(web, "/sign-in", {"token": token})

    assert shown.status == posted.status == 403
    assert b"https" in shown.body
    assert "set-cookie" not in posted.headers


# Host


@pytest.mark.parametrize(
    "host", ["attacker.example", "localhost.attacker.example", "", "localhost:1", "foil.example:80"]
)
@pytest.mark.parametrize("path", ["/", "/v1/runs", "/log/default/checkpoint", "/healthz"])
def test_another_host_is_refused_before_anything_else(web: Running, host: str, path: str) -> None:
    """A page on attacker.example that points its name at 127.0.0.1 must read nothing."""
    refused = web.get(path, Host=host)

    assert (refused.status, refused.code) == (421, "host_refused")


def test_a_page_on_127_0_0_1_redirects_to_the_public_url(web: Running) -> None:
    reply = web.call("GET", "/runs?as_of=3", headers={"Host": f"127.0.0.1:{web.port}"}, token=None)

    assert reply.status == 307
    assert reply.headers["location"] == f"http://{web.host}/runs?as_of=3"


def test_a_redirect_leads_to_this_server_whatever_the_path(web: Running) -> None:
    reply = web.call(
        "GET", "//attacker.example/", headers={"Host": f"127.0.0.1:{web.port}"}, token=None
    )

    assert reply.status == 307
    assert reply.headers["location"].startswith(f"http://{web.host}/")


def test_programs_are_answered_on_127_0_0_1(web: Running) -> None:
    """server.json gives tools this address; a redirect would carry their token elsewhere."""
    host = {"Host": f"127.0.0.1:{web.port}"}

    assert web.call("POST", "/v1/events", event(), host).status == 201
    assert web.get("/v1/runs", **host).status == 200


def test_forwarded_headers_count_from_a_trusted_proxy_only(tmp_path: Path, web: Running) -> None:
    settings = '[server]\npublic_url = "https://foil.example"\ntrusted_proxies = ["127.0.0.1"]\n'
    forwarded = {"Host": "attacker.example", "X-Forwarded-Host": "foil.example"}
    with running(tmp_path / "ledger", settings=settings) as proxied:
        assert proxied.get("/v1/runs", **forwarded).status == 200
        plain = {"Host": "foil.example", "X-Forwarded-Proto": "http"}
        assert proxied.get("/runs", **plain).headers["location"] == "https://foil.example/runs"
        cookie = post_form(
            proxied, "/sign-in", {"token": token_of(link(proxied))}, Host="foil.example"
        ).headers["set-cookie"]
    assert (
        web.get("/v1/runs", Host="attacker.example", **{"X-Forwarded-Host": web.host}).status == 421
    )
    assert cookie.startswith("__Host-counterfoil=")
    assert "secure" in cookie.lower()


# Headers of every answer


@pytest.mark.parametrize(
    "path",
    ["/", "/sign-in", "/docs", "/v1/runs", "/v1/nothing", "/nothing", "/log/default/checkpoint"],
)
def test_every_answer_carries_the_security_headers(web: Running, path: str) -> None:
    headers = web.get(path).headers

    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    for rule in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert "server" not in headers


def test_a_host_that_is_refused_gets_the_security_headers_too(web: Running) -> None:
    assert "content-security-policy" in web.get("/", Host="attacker.example").headers


# What is not there


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1", "/v2/events", "/log/default/secret"])
def test_a_path_that_is_not_there_is_a_problem_document_for_programs(
    web: Running, path: str
) -> None:
    refused = web.get(path)

    assert refused.status == 404
    if path.startswith(("/v1", "/log/")):
        assert refused.code == "not_found"


def test_a_method_that_is_not_there_names_those_that_are(web: Running) -> None:
    refused = web.call("DELETE", "/v1/events")

    assert (refused.status, refused.code) == (405, "method")
    assert refused.headers["allow"] == "POST"


@pytest.mark.parametrize("query", ["as-of=3", "limit=0", "limit=501", "limit=+5", "as_of=-1",
                                   "as_of=yesterday", "limit=5&limit=6", "x=1"])  # fmt: skip
def test_a_malformed_parameter_is_refused_by_name(web: Running, query: str) -> None:
    refused = web.get(f"/v1/runs?{query}")

    assert (refused.status, refused.code) == (400, "query_invalid")


# Bodies and headers that misbehave


def raw(web: Running, sent: bytes, timeout_s: float = 10) -> bytes:
    """Send bytes as they are and return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=timeout_s) as connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(65_536):
            received += part
        return received


def head(web: Running, path: str, *lines: str) -> bytes:
    return "\r\n".join(
        [
            f"POST {path} HTTP/1.1",
            f"Host: {web.host}",
            f"Authorization: Bearer {web.token}",
            "Content-Type: application/json",
            *lines,
            "",
            "",
        ]
    ).encode()


def test_a_body_declared_too_large_is_refused_before_it_comes(web: Running) -> None:
    answer = raw(web, head(web, "/v1/events", "Content-Length: 4194305"))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"body_too_large" in answer


def test_a_body_that_grows_too_large_is_refused_while_it_comes(web: Running) -> None:
    """Chunked, so nothing was declared: the limit counts what arrives."""
    size = web.size()
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    answer = raw(web, head(web, "/v1/events", "Transfer-Encoding: chunked") + chunk * 65)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert web.size() == size


def test_a_body_that_stalls_is_refused(web: Running) -> None:
    answer = raw(web, head(web, "/v1/events", "Content-Length: 1000") + b'{"id":')

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer.lower()


def test_a_body_that_drips_is_refused(web: Running) -> None:
    """A byte now and then is never silent for long, so the average counts too."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        connection.sendall(head(web, "/v1/events", "Content-Length: 1000"))
        for _ in range(100):
            connection.sendall(b" ")
            if select.select([connection], [], [], 0.05)[0]:
                break
        else:
            pytest.fail("still taken after 5 s")
        received = connection.recv(65_536)

    assert received.startswith(b"HTTP/1.1 408 ")
    assert b" bytes in " in received


def test_an_incomplete_body_records_nothing(web: Running) -> None:
    size = web.size()
    body = b'{"specversion":"1.0"'
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        connection.sendall(head(web, "/v1/events", "Content-Length: 1000") + body)
    assert web.get("/healthz").status == 200
    assert web.size() == size


def test_headers_over_their_limit_are_refused(web: Running) -> None:
    refused = web.get("/v1/runs", **{"X-Large": "x" * 33_000})

    assert (refused.status, refused.code) == (431, "headers_too_large")


def test_headers_that_never_end_are_cut_off(web: Running) -> None:
    sent = b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        try:
            connection.sendall(sent)
            received = connection.recv(65_536)
        except ConnectionError:
            received = b""
    assert received.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")) or received == b""


def test_a_connection_that_says_nothing_is_closed(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    from counterfoil.web.protocol import BoundedProtocol

    monkeypatch.setattr(BoundedProtocol, "headers_timeout_s", 0.3)

    assert raw(web, b"GET / HTTP/1.1\r\n", timeout_s=5) == b""
    assert raw(web, b"", timeout_s=5) == b""


def test_what_is_no_http_is_refused(web: Running) -> None:
    assert raw(web, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").startswith(b"HTTP/1.1 400 ")
