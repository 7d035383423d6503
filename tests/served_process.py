"""A server in a process of its own, for tests that kill it and start it again."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_S = 30.0


@dataclass
class ServerProcess:
    """`counterfoil serve` over one directory, always on the same port."""

    directory: Path
    port: int
    process: "subprocess.Popen[str] | None" = None
    token: str = ""
    said: list[str] = field(default_factory=list)
    workers: int = 0
    files: int = 0
    """How many descriptors each of its processes may have; 0 for what the tests may have."""
    lines: Path | None = None
    """Where standard error of all its processes goes; None for where standard output does."""

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        limited = ["sh", "-c", f'ulimit -n {self.files}; exec "$@"', "-"] if self.files else []
        with contextlib.ExitStack() as opened:
            lines = opened.enter_context(self.lines.open("w")) if self.lines is not None else None
            self.process = subprocess.Popen(
                [*limited, sys.executable, "-m", "counterfoil", "serve", "--dir", self.directory,
                 "--port", str(self.port), "--workers", str(self.workers)],
                stdout=subprocess.PIPE, stderr=lines or subprocess.STDOUT, text=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        self.token = (self.directory / "admin.token").read_text("ascii").strip()
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError), urllib.request.urlopen(self.url + "/readyz") as ok:
                if ok.status == 200:
                    return
            assert self.process.poll() is None, self.process.stdout and self.process.stdout.read()
            time.sleep(0.05)
        raise AssertionError("the server did not start")

    def sign_in_link(self) -> str:
        """Return the link it printed."""
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if "sign in" in line:
                return line.rpartition(" ")[2].strip()
        raise AssertionError("no link was printed")

    def kill(self) -> None:
        """Kill it as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def stop(self) -> int:
        """Tell it to stop, as an operator does; return its exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def post(self, events: list[dict[str, Any]]) -> list[int]:
        """Post a batch; return the entry numbers."""
        request = urllib.request.Request(
            self.url + "/v1/events",
            data=json.dumps(events).encode(),
            headers={
                "Content-Type": "application/cloudevents-batch+json",
                "Authorization": f"Bearer {self.token}",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return [one["index"] for one in json.load(answer)["entries"]]


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def server_process(directory: Path, workers: int = 0, files: int = 0) -> Iterator[ServerProcess]:
    """Serve an existing ledger until the block ends."""
    server = ServerProcess(directory, free_port(), workers=workers, files=files)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()
