"""Linking an account by a comment: both ends shown, in one setting, once."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from counterfoil.app import intake, linking
from counterfoil.app.access_log import what_of
from counterfoil.app.actions import act
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.app.sessions import Session, Sessions
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.events.entry import read_entry
from counterfoil.policy.access import ANONYMOUS, LOG
from counterfoil.policy.directory import Link
from tests.comments import comment, connect, deliver, signed

ACCOUNT = "github.com:Ana-Dev"
SETTLE_S = 20.0
Act = Callable[[Home], object]


def do(home: Home, action: str, /, **given: Any) -> None:
    act(home, LOCAL, action, given, "cli")


def sign_in(home: Home, handle: str) -> Session:
    """Return a session whose holder showed a passkey just now."""
    actor = home.access.require_actor(handle).ref
    sessions = Sessions(home.state.sign_in, home.clock, home.randomness)
    return sessions.open(actor=actor, handle=handle, began="passkey", using="key").session


@pytest.fixture
def ana(home: Home) -> Session:
    """Ana and Bo are known, a repository is connected, Ana has shown her passkey."""
    do(home, "actor-describe", handle="ana-dev")
    do(home, "actor-describe", handle="bo-dev")
    connect(home)
    return sign_in(home, "ana-dev")


def events(home: Home, start: int) -> list[str]:
    kept = home.log.kept(LOG, start, home.log.head(LOG).size)
    return [what_of(read_entry(one.entry).type) for one in kept]


def links(home: Home, handle: str = "ana-dev") -> list[Link]:
    return home.access.directory.accounts_of(home.access.require_actor(handle).ref)


def refusals(home: Home) -> list[dict[str, Any]]:
    """Return what was counted as refused, and count anew."""
    start = home.log.head(LOG).size
    home.recorder.record_refusals(everything=True)
    size = home.log.head(LOG).size
    found = [home.reader.entry(LOG, at).event["data"] for at in range(start, size)]
    return [one for one in found if isinstance(one, dict)]


# What it does


def test_an_account_is_linked_by_the_comment_it_wrote(home: Home, ana: Session) -> None:
    begun = linking.begin(home, ana, ACCOUNT)
    start = home.log.head(LOG).size
    [answer] = deliver(home, comment(f"{begun.link}\r\n", "Ana-Dev"))

    assert events(home, start) == ["account.linked"]
    [link] = links(home)
    assert (link.how, link.project, link.comment) == ("ceremony", "default", answer.index)
    assert linking.waiting(home, ana) == []
    assert refusals(home) == []


def test_the_link_signs_nobody_in(home: Home, ana: Session) -> None:
    """A vendor's word, or that of whoever holds a webhook's secret, opens no door."""
    deliver(home, comment(linking.begin(home, ana, ACCOUNT).link, "Ana-Dev"))

    assert [one.signs_in for one in links(home)] == [False]
    assert not home.access.directory.anybody_enrolled()


def test_the_event_says_who_did_it_by_what_and_where_it_was_shown(home: Home, ana: Session) -> None:
    """Claimed is Ana, proven is the webhook, matched is Ana: three truths, kept apart."""
    begun = linking.begin(home, ana, ACCOUNT)
    start = home.log.head(LOG).size
    [answer] = deliver(home, comment(begun.link, "Ana-Dev"))

    shown = home.reader.entry(LOG, start)
    actor = shown.actor
    assert (shown.entry.recordedby, shown.entry.via) == ("webhook:shop", "webhook")
    assert (actor.handle, actor.how, actor.matched) == ("counterfoil:ana-dev", "matched", "ana-dev")
    data = shown.event["data"]
    assert isinstance(data, dict)
    assert (data["how"], data["project"], data["comment"]) == ("ceremony", "default", answer.index)
    assert "signs_in" not in data
    assert (ana.id, "about") in {(one.ref, one.role) for one in shown.entry.refs}


def test_what_the_account_did_before_is_found_by_the_handle(home: Home, ana: Session) -> None:
    [before] = deliver(home, comment("I'll get this fixed.", "Ana-Dev"))

    def by_ana() -> list[int]:
        size = home.ledger.status("default").size
        home.follower.wait_for("default", size, SETTLE_S)
        return [one.index for one in home.reader.search("default", "actor:ana-dev").items]

    assert by_ana() == []
    [proof] = deliver(home, comment(linking.begin(home, ana, ACCOUNT).link, "Ana-Dev"))
    assert sorted(by_ana()) == [before.index, proof.index]


def test_only_the_digest_of_a_code_is_kept(home: Home, ana: Session) -> None:
    code = linking.begin(home, ana, ACCOUNT).link.rpartition(" ")[2]

    assert len(set(code)) > 5
    assert len(code) * 5 >= 80, "bits"
    for name in ("state.db", "ledger.db", "erasable.db"):
        assert code.encode() not in (home.directory / name).read_bytes()


# What it refuses at the start


def taken(home: Home, handle: str, account: str) -> None:
    do(home, "account-link", handle=handle, account=account)


START: dict[str, tuple[str, str, Act]] = {
    "somebody else's": (
        "account_taken", ACCOUNT, lambda home: taken(home, "bo-dev", ACCOUNT)),
    "one's own": (
        "account_taken", ACCOUNT, lambda home: taken(home, "ana-dev", ACCOUNT)),
    "somebody else's in other case": (
        "account_lookalike", ACCOUNT, lambda home: taken(home, "bo-dev", ACCOUNT.lower())),
    "two scripts": ("account_lookalike", "github.com:\u0410na-Dev", lambda _home: None),
    "other letters alone": ("usage", "github.com:\u0430\u0435\u043e", lambda _home: None),
    "no provider": ("usage", "Ana-Dev", lambda _home: None),
    "no login": ("usage", "github.com:", lambda _home: None),
    "a path": ("usage", "github.com:acme/shop", lambda _home: None),
    "a bot": ("usage", "github.com:dependabot[bot]", lambda _home: None),
    "40 letters": ("usage", "github.com:" + "a" * 40, lambda _home: None),
    "two words": ("usage", "github.com:ana dev", lambda _home: None),
    "another provider": ("usage", "mail:ana@acme.example", lambda _home: None),
    "another host": ("usage", "gitlab.com:ana-dev", lambda _home: None),
    "a host that begins alike": ("usage", "github.com.example:ana-dev", lambda _home: None),
    "this ledger's own": ("usage", "counterfoil:bo-dev", lambda _home: None),
    "nothing connected": (
        "source_unknown", ACCOUNT, lambda home: home.state.remove_webhook_source("shop")),
}  # fmt: skip


@pytest.mark.parametrize(("code", "account", "before"), START.values(), ids=START.keys())
def test_what_no_comment_can_prove_is_not_begun(
    home: Home, ana: Session, code: str, account: str, before: Act
) -> None:
    before(home)

    with pytest.raises(RequestError) as refused:
        linking.begin(home, ana, account)

    assert refused.value.code == code
    said = refused.value.message.replace(account, "")
    assert "bo-dev" not in said, "whose it is, is not for everybody to ask"
    assert linking.waiting(home, ana) == []


def test_it_is_begun_by_a_person_who_showed_a_passkey_just_now(
    home: Home, ana: Session, clock: SteppedClock
) -> None:
    clock.step(300)
    with pytest.raises(RequestError) as stale:
        linking.begin(home, ana, ACCOUNT)
    do(home, "actor-remove", handle="bo-dev")
    do(home, "actor-describe", handle="shop-ci", kind="service")
    gone: list[str] = []
    for actor in ("actor:nobody", "", home.access.require_actor("shop-ci").ref):
        sessions = Sessions(home.state.sign_in, home.clock, home.randomness)
        session = sessions.open(actor=actor, handle="x", began="passkey").session
        with pytest.raises(RequestError) as refused:
            linking.begin(home, session, ACCOUNT)
        gone.append(refused.value.code)

    assert stale.value.code == "step_up_needed"
    assert gone == ["sign_in_refused"] * 3


def test_a_handful_are_open_at_a_time_and_one_for_each_account(home: Home, ana: Session) -> None:
    first = linking.begin(home, ana, f"{ACCOUNT}0")
    for number in range(linking.OPEN_MAX):
        linking.begin(home, ana, f"{ACCOUNT}{number}")
    with pytest.raises(RequestError, match="cancel one"):
        linking.begin(home, ana, ACCOUNT)
    assert len(linking.waiting(home, ana)) == linking.OPEN_MAX

    deliver(home, comment(first.link, "Ana-Dev0"))
    assert links(home) == [], "begun again: the line before is worth nothing"
    linking.cancel(home, ana, f"{ACCOUNT}1")
    linking.begin(home, ana, ACCOUNT)
    linking.begin(home, sign_in(home, "bo-dev"), ACCOUNT)


# Live codes in a wrong setting: spent, counted, and nothing linked


def write(home: Home, line: str, **members: Any) -> None:
    """Deliver the line with a member of the payload bent."""
    payload = comment(line, members.pop("login", "Ana-Dev"), members.pop("action", "created"))
    for name, value in members.items():
        place = payload
        *path, last = name.split("__")
        for step in path:
            place = place[step]
        place[last] = value
    deliver(home, payload)


WRONG: dict[str, tuple[str, Callable[[Home, str], object]]] = {
    "another account": ("other-account", functools.partial(write, login="mallory")),
    "the account in other case": ("other-account", functools.partial(write, login="ana-dev")),
    "the account in Cyrillic": ("other-account", functools.partial(write, login="\u0410na-Dev")),
    "the login at another host": (
        "other-account",
        functools.partial(write, repository__html_url="https://ghe.example/acme/shop")),
    "an edit": ("edited", functools.partial(write, action="edited")),
    "a deletion": ("not-created", functools.partial(write, action="deleted")),
    "sent by another": ("other-author", functools.partial(write, sender__login="mallory")),
    "a bot": ("no-person", functools.partial(write, sender__type="Bot")),
    "an app": (
        "by-app", functools.partial(write, comment__performed_via_github_app={"slug": "x"})),
    "no issue": ("no-issue", functools.partial(write, issue=None)),
    "a quote": ("more-text", lambda home, line: write(home, f"> {line}")),
    "behind another code": (
        "more-text",
        lambda home, line: write(home, f"counterfoil link ana-dev {'0' * 20}\n{line}")),
    "another handle": (
        "other-handle", lambda home, line: write(home, line.replace("ana-dev", "bo-dev"))),
}  # fmt: skip


@pytest.mark.parametrize(("why", "wrong"), WRONG.values(), ids=WRONG.keys())
def test_a_live_code_in_a_wrong_setting_is_spent_and_counted(
    home: Home, ana: Session, why: str, wrong: Callable[[Home, str], object]
) -> None:
    begun = linking.begin(home, ana, ACCOUNT)
    start = home.log.head(LOG).size

    wrong(home, begun.link)
    deliver(home, comment(begun.link, "Ana-Dev"))

    assert events(home, start) == []
    [counted] = refusals(home)
    assert counted["source"] == f"link an account by a comment: {why}"
    assert (counted["reason"], counted["count"]) == ("sign_in_refused", 1)
    assert counted["credential"] == "webhook:shop"
    assert counted["why"] != ""
    assert linking.waiting(home, ana) == []


def test_a_refusal_names_who_began_it(home: Home, ana: Session) -> None:
    """A code of theirs was seen where it should not be: they are to know."""
    write(home, linking.begin(home, ana, ACCOUNT).link, login="mallory")
    start = home.log.head(LOG).size
    refusals(home)

    named = home.reader.entry(LOG, start).entry.refs
    assert (ana.actor, "refused") in {(one.ref, one.role) for one in named}


MEANWHILE: dict[str, tuple[str, Act]] = {
    "linked to somebody else": ("taken", lambda home: taken(home, "bo-dev", ACCOUNT)),
    "linked to them already": ("taken", lambda home: taken(home, "ana-dev", ACCOUNT)),
    "a look-alike is somebody else's": (
        "lookalike", lambda home: taken(home, "bo-dev", "github.com:ANA-DEV")),
    "they are removed": ("removed", lambda home: do(home, "actor-remove", handle="ana-dev")),
    "they signed out": (
        "session",
        lambda home: home.state.sign_in.end_sessions(
            actor=home.access.require_actor("ana-dev").ref)),
}  # fmt: skip


@pytest.mark.parametrize(("why", "meanwhile"), MEANWHILE.values(), ids=MEANWHILE.keys())
def test_what_happened_meanwhile_counts(home: Home, ana: Session, why: str, meanwhile: Act) -> None:
    begun = linking.begin(home, ana, ACCOUNT)
    meanwhile(home)
    start = home.log.head(LOG).size

    deliver(home, comment(begun.link, "Ana-Dev"))

    assert events(home, start) == []
    assert [one["source"].rpartition(" ")[2] for one in refusals(home)] == [why]


def test_whoever_was_removed_and_is_described_again_has_begun_nothing(
    home: Home, ana: Session
) -> None:
    """The handle is the same, and so the pseudonym; the person may be another."""
    begun = linking.begin(home, ana, ACCOUNT)
    do(home, "actor-remove", handle="ana-dev")
    do(home, "actor-describe", handle="ana-dev")
    sign_in(home, "ana-dev")

    deliver(home, comment(begun.link, "Ana-Dev"))

    assert links(home) == []
    assert [one["source"].rpartition(" ")[2] for one in refusals(home)] == ["session"]


def test_of_two_who_name_the_same_account_the_first_comment_decides(
    home: Home, ana: Session
) -> None:
    mine = linking.begin(home, ana, ACCOUNT)
    theirs = linking.begin(home, sign_in(home, "bo-dev"), ACCOUNT)

    deliver(home, comment(theirs.link, "Ana-Dev"))
    deliver(home, comment(mine.link, "Ana-Dev"))

    assert ([len(links(home, one)) for one in ("ana-dev", "bo-dev")]) == [0, 1]
    assert len(refusals(home)) == 1


# Codes that are not live: nothing at all


def end(home: Home, ana: Session, clock: SteppedClock, how: str) -> str:
    """Return a line that was good once, or never."""
    line = linking.begin(home, ana, ACCOUNT).link
    if how == "used":
        deliver(home, comment(line, "Ana-Dev"))
        do(home, "account-unlink", handle="ana-dev", account=ACCOUNT)
    elif how == "over":
        clock.step(linking.LIFE.total_seconds())
    elif how == "cancelled":
        linking.cancel(home, ana, ACCOUNT)
    elif how == "invented":
        line = "counterfoil link ana-dev " + "0" * 20
    return line


@pytest.mark.parametrize("how", ["used", "over", "cancelled", "invented"])
def test_a_code_that_is_not_live_does_nothing_and_counts_for_nothing(
    home: Home, ana: Session, clock: SteppedClock, how: str
) -> None:
    """Else whoever may write comments would fill the log."""
    line = end(home, ana, clock, how)
    start = home.log.head(LOG).size

    [answer] = deliver(home, comment(line, "Ana-Dev"))

    assert answer.status == "recorded", "it is a delivery like any other"
    assert events(home, start) == []
    assert refusals(home) == []


def test_a_code_is_good_until_its_last_moment(
    home: Home, ana: Session, clock: SteppedClock
) -> None:
    """The passkey is asked for at the beginning alone."""
    begun = linking.begin(home, ana, ACCOUNT)
    clock.step(linking.LIFE.total_seconds() - 1)

    deliver(home, comment(begun.link, "Ana-Dev"))

    assert len(links(home)) == 1


def test_a_code_of_another_ceremony_is_left_alone(home: Home, ana: Session) -> None:
    """A comment must not use up a sign-in that is under way."""
    begun = linking.begin(home, ana, ACCOUNT)
    code = begun.link.rpartition(" ")[2]
    now = "2026-11-20T14:04:00.000Z"
    [one] = home.state.sign_in.ceremonies(linking.PURPOSE, ana.actor, now)
    home.state.sign_in.use_ceremony(one.digest, now)
    home.state.sign_in.add_ceremony(replace(one, purpose="oidc:acme:link"))
    deliver(home, comment(f"counterfoil link ana-dev {code}", "Ana-Dev"))

    assert links(home) == []
    assert home.state.sign_in.use_ceremony(one.digest, now) is not None


# Deliveries: unsigned, again, and cut off


@pytest.mark.parametrize("signature", ["", "sha256=" + "0" * 64])
def test_a_delivery_nobody_signed_links_nothing_and_spends_nothing(
    home: Home, ana: Session, signature: str
) -> None:
    begun = linking.begin(home, ana, ACCOUNT)
    forged = comment(begun.link, "Ana-Dev")

    with pytest.raises(RequestError, match="X-Hub-Signature-256"):
        deliver(home, forged, **{"x-hub-signature-256": signature})

    assert links(home) == []
    deliver(home, forged)
    assert len(links(home)) == 1


def test_the_same_delivery_again_does_nothing_more(home: Home, ana: Session) -> None:
    headers, body = signed(comment(linking.begin(home, ana, ACCOUNT).link, "Ana-Dev"))
    first, *again = (intake.webhook(home, "shop", headers, body, ANONYMOUS) for _ in range(3))
    do(home, "account-unlink", handle="ana-dev", account=ACCOUNT)
    start = home.log.head(LOG).size
    again.append(intake.webhook(home, "shop", headers, body, ANONYMOUS))

    assert [one.status for [one] in again] == ["duplicate"] * 3
    assert {one.index for [one] in again} == {first[0].index}
    assert events(home, start) == []
    assert refusals(home) == []


def test_cut_off_before_the_code_is_spent_the_same_delivery_links(
    home: Home, ana: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers, body = signed(comment(linking.begin(home, ana, ACCOUNT).link, "Ana-Dev"))

    def cut(*_words: Any, **_named: Any) -> None:
        raise UnavailableError("storage", "cut off")

    with monkeypatch.context() as bent:
        bent.setattr(home.state.sign_in, "use_ceremony", cut)
        with pytest.raises(UnavailableError):
            intake.webhook(home, "shop", headers, body, ANONYMOUS)
    assert links(home) == []

    [answer] = intake.webhook(home, "shop", headers, body, ANONYMOUS)
    assert answer.status == "duplicate"
    assert [one.comment for one in links(home)] == [answer.index]


def test_cut_off_after_the_code_is_spent_it_is_begun_again(
    home: Home, ana: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers, body = signed(comment(linking.begin(home, ana, ACCOUNT).link, "Ana-Dev"))

    def cut(*_words: Any) -> None:
        raise UnavailableError("storage", "cut off")

    with monkeypatch.context() as bent:
        bent.setattr(home.recorder, "record_own", cut)
        with pytest.raises(UnavailableError):
            intake.webhook(home, "shop", headers, body, ANONYMOUS)

    intake.webhook(home, "shop", headers, body, ANONYMOUS)
    assert links(home) == []
    deliver(home, comment(linking.begin(home, ana, ACCOUNT).link, "Ana-Dev"))
    assert len(links(home)) == 1
