"""Open pages follow the log: through a killed server, and through ten thousand entries."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

from counterfoil.app.founding import create_home
from counterfoil.ids import SystemRandomness
from tests.served_process import ServerProcess, server_process
from tests.web_server import event

pytestmark = pytest.mark.browser

FEED = """Array.from(document.querySelectorAll("#feed [data-entry]"), (row) => Number(row.dataset.entry))"""
PATIENCE_MS = 40_000


@pytest.fixture
def away(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of its own, to kill."""
    directory = tmp_path / "ledger"
    create_home(directory, SystemRandomness())
    with server_process(directory) as server:
        yield server


@pytest.fixture
def page(chromium: Browser, away: ServerProcess) -> Iterator[Page]:
    """Its Now page, signed in, the pointer where nothing is."""
    away.post([event() for _ in range(3)])
    context = chromium.new_context(viewport={"width": 1360, "height": 900})
    page = context.new_page()
    page.goto(away.sign_in_link())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("#feed")
    page.mouse.move(2, 2)
    page.wait_for_timeout(500)
    yield page
    context.close()


def knows(page: Page, entry: int) -> None:
    """Wait until the page shows this entry at the top of its feed."""
    page.wait_for_selector(f'#feed > :first-child[data-entry="{entry}"]', timeout=PATIENCE_MS)


def test_a_server_killed_mid_stream_leaves_no_gap_and_no_copy(
    page: Page, away: ServerProcess
) -> None:
    """SIGKILL while entries arrive; the page says so, comes back by itself, and has them all."""
    before = max(away.post([event() for _ in range(4)]))
    knows(page, before)
    away.post([event() for _ in range(3)])
    away.kill()
    banner = page.locator("#live-state")
    banner.wait_for(state="visible", timeout=PATIENCE_MS)
    assert re.match(r"Live updates stopped at \d\d:\d\d:\d\d UTC\.", banner.inner_text())
    page.locator("#live-next", has_text="Trying again").wait_for(timeout=PATIENCE_MS)

    away.start()
    last = max(away.post([event() for _ in range(2)]))
    knows(page, last)
    banner.wait_for(state="hidden", timeout=PATIENCE_MS)

    assert page.evaluate(FEED) == list(range(last, -1, -1))
    assert f"entry {last} " in page.inner_text("#asof")


def test_a_part_that_comes_late_does_not_leave_the_page_deaf(
    page: Page, away: ServerProcess
) -> None:
    """Seen on a busy machine: htmx had begun before the part that knows streams was there."""

    def late(route: Route) -> None:
        time.sleep(0.5)
        route.continue_()

    page.route("**/hx-sse*", late)
    page.reload()
    knows(page, max(away.post([event()])))


def test_other_pages_come_back_too(page: Page, away: ServerProcess) -> None:
    page.goto(away.url + "/log")
    page.mouse.move(2, 2)
    page.wait_for_timeout(500)
    away.kill()
    page.locator("#live-state").wait_for(state="visible", timeout=PATIENCE_MS)
    away.start()
    last = max(away.post([event()]))
    page.wait_for_selector(f'#entries [data-entry="{last}"]', timeout=PATIENCE_MS)
    page.locator("#live-state").wait_for(state="hidden", timeout=PATIENCE_MS)


def test_ten_thousand_entries_are_a_few_refreshes(page: Page, away: ServerProcess) -> None:
    """The page is read again once a second at most, never two at a time, and ends up right."""
    asked: list[float] = []
    page.on("request", lambda request: asked.append(time.monotonic())
            if request.resource_type == "fetch" and request.url == away.url + "/" else None)  # fmt: skip
    began = time.monotonic()
    for _ in range(10):
        last = max(away.post([event() for _ in range(1000)]))
    page.wait_for_selector(f'#live[data-newest="{last}"]', state="attached", timeout=PATIENCE_MS)
    page.locator("#today", has_text=f"{last + 1:,} entries today").wait_for(timeout=PATIENCE_MS)
    took_s = time.monotonic() - began
    assert len(asked) <= took_s + 2
    assert page.inner_text("#unseen") == f"{last - 2:,} new entries"
    page.click("#unseen")
    shown = page.evaluate(FEED)
    assert shown == list(range(last, last - len(shown), -1))


def test_a_log_that_is_shorter_than_before_is_not_followed(
    page: Page, away: ServerProcess, tmp_path: Path
) -> None:
    """Somebody put an older copy in place: the page must not go quiet as if nothing happened."""
    away.kill()
    away.directory = tmp_path / "other"
    create_home(away.directory, SystemRandomness())
    away.start()
    banner = page.locator("#live-state")
    banner.wait_for(state="visible", timeout=PATIENCE_MS)
    page.wait_for_timeout(2000)
    assert banner.is_visible()
