"""Glewlwyd, an OpenID Connect provider of Debian's, configured over its own API on loopback.

A real one: it checks redirect URIs, PKCE and secrets itself, and signs what it says.
"""

import contextlib
import http.cookiejar
import json
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc.jwk import RSAKey

from tests.tools import needs_tool

TABLES = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
MODULES = "/usr/lib/glewlwyd"
CLIENT, SECRET = "counterfoil", "a-secret-of-the-client"
PERSON, PASSWORD = "ana", "what ana knows at the provider"
START_S = 20.0


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_more: object) -> None:
        return None


class Browser:
    """Somebody's browser, as far as a provider sees it: cookies, and redirects one by one."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(
            _Stay(),
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        )

    def call(self, method: str, url: str, body: Any = None) -> tuple[int, str, bytes]:
        """Return status, Location and body."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=10) as answer:
                return answer.status, answer.headers.get("Location", ""), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get("Location", ""), error.read()


@dataclass
class Glewlwyd:
    """A running provider; each name in `issuers` is one issuer of it."""

    base: str
    directory: Path
    admin: Browser = field(default_factory=Browser)

    def issuer(self, name: str) -> str:
        """Return what one of its issuers calls itself."""
        return f"{self.base}/api/{name}"

    def set_up(self, name: str, redirect_uri: str, *, says_who_it_is: bool = True) -> None:
        """Add an issuer, with one client that may send people back to `redirect_uri`."""
        key = RSAKey.generate_key(2048, {"kid": name, "alg": "RS256", "use": "sig"})
        flags = {
            "allow-non-oidc": False, "auth-type-token-enabled": False,
            "auth-type-none-enabled": False, "auth-type-password-enabled": False,
            "auth-type-client-enabled": False, "auth-type-refresh-enabled": False,
            "refresh-token-rolling": False, "auth-type-code-enabled": True,
            "auth-type-id-token-enabled": True, "jwks-show": True,
            "pkce-allowed": True, "pkce-required": True, "pkce-method-plain-allowed": False,
            "oauth-as-iss-id": says_who_it_is,
        }  # fmt: skip
        self._ask("POST", "mod/plugin/", {
            "module": "oidc", "name": name, "display_name": name,
            "parameters": {
                **flags,
                "iss": self.issuer(name),
                "jwks-private": json.dumps({"keys": [key.as_dict(private=True)]}),
                "default-kid": name, "jwt-type": "rsa", "jwt-key-size": "256",
                "subject-type": "public", "client-pubkey-parameter": "pubkey",
                "access-token-duration": 3600, "refresh-token-duration": 3600,
                "code-duration": 600,
            },
        })  # fmt: skip
        self._ask("POST", "client/", {
            "client_id": f"{CLIENT}-{name}", "name": "Counterfoil", "confidential": True,
            "password": SECRET, "enabled": True, "redirect_uri": [redirect_uri],
            "authorization_type": ["code"], "scope": [],
            "token_endpoint_auth_method": ["client_secret_basic"],
        })  # fmt: skip

    def person(self) -> Browser:
        """Return the browser of Ana, signed in at the provider."""
        browser = Browser()
        status, _, _ = browser.call(
            "POST", f"{self.base}/api/auth/", {"username": PERSON, "password": PASSWORD}
        )
        assert status == 200
        return browser

    def consent(self, browser: Browser, address: str) -> dict[str, str]:
        """Follow `address` as somebody who agrees; return the query they are sent back with."""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
        grant = f"{self.base}/api/auth/grant/{query['client_id']}/"
        assert browser.call("PUT", grant, {"scope": query["scope"]})[0] == 200
        status, location, _ = browser.call("GET", f"{address}&g_continue")
        assert status == 302, status
        parts = urllib.parse.urlsplit(location)
        assert location.startswith(query["redirect_uri"])
        return dict(urllib.parse.parse_qsl(parts.query))

    def _ask(self, method: str, path: str, body: Any) -> None:
        status, _, said = self.admin.call(method, f"{self.base}/api/{path}", body)
        assert status == 200, (path, status, said)


@contextlib.contextmanager
def glewlwyd(directory: Path) -> Iterator[Glewlwyd]:
    """Run a provider that knows one person, until the block ends."""
    program = needs_tool("glewlwyd")
    with contextlib.closing(sqlite3.connect(directory / "glewlwyd.db")) as database:
        database.executescript(TABLES.read_text("utf-8"))
    with contextlib.closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    base = f"http://localhost:{port}"
    settings = {
        "port": port, "bind_address": "127.0.0.1", "external_url": base, "api_prefix": "api",
        "login_url": "login.html", "log_mode": "console", "log_level": "WARNING",
        "session_key": "GLEWLWYD2_SESSION_ID", "session_expiration": 3600,
        "admin_scope": "g_admin", "profile_scope": "g_profile", "hash_algorithm": "SHA512",
        "user_module_path": f"{MODULES}/user", "client_module_path": f"{MODULES}/client",
        "user_auth_scheme_module_path": f"{MODULES}/scheme",
        "plugin_module_path": f"{MODULES}/plugin",
    }  # fmt: skip
    lines = [f"{name}={json.dumps(value)}" for name, value in settings.items()]
    lines.append(f'database={{ type="sqlite3"; path="{directory}/glewlwyd.db"; }};')
    (directory / "glewlwyd.conf").write_text("\n".join(lines) + "\n", "utf-8")
    with (directory / "glewlwyd.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-c", str(directory / "glewlwyd.conf")], stdout=log, stderr=log
        )
    try:
        running = Glewlwyd(base, directory)
        _wait_for(port, process)
        running._ask("POST", "auth/", {"username": "admin", "password": "password"})
        running._ask("POST", "user/", {
            "username": PERSON, "name": "Ana", "password": PASSWORD, "enabled": True,
            "scope": ["openid"],
        })  # fmt: skip
        yield running
    finally:
        process.terminate()
        process.wait(START_S)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "the provider ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("the provider does not listen")
