"""Paths that lead out of where they begin: parsed, never joined to a directory."""

import json
import urllib.parse
from pathlib import Path

import pytest

from counterfoil.app import signin
from tests.web_server import Running, event

SECRET = "secret words that no answer may hold"

# What stands for "one folder up", in the letters somebody tried somewhere.
UPWARDS = {
    "plain": "../",
    "dots escaped": "%2e%2e/",
    "all escaped": "%2e%2e%2f",
    "slash escaped": "..%2f",
    "escaped twice": "%252e%252e%252f",
    "escaped three times": "%25252e%25252e%25252f",
    "backslash": "..\\",
    "backslash escaped": "..%5c",
    "overlong": "%c0%ae%c0%ae%c0%af",
    "overlong, three bytes": "%e0%80%ae%e0%80%ae%e0%80%af",
    "sixteen bits": "%u002e%u002e%u2215",
    "letters alike": "%e2%80%a5%e2%88%95",
    "letters alike, full width": "%ef%bc%8e%ef%bc%8e%ef%bc%8f",
    "doubled": "....//",
    "with a parameter": "..;/",
    "with a zero byte": "%00../",
    "with a line's end": "%0d%0a../",
}
PLACES = {
    "a blob": "/v1/blobs/{}",
    "a tile": "/log/default/tile/{}",
    "a log": "/log/{}/checkpoint",
    "a log's file": "/log/default/{}",
    "an asset": "/static/{}",
    "an entry": "/v1/entries/{}",
    "a receipt": "/v1/entries/{}/receipt",
    "a webhook": "/v1/webhooks/{}",
    "an entry's page": "/entries/{}",
    "a page's file": "/entries/0/files/{}",
    "a page's image": "/entries/0/files/{}/image",
    "the docs": "/docs/{}",
    "the proof": "/v1/prove/{}",
    "nothing": "/{}",
}


@pytest.fixture(scope="module")
def guarded(web: Running) -> Running:
    """A server with files worth having: beside the ledger, in it, and one level up."""
    for folder in (web.directory, web.directory.parent, web.directory / "blobs"):
        (folder / "secret.txt").write_text(SECRET, "utf-8")
    assert web.call("POST", "/v1/events", event()).status == 201
    return web


@pytest.fixture(scope="module")
def session(guarded: Running) -> dict[str, str]:
    """The cookie of a browser that is signed in: without it every page leads to signing in."""
    home = guarded.home
    address = signin.make_link(home.state, home.clock, home.randomness, f"http://{guarded.host}")
    query = urllib.parse.urlsplit(address).query
    reply = guarded.call(
        "POST", "/sign-in", query.encode(),
        {"Content-Type": "application/x-www-form-urlencoded"}, token=None,
    )  # fmt: skip
    return {"Cookie": reply.headers["set-cookie"].partition(";")[0]}


def private_words(web: Running) -> list[bytes]:
    key = (web.directory / "keys" / "default.key").read_bytes().strip()
    return [SECRET.encode(), web.token.encode(), key, b"root:x:0:0", b"SQLite format 3"]


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_no_path_leads_out_of_its_place(
    guarded: Running, session: dict[str, str], place: str
) -> None:
    """404 or 400 for each, and no byte of a file that was not asked for by its name."""
    words = private_words(guarded)
    for upwards in UPWARDS.values():
        for depth in (1, 3, 8):
            for target in ("secret.txt", "admin.token", "keys/default.key", "etc/passwd"):
                answer = guarded.call(
                    "GET", place.format(upwards * depth + target), headers=session
                )
                assert answer.status in {400, 404, 405}, (upwards, target, answer.status)
                assert not [one for one in words if one in answer.body], (upwards, target)


