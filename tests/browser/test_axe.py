"""axe-core finds nothing on any page: light and dark, wide and narrow, now and past.

What is narrow and what is dark are decided apart from each other in the stylesheet, so two looks
show every width and every colour; four would take twice the time and find the same.  What is no
matter of looks (names, roles, order, languages) is the same document in both, and asked for once.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from counterfoil.app import signin
from counterfoil.clock import SystemClock
from counterfoil.ids import SystemRandomness
from tests.browser.conftest import Look, Watched
from tests.browser.paths import DEAD_LINK, MISSING, PATHS
from tests.web_server import Running

pytestmark = pytest.mark.browser

VENDOR = Path(__file__).resolve().parents[1] / "vendor" / "axe-core"
MANIFEST = json.loads((VENDOR / "MANIFEST.json").read_text("utf-8"))["files"]
LOOKS: list[Look] = [(1360, "light"), (360, "dark")]
ACCOUNT = ("/account", "/step-up", "/invitation?token=x")
OF_LOOKS = [
    "color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable",
    "css-orientation-lock", "meta-viewport", "aria-hidden-focus", "region",
]  # fmt: skip
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture
def bare(
    chromium: Browser, served: Running, session: Any, request: pytest.FixtureRequest
) -> Iterator[Watched]:
    """A page that lets axe in: the policy of the pages allows no script of others."""
    width, scheme = request.param
    context = chromium.new_context(
        storage_state=session, viewport={"width": width, "height": 900}, color_scheme=scheme,
        bypass_csp=True, reduced_motion="reduce",
    )  # fmt: skip
    yield Watched(context.new_page(), served)
    context.close()


def sign_in(served: Running) -> str:
    """Return the path of a link that works; looking at it does not use it."""
    return signin.make_link(served.home.state, SystemClock(), SystemRandomness(), "")


def faults(page: Page, *, of_looks: bool = False) -> list[str]:
    """Return what axe finds, one line each; with `of_looks` only by what width and colour change."""
    page.add_script_tag(path=VENDOR / "axe.min.js")
    wanted = {"type": "rule", "values": OF_LOOKS} if of_looks else {"type": "tag", "values": TAGS}
    found = page.evaluate("(wanted) => axe.run(document, {runOnly: wanted})", wanted)
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(
    ("bare", "of_looks"), [(LOOKS[0], False), (LOOKS[1], True)], indirect=["bare"],
    ids=[f"{w} {s}" for w, s in LOOKS],
)  # fmt: skip
def test_axe_finds_nothing(bare: Watched, served: Running, *, of_looks: bool) -> None:
    found = {}
    for path in (*PATHS, MISSING, DEAD_LINK, sign_in(served), *ACCOUNT):
        page = bare.open(path)
        page.wait_for_timeout(150)
        found[path] = faults(page, of_looks=of_looks)
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize("bare", [(1360, "light")], indirect=True, ids=["1360"])
def test_axe_finds_nothing_in_what_opens(bare: Watched) -> None:
    """The help, the time form, the question what changed."""
    page = bare.open("/")
    for opener in (
        "#help-button",
        ".asof summary[data-key='t']",
        "summary:has-text('What changed')",
    ):
        page.click(opener)
        assert faults(page) == []
        page.keyboard.press("Escape")


@pytest.mark.parametrize("bare", [(1360, "light")], indirect=True, ids=["1360"])
def test_axe_sees_what_is_wrong(bare: Watched) -> None:
    """Otherwise finding nothing would mean nothing."""
    page = bare.open("/")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=x>')")
    assert any(line.startswith("image-alt") for line in faults(page))


@pytest.mark.parametrize("pinned", MANIFEST, ids=[each["name"] for each in MANIFEST])
def test_axe_is_the_one_that_was_looked_at(pinned: dict[str, Any]) -> None:
    content = (VENDOR / pinned["name"]).read_bytes()
    digest = base64.b64encode(hashlib.sha384(content).digest()).decode()
    assert f"sha384-{digest}" == pinned["sha384"]
    assert len(content) == pinned["size_bytes"]
