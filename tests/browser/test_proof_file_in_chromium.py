"""A proof file in a real browser, from disk, without a network: yes for what is true, never else."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from counterfoil.client.evidence import verify_path
from counterfoil.prooffile.make import make_page
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.proof_verdict import ProofVerdict, check_proof_file
from tests.browser.conftest import Look, Watched
from tests.browser.test_axe import faults
from tests.proofs import (
    HOSTILE,
    SIGNER,
    STRANGER,
    changed_once,
    cut_pages,
    forgeries,
    make_proof,
    members_of,
    misspelt,
    page_of,
)
from tests.web_server import Running

pytestmark = pytest.mark.browser

POLICY = Policy.for_vkey(SIGNER.vkey)
BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
NO_ED25519 = """crypto.subtle.importKey = () =>
    Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"));"""


class Offline:
    """A context without a network that notes every request and every complaint."""

    def __init__(self, context: BrowserContext, directory: Path) -> None:
        self.page = context.new_page()
        self.directory = directory
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))

    def open(self, content: bytes, *, checked: bool = True) -> Page:
        """Save a file, open it from disk, and wait until it has checked itself."""
        path = self.directory / "shop-1.4.2.proof.html"
        path.write_bytes(content)
        self.page.goto(path.as_uri(), wait_until="load")
        if checked:
            self.page.wait_for_selector("html[data-checked]", state="attached", timeout=10_000)
        return self.page

    def verdict(self, content: bytes) -> str:
        """Return what a file says of itself."""
        page = self.open(content, checked=b"data-verdict" in content and b"</script>" in content)
        return page.get_attribute("html", "data-verdict") or ""


@pytest.fixture
def offline(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Offline]:
    look: Look = getattr(request, "param", (1000, "light"))
    context = chromium.new_context(
        offline=True, viewport={"width": look[0], "height": 900}, color_scheme=look[1]
    )
    yield Offline(context, tmp_path)
    context.close()


def test_a_true_file_is_verified_from_disk_and_asks_nobody(offline: Offline) -> None:
    page = offline.open(make_page(make_proof()))
    assert page.get_attribute("html", "data-verdict") == "verified"
    assert page.inner_text("h1") == "Release shop@1.4.2, from commit to production"
    card = page.inner_text(".verdict")
    for said in (
        "Verified on this computer", "4 entries, 1 checkpoint signature and 6 openings",
        "entry 11, recorded Fri 20 Nov 2026, 12:31:07 UTC", "foil.acme.example/log/acme",
        "checkpoint of size 13", SIGNER.vkey.fingerprint(), "checked itself with that key",
    ):  # fmt: skip
        assert said in card
    assert "One thing is missing, as known at entry 11." in page.inner_text("main")
    assert "Gap 1." in page.inner_text("table")
    assert "Names of people are not in this file" not in page.inner_text("main")
    assert "counterfoil verify shop-1.4.2.proof.html --trust POLICY" in page.inner_text("#without")
    assert page.inner_text("#opened") == "opened from disk · no network used"
    assert [url.partition(":")[0] for url in offline.requests] == ["file"]
    assert offline.complaints == []


def agree(offline: Offline, pages: dict[str, bytes]) -> dict[str, str]:
    """Return the names of pages the page itself and the verifier do not judge alike."""
    odd = {}
    for name, content in pages.items():
        here, there = offline.verdict(content), check_proof_file(content, POLICY)
        if (here == "verified") != there.ok:
            odd[name] = f"{here}, {there.lines()[-1]}"
    return odd


def test_every_embedded_value_changed_once_goes_red(offline: Offline) -> None:
    copies = {name: data for name, data in changed_once() if name.endswith("#0")}
    verdicts = {name: offline.verdict(page_of(data)) for name, data in copies.items()}
    assert len(verdicts) > 60
    assert set(verdicts.values()) == {"failed"}
    assert {url.partition(":")[0] for url in offline.requests} == {"file"}


