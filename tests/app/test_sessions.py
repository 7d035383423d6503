"""Sessions: how long they last, what ends them, and what a page says about them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app import signin
from counterfoil.app.proving import digest
from counterfoil.app.sessions import Opened, Sessions, Visitor, device_of, place_of
from counterfoil.clock import SteppedClock
from counterfoil.ids import SeededRandomness
from counterfoil.stores.state import State

HOUR_S = 3600.0
KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


class Place:
    """A ledger's sessions under a clock that a test moves."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.clock = SteppedClock()
        self.randomness = SeededRandomness("sessions")
        self.sessions = Sessions(state.sign_in, self.clock, self.randomness)

    def open(self, actor: str = "actor:ana", using: str = "key-1") -> Opened:
        """Sign somebody in."""
        return self.sessions.open(actor=actor, handle="ana-dev", began="passkey", using=using)

    def pass_hours(self, hours: float, opened: Opened) -> None:
        """Let time pass with the session in use, as on a working day."""
        for _ in range(int(hours)):
            self.clock.step(HOUR_S)
            self.sessions.find(opened.cookie)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    state = State(tmp_path / "state.db")
    yield Place(state)
    state.close()


def test_a_session_in_use_ends_a_day_after_it_began(place: Place) -> None:
    opened = place.open()

    place.pass_hours(23, opened)
    assert place.sessions.find(opened.cookie) is not None
    place.pass_hours(1, opened)
    assert place.sessions.find(opened.cookie) is None


def test_a_session_ends_eight_hours_after_it_was_last_used(place: Place) -> None:
    opened = place.open()
    place.pass_hours(3, opened)

    place.clock.step(7.9 * HOUR_S)
    assert place.sessions.find(opened.cookie) is not None
    place.clock.step(8 * HOUR_S)
    assert place.sessions.find(opened.cookie) is None


def test_a_page_that_only_waits_for_news_keeps_no_session_alive(place: Place) -> None:
    """A browser forgotten on a desk asks every few seconds whether there is something to show."""
    opened = place.open()

    for _ in range(8):
        place.clock.step(HOUR_S)
        place.sessions.find(opened.cookie, watching=True)

    assert place.sessions.find(opened.cookie) is None


def test_signing_out_ends_the_session_at_once(place: Place) -> None:
    opened = place.open()

    assert [one.id for one in place.sessions.end(opened.cookie)] == [opened.session.id]
    assert place.sessions.find(opened.cookie) is None
    assert place.sessions.step_up(opened.cookie, "key-1") is None


def test_the_cookie_stands_nowhere(place: Place, tmp_path: Path) -> None:
    opened = place.open()

    assert opened.cookie.encode() not in (tmp_path / "state.db").read_bytes()
    assert bytes.fromhex(opened.cookie) not in (tmp_path / "state.db").read_bytes()
    assert opened.session.digest == digest(opened.cookie)


def test_what_entries_carry_of_a_session_does_not_help_to_find_it(place: Place) -> None:
    """The id stands in the log for ever, and is shown to everybody who may read it."""
    opened = place.open()

    assert opened.session.id not in {opened.cookie, digest(opened.cookie).hex()}
    assert opened.session.id.removeprefix("session:") not in opened.cookie
    assert opened.session.id.removeprefix("session:") not in digest(opened.cookie).hex()


def test_stepping_up_gives_another_cookie_and_ends_the_one_before(place: Place) -> None:
    """Whoever saw or planted the cookie before does not get what the passkey gives."""
    opened = place.open()
    place.clock.step(HOUR_S)

    stepped = place.sessions.step_up(opened.cookie, "key-1")

    assert stepped is not None
    assert stepped.cookie != opened.cookie
    assert place.sessions.find(opened.cookie) is None
    assert place.sessions.find(stepped.cookie) == stepped.session
    assert stepped.session.id == opened.session.id


def test_stepping_up_does_not_make_a_session_longer(place: Place) -> None:
    opened = place.open()
    place.pass_hours(23, opened)
    stepped = place.sessions.step_up(opened.cookie, "key-1")
    assert stepped is not None

    place.clock.step(HOUR_S)

    assert stepped.expires == opened.expires
    assert place.sessions.find(stepped.cookie) is None


