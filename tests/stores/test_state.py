import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.errors import RequestError, UnavailableError
from counterfoil.stores.state import State


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
    """`counterfoil admin` writes while a server runs."""
    other = State(tmp_path / "state.db")
    try:
        state.add_webhook_source("one", "github", "default", b"first")
        other.add_webhook_source("two", "github", "default", b"second")

        assert len(state.webhook_sources()) == len(other.webhook_sources()) == 2
    finally:
        other.close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()
    connection.close()
    assert mode == ("delete",)
