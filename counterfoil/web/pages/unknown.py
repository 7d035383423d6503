"""A thing that is not on record: at the moment shown, or at all."""

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.errors import RequestError
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.frame import frame_of
from counterfoil.web.pages.render import render


def unknown_page(request: Request, context: Context, what: str, active: str) -> Response:
    """Answer 404 in the frame of the past, where the thing may be younger than the moment.

    Args:
        request: for the frame.
        context: for the moment.
        what: a ref, or "entry" and its number.
        active: path of the side list's entry the page belongs to.

    Raises:
        RequestError: `not_found` where the page is of now.
    """
    if context.as_of is None:
        raise RequestError("not_found", f"nothing is on record about {what}")
    moment = f"entry {words.number(context.as_of)}" if context.as_of >= 0 else "the start"
    frame = frame_of(request, context, active)
    return render(request, "unknown.html", status=404, frame=frame, what=what, moment=moment)
