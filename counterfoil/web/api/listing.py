"""What the calls that list one noun have in common: as of when, in which parts, which one.

Every row carries its entry numbers, and every answer says as of which entry it is, so that the
next question can be asked as of the same one.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool

from counterfoil.app.answers import Page
from counterfoil.app.read import Reader
from counterfoil.errors import UnavailableError
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
        int, msgspec.Meta(ge=-1, description="entry number the answer is as of; -1 before any")
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
ERRORS: Final = ("query_invalid", "busy")
SETTLE_S: Final = 2.0


def moment(call: Call) -> int:
    """Return the entry index to answer as of; blocking, for `SETTLE_S` at most.

    Without `?as_of=` that is the last entry, so whoever was answered 201 finds what they posted;
    should the views be behind for longer, it is the last entry they have reached.

    Raises:
        UnavailableError: `busy`: the views have not reached the moment that was asked for.
    """
    home, project, text = call.home, call.project, call.text("as_of")
    index = home.ledger.status(project).size - 1
    if text:
        index = home.reader.position(project, text)
    if home.follower.wait_for(project, index + 1, SETTLE_S):
        return index
    followed = home.follower.size(project) - 1
    if text:
        raise UnavailableError(
            "busy", f"entry {index} is recorded, the views have reached {followed}; ask again"
        )
    return followed


def listing(
    path: str,
    answer: type[Listing[T]],
    many: Callable[..., Page[T]],
    one: Callable[[Reader, str, str, int | None], T | None],
    *,
    summary: str,
    doc: str,
) -> Route:
    """Return the route that lists one noun.

    Args:
        path: of the call.
        answer: `Listing` of the type of a row.
        many: the reader's method that lists rows.
        one: the reader's method that returns the row of a ref.
        summary: one line.
        doc: what a caller needs to know.
    """

    def read(call: Call) -> Listing[T]:
        reader = call.home.reader
        as_of = moment(call)
        if ref := call.text("ref"):
            found = one(reader, call.project, ref, as_of)
            rows = () if found is None else (found,)
            return Listing(call.project, as_of, len(rows), rows, None)
        page = many(
            reader,
            call.project,
            as_of=as_of,
            cursor=call.text("cursor") or None,
            limit=call.number("limit") or LIMIT_DEFAULT,
        )
        return Listing(call.project, as_of, page.total, page.rows, page.cursor)

    async def handler(call: Call) -> Listing[T]:
        return await run_in_threadpool(read, call)

    return Route(
        method="GET",
        path=path,
        handler=handler,
        verb="read",
        summary=summary,
        doc=doc,
        params=PARAMS,
        answer=answer,
        errors=ERRORS,
    )
