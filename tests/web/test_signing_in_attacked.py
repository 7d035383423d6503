"""Attacks on signing in, each a test: stolen, planted, replayed, forged, mixed up, led away."""

import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from counterfoil.app.actions import act
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from tests.authenticator import PRESENT
from tests.signing_in import (
    OWNER,
    Browser,
    describe,
    enrolled,
    events,
    handle_for,
    handle_of,
    invitation,
    reason,
    size,
)
from tests.web_server import Running, running


@pytest.fixture(scope="module")
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, clock: SteppedClock) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("web") / "ledger", clock=clock) as server:
        yield server


@pytest.fixture
def ana(web: Running, request: pytest.FixtureRequest) -> Browser:
    """Somebody with a passkey, signed in; another person for every test."""
    return enrolled(web, handle_for(request.node.nodeid))


def test_a_stolen_cookie_is_worth_nothing_after_signing_out(web: Running, ana: Browser) -> None:
    thief = Browser(web, dict(ana.cookies))
    assert thief.is_in()

    ana.sign_out()

    assert not thief.is_in()


def test_a_fixed_session_is_not_the_one_that_is_signed_in(web: Running, ana: Browser) -> None:
    """Whoever plants a cookie in a browser must not find somebody signed in under it."""
    ana.sign_out()
    planted = "f" * 64
    ana.cookies["counterfoil"] = planted

    ana.sign_in()

    assert ana.session != planted
    assert not Browser(web, {"counterfoil": planted}).is_in()


@pytest.mark.parametrize(
    "headers",
    [{"Origin": ""}, {"Origin": "null"}, {"Origin": "https://attacker.example"},
     {"Origin": "http://localhost.attacker.example"}, {"Sec-Fetch-Site": "cross-site"},
     {"Sec-Fetch-Site": "same-site"}],
    ids=["no origin", "a hidden origin", "another origin", "one that begins like ours",
         "from another site", "from a site beside us"],
)  # fmt: skip
@pytest.mark.parametrize(
    "path",
    ["/sign-in/passkey/ask", "/sign-in/passkey", "/invitation/ask", "/invitation", "/step-up/ask",
     "/step-up", "/account/passkey/ask", "/account/passkey"],
)  # fmt: skip
def test_no_other_site_makes_a_call_of_ours(
    web: Running, path: str, headers: dict[str, str]
) -> None:
    refused = Browser(web).post(path, {}, **headers)

    assert (refused.status, refused.code) == (403, "csrf")
    assert refused.set_cookies == ""


@pytest.mark.parametrize("csrf", ["", "0" * 64], ids=["absent", "another"])
@pytest.mark.parametrize(
    "path", ["/account/passkey/remove", "/account/sessions/end", "/account/link", "/sign-out"]
)
def test_a_form_without_the_sessions_own_token_changes_nothing(
    ana: Browser, path: str, csrf: str
) -> None:
    refused = ana.form(path, {"csrf": csrf, "passkey": ana.authenticator.id})

    assert refused.status == 403
    assert ana.is_in()


@pytest.mark.parametrize(
    "path", ["/step-up/ask", "/step-up", "/account/passkey/ask", "/account/passkey"]
)
def test_a_script_without_the_sessions_own_token_changes_nothing(ana: Browser, path: str) -> None:
    body: dict[str, object] = {"credential": {}}
    refused = ana.post(path, body, **{"X-Counterfoil-CSRF": "0" * 64})

    assert (refused.status, refused.code) == (403, "csrf")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_json_is_taken_as_json_alone(web: Running, content_type: str) -> None:
    """Another site's form can send the other types without asking first."""
    refused = Browser(web).post("/sign-in/passkey/ask", {}, **{"Content-Type": content_type})

    assert (refused.status, refused.code) == (415, "content_type")


