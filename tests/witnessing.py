"""Logs and witnesses for tests: a tree that grows and signs, and witnesses as real processes."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from counterfoil.ids import SeededRandomness
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.keys import SignerKey, VerifierKey, parse_vkey
from counterfoil.tlog.proof import consistency_path
from counterfoil.tlog.tree import TreeHead, leaf_hash, root_from_leaves
from counterfoil.tlog.witness import AddCheckpoint, write_add_checkpoint
from counterfoil.witness.book import add_log, create_book


class GrowingLog:
    """A log in memory: any size of it can be signed and proved consistent with any other.

    Args:
        origin: its name.
        story: other stories give other entries, so two of one origin are a fork.
    """

    def __init__(self, origin: str = "log.example/shop", story: str = "true") -> None:
        self.signer = SignerKey.from_seed(origin, SeededRandomness(origin).token(32))
        self._story = story
        self._leaves: list[bytes] = []

    def leaves(self, size: int) -> list[bytes]:
        """Return the first leaf hashes."""
        for index in range(len(self._leaves), size):
            self._leaves.append(leaf_hash(f"{self._story} {index}".encode()))
        return self._leaves[:size]

    def head(self, size: int) -> TreeHead:
        """Return the head at a size."""
        return TreeHead(size, root_from_leaves(self.leaves(size)))

    def checkpoint(self, size: int) -> bytes:
        """Return the signed checkpoint at a size."""
        return sign_checkpoint(self.signer.name, self.head(size), self.signer)

    def path(self, old: int, size: int) -> tuple[bytes, ...]:
        """Return the consistency proof between two sizes."""
        leaves = self.leaves(size)

        def node(level: int, n: int) -> bytes:
            return root_from_leaves(leaves[n << level : (n + 1) << level])

        return tuple(consistency_path(old, size, node)) if 0 < old <= size else ()

    def request(self, old: int, size: int) -> bytes:
        """Return an add-checkpoint body."""
        return write_add_checkpoint(AddCheckpoint(old, self.path(old, size), self.checkpoint(size)))


@dataclass
class WitnessProcess:
    """`counterfoil witness` in a process of its own, always on the same port once started."""

    directory: Path
    vkey: VerifierKey
    port: int = 0
    process: "subprocess.Popen[str] | None" = None

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it says where it is."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "counterfoil", "witness", "--json", "--dir", self.directory,
             "--listen", f"127.0.0.1:{self.port}"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the witness did not start"
        self.port = int(json.loads(line)["url"].rpartition(":")[2])

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        return self._end(signal.SIGTERM)

    def ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Post one add-checkpoint body; return status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("POST", "/add-checkpoint", body)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read()

    def _end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(20)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def make_witness(directory: Path, name: str, *logs: VerifierKey) -> WitnessProcess:
    """Set up a witness that watches logs; it is not started."""
    create_book(directory, name, SeededRandomness(name))
    for key in logs:
        add_log(directory, str(key))
    return WitnessProcess(directory, parse_vkey((directory / "witness.vkey").read_text().strip()))


@contextlib.contextmanager
def witness_process(directory: Path, name: str, *logs: VerifierKey) -> Iterator[WitnessProcess]:
    """Run a witness until the block ends."""
    made = make_witness(directory, name, *logs)
    made.start()
    try:
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.kill()
