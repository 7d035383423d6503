"""Signing in, over HTTP: invited, enrolled, signed out and in, stepped up; and attacks on each."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from counterfoil.app import saved, signin
from counterfoil.app.acting_sign_in import Invitation, Keys, Sessioned
from counterfoil.app.actions import act
from counterfoil.app.opening import open_all
from counterfoil.app.proving import digest
from counterfoil.clock import SteppedClock
from counterfoil.events.entry import read_entry
from counterfoil.policy.access import ADMIN, LOG, Credential
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
from tests.web_server import Reply, Running, running


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


# Invited, enrolled, out and in


def test_signing_in_and_out_leaves_what_is_remembered_of_who_may(
    web: Running, ana: Browser
) -> None:
    """It changes nobody's rights; that it happened is known at once all the same."""
    access = web.home.access
    version, known, start = access.version, len(access.directory.sessions), size(web)

    ana.sign_out()
    ana.sign_in()
    ana.step_up()

    assert events(web, start) == ["session.ended", "session.opened", "session.verified"]
    assert (access.version, len(access.directory.sessions)) == (version, known + 1)


def test_somebody_is_invited_enrols_a_passkey_and_is_in(web: Running) -> None:
    describe(web, "bo")
    start = size(web)
    browser = Browser(web)

    token = invitation(web, "bo")
    shown = browser.get(f"/invitation?token={token}")
    assert shown.status == 200
    assert b"bo" in shown.body
    accepted = browser.accept(token)

    assert (accepted.status, accepted.json()) == (200, {"next": "/"})
    assert browser.is_in()
    assert events(web, start) == ["invitation.made", "passkey.enrolled", "session.opened"]


def test_who_vouched_for_a_passkey_is_in_the_log(web: Running) -> None:
    enrolled(web, "ida", "administrator")
    ida = web.home.access.require_actor("ida")
    describe(web, "cy")
    inviting = replace(OWNER, actor=ida.ref)
    made = act(web.home, inviting, "invite", {"handle": "cy"}, "web")
    browser = Browser(web)
    browser.authenticator.credential_id = b"the first passkey of cy"
    assert isinstance(made, Invitation)
    browser.accept(made.link.rpartition("=")[2])

    key = web.home.access.directory.passkeys[browser.authenticator.id]
    assert (key.vouched, key.vouched_by, key.rp) == ("invitation", ida.ref, "localhost")


@pytest.mark.parametrize(
    ("credential", "vouched", "shown"),
    [
        (OWNER, "files", "whoever holds the ledger&#39;s files"),
        (ADMIN, "admin-token", "whoever holds the administrator&#39;s token"),
    ],
    ids=["whoever holds the files", "the administrator's token"],
)
def test_where_nobody_stood_behind_an_invitation_the_log_says_which(
    web: Running, credential: Credential, vouched: str, shown: str
) -> None:
    """Also once people are enrolled: nobody is said to have vouched, and no second person has."""
    handle = f"by-{vouched}"
    chief = enrolled(web, f"chief-{vouched}", "administrator")
    describe(web, handle)
    made = act(web.home, credential, "invite", {"handle": handle}, "api")
    assert isinstance(made, Invitation)
    token = made.link.rpartition("=")[2]
    browser = Browser(web)
    browser.authenticator.credential_id = f"a passkey by {vouched}".encode()
    assert shown in browser.get(f"/invitation?token={token}").body.decode()
    assert browser.accept(token).status == 200

    key = web.home.access.directory.passkeys[browser.authenticator.id]
    assert (key.vouched, key.vouched_by) == (vouched, "")
    kept = act(web.home, OWNER, "passkey-list", {"handle": handle}, "cli")
    assert isinstance(kept, Keys)
    assert [(one.vouched, one.vouched_by) for one in kept.passkeys] == [(vouched, "")]
    for reader, page in ((browser, "/account"), (chief, f"/admin/person?handle={handle}")):
        body = reader.get(page).body.decode()
        assert f"by {shown}" in body
        assert "by an invitation" not in body


