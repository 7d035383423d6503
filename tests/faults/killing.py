"""A real server under load, and what is killed of it.

Clients post batches over HTTP and send a batch again until it is answered, as producers do.  They
keep every receipt and every checkpoint they are given; a kill may cost them time and nothing else.
"""

import contextlib
import itertools
import json
import os
import random
import signal
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.machine import descendants
from counterfoil.client.http import Client
from counterfoil.errors import CounterfoilError, UnavailableError
from tests.faults.aftermath import PROJECT, Answered, Outside, check_command, check_outside
from tests.served_process import ServerProcess
from tests.web_server import event

CLIENTS: Final = 4
BATCH_MAX: Final = 12
SOON_S: Final = 60.0
AGAIN_S: Final = 0.02
EXPORT_CYCLE_S: Final = 1.0
"""The server publishes once a second: a kill at any part of that is as good as another."""

_numbers = itertools.count()


@dataclass
class Clients:
    """Producers that post until told to stop; the batch they are at is then still answered."""

    server: ServerProcess
    seed: int
    outside: Outside = field(default_factory=Outside)
    wrong: list[str] = field(default_factory=list)
    answers: int = 0
    repeats: int = 0
    last: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    def start(self) -> None:
        """Begin to post, and to read the checkpoint."""
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            *(threading.Thread(target=self._post_on, args=(n,)) for n in range(CLIENTS)),
            threading.Thread(target=self._watch),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait until every client has the answer to what it sent last."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * SOON_S)
            assert not thread.is_alive(), "a client never got an answer"
        assert not self.wrong, self.wrong[:3]

    def kept(self) -> Outside:
        """Return what the clients hold at this moment."""
        with self._lock:
            return self.outside.copy()

    def wait_for_more(self, answers: int) -> None:
        """Wait until so many further batches are acknowledged."""
        enough = self.answers + answers
        wait_until(lambda: self.answers >= enough or bool(self.wrong), "the server does not answer")
        assert not self.wrong, self.wrong[:3]

    def repeat_last(self) -> None:
        """Send the last batch of every client once more: all of it is known, where it was."""
        for batch in self.last.values():
            statuses = self._keep(batch, self._client().post_batch(_payloads(batch)))
            assert statuses == {"duplicate"}, statuses

    def _client(self) -> Client:
        return Client(self.server.url, self.server.token, PROJECT, timeout_s=20.0)

    def _post_on(self, number: int) -> None:
        chance = random.Random(f"{self.seed} client {number}")  # noqa: S311  a test's load
        while not self._stop.is_set() and not self.wrong:
            batch = [
                event(id=f"sent-{next(_numbers)}") for _ in range(chance.randint(1, BATCH_MAX))
            ]
            try:
                self._post(number, batch)
            except (AssertionError, CounterfoilError) as error:
                self.wrong.append(f"{type(error).__name__}: {error}")

    def _post(self, number: int, batch: list[dict[str, Any]]) -> None:
        """Send one batch until it is answered; any answer but "later" is the end."""
        client, tries = self._client(), 0
        end = time.monotonic() + SOON_S
        while True:
            tries += 1
            try:
                answer = client.post_batch(_payloads(batch))
                break
            except UnavailableError:
                assert time.monotonic() < end, "a batch was never answered"
                time.sleep(AGAIN_S)
        statuses = self._keep(batch, answer)
        # A request is recorded whole or not at all, whatever was killed in the middle of it.
        assert len(statuses) == 1, f"half a batch was recorded: {statuses}"
        assert tries > 1 or statuses == {"recorded"}, "a batch sent once was there already"
        with self._lock:
            self.answers += 1
            self.repeats += tries > 1
            self.last[number] = batch

    def _keep(self, batch: list[dict[str, Any]], answer: list[dict[str, Any]]) -> set[str]:
        assert [one["id"] for one in answer] == [one["id"] for one in batch]
        with self._lock:
            self.outside.answered += [
                Answered((sent["source"], sent["id"]), one["index"], one["receipt"].encode())
                for sent, one in zip(batch, answer, strict=True)
            ]
        return {one["status"] for one in answer}

    def _watch(self) -> None:
        """Read the checkpoint again and again, as a monitor does."""
        url = f"{self.server.url}/log/{PROJECT}/checkpoint"
        while not self._stop.wait(AGAIN_S):
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=20) as answer:
                note = answer.read()
                with self._lock:
                    self.outside.checkpoints.append(note)


