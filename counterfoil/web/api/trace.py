"""GET /v1/trace: everything on record about a thing, in order, and what is missing."""

from typing import Final

from starlette.concurrency import run_in_threadpool

from counterfoil.app.answers import ShownTrace
from counterfoil.web.api.listing import moment
from counterfoil.web.api.route import AS_OF, Call, Param, Route


async def get_trace(call: Call) -> ShownTrace:
    """Answer with the steps and the gaps of a ref."""

    def read() -> ShownTrace:
        return call.home.reader.shown_trace(call.project, call.text("ref"), moment(call))

    return await run_in_threadpool(read)


ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/trace",
        handler=get_trace,
        verb="read",
        summary="The chain of a thing with its gaps",
        doc="From commit to production; what is missing stands in `gaps`, in words.",
        params=(
            Param(
                name="ref",
                doc="a ref, such as commit:acme/shop@9fceb02",
                required=True,
                example="commit:acme/shop@9fceb02",
            ),
            AS_OF,
        ),
        answer=ShownTrace,
        errors=("ref_invalid", "busy"),
    ),
)