def test_an_invitation_of_somebody_who_is_gone_still_names_them(web: Running) -> None:
    enrolled(web, "leaver", "administrator")
    leaver = web.home.access.require_actor("leaver")
    describe(web, "stayer")
    inviting = replace(OWNER, actor=leaver.ref)
    made = act(web.home, inviting, "invite", {"handle": "stayer"}, "web")
    assert isinstance(made, Invitation)
    act(web.home, OWNER, "actor-remove", {"handle": "leaver"}, "api")
    browser = Browser(web)
    browser.authenticator.credential_id = b"the passkey of stayer"
    assert browser.accept(made.link.rpartition("=")[2]).status == 200

    key = web.home.access.directory.passkeys[browser.authenticator.id]
    assert (key.vouched, key.vouched_by) == ("invitation", leaver.ref)


def test_a_passkey_signs_in_again_after_signing_out(web: Running, ana: Browser) -> None:
    before, start = ana.session, size(web)
    assert ana.sign_out().status == 303
    assert not ana.is_in()

    signed = ana.sign_in("/runs?as_of=0")

    assert (signed.status, signed.json()) == (200, {"next": "/runs?as_of=0"})
    assert ana.is_in()
    assert ana.session != before
    assert events(web, start) == ["session.ended", "session.opened"]


def test_an_entry_of_a_session_says_which_one_and_whose(web: Running, ana: Browser) -> None:
    ana.sign_out()
    ana.sign_in()

    opened = read_entry(web.home.log.kept(LOG, size(web) - 1, size(web))[0].entry)

    assert opened.subject is not None
    assert opened.subject.startswith("session:")
    assert opened.recordedby == opened.subject
    actor = web.home.access.require_actor(handle_of(ana))
    assert {one.ref for one in opened.refs if one.role in {"actor", "holder"}} == {actor.ref}


def test_stepping_up_gives_a_fresh_cookie_and_says_so_in_the_log(
    web: Running, ana: Browser, clock: SteppedClock
) -> None:
    clock.step(600)
    before, start = ana.session, size(web)

    stepped = ana.step_up("/account")

    assert (stepped.status, stepped.json()) == (200, {"next": "/account"})
    assert ana.session != before
    assert ana.is_in()
    assert events(web, start) == ["session.verified"]
    thief = Browser(web, {"counterfoil": before})
    assert not thief.is_in()


def test_another_passkey_is_vouched_for_by_one_the_person_has(
    web: Running, ana: Browser, clock: SteppedClock
) -> None:
    clock.step(600)
    stale = ana.post("/account/passkey/ask", {})
    assert (stale.status, stale.code) == (403, "step_up_needed")

    ana.step_up()
    first = ana.authenticator
    ana.authenticator = replace(first, credential_id=f"phone of {handle_of(ana)}".encode())
    asked = ana.post("/account/passkey/ask", {}).body.decode()
    assert json.loads(asked)["excludeCredentials"][0]["id"] == first.id
    made = json.loads(ana.authenticator.create(asked))
    reply = ana.post("/account/passkey", {"name": "phone", "credential": made})

    assert reply.status == 200, reply.body
    key = web.home.access.directory.passkeys[ana.authenticator.id]
    assert (key.name, key.vouched, key.vouched_by) == ("phone", "own-key", "")


def test_a_removed_passkey_ends_what_began_with_it_and_lets_nobody_in(
    web: Running, ana: Browser
) -> None:
    start = size(web)

    gone = ana.form("/account/passkey/remove", {"passkey": ana.authenticator.id, "reason": "lost"})

    assert gone.status == 303
    assert not ana.is_in()
    assert reason(ana.sign_in()) == "unknown"
    assert events(web, start) == ["passkey.removed", "session.ended"]


def test_removing_a_passkey_needs_a_fresh_one(
    web: Running, ana: Browser, clock: SteppedClock
) -> None:
    clock.step(600)

    reply = ana.form("/account/passkey/remove", {"passkey": ana.authenticator.id})

    assert (reply.status, reply.headers["location"]) == (303, "/step-up?next=/account")
    assert ana.is_in()
    assert web.home.access.directory.passkeys[ana.authenticator.id].removed < 0


def test_an_administrator_removes_a_passkey_of_somebody_else(web: Running, ana: Browser) -> None:
    given = {"handle": handle_of(ana), "passkey": ana.authenticator.id, "reason": "laptop stolen"}
    done = act(web.home, OWNER, "passkey-remove", given, "api")

    assert "1 sessions" in done.said
    assert not ana.is_in()


