"""The outermost layer: which Host is answered, what every answer carries, how bodies are read.

What must hold: a request under a name that is not ours reaches no handler (DNS rebinding);
every answer, errors included, carries the headers below; a body is bounded in size, in silence
and in slowness while it arrives, not after.

Sources: CSP level 3; Fetch (referrer policies and the Origin header); RFC 9110 section 15.5.20.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from counterfoil.errors import RequestError
from counterfoil.web.api.errors import problem
from counterfoil.web.site import Site

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    # same-origin, not no-referrer: with that, browsers send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-frame-options": "DENY",
}
HSTS: Final = "max-age=31536000"

HEADERS_MAX_BYTES: Final = 32 * 1024

# Calls that programs make: answered on 127.0.0.1 too.  Everything else is a page, which belongs
# under the public URL: its cookie and its links are bound to that name.
_PROGRAM_PATHS: Final = ("/v1/", "/log/", "/static/")
_PROGRAM_FILES: Final = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json"})


@dataclass(frozen=True, slots=True)
class Pace:
    """How slowly a body may arrive.

    Args:
        idle_s: the longest silence between two parts.
        grace_s: how long before the rate counts.
        rate_bytes_s: the least average rate after that.
        drain_s: how long an oversized body is still read and thrown away, so that its sender
            hears the answer instead of a reset connection.
    """

    idle_s: float = 15.0
    grace_s: float = 15.0
    rate_bytes_s: float = 1024.0
    drain_s: float = 2.0


class Guard:
    """ASGI middleware around everything that answers.

    Args:
        app: what answers.
        site: whose names these are.
        on_refused: told the code of each refusal.
    """

    def __init__(
        self, app: ASGIApp, site: Site, on_refused: Callable[[str], None] = lambda _code: None
    ) -> None:
        self._app = app
        self._site = site
        self._on_refused = on_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what must not go further; pass on the rest with guarded answers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body_done = not _has_body(Headers(scope=scope))

        async def watch() -> Message:
            nonlocal body_done
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                body_done = True
            return message

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
                if self._site.https:
                    headers.setdefault("strict-transport-security", HSTS)
                if not body_done:
                    # What is left of the body must not be taken for the next request, nor be
                    # read for ever: this connection ends with the answer.
                    headers["connection"] = "close"
            await send(message)

        try:
            refusal = self._check(scope)
        except RequestError as error:
            self._on_refused(error.code)
            await problem(error)(scope, watch, answer)
            return
        await (refusal or self._app)(scope, watch, answer)

    def _check(self, scope: Scope) -> ASGIApp | None:
        size_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
        if size_bytes > HEADERS_MAX_BYTES:
            raise RequestError(
                "headers_too_large", f"{size_bytes} bytes of headers, at most {HEADERS_MAX_BYTES}"
            )
        headers = Headers(scope=scope)
        trusted = self._site.trusts((scope.get("client") or ("", 0))[0])
        host, proto = headers.get("host", ""), ""
        if trusted:
            host = headers.get("x-forwarded-host", host)
            proto = headers.get("x-forwarded-proto", "")
        if len(headers.getlist("host")) != 1 or not self._answers_to(host, scope):
            raise RequestError(
                "host_refused", f"this server does not answer to that Host; use {self._site.host}"
            )
        elsewhere = not self._site.is_public(host) or (self._site.https and proto == "http")
        if elsewhere and scope["method"] in {"GET", "HEAD"} and _is_page(scope["path"]):
            query = scope["query_string"].decode("latin-1")
            # raw_path: as it was asked for, escapes included, so no name can turn into another.
            path = "/" + scope["raw_path"].decode("latin-1").lstrip("/")
            return RedirectResponse(
                self._site.public_url + path + (f"?{query}" if query else ""), status_code=307
            )
        return None

    def _answers_to(self, host: str, scope: Scope) -> bool:
        server = scope.get("server") or ("", None)
        return self._site.is_public(host) or self._site.is_loopback(host, server[1] or 0)


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _is_page(path: str) -> bool:
    return not path.startswith(_PROGRAM_PATHS) and path not in _PROGRAM_FILES


async def read_chunks(request: Request, limit_bytes: int, pace: Pace) -> AsyncIterator[bytes]:
    """Yield a request's body as it arrives.

    Raises:
        RequestError: `body_too_large` over `limit_bytes`, `request_timeout` when it stalls,
            `content_type` when it is compressed.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        # What it would become has no bound until it is unpacked, and no digest until then.
        raise RequestError(
            "content_type", "a compressed body is not taken; send it without Content-Encoding"
        )
    declared = request.headers.get("content-length", "")
    loop = asyncio.get_running_loop()
    started = loop.time()
    stream = request.stream().__aiter__()
    size_bytes = 0
    too_large = declared.isdecimal() and int(declared) > limit_bytes
    while not too_large:
        try:
            async with asyncio.timeout(pace.idle_s):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _too_slow(f"nothing came for {pace.idle_s:g} s") from None
        size_bytes += len(chunk)
        elapsed_s = loop.time() - started
        if elapsed_s > pace.grace_s and size_bytes < elapsed_s * pace.rate_bytes_s:
            raise _too_slow(f"{size_bytes} bytes in {elapsed_s:.0f} s")
        too_large = size_bytes > limit_bytes
        if not too_large and chunk:
            yield chunk
    await drain(stream, pace.drain_s)
    raise RequestError("body_too_large", f"the body is over {limit_bytes} bytes; send it in parts")


def _too_slow(how: str) -> RequestError:
    return RequestError("request_timeout", f"the body came too slowly ({how}); send it again")


async def drain(stream: AsyncIterator[bytes], drain_s: float) -> None:
    """Read on for a moment and keep nothing: most senders listen only after they have sent.

    Raises:
        RequestError: `body_too_large`, `request_timeout`, where `stream` is of `read_chunks`.
    """
    try:
        async with asyncio.timeout(drain_s):
            async for _ in stream:
                pass
    except TimeoutError:
        return


async def read_body(request: Request, limit_bytes: int, pace: Pace) -> bytes:
    """Return a whole body; the errors of `read_chunks`."""
    return b"".join([chunk async for chunk in read_chunks(request, limit_bytes, pace)])


def same_origin(request: Request, site: Site) -> bool:
    """Whether a browser says, if it says anything, that our own page made this request."""
    origin = request.headers.get("origin")
    fetched = request.headers.get("sec-fetch-site", "same-origin")
    return origin in {None, site.public_url} and fetched in {"same-origin", "none"}


def media_type(request: Request) -> str:
    """Return the content type without its parameters, lower case, "" when absent."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def only(names: Iterable[str]) -> str:
    """Return names for a message: "A, B or C"."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last
