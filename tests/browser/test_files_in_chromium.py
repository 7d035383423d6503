"""Evidence files in a real browser: images appear, and nothing hostile ever runs or renders."""

import hashlib
import re

import pytest

from tests.browser.conftest import Watched
from tests.web_server import Running, event

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
PAGE = b"<!doctype html><title>taken</title><script>document.title = 'ran'</script>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.fixture(scope="module")
def entry(served: Running) -> int:
    """An entry that names an image, a page, an SVG, and a page that begins as an image."""
    blobs = []
    for content in (PNG, PAGE, SVG, b"GIF89a" + PAGE):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert served.call("PUT", f"/v1/blobs/{digest}", content).status == 201
        blobs.append({"digest": digest, "name": "shot.png", "mediatype": "image/png"})
    posted = served.call("POST", "/v1/events", event(data={"blobs": blobs}))
    return int(posted.json()["entries"][0]["index"])


def test_an_image_appears_on_its_entry(watched: Watched, entry: int) -> None:
    page = watched.open(f"/entries/{entry}")
    image = page.locator("#files img").first
    image.scroll_into_view_if_needed()
    # Complete is also said of an image that has not begun to load: one that did has a size.
    loaded = "image => image.decode().then(() => image.naturalWidth)"

    assert image.evaluate(loaded) == 1


def test_a_page_as_evidence_is_read_as_text(watched: Watched, entry: int) -> None:
    page = watched.open(f"/entries/{entry}/files/1")

    assert "<script>document.title" in page.inner_text("pre")
    assert page.title() not in {"taken", "ran"}
    assert watched.complaints == []


@pytest.mark.parametrize("place", [1, 2, 3])
def test_saving_hostile_evidence_renders_nothing(watched: Watched, entry: int, place: int) -> None:
    """Its address is one of ours: opened as a page, it would act as us."""
    page = watched.open(f"/entries/{entry}")
    address = page.locator("#files a[download]").nth(place).get_attribute("href")
    assert address is not None
    assert re.fullmatch(r"/v1/blobs/sha256:[0-9a-f]{64}", address)

    with page.expect_download() as download:
        page.evaluate("address => { location.href = address }", address)

    assert download.value.suggested_filename.startswith("sha256-")
    assert page.url.endswith(f"/entries/{entry}")


def test_a_page_that_begins_as_an_image_stays_an_image(watched: Watched, entry: int) -> None:
    page = watched.open(f"/entries/{entry}/files/3/image")

    assert page.evaluate("document.contentType") == "image/gif"
    assert page.title() not in {"taken", "ran"}
