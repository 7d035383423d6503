import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.errors import RequestError, UnavailableError
from counterfoil.stores.state import State

NOON, LATER, EVENING = "2026-11-20T12:00:00.000Z", "2026-11-20T13:00:00.000Z", "2026-11-20T18:00"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path / "state.db")
    yield opened
    opened.close()


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """Webhook secrets stand in it in the clear."""
    State(tmp_path / "state.db").close()

    assert stat.S_IMODE((tmp_path / "state.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"no database at all" * 10, None])
def test_a_file_that_is_no_database_is_an_error_of_one_line(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "state.db"
    path.mkdir() if content is None else path.write_bytes(content)

    with pytest.raises(UnavailableError, match=r"state\.db") as refused:
        State(path)

    assert refused.value.code == "storage"


def test_a_link_is_used_once(state: State) -> None:
    state.add_link(b"digest", "administrator", NOON, EVENING)

    first, second = state.use_link(b"digest", LATER), state.use_link(b"digest", LATER)

    assert first is not None
    assert first.handle == "administrator"
    assert second is None


def test_looking_at_a_link_does_not_use_it(state: State) -> None:
    state.add_link(b"digest", "administrator", NOON, EVENING)

    assert state.link(b"digest", LATER) == state.link(b"digest", LATER) is not None
    assert state.use_link(b"digest", LATER) is not None


def test_of_many_who_use_a_link_at_once_one_gets_it(state: State) -> None:
    state.add_link(b"digest", "administrator", NOON, EVENING)
    won: list[object] = []
    start = threading.Barrier(8)

    def use() -> None:
        start.wait()
        if state.use_link(b"digest", LATER):
            won.append(1)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1


@pytest.mark.parametrize("now", [EVENING, "2026-11-21"], ids=["at its end", "after its end"])
def test_a_link_that_is_over_signs_nobody_in(state: State, now: str) -> None:
    state.add_link(b"digest", "administrator", NOON, EVENING)

    assert state.link(b"digest", now) is None
    assert state.use_link(b"digest", now) is None


def test_a_session_is_found_until_it_is_over_or_ended(state: State) -> None:
    state.add_session(b"one", "ana", NOON, EVENING)
    state.add_session(b"two", "bo", NOON, EVENING)

    found = state.session(b"one", LATER)
    state.end_session(b"one")

    assert found is not None
    assert found.handle == "ana"
    assert state.session(b"one", LATER) is None
    assert state.session(b"two", LATER) is not None
    assert state.session(b"two", EVENING) is None
    assert [one.handle for one in state.sessions(LATER)] == ["bo"]


def test_what_is_over_does_not_stay_in_the_file(tmp_path: Path, state: State) -> None:
    state.add_session(b"old", "ana", NOON, LATER)
    state.add_link(b"old", "ana", NOON, LATER)
    state.add_session(b"young", "bo", EVENING, "2026-11-21")

    with sqlite3.connect(tmp_path / "state.db") as connection:
        sessions = connection.execute("SELECT digest FROM sessions").fetchall()
        links = connection.execute("SELECT digest FROM sign_in_links").fetchall()
    connection.close()

    assert sessions == [(b"young",)]
    assert links == []


def test_a_webhook_source_has_two_live_secrets_after_a_rotation(state: State) -> None:
    """The vendor's side is changed minutes later: what it sends until then must still pass."""
    state.add_webhook_source("shop", "github", "default", b"first")
    before = state.webhook_source("shop")
    state.rotate_webhook_secret("shop", b"second")
    after = state.webhook_source("shop")
    state.rotate_webhook_secret("shop", b"third")
    last = state.webhook_source("shop")

    assert before is not None
    assert after is not None
    assert last is not None
    assert before.secrets == (b"first",)
    assert after.secrets == (b"second", b"first")
    assert last.secrets == (b"third", b"second")


def test_a_second_webhook_source_of_a_name_is_refused(state: State) -> None:
    state.add_webhook_source("shop", "github", "default", b"first")

    with pytest.raises(RequestError, match="rotate its secret") as refused:
        state.add_webhook_source("shop", "github", "other", b"second")

    found = state.webhook_source("shop")
    assert refused.value.code == "usage"
    assert found is not None
    assert found.secrets == (b"first",)


def test_a_secret_of_an_unknown_source_is_not_rotated(state: State) -> None:
    with pytest.raises(RequestError) as refused:
        state.rotate_webhook_secret("nobody", b"secret")

    assert refused.value.code == "source_unknown"


def test_a_removed_webhook_source_is_forgotten(state: State) -> None:
    state.add_webhook_source("shop", "github", "default", b"first")
    state.remove_webhook_source("shop")

    assert state.webhook_source("shop") is None
    assert state.webhook_sources() == []


def test_two_processes_may_write_at_the_same_time(tmp_path: Path, state: State) -> None:
    """`counterfoil admin sign-in` writes while a server runs."""
    other = State(tmp_path / "state.db")
    try:
        state.add_link(b"one", "a", NOON, EVENING)
        other.add_link(b"two", "a", NOON, EVENING)

        assert state.use_link(b"two", LATER) is not None
        assert other.use_link(b"one", LATER) is not None
    finally:
        other.close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    assert mode == ("delete",)