def test_my_account_shows_my_passkeys_and_sessions_and_ends_another_one(
    web: Running, ana: Browser
) -> None:
    other = Browser(web)
    other.authenticator = ana.authenticator
    other.sign_in()
    page = ana.get("/account", **{"User-Agent": "x"}).body.decode()
    assert "laptop" in page
    assert "this one" in page
    theirs = web.home.state.sign_in.session(digest(other.session), "2026", "2025")
    assert theirs is not None

    ended = ana.form("/account/sessions/end", {"session": theirs.id})

    assert ended.status == 303
    assert not other.is_in()
    assert ana.is_in()


def test_all_other_sessions_end_at_once(web: Running, ana: Browser) -> None:
    others = [Browser(web) for _ in range(2)]
    for other in others:
        other.authenticator = ana.authenticator
        other.sign_in()

    ana.form("/account/sessions/end", {})

    assert ana.is_in()
    assert not any(other.is_in() for other in others)


def test_somebody_who_is_removed_is_out_at_the_next_request(web: Running, ana: Browser) -> None:
    act(web.home, OWNER, "actor-remove", {"handle": handle_of(ana), "reason": "left"}, "api")

    assert not ana.is_in()
    assert reason(ana.sign_in()) == "unknown"


def test_sessions_are_listed_and_ended_by_those_who_may(web: Running, ana: Browser) -> None:
    handle = handle_of(ana)
    listed = act(web.home, OWNER, "session-list", {"handle": handle}, "api")
    assert isinstance(listed, Sessioned)
    assert [one.handle for one in listed.sessions] == [handle]

    act(web.home, OWNER, "session-end", {"handle": handle, "reason": "stolen laptop"}, "api")

    assert not ana.is_in()


# Links of whoever holds the files


def link(web: Running, handle: str = "") -> str:
    """Return the secret of a link as `counterfoil admin sign-in [--as HANDLE]` prints it."""
    home = web.home
    actor = home.access.require_actor(handle).ref if handle else ""
    address = signin.make_link(
        home.state, home.clock, home.randomness, "", handle or signin.HANDLE, actor
    )
    return address.rpartition("=")[2]


def test_once_somebody_is_enrolled_a_link_names_whom_it_lets_in(web: Running, ana: Browser) -> None:
    unnamed = link(web)
    named = link(web, handle_of(ana))
    browser = Browser(web)

    refused = browser.form("/sign-in", {"token": unnamed})
    assert refused.status == 403
    assert b"--as HANDLE" in refused.body
    assert browser.form("/sign-in", {"token": named}).status == 303
    assert browser.is_in()


def by_link(web: Running, handle: str, role: str = "viewer") -> Browser:
    """Return the browser of somebody without a passkey, signed in by a link."""
    describe(web, handle, role)
    browser = Browser(web)
    browser.authenticator.credential_id = f"the passkey of {handle}".encode()
    assert browser.form("/sign-in", {"token": link(web, handle)}).status == 303
    return browser


def enrol(browser: Browser) -> Reply:
    """Enrol the browser's passkey on the page of the account."""
    asked = browser.post("/account/passkey/ask", {})
    if asked.status != 200:
        return asked
    made = json.loads(browser.authenticator.create(asked.body.decode()))
    return browser.post("/account/passkey", {"credential": made})


def test_a_link_enrols_a_first_passkey_on_the_word_of_whoever_holds_the_files(
    web: Running, request: pytest.FixtureRequest
) -> None:
    browser = by_link(web, handle_for(request.node.nodeid))

    assert enrol(browser).status == 200

    key = web.home.access.directory.passkeys[browser.authenticator.id]
    assert key.vouched == "files"


def test_the_cookie_of_a_link_enrols_nothing_once_its_owner_has_a_passkey(
    web: Running, request: pytest.FixtureRequest
) -> None:
    """Whoever copied the cookie would have a passkey of their own for good."""
    browser = by_link(web, handle_for(request.node.nodeid))
    thief = Browser(web, dict(browser.cookies))
    thief.authenticator.credential_id = f"the thief of {handle_for(request.node.nodeid)}".encode()
    asked = thief.post("/account/passkey/ask", {}).body.decode()
    assert enrol(browser).status == 200

    made = json.loads(thief.authenticator.create(asked))
    late = thief.post("/account/passkey", {"credential": made})
    assert (late.status, late.code) == (401, "token_missing")
    assert not thief.is_in()

    # And with the cookie the session has from then on: a passkey is to be shown.
    thief.cookies = dict(browser.cookies)
    refused = enrol(thief)
    assert (refused.status, refused.code) == (403, "step_up_needed")
    gone = thief.form("/account/passkey/remove", {"passkey": browser.authenticator.id})
    assert gone.headers["location"] == "/step-up?next=/account"
    assert web.home.access.directory.passkeys[browser.authenticator.id].removed < 0


