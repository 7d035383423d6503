"""Passkeys in a real browser, with an authenticator of Chromium's own (CDP, WebAuthn domain)."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect

from tests.comments import comment, connect, deliver
from tests.signing_in import describe, invitation
from tests.web_server import Running, running

Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("passkeys") / "ledger") as server:
        yield server


class Person:
    """A browser with an authenticator that verifies its user, or one that does not."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.context = context
        self.page = context.new_page()
        self.base = base
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._cdp: CDPSession = context.new_cdp_session(self.page)
        self._cdp.send("WebAuthn.enable")
        self.device = self._plug_in()

    def _plug_in(self, *, verifies: bool = True) -> str:
        options = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
            "hasUserVerification": True, "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }  # fmt: skip
        added = self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return str(added["authenticatorId"])

    def swap_device(self, *, verifies: bool = True) -> None:
        """Take the authenticator away and plug in a fresh one."""
        self._cdp.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self.device})
        self.device = self._plug_in(verifies=verifies)

    def credentials(self) -> list[dict[str, Any]]:
        """Return what the authenticator holds."""
        asked = {"authenticatorId": self.device}
        found: list[dict[str, Any]] = self._cdp.send("WebAuthn.getCredentials", asked)[
            "credentials"
        ]
        return found

    def verify(self, *, yes: bool) -> None:
        """Let the authenticator recognise its user, or not."""
        self._cdp.send(
            "WebAuthn.setUserVerified", {"authenticatorId": self.device, "isUserVerified": yes}
        )

    def open(self, path: str) -> Page:
        """Go to a path of the server."""
        self.page.goto(self.base + path, wait_until="load")
        return self.page

    def press(self, name: str, then: str) -> Page:
        """Press a button and wait for a path."""
        self.page.get_by_role("button", name=name).click()
        self.page.wait_for_url(re.compile(re.escape(self.base + then) + "$"))
        return self.page


@pytest.fixture
def person(chromium: Browser, web: Running) -> Iterator[Callable[..., Person]]:
    contexts: list[BrowserContext] = []

    def make(width: int = 1360, scheme: Scheme = "light") -> Person:
        context = chromium.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        contexts.append(context)
        return Person(context, f"http://{web.host}")

    yield make
    for context in contexts:
        context.close()


def enrol(web: Running, someone: Person, handle: str) -> None:
    """Invite somebody, who makes their passkey."""
    describe(web, handle)
    someone.open(f"/invitation?token={invitation(web, handle)}")
    someone.press("Make my passkey", "/")


def test_somebody_is_invited_makes_a_passkey_signs_out_in_and_steps_up(
    web: Running, person: Callable[..., Person]
) -> None:
    bo = person()
    describe(web, "bo")
    page = bo.open(f"/invitation?token={invitation(web, 'bo')}")
    expect(page.get_by_role("heading", name="Welcome, bo")).to_be_visible()
    bo.press("Make my passkey", "/")
    expect(page.locator("header .handle")).to_contain_text("bo")
    held = bo.credentials()
    assert [(one["rpId"], one["isResidentCredential"]) for one in held] == [("localhost", True)]

    page.locator("header form.leave button").click()
    page.wait_for_url(bo.base + "/sign-in")
    bo.open("/sign-in?next=/runs")
    bo.press("Sign in with a passkey", "/runs")

    bo.open("/step-up?next=/account")
    bo.press("Show my passkey", "/account")
    expect(page.get_by_text("vouched for by whoever holds")).to_be_visible()
    expect(page.get_by_text("this one")).to_be_visible()

    assert bo.complaints == []
    assert bo.credentials()[0]["signCount"] == 3


