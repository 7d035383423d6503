import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from counterfoil.stores import state_sign_in
from counterfoil.stores.state import State
from counterfoil.stores.state_sign_in import Ceremony, Session, SignInLink, SignInState

MORNING, NOON = "2026-11-20T08:00:00.000Z", "2026-11-20T12:00:00.000Z"
LATER, EVENING = "2026-11-20T13:00:00.000Z", "2026-11-20T18:00:00.000Z"
NIGHT = "2026-11-20T23:00:00.000Z"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SignInState]:
    opened = State(tmp_path / "state.db")
    yield opened.sign_in
    opened.close()


def link(digest: bytes = b"digest", **members: str) -> SignInLink:
    plain = {
        "purpose": "sign-in", "actor": "actor:ana", "handle": "ana", "detail": "",
        "created": NOON, "expires": EVENING,
    }  # fmt: skip
    return SignInLink(digest, **{**plain, **members})


def ceremony(digest: bytes = b"digest", **members: str) -> Ceremony:
    plain = {
        "purpose": "passkey:sign-in", "actor": "", "detail": "",
        "created": NOON, "expires": EVENING,
    }  # fmt: skip
    return Ceremony(digest, b"holder", **{**plain, **members})


def session(digest: bytes, **members: str) -> Session:
    plain = {
        "id": f"session:{digest.decode()}", "actor": "actor:ana", "handle": "ana",
        "began": "passkey", "using": "key-1", "device": "Firefox on Linux", "place": "the internet",
        "created": NOON, "seen": NOON, "verified": NOON, "expires": EVENING,
        "verified_with": "key-1",
    }  # fmt: skip
    return Session(digest, **{**plain, **members})


def winners(ask: Callable[[], object]) -> int:
    """Return how many of eight who ask at once get something."""
    won: list[object] = []
    start = threading.Barrier(8)

    def use() -> None:
        start.wait()
        if ask():
            won.append(1)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(won)


# Links


def test_a_link_is_used_once(state: SignInState) -> None:
    state.add_link(link())

    assert state.use_link(b"digest", "sign-in", LATER) == link()
    assert state.use_link(b"digest", "sign-in", LATER) is None


def test_looking_at_a_link_does_not_use_it(state: SignInState) -> None:
    state.add_link(link())

    assert state.link(b"digest", LATER) == state.link(b"digest", LATER) == link()
    assert state.use_link(b"digest", "sign-in", LATER) is not None


def test_a_link_is_not_used_for_another_purpose(state: SignInState) -> None:
    """An invitation enrols a passkey; it is no session without one."""
    state.add_link(link(purpose="invitation"))

    assert state.use_link(b"digest", "sign-in", LATER) is None
    assert state.use_link(b"digest", "invitation", LATER) is not None


def test_of_many_who_use_a_link_at_once_one_gets_it(state: SignInState) -> None:
    state.add_link(link())

    assert winners(lambda: state.use_link(b"digest", "sign-in", LATER)) == 1


@pytest.mark.parametrize("now", [EVENING, "2026-11-21"], ids=["at its end", "after its end"])
def test_a_link_that_is_over_signs_nobody_in(state: SignInState, now: str) -> None:
    state.add_link(link())

    assert state.link(b"digest", now) is None
    assert state.use_link(b"digest", "sign-in", now) is None


# Ceremonies


def test_a_ceremony_is_answered_once(state: SignInState) -> None:
    state.add_ceremony(ceremony())

    assert state.use_ceremony(b"digest", LATER) == ceremony()
    assert state.use_ceremony(b"digest", LATER) is None


def test_a_ceremony_of_another_purpose_stays_where_it_is(state: SignInState) -> None:
    """What strangers write in comments must not use up a sign-in."""
    state.add_ceremony(ceremony())

    assert state.use_ceremony(b"digest", LATER, purpose="link-by-comment") is None
    assert state.use_ceremony(b"digest", LATER, purpose="passkey:sign-in") == ceremony()


def test_what_waits_for_an_actor_is_theirs_of_one_purpose_and_not_over(state: SignInState) -> None:
    for digest, actor, purpose, expires in (
        (b"b", "actor:ana", "link", EVENING), (b"a", "actor:ana", "link", EVENING),
        (b"c", "actor:bo", "link", EVENING), (b"d", "actor:ana", "other", EVENING),
        (b"e", "actor:ana", "link", LATER),
    ):  # fmt: skip
        state.add_ceremony(ceremony(digest, actor=actor, purpose=purpose, expires=expires))

    assert [one.digest for one in state.ceremonies("link", "actor:ana", LATER)] == [b"a", b"b"]


def test_of_many_who_answer_a_ceremony_at_once_one_is_heard(state: SignInState) -> None:
    state.add_ceremony(ceremony())

    assert winners(lambda: state.use_ceremony(b"digest", LATER)) == 1


def test_an_answer_to_a_ceremony_that_is_over_is_not_heard_and_not_kept_for_later(
    state: SignInState,
) -> None:
    state.add_ceremony(ceremony())

    assert state.use_ceremony(b"digest", EVENING) is None
    assert state.use_ceremony(b"digest", NOON) is None


