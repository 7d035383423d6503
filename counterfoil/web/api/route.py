"""What a call of the HTTP API is, as data: dispatch, OpenAPI, /docs and the tests read the same.

A route names its errors, so that a program can know before calling what may come back; a code
that a handler raises and its route does not name fails the tests.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.entrance import Entrance
from counterfoil.app.home import Home
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.policy.access import Credential
from counterfoil.web.identity import Door
from counterfoil.web.security import Pace
from counterfoil.web.site import Site
from counterfoil.web.told import Told

MIB: Final = 1024 * 1024
INDEX_MAX: Final = 2**53 - 1
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One parameter of a path, a query or a header.

    Args:
        name: as it stands in the request.
        where: which part of the request carries it.
        doc: one line.
        number: digits only, read as an int from 0 to `maximum`; text otherwise.
        maximum: greatest number, or greatest length of a text in characters.
        minimum: least number.
        pattern: regular expression the whole text matches.
        may_be_empty: "" is a value too.
        required: a request without it is refused; path parameters always are.
        example: a value that passes.
    """

    name: str
    where: Literal["path", "query", "header"] = "query"
    doc: str
    number: bool = False
    minimum: int = 0
    maximum: int = 1024
    pattern: str = ""
    may_be_empty: bool = False
    required: bool = False
    example: str | int | None = None

    def read(self, text: str) -> str | int:
        """Return the value of `text`.

        Raises:
            RequestError: `query_invalid`.
        """
        if self.number:
            if _NUMBER.fullmatch(text) and self.minimum <= int(text) <= self.maximum:
                return int(text)
            what = f"a number from {self.minimum} to {self.maximum}"
        else:
            fits = re.fullmatch(self.pattern, text) if self.pattern else text or self.may_be_empty
            if fits and len(text) <= self.maximum:
                return text
            what = self.doc
        raise RequestError("query_invalid", f"{self.name}={text[:64]!r} is not {what}")

    def schema(self) -> dict[str, JSON]:
        """Return the JSON Schema of the value."""
        least = 0 if self.may_be_empty else 1
        schema: dict[str, JSON] = {"type": "string", "minLength": least, "maxLength": self.maximum}
        if self.number:
            schema = {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
        if self.pattern:
            schema["pattern"] = f"^(?:{self.pattern})$"
        if self.example is not None:
            schema["examples"] = [self.example]
        return schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a call takes: media types with their JSON Schema, and how much of it."""

    media: Mapping[str, Mapping[str, JSON]]
    limit_bytes: int
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """An answer that is not JSON: its media type and what it is."""

    media_type: str
    doc: str


@dataclass(frozen=True, slots=True)
class Served:
    """What every call of one running server shares."""

    home: Home
    site: Site
    entrance: Entrance
    door: Door
    pace: Pace
    projects: frozenset[str]
    told: Told


@dataclass(frozen=True, slots=True)
class Call:
    """One request, after the door: who, which project, and the parameters, read and checked."""

    served: Served
    request: Request
    credential: Credential
    project: str
    values: Mapping[str, str | int]

    @property
    def home(self) -> Home:
        """The open ledger directory.  Its calls block: run them in a thread."""
        return self.served.home

    def text(self, name: str) -> str:
        """Return a text parameter, "" when it is absent."""
        return str(self.values.get(name, ""))

    def number(self, name: str) -> int | None:
        """Return a number parameter, None when it is absent."""
        value = self.values.get(name)
        return value if isinstance(value, int) else None


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One call of the API.

    Args:
        method: HTTP method; GET answers HEAD too.
        path: with `{name}` for path parameters, `{name:path}` for one that holds slashes.
        handler: takes a `Call`; returns a `Response`, or a value of type `answer`.
        verb: what the caller must be allowed (`policy.verbs`); "" where the handler asks, None
            opens it to everyone.
        summary: one line; `doc`: what a caller needs to know.
        params: besides `project`, which `/v1` calls take by themselves.
        body: what it takes, if it takes something.
        answer: type of the JSON answer, or what else it is.
        status: of a good answer.
        errors: codes it may answer with, besides those every call has.
    """

    method: str
    path: str
    handler: Handler
    verb: str | None
    summary: str
    doc: str = ""
    params: tuple[Param, ...] = ()
    body: Body | None = None
    answer: Any
    status: int = 200
    errors: tuple[str, ...] = ()
    also: Mapping[int, Raw] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How people write it: `GET /v1/runs`."""
        return f"{self.method} {self.public_path}"

    @property
    def public_path(self) -> str:
        """The path without what only the dispatcher needs."""
        return self.path.replace(":path}", "}")

    @property
    def takes_project(self) -> bool:
        """Whether `?project=` applies."""
        return self.path.startswith("/v1/")

    @property
    def all_params(self) -> tuple[Param, ...]:
        """Its parameters, `project` included."""
        return (*self.params, PROJECT) if self.takes_project else self.params

    @property
    def all_errors(self) -> tuple[str, ...]:
        """Every code it may answer with, but for those of `Guard` and faults of ours."""
        codes = set(self.errors)
        if self.verb is not None:
            codes |= {"token_missing", "token_invalid", "not_allowed"}
            if self.method != "GET":
                codes |= {"csrf"}
        if self.takes_project:
            codes |= {"project_invalid", "project_unknown"}
        if any(param.where != "path" for param in self.all_params):
            codes |= {"query_invalid"}
        if self.body is not None:
            codes |= {"content_type", "body_too_large", "request_timeout"}
        return tuple(sorted(codes))


PROJECT: Final = Param(
    name="project",
    doc="a project name; `default` when left out",
    pattern="[a-z0-9][a-z0-9-]{0,62}|_access",
    maximum=63,
    example="default",
)
AS_OF: Final = Param(
    name="as_of",
    doc=(
        "answer as known at this entry (its number) or at this moment: RFC 3339, or a date with"
        " or without hours and minutes in UTC; a date alone is the end of that day"
    ),
    pattern=(
        r"0|[1-9][0-9]{0,14}|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,4}"
        r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?"
        r"|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]{8,18}(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
    ),
    maximum=40,
    example="0",
)
CURSOR: Final = Param(name="cursor", doc="the `next` of the part before", maximum=512)
LIMIT: Final = Param(
    name="limit", doc="rows in one part", number=True, minimum=1, maximum=500, example=50
)
LIMIT_DEFAULT: Final = 50
INDEX: Final = Param(
    name="index",
    where="path",
    doc="entry number, from 0",
    number=True,
    maximum=INDEX_MAX,
    example=0,
)

__all__ = [
    "AS_OF", "CURSOR", "INDEX", "LIMIT", "LIMIT_DEFAULT", "MIB", "PROJECT", "Body", "Call",
    "Handler", "Param", "Raw", "Response", "Route", "Served",
]  # fmt: skip
