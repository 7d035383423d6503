"""An issuer of tokens on this machine: a description, a key set, and every way to fail."""

import datetime
import http.server
import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey, RSAKey

from tests.ci_tokens import key_set
from tests.loopback import serving

DESCRIPTION = "/.well-known/openid-configuration"
KEYS = "/keys"

Respond = Callable[[http.server.BaseHTTPRequestHandler], None]


class Issuer(http.server.ThreadingHTTPServer):
    """Answers with what its attributes say at that moment; counts who asked for what.

    Attributes:
        keys: what it signs with.
        named: what it calls itself; its address if None.
        keys_url: where it says its keys are; here if None.
        instead: path -> what answers in place of the document.
        asked: every path that was asked for, in order.
    """

    daemon_threads = True

    def __init__(self, *, path: str = "", tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._path = path
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.keys: tuple[RSAKey | ECKey, ...] = ()
        self.named: str | None = None
        self.keys_url: str | None = None
        self.instead: dict[str, Respond] = {}
        self.asked: list[str] = []
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        """The issuer, as tokens name it."""
        return f"{self._scheme}://localhost:{self.server_address[1]}{self._path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of callers who hang up."""

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        path = handler.path.removeprefix(self._path)
        self.asked.append(path)
        if path in self.instead:
            self.instead[path](handler)
        elif path == DESCRIPTION:
            about = {
                "issuer": self.url if self.named is None else self.named,
                "jwks_uri": self.keys_url or f"{self.url}{KEYS}",
            }
            send(handler, json.dumps(about).encode())
        elif path == KEYS:
            send(handler, key_set(*self.keys))
        else:
            send(handler, b"", 404)

    def slow(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Send a byte now and then, for as long as anybody listens."""
        handler.send_response(200)
        handler.end_headers()
        while not self.ended.is_set():
            handler.wfile.write(b" ")
            time.sleep(0.02)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Issuer

    def do_GET(self) -> None:
        self.server.answer(self)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.answer(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass


def send(handler: http.server.BaseHTTPRequestHandler, content: bytes, status: int = 200) -> None:
    """Send one answer."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def failing(status: int) -> Respond:
    """Answer with a status and nothing else."""
    return lambda handler: send(handler, b"", status)


def redirecting(url: str) -> Respond:
    """Send whoever asks elsewhere."""

    def respond(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return respond


@contextmanager
def issuing(issuer: Issuer) -> Iterator[Issuer]:
    """Answer while the block runs."""
    with serving(issuer):
        try:
            yield issuer
        finally:
            issuer.ended.set()


def make_tls(folder: Path, host: str = "localhost") -> tuple[ssl.SSLContext, Path]:
    """Return what a server shows under a name, and the file of who vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    begins = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    names = x509.SubjectAlternativeName(
        [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(begins.replace(year=2126))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / f"{host}.pem", folder / f"{host}.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, secret)
    return context, certificate
