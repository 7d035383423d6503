"""GET /v1/changed: what changed since, of a run, of a chain, of the tests of a log."""

from typing import Final

from starlette.concurrency import run_in_threadpool

from counterfoil.app.changed import Changed, changed
from counterfoil.web.api.listing import moment
from counterfoil.web.api.route import AS_OF, Call, Param, Route


async def get_changed(call: Call) -> Changed:
    """Answer with the differences, each with its entry numbers."""

    def read() -> Changed:
        reader = call.home.reader
        return changed(reader, call.project, call.text("ref"), call.text("since"), moment(call))

    return await run_in_threadpool(read)


ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/changed",
        handler=get_changed,
        verb="read",
        summary="What changed since",
        doc=(
            "A run against the last green run of the same name: tests that turned, came, went;"
            " commit and environment.  A release against the one of its name before it.  Both with"
            " the commits and changes between.  Anything else: its chain at two moments.  Without `ref`:"
            " the tests that turned."
        ),
        params=(
            Param(name="ref", doc="a run, a release, or anything with a chain", maximum=1024),
            Param(
                name="since",
                doc="an entry number or a time; for a run or release also another one, or nothing",
                maximum=1024,
                example="0",
            ),
            AS_OF,
        ),
        answer=Changed,
        errors=("not_found", "ref_invalid", "busy"),
    ),
)