@pytest.mark.parametrize(
    ("after_s", "fresh"),
    [(0.0, True), (299.0, True), (300.0, False), (-1.0, False)],
    ids=["at once", "just within", "five minutes later", "a clock that was set back"],
)
def test_a_passkey_counts_for_five_minutes(place: Place, after_s: float, fresh: bool) -> None:
    opened = place.open()

    place.clock.step(after_s)

    assert place.sessions.is_fresh(opened.session) is fresh


@pytest.mark.parametrize("began", ["link", "oidc"])
def test_what_began_without_a_passkey_has_shown_none(place: Place, began: str) -> None:
    opened = place.sessions.open(
        actor="actor:ana",
        handle="ana-dev",
        began="link" if began == "link" else "oidc",
    )

    assert not place.sessions.is_fresh(opened.session)
    stepped = place.sessions.step_up(opened.cookie, "key-1")
    assert stepped is not None
    assert place.sessions.is_fresh(stepped.session)


def test_the_sessions_begun_with_a_passkey_end_with_it(place: Place) -> None:
    lost, kept = place.open(using="lost"), place.open(using="kept")

    ended = place.sessions.end_where(actor="actor:ana", using="lost")

    assert [one.id for one in ended] == [lost.session.id]
    assert place.sessions.find(lost.cookie) is None
    assert place.sessions.find(kept.cookie) is not None


def test_one_session_of_a_person_or_all_of_them_can_be_ended(place: Place) -> None:
    one, two, other = place.open(), place.open(), place.open(actor="actor:bo")

    place.sessions.end_where(session_id=one.session.id, actor="actor:ana")
    assert [each.id for each in place.sessions.listed("actor:ana")] == [two.session.id]
    place.sessions.end_where(actor="actor:ana")
    assert [each.id for each in place.sessions.listed()] == [other.session.id]


def test_nobody_ends_a_session_of_somebody_else_by_its_id(place: Place) -> None:
    other = place.open(actor="actor:bo")

    assert place.sessions.end_where(session_id=other.session.id, actor="actor:ana") == []
    assert place.sessions.find(other.cookie) is not None


def test_a_link_signs_in_whom_it_is_for_and_says_where_from(place: Place) -> None:
    address = signin.make_link(
        place.state, place.clock, place.randomness, "https://foil.example", "bo-dev", "actor:bo"
    )
    token = address.rpartition("=")[2]
    visitor = Visitor("Firefox on Linux", "a private network")

    opened = signin.open_session(place.state, place.clock, place.randomness, token, visitor)
    again = signin.open_session(place.state, place.clock, place.randomness, token, visitor)

    assert opened is not None
    assert again is None
    assert (opened.session.actor, opened.session.began) == ("actor:bo", "link")
    assert (opened.session.device, opened.session.place) == (
        "Firefox on Linux",
        "a private network",
    )


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
         "Firefox on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {KIT} Chrome/150.0.0.0 Safari/537.36",
         "Chrome on Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0) {KIT} Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0",
         "Edge on Windows"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {KIT} Version/18.0 Safari/605.1.15",
         "Safari on macOS"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) {KIT} Version/18.0 Safari/604.1",
         "Safari on iOS"),
        (f"Mozilla/5.0 (Linux; Android 14; K) {KIT} Chrome/150.0.0.0 Mobile Safari/537.36",
         "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("<script>alert(1)</script>", "a browser"),
        ("", "a browser"),
        ("(" * 100_000, "a browser"),
    ],
)  # fmt: skip
def test_a_browser_is_named_by_its_kind(user_agent: str, device: str) -> None:
    assert device_of(user_agent) == device


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("127.0.0.1", "this machine"), ("::1", "this machine"), ("10.1.2.3", "a private network"),
        ("fd00::1", "a private network"), ("169.254.1.1", "a private network"),
        ("8.8.8.8", "the internet"),
        ("2a00::1", "the internet"), ("", "an unknown place"), ("example.com", "an unknown place"),
    ],
)  # fmt: skip
def test_where_somebody_comes_from_is_a_kind_of_network(address: str, place: str) -> None:
    """Enough to recognise one's own session; no address is kept of anybody."""
    assert place_of(address) == place
