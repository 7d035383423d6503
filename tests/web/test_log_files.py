"""The log as files over HTTP: what a stranger needs, open; what is recorded, not."""

import json
from pathlib import Path

import pytest

from counterfoil.tlog.checkpoint import verify_checkpoint
from counterfoil.tlog.entries import read_bundle
from counterfoil.tlog.keys import parse_vkey
from counterfoil.tlog.tile import root_from_tiles, tile_path
from counterfoil.tlog.tree import HASH_SIZE, leaf_hash
from tests.web_server import Running, event, running

BATCH = {"Content-Type": "application/cloudevents-batch+json"}


@pytest.fixture(scope="module")
def log(web: Running) -> Running:
    """300 entries: one full tile at level 0, a partial one beside it, one hash above."""
    batch = json.dumps([event() for _ in range(300)]).encode()
    assert web.call("POST", "/v1/events", batch, BATCH).status == 201
    return web


def open_get(web: Running, path: str) -> bytes:
    reply = web.call("GET", path, token=None)
    assert reply.status == 200, reply.body
    return reply.body


def test_a_stranger_can_recompute_the_signed_root_from_the_tiles(log: Running) -> None:
    """No token anywhere: this is what makes a receipt worth something to outsiders."""
    vkey = parse_vkey((log.directory / "keys" / "default.vkey").read_text().strip())

    note = log.call("GET", "/log/default/checkpoint", token=None)
    checkpoint = verify_checkpoint(note.body, [vkey])

    def tile(level: int, n: int) -> bytes:
        width = min(256, (checkpoint.size >> (8 * level)) - n * 256)
        return open_get(log, f"/log/default/{tile_path(level, n, width)}")

    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint.size == log.size()
    assert root_from_tiles(checkpoint.size, tile) == checkpoint.root


def test_every_partial_tile_is_a_prefix_of_the_full_one(log: Running) -> None:
    """Whoever holds an older checkpoint must still find its tiles."""
    full = open_get(log, "/log/default/tile/0/000")

    assert len(full) == 256 * HASH_SIZE
    for width in (1, 2, 255):
        part = open_get(log, f"/log/default/tile/0/000.p/{width}")
        assert part == full[: width * HASH_SIZE]


def test_tiles_may_be_kept_and_checkpoints_may_not(log: Running) -> None:
    tile = log.get("/log/default/tile/0/000")
    checkpoint = log.get("/log/default/checkpoint")

    assert tile.headers["content-type"] == "application/octet-stream"
    assert "immutable" in tile.headers["cache-control"]
    assert "max-age=1," in checkpoint.headers["cache-control"]


def test_entries_need_read(log: Running) -> None:
    refused = log.call("GET", "/log/default/tile/entries/000", token=None)
    wrong = log.call("GET", "/log/default/tile/entries/000", token="wrong")

    assert (refused.status, refused.code) == (401, "token_missing")
    assert (wrong.status, wrong.code) == (401, "token_invalid")


def test_entries_are_the_leaves_of_the_tiles(log: Running) -> None:
    entries = read_bundle(log.get("/log/default/tile/entries/000.p/5").body)
    hashes = open_get(log, "/log/default/tile/0/000.p/5")

    assert b"".join(leaf_hash(entry) for entry in entries) == hashes


def test_a_public_log_gives_its_entries_to_everyone(tmp_path: Path) -> None:
    with running(tmp_path / "ledger", settings="[log]\npublic = true\n") as web:
        web.call("POST", "/v1/events", event())
        reply = web.call("GET", "/log/default/tile/entries/000.p/1", token=None)

    assert reply.status == 200
    assert reply.headers["cache-control"].startswith("public")


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/0", "tile/00/000", "tile/64/000",
        "tile/0/999", "tile/0/001", "tile/0/000.p/01", "tile/-1/000", "tile/0/x000/000",
        "tile/entries/999", "tile/", "tile/0/000/", "tile/0//000",
        "tile/../checkpoint", "tile/../../../admin.token", "tile/..%2f..%2f..%2fadmin.token",
        "tile/%2e%2e/%2e%2e/admin.token", "tile//etc/passwd", "tile/0/000%00", "tile/%ff",
        "../../admin.token", "admin.token", "tile/0/%d9%a0%d9%a0%d9%a0",
    ],
)  # fmt: skip
def test_what_is_no_tile_of_this_log_is_not_found(log: Running, path: str) -> None:
    """Names are parsed, never joined to a directory."""
    refused = log.get(f"/log/default/{path}")

    assert refused.status == 404
    assert log.token.encode() not in refused.body


@pytest.mark.parametrize(
    ("project", "status"),
    [("nobody", 404), ("..", 400), ("%2e%2e", 400), ("Default", 400), ("%2e%2e%2fdefault", 404)],
)
def test_a_log_of_an_unknown_project_is_refused(log: Running, project: str, status: int) -> None:
    assert log.get(f"/log/{project}/checkpoint").status == status


@pytest.mark.parametrize(
    "name",
    [
        "sha256:" + "0" * 64, "sha256:" + "0" * 63, "sha256:" + "A" * 64, "sha512:" + "0" * 64,
        "..", "..%2f..%2fadmin.token", "sha256:..%2f..%2fadmin.token", "%2fetc%2fpasswd",
    ],
)  # fmt: skip
def test_what_is_no_blob_kept_here_is_not_found(log: Running, name: str) -> None:
    refused = log.get(f"/v1/blobs/{name}")

    assert refused.status == 404
    assert log.token.encode() not in refused.body


def test_a_blob_comes_back_as_a_download_whatever_it_is(log: Running) -> None:
    """It is somebody else's bytes: a page in it must never be a page of ours."""
    page = b"<script>alert(1)</script>"
    name = log.home.recorder.put_blob(page, "evil.html", "text/html")

    reply = log.get(f"/v1/blobs/{name.digest}")

    assert reply.body == page
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in reply.headers["content-security-policy"]
    assert log.call("GET", f"/v1/blobs/{name.digest}", token=None).status == 401
