"""POST /v1/reports: a test report in, one receipt per test and one for the run.

The bytes are kept as evidence while they come, read from there, and recorded part by part; the
answer gathers in a temporary file.  What is held in memory does not grow with the report.
"""

import os
import tempfile
from collections.abc import Iterator
from typing import IO, Annotated, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from counterfoil.app import intake
from counterfoil.app.blobs import BLOB_MAX_BYTES
from counterfoil.errors import RequestError
from counterfoil.events.naming import BlobName
from counterfoil.web.api.blobs import receive_blob
from counterfoil.web.api.events import RECORD_ERRORS
from counterfoil.web.api.posted import EntryAnswer, entry_answer
from counterfoil.web.api.route import MIB, Body, Call, Param, Route
from counterfoil.web.security import media_type, only

_IN_MEMORY_BYTES: Final = MIB
_STEP_BYTES: Final = 256 * 1024
_NO_ENTRIES: Final = b"[]}"
_MEDIA_TYPES: Final = ("application/xml", "text/xml")


class ReportAnswer(msgspec.Struct):
    """What became of a report."""

    run: Annotated[str, msgspec.Meta(description="ref of the run")]
    counts: Annotated[dict[str, int], msgspec.Meta(description="cases by outcome, as reported")]
    warnings: Annotated[list[str], msgspec.Meta(description="what was odd about the report")]
    entries: Annotated[
        list[EntryAnswer], msgspec.Meta(description="one per case in its order, then the run")
    ]


async def post_report(call: Call) -> Response:
    """Record a JUnit report; answers with a `ReportAnswer`."""
    if media_type(call.request) not in _MEDIA_TYPES:
        raise RequestError("content_type", f"a report is {only(_MEDIA_TYPES)}; name it as that")
    options = msgspec.convert(
        {param.name: call.text(param.name) for param in _PARAMS}, intake.ReportOptions
    )
    kept = await receive_blob(call)
    blob = intake.report_blob(kept.digest, options)
    file = await run_in_threadpool(_record, call, blob, options)
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    return StreamingResponse(
        _pieces(file),
        status_code=201,
        headers={"content-length": str(size_bytes)},
        media_type="application/json",
    )


def _record(call: Call, blob: BlobName, options: intake.ReportOptions) -> IO[bytes]:
    """Record a kept report and return the JSON of the answer, from a part of entries to a part."""
    report = intake.Report(call.home, call.project, blob, options, call.credential, "api")
    encoder = msgspec.json.Encoder()
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  handed on
    try:
        head = ReportAnswer(report.run, dict(report.counts), list(report.warnings), [])
        # The entries come last: their list is closed when the last of them is recorded.
        file.write(encoder.encode(head).removesuffix(_NO_ENTRIES))
        separator = b"["
        for answers in report.record():
            for answer in answers:
                file.write(separator + encoder.encode(entry_answer(answer)))
                separator = b","
        file.write(b"]}")
    except BaseException:
        file.close()
        raise
    return file


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_STEP_BYTES):
            yield piece


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
            limit_bytes=BLOB_MAX_BYTES,
            doc="100 MiB",
        ),
        answer=ReportAnswer,
        status=201,
        errors=(
            *RECORD_ERRORS, "report_not_xml", "report_truncated", "report_doctype",
            "report_limit", "report_unknown", "report_empty", "ref_invalid", "attribute_invalid",
            "blob_quota",
        ),
    ),
)  # fmt: skip
