"""The raw event under a log line: a part of a page, which static/raw.js asks for when it is opened.

Without scripts the same stands on the entry's own page, where the mark of the line leads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.answers import EntryView as Opened
from counterfoil.app.blobs import Look
from counterfoil.errors import RequestError
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.attachments import Attachment, attachments
from counterfoil.web.pages.entry import closed_words, event_text, index_of, looks_of
from counterfoil.web.pages.frame import links_of
from counterfoil.web.pages.parts import Links, RefChip, ref_chip
from counterfoil.web.pages.render import render

REFS_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class RawView:
    """The event as posted, as far as it can be opened, and where it leads."""

    index: int
    number: str
    text: str
    words: str
    href: str
    json_href: str
    receipt_href: str
    refs: tuple[RefChip, ...]
    refs_more: str
    files: tuple[Attachment, ...]


def build_raw(opened: Opened, looks: Mapping[str, Look], links: Links) -> RawView:
    """Build the part for one entry.

    Args:
        opened: the entry with everything that can be opened of it.
        looks: how the evidence files begin that are kept here, by digest.
        links: addresses.
    """
    text, said = event_text(opened)
    refs, more = opened.entry.refs, len(opened.entry.refs) - REFS_MAX
    return RawView(
        index=opened.index,
        number=words.number(opened.index),
        text=text,
        words=f"{said[0].upper()}{said[1:]}.{closed_words(opened)}",
        href=links.entry(opened.index),
        json_href=links.at(None).to(f"/v1/entries/{opened.index}"),
        receipt_href=links.at(None).to(f"/v1/entries/{opened.index}/receipt"),
        refs=tuple(ref_chip(each.ref, links) for each in refs[:REFS_MAX]),
        refs_more=f"and {words.number(more)} more" if more > 0 else "",
        files=attachments(opened, looks, links).kept,
    )


def raw_part(request: Request, context: Context) -> Response:
    """Answer GET /entries/{index}/raw: a part of a page, no page.

    Raises:
        RequestError: `not_found` for a number the log does not hold, or did not at that moment.
    """
    reader, index = context.home.reader, index_of(request)
    context.note_read("entry")
    if context.as_of is not None and index > context.as_of:
        raise RequestError("not_found", f"entry {index} was not recorded yet at that moment")
    opened = reader.entry(context.project, index, personal=context.opens_personal)
    view = build_raw(opened, looks_of(context, opened), links_of(context))
    return render(request, "raw.html", view=view)
