"""The HTTP client: standard library only, because it lives in other people's environments.

Every answer of the server is either what was asked for or a problem document (RFC 9457), which
comes back as the error it names: a `RequestError` to correct, an `UnavailableError` to retry.
What is neither comes from another program, such as a proxy: `unreachable`.
"""

import contextlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import IO, Any, NotRequired, TypedDict

import msgspec

from counterfoil.client.address import check_token, split_address
from counterfoil.client.pinned import PinnedContext
from counterfoil.errors import (
    CODES,
    CounterfoilError,
    EvidenceError,
    RequestError,
    UnavailableError,
)
from counterfoil.events.event import Event
from counterfoil.tlog.receipt import parse_receipt

ANSWER_MAX_BYTES = 256 * 1024 * 1024
"""A report of 100,000 cases is answered with a receipt for each: about 2.4 KB."""
DETAIL_LENGTH_MAX = 1_000
"""Of what a server says is wrong, so much is shown."""
LINE_MAX_BYTES = 1 << 20
"""The most one line of a stream may take: an entry in words has a few kilobytes."""
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
OCTETS = "application/octet-stream"
REPORT_TIMEOUT_S = 600.0
"""A report of 100 MiB is read twice and recorded before the answer begins."""
ACTION_TIMEOUT_S = 300.0
"""A directory file of 10,000 people is 40,000 entries, recorded before the answer begins."""

_GROUPS: dict[str, type[CounterfoilError]] = {
    "request": RequestError,
    "unavailable": UnavailableError,
    "evidence": EvidenceError,
}


class _Entry(TypedDict):
    id: str
    index: int
    status: str
    receipt: str
    opening: NotRequired[dict[str, str] | None]


class _Entries(TypedDict):
    entries: list[_Entry]


class _Report(TypedDict):
    run: str
    counts: dict[str, int]
    warnings: list[str]
    entries: list[_Entry]


class _Receipt(TypedDict):
    index: int
    receipt: str


