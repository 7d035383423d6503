"""Signing keys from a variable or a command: whatever a source gives, nothing is lost or shown."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from counterfoil.app.actions import act
from counterfoil.app.config import KeySourceConfig, read_config
from counterfoil.app.home import Home
from counterfoil.app.key_source import ANSWER_MAX_BYTES, read_source
from counterfoil.app.record import LOCAL
from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError
from counterfoil.tlog.keys import COSIGNATURE, SignerKey
from counterfoil.tlog.note import parse_note
from counterfoil.tlog.receipt import parse_receipt
from tests.app import rotating as keys

VARIABLE = "COUNTERFOIL_KEY_OF_A_TEST"
KEY = SignerKey.from_seed(keys.ORIGIN, b"k" * 32)
SECRET = KEY.to_text().rpartition("+")[2]


def command(*lines: str) -> KeySourceConfig:
    """Return a source whose command runs these lines of Python."""
    return KeySourceConfig(command=(sys.executable, "-S", "-c", "\n".join(lines)), timeout_s=2)


def refused(source: KeySourceConfig) -> str:
    """Return why a source gives no key; nothing of a key stands in it."""
    with pytest.raises(UnavailableError) as error:
        read_source("default", source)
    assert error.value.code == "key_source"
    shown = f"{error.value!r} {error.value.__cause__!r} {error.value.__context__!r}"
    assert SECRET not in shown
    assert SECRET[:20] not in shown
    return error.value.message


GIVES_NOTHING = "gives nothing"
COMMANDS = {
    "nothing": (command("pass"), GIVES_NOTHING),
    "an empty line": (command("print()"), GIVES_NOTHING),
    "too much": (command(f"print('x' * {ANSWER_MAX_BYTES + 1})"), "gives over 4096 bytes"),
    "without end": (command("while True: print('x' * 1000)"), "gives over 4096 bytes"),
    "too many lines": (command("print('x\\n' * 5)"), "gives 5 lines"),
    "a key cut off": (command(f"print({KEY.to_text()[:-3]!r})"), "no signer key in line 1"),
    "a key with a letter wrong": (
        command(f"print({KEY.to_text().replace('+acme', '+acne')!r}[:-1])"),
        "no signer key in line 1",
    ),
    "bytes": (command("import os", "os.write(1, bytes(range(256)))"), "no signer key in line 1"),
    "the key of a witness": (
        command(f"print({SignerKey.from_seed('w', b'w' * 32, COSIGNATURE).to_text()!r})"),
        "no signer key in line 1",
    ),
    "a failure that shows the key": (
        command(f"import sys; sys.stderr.write({KEY.to_text()!r}); sys.exit(3)"),
        "exit code 3",
    ),
    "no program": (KeySourceConfig(command=("/nowhere/read-key",)), "cannot be run"),
    "a program that waits": (
        KeySourceConfig(
            command=(sys.executable, "-S", "-c", "import time; time.sleep(60)"), timeout_s=1
        ),
        "did not answer within 1 seconds",
    ),
}


@pytest.mark.parametrize("case", COMMANDS, ids=str)
def test_a_command_that_gives_no_key_is_refused_by_name(case: str) -> None:
    source, why = COMMANDS[case]

    assert why in refused(source)


@pytest.mark.parametrize(
    ("value", "why"),
    [("", GIVES_NOTHING), ("x" * (ANSWER_MAX_BYTES + 1), "holds over 4096 bytes"), ("hello", "no signer key")],
    ids=["empty", "too much", "no key"],
)  # fmt: skip
def test_a_variable_that_holds_no_key_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, value: str, why: str
) -> None:
    monkeypatch.setenv(VARIABLE, value)

    assert why in refused(KeySourceConfig(env=VARIABLE))


def test_a_command_and_what_it_began_end_when_its_time_is_over(tmp_path: Path) -> None:
    """A helper that hangs must not stay behind at each try."""
    note = tmp_path / "pid"
    source = KeySourceConfig(
        command=("/bin/sh", "-c", f"sleep 60 & echo $! > {note}; wait"), timeout_s=1
    )

    assert "did not answer" in refused(source)
    pid = int(note.read_text())
    for _ in range(200):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or ") Z " in state.read_text():
            return
        time.sleep(0.01)
    os.kill(pid, 9)
    pytest.fail("what the command began goes on")


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    source = KeySourceConfig(command=("/bin/echo", f"x; touch {tmp_path / 'made'}"))

    refused(source)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A ledger whose key lies in a variable."""
    return keys.make(tmp_path / "foil")


