"""PUT and GET /v1/blobs/sha256:HEX: evidence by the digest of its content.

Both ways it goes piece by piece, so what is held in memory does not grow with a blob.  The bytes
are whatever somebody sent, so they are always a download, never a page of ours.
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from typing import Annotated, Final, Literal

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from counterfoil.app.blobs import BLOB_MAX_BYTES, KeptBlob
from counterfoil.errors import RequestError
from counterfoil.web.api.route import Body, Call, Param, Raw, Route
from counterfoil.web.security import drain, read_chunks

_OCTETS: Final = "application/octet-stream"
_STEP_BYTES: Final = 256 * 1024

SEALED_OFF: Final = {
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, max-age=31536000, immutable",
}
"""What an answer carries whose bytes are somebody else's; `nosniff` stands on every answer."""


class BlobAnswer(msgspec.Struct):
    """What became of a blob."""

    digest: Annotated[str, msgspec.Meta(description="what events name it by")]
    size_bytes: Annotated[int, msgspec.Meta(description="length of what was sent")]
    status: Annotated[
        Literal["kept", "duplicate"], msgspec.Meta(description="`duplicate`: kept here before")
    ]


async def put_blob(call: Call) -> BlobAnswer:
    """Keep the body, if it hashes to its name."""
    kept = await receive_blob(call, call.text("digest"))
    return BlobAnswer(kept.digest, kept.size_bytes, "duplicate" if kept.known else "kept")


async def receive_blob(call: Call, expected: str = "") -> KeptBlob:
    """Keep a request's body as a blob of the call's project.

    If it breaks off, is refused, or we crash, nothing of it is kept.

    Raises:
        RequestError: `blob_digest`, `blob_quota`, `body_too_large`, `request_timeout`.
    """
    chunks = read_chunks(call.request, BLOB_MAX_BYTES, call.served.pace)
    try:
        return await _receive(call, expected, chunks)
    except RequestError as error:
        if error.code == "blob_quota":
            with suppress(RequestError):
                await drain(chunks, call.served.pace.drain_s)
        raise


async def _receive(call: Call, expected: str, chunks: AsyncIterator[bytes]) -> KeptBlob:
    declared = call.request.headers.get("content-length", "")
    with ExitStack() as stack:
        receiving = await run_in_threadpool(
            stack.enter_context, call.home.blobs.receive(call.project, expected)
        )
        if declared.isdecimal() and int(declared) <= BLOB_MAX_BYTES:
            receiving.announce(int(declared))
        waiting = bytearray()
        async for chunk in chunks:
            waiting += chunk
            if len(waiting) >= _STEP_BYTES:
                await run_in_threadpool(receiving.add, bytes(waiting))
                waiting.clear()
        await run_in_threadpool(receiving.add, bytes(waiting))
        return await run_in_threadpool(receiving.keep)


async def get_blob(call: Call) -> Response:
    """Answer with the bytes; their digest is the name they were asked for by."""
    digest = call.text("digest")
    blobs = call.home.blobs
    await run_in_threadpool(blobs.require, call.project, digest)
    pieces = await run_in_threadpool(blobs.read, digest)
    call.home.recorder.readings.note(call.project, call.credential, "raw")
    headers = {
        **SEALED_OFF,
        "content-disposition": f'attachment; filename="{digest.replace(":", "-")}"',
        "content-length": str(await run_in_threadpool(blobs.size_bytes, digest)),
    }
    return StreamingResponse(pieces, headers=headers, media_type=_OCTETS)


_DIGEST: Final = Param(
    name="digest",
    where="path",
    doc="sha256: and 64 lower-case hex digits",
    pattern="sha256:[0-9a-f]{64}",
    maximum=71,
    example="sha256:" + "0" * 64,
)

ROUTES: Final = (
    Route(
        method="PUT",
        path="/v1/blobs/{digest}",
        handler=put_blob,
        verb="record",
        summary="Keep evidence bytes",
        doc="The body is kept as it comes, whatever its content type says.  Again is no error.  "
        "What no event names within 24 hours is removed.",
        params=(_DIGEST,),
        body=Body(
            media={_OCTETS: {"type": "string", "contentMediaType": _OCTETS}},
            limit_bytes=BLOB_MAX_BYTES,
            doc="100 MiB",
        ),
        answer=BlobAnswer,
        status=201,
        errors=("not_found", "blob_digest", "blob_quota", "read_only", "storage"),
    ),
    Route(
        method="GET",
        path="/v1/blobs/{digest}",
        handler=get_blob,
        verb="read",
        summary="Evidence bytes",
        params=(_DIGEST,),
        answer=Raw(media_type=_OCTETS, doc="the bytes as they were sent"),
        errors=("not_found", "missing", "damaged"),
    ),
)
