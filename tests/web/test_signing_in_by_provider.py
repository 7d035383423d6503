"""Signing in with a provider, over HTTP: who is linked gets in, and nobody else."""

import urllib.parse
from collections.abc import Iterator

import pytest

from counterfoil.app.acting_directory import Compared
from counterfoil.app.actions import act
from counterfoil.clock import SteppedClock
from tests.lying_provider import Provider, lying_provider
from tests.signing_in import (
    OWNER,
    Browser,
    describe,
    enrolled,
    events,
    handle_for,
    invitation,
    size,
)
from tests.web_server import Reply, Running, running


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with lying_provider() as running_provider:
        yield running_provider


@pytest.fixture(scope="module")
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture(scope="module")
def web(
    tmp_path_factory: pytest.TempPathFactory, provider: Provider, clock: SteppedClock
) -> Iterator[Running]:
    settings = (
        f'[oidc.acme]\nissuer = "{provider.issuer}"\nclient_id = "counterfoil"\n'
        'title = "Acme & sons"\n'
    )
    directory = tmp_path_factory.mktemp("provider") / "ledger"
    with running(directory, settings=settings, clock=clock) as server:
        yield server


@pytest.fixture(autouse=True)
def honest(provider: Provider, clock: SteppedClock) -> None:
    """Each test begins with a provider that tells the truth about somebody else."""
    provider.be_honest()
    provider.now_s = int(clock.now().timestamp())
    provider.claims = {"sub": f"nobody-{id(clock)}"}


def come_back(browser: Browser, provider: Provider, address: str, **answer: str) -> Reply:
    """Follow the browser to the provider and back; members of `answer` replace the true ones."""
    query = urllib.parse.urlencode({**provider.send(address), **answer})
    return browser.get(f"/sign-in/oidc/acme?{query}", **{"Sec-Fetch-Site": "cross-site"})


def sign_in(browser: Browser, provider: Provider, back: str = "/") -> Reply:
    begun = browser.get(f"/sign-in/oidc/acme/begin?next={urllib.parse.quote(back)}")
    assert begun.status == 303
    return come_back(browser, provider, begun.headers["location"])


def accept(browser: Browser, provider: Provider, token: str) -> Reply:
    """Accept an invitation by an account at the provider."""
    page = browser.form("/invitation/provider", {"token": token, "provider": "acme"})
    if page.status != 200:
        return page
    return come_back(browser, provider, leads_to(page))


def leads_to(page: Reply) -> str:
    import html
    import re

    found = re.search(r'class="btn main" href="([^"]+)"', page.body.decode())
    assert found is not None
    return html.unescape(found[1])


def linked(web: Running, provider: Provider, handle: str) -> Browser:
    """Return the browser of somebody who came in by the provider, invited."""
    describe(web, handle)
    provider.claims = {"sub": f"number-of-{handle}"}
    browser = Browser(web)
    reply = accept(browser, provider, invitation(web, handle))
    assert (reply.status, reply.headers.get("location")) == (303, "/"), reply.body
    return browser


def test_somebody_invited_comes_in_by_their_provider_from_then_on(
    web: Running, provider: Provider
) -> None:
    start = size(web)
    browser = linked(web, provider, "ana")
    assert browser.is_in()
    browser.sign_out()

    again = sign_in(browser, provider, "/runs")

    assert (again.status, again.headers["location"]) == (303, "/runs")
    assert browser.is_in()
    assert events(web, start) == [
        "actor.described", "role.granted", "invitation.made", "account.linked", "session.opened",
        "session.ended", "session.opened",
    ]  # fmt: skip


def test_somebody_the_provider_knows_and_we_do_not_is_told_to_ask_and_counted(
    web: Running, provider: Provider, clock: SteppedClock
) -> None:
    start = size(web)
    browser = Browser(web)

    refused = sign_in(browser, provider)

    assert refused.status == 403
    assert b"ask for an invitation" in refused.body
    assert b"Acme &amp; sons" in refused.body
    assert not browser.is_in()
    clock.step(61)
    web.home.recorder.record_refusals()
    assert events(web, start) == ["refusal.counted"]


def test_a_stranger_leaves_no_trace_of_who_they_are(web: Running, provider: Provider) -> None:
    """Otherwise anybody with an account at the provider could fill the file of people."""
    provider.claims = {"sub": "a-stranger"}
    sign_in(Browser(web), provider)

    account = "oidc:acme:a-stranger"
    assert web.home.keys.known_people([account]) == {}