def configure(directory: Path, line: str) -> None:
    (directory / "counterfoil.toml").write_text(f"[keys.source.default]\n{line}\n")


def test_a_log_whose_key_is_in_a_variable_signs_and_is_handed_over(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both keys are put into the source first; no key file comes into being."""
    first = keys.signer(directory)
    (directory / "keys" / "default.key").unlink()
    configure(directory, f'env = "{VARIABLE}"')
    monkeypatch.setenv(VARIABLE, first.to_text())
    home = keys.opened(directory)
    try:
        keys.record(home, "one")
        with pytest.raises(RequestError, match="the key in force and one more"):
            keys.rotate(home)
        made = act(home, LOCAL, "keys-make", {}, "cli").key  # type: ignore[attr-defined]
        monkeypatch.setenv(VARIABLE, f"{first.to_text()}\n{made}\n")
        assert keys.rotate(home) == 1
        [receipt] = keys.record(home, "two")
        assert len(parse_note(parse_receipt(receipt).checkpoint).signatures) == 2
    finally:
        home.close()
    assert sorted(path.name for path in (directory / "keys").glob("default*")) == [
        "default.vkey",
        "default.vkeys.old",
    ]
    monkeypatch.setenv(VARIABLE, made)
    again = keys.opened(directory, "again")
    try:
        [receipt] = keys.record(again, "three")
        assert len(parse_note(parse_receipt(receipt).checkpoint).signatures) == 1
    finally:
        again.close()
    assert keys.found(keys.verified(directory)) == []


@pytest.mark.parametrize(
    ("value", "code"),
    [("", "key_source"), (KEY.to_text(), "key_wrong")],
    ids=["no key", "another key"],
)
def test_a_start_without_the_right_key_is_refused_and_changes_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch, value: str, code: str
) -> None:
    first = keys.signer(directory)
    home = keys.opened(directory)
    keys.record(home, "one")
    home.close()
    (directory / "keys" / "default.key").unlink()
    configure(directory, f'env = "{VARIABLE}"')
    monkeypatch.setenv(VARIABLE, value)
    kept = {"keys", "public"}
    before = contents(directory, kept)

    with pytest.raises(CounterfoilError) as error:
        keys.opened(directory)
    assert error.value.code == code
    assert isinstance(error.value, EvidenceError) == (code == "key_wrong")
    assert SECRET not in str(error.value)
    assert contents(directory, kept) == before
    monkeypatch.setenv(VARIABLE, first.to_text())
    again: Home = keys.opened(directory)
    assert again.ledger.status("default").size == 1, "with the key it goes on"
    again.close()


def contents(directory: Path, folders: set[str]) -> dict[str, bytes]:
    """Return the files below some folders of a ledger."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for folder in folders
        for path in sorted((directory / folder).rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[keys.source.default]\n", "one of the two"),
        ('[keys.source.default]\nenv = "A"\ncommand = ["b"]\n', "one of the two"),
        ('[keys.source.default]\nenv = "A=B"\n', "keys"),
        ('[keys.source.default]\ncommand = "sh -c x"\n', "keys"),
        ('[keys.source._aggregate]\nenv = "A"\n', "aggregate"),
    ],
    ids=["neither", "both", "no name of a variable", "a line for a shell", "of the aggregate log"],
)
def test_settings_of_a_source_that_cannot_be_are_refused(
    tmp_path: Path, text: str, why: str
) -> None:
    (tmp_path / "counterfoil.toml").write_text(text)

    with pytest.raises(RequestError, match=why) as error:
        read_config(tmp_path)
    assert error.value.code == "config_invalid"


def test_a_server_that_dies_leaves_no_image_of_its_keys() -> None:
    """What a process that is gone wrote of its memory lies where anybody may look for it."""
    code = (
        "import resource\n"
        "from counterfoil.web.crowd import write_no_core\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (4096, resource.getrlimit(resource.RLIMIT_CORE)[1]))\n"
        "write_no_core()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout == "0\n", done.stderr
