"""My account: a GitHub account is linked by a comment, from the form to the page that says so."""

import html
import re
from collections.abc import Iterator

import pytest

from counterfoil.app.linking import LIFE
from counterfoil.clock import SteppedClock
from tests.comments import comment, connect, signed
from tests.signing_in import Browser, enrolled
from tests.web_server import Reply, Running, running


@pytest.fixture(scope="module")
def clock() -> SteppedClock:
    return SteppedClock("2026-11-20T12:00:00.000Z")


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, clock: SteppedClock) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("linking") / "ledger", clock=clock) as server:
        connect(server.home)
        yield server


def begin(browser: Browser, account: str) -> Reply:
    return browser.form("/account/comment", {"account": account})


def followed(browser: Browser, reply: Reply) -> str:
    """Return the page a form leads to."""
    assert reply.status == 303, reply.body
    return html.unescape(browser.get(reply.headers["location"]).body.decode())


def line_of(page: str) -> str:
    found = re.search(r"<pre[^>]*>(counterfoil link [^<]*)</pre>", page)
    assert found is not None
    return found[1]


def visible(page: str) -> str:
    """Return the words of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", page.replace("<", " <"))).split()).replace(
        " ,", ","
    )


def write(web: Running, line: str, login: str) -> Reply:
    """Have GitHub deliver a comment."""
    headers, body = signed(comment(line, login))
    return web.call("POST", "/v1/webhooks/shop", body, headers, token=None)


def test_a_line_is_given_once_and_its_comment_links_the_account(
    web: Running, clock: SteppedClock
) -> None:
    browser = enrolled(web, "ana")
    reply = begin(browser, "github.com:Ana-Dev")
    page = followed(browser, reply)
    line, until = line_of(page), (clock.now() + LIFE).strftime("%H:%M")
    assert line.startswith("counterfoil link ana ")
    assert f"waiting for a comment by github.com:Ana-Dev until {until} UTC" in visible(page)
    again = followed(browser, reply)
    assert line not in again
    assert "waiting for a comment by" in again

    answer = write(web, line, "Ana-Dev")

    index = answer.json()["entries"][0]["index"]
    page = visible(browser.get("/account").body.decode())
    assert "waiting for" not in page
    since = clock.now().strftime("%H:%M")
    assert f"github.com:Ana-Dev linked by a comment of its holder, since {since}" in page
    assert f'href="/entries/{index}"' in browser.get("/account").body.decode()


def test_the_page_of_a_person_leads_to_the_comment_that_proved_an_account(web: Running) -> None:
    browser = enrolled(web, "bea", "administrator")
    line = line_of(followed(browser, begin(browser, "github.com:bea")))
    index = write(web, line, "bea").json()["entries"][0]["index"]

    page = browser.get("/admin/person?handle=bea").body.decode()

    assert "linked by a comment of its holder" in page
    assert re.search(rf'the comment is <a class="mark \w+" href="/entries/{index}"', page)


def test_waiting_is_cancelled(web: Running) -> None:
    browser = enrolled(web, "cat")
    line = line_of(followed(browser, begin(browser, "github.com:cat")))

    page = followed(browser, browser.form("/account/comment/cancel", {"account": "github.com:cat"}))

    assert "waiting for" not in page
    write(web, line, "cat")
    assert "by a comment of" not in browser.get("/account").body.decode()


def test_nobody_sees_or_cancels_what_another_began(web: Running) -> None:
    mine, other = enrolled(web, "dan"), enrolled(web, "eve")
    reply = begin(mine, "github.com:dan")

    page = followed(other, reply)
    other.form("/account/comment/cancel", {"account": "github.com:dan"})

    assert "github.com:dan" not in page
    assert "waiting for a comment by" in followed(mine, reply)


def test_without_a_fresh_passkey_it_is_asked_for_and_what_was_typed_is_there_after(
    web: Running, clock: SteppedClock
) -> None:
    browser = enrolled(web, "flo")
    clock.step(600)
    asked = begin(browser, "github.com:flo")
    assert asked.status == 303
    assert asked.headers["location"].startswith("/step-up?next=%2Faccount")
    ask_page = browser.get(asked.headers["location"]).body.decode()
    back = re.search(r'href="(/account\?account[^"]*)"', ask_page)
    assert back is not None

    stepped = browser.step_up(html.unescape(back[1]))

    page = browser.get(stepped.json()["next"]).body.decode()
    assert 'value="github.com:flo"' in page
    line_of(followed(browser, begin(browser, "github.com:flo")))


def test_what_is_refused_is_said_beside_the_form_with_what_was_typed(web: Running) -> None:
    browser, other = enrolled(web, "gus"), enrolled(web, "hugo")
    write(web, line_of(followed(other, begin(other, "github.com:hugo"))), "hugo")

    for account, status, word in (
        ("mail:gus@acme.example", 400, "github.com alone"),
        ("github.com:\u0430na", 400, "in one word"),
        ("github.com:Hugo", 400, "reads like"),
        ("github.com:hugo", 409, "somebody else's already"),
    ):
        refused = begin(browser, account)
        page = html.unescape(refused.body.decode())
        assert refused.status == status, account
        assert word in page
        assert f'value="{account}"' in page
        assert "waiting for" not in page


@pytest.mark.parametrize("path", ["/account/comment", "/account/comment/cancel"])
def test_another_site_begins_and_ends_nothing(web: Running, path: str) -> None:
    browser = enrolled(web, f"hal-{path.count('/')}")
    given = {"account": "github.com:hal", "csrf": "0" * 64}

    assert browser.form(path, given).status == 403
    assert (
        browser.form(path, {"account": "github.com:hal"}, Origin="https://x.example").status == 403
    )
    assert Browser(web).form(path, {"account": "github.com:hal"}).status == 403
    assert "waiting for" not in browser.get("/account").body.decode()


def test_a_delivery_says_nothing_about_what_it_linked(web: Running) -> None:
    """Whoever reads the deliveries at GitHub is no reader of this ledger."""
    browser = enrolled(web, "ida")
    line = line_of(followed(browser, begin(browser, "github.com:ida")))
    plain, linked = write(web, "a comment", "ida"), write(web, line, "ida")

    assert plain.json().keys() == linked.json().keys()
    assert [len(one.json()["entries"]) for one in (plain, linked)] == [1, 1]
    assert "ida" not in linked.body.decode()
