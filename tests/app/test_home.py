"""A ledger directory: made once, owned by one process, refused in words when it is not right."""

import stat
from pathlib import Path

import pytest

from counterfoil.app.founding import create_home
from counterfoil.app.home import open_home
from counterfoil.clock import SteppedClock
from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError
from counterfoil.ids import SeededRandomness
from counterfoil.tlog.keys import SignerKey


def opened(directory: Path) -> CounterfoilError:
    """Return the error of an attempt to open."""
    with (
        pytest.raises(CounterfoilError) as refused,
        open_home(directory, SteppedClock(), SeededRandomness("x")),
    ):
        pass
    return refused.value


ORIGIN = "log.example/acme"


def test_secrets_are_readable_by_their_owner_only(directory: Path) -> None:
    for name in ("admin.token", "keys/default.key", "counterfoil.toml"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((directory / "keys").stat().st_mode) == 0o700


def test_the_verifier_key_names_the_origin(directory: Path) -> None:
    assert (directory / "keys/default.vkey").read_text().startswith("log.example/acme+")


def test_a_second_process_is_refused_while_the_first_holds_the_ledger(directory: Path) -> None:
    """Two writers would make two histories."""
    with open_home(directory, SteppedClock(), SeededRandomness("first")):
        error = opened(directory)
    assert isinstance(error, UnavailableError)
    assert error.code == "locked"


def test_the_refusal_names_where_the_owner_answers(directory: Path) -> None:
    with open_home(directory, SteppedClock(), SeededRandomness("first")):
        (directory / "server.json").write_text('{"url": "http://localhost:8123", "pid": 1}')
        assert "http://localhost:8123" in opened(directory).message


def test_a_missing_directory_and_a_foreign_one_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert opened(tmp_path / "nowhere").code == "dir_missing"
    assert opened(tmp_path / "empty").code == "not_a_ledger"


def test_a_directory_with_other_files_is_never_made_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RequestError) as refused:
        create_home(tmp_path, SeededRandomness("x"))
    assert refused.value.code == "dir_exists"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("origin", ["https://log.example", "log.example/a b", "LOG", "a+b", "-x"])
def test_an_origin_is_a_schema_less_url(tmp_path: Path, origin: str) -> None:
    with pytest.raises(RequestError) as refused:
        create_home(tmp_path / "foil", SeededRandomness("x"), origin=origin)
    assert refused.value.code == "origin_invalid"
    assert not (tmp_path / "foil").exists()


@pytest.mark.parametrize("project", ["", "Default", "_aggregate", "a" * 64, "a/b", "-a", "å"])
def test_a_project_name_is_lower_case_letters_digits_and_hyphens(
    tmp_path: Path, project: str
) -> None:
    with pytest.raises(RequestError) as refused:
        create_home(tmp_path / "foil", SeededRandomness("x"), project=project)
    assert refused.value.code == "project_invalid"


def test_a_ledger_takes_the_log_of_one_more_project(directory: Path) -> None:
    create_home(directory, SeededRandomness("more"), project="payments")
    with open_home(directory, SteppedClock(), SeededRandomness("x")) as home:
        assert [log.project for log in home.log.projects()] == ["default", "payments", "_access"]


def test_a_project_is_not_made_twice(directory: Path) -> None:
    """The log's first key is its key for life."""
    before = (directory / "keys/default.key").read_bytes()
    with pytest.raises(RequestError) as refused:
        create_home(directory, SeededRandomness("again"))
    assert refused.value.code == "dir_exists"
    assert (directory / "keys/default.key").read_bytes() == before


def test_a_refused_project_leaves_no_key_behind(directory: Path) -> None:
    """A key left there would refuse the same project for ever after."""
    with pytest.raises(RequestError) as refused:
        create_home(directory, SeededRandomness("more"), project="payments", origin=ORIGIN)
    assert refused.value.code == "dir_exists"

    create_home(directory, SeededRandomness("more"), project="payments")
    with open_home(directory, SteppedClock(), SeededRandomness("x")) as home:
        assert [log.project for log in home.log.projects()] == ["default", "payments", "_access"]


def test_a_key_that_stands_already_is_never_replaced(directory: Path) -> None:
    """It may be another ledger's: `keys.directory` is the operator's to choose."""
    (directory / "keys/payments.key").write_text("somebody's key\n")
    with pytest.raises(RequestError, match=r"payments\.key"):
        create_home(directory, SeededRandomness("more"), project="payments")
    assert (directory / "keys/payments.key").read_text() == "somebody's key\n"


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"short\n", b"\xff\xfe" * 16, b"two words of a token that is long\n"]
)
def test_an_administrators_token_that_is_none_stops_the_start(
    directory: Path, content: bytes
) -> None:
    """An empty file would let in everybody who brings no token at all."""
    (directory / "admin.token").write_bytes(content)
    error = opened(directory)
    assert error.code == "config_invalid"
    assert "admin.token" in error.message


@pytest.mark.parametrize("name", ["admin.token", "keys/default.key"])
def test_a_file_that_cannot_be_read_is_named(directory: Path, name: str) -> None:
    (directory / name).unlink()
    (directory / name).mkdir()
    error = opened(directory)
    assert error.code == "storage"
    assert name in error.message


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%41b", "a b", "caf\u00e9"])
def test_a_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    where = tmp_path / name
    create_home(where, SeededRandomness("create"))
    with open_home(where, SteppedClock(), SeededRandomness("x")) as home:
        assert home.follower.catch_up("default") == 0
        assert home.state.sign_in.sessions("2026", "2025") == []
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (where / "views.db").is_file()
    assert (where / "state.db").is_file()


def test_another_signing_key_is_refused(directory: Path) -> None:
    """A log signed on by another key would look forged to everybody with a receipt."""
    foreign = SignerKey.from_seed("log.example/acme", b"f" * 32)
    key = directory / "keys/default.key"
    key.write_text(foreign.to_text() + "\n")
    error = opened(directory)
    assert isinstance(error, EvidenceError)
    assert error.code == "damaged"


def test_a_missing_signing_key_is_named(directory: Path) -> None:
    (directory / "keys/default.key").unlink()
    error = opened(directory)
    assert error.code == "missing"
    assert "default.key" in error.message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        pytest.param("[log]\npublik = true\n", "publik", id="an unknown setting"),
        pytest.param("[server]\nport = 'x'\n", "port", id="a value of another type"),
        pytest.param("[server\n", "line 1", id="no TOML at all"),
    ],
)
def test_settings_are_refused_by_name(directory: Path, text: str, word: str) -> None:
    (directory / "counterfoil.toml").write_text(text)
    error = opened(directory)
    assert error.code == "config_invalid"
    assert word in error.message


def test_a_failed_start_gives_the_lock_back(directory: Path) -> None:
    """Correct the line and start again: nothing is left locked by the attempt."""
    (directory / "counterfoil.toml").write_text("[server\n")
    opened(directory)
    (directory / "counterfoil.toml").unlink()
    with open_home(directory, SteppedClock(), SeededRandomness("x")) as home:
        assert home.log.head("default").size == 0


def test_an_address_left_by_a_killed_server_is_nobody_s(directory: Path) -> None:
    """A client sends the administrator's token to the address it finds there."""
    (directory / "server.json").write_text('{"url": "http://127.0.0.1:8123", "pid": 1}')
    with open_home(directory, SteppedClock(), SeededRandomness("x")):
        assert not (directory / "server.json").exists()
