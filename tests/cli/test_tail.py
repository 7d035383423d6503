"""`tail` as a process of its own: what a person sees, what a script reads, how it ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.cli.tail import make_filter
from counterfoil.cli.tail import show_line as show
from tests.cli.conftest import Foil
from tests.served_process import server_process
from tests.web_server import event

PATIENCE_S = 20.0


class Tailing:
    """A running `tail`, its output in files."""

    def __init__(self, process: "subprocess.Popen[bytes]", out: Path, err: Path) -> None:
        self.process = process
        self.out = out
        self.err = err

    def lines(self) -> list[str]:
        """Return the whole lines printed so far."""
        return [line for line in self.out.read_text("utf-8").splitlines(keepends=True)
                if line.endswith("\n")]  # fmt: skip

    def numbers(self) -> list[int]:
        """Return the entry numbers printed so far, of --json."""
        return [json.loads(line)["index"] for line in self.lines()]

    def until(self, enough: Callable[["Tailing"], bool]) -> None:
        """Wait until enough has been printed."""
        end = time.monotonic() + PATIENCE_S
        while not enough(self):
            assert time.monotonic() < end, (self.out.read_text(), self.err.read_text())
            time.sleep(0.02)


@contextlib.contextmanager
def tailing(tmp_path: Path, *words: object, **environment: str) -> Iterator[Tailing]:
    clean = {name: value for name, value in os.environ.items() if "COUNTERFOIL" not in name}
    out, err = tmp_path / "tail.out", tmp_path / "tail.err"
    with out.open("wb") as to_out, err.open("wb") as to_err:
        process = subprocess.Popen(
            [sys.executable, "-m", "counterfoil", "tail", *map(str, words)],
            stdout=to_out, stderr=to_err, env={**clean, "PYTHONUNBUFFERED": "1", **environment},
        )  # fmt: skip
        try:
            yield Tailing(process, out, err)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def test_a_server_killed_and_started_again_costs_no_entry(
    foil: Foil, ledger: Path, tmp_path: Path
) -> None:
    """Killed while entries flow, so the line breaks wherever it happens to be."""
    del foil
    with server_process(ledger) as server:
        server.post([event() for _ in range(5)])
        with tailing(tmp_path, "--url", server.url, "--since", "-1", "--json",
                     COUNTERFOIL_TOKEN=server.token) as tail:  # fmt: skip
            tail.until(lambda it: len(it.lines()) >= 5)
            for _ in range(3):
                last = max(server.post([event() for _ in range(400)]))
                server.kill()
                server.start()
            last = max(server.post([event()]))
            tail.until(lambda it: bool(it.lines()) and it.numbers()[-1] == last)
            assert tail.numbers() == list(range(last + 1))
            assert "trying again" in tail.err.read_text()
            assert "connected again; nothing was missed" in tail.err.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_without_a_traceback(
    foil: Foil, ledger: Path, tmp_path: Path, number: signal.Signals
) -> None:
    foil("record", "com.example.done", "--dir", ledger)
    with tailing(tmp_path, "--dir", ledger) as tail:
        tail.until(lambda it: len(it.lines()) == 1)
        tail.process.send_signal(number)
        code = tail.process.wait(PATIENCE_S)
    assert code == (130 if number == signal.SIGINT else -signal.SIGTERM)
    assert "Traceback" not in tail.err.read_text()


def test_a_directory_is_read_along_while_others_write_it(
    foil: Foil, ledger: Path, tmp_path: Path
) -> None:
    """It takes no lock: every `record` beside it finds the ledger free."""
    with tailing(tmp_path, "--dir", ledger, "--json") as tail:
        for index in range(3):
            assert foil("record", "com.example.done", "--dir", ledger).code == 0
            tail.until(lambda it, seen=index + 1: len(it.lines()) >= seen)  # type: ignore[misc]
    assert tail.numbers() == [0, 1, 2]


def test_the_last_lines_come_first_unless_told_since_when(
    foil: Foil, ledger: Path, tmp_path: Path
) -> None:
    for _ in range(4):
        foil("record", "com.example.done", "--dir", ledger)
    for words, wanted in ((("-n", 2), [2, 3]), (("--since", 0), [1, 2, 3])):
        with tailing(tmp_path, "--dir", ledger, "--json", *words) as tail:
            tail.until(lambda it: bool(it.lines()) and it.numbers()[-1] == 3)
        assert tail.numbers() == wanted


def test_a_reader_that_has_enough_ends_it(foil: Foil, ledger: Path) -> None:
    """`tail | head -1`: no traceback, no message, exit 0."""
    for _ in range(50):
        foil("record", "com.example.done", "--dir", ledger)
    process = subprocess.Popen(
        [sys.executable, "-m", "counterfoil", "tail", "--dir", ledger, "-n", "50"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline()
    process.stdout.close()
    foil("record", "com.example.done", "--dir", ledger)
    foil("record", "com.example.done", "--dir", ledger)
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(PATIENCE_S), said) == (0, "")


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        ((), "usage", 2),
        (("--dir", "LEDGER", "--since", "7"), "query_invalid", 2),
        (("--dir", "LEDGER", "--project", "other"), "project_unknown", 2),
        (("--dir", "NOWHERE"), "dir_missing", 2),
        (("--url", "http://localhost:9"), "unreachable", 4),
    ],
    ids=["no ledger named", "an entry that is not there", "no such project", "no directory",
         "nobody answers the first time"],
)  # fmt: skip
def test_what_cannot_be_followed_is_said_at_once(
    foil: Foil, ledger: Path, tmp_path: Path, words: tuple[str, ...], code: str, exit_code: int
) -> None:
    places = {"LEDGER": str(ledger), "NOWHERE": str(tmp_path / "nowhere")}
    result = foil("tail", *(places.get(word, word) for word in words))
    assert result.code == exit_code
    assert f"[{code}]" in result.err
    assert len(result.err.splitlines()) == 1


LINE: dict[str, Any] = {
    "index": 7, "actor": {"handle": "github.com:Octocat"}, "outcome": "failed", "via": "webhook",
    "sentence": "finished test_refund", "subject": "run:acme/shop/1", "type": "dev.cdevents.x",
    "source": "https://ci.example",
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "wanted"),
    [("", True), ("octocat", True), ("actor:octocat outcome:failed", True),
     ("actor:octocat outcome:passed", False), ("run:acme/shop", True), ("ref:refund", True),
     ("type:webhook", False), ("REFUND", True), ("via:", False)],
)  # fmt: skip
def test_every_word_of_a_filter_has_to_occur(words: str, wanted: bool) -> None:
    assert make_filter(words)(LINE) is wanted


def test_hostile_text_cannot_act_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\u202egpj.exe\r\n"
    show({**LINE, "recordedtime": "2026-11-20T12:00:00Z", "actor": {"handle": evil},
          "sentence": evil})  # fmt: skip
    said = capsys.readouterr().out
    assert not set(said) & {"\x1b", "\u202e", "\r"}
    assert said.count("\n") == 1