def test_another_device_is_enrolled_with_a_passkey_one_has_and_the_first_removed(
    web: Running, person: Callable[..., Person]
) -> None:
    cy = person()
    enrol(web, cy, "cy")
    page = cy.open("/account")
    page.get_by_role("button", name="Enrol a passkey").click()
    expect(page.get_by_text("This device holds a passkey of yours already.")).to_be_visible()

    cy.swap_device()
    page.get_by_label("What to call another passkey").fill("phone")
    page.get_by_role("button", name="Enrol a passkey").click()
    expect(page.get_by_text("phone")).to_be_visible()
    expect(page.get_by_text("vouched for by another passkey of yours")).to_be_visible()

    page.locator("li", has_text="my first passkey").get_by_role("button", name="Remove").click()
    page.wait_for_url(re.compile("/sign-in"))
    cy.open("/sign-in")
    cy.press("Sign in with a passkey", "/")
    assert cy.complaints == []


def test_somebody_links_an_account_by_a_comment_and_cancels_another(
    web: Running, person: Callable[..., Person]
) -> None:
    connect(web.home)
    gil = person()
    enrol(web, gil, "gil")
    page = gil.open("/account")
    page.get_by_label("A GitHub account of mine").fill("github.com:Gil-Dev")
    page.get_by_role("button", name="Link it by a comment").click()
    line = page.get_by_label("The line to write, shown once").inner_text()
    expect(page.get_by_text("waiting for a comment by github.com:Gil-Dev")).to_be_visible()

    deliver(web.home, comment(line, "Gil-Dev"))

    gil.open("/account")
    expect(page.get_by_text("by a comment of its holder")).to_be_visible()
    expect(page.get_by_text("waiting for")).to_have_count(0)
    page.get_by_label("A GitHub account of mine").fill("github.com:gil-2")
    page.get_by_role("button", name="Link it by a comment").click()
    page.get_by_role("button", name="Cancel waiting for github.com:gil-2").click()
    page.wait_for_url(gil.base + "/account")
    expect(page.get_by_text("waiting for")).to_have_count(0)
    assert gil.complaints == []


def test_a_device_that_does_not_recognise_its_user_signs_nobody_in(
    web: Running, person: Callable[..., Person]
) -> None:
    dee = person()
    enrol(web, dee, "dee")
    dee.context.clear_cookies()
    page = dee.open("/sign-in")
    dee.verify(yes=False)

    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.get_by_role("alert")).to_contain_text("No passkey was used")
    dee.verify(yes=True)
    dee.press("Sign in with a passkey", "/")


def test_what_went_wrong_is_said_on_the_page(web: Running, person: Callable[..., Person]) -> None:
    """The passkey is there, and the ledger knows it no more."""
    from counterfoil.app.actions import act
    from tests.signing_in import OWNER

    eve = person()
    enrol(web, eve, "eve")
    key = next(
        one for one in web.home.access.directory.passkeys.values()
        if one.actor == web.home.access.require_actor("eve").ref
    )  # fmt: skip
    act(web.home, OWNER, "passkey-remove", {"handle": "eve", "passkey": key.id}, "api")
    page = eve.open("/sign-in")

    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.get_by_role("alert")).to_have_text("this passkey is not known here, or was removed")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_signing_in_fit_a_phone(
    web: Running, person: Callable[..., Person], scheme: Scheme
) -> None:
    someone = person(360, scheme)
    handle = f"fay-{scheme}"
    describe(web, handle)
    token = invitation(web, handle)
    for path in (f"/invitation?token={token}", "/invitation?token=x", "/sign-in"):
        _fits(someone.open(path), path)
    someone.open(f"/invitation?token={token}")
    someone.press("Make my passkey", "/")
    for path in ("/account", "/step-up?next=/account"):
        _fits(someone.open(path), path)


def _fits(page: Page, path: str) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
    for button in page.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44, (path, button.inner_text())


def test_without_scripts_the_page_says_what_it_needs(chromium: Browser, web: Running) -> None:
    describe(web, "gil")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"http://{web.host}/invitation?token={invitation(web, 'gil')}")

    expect(page.get_by_text("This needs a browser with scripts and passkeys")).to_be_visible()
    expect(page.get_by_role("button", name="Make my passkey")).to_be_hidden()
    context.close()
