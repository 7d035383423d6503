"""Evidence files as pages show them: what their own first bytes say they are, never their name.

Pure.  What must hold: only what begins as PNG, JPEG, GIF or WebP does is ever named as an image
to a browser; everything else is escaped text of ours, or a download.  SVG is no image here: it
is a document that can hold scripts.

Source: WHATWG MIME Sniffing section 6.1 (the image patterns); docs/adr/0015-blobs-in-chunks.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from counterfoil.app.answers import EntryView
from counterfoil.app.blobs import Look
from counterfoil.web.pages import words
from counterfoil.web.pages.parts import Links

FILES_MAX: Final = 24
IMAGE_MAX_BYTES: Final = 10 * 1024 * 1024
PART_BYTES: Final = 64 * 1024
TAB_WIDTH: Final = 8
_UTF8_MAX_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Attachment:
    """One evidence file; an empty address is a thing that cannot be done with it."""

    number: int
    name: str
    detail: str
    digest: str
    image_href: str
    text_href: str
    save_href: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A file the event names whose bytes are not here, or are not what they were."""

    number: int
    what: str
    why: str
    digest: str


@dataclass(frozen=True, slots=True)
class Attachments:
    """The evidence files of one entry, in the order the event names them."""

    words: str
    kept: tuple[Attachment, ...]
    missing: tuple[Missing, ...]
    more: str


def attachments(opened: EntryView, looks: Mapping[str, Look], links: Links) -> Attachments:
    """Say what the files of an entry are.

    Args:
        opened: the entry.
        looks: how the files begin that are kept here, by digest.
        links: addresses.
    """
    shown = opened.blobs[:FILES_MAX]
    kept: list[Attachment] = []
    missing: list[Missing] = []
    for position, blob in enumerate(shown):
        look = looks.get(blob.name.digest)
        if look is not None and look.sound:
            place = f"/entries/{opened.index}/files/{position}"
            detail = describe(look, late=blob.stored is None)
            kept.append(
                _kept(position, blob.name.name, blob.name.digest, detail, look, place, links)
            )
        else:
            missing.append(_missing(position, blob.name.name, blob.name.digest, look))
    count, gone = len(opened.blobs), len(missing)
    return Attachments(
        words=words.count(count, "file") + (f", {words.count(gone, 'gap')}" if gone else ""),
        kept=tuple(kept),
        missing=tuple(missing),
        more=f"and {words.number(count - FILES_MAX)} more" if count > FILES_MAX else "",
    )


def image_type(begin: bytes) -> str | None:
    """Return the media type of an image by its first bytes, None for everything else.

    >>> image_type(b"GIF89a..."), image_type(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    ('image/gif', None)
    """
    if begin.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if begin.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if begin.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if begin[:4] == b"RIFF" and begin[8:14] == b"WEBPVP":
        return "image/webp"
    return None


def is_text(begin: bytes) -> bool:
    """Say whether bytes begin as UTF-8 text does; a character cut at the end is no objection."""
    if b"\0" in begin:
        return False
    for cut in range(_UTF8_MAX_BYTES):
        try:
            begin[: len(begin) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return True
    return False


def shown_as(look: Look) -> str:
    """Return what a page may do with a file: `image`, `text`, or `` for a download alone."""
    if image_type(look.begin) is not None:
        return "image" if look.size_bytes <= IMAGE_MAX_BYTES else ""
    return "text" if look.size_bytes and is_text(look.begin) else ""


def text_part(data: bytes, *, first: bool) -> str:
    """Return a part of a text as it is shown.

    Args:
        data: the bytes of the part, and up to 3 more behind it, for a character cut there.
        first: it is the first part; otherwise what is left of a character of the part before,
            and shown there, is left out here.

    Tabs become spaces and CR LF becomes LF: on a page they would be boxes.  What is no UTF-8
    becomes U+FFFD.
    """
    start = 0
    if not first:
        while start < min(_UTF8_MAX_BYTES - 1, len(data)) and _continues(data[start]):
            start += 1
    end = min(PART_BYTES, len(data))
    while end < len(data) and _continues(data[end]):
        end += 1
    text = data[start:end].decode("utf-8", "replace")
    return text.replace("\r\n", "\n").expandtabs(TAB_WIDTH)


def describe(look: Look, *, late: bool) -> str:
    """Say what a kept file is, in words."""
    kind = image_type(look.begin) or ("text" if is_text(look.begin) else "bytes")
    if not look.size_bytes:
        kind = "empty"
    said = f"{kind}, {words.count(look.size_bytes, 'byte')}"
    return f"{said}; it arrived after the entry, which names its digest" if late else said


def _kept(
    position: int, name: str, digest: str, detail: str, look: Look, place: str, links: Links
) -> Attachment:
    shown = shown_as(look)
    return Attachment(
        number=position + 1,
        name=name or "unnamed file",
        detail=detail,
        digest=digest,
        image_href=links.to(f"{place}/image") if shown == "image" else "",
        text_href=links.to(place) if shown == "text" else "",
        save_href=links.at(None).to(f"/v1/blobs/{digest}"),
    )


def _missing(position: int, name: str, digest: str, look: Look | None) -> Missing:
    named = name or "An unnamed file"
    if look is None:
        what = f"{named} is not here."
        why = "The event names its digest, and the bytes never arrived or are gone. Whoever has "
        why += "them can still send them: they are recognised by the digest."
    else:
        what = f"{named} can no longer be opened."
        why = "Its stored bytes are not those that were kept. Run verify, and restore a backup."
    return Missing(position + 1, what, why, digest)


def _continues(byte: int) -> bool:
    return byte & 0xC0 == 0x80
