"""Evidence files on the entry page of a real server, and what hostile ones come out as."""

import hashlib
import re

import pytest

from counterfoil.app import signin
from counterfoil.clock import SystemClock
from counterfoil.ids import SystemRandomness
from tests.web_server import Reply, Running, event

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
HOSTILE = "<script>alert(1)</script>\n</pre><img src=x onerror=alert(2)>\u202egnp\x1b[31m\n"


@pytest.fixture(scope="module")
def cookie(web: Running) -> str:
    """A person who signed in by the link."""
    home = web.home
    link = signin.make_link(home.state, SystemClock(), SystemRandomness(), f"http://{web.host}")
    token = re.split(r"[/=]", link)[-1]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = web.call("POST", "/sign-in", f"token={token}".encode(), form, token=None)
    return reply.headers["set-cookie"].partition(";")[0]


def record(web: Running, *contents: bytes | None) -> int:
    """Record an event that names files; None is one that never came."""
    blobs = []
    for number, content in enumerate(contents):
        digest = f"sha256:{hashlib.sha256(content or b'never').hexdigest()}"
        if content is not None:
            assert web.call("PUT", f"/v1/blobs/{digest}", content).status == 201
        blobs.append({"digest": digest, "name": f"file {number}<b>", "mediatype": "text/html"})
    [entry] = web.call("POST", "/v1/events", event(data={"blobs": blobs})).json()["entries"]
    return int(entry["index"])


def page(web: Running, path: str, cookie: str) -> Reply:
    return web.call("GET", path, headers={"Cookie": cookie}, token=None)


def test_the_entry_page_shows_images_offers_text_and_names_gaps(web: Running, cookie: str) -> None:
    index = record(web, PNG, b"a log\n", None, b"\0\1\2")

    shown = page(web, f"/entries/{index}", cookie).body.decode()

    assert f'<img class="shown" src="/entries/{index}/files/0/image"' in shown
    assert f'href="/entries/{index}/files/1"' in shown
    assert "is not here." in shown
    assert "4 files, 1 gap" in shown
    assert "file 0&lt;b&gt;" in shown
    assert "<b>file" not in shown.replace("&lt;b&gt;", "").replace("<b>File", "")


def test_an_image_goes_out_as_what_its_bytes_are_and_can_do_nothing(
    web: Running, cookie: str
) -> None:
    index = record(web, PNG)

    image = page(web, f"/entries/{index}/files/0/image", cookie)

    assert image.body == PNG
    assert image.headers["content-type"] == "image/png"
    assert image.headers["x-content-type-options"] == "nosniff"
    assert image.headers["content-security-policy"].startswith("default-src 'none'; sandbox")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", id="svg"),
        pytest.param(b"<!doctype html><script>alert(1)</script>", id="html"),
        pytest.param(b"\0\1\2", id="bytes"),
        pytest.param(None, id="never came"),
    ],
)
def test_what_is_no_image_never_goes_out_as_one(
    web: Running, cookie: str, content: bytes | None
) -> None:
    index = record(web, content)

    refused = page(web, f"/entries/{index}/files/0/image", cookie)

    assert refused.status == 404
    if content is not None:
        assert content not in refused.body


def test_hostile_text_is_shown_and_acts_on_nothing(web: Running, cookie: str) -> None:
    index = record(web, HOSTILE.encode())

    reply = page(web, f"/entries/{index}/files/0", cookie)
    shown = reply.body.decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;\n&lt;/pre&gt;&lt;img src=x" in shown
    assert "<script>alert" not in shown
    assert "<img src=x" not in shown
    assert "\u202e" not in shown
    assert 'class="box">U+202E' in shown
    assert 'class="box">U+001B' in shown
    assert "script-src 'self'" in reply.headers["content-security-policy"]


def test_a_long_text_comes_in_parts(web: Running, cookie: str) -> None:
    lines = [f"line {number:06d} ä\n" for number in range(20_000)]
    index = record(web, "".join(lines).encode())
    place = f"/entries/{index}/files/0"

    first, third = page(web, place, cookie), page(web, f"{place}?part=3", cookie)

    assert b"part 1 of 5" in first.body
    assert b"line 000000" in first.body
    assert f"{place}?part=2".encode() in first.body
    assert len(first.body) < 100 * 1024
    assert b"part 3 of 5" in third.body
    assert b"line 000000" not in third.body
    for wrong in ("0", "6", "x", "-1", "1" * 40):
        assert page(web, f"{place}?part={wrong}", cookie).status == 404


@pytest.mark.parametrize(
    "path", ["files/9", "files/x", "files/9/image", "files/-1", "files/..%2f0"]
)
def test_there_is_no_other_file(web: Running, cookie: str, path: str) -> None:
    index = record(web, b"a log")

    assert page(web, f"/entries/{index}/{path}", cookie).status == 404


def test_a_file_of_a_later_entry_is_not_there_yet(web: Running, cookie: str) -> None:
    index = record(web, b"a log")

    assert page(web, f"/entries/{index}/files/0?as_of={index}", cookie).status == 200
    assert page(web, f"/entries/{index}/files/0?as_of={index - 1}", cookie).status == 404


def test_strangers_see_no_file(web: Running) -> None:
    index = record(web, PNG, b"a log")

    for path in ("files/0/image", "files/1"):
        away = web.call("GET", f"/entries/{index}/{path}", token=None)
        assert (away.status, away.headers["location"]) == (303, "/sign-in")


def test_a_damaged_file_is_a_gap_on_the_page_and_not_the_end_of_it(
    web: Running, cookie: str
) -> None:
    before = set((web.directory / "blobs").rglob("*"))
    index = record(web, b"soon damaged")
    [path] = [one for one in set((web.directory / "blobs").rglob("*")) - before if one.is_file()]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])

    shown = page(web, f"/entries/{index}", cookie)

    assert shown.status == 200
    assert b"can no longer be opened" in shown.body
    assert page(web, f"/entries/{index}/files/0", cookie).status == 404
