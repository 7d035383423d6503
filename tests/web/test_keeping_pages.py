"""The pages of what takes two people, and of rules and holds: two persons, each in a browser."""

import html
import re
from collections.abc import Iterator

import pytest

from counterfoil.app.actions import act
from tests.admin_reader import Reader, section, sign_in
from tests.signing_in import OWNER, Browser, enrolled
from tests.web_server import Running, event, running

ASKED, RETENTION = "/admin/asked", "/admin/retention"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of its own: people with passkeys change what the first administrator may."""
    with running(tmp_path_factory.mktemp("keeping") / "ledger") as server:
        server.call("POST", "/v1/events", event(id="k1", subject="release:kept@1"))
        server.settle()
        yield server


@pytest.fixture(scope="module")
def ana(web: Running) -> Browser:
    return enrolled(web, "ana", "administrator")


@pytest.fixture(scope="module")
def dan(web: Running) -> Browser:
    return enrolled(web, "dan", "administrator")


def page(browser: Browser, path: str) -> str:
    reply = browser.get(path)
    assert reply.status == 200, reply.body
    return reply.body.decode()


def sent(browser: Browser, action: str, back: str, **fields: str) -> str:
    """Send a form; return the page it leads to."""
    assert browser.step_up().status in {200, 303}
    reply = browser.form(f"/act/{action}", {"back": back, "_form": action, **fields})
    assert reply.status == 303, reply.body
    return page(browser, reply.headers["location"])


def test_what_one_asks_for_another_reads_and_agrees_to(ana: Browser, dan: Browser) -> None:
    sent(ana, "retention-set", RETENTION, preset="pci-dss-10.5.1", reason="card data",
         project="default")  # fmt: skip

    asked = sent(ana, "retention-set", RETENTION, rule="pci-dss-10.5.1", types="*", days="100",
                 reason="less disk", project="default")  # fmt: skip

    assert "Nothing is done yet" in asked
    own = section(page(ana, ASKED), "waiting")
    assert "another person has to agree" in own
    waiting = section(page(dan, ASKED), "waiting")
    assert "less disk" in waiting
    assert "instead of 366" in waiting
    entry, digest = (
        re.findall(rf'name="{name}" value="([^"]+)"', waiting)[0] for name in ("entry", "digest")
    )
    done = sent(dan, "confirm", ASKED, entry=entry, digest=digest)
    assert "Confirmed: " in done
    assert 'id="waiting"' in done
    assert "agreed, not done" not in done
    over = section(done, "over")
    assert re.search("asked by.*ana.*agreed by.*dan", over, re.DOTALL)
    rules = section(page(ana, RETENTION), "rules")
    assert "for 100 days" in rules


def test_whoever_cannot_agree_is_shown_why_and_no_button(ana: Browser) -> None:
    sent(ana, "retention-set", RETENTION, rule="short", types="com.example.*", days="7",
         reason="x", project="default")  # fmt: skip

    waiting = section(page(ana, ASKED), "waiting")

    assert 'action="/act/confirm"' in waiting
    assert "Agree, and do it</button>" not in waiting
    assert "End it</button>" in waiting
    assert "less disk" not in waiting


def test_holds_and_a_preview_are_shown_with_their_entries(ana: Browser) -> None:
    placed = sent(ana, "hold-place", RETENTION, case="M-1", reason="claim <b>of</b> a customer",
                  refs="release:kept@1", project="default")  # fmt: skip

    shown = section(placed, "holds")
    assert "release:kept@1" in shown
    assert "claim &lt;b&gt;of&lt;/b&gt; a customer" in shown
    [number] = re.findall(r'name="hold" value="(\d+)"', shown)
    assert f'href="/entries/{number}"' in html.unescape(shown)
    seen = sent(ana, "retention-preview", RETENTION, project="default")
    assert "Nothing would go." in section(seen, "preview")
    released = sent(
        ana, "hold-release", RETENTION, hold=number, reason="settled", project="default"
    )
    assert "Nothing is held." in section(released, "holds")
    assert "M-1" in section(released, "released")


def test_a_form_that_is_refused_keeps_what_was_typed(ana: Browser) -> None:
    assert ana.step_up().status in {200, 303}
    reply = ana.form("/act/hold-place", {"back": RETENTION, "_form": "hold-place", "case": "M-2",
                                         "reason": "typed", "refs": "release:none@1",
                                         "project": "default"})  # fmt: skip

    assert reply.status == 404
    assert "No entry of default names" in html.unescape(reply.body.decode())
    assert 'value="release:none@1"' in reply.body.decode()


def test_a_reader_sees_both_pages_and_may_do_nothing(web: Running, ana: Browser) -> None:
    act(web.home, OWNER, "actor-describe", {"handle": "rea"}, "api")
    act(web.home, OWNER, "role-grant", {"to": "rea", "role": "viewer"}, "api")
    sent(ana, "retention-set", RETENTION, rule="secret", types="com.example.*", days="9",
         reason="words for few", project="default")  # fmt: skip
    reader: Reader = sign_in(web, "rea")

    retention, asked = reader.page(RETENTION), reader.page(ASKED)

    assert "You may not do this" in retention
    assert "words for few" not in asked
    assert "with what is closed to you, or erased" in asked
    assert reader.page(f"{RETENTION}?as_of=0")
    assert "Nothing waits" in reader.page(f"{ASKED}?as_of=0")