NAMES = {
    "absolute": "/etc/passwd",
    "absolute, escaped": "%2fetc%2fpasswd",
    "a drive": "C:%5cWindows%5cwin.ini",
    "a share": "%5c%5cattacker.example%5cshare",
    "an address": "file:%2f%2f%2fetc%2fpasswd",
    "trailing dots": "admin.token...",
    "a trailing blank": "admin.token%20",
    "a stream": "admin.token::$DATA",
    "a zero byte": "admin.token%00.css",
    "a database": "ledger.db",
    "a device": "%2fdev%2fzero",
    "a home": "~root%2f.ssh%2fid_rsa",
    "a variable": "$%7bHOME%7d",
    "a template": "%7b%7b7*7%7d%7d",
    "a pattern": "*",
    "long": "a" * 20_000,
    "deep": "a/" * 8_000,
    "an unfinished escape": "%",
    "half an escape": "%2",
    "an escape that is none": "%zz",
    "no UTF-8": "%ff%fe",
    "a lone surrogate": "%ed%a0%80",
    "right to left": "%e2%80%aetxt.nekot",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_no_odd_name_is_found(guarded: Running, session: dict[str, str], place: str) -> None:
    words = private_words(guarded)
    for name in NAMES.values():
        answer = guarded.call("GET", place.format(name), headers=session)
        assert answer.status in {400, 404, 405}, (name[:40], answer.status)
        assert not [one for one in words if one in answer.body], name[:40]


TILES = [
    "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/1/", "tile/0/000.p/1.p/1", "tile/0/000.p/x1",
    "tile/0/0", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/+0/000", "tile/0/-01",
    "tile/0/x000/000", "tile/0/x001/x002/003", "tile/0/000/000", "tile/0/0000", "tile/0/%30%30%30%30",
    "tile/0/x999/x999/x999/x999/x999/x999/999", "tile/entries/000.p/0", "tile/entries/entries",
    "tile/ENTRIES/000", "tile/0//000", "tile//0/000", "tile/./0/000", "tile/0/000%2e", "tile/0/000%20",
    "tile/0/%D9%A0%D9%A0%D9%A0", "tile/0/%EF%BC%90%EF%BC%90%EF%BC%90", "tile/0/000%00",
]  # fmt: skip


@pytest.mark.parametrize("path", TILES)
def test_what_the_grammar_of_tiles_does_not_know_is_not_found(guarded: Running, path: str) -> None:
    for project in ("default", "_access", "_aggregate"):
        assert guarded.call("GET", f"/log/{project}/{path}").status == 404


def test_a_tile_has_one_name(guarded: Running) -> None:
    """Another name for the same bytes would be kept twice by every cache."""
    assert guarded.call("GET", "/log/default/tile/0/000.p/1").status == 200
    for other in ("tile/0/000.p/01", "tile/0/000.P/1", "tile/0/000.p/1/", "Tile/0/000.p/1"):
        assert guarded.call("GET", f"/log/default/{other}").status == 404


@pytest.mark.parametrize(
    "name", ["../../../admin.token", "..\\..\\x", "/etc/passwd", "a\r\nSet-Cookie: x=y", "x\0y", "\u202etxt.exe", "a" * 5_000]
)  # fmt: skip
def test_a_name_that_an_event_gives_to_a_file_leads_nowhere(guarded: Running, name: str) -> None:
    """Names of evidence files are somebody's words: shown, and never a path or a header."""
    blob = guarded.home.recorder.put_blob(f"of {name}".encode(), "x.bin", "text/plain")
    data = {"blobs": [{"digest": blob.digest, "name": name, "mediatype": "text/html\r\nX: y"}]}

    posted = guarded.call("POST", "/v1/events", event(data=data))
    answer = guarded.call("GET", f"/v1/blobs/{blob.digest}")

    assert posted.status in {201, 400, 413}
    assert "set-cookie" not in answer.headers
    assert "x" not in answer.headers
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="{blob.digest.replace(":", "-")}"'
    )
    assert answer.headers["content-type"] == "application/octet-stream"


def test_nothing_was_written_outside(guarded: Running) -> None:
    """Uploads under odd names leave no file of that name anywhere near."""
    parent = guarded.directory.parent
    before = {str(one) for one in parent.rglob("*")}
    for name in [*NAMES.values(), *(one * 3 + "planted" for one in UPWARDS.values())]:
        answer = guarded.call("PUT", f"/v1/blobs/{name}", b"planted")
        assert answer.status in {400, 404, 405}

    added = {str(one) for one in parent.rglob("*")} - before
    assert not [one for one in added if "planted" in one]
    assert not [
        one for one in added if Path(one).is_file() and b"planted" in Path(one).read_bytes()
    ]


def test_a_path_in_a_message_is_cut_and_escaped(guarded: Running) -> None:
    name = "<script>alert(1)</script>" + "x" * 1_000
    page = guarded.call("GET", "/" + urllib.parse.quote(name))
    told = guarded.call("GET", "/v1/" + urllib.parse.quote(name))

    assert page.status == told.status == 404
    assert b"<script>alert" not in page.body
    assert b"x" * 300 not in page.body
    assert told.headers["content-type"] == "application/problem+json"
    assert "x" * 300 not in json.loads(told.body)["detail"]
