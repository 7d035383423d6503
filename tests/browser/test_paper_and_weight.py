"""What a page weighs on the wire with real data, and what stands on paper."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.paper import sheets
from tests.served_process import ServerProcess, server_process

pytestmark = pytest.mark.browser

KIB = 1024
FIRST_VIEWS = (
    "/", "/runs", "/run?ref=run:counterfoil/counterfoil/tests-1", "/run?ref=run:captured/pulsar",
    "/releases", "/release?ref=release:counterfoil@0.1.0", "/log", "/entries/1613",
    "/changed?ref=release:counterfoil@0.1.0&since=1605", "/changed?since=1600", "/search",
    "/search?q=outcome:failed", "/search/everywhere", "/?as_of=300", "/admin", "/admin/accounts", "/admin/roles",
    "/admin/policies",
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
    context.close()


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("/release?ref=release:counterfoil@0.1.0", "counterfoil@0.1.0"),
        ("/entries/1613?as_of=1700", "entry 1,613"),
        ("/run?ref=run:captured/jest", "captured/jest"),
        ("/log", "Log and proofs"),
        ("/search?q=outcome:failed", "outcome:failed"),
    ],
    ids=["release", "entry in the past", "run", "log", "search"],
)
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "none"])
def test_every_sheet_says_of_what_as_of_when_and_which_of_how_many(
    chromium: Browser, demo: ServerProcess, state: Any, path: str, subject: str, *, scripts: bool
) -> None:
    context = chromium.new_context(storage_state=state, java_script_enabled=scripts)
    page = context.new_page()
    page.goto(demo.url + path)
    found = re.search(r"entry [\d,]+", page.inner_text("#asof-words"))
    assert found is not None
    printed = sheets(page.pdf())
    context.close()
    for number, sheet in enumerate(printed, start=1):
        assert f"Counterfoil,default:{subject}".replace(" ", "") in sheet
        known = found[0].replace(" ", "")
        assert re.search(rf"asknownat{known}·\w{{3}}\d+Nov2026,\d\d:\d\d:\d\d", sheet)
        assert f"page{number}of{len(printed)}" in sheet


def test_what_is_folded_is_unfolded_on_paper(
    chromium: Browser, demo: ServerProcess, state: Any
) -> None:
    """The hashes of a proof and the table of a drawing; menus and forms stay away."""
    context = chromium.new_context(storage_state=state)
    page = context.new_page()
    page.goto(demo.url + "/entries/1613")
    hashes = page.locator("details.hashes .value").all_text_contents()
    entry = "".join(sheets(page.pdf()))
    page.goto(demo.url + "/search?q=outcome:failed")
    table = page.locator("#when-table tbody tr td:first-child").first.text_content() or ""
    search = "".join(sheets(page.pdf()))
    context.close()
    assert len(hashes) >= 8
    assert all(each.strip() in entry for each in hashes)
    assert table.replace(" ", "") in search
    assert "Showitasknownthen" not in entry + search
    assert "Searchthistime" not in search


def test_digests_are_whole_on_paper(chromium: Browser, demo: ServerProcess, state: Any) -> None:
    context = chromium.new_context(storage_state=state)
    page = context.new_page()
    for path in ("/", "/log", "/release?ref=release:counterfoil@0.1.0", "/search?q=type:commit.*"):
        page.goto(demo.url + path)
        for each in page.locator("main .full").all_text_contents():
            assert "…" not in each
        said = "".join(sheets(page.pdf()))
        whole = {"".join(each.split()) for each in page.locator("main .full").all_text_contents()}
        assert whole, path
        assert {each for each in whole if each not in said} == set(), path
    context.close()
