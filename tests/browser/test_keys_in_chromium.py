"""Everything can be reached without a pointer: rows, lanes, the ruler, the help."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Watched
from tests.browser.paths import PATHS
from tests.web_server import Running

pytestmark = pytest.mark.browser

FOCUS = "document.activeElement.getAttribute('href') ?? document.activeElement.id"


def as_of(page: Page) -> str | None:
    """Return the moment in the address."""
    found = re.search(r"[?&]as_of=([^&]*)", page.url)
    return found[1] if found else None


def shown(page: Page) -> int:
    """Return the entry the as-of bar names."""
    found = re.search(r"entry ([\d,]+)", page.inner_text("#asof-words"))
    assert found is not None
    return int(found[1].replace(",", ""))


def ruler(page: Page) -> Any:
    """Return the ruler, focused."""
    one = page.get_by_role("slider")
    one.focus()
    return one


@pytest.mark.parametrize("watched", [(1500, "light")], indirect=True, ids=["wide"])
def test_arrows_on_the_ruler_move_one_entry_and_keep_the_focus(watched: Watched) -> None:
    page = watched.open("/log")
    last = shown(page)
    assert ruler(page).get_attribute("aria-valuenow") == str(last)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == f"entry {last - 2}"
    page.wait_for_url("**/log?as_of=*")
    assert as_of(page) == str(last - 2)
    page.locator("#ruler:focus").wait_for()
    value = page.get_by_role("slider").get_attribute("aria-valuetext") or ""
    assert re.fullmatch(rf"entry {last - 2}, \w{{3}} \d+ \w+ \d{{4}}, [\d:.]+ UTC", value)

    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/log?as_of={last - 1}")
    page.locator("#ruler:focus").wait_for()
    page.keyboard.press("Home")
    page.wait_for_url("**/log?as_of=0")
    page.locator("#ruler:focus").wait_for()
    page.keyboard.press("End")
    page.wait_for_url("**/log")
    assert shown(page) == last


def test_a_page_key_moves_one_hour(watched: Watched) -> None:
    """Everything here was recorded within the hour, so one back is before the first entry."""
    page = watched.open("/log")
    ruler(page)
    page.keyboard.press("PageDown")
    page.wait_for_url("**/log?as_of=*")
    assert "the start, no entry yet" in page.inner_text("#asof-words")
    page.go_back()
    ruler(page)
    page.keyboard.press("PageUp")
    page.wait_for_timeout(300)
    assert as_of(page) is None


def test_a_click_on_the_ruler_goes_there(watched: Watched) -> None:
    page = watched.open("/log")
    box = page.locator("#ruler").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + 8)
    page.wait_for_url("**/log?as_of=0")
    assert page.title().startswith("Past: ")


def test_j_and_k_walk_the_rows_and_enter_opens(watched: Watched, served: Running) -> None:
    page = watched.open("/log")
    page.keyboard.press("j")
    assert page.evaluate(FOCUS) == f"/entries/{served.home.log.head('default').size - 1}"
    page.keyboard.press("j")
    assert page.evaluate(FOCUS) == f"/entries/{served.home.log.head('default').size - 2}"
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/entries/{served.home.log.head('default').size - 1}")


def test_t_opens_the_time_form_with_the_focus_in_it(watched: Watched) -> None:
    page = watched.open("/")
    page.keyboard.press("t")
    page.locator("#as_of:focus").wait_for()
    page.keyboard.type("gl1")
    assert page.input_value("#as_of") == "gl1"
    page.keyboard.press("Escape")
    assert page.is_hidden("#as_of")
    assert page.url == watched.base + "/"


def test_slash_searches(watched: Watched) -> None:
    page = watched.open("/runs")
    page.keyboard.press("/")
    assert page.evaluate(FOCUS) == "find"
    assert page.input_value("#find") == ""


def test_help_says_the_keys_and_can_switch_them_off(watched: Watched) -> None:
    page = watched.open("/")
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keys")
    assert "next row, row before" in help_.inner_text()
    page.get_by_label("Single-letter keys are on").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_timeout(300)
    assert page.url == watched.base + "/"
    page.get_by_role("button", name="Keys and help").click()
    page.get_by_label("Single-letter keys are on").check()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url("**/log")


def test_arrows_walk_a_lane_and_between_lanes(watched: Watched) -> None:
    page = watched.open("/release?ref=release:shop@1.4.2")
    lanes = page.locator("svg.lanes [data-lane]:has(a)")
    assert lanes.count() >= 2
    first = lanes.nth(0).locator("a").first
    first.focus()
    here = """Array.from(document.querySelectorAll("svg.lanes [data-lane]:has(a)"))
        .findIndex((lane) => lane.contains(document.activeElement))"""
    page.keyboard.press("ArrowDown")
    assert page.evaluate(here) == 1
    page.keyboard.press("ArrowUp")
    assert page.evaluate(here) == 0
    before = page.evaluate("document.activeElement.getBoundingClientRect().left")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= before


def test_the_skip_link_is_the_first_stop(watched: Watched) -> None:
    page = watched.open("/")
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS) == "#main"


def test_brackets_step_one_entry_earlier_and_later(watched: Watched) -> None:
    page = watched.open("/log")
    last = shown(page)
    page.keyboard.press("[")
    page.wait_for_url(f"**/log?as_of={last - 1}")
    page.keyboard.press("[")
    page.wait_for_url(f"**/log?as_of={last - 2}")
    page.keyboard.press("]")
    page.wait_for_url(f"**/log?as_of={last - 1}")


@pytest.mark.parametrize(
    ("key", "path"),
    [("n", "/"), ("r", "/releases"), ("t", "/runs"), ("s", "/search"), ("l", "/log")],
)
def test_g_and_a_letter_go_to_every_page_of_the_list(watched: Watched, key: str, path: str) -> None:
    page = watched.open("/entries/1")
    page.keyboard.press("g")
    page.keyboard.press(key)
    page.wait_for_url(watched.base + path)


def test_no_key_acts_while_typing_and_none_when_switched_off(watched: Watched) -> None:
    page = watched.open("/runs")
    page.focus("#find")
    page.keyboard.type("gl/?[]tjk")
    assert page.input_value("#find") == "gl/?[]tjk"
    page.evaluate("localStorage.setItem('counterfoil-keys', 'off')")
    page = watched.open("/runs")
    for key in ("j", "k", "/", "?", "[", "t"):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement === document.body"), key
    assert page.url == watched.base + "/runs"
    page.evaluate("localStorage.removeItem('counterfoil-keys')")


# Elements whose focus shows in another way than by an outline of their own.
OUTLINES = """Array.from(document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), summary, [tabindex='0']"
)).filter((one) => one.checkVisibility() && !one.closest(".thumb")).map((one) => {
  one.focus({ focusVisible: true });
  const style = getComputedStyle(one);
  return document.activeElement === one && (style.outlineStyle === "none" || style.outlineWidth === "0px")
    ? one.outerHTML.slice(0, 120) : "";
}).filter(Boolean)"""


def test_whatever_has_the_focus_shows_it(watched: Watched) -> None:
    without = {}
    for path in PATHS:
        without[path] = watched.open(path).evaluate(OUTLINES)
    assert {path: lines for path, lines in without.items() if lines} == {}