def test_a_name_or_mail_address_lets_nobody_in(web: Running, provider: Provider) -> None:
    linked(web, provider, "bea")
    provider.claims = {
        "sub": "another", "email": "bea@acme.example", "email_verified": True,
        "preferred_username": "bea", "name": "number-of-bea",
    }  # fmt: skip

    assert sign_in(Browser(web), provider).status == 403


def test_an_account_of_somebody_else_is_not_linked_twice(web: Running, provider: Provider) -> None:
    linked(web, provider, "cat")
    describe(web, "dora")

    refused = accept(Browser(web), provider, invitation(web, "dora"))

    assert refused.status == 403
    assert b"somebody else" in refused.body


def test_a_link_that_was_taken_back_lets_nobody_in(web: Running, provider: Provider) -> None:
    from counterfoil.app.actions import act

    browser = linked(web, provider, "eli")
    browser.sign_out()
    given = {"handle": "eli", "account": "oidc:acme:number-of-eli"}
    act(web.home, OWNER, "account-unlink", given, "api")

    assert sign_in(browser, provider).status == 403


def test_an_account_that_an_administrator_named_signs_nobody_in(
    web: Running, provider: Provider
) -> None:
    """Said by somebody to be theirs, for telling whose acts are whose, is not shown by them."""
    from counterfoil.app.actions import act

    describe(web, "flo")
    given = {"handle": "flo", "account": "oidc:acme:number-of-flo"}
    act(web.home, OWNER, "account-link", given, "api")
    provider.claims = {"sub": "number-of-flo"}

    assert sign_in(Browser(web), provider).status == 403


def test_an_invitation_is_used_up_by_a_provider_too(web: Running, provider: Provider) -> None:
    describe(web, "gus")
    token = invitation(web, "gus")
    provider.claims = {"sub": "number-of-gus"}
    assert accept(Browser(web), provider, token).status == 303

    provider.claims = {"sub": "the-second-number-of-gus"}
    assert accept(Browser(web), provider, token).status == 403
    assert Browser(web).accept(token).status == 403


def test_an_account_is_linked_by_who_is_signed_in_and_showed_a_passkey(
    web: Running, provider: Provider, clock: SteppedClock
) -> None:
    browser = enrolled(web, "hana")
    provider.claims = {"sub": "number-of-hana"}
    clock.step(600)
    provider.now_s += 600
    stale = browser.form("/account/link", {"provider": "acme"})
    assert stale.status == 403
    assert b"passkey" in stale.body

    browser.step_up()
    # What was refused in the minutes before is counted now, not in between.
    web.home.recorder.record_refusals()
    start = size(web)
    page = browser.form("/account/link", {"provider": "acme"})
    done = come_back(browser, provider, leads_to(page))

    assert (done.status, done.headers["location"]) == (303, "/account")
    assert events(web, start) == ["account.linked"]
    assert b"oidc:acme:number-of-hana" in browser.get("/account").body
    other = Browser(web)
    assert sign_in(other, provider).status == 303
    assert other.is_in()


def test_linking_is_not_finished_in_another_session(web: Running, provider: Provider) -> None:
    """An attacker's answer would let the attacker in as the victim."""
    attacker, victim = enrolled(web, "ivo"), enrolled(web, "jim")
    provider.claims = {"sub": "number-of-ivo"}
    page = attacker.form("/account/link", {"provider": "acme"})
    address = leads_to(page)
    victim.cookies["counterfoil-flow"] = attacker.cookies["counterfoil-flow"]

    refused = come_back(victim, provider, address)

    assert refused.status == 403
    assert b"oidc:acme" not in victim.get("/account").body


def test_a_session_by_a_provider_enrols_no_first_passkey(web: Running, provider: Provider) -> None:
    """The provider vouches for an account, not for a key that outlives it."""
    browser = linked(web, provider, "kim")

    refused = browser.post("/account/passkey/ask", {})

    assert (refused.status, refused.json()["reason"]) == (403, "not-vouched")
    assert b"ask for an invitation" in browser.get("/account").body


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_begins_no_sign_in(web: Running, site: str) -> None:
    """Whoever is signed in at the provider would be signed in here without wanting to."""
    reply = Browser(web).get("/sign-in/oidc/acme/begin", **{"Sec-Fetch-Site": site})

    assert (reply.status, reply.headers["location"]) == (303, "/sign-in")
    assert reply.set_cookies == ""


