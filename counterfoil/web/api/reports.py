"""POST /v1/reports: a test report in, one receipt per test and one for the run.

The bytes are kept as evidence; a large body goes through a temporary file, so that what is held
in memory is the report once, not its pieces and the report.
"""

import tempfile
from typing import IO, Annotated, Final

import msgspec
from starlette.concurrency import run_in_threadpool

from counterfoil.app import intake
from counterfoil.errors import RequestError
from counterfoil.web.api.events import RECORD_ERRORS, EntryAnswer, entry_answer
from counterfoil.web.api.route import MIB, Body, Call, Param, Route
from counterfoil.web.security import media_type, only, read_chunks

BODY_MAX_BYTES: Final = 100 * MIB
_IN_MEMORY_BYTES: Final = MIB
_MEDIA_TYPES: Final = ("application/xml", "text/xml")


class ReportAnswer(msgspec.Struct):
    """What became of a report."""

    run: Annotated[str, msgspec.Meta(description="ref of the run")]
    counts: Annotated[dict[str, int], msgspec.Meta(description="cases by outcome, as reported")]
    warnings: Annotated[list[str], msgspec.Meta(description="what was odd about the report")]
    entries: Annotated[
        list[EntryAnswer], msgspec.Meta(description="one per case in its order, then the run")
    ]


async def post_report(call: Call) -> ReportAnswer:
    """Record a JUnit report."""
    if media_type(call.request) not in _MEDIA_TYPES:
        raise RequestError("content_type", f"a report is {only(_MEDIA_TYPES)}; name it as that")
    options = msgspec.convert(
        {param.name: call.text(param.name) for param in _PARAMS}, intake.ReportOptions
    )
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
        async for chunk in read_chunks(call.request, BODY_MAX_BYTES, call.served.pace):
            await run_in_threadpool(file.write, chunk)
        content = await run_in_threadpool(_whole, file)
    found = await run_in_threadpool(
        intake.report, call.home, call.project, content, options, call.credential, "api"
    )
    return ReportAnswer(
        run=found.run,
        counts=dict(found.counts),
        warnings=list(found.warnings),
        entries=[entry_answer(answer) for answer in found.answers],
    )


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


_PARAMS: Final = (
    Param(name="run", doc="ref of the run, such as run:acme/shop/1874; else made from the digest"),
    Param(name="commit", doc="the commit under test: a ref, or OWNER/REPO@HEX"),
    Param(name="environment", doc="where the tests ran", maximum=200),
    Param(name="name", doc="what to call the run", maximum=200),
    Param(name="allow_empty", doc="`true` records a report without tests", pattern="true|false"),
)

ROUTES: Final = (
    Route(
        method="POST",
        path="/v1/reports",
        handler=post_report,
        verb="report",
        summary="Record a test report",
        doc="JUnit XML as any tool writes it.  The same report again is answered with its entries.",
        params=_PARAMS,
        body=Body(
            media={
                name: {"type": "string", "description": "a JUnit XML report"}
                for name in _MEDIA_TYPES
            },
            limit_bytes=BODY_MAX_BYTES,
            doc="100 MiB",
        ),
        answer=ReportAnswer,
        status=201,
        errors=(
            *RECORD_ERRORS, "report_not_xml", "report_truncated", "report_doctype",
            "report_limit", "report_unknown", "report_empty", "ref_invalid", "attribute_invalid",
        ),
    ),
)  # fmt: skip
