"""Errors as RFC 9457 problem documents: our stable `code`, one line, and the facts.

The HTTP status of a code stands in `errors.CODES` and nowhere else.  `type` points at the
code's line on this server's own /docs page.  What is no error of ours is answered with the
code `internal` and nothing about its cause: that goes to the server's own output.
"""

from typing import Annotated, Final

import msgspec
from starlette.responses import Response

from counterfoil.errors import CODES, CounterfoilError, UnavailableError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An error, in the form of RFC 9457.  Further members are the facts of the code."""

    type: Annotated[str, msgspec.Meta(description="where the code is described")]
    title: Annotated[str, msgspec.Meta(description="what the code means, always the same")]
    status: Annotated[int, msgspec.Meta(ge=400, le=599)]
    detail: Annotated[str, msgspec.Meta(description="what is wrong, with what, what to do next")]
    code: Annotated[str, msgspec.Meta(description="stable: programs branch on it")]
    position: Annotated[
        int | msgspec.UnsetType, msgspec.Meta(description="0-based place of the refused event")
    ] = msgspec.UNSET
    index: Annotated[
        int | msgspec.UnsetType, msgspec.Meta(description="entry number already recorded")
    ] = msgspec.UNSET


def status_of(error: CounterfoilError) -> int:
    """Return the HTTP status of an error's code."""
    return CODES[error.code][1]


def document_of(error: CounterfoilError) -> dict[str, object]:
    """Return the members of the problem document of `error`."""
    _, status, title = CODES[error.code]
    return {
        **error.facts,
        "type": f"/docs#error-{error.code}",
        "title": title,
        "status": status,
        "detail": error.message,
        "code": error.code,
    }


def problem(error: CounterfoilError, extra_headers: dict[str, str] | None = None) -> Response:
    """Answer with `error` as a problem document."""
    status = status_of(error)
    headers = {"cache-control": "no-store", **(extra_headers or {})}
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="counterfoil"'
    if isinstance(error, UnavailableError) and status == 503:
        headers["retry-after"] = str(RETRY_AFTER_S)
    return Response(
        msgspec.json.encode(document_of(error)),
        status_code=status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def internal() -> UnavailableError:
    """Return the error for a fault of ours."""
    return UnavailableError(
        "internal", "a fault of ours; try again, and if it stays, see the server's output"
    )
