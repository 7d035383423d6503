"""GET /v1/search and /v1/search.csv: entries by who, what, when and how."""

import dataclasses
from typing import Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.app.everywhere import Everywhere, readable, search_everywhere
from counterfoil.app.search_answers import Found
from counterfoil.projections.search import LENGTH_MAX
from counterfoil.projections.search_csv import to_csv
from counterfoil.web.api.listing import moment
from counterfoil.web.api.route import (
    AS_OF,
    CURSOR,
    LIMIT,
    LIMIT_DEFAULT,
    Call,
    Param,
    Raw,
    Route,
)

CSV_TYPE: Final = "text/csv; charset=utf-8"
QUERY: Final = Param(
    name="q",
    doc="words: actor: type: ref: outcome: since: until: via: source: and text; all if left out",
    maximum=LENGTH_MAX,
    # A form with nothing in it asks for everything.
    may_be_empty=True,
    example="outcome:failed since:7d",
)
# An entry number of one log says nothing in another.
AT: Final = Param(
    name="as_of",
    doc="answer as known at this moment, RFC 3339",
    pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]{8,18}(?:[Zz]|[+-][0-9]{2}:[0-9]{2})",
    maximum=40,
    example="2026-11-20T12:00:00Z",
)
_PARAMS: Final = (QUERY, AS_OF, CURSOR, LIMIT)
_ERRORS: Final = ("query_invalid", "busy")


def _read(call: Call) -> Found:
    return call.home.reader.search(
        call.project,
        call.text("q"),
        as_of=moment(call),
        cursor=call.text("cursor") or None,
        limit=call.number("limit") or LIMIT_DEFAULT,
    )


async def get_search(call: Call) -> Found:
    """Answer with a part of what matches, and counts of all of it."""
    return await run_in_threadpool(_read, call)


async def get_search_everywhere(call: Call) -> Everywhere:
    """Answer with what matches in every log the caller may read."""

    def read() -> Everywhere:
        projects = readable(call.home, call.credential)
        if not projects:
            call.home.access.require(call.credential, "read", call.project)
        limit = call.number("limit") or LIMIT_DEFAULT
        return search_everywhere(
            call.home.reader, projects, call.text("q"), limit, at=call.text("as_of")
        )

    return await run_in_threadpool(read)


async def get_search_csv(call: Call) -> Response:
    """Answer with a part of what matches as CSV; the rest is behind a `Link`."""

    def read() -> Response:
        found = _read(call)
        content = to_csv(msgspec.to_builtins(found.items))
        what = f"search {call.text('q')[:200]!r} as CSV"
        size_bytes = len(content.encode())
        call.home.recorder.export(call.project, call.credential, what, size_bytes, people=True)
        answer = Response(
            content,
            media_type=CSV_TYPE,
            headers={"content-disposition": 'attachment; filename="search.csv"'},
        )
        if found.next is not None:
            url = call.request.url.include_query_params(cursor=found.next, as_of=found.as_of)
            answer.headers["link"] = f'<{url.path}?{url.query}>; rel="next"'
        return answer

    return await run_in_threadpool(read)


_JSON: Final = Route(
    method="GET",
    path="/v1/search",
    handler=get_search,
    verb="read",
    summary="Find entries by who, what, when and how",
    doc="The newest first. Facets count each field without its own words; the histogram counts "
    "without `since:` and `until:`. A word that is off is refused with its `position`.",
    params=_PARAMS,
    answer=Found,
    errors=_ERRORS,
)

ROUTES: Final = (
    _JSON,
    Route(
        method="GET",
        path="/v1/search/everywhere",
        handler=get_search_everywhere,
        verb="",
        summary="Find entries in every log you may read",
        doc="The newest first, each with its log: a person over all accounts and projects, the "
        "whole life of a token.",
        params=(QUERY, AT, LIMIT),
        answer=Everywhere,
        errors=_ERRORS,
    ),
    dataclasses.replace(
        _JSON,
        path="/v1/search.csv",
        handler=get_search_csv,
        verb="export",
        summary="The same as CSV",
        doc="One line an entry. Cells that a spreadsheet would run begin with an apostrophe.",
        answer=Raw(media_type=CSV_TYPE, doc="the entries, with a line of names"),
    ),
)
