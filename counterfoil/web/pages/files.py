"""One evidence file of an entry: an image for the page to show, or text in parts of 64 KiB.

What must hold: no byte somebody sent is ever interpreted as a document under our name.  Images
go out as the type their first bytes prove, with a policy that lets them do nothing; text is
escaped into a page of ours.
"""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from counterfoil.app.answers import BlobView
from counterfoil.app.blobs import Look
from counterfoil.errors import RequestError
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.attachments import PART_BYTES, describe, image_type, shown_as, text_part
from counterfoil.web.pages.entry import index_of
from counterfoil.web.pages.frame import frame_of, links_of
from counterfoil.web.pages.parts import Links
from counterfoil.web.pages.render import render

SANDBOX: Final = {
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "content-disposition": "inline",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, max-age=3600",
}
_CUT_BYTES: Final = 3


@dataclass(frozen=True, slots=True)
class FilePage:
    """One part of a text."""

    name: str
    entry: str
    entry_href: str
    detail: str
    digest: str
    save_href: str
    part: str
    text: str
    before_href: str
    after_href: str


def build_file(
    index: int, position: int, blob: BlobView, look: Look, data: bytes, part: int, links: Links
) -> FilePage:
    """Build the page of one part of a text.

    Args:
        index: number of the entry.
        position: the file's place in it, from 0.
        blob: how the event names it.
        look: how it begins.
        data: the bytes of the part and three more, as far as there are any.
        part: which one, from 1.
        links: addresses.
    """
    parts = parts_of(look.size_bytes)
    place = f"/entries/{index}/files/{position}"
    return FilePage(
        name=blob.name.name or "unnamed file",
        entry=words.number(index),
        entry_href=links.entry(index),
        detail=describe(look, late=blob.stored is None),
        digest=blob.name.digest,
        save_href=links.at(None).to(f"/v1/blobs/{blob.name.digest}"),
        part=f"part {words.number(part)} of {words.number(parts)}",
        text=text_part(data, first=part == 1),
        before_href=links.to(place, part=part - 1) if part > 1 else "",
        after_href=links.to(place, part=part + 1) if part < parts else "",
    )


def parts_of(size_bytes: int) -> int:
    """Return in how many parts a text of that size is shown."""
    return max(-(-size_bytes // PART_BYTES), 1)


def file_page(request: Request, context: Context) -> Response:
    """Answer GET /entries/{index}/files/{position}?part=N: text, from part 1.

    Raises:
        RequestError: `not_found`: no such entry, file or part, or no text.
    """
    index, position, blob, look = _find(request, context)
    context.note_read("raw")
    if shown_as(look) != "text":
        raise RequestError("not_found", "this file is no text; save it to look at it")
    part = _number(request.query_params.get("part", "1"))
    if not 1 <= part <= parts_of(look.size_bytes):
        raise RequestError("not_found", f"the file has {parts_of(look.size_bytes)} parts")
    start = (part - 1) * PART_BYTES
    data = context.home.blobs.part(blob.name.digest, start, PART_BYTES + _CUT_BYTES)
    view = build_file(index, position, blob, look, data, part, links_of(context))
    return render(request, "file.html", frame=frame_of(request, context, "/log"), view=view)


def file_image(request: Request, context: Context) -> Response:
    """Answer GET /entries/{index}/files/{position}/image: the bytes, as the image they are.

    Raises:
        RequestError: `not_found`: no such entry or file, or no image.
    """
    _, _, blob, look = _find(request, context)
    context.note_read("raw")
    media_type = image_type(look.begin)
    if media_type is None or shown_as(look) != "image":
        raise RequestError("not_found", "this file is no image that is shown; save it")
    pieces = context.home.blobs.read(blob.name.digest)
    headers = {**SANDBOX, "content-length": str(look.size_bytes)}
    return StreamingResponse(pieces, headers=headers, media_type=media_type)


def _find(request: Request, context: Context) -> tuple[int, int, BlobView, Look]:
    """Return entry number, place, and the file there, if it is kept and opens."""
    index, position = index_of(request), _number(request.path_params["position"])
    reader = context.home.reader
    size = reader.health(context.project).size
    if index >= size or (context.as_of is not None and index > context.as_of):
        raise RequestError("not_found", f"entry {index} is not in the log at this moment")
    blobs = reader.entry(context.project, index).blobs
    if position >= len(blobs):
        raise RequestError("not_found", f"entry {index} names {words.count(len(blobs), 'file')}")
    look = context.home.blobs.look(context.project, blobs[position].name.digest)
    if look is None or not look.sound:
        raise RequestError("not_found", "the bytes of this file are not here; see its entry")
    return index, position, blobs[position], look


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise RequestError("not_found", f"{text[:40]!r} is no number of a file or part")
    return int(text)
