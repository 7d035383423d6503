"""Reading an exported log from a server nobody has to trust: bounded in time and in size.

No credentials are sent.  A redirect is followed only within the same scheme, host and port, so a
server cannot make us ask another one; proxies of the environment are not used.

Source: C2SP tlog-tiles (bundles may come gzipped without negotiation).
"""

import http.client
import urllib.parse
import zlib

from counterfoil.client.address import check_token, split_address
from counterfoil.client.hangup import HangUp, TimedConnection, in_a_line
from counterfoil.errors import EvidenceError, RequestError, UnavailableError
from counterfoil.tlog.tile import entries_path, tile_path
from counterfoil.verifier.log import (
    BUNDLE_MAX_BYTES,
    CHECKPOINT,
    CHECKPOINT_MAX_BYTES,
    TILE_MAX_BYTES,
)

TIMEOUT_S = 15.0
RESPONSE_MAX_S = 60.0
MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ABSENT = frozenset({404, 410})
_REFUSED = frozenset({401, 403})
_CHUNK_BYTES = 1 << 16


class HttpLog:
    """An exported log behind a URL prefix; `counterfoil.verifier.log.LogReader`.

    Args:
        url: the prefix, `https://HOST/log/PROJECT`; a `/checkpoint` at its end is taken off.
        timeout_s: how long a silent server is waited for.

    Raises:
        RequestError: `usage`: no http or https URL.
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S, token: str = "") -> None:
        parts = split_address(url)
        check_token(token)
        if parts.query or parts.fragment or parts.username or parts.password:
            raise RequestError("usage", f"{url!r}: give the plain address of the log alone")
        self.url = url.rstrip("/").removesuffix(f"/{CHECKPOINT}")
        self._secure = parts.scheme == "https"
        self._place = (parts.scheme, parts.hostname or "", parts.port)
        self._prefix = urllib.parse.urlsplit(self.url).path
        self._timeout_s = timeout_s
        self._token = token
        self._connection: TimedConnection | None = None

    def checkpoint(self) -> bytes | None:
        """Return the signed checkpoint."""
        return self._get(CHECKPOINT, CHECKPOINT_MAX_BYTES)

    def tile(self, level: int, n: int, width: int) -> bytes | None:
        """Return the file of exactly this tile."""
        return self._get(tile_path(level, n, width), TILE_MAX_BYTES)

    def bundle(self, n: int, width: int) -> bytes | None:
        """Return the file of exactly this entry bundle."""
        return self._get(entries_path(n, width), BUNDLE_MAX_BYTES)

    def names(self) -> None:
        """Return None: a server lists nothing."""
        return

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _get(self, path: str, limit_bytes: int) -> bytes | None:
        target = f"{self._prefix}/{path}"
        for _ in range(MAX_REDIRECTS + 1):
            try:
                status, location, body = self._ask(target, limit_bytes)
            except EvidenceError:
                self.close()  # what is left of the answer is not waited for
                raise
            except (OSError, http.client.HTTPException) as error:
                self.close()
                raise UnavailableError(
                    "unreachable",
                    f"{self.url}: {in_a_line(error)}; try again later",
                ) from error
            if status in _REDIRECTS:
                target = self._redirected(target, location)
            elif status in _ABSENT:
                return None
            elif status == http.client.OK:
                return body
            elif status in _REFUSED:
                raise UnavailableError(
                    "unreachable",
                    f"{self.url}/{path}: its entries are for those who may read; "
                    "set COUNTERFOIL_URL and COUNTERFOIL_TOKEN",
                )
            else:
                raise UnavailableError(
                    "unreachable", f"{self.url}/{path}: the server answered {status}; try later"
                )
        raise UnavailableError("unreachable", f"{self.url}/{path}: too many redirects")

    def _redirected(self, target: str, location: str) -> str:
        """Return the path a redirect leads to on the same host; refuse every other."""
        scheme, host, port = self._place
        here = f"{scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
        try:
            there = urllib.parse.urlsplit(urllib.parse.urljoin(here + target, location))
            same = (there.scheme, there.hostname, there.port) == self._place
        except ValueError:
            same = False
        if not same or any(char <= " " or char > "~" for char in there.path):
            raise UnavailableError(
                "unreachable", f"{self.url} redirects to another host: {location[:200]!a}"
            )
        return there.path

    def _ask(self, target: str, limit_bytes: int) -> tuple[int, str, bytes]:
        """Make one request and read its whole body, so that the connection can be used again."""
        with HangUp(RESPONSE_MAX_S) as clock:
            try:
                return self._ask_in_time(target, limit_bytes, clock)
            except (OSError, http.client.HTTPException, EvidenceError) as error:
                if clock.over:
                    raise TimeoutError(f"the answer takes over {RESPONSE_MAX_S:.0f} s") from error
                raise

    def _ask_in_time(self, target: str, limit_bytes: int, clock: HangUp) -> tuple[int, str, bytes]:
        connection = self._connect(clock)
        headers = {"Accept-Encoding": "identity", "User-Agent": "counterfoil-verify"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            if clock.over:
                raise
            # The server let an idle connection go; that is no failure of the request.
            self.close()
            connection = self._connect(clock)
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
        zipped = response.headers.get("Content-Encoding", "identity") == "gzip"
        body = _read(response, limit_bytes, zipped=zipped)
        if clock.over:
            raise TimeoutError
        if response.will_close:
            self.close()
        return response.status, response.headers.get("Location", ""), body

    def _connect(self, clock: HangUp) -> TimedConnection:
        if self._connection is None:
            _, host, port = self._place
            self._connection = TimedConnection(host, port, self._timeout_s, secure=self._secure)
        self._connection.clock = clock
        if self._connection.sock is None:
            self._connection.connect()
        else:
            clock.watch(self._connection.sock)
        return self._connection


def _read(response: http.client.HTTPResponse, limit_bytes: int, *, zipped: bool) -> bytes:
    """Read a body within its limits, unpacking it if it is gzipped."""
    unpack = zlib.decompressobj(wbits=31) if zipped else None
    parts: list[bytes] = []
    size_bytes = 0
    while chunk := response.read1(_CHUNK_BYTES):
        if unpack is not None:
            try:
                chunk = unpack.decompress(chunk, limit_bytes + 1 - size_bytes)
            except zlib.error as error:
                raise EvidenceError("damaged", f"the server sent broken gzip: {error}") from error
        size_bytes += len(chunk)
        if size_bytes > limit_bytes:
            response.close()
            raise EvidenceError("damaged", f"larger than the {limit_bytes} bytes it may have")
        parts.append(chunk)
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    response.read()  # nothing is left; this hands the connection back for the next request
    return b"".join(parts)