def test_an_answer_nobody_asked_for_signs_nobody_in(web: Running, provider: Provider) -> None:
    for query in ("", "code=x", "code=x&state=y", "error=access_denied", "state=" + "0" * 64):
        browser = Browser(web)
        reply = browser.get(f"/sign-in/oidc/acme?{query}")
        assert reply.status == 403, query
        assert not browser.is_in()
    assert provider.asked == []


def test_a_wrong_state_or_code_signs_nobody_in(web: Running, provider: Provider) -> None:
    linked(web, provider, "lea")
    for answer in ({"state": "0" * 64}, {"iss": "https://attacker.example"}, {"code": ""}):
        browser = Browser(web)
        begun = browser.get("/sign-in/oidc/acme/begin")
        refused = come_back(browser, provider, begun.headers["location"], **answer)
        assert refused.status == 403, answer
        assert not browser.is_in()


def test_a_stolen_answer_is_worth_nothing_in_another_browser(
    web: Running, provider: Provider
) -> None:
    linked(web, provider, "mia")
    victim, thief = Browser(web), Browser(web)
    address = victim.get("/sign-in/oidc/acme/begin").headers["location"]
    thief.get("/sign-in/oidc/acme/begin")

    assert come_back(thief, provider, address).status == 403
    assert not thief.is_in()


def test_a_provider_that_is_not_set_up_is_not_found(web: Running) -> None:
    browser = Browser(web)

    assert browser.get("/sign-in/oidc/nobody/begin").status == 404
    assert browser.get("/sign-in/oidc/nobody?state=x&code=y").status == 404


def test_a_provider_that_is_down_says_so_and_the_page_stays_whole(
    web: Running, provider: Provider, clock: SteppedClock
) -> None:
    clock.step(3600)
    provider.raw["/.well-known/openid-configuration"] = (500, b"")

    reply = Browser(web).get("/sign-in/oidc/acme/begin")

    assert reply.status == 503
    assert b"sign-in provider" in reply.body


def test_the_sign_in_page_names_the_providers(web: Running, provider: Provider) -> None:
    linked(web, provider, "noa")
    page = Browser(web).get("/sign-in?next=/runs").body.decode()

    assert 'href="/sign-in/oidc/acme/begin?next=%2Fruns"' in page
    assert "Acme &amp; sons" in page
    assert page.index("Sign in with a passkey") < page.index("Acme &amp; sons")


@pytest.mark.parametrize("how", ["unlinked", "left out of a directory file"])
def test_an_account_that_is_somebodys_no_more_ends_what_began_with_it(
    web: Running, provider: Provider, clock: SteppedClock, how: str
) -> None:
    """And nothing else: who else came by the provider, and by a passkey, stays."""
    handle = handle_for(f"unlinked {how}")
    account = f"oidc:acme:number-of-{handle}"
    with_key = enrolled(web, handle)
    if how != "unlinked":
        import_accounts(web, handle, f"[{account!r}]")
        clock.step(1)
    browsers = {}
    for who in (handle, f"{handle}-2"):
        provider.claims = {"sub": f"number-of-{who}"}
        if who != handle:
            describe(web, who)
        browsers[who] = Browser(web)
        assert accept(browsers[who], provider, invitation(web, who)).status == 303
        assert browsers[who].is_in()
    web.home.recorder.record_refusals()
    start = size(web)

    if how == "unlinked":
        act(web.home, OWNER, "account-unlink", {"handle": handle, "account": account}, "api")
    else:
        import_accounts(web, handle, "[]")

    assert not browsers[handle].is_in()
    assert browsers[f"{handle}-2"].is_in()
    assert with_key.is_in()
    assert events(web, start)[-2:] == ["account.unlinked", "session.ended"]


def import_accounts(web: Running, handle: str, accounts: str) -> None:
    """Take over a directory file that says which accounts somebody has."""
    content = (
        "apiVersion: counterfoil.directory/1\nactors:\n"
        f"  - handle: {handle}\n    accounts: {accounts}\n"
    )
    given = {"content": content}
    shown = act(web.home, OWNER, "directory-diff", given, "api")
    assert isinstance(shown, Compared)
    act(web.home, OWNER, "directory-import", {**given, "digest": shown.digest}, "api")