class _Trace(TypedDict):
    ref: str
    known: bool
    steps: list[dict[str, Any]]
    gaps: list[dict[str, Any]]
    actors: dict[str, str]
    cut: bool


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to another address."""

    def redirect_request(self, *_args: object, **_more: object) -> None:
        """Follow none: it ends as the answer it is."""
        return


class Client:
    """One server, one credential, one project."""

    def __init__(
        self, url: str, token: str, project: str, timeout_s: float = 30.0, certificate: str = ""
    ) -> None:
        """Take the server's base URL, such as `https://foil.example`.

        With `certificate`, a SHA-256 in hexadecimal, https goes on with that one and no other.

        Raises:
            RequestError: `usage`: no http or https URL, or a token that no header can carry.
        """
        parts = split_address(url)
        check_token(token)
        self._base = url.rstrip("/")
        self._token = token
        self._project = project
        self._timeout_s = timeout_s
        # A proxy setting never applies to this machine itself.
        handlers: list[urllib.request.BaseHandler] = [NoRedirect()]
        if parts.hostname in {"localhost", "127.0.0.1", "::1"}:
            handlers.append(urllib.request.ProxyHandler({}))
        if certificate:
            handlers.append(urllib.request.HTTPSHandler(context=PinnedContext(certificate)))
        self._opener = urllib.request.build_opener(*handlers)

    def record(self, events: Sequence[Event]) -> list[dict[str, Any]]:
        """Post one batch, all or nothing; return the answer of each event in order."""
        return self.post_batch([event.canonical for event in events])

    def post_batch(self, payloads: Sequence[bytes]) -> list[dict[str, Any]]:
        """Post events as they are written, all or nothing; return the answer of each in order.

        Raises:
            RequestError, UnavailableError, EvidenceError: as of `call`.
            UnavailableError: `unreachable` too when what came back has not an answer for each.
        """
        body = b"[" + b",".join(payloads) + b"]"
        answer = self.call("POST", "/v1/events", body=body, content_type=BATCH_CONTENT_TYPE)
        entries: list[dict[str, Any]] = self._read(answer, _Entries)["entries"]
        # Who sends from a spool removes it after this: fewer answers would be records lost.
        if len(entries) != len(payloads):
            raise self._foreign()
        return entries

    def report(self, content: bytes, query: Mapping[str, str]) -> dict[str, Any]:
        """Post one test report; return the per-record answer."""
        answer = self.call(
            "POST", "/v1/reports", query=query, body=content, content_type="application/xml",
            timeout_s=max(self._timeout_s, REPORT_TIMEOUT_S),
        )  # fmt: skip
        return self._read(answer, _Report)

    def act(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Do an action; see docs/http.md."""
        answer = self.call(
            "POST", f"/v1/actions/{name}", body=msgspec.json.encode(given),
            content_type="application/json", timeout_s=max(self._timeout_s, ACTION_TIMEOUT_S),
        )  # fmt: skip
        return self._read(answer, dict[str, Any])

    def put_blob(self, content: IO[bytes], digest: str, size_bytes: int) -> None:
        """Send evidence bytes that hash to `digest`, read from an open file piece by piece."""
        headers = {"Content-Length": str(size_bytes)}
        self.call("PUT", f"/v1/blobs/{digest}", body=content, content_type=OCTETS, headers=headers)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Get a JSON document."""
        return self._read(self.call("GET", path, query=query), dict[str, Any])

    def trace(self, ref: str, as_of: str) -> dict[str, Any]:
        """Return the trace of a ref; `as_of` "" asks for now."""
        query = {"ref": ref} | ({"as_of": as_of} if as_of else {})
        return self._read(self.call("GET", "/v1/trace", query=query), _Trace)

    def prove(self, what: str, as_of: str, *, with_people: bool) -> bytes:
        """Return the proof file of a ref or of `entry:N`."""
        number = what.removeprefix("entry:")
        query = {"entry": number} if number != what else {"ref": what}
        query |= ({"as_of": as_of} if as_of else {}) | ({"people": "yes"} if with_people else {})
        return self.call("GET", "/v1/prove", query=query)

    def search(self, query: str, as_of: str, cursor: str, limit: int) -> dict[str, Any]:
        """Return one page of what a query finds."""
        words = {"q": query, "as_of": as_of, "cursor": cursor, "limit": str(limit)}
        return self.get("/v1/search", {name: text for name, text in words.items() if text})

    def search_everywhere(self, query: str, limit: int) -> dict[str, Any]:
        """Return what a query finds in every log this token may read."""
        return self.get("/v1/search/everywhere", {"q": query, "limit": str(limit)})

    def receipt(self, index: int, as_of: str = "") -> bytes:
        """Return the receipt of an entry that was recorded by `as_of`."""
        moment = {"as_of": as_of} if as_of else {}
        return self._receipt(self.call("GET", f"/v1/entries/{index}/receipt", query=moment))

    def receipt_of(self, source: str, event_id: str, as_of: str = "") -> tuple[int, bytes]:
        """Return the entry number and receipt of an event that was recorded by `as_of`."""
        query = {"source": source, "id": event_id} | ({"as_of": as_of} if as_of else {})
        answer = self.call("GET", "/v1/receipts", query=query)
        found = self._read(answer, _Receipt)
        return found["index"], self._receipt(found["receipt"].encode())

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
                yield iter(partial(answer.readline, LINE_MAX_BYTES + 1), b"")
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
            f"{self._base}{path}?{urllib.parse.urlencode(words, errors='surrogateescape')}",
            data=body,
            method=method,
        )
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        return request

    def _unreachable(self, error: Exception) -> UnavailableError:
        return UnavailableError(
            "unreachable", f"no answer from {self._base}: {error}; try again later"
        )

    def _read(self, answer: bytes, shape: Any) -> dict[str, Any]:  # noqa: ANN401  a type of ours
        """Return an answer that has at least the members of `shape`, with all it has."""
        try:
            value: dict[str, Any] = msgspec.json.decode(answer)
            msgspec.convert(value, shape)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise self._foreign() from None
        return value

    def _receipt(self, answer: bytes) -> bytes:
        try:
            parse_receipt(answer)
        except EvidenceError:
            raise self._foreign() from None
        return answer

    def _foreign(self) -> UnavailableError:
        return UnavailableError(
            "unreachable", f"{self._base}: this is no answer of Counterfoil; check the address"
        )


def _problem(status: int, body: bytes) -> CounterfoilError:
    """Turn an RFC 9457 document back into the error it names."""
    try:
        problem = msgspec.json.decode(body)
        code = problem["code"]
        group = CODES[code][0]
        # One line that can be printed, whatever stands there.
        detail = "".join(
            char if char.isprintable() else " "
            for char in str(problem["detail"])[:DETAIL_LENGTH_MAX]
        )
    except (msgspec.MsgspecError, ValueError, LookupError, TypeError, RecursionError):
        return UnavailableError(
            "unreachable", f"the server answered {status} without saying why; try again later"
        )
    known = {"type", "title", "status", "detail", "code"}
    error = _GROUPS[group](code, detail)
    error.facts |= {
        name: value
        for name, value in problem.items()
        if name not in known and isinstance(value, str | int | bool)
    }
    return error