def test_a_first_passkey_ends_the_links_that_waited_for_its_owner(
    web: Running, request: pytest.FixtureRequest
) -> None:
    browser = by_link(web, handle_for(request.node.nodeid))
    waiting = link(web, handle_for(request.node.nodeid))
    assert enrol(browser).status == 200

    late = Browser(web)
    assert late.form("/sign-in", {"token": waiting}).status != 303
    assert not late.is_in()


def test_a_link_made_for_somebody_with_a_passkey_enrols_none(web: Running, ana: Browser) -> None:
    browser = Browser(web)
    browser.authenticator.credential_id = f"second of {handle_of(ana)}".encode()
    browser.form("/sign-in", {"token": link(web, handle_of(ana))})

    refused = enrol(browser)

    assert (refused.status, refused.code) == (403, "step_up_needed")
    assert b"show one you have first" in browser.get("/account").body


def test_after_a_lost_passkey_was_removed_a_link_enrols_another(web: Running, ana: Browser) -> None:
    act(
        web.home, OWNER, "passkey-remove",
        {"handle": handle_of(ana), "passkey": ana.authenticator.id}, "api",
    )  # fmt: skip
    browser = Browser(web)
    browser.authenticator.credential_id = f"rescue of {handle_of(ana)}".encode()
    browser.form("/sign-in", {"token": link(web, handle_of(ana))})

    assert enrol(browser).status == 200


def test_a_removed_passkey_ends_what_was_verified_with_it(web: Running, ana: Browser) -> None:
    """However it began: who showed the key may be who stole it."""
    browser = Browser(web)
    browser.authenticator = ana.authenticator
    browser.form("/sign-in", {"token": link(web, handle_of(ana))})
    assert browser.step_up().status == 200

    act(
        web.home, OWNER, "passkey-remove",
        {"handle": handle_of(ana), "passkey": ana.authenticator.id}, "api",
    )  # fmt: skip

    assert not browser.is_in()


def test_a_link_ends_with_the_removal_of_whom_it_lets_in(web: Running, ana: Browser) -> None:
    """Who is described by the handle afterwards has the same pseudonym."""
    waiting = link(web, handle_of(ana))
    act(web.home, OWNER, "actor-remove", {"handle": handle_of(ana)}, "api")
    describe(web, handle_of(ana))

    browser = Browser(web)
    assert browser.form("/sign-in", {"token": waiting}).status != 303
    assert not browser.is_in()


def test_saved_searches_go_with_who_saved_them(web: Running, ana: Browser) -> None:
    saved.save(web.home.state, web.home.clock, handle_of(ana), "default", "mine", "type:x")
    act(web.home, OWNER, "actor-remove", {"handle": handle_of(ana)}, "api")
    describe(web, handle_of(ana))

    assert saved.saved(web.home.state, handle_of(ana), "default") == []


def test_a_link_session_has_not_shown_a_passkey(web: Running, ana: Browser) -> None:
    token = link(web, handle_of(ana))
    browser = Browser(web)
    browser.form("/sign-in", {"token": token})

    session = web.home.state.sign_in.session(digest(browser.session), "2026", "2025")
    assert session is not None
    assert (session.began, session.verified) == ("link", "")


# What was refused is counted


def test_failed_sign_ins_are_counted_in_the_log_of_access(
    web: Running, ana: Browser, clock: SteppedClock
) -> None:
    """Ten thousand of them a minute are a few entries, and each of them is counted."""
    ana.sign_out()
    clock.step(61)
    web.home.recorder.record_refusals()
    start = size(web)
    ana.authenticator.flags = PRESENT
    for _ in range(3):
        assert reason(ana.sign_in()) == "user-verification"
    clock.step(61)
    web.home.recorder.record_refusals()

    assert events(web, start) == ["refusal.counted"]
    kept = web.home.log.kept(LOG, start, size(web))[0]
    body = open_all(read_entry(kept.entry), kept, web.home.keys, LOG).body or b""
    data = json.loads(body)["data"]
    assert (data["count"], data["reason"]) == (3, "sign_in_refused")
    assert data["source"] == "POST /sign-in/passkey user-verification"