def test_with_the_digest_mended_page_and_verifier_agree_on_every_copy(offline: Offline) -> None:
    pages = {name: page_of(data, mended=True) for name, data in changed_once()}
    assert agree(offline, pages) == {}


def test_page_and_verifier_agree_on_every_forgery(offline: Offline) -> None:
    pages = {name: page_of(data, mended=True) for name, data in forgeries().items()}
    assert agree(offline, pages) == {}
    assert {offline.verdict(page) for page in pages.values()} == {"failed"}


def test_page_and_verifier_agree_on_other_spellings(offline: Offline) -> None:
    assert agree(offline, misspelt()) == {}


def test_a_file_cut_off_is_never_verified(offline: Offline) -> None:
    for name, content in cut_pages().items():
        offline.page.goto("about:blank")
        path = offline.directory / "cut.html"
        path.write_bytes(content)
        page = offline.page
        page.goto(path.as_uri(), wait_until="load")
        page.wait_for_timeout(150)
        assert page.get_attribute("html", "data-verdict") in {"failed", "cannot-check"}, name
        assert not check_proof_file(content, POLICY).ok, name


def test_a_failing_file_names_expected_and_found_and_shows_none_of_its_contents(
    offline: Offline,
) -> None:
    data = members_of(make_proof())
    data["entries"][0]["shown"][0]["content"] = '{"authtype":"user","data":{"n":2,"note":"other"}}'
    page = offline.open(page_of(data, mended=True))
    reason = page.inner_text("#reason")
    assert reason.startswith("body of entry 2: expected ")
    assert ", found " in reason
    assert "9fceb02" not in page.inner_text("body")
    assert page.locator("table, .annex").count() == 0
    assert page.inner_text("#heading") == "Does not hold"


def test_a_file_without_names_says_so(offline: Offline) -> None:
    data = members_of(make_proof())
    for one in data["entries"]:
        one["shown"] = [shown for shown in one["shown"] if shown["name"] == "body"]
    page = offline.open(page_of(data, mended=True))
    assert page.get_attribute("html", "data-verdict") == "verified"
    assert "Names of people are not in this file" in page.inner_text("main")
    assert "k3vq7x2m" in page.inner_text("table")


def test_a_strangers_file_verifies_itself_and_shows_whose_key_that_was(offline: Offline) -> None:
    page = offline.open(make_page(make_proof(signer=STRANGER)))
    assert page.get_attribute("html", "data-verdict") == "verified"
    assert STRANGER.vkey.fingerprint() in page.inner_text(".verdict")


def test_a_browser_without_ed25519_says_so_and_marks_nothing_as_checked(
    offline: Offline,
) -> None:
    offline.page.add_init_script(NO_ED25519)
    page = offline.open(make_page(make_proof()))
    assert page.get_attribute("html", "data-verdict") == "cannot-check"
    assert "cannot compute it" in page.inner_text("#reason")
    assert "pushed 9fceb02" in page.inner_text("table")
    assert page.locator('table use[href="#i-pass"]').count() == 0
    assert page.locator('table use[href="#i-pending"]').count() == 2


def test_without_scripts_it_is_not_checked_and_says_how_to(
    chromium: Browser, tmp_path: Path
) -> None:
    context = chromium.new_context(java_script_enabled=False, offline=True)
    (tmp_path / "p.html").write_bytes(make_page(make_proof()))
    page = context.new_page()
    page.goto((tmp_path / "p.html").as_uri())
    said = page.inner_text("main")
    assert page.get_attribute("html", "data-verdict") == "cannot-check"
    context.close()
    assert "counterfoil verify FILE --trust POLICY" in said