@pytest.mark.parametrize(
    "back",
    ["//attacker.example", "/\\attacker.example", "https://attacker.example", "/\t/attacker.example",
     "/\n/attacker.example", "\\\\attacker.example", "javascript:alert(1)", "attacker.example",
     "/%2f/../\\x", "/" + "x" * 3000, "", " /runs", "/runs\u2028"],
    ids=ascii,
)  # fmt: skip
def test_nobody_is_sent_elsewhere_after_signing_in(ana: Browser, back: str) -> None:
    ana.sign_out()
    assert ana.sign_in(back).json() == {"next": "/"}

    query = urllib.parse.urlencode({"next": back})
    assert ana.get(f"/sign-in?{query}").headers["location"] == "/"
    page = ana.get(f"/step-up?{query}").body.decode()
    assert 'href="/"' in page
    assert "attacker" not in page


def test_a_replayed_passkey_answer_signs_nobody_in(web: Running, ana: Browser) -> None:
    ana.sign_out()
    ana.authenticator.counter += 1
    asked = ana.post("/sign-in/passkey/ask", {}).body.decode()
    flow = dict(ana.cookies)
    shown = {"credential": json.loads(ana.authenticator.get(asked))}
    assert ana.post("/sign-in/passkey", shown).status == 200

    assert reason(Browser(web, flow).post("/sign-in/passkey", shown)) == "challenge"


def test_a_passkey_answer_is_worth_nothing_in_another_browser(web: Running, ana: Browser) -> None:
    """Handed to a victim, it would sign them in as somebody else."""
    ana.sign_out()
    ana.authenticator.counter += 1
    asked = ana.post("/sign-in/passkey/ask", {}).body.decode()
    shown = {"credential": json.loads(ana.authenticator.get(asked))}
    victim = Browser(web)
    victim.post("/sign-in/passkey/ask", {})

    assert reason(victim.post("/sign-in/passkey", shown)) == "challenge"
    assert not victim.is_in()


def test_a_step_up_is_not_answered_by_signing_in_or_by_somebody_else(
    web: Running, ana: Browser
) -> None:
    other = enrolled(web, f"{handle_of(ana)}-other")
    ana.authenticator.counter += 1
    asked = ana.post("/step-up/ask", {}).body.decode()
    theirs = {"credential": json.loads(other.authenticator.get(asked))}
    assert reason(ana.post("/step-up", theirs)) == "other-person"

    asked = ana.post("/sign-in/passkey/ask", {}).body.decode()
    own = {"credential": json.loads(ana.authenticator.get(asked))}
    assert reason(ana.post("/step-up", own)) == "challenge"


@pytest.mark.parametrize(
    ("bent", "expected"),
    [({"flags": PRESENT}, "user-verification"), ({"origin": "https://evil.example"}, "origin"),
     ({"rp_id": "evil.example"}, "rp-id"), ({"counter": -1}, "counter")],
    ids=["user not verified", "another origin", "another host", "a clone that fell behind"],
)  # fmt: skip
def test_a_passkey_that_proves_something_else_signs_nobody_in(
    ana: Browser, bent: dict[str, Any], expected: str
) -> None:
    ana.authenticator.counter = 5
    assert ana.sign_in().status == 200
    ana.sign_out()
    ana.authenticator = replace(ana.authenticator, **bent)

    assert reason(ana.sign_in()) == expected
    assert not ana.is_in()


def test_an_invitation_is_used_once(web: Running) -> None:
    describe(web, "dan")
    token = invitation(web, "dan")
    first = Browser(web)
    first.authenticator.credential_id = b"the passkey of dan"
    assert first.accept(token).status == 200

    second = Browser(web)
    assert reason(second.accept(token)) == "invitation"
    assert second.get(f"/invitation?token={token}").status == 403


