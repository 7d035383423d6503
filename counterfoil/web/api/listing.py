"""What the calls that list one noun have in common: as of when, in which parts, which one.

Every row carries its entry numbers.  Without `as_of` the answer is as of the last entry the
views have followed, and says which: the next question can be asked as of the same entry.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool

from counterfoil.app.read import Reader
from counterfoil.web.api.route import (
    AS_OF,
    CURSOR,
    LIMIT,
    LIMIT_DEFAULT,
    Call,
    Param,
    Route,
)

T = TypeVar("T")


class Listing(msgspec.Struct, Generic[T]):
    """A part of a list."""

    project: str
    as_of: Annotated[
        int | None,
        msgspec.Meta(description="entry number the answer is as of; null for as far as followed"),
    ]
    total: Annotated[int, msgspec.Meta(ge=0, description="rows in all parts together")]
    items: Sequence[T]
    next: Annotated[
        str | None, msgspec.Meta(description="`cursor` of the next part; null at the end")
    ]


REF: Final = Param(
    name="ref", doc="only the row of this ref, such as run:acme/shop/1874", maximum=1024
)
PARAMS: Final = (REF, AS_OF, CURSOR, LIMIT)
ERRORS: Final = ("query_invalid",)


def moment(call: Call) -> int | None:
    """Return the entry index of `?as_of=`, None when it is absent; blocking."""
    text = call.text("as_of")
    return call.home.reader.position(call.project, text) if text else None


def listing(path: str, noun: str, row: Any, summary: str, doc: str = "") -> Route:  # noqa: ANN401
    """Return the route that lists one noun.

    Args:
        path: of the call.
        noun: name of the reader's list method; without its `s`, of the one that returns a row.
        row: type of a row.
        summary: one line.
        doc: what a caller needs to know.
    """

    def read(call: Call) -> Listing[Any]:
        reader: Reader = call.home.reader
        as_of = moment(call)
        if ref := call.text("ref"):
            found = getattr(reader, noun.removesuffix("s"))(call.project, ref, as_of)
            rows = [] if found is None else [found]
            return Listing(call.project, as_of, len(rows), rows, None)
        page = getattr(reader, noun)(
            call.project,
            as_of=as_of,
            cursor=call.text("cursor") or None,
            limit=call.number("limit") or LIMIT_DEFAULT,
        )
        return Listing(call.project, as_of, page.total, page.rows, page.cursor)

    async def handler(call: Call) -> Listing[Any]:
        return await run_in_threadpool(read, call)

    answer: Callable[[Call], Awaitable[Any]] = handler
    return Route(
        method="GET",
        path=path,
        handler=answer,
        verb="read",
        summary=summary,
        doc=doc,
        params=PARAMS,
        answer=Listing[row],
        errors=ERRORS,
    )