@pytest.mark.parametrize("subject", ["release:shop@1.4.2", f"release:{HOSTILE[:60]}@1"])
def test_hostile_text_is_text(offline: Offline, subject: str) -> None:
    page = offline.open(make_page(make_proof(HOSTILE, subject=subject)))
    assert page.get_attribute("html", "data-verdict") == "verified"
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    said = page.inner_text("main")
    assert "<script>alert(1)</script>" in said
    assert not re.search("[\x00-\x08\x1b\u2028\u202e\u2066\ufeff]", said)
    assert "U+202E" in said
    assert not re.search("[\u202e\u2066\u2028]", page.title())
    assert page.evaluate(BEYOND) == 0
    assert offline.complaints == []


@pytest.mark.parametrize("offline", [(360, "light"), (360, "dark"), (1000, "dark")], indirect=True)
def test_it_fits_every_width_in_both_themes(offline: Offline) -> None:
    page = offline.open(make_page(make_proof("word " * 40 + "x" * 400)))
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate(BEYOND) == 0
    assert offline.complaints == []


@pytest.mark.parametrize("look", [(1000, "light"), (1000, "dark"), (360, "light")])
def test_axe_finds_nothing(chromium: Browser, tmp_path: Path, look: Look) -> None:
    """The page's own policy lets no other script in: axe comes in around it."""
    context = chromium.new_context(
        viewport={"width": look[0], "height": 900}, color_scheme=look[1], bypass_csp=True
    )
    opened = Offline(context, tmp_path)
    faulty = members_of(make_proof())
    faulty["subject"] = "release:other@1"
    for content in (make_page(make_proof()), page_of(faulty, mended=True)):
        page = opened.open(content)
        page.evaluate(
            "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
        )
        assert faults(page) == []
    context.close()


def test_an_entry_number_leads_to_the_entry(offline: Offline) -> None:
    page = offline.open(make_page(make_proof()))
    assert page.get_attribute("#entry-5", "open") is None
    page.click('td a[href="#entry-5"] >> nth=0')
    assert page.get_attribute("#entry-5", "open") is not None
    assert "com.example.step.finished" in page.inner_text("#entry-5")


def test_paper_carries_everything(offline: Offline) -> None:
    """What is folded on a screen is unfolded in print, and every sheet has its number."""
    page = offline.open(make_page(make_proof()))
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    printed = page.pdf(prefer_css_page_size=True)
    box = re.search(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", printed)
    assert box is not None
    assert [round(float(side)) for side in box.groups()] == [595, 842]
    rules = page.evaluate("document.adoptedStyleSheets[0].cssRules[0].cssText")
    assert "as known at entry 11" in rules
    assert "counter(page)" in rules


@pytest.mark.parametrize(
    ("path", "button", "name", "subject"),
    [
        ("/entries/1", "Save the proof", "entry-1.proof.html", "entry:1"),
        ("/release?ref=release:shop@1.4.2", "Prove", "shop-1.4.2.proof.html", "release:shop@1.4.2"),
        ("/release?ref=release:shop@1.4.2&as_of=2", "Prove", "shop-1.4.2.proof.html",
         "release:shop@1.4.2"),
    ],
)  # fmt: skip
def test_the_button_saves_a_file_that_verifies_from_disk(
    watched: Watched, served: Running, offline: Offline, path: str, button: str, name: str,
    subject: str, tmp_path: Path,
) -> None:  # fmt: skip
    page = watched.open(path)
    with page.expect_download() as found:
        page.get_by_role("link", name=button).click()
    saved = tmp_path / "saved.html"
    found.value.save_as(saved)
    assert found.value.suggested_filename == name
    vkey = served.directory / "keys" / "default.vkey"
    verdict: Any = verify_path(str(saved), vkey=vkey)
    assert isinstance(verdict, ProofVerdict)
    assert verdict.ok
    assert verdict.notes == ()
    assert verdict.to_json()["subject"] == subject
    if "as_of=2" in path:
        assert verdict.to_json()["as_of"] == 2
    assert offline.verdict(saved.read_bytes()) == "verified"
