"""GET /v1/blobs/sha256:HEX: evidence by the digest of its content.

The bytes are whatever somebody sent, so they are always a download, never a page of ours.
"""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.web.api.route import Call, Param, Raw, Route

_OCTETS: Final = "application/octet-stream"


async def get_blob(call: Call) -> Response:
    """Answer with the bytes; their digest is the name they were asked for by."""
    digest = call.text("digest")
    content = await run_in_threadpool(call.home.recorder.get_blob, digest)
    headers = {
        "content-disposition": f'attachment; filename="{digest.replace(":", "-")}"',
        "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
        "cache-control": "private, max-age=31536000, immutable",
    }
    return Response(content, headers=headers, media_type=_OCTETS)


ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/blobs/{digest}",
        handler=get_blob,
        verb="read",
        summary="Evidence bytes",
        params=(
            Param(
                name="digest",
                where="path",
                doc="sha256: and 64 lower-case hex digits",
                pattern="sha256:[0-9a-f]{64}",
                maximum=71,
                example="sha256:" + "0" * 64,
            ),
        ),
        answer=Raw(media_type=_OCTETS, doc="the bytes as they were sent"),
        errors=("not_found", "missing", "damaged"),
    ),
)