def test_a_flood_of_ceremonies_takes_the_place_of_the_oldest(
    state: SignInState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers may begin signing in as often as they like: the disk does not fill up."""
    monkeypatch.setattr(state_sign_in, "CEREMONIES_MAX", 3)
    for minute in range(5):
        state.add_ceremony(ceremony(b"%d" % minute, created=f"2026-11-20T12:0{minute}:00.000Z"))

    kept = [minute for minute in range(5) if state.use_ceremony(b"%d" % minute, LATER)]

    assert kept == [2, 3, 4]


# Sessions


def test_a_session_is_found_until_it_is_over_unused_or_ended(state: SignInState) -> None:
    state.add_session(session(b"one"), MORNING)
    state.add_session(session(b"two"), MORNING)

    assert state.session(b"one", LATER, MORNING) == session(b"one")
    assert state.end_session(b"one") == [session(b"one")]
    assert state.end_session(b"one") == []
    assert state.session(b"one", LATER, MORNING) is None
    assert state.session(b"two", EVENING, MORNING) is None
    assert state.session(b"two", LATER, NOON) is None
    assert state.sessions(LATER, MORNING) == [session(b"two")]


def test_a_session_in_use_does_not_become_idle(state: SignInState) -> None:
    state.add_session(session(b"one"), MORNING)

    state.saw_session(b"one", LATER)

    assert state.session(b"one", EVENING[:-1], NOON) is not None


def test_a_renewed_session_has_another_cookie_and_the_same_end(state: SignInState) -> None:
    state.add_session(session(b"one", verified=""), MORNING)
    fresh = session(b"fresh", id="session:one", verified=LATER)

    assert state.renew_session(b"one", fresh)
    assert not state.renew_session(b"one", fresh)

    renewed = state.session(b"fresh", LATER, MORNING)
    assert state.session(b"one", LATER, MORNING) is None
    assert renewed is not None
    assert (renewed.id, renewed.verified, renewed.expires) == ("session:one", LATER, EVENING)


def test_sessions_are_listed_and_ended_by_whose_they_are_and_what_began_them(
    state: SignInState,
) -> None:
    state.add_session(session(b"one"), MORNING)
    state.add_session(session(b"two", using="key-2", created=LATER), MORNING)
    state.add_session(session(b"three", actor="actor:bo"), MORNING)

    assert [one.digest for one in state.sessions(LATER, MORNING, "actor:ana")] == [b"two", b"one"]
    assert [one.digest for one in state.end_sessions(actor="actor:ana", using="key-2")] == [b"two"]
    assert state.end_sessions(actor="actor:ana", session_id="session:three") == []
    assert len(state.end_sessions(session_id="session:three")) == 1
    assert [one.digest for one in state.sessions(LATER, MORNING)] == [b"one"]


def test_ending_the_sessions_of_nothing_ends_none(state: SignInState) -> None:
    """A blank where a name was meant must not sign everybody out."""
    state.add_session(session(b"one"), MORNING)

    assert state.end_sessions() == state.end_sessions(actor="", using="") == []
    assert state.sessions(LATER, MORNING) != []


def test_what_is_over_does_not_stay_in_the_file(tmp_path: Path, state: SignInState) -> None:
    state.add_link(link(b"old", expires=LATER))
    state.add_ceremony(ceremony(b"old", expires=LATER))
    state.add_session(session(b"over", expires=LATER), MORNING)
    state.add_session(session(b"idle", expires="2026-11-21", seen=NOON), MORNING)

    state.add_link(link(b"young", created=NIGHT, expires="2026-11-21"))
    state.add_ceremony(ceremony(b"young", created=NIGHT, expires="2026-11-21"))
    state.add_session(session(b"young", created=NIGHT, seen=NIGHT, expires="2026-11-21"), LATER)

    with sqlite3.connect(tmp_path / "state.db") as connection:
        left = [
            connection.execute(f"SELECT digest FROM {table}").fetchall()  # noqa: S608  our names
            for table in ("one_time_links", "ceremonies", "browser_sessions")
        ]
    connection.close()
    assert left == [[(b"young",)]] * 3


# Passkeys


@pytest.mark.parametrize(
    ("enrolled", "shown", "taken"),
    [
        (0, [0, 0, 0], [True, True, True]),
        (3, [4, 9, 10], [True, True, True]),
        (3, [3], [False]),
        (3, [4, 4], [True, False]),
        (3, [9, 8, 10], [True, False, True]),
        (3, [0], [False]),
        (0, [5, 0], [True, False]),
    ],
    ids=[
        "one that does not count", "one that counts", "not grown since it was enrolled",
        "the same twice", "backwards once", "stopped counting", "counted once, then not",
    ],
)  # fmt: skip
def test_a_counter_that_does_not_grow_is_seen(
    state: SignInState, enrolled: int, shown: list[int], taken: list[bool]
) -> None:
    """Two authenticators with one key cannot both be ahead of each other."""
    seen = [state.count_passkey("key", counter, enrolled, NOON) for counter in shown]

    assert seen == taken


def test_of_two_copies_that_count_alike_at_once_one_is_taken(state: SignInState) -> None:
    assert winners(lambda: state.count_passkey("key", 5, 4, NOON)) == 1


def test_when_a_passkey_was_last_used_is_known(state: SignInState) -> None:
    state.count_passkey("one", 1, 0, NOON)
    state.count_passkey("one", 2, 0, LATER)
    state.count_passkey("two", 1, 5, NOON)

    assert state.passkeys_used() == {"one": LATER}
