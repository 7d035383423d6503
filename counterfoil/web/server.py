"""The server: the calls and pages of one ledger directory, on uvicorn.

Stopping (SIGTERM, SIGINT), in order: take no more connections; end the live streams; answer what
was accepted; return, upon which the caller closes the home, which exports and folds the
write-ahead log.  If we crash instead, nothing acknowledged is lost: the next start does the rest.
Where it shows a certificate, SIGHUP reads that and its key again.
"""

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from counterfoil.app import signin
from counterfoil.app.entrance import Entrance
from counterfoil.app.home import Home
from counterfoil.app.keyring import Keyring
from counterfoil.app.meters import Running
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.garbage import collect_rarely
from counterfoil.web import (
    account,
    acting,
    docs,
    inviting,
    page_door,
    pages,
    searching,
    signing_in,
    static,
    stepping_up,
)
from counterfoil.web.api import dispatch
from counterfoil.web.api.errors import internal, problem
from counterfoil.web.api.route import Served
from counterfoil.web.api.table import ROUTES
from counterfoil.web.crowd import raise_files_limit, write_no_core
from counterfoil.web.identity import Door
from counterfoil.web.measuring import Measuring, named
from counterfoil.web.protocol import AdoptedProtocol, BoundedConfig, settings
from counterfoil.web.security import Guard, Pace
from counterfoil.web.site import LOOPBACK_NAMES, make_site
from counterfoil.web.tls import Certificate
from counterfoil.web.told import Told
from counterfoil.web.workers import Workers

STOP_TIMEOUT_S: Final = 30
_HERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  where every address is meant
_PROGRAMS: Final = ("/v1", "/log/", "/healthz", "/readyz", "/metrics", "/openapi.json")


def build_app(home: Home, *, public_url: str = "", pace: Pace | None = None) -> Starlette:
    """Return the ASGI application of an open home.

    Args:
        home: stays the caller's: closing it is the caller's business.
        public_url: what people reach the server under; else what the settings say, else
            http://localhost and the settings' port.
        pace: how slowly bodies may arrive.

    Raises:
        RequestError: `config_invalid`: the public URL or the trusted proxies.
    """
    settings = home.config.server
    url = public_url or settings.public_url or f"http://localhost:{settings.port}"
    site = make_site(url, settings.trusted_proxies)
    projects = frozenset(log.project for log in home.log.projects())
    keyring = Keyring(
        home.access,
        home.keys,
        home.state.sign_in,
        home.clock,
        home.randomness,
        site.public_url,
    )
    entrance = Entrance(
        home.directory,
        keyring,
        home.state,
        home.clock,
        home.randomness,
        public_url=site.public_url,
        providers=home.config.oidc,
    )
    told = Told(home.clock, home.randomness)
    served = Served(
        home, site, entrance, Door(home, site, entrance), pace or Pace(), projects, told
    )
    app = Starlette(
        routes=named(
            [
                *(dispatch.mount(route, served) for route in ROUTES),
                *docs.mount(ROUTES, site),
                *signing_in.mount(served),
                *stepping_up.mount(served),
                *account.mount(served),
                *inviting.mount(served),
                *searching.mount(served),
                *acting.mount(served),
                StarletteRoute(f"{static.PREFIX}{{path:path}}", static.serve, methods=["GET"]),
                *(page_door.mount(page, served) for page in pages.ROUTES),
            ]
        ),
        middleware=[
            Middleware(Measuring, meters=home.meters, randomness=home.randomness),
            Middleware(Guard, site=site, on_refused=home.meters.refused),
        ],
        exception_handlers={
            HTTPException: _no_route,
            RequestError: _refused,
            Exception: _fault,
        },
    )
    # An address is one or it is none.  Redirects would name the scheme and host that the request
    # came in by, which behind a proxy are not the public ones.
    app.router.redirect_slashes = False
    app.state.meters = home.meters
    return app


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        found = RequestError(
            "method", f"{request.url.path[:200]} does not take {request.method[:20]}"
        )
    else:
        found = RequestError("not_found", f"there is no {request.url.path[:200]}; see /docs")
    return _answer(request, found, dict(error.headers or {}))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return _answer(request, error, {})