def _payloads(batch: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(one).encode() for one in batch]


def wait_until(what: Callable[[], bool], why: str) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it is not within a minute.
    """
    end = time.monotonic() + SOON_S
    while not what():
        assert time.monotonic() < end, why
        time.sleep(AGAIN_S)


def kill_group(server: ServerProcess) -> None:
    """Kill every process of the server in one moment, as the kernel does when memory is out."""
    pids = _processes(server)
    for pid in pids:
        _kill(pid)
    _wait_gone(server, pids)


def kill_writer(server: ServerProcess) -> None:
    """Kill the one process that writes; its workers and its follower have to end by themselves."""
    pids = _processes(server)
    assert server.process is not None
    _kill(server.process.pid)
    _wait_gone(server, pids)


def kill_worker(server: ServerProcess) -> None:
    """Kill one process that takes events; the server goes on and starts another one."""
    workers = [pid for pid in _processes(server) if _runs(pid, b"counterfoil.web.worker")]
    _kill(workers[0])
    wait_until(
        lambda: any(
            pid not in workers and _runs(pid, b"counterfoil.web.worker")
            for pid in _processes(server)
        ),
        "no worker came in the place of the one that was killed",
    )


KILLS: Final[dict[str, Callable[[ServerProcess], None]]] = {
    "the group": kill_group,
    "the writer": kill_writer,
    "a worker": kill_worker,
}


def kill_and_check(
    server: ServerProcess, clients: Clients, what: str, chance: random.Random, directory: Path
) -> int:
    """Let clients post, kill at a seeded moment, check what lies there, start, and check it all.

    Returns:
        The size of the log as it lay there after the kill.
    """
    clients.wait_for_more(chance.randint(5, 25))
    time.sleep(chance.uniform(0.0, EXPORT_CYCLE_S))
    before = clients.repeats
    # What they hold when the kill comes; more may be durable, nothing of this may be gone.
    kept = clients.kept()
    KILLS[what](server)
    check_command("verify", directory)
    size = check_outside(directory, kept)
    if server.process is not None and server.process.poll() is not None:
        assert server.process.stdout is not None
        server.process.stdout.close()
        server.start()
        wait_until(lambda: clients.repeats > before, "nobody had to send a batch again")
    # Beside the server, as whoever operates it would after a crash.
    check_command("fsck", "--dir", directory, "--full")
    clients.wait_for_more(5)
    return size


def check_to_the_end(clients: Clients, directory: Path, folder: Path) -> None:
    """Check a stopped server's directory against all that clients hold, twice over.

    Once by our own comparison, for everything; once as an outsider would, for the first, a
    middle and the last receipt and checkpoint.
    """
    kept = clients.kept()
    check_outside(directory, kept)
    against: list[str | Path] = []
    for place in (0, len(kept.answered) // 2, -1):
        file = folder / f"{kept.answered[place].index}.tlog-proof"
        file.write_bytes(kept.answered[place].receipt)
        against += ["--against", file]
    for place in (0, len(kept.checkpoints) // 2, -1):
        file = folder / f"checkpoint-{place % len(kept.checkpoints)}"
        file.write_bytes(kept.checkpoints[place])
        against += ["--against", file]
    check_command("verify", directory, *against)
    check_command("fsck", "--dir", directory, "--full")


def _processes(server: ServerProcess) -> list[int]:
    assert server.process is not None
    return descendants(server.process.pid)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _wait_gone(server: ServerProcess, pids: list[int]) -> None:
    assert server.process is not None
    server.process.wait(SOON_S)
    wait_until(lambda: not any(_alive(pid) for pid in pids), "a process of the server lives on")


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(") ")[2][0] != "Z"
    return False


def _runs(pid: int, module: bytes) -> bool:
    with contextlib.suppress(OSError):
        return module in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