def test_of_those_who_accept_an_invitation_at_once_one_is_enrolled(web: Running) -> None:
    describe(web, "eve")
    token = invitation(web, "eve")
    start, statuses = threading.Barrier(4), list[int]()

    def accept(number: int) -> None:
        browser = Browser(web)
        browser.authenticator.credential_id = b"key %d of eve" % number
        asked = browser.post("/invitation/ask", {"token": token}).body.decode()
        made = json.loads(browser.authenticator.create(asked))
        start.wait(20)
        statuses.append(browser.post("/invitation", {"token": token, "credential": made}).status)

    threads = [threading.Thread(target=accept, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200, 403, 403, 403]


def test_a_further_invitation_ends_the_one_before(web: Running) -> None:
    """The first may have gone to the wrong place: that is why there is a second."""
    describe(web, "ned")
    first, start = invitation(web, "ned"), size(web)
    second = invitation(web, "ned")

    assert events(web, start) == ["invitation.ended", "invitation.made"]
    assert reason(Browser(web).accept(first)) == "invitation"
    assert Browser(web).accept(second).status == 200


def test_a_withdrawn_invitation_enrols_nobody(web: Running) -> None:
    """Not even a browser that has begun: between question and answer it may be withdrawn."""
    describe(web, "oda")
    token = invitation(web, "oda")
    browser = Browser(web)
    browser.authenticator.credential_id = b"the passkey of oda"
    asked = browser.post("/invitation/ask", {"token": token}).body.decode()
    made = json.loads(browser.authenticator.create(asked))
    start = size(web)
    act(web.home, OWNER, "invitation-end", {"handle": "oda", "reason": "wrong mail"}, "cli")

    assert events(web, start) == ["invitation.ended"]
    refused = browser.post("/invitation", {"token": token, "credential": made})
    assert reason(refused) == "invitation"
    assert browser.get(f"/invitation?token={token}").status == 403
    with pytest.raises(RequestError, match="oda has no invitation that could be used"):
        act(web.home, OWNER, "invitation-end", {"handle": "oda"}, "cli")


def test_an_invitation_that_is_over_enrols_nobody(web: Running, clock: SteppedClock) -> None:
    describe(web, "fay")
    token = invitation(web, "fay")
    clock.step(3 * 24 * 3600)

    browser = Browser(web)

    assert browser.get(f"/invitation?token={token}").status == 403
    assert reason(browser.accept(token)) == "invitation"


def test_an_invitation_is_not_accepted_in_the_browser_of_somebody_else(
    web: Running, ana: Browser
) -> None:
    """Whoever is sent an invitation for another person must not end up with their passkey."""
    other = f"{handle_of(ana)}-invited"
    describe(web, other)

    assert reason(ana.accept(invitation(web, other))) == "other-person"


def test_the_challenge_of_one_invitation_does_not_accept_another(web: Running) -> None:
    describe(web, "gil")
    describe(web, "hal")
    first, second = invitation(web, "gil"), invitation(web, "hal")
    browser = Browser(web)
    browser.authenticator.credential_id = b"the passkey of gil or hal"
    asked = browser.post("/invitation/ask", {"token": first}).body.decode()
    made = json.loads(browser.authenticator.create(asked))

    refused = browser.post("/invitation", {"token": second, "credential": made})

    assert reason(refused) == "challenge"
    assert browser.accept(second).status == 200


def test_an_invitation_is_no_sign_in_link(web: Running) -> None:
    describe(web, "jo")
    browser = Browser(web)

    assert browser.form("/sign-in", {"token": invitation(web, "jo")}).status == 403
    assert not browser.is_in()


def test_nobody_invites_themselves_or_a_program(web: Running, ana: Browser) -> None:
    own = web.home.access.require_actor(handle_of(ana))
    act(web.home, OWNER, "actor-describe", {"handle": "robot", "kind": "service"}, "api")

    for credential, handle in ((OWNER, "robot"), (replace(OWNER, actor=own.ref), own.handle)):
        with pytest.raises(RequestError) as refused:
            act(web.home, credential, "invite", {"handle": handle}, "api")
        assert refused.value.code == "usage"