async def _fault(request: Request, _error: Exception) -> Response:
    return _answer(request, internal(), {})


def _answer(
    request: Request, error: RequestError | UnavailableError, headers: dict[str, str]
) -> Response:
    request.app.state.meters.refused(error.code)
    if request.url.path.startswith(_PROGRAMS):
        return problem(error, headers)
    page = page_door.error_page(request, error)
    page.headers.update(headers)
    return page


class Server(uvicorn.Server):
    """uvicorn, told where we write our address and what ends first."""

    def __init__(
        self, config: BoundedConfig, home: Home, local: str, public: str, workers: int = 0,
        certificate: Certificate | None = None,
    ) -> None:  # fmt: skip
        super().__init__(config)
        self._bounded = config
        self._certificate = certificate
        self._home = home
        self._count = workers
        self.workers: Workers | None = None
        self._adopting: set[asyncio.Task[None]] = set()
        self._addresses = {"url": local, "public_url": public}
        if certificate is not None:
            self._addresses["certificate"] = certificate.fingerprint()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.listening = threading.Event()
        home.meters.running = self._running
        config.crowd.on_let_go = home.meters.let_one_go

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say where: who reads server.json finds a server that answers."""
        self._loop = asyncio.get_running_loop()
        if self._count and sockets:
            # The workers accept; what they do not answer comes here connection by connection.
            await super().startup([])
            public = self._addresses["public_url"]
            workers = Workers(self._count, self._home, sockets[0], public, self._adopt)
            await workers.start()
            self.workers = workers
        else:
            await super().startup(sockets)
        self._say_where()
        self._home.scrub.start()
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take the address away and end the live streams, then answer what was accepted."""
        (self._home.directory / "server.json").unlink(missing_ok=True)
        self._home.live.close()
        if self.workers is not None:
            await self.workers.stop()
        await super().shutdown(sockets)

    def _say_where(self) -> None:
        if not self.should_exit:
            _write_addresses(self._home.directory, self._addresses)

    def _running(self) -> Running:
        """Return what this server holds at this moment, from any thread."""
        crowd, workers = self._bounded.crowd, self.workers
        return Running(
            connections=len(crowd),
            connections_max=crowd.size_max,
            worker_connections=workers.connections if workers is not None else 0,
            workers_wanted=self._count,
            worker_pids=tuple(workers.pids) if workers is not None else (),
        )

    def _adopt(self, sock: socket.socket, received: bytes) -> None:
        """Serve a connection that a worker accepted, from the bytes nobody has answered on."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._serve_adopted(loop, sock, received))
        self._adopting.add(task)
        task.add_done_callback(self._adopting.discard)

    async def _serve_adopted(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, received: bytes
    ) -> None:
        def protocol() -> asyncio.Protocol:
            return AdoptedProtocol(
                config=self._bounded,
                server_state=self.server_state,
                app_state=self.lifespan.state,
                received=received,
            )

        try:
            await loop.connect_accepted_socket(protocol, sock)
        except OSError:
            sock.close()  # its sender has gone meanwhile

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals as a wish to stop; do not die of them afterwards, as uvicorn's does."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]]
        handlers = {signal.SIGINT: self.handle_exit, signal.SIGTERM: self.handle_exit}
        if self._certificate is not None:
            # Elsewhere it means what it always did: the terminal has gone.
            handlers[signal.SIGHUP] = self._read_again
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, earlier in before.items():
                signal.signal(number, earlier)

    def _read_again(self, _number: int, _frame: FrameType | None) -> None:
        if self._certificate is not None and self._certificate.read_again():
            self._addresses["certificate"] = self._certificate.fingerprint()
            if self._loop is not None:
                # Not here: a signal may come while the same file is written.
                self._loop.call_soon_threadsafe(self._say_where)


def make_server(
    home: Home,
    sock: socket.socket,
    *,
    public_url: str = "",
    tls: tuple[Path, Path] | None = None,
    pace: Pace | None = None,
    workers: int = 0,
) -> Server:
    """Return a server for an open home on a bound socket; `Server.run` serves until told to stop.

    Args:
        home: the ledger.
        sock: bound, not yet listening; the server closes it.
        public_url: "" for the settings', or else http(s)://localhost and the socket's port.
        tls: files of certificate and key.
        pace: how slowly bodies may arrive.
        workers: processes that take events; 0 does everything in this one.  Not with TLS, which
            no connection can be handed over in.

    Raises:
        RequestError: `config_invalid`, `file_unreadable`.
    """
    if workers and tls:
        raise RequestError(
            "config_invalid", "--workers and --tls-cert do not go together; put a proxy in front"
        )
    host, port = sock.getsockname()[:2]
    scheme = "https" if tls else "http"
    url = public_url or home.config.server.public_url or f"{scheme}://localhost:{port}"
    # Tools on this machine: what they know the server by under TLS is its very certificate, so that
    # they need neither a name that leads here nor anybody who vouches for it.
    here = _bracketed(_HERE.get(host, host))
    # By another address than this machine's own for itself only the public name is answered to.
    local = url if tls and here not in LOOPBACK_NAMES else f"{scheme}://{here}:{port}"
    config = settings(build_app(home, public_url=url, pace=pace), tls, STOP_TIMEOUT_S)
    shown = Certificate(*tls, config.ssl) if tls and config.ssl else None
    return Server(config, home, local, url, workers, shown)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address.

    Raises:
        UnavailableError: `port_in_use`.
        RequestError: `config_invalid`: no address of this machine, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        # Listening here already: two servers may both bind a port, only one may listen on it.
        sock.listen(socket.SOMAXCONN)
    except (TypeError, UnicodeError) as error:
        sock.close()
        raise RequestError("config_invalid", f"{host[:80]!a} is no address to listen on") from error
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise UnavailableError(
                "port_in_use",
                f"another program listens on {host} port {port}; stop it, or choose --port",
            ) from error
        raise RequestError(
            "config_invalid", f"cannot listen on {host} port {port}: {error.strerror or error}"
        ) from error
    return sock


def serve(
    home: Home,
    *,
    host: str,
    port: int,
    public_url: str = "",
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    workers: int = 0,
    announce: Callable[[str, str], None],
) -> None:
    """Serve until SIGTERM or SIGINT, then return with everything accepted answered.

    Calls `announce` with the address and a one-time sign-in link, "" when somebody is signed in.

    Raises:
        UnavailableError: `port_in_use`.
        RequestError: `config_invalid`, `file_unreadable`.
    """
    raise_files_limit()
    write_no_core()
    sock = bind(host, port)
    try:
        tls = (tls_cert, tls_key) if tls_cert and tls_key else None
        server = make_server(home, sock, public_url=public_url, tls=tls, workers=workers)
        url = public_url or home.config.server.public_url
        url = (url or f"{'https' if tls else 'http'}://localhost:{sock.getsockname()[1]}").rstrip(
            "/"
        )
        # Once people are enrolled they sign in by themselves; a link then names one (--as HANDLE).
        alone = not home.access.directory.anybody_enrolled()
        needed = alone and not signin.anybody_signed_in(home.state, home.clock, home.randomness)
        link = "" if not needed else signin.make_link(home.state, home.clock, home.randomness, url)
        announce(url, link)
        collect_rarely()
        server.run(sockets=[sock])
    finally:
        sock.close()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _write_addresses(directory: Path, addresses: dict[str, str]) -> None:
    """Write DIR/server.json (0600) in one step: a reader sees all of it or none."""
    temporary = directory / "server.json.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({**addresses, "pid": os.getpid()}, file)
    temporary.replace(directory / "server.json")
