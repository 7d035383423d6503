"""The HTTP client: standard library only, because it lives in other people's environments.

Every answer of the server is either what was asked for or a problem document (RFC 9457), which
comes back as the error it names: a `RequestError` to correct, an `UnavailableError` to retry.
"""

import contextlib
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from counterfoil.errors import (
    CODES,
    CounterfoilError,
    EvidenceError,
    RequestError,
    UnavailableError,
)
from counterfoil.events import canonical
from counterfoil.events.event import Event

ANSWER_MAX_BYTES = 256 * 1024 * 1024
"""A report of 100,000 cases is answered with a receipt for each: about 2.4 KB."""
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
OCTETS = "application/octet-stream"
REPORT_TIMEOUT_S = 600.0
"""A report of 100 MiB is read twice and recorded before the answer begins."""

_GROUPS: dict[str, type[CounterfoilError]] = {
    "request": RequestError,
    "unavailable": UnavailableError,
    "evidence": EvidenceError,
}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to another address."""

    def redirect_request(self, *_args: object, **_more: object) -> None:
        return None


class Client:
    """One server, one credential, one project."""

    def __init__(self, url: str, token: str, project: str, timeout_s: float = 30.0) -> None:
        """Take the server's base URL, such as `https://foil.example`.

        Raises:
            RequestError: `usage` when the URL is not http or https.
        """
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise RequestError("usage", f"{url!r} is no http(s) address; give --url https://HOST")
        self._base = url.rstrip("/")
        self._token = token
        self._project = project
        self._timeout_s = timeout_s
        # A proxy setting never applies to this machine itself.
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if parts.hostname in {"localhost", "127.0.0.1", "::1"}:
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def record(self, events: Sequence[Event]) -> list[dict[str, Any]]:
        """Post one batch, all or nothing; return the answer of each event in order."""
        body = b"[" + b",".join(canonical.write(event.to_json()) for event in events) + b"]"
        answer = self.call("POST", "/v1/events", body=body, content_type=BATCH_CONTENT_TYPE)
        entries: list[dict[str, Any]] = json.loads(answer)["entries"]
        return entries

    def report(self, content: bytes, query: Mapping[str, str]) -> dict[str, Any]:
        """Post one test report; return the per-record answer."""
        answer = self.call(
            "POST", "/v1/reports", query=query, body=content, content_type="application/xml",
            timeout_s=max(self._timeout_s, REPORT_TIMEOUT_S),
        )  # fmt: skip
        value: dict[str, Any] = json.loads(answer)
        return value

    def put_blob(self, content: IO[bytes], digest: str, size_bytes: int) -> None:
        """Send evidence bytes that hash to `digest`, read from an open file piece by piece."""
        headers = {"Content-Length": str(size_bytes)}
        self.call("PUT", f"/v1/blobs/{digest}", body=content, content_type=OCTETS, headers=headers)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Get a JSON document."""
        value: dict[str, Any] = json.loads(self.call("GET", path, query=query))
        return value

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | IO[bytes] | None = None,
        content_type: str = "",
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> bytes:
        """Make one call and return the body of a 2xx answer.

        Raises:
            RequestError, UnavailableError, EvidenceError: as the problem document says.
            UnavailableError: `unreachable` when there was no usable answer.
        """
        request = self._request(method, path, query, body)
        request.add_header("Accept", "application/json")
        if content_type:
            request.add_header("Content-Type", content_type)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with self._opener.open(request, timeout=timeout_s or self._timeout_s) as answer:
                content: bytes = answer.read(ANSWER_MAX_BYTES)
                return content
        except urllib.error.HTTPError as error:
            with error:
                raise _problem(error.code, error.read(ANSWER_MAX_BYTES)) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    @contextlib.contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str], silence_s: float
    ) -> Iterator[Iterator[bytes]]:
        """Open an answer that does not end, and lend its lines; reading them may raise.

        Args:
            path: of the call.
            headers: besides those every call has.
            silence_s: how long nothing may come before the connection is taken for dead.

        Raises:
            RequestError, UnavailableError, EvidenceError: as the problem document says.
            UnavailableError: `unreachable` when there was no answer, or when it broke off.
        """
        request = self._request("GET", path, None, None)
        for name, value in headers.items():
            request.add_header(name, value)
        try:
            with self._opener.open(request, timeout=silence_s) as answer:
                yield iter(answer.readline, b"")
        except urllib.error.HTTPError as error:
            with error:
                raise _problem(error.code, error.read(ANSWER_MAX_BYTES)) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | IO[bytes] | None,
    ) -> urllib.request.Request:
        words = {"project": self._project, **(query or {})}
        request = urllib.request.Request(  # noqa: S310  the scheme is checked in __init__
            f"{self._base}{path}?{urllib.parse.urlencode(words)}", data=body, method=method
        )
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        return request

    def _unreachable(self, error: Exception) -> UnavailableError:
        return UnavailableError(
            "unreachable", f"no answer from {self._base}: {error}; try again later"
        )


def _problem(status: int, body: bytes) -> CounterfoilError:
    """Turn an RFC 9457 document back into the error it names."""
    try:
        problem = json.loads(body)
        code = problem["code"]
        group = CODES[code][0]
        detail = str(problem["detail"])
    except (ValueError, LookupError, TypeError):
        return UnavailableError(
            "unreachable", f"the server answered {status} without saying why; try again later"
        )
    known = {"type", "title", "status", "detail", "code"}
    facts = {
        name: value
        for name, value in problem.items()
        if name not in known and isinstance(value, str | int | bool)
    }
    return _GROUPS[group](code, detail, **facts)
