"""The pages in a real browser, from a real server."""

import re
from typing import Any

import pytest

from tests.browser.conftest import Watched
from tests.browser.paths import PATHS
from tests.web_server import Running, event

pytestmark = pytest.mark.browser

LOOKS = [(1360, "light"), (1360, "dark"), (900, "light"), (360, "light")]


BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
HEIGHTS = """Array.from(document.querySelectorAll(".btn, summary.btn, .menu nav a"))
    .filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect().height)"""


@pytest.mark.parametrize("watched", LOOKS, indirect=True, ids=[f"{w} {s}" for w, s in LOOKS])
def test_no_page_complains_or_scrolls_sideways(watched: Watched) -> None:
    beyond = {}
    for path in PATHS:
        page = watched.open(path)
        page.wait_for_timeout(100)
        beyond[path] = page.evaluate(BEYOND)
    assert beyond == dict.fromkeys(PATHS, 0)
    assert watched.complaints == []


@pytest.mark.parametrize("watched", [(360, "light")], indirect=True, ids=["360"])
def test_controls_are_large_enough_for_a_thumb(watched: Watched) -> None:
    for path in PATHS:
        heights = watched.open(path).evaluate(HEIGHTS)
        assert heights, path
        assert min(heights) >= 44, path


def test_without_scripts_every_word_is_there(chromium: Any, served: Running, session: Any) -> None:
    context = chromium.new_context(storage_state=session, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"http://{served.host}/entries/1")
    said = page.inner_text("main")
    context.close()
    assert "not checked yet" in said
    assert "counterfoil verify entry-1.tlog-proof" in said


def test_a_recorded_event_comes_onto_an_open_page(watched: Watched, served: Running) -> None:
    page = watched.open("/")
    page.wait_for_timeout(500)
    page.mouse.move(5, 5)
    before = served.home.log.head("default").size  # with counts that an hour's turn may add
    assert served.call("POST", "/v1/events", event(type="com.example.live")).status == 201
    page.wait_for_selector(f'#feed [data-entry="{before}"]', timeout=10_000)
    assert re.search(rf"entry {before}\b", page.inner_text("#asof"))
    assert watched.complaints == []


def test_nothing_moves_under_the_pointer(watched: Watched, served: Running) -> None:
    page = watched.open("/")
    page.wait_for_timeout(500)
    page.hover("#feed li:first-child")
    top = page.get_attribute("#feed li:first-child", "data-entry")
    assert served.call("POST", "/v1/events", event(type="com.example.live")).status == 201
    page.wait_for_selector("#unseen:not([hidden])", timeout=10_000)
    assert page.get_attribute("#feed li:first-child", "data-entry") == top
    page.click("#unseen")
    assert page.get_attribute("#feed li:first-child", "data-entry") != top


def test_keys_go_where_they_say(watched: Watched) -> None:
    page = watched.open("/")
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url("**/log")
    page.keyboard.press("[")
    page.wait_for_url("**/log?as_of=*")
    assert page.title().startswith("Past: ")


def test_a_chosen_theme_is_there_from_the_first_byte(watched: Watched) -> None:
    page = watched.open("/")
    page.click("footer.foot a:has-text('dark')")
    page.wait_for_url(watched.base + "/")
    assert page.get_attribute("html", "data-theme") == "dark"
    ground = page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor")
    assert ground != "rgb(255, 255, 255)"
    page.click("footer.foot a:has-text('as the system')")
    page.wait_for_url(watched.base + "/")
    assert page.get_attribute("html", "data-theme") is None
