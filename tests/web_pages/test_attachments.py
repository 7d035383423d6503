"""Evidence files on pages: judged by their first bytes, shown whole, never let act."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.app.blobs import Look
from counterfoil.web.pages.attachments import (
    FILES_MAX,
    IMAGE_MAX_BYTES,
    PART_BYTES,
    attachments,
    image_type,
    is_text,
    shown_as,
    text_part,
)
from tests.web_pages import sample


def look(begin: bytes, size_bytes: int = 0) -> Look:
    return Look(begin, size_bytes or len(begin), sound=True)


@pytest.mark.parametrize(
    ("begin", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"GIF87a\1\0", "image/gif"),
        (b"GIF89a\1\0", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"<?xml version='1.0'?><svg/>", None),
        (b"<!doctype html>", None),
        (b" \x89PNG\r\n\x1a\n", None),
        (b"RIFF\x24\0\0\0WAVEfmt ", None),
        (b"\x89PNG", None),
        (b"", None),
    ],
)
def test_only_what_begins_as_an_image_is_one(begin: bytes, kind: str | None) -> None:
    """The name and the media type are whatever the sender says; these bytes are what it is."""
    assert image_type(begin) == kind


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        pytest.param(look(b"\x89PNG\r\n\x1a\n"), "image", id="an image"),
        pytest.param(look(b"\x89PNG\r\n\x1a\n", IMAGE_MAX_BYTES + 1), "", id="a huge image"),
        pytest.param(look(b"plain"), "text", id="text"),
        pytest.param(look("naïve".encode()), "text", id="text beyond ASCII"),
        pytest.param(look("naï".encode()[:-1], 90_000), "text", id="a character cut at the end"),
        pytest.param(look(b"<svg onload=alert(1)>"), "text", id="svg is text"),
        pytest.param(look(b"text\0and more"), "", id="a NUL"),
        pytest.param(look(b"caf\xe9 latin"), "", id="no UTF-8"),
        pytest.param(look(b"PK\x03\x04\0"), "", id="an archive"),
        pytest.param(look(b"", 0), "", id="nothing"),
    ],
)
def test_a_file_is_shown_as_what_it_is(found: Look, shown: str) -> None:
    assert shown_as(found) == shown


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.text(alphabet=st.sampled_from("aé€😀\u0301\n"), min_size=1, max_size=12))
def test_the_parts_of_a_text_together_are_the_text(piece: str) -> None:
    """A character that lies across two parts is in the first of them, once."""
    text = piece * (2 * PART_BYTES // len(piece.encode()) + 1)
    data = text.encode()
    parts = [
        text_part(data[start : start + PART_BYTES + 3], first=start == 0)
        for start in range(0, len(data), PART_BYTES)
    ]

    assert "".join(parts) == text
    assert is_text(data[:PART_BYTES])


def test_tabs_and_line_ends_are_no_boxes_and_broken_bytes_are_marked() -> None:
    assert (
        text_part(b"a\tb\r\nc\rd\xffe", first=True) == "a       b\nc\rd\N{REPLACEMENT CHARACTER}e"
    )


def test_what_never_came_is_a_gap_and_what_is_here_can_be_saved() -> None:
    shown = attachments(sample.OPENED, sample.LOOKS, sample.LINKS)

    assert shown.words == "5 files, 2 gaps"
    assert [(one.number, one.what) for one in shown.missing] == [
        (1, "statement.json is not here."),
        (5, "core can no longer be opened."),
    ]
    assert [(one.name, bool(one.image_href), bool(one.text_href)) for one in shown.kept] == [
        ("shot.png", True, False),
        ("server.log", False, True),
        ("trace.zip", False, False),
    ]
    assert all(one.save_href == f"/v1/blobs/{one.digest}" for one in shown.kept)
    assert "after the entry" in shown.kept[2].detail
    assert "after the entry" not in shown.kept[0].detail


def test_an_entry_with_countless_files_has_a_page_all_the_same() -> None:
    many = sample.OPENED.blobs * 20

    shown = attachments(dataclasses.replace(sample.OPENED, blobs=many), sample.LOOKS, sample.LINKS)

    assert len(shown.kept) + len(shown.missing) == FILES_MAX
    assert shown.more == f"and {len(many) - FILES_MAX} more"
