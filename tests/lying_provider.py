"""A provider that answers what a test wants it to, on loopback: for what real ones never say."""

import base64
import hashlib
import http.server
import json
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from tests.loopback import serving

CLIENT, SUBJECT = "counterfoil", "248289761001"


class Provider:
    """What it says; members of `claims`, `header`, `metadata` and `answer` replace the true ones.

    A member that is None is left out.
    """

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.honest = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})
        self.be_honest()

    def be_honest(self) -> None:
        """Forget every lie, and what was asked."""
        self.signer: RSAKey | ECKey | OKPKey = self.honest
        self.now_s = 0
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.answer: dict[str, Any] = {}
        self.keys: list[dict[str, Any]] | None = None
        self.token: str | None = None
        self.raw: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        self.form: dict[str, str] = {}
        self.authorization = ""
        self.nonce = ""

    def send(self, address: str) -> dict[str, str]:
        """Take the browser that was sent to `address`; return the query it goes back with."""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
        self.nonce = query["nonce"]
        return {"code": "a-code", "state": query["state"]}

    def respond(self, path: str) -> tuple[int, bytes]:
        """Return status and body."""
        self.asked.append(path)
        if path in self.raw:
            return self.raw[path]
        if path.endswith("openid-configuration"):
            return 200, _json(self._metadata())
        if path == "/jwks":
            keys = [self.signer.as_dict(private=False)] if self.keys is None else self.keys
            return 200, json.dumps({"keys": keys}).encode()
        if path == "/token":
            token = self.id_token() if self.token is None else self.token
            plain = {"access_token": "opaque", "token_type": "Bearer", "id_token": token}
            return 200, _json({**plain, **self.answer})
        return 404, b"{}"

    def _metadata(self) -> dict[str, Any]:
        plain = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }
        return {**plain, **self.metadata}

    def id_token(self) -> str:
        """Return what it says about its one person."""
        half = hashlib.sha256(b"opaque").digest()[:16]
        plain = {
            "iss": self.issuer, "aud": CLIENT, "sub": SUBJECT, "nonce": self.nonce,
            "iat": self.now_s, "exp": self.now_s + 300,
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        }  # fmt: skip
        claims = {name: one for name, one in {**plain, **self.claims}.items() if one is not None}
        header = {"alg": "RS256", "kid": "one", **self.header}
        return jwt.encode(
            {n: v for n, v in header.items() if v is not None},
            claims,
            self.signer,
            algorithms=[str(header["alg"])],
        )


def _json(members: dict[str, Any]) -> bytes:
    return json.dumps({n: one for n, one in members.items() if one is not None}).encode()


@contextmanager
def lying_provider() -> Iterator[Provider]:
    """Answer until the block ends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            size = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(size).decode()
            if body:
                provider.form = dict(urllib.parse.parse_qsl(body))
                provider.authorization = self.headers.get("Authorization", "")
            status, content = provider.respond(self.path)
            self.send_response(status)
            if status in {301, 302}:
                self.send_header("Location", content.decode())
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815  the base class names them

        def log_message(self, *_args: object) -> None:
            pass

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        provider = Provider(f"http://localhost:{server.server_address[1]}")
        yield provider
