"""A witness as a process of its own: its answers, hostile requests, and kills in the middle."""

import contextlib
import hashlib
import http.client
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.tlog.checkpoint_text import parse_checkpoint
from counterfoil.tlog.note import parse_note
from counterfoil.tlog.tree import TreeHead
from counterfoil.tlog.witness import read_cosignatures
from tests.witnessing import GrowingLog, WitnessProcess, witness_process

LOG = GrowingLog()
FORK = GrowingLog(story="another")
ROUNDS = 6


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WitnessProcess]:
    where = tmp_path_factory.mktemp("witness") / "w"
    logs = [GrowingLog(f"log.example/{n}").signer.vkey for n in range(4)]
    with witness_process(where, "witness.example/w", LOG.signer.vkey, *logs) as running:
        yield running


def get(witness: WitnessProcess, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", witness.port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_a_conversation_from_the_first_checkpoint_on(witness: WitnessProcess) -> None:
    log = GrowingLog("log.example/0")
    text = parse_note(log.checkpoint(3)).text

    status, headers, line = witness.ask(log.request(0, 3))
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert read_cosignatures(line, text, witness.vkey) == line

    status, headers, body = witness.ask(log.request(0, 5))
    assert (status, headers["content-type"], body) == (409, "text/x.tlog.size", b"3\n")
    assert witness.ask(log.request(3, 5))[0] == 200
    assert witness.ask(log.request(5, 5))[0] == 200, "asking again is a fresh cosignature"

    fork = GrowingLog("log.example/0", story="another")
    assert witness.ask(fork.request(5, 8))[0] == 422
    assert witness.ask(GrowingLog("log.example/nobody").request(0, 1))[0] == 404
    assert witness.ask(b"old x\n\n" + log.checkpoint(5))[0] == 400


def test_a_monitor_reads_what_was_cosigned_last(witness: WitnessProcess) -> None:
    log = GrowingLog("log.example/1")
    path = f"/{hashlib.sha256(b'log.example/1').hexdigest()}/checkpoint"

    assert get(witness, path)[0] == 404
    witness.ask(log.request(0, 4))
    status, note = get(witness, path)

    assert status == 200
    assert parse_checkpoint(parse_note(note).text).head == log.head(4)
    assert len(parse_note(note).signatures) == 2


@pytest.mark.parametrize("path", ["/", "/x/checkpoint", "/../witness.key/checkpoint",
                                  "/%2e%2e/checkpoint", f"/{'0' * 64}/checkpoint"])  # fmt: skip
def test_nothing_else_is_served(witness: WitnessProcess, path: str) -> None:
    status, body = get(witness, path)

    assert status == 404
    assert b"PRIVATE" not in body


def test_a_body_over_its_limit_is_refused(witness: WitnessProcess) -> None:
    assert witness.ask(b"old 0\n" + b"A" * 70_000)[0] == 413


def test_a_request_that_never_ends_holds_nobody_up(witness: WitnessProcess) -> None:
    log = GrowingLog("log.example/2")
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\nold"
    with socket.create_connection(("127.0.0.1", witness.port), timeout=20) as slow:
        slow.sendall(head)
        assert witness.ask(log.request(0, 2))[0] == 200


def test_many_logs_asking_at_once_get_one_history(witness: WitnessProcess) -> None:
    name = "log.example/3"
    stories = [GrowingLog(name, story=str(n % 2)) for n in range(8)]
    taken: list[TreeHead] = []

    def ask(log: GrowingLog) -> None:
        if witness.ask(log.request(0, 6))[0] == 200:
            taken.append(log.head(6))

    threads = [threading.Thread(target=ask, args=(log,)) for log in stories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(taken)) == 1


def test_killed_at_any_moment_it_never_cosigns_two_views(tmp_path: Path) -> None:
    """Two operators, one key, two histories: whatever was answered before a kill binds after it."""
    cosigned: dict[int, set[bytes]] = {}
    lock = threading.Lock()
    with witness_process(tmp_path / "w", "witness.example/w", LOG.signer.vkey) as witness:

        def push(log: GrowingLog, old: int) -> None:
            size = old + 1
            while size < old + 400:
                try:
                    status, _, body = witness.ask(log.request(old, size))
                except (OSError, http.client.HTTPException):
                    return  # killed
                if status == 200:
                    with lock:
                        cosigned.setdefault(size, set()).add(log.head(size).root)
                    old, size = size, size + 1
                elif status == 409:
                    old = int(body)
                    size = max(size, old + 1)
                else:
                    assert status == 422
                    return

        for round_number in range(ROUNDS):
            start = max(cosigned, default=0)
            threads = [threading.Thread(target=push, args=(log, start)) for log in (LOG, FORK)]
            for thread in threads:
                thread.start()
            while max(cosigned, default=0) < start + 5 + round_number * 3:
                assert any(thread.is_alive() for thread in threads)
            witness.kill()
            for thread in threads:
                thread.join()
            witness.start()

        last = max(cosigned)
        stands = LOG if cosigned[last] == {LOG.head(last).root} else FORK
        assert all(roots == {stands.head(size).root} for size, roots in cosigned.items())
        status, _, body = witness.ask((FORK if stands is LOG else LOG).request(0, last))
        assert status == 409
        assert int(body) >= last, "what was answered was durable"


def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    with witness_process(tmp_path / "w", "witness.example/w") as witness:
        assert witness.stop() == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--listen", "127.0.0.1:0"), 2),
        (("--listen", "nonsense", "--dir", "."), 2),
        (("--listen", "127.0.0.1:0", "--dir", "nowhere"), 2),
        (("init", "w"), 2),
        (("init", "w", "--name", "a b"), 2),
        (("add-log", "nowhere", "absent.vkey"), 4),
    ],
)
def test_a_mistake_in_the_words_is_one_line(
    tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "counterfoil", "witness", *words],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_a_witness_is_set_up_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "log.vkey").write_text(f"{LOG.signer.vkey}\n")

    def foil(*words: str) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-m", "counterfoil", "witness", *words, "--json"],
            capture_output=True, text=True, check=True, cwd=tmp_path,
        )  # fmt: skip
        value: dict[str, object] = json.loads(done.stdout)
        return value

    made = foil("init", "w", "--name", "witness.example/w")
    added = foil("add-log", "w", "log.vkey")

    assert str(made["vkey"]).startswith("witness.example/w+")
    assert added == {"logs": [str(LOG.signer.vkey)]}
