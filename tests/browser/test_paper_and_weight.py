"""What a page weighs on the wire with real data, and what stands on paper."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.served_process import ServerProcess, server_process

pytestmark = pytest.mark.browser

KIB = 1024
FIRST_VIEWS = (
    "/", "/runs", "/run?ref=run:counterfoil/counterfoil/tests-1", "/run?ref=run:captured/pulsar",
    "/releases", "/release?ref=release:counterfoil@0.1.0", "/log", "/entries/1613",
    "/changed?ref=release:counterfoil@0.1.0&since=1605", "/changed?since=1600", "/search",
    "/search?q=outcome:failed", "/?as_of=300",
)  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The demonstration ledger: 2,587 entries, runs of 1,447 and 808 cases."""
    directory: Path = tmp_path_factory.mktemp("weight") / "demo"
    subprocess.run(
        [sys.executable, "-m", "counterfoil", "demo", "--build-only", directory],
        check=True, capture_output=True,
    )  # fmt: skip
    with server_process(directory) as server:
        yield server


@pytest.fixture(scope="module")
def state(chromium: Browser, demo: ServerProcess) -> Any:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(demo.sign_in_link())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(demo.url + "/")
    state = context.storage_state()
    context.close()
    return state


@pytest.mark.parametrize("path", FIRST_VIEWS)
def test_a_first_view_is_under_a_hundred_kibibytes_on_the_wire(
    chromium: Browser, demo: ServerProcess, state: Any, path: str
) -> None:
    """Everything that is fetched by an empty cache, headers included."""
    context = chromium.new_context(storage_state=state, viewport={"width": 1360, "height": 900})
    page = context.new_page()
    received: dict[str, float] = {}
    link = context.new_cdp_session(page)
    link.send("Network.enable")
    link.on("Network.loadingFinished",
            lambda each: received.update({each["requestId"]: each["encodedDataLength"]}))  # fmt: skip
    page.goto(demo.url + path)
    page.wait_for_timeout(300)
    total = sum(received.values())
    context.close()
    assert len(received) >= 6
    assert total < 100 * KIB, f"{total / KIB:.0f} KiB"


@pytest.mark.parametrize(
    "path",
    ["/release?ref=release:counterfoil@0.1.0", "/entries/1613", "/run?ref=run:captured/jest"],
)
def test_paper_has_the_facts_and_not_the_furniture(
    chromium: Browser, demo: ServerProcess, state: Any, path: str
) -> None:
    context = chromium.new_context(storage_state=state, color_scheme="dark")
    page = context.new_page()
    page.goto(demo.url + path)
    page.emulate_media(media="print")
    for gone in (".top", ".side", ".actions", ".ruler", ".asof .tools", "#live-state"):
        assert not page.locator(gone).first.is_visible(), gone
    assert page.locator("#asof-words").is_visible()
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert (ground, ink) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)")
    short = page.locator(".ref .short:visible").count()
    full = page.locator(".ref .full:visible").count()
    assert short == 0
    assert full == page.locator(".ref").count()
    assert page.pdf().startswith(b"%PDF-")
    context.close()
