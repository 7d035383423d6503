import base64
import gzip
import hashlib
import json
from importlib import resources
from typing import Any

import pytest
from starlette.requests import Request

from counterfoil.web import static

VENDOR = resources.files("counterfoil.web") / "static" / "vendor"
MANIFEST = json.loads((VENDOR / "MANIFEST.json").read_text("utf-8"))["files"]


def ask(path: str, encoding: str = "") -> Request:
    """Return a request for an asset."""
    headers = [(b"accept-encoding", encoding.encode())]
    return Request(
        {"type": "http", "method": "GET", "headers": headers, "path_params": {"path": path}}
    )


@pytest.mark.parametrize("pinned", MANIFEST, ids=[each["name"] for each in MANIFEST])
def test_a_vendored_file_is_the_one_that_was_looked_at(pinned: dict[str, Any]) -> None:
    content = (VENDOR / pinned["name"]).read_bytes()
    digest = base64.b64encode(hashlib.sha384(content).digest()).decode()
    assert f"sha384-{digest}" == pinned["sha384"]
    assert len(content) == pinned["size_bytes"]
    assert pinned["version"]
    assert pinned["licence"]


def test_every_vendored_file_is_in_the_manifest() -> None:
    there = {item.name for item in VENDOR.iterdir()} - {"MANIFEST.json"}
    assert there == {each["name"] for each in MANIFEST}


def test_an_asset_is_named_by_its_bytes_and_kept_for_good() -> None:
    name = static.url("counterfoil.css").removeprefix(static.PREFIX)
    answer = static.serve(ask(name))
    digest = hashlib.sha256(bytes(answer.body)).hexdigest()
    assert name == f"counterfoil.{digest[:8]}.css"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"


def test_a_browser_that_takes_gzip_gets_the_same_bytes_packed() -> None:
    name = static.url("live.js").removeprefix(static.PREFIX)
    packed = static.serve(ask(name, "gzip, br"))
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(bytes(packed.body)) == static.serve(ask(name)).body


@pytest.mark.parametrize(
    "path",
    ["counterfoil.css", "counterfoil.00000000.css", "../static.py", "vendor/MANIFEST.json",
     "vendor/htmx.LICENSE", "", "/etc/passwd"],
)  # fmt: skip
def test_only_hashed_names_of_assets_are_answered(path: str) -> None:
    assert static.serve(ask(path)).status_code == 404
