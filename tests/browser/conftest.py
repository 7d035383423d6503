"""Debian's chromium, a session on a real server, and a way to see what a page complains about."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from counterfoil.app import signin
from counterfoil.clock import Clock, SystemClock
from counterfoil.ids import SystemRandomness
from tests.browser.paths import FILES
from tests.directory_story import fill
from tests.tools import needs_tool
from tests.web_server import Running, event, running

Look = tuple[int, Literal["light", "dark"]]
EVIDENCE = b"12:00:01 the heap grows\n" * 40
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = needs_tool("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with one of everything a page shows."""
    directory: Path = tmp_path_factory.mktemp("browser") / "ledger"
    with running(directory) as server:
        for posted in story():
            reply = server.call("POST", "/v1/events", posted)
            assert reply.status == 201, reply.body
        digest = f"sha256:{hashlib.sha256(EVIDENCE).hexdigest()}"
        assert server.call("PUT", f"/v1/blobs/{digest}", EVIDENCE).status == 201
        named = {"digest": digest, "name": "server.log", "mediatype": "text/plain"}
        missing = {"digest": f"sha256:{'0' * 64}", "name": "never.png", "mediatype": "image/png"}
        reply = server.call("POST", "/v1/events", event(data={"blobs": [named, missing]}))
        assert f"/entries/{reply.json()['entries'][0]['index']}" == FILES
        fill(server.home)
        yield server


def story() -> list[dict[str, Any]]:
    """Return events: a run that failed, a release that was published, a hostile name."""
    cdevents = {"context": {"version": "0.5.1"}}
    return [
        event(
            type="dev.cdevents.testcaserun.finished.0.3.0", subject="test:t::test_refund",
            data={**cdevents, "subject": {"id": "c1", "content": {"outcome": "fail"}},
                  "refs": [{"ref": "run:acme/shop/1", "role": "part-of"},
                           {"ref": "test:t::test_refund", "role": "about"}]},
        ),
        event(
            type="dev.cdevents.testsuiterun.finished.0.3.0", subject="run:acme/shop/1",
            data={**cdevents, "subject": {"id": "1", "content": {"outcome": "fail"}},
                  "refs": [{"ref": "commit:acme/shop@9fceb02aa17b", "role": "input"}]},
        ),
        event(
            type="dev.cdeventsx.counterfoil-release.published.0.1.0", subject="release:shop@1.4.2",
            data={"name": "shop", "version": "1.4.2",
                  "refs": [{"ref": "commit:acme/shop@9fceb02aa17b", "role": "contains"}]},
        ),
        event(type="com.example.odd", subject="run:<script>alert(1)</script>\u202etxt"),
        *(each for number, outcome in ((0, "pass"), (2, "fail")) for each in suite(number, outcome)),
    ]  # fmt: skip


def suite(number: int, outcome: str) -> list[dict[str, Any]]:
    """Return a run named unit with one case that came out like this."""
    run, context = f"run:acme/shop/{number}", {"version": "0.5.1"}
    return [
        event(
            type="dev.cdevents.testcaserun.finished.0.3.0", subject="test:t::test_vat",
            data={"context": context, "subject": {"id": f"v{number}",
                                                  "content": {"outcome": outcome}},
                  "refs": [{"ref": run, "role": "part-of"},
                           {"ref": "test:t::test_vat", "role": "about"}]},
        ),
        event(
            type="dev.cdevents.testsuiterun.finished.0.3.0", subject=run,
            data={"context": context,
                  "subject": {"id": str(number),
                              "content": {"outcome": outcome, "testSuite": {"name": "unit"}}},
                  "refs": [{"ref": f"commit:acme/shop@{number}fceb02aa17b", "role": "input"}]},
        ),
    ]  # fmt: skip


@pytest.fixture(scope="session")
def session(chromium: Browser, served: Running) -> Any:
    """Sign in as a person does: by the link, and its button."""
    return signed_in(chromium, served)


def signed_in(chromium: Browser, served: Running, clock: Clock | None = None) -> Any:
    """Return the state of a browser in which somebody has signed in."""
    base = f"http://{served.host}"
    link = signin.make_link(served.home.state, clock or SystemClock(), SystemRandomness(), base)
    context = chromium.new_context()
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(base + "/")
    state = context.storage_state()
    context.close()
    return state


class Watched:
    """A page and everything it complained about."""

    def __init__(self, page: Page, server: Running) -> None:
        self.page = page
        self.server = server
        self.base = f"http://{server.host}"
        self.complaints: list[str] = []
        page.on("console", lambda said: self._note(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)

    def open(self, path: str) -> Page:
        """Go to a path of the server and wait until it has settled."""
        self.server.settle()
        self.page.goto(self.base + path, wait_until="load")
        return self.page


@pytest.fixture
def watched(
    chromium: Browser, served: Running, session: Any, request: pytest.FixtureRequest
) -> Iterator[Watched]:
    """A page of the session; parametrise indirectly with (width, scheme)."""
    look: Look = getattr(request, "param", (1360, "light"))
    context = chromium.new_context(
        storage_state=session, viewport={"width": look[0], "height": 800}, color_scheme=look[1]
    )
    yield Watched(context.new_page(), served)
    context.close()
