"""A throw-away machine: this one's programs, files that nobody else sees, a network of its own.

Linux namespaces make it: every folder that an installation writes in is an overlay over this
machine's, processes have numbers of their own and end with it, and `lo` is its only interface, so
that ports 80 and 443 are free.  Nothing in it outlives the test or is seen outside.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tools import needs_tool

HERE = Path(__file__).parent
WRITTEN = ("etc", "home", "opt", "root", "usr", "var")
BEGINS_S = 60.0
RUNS_S = 300.0
BEGIN = r"""
import fcntl, os, socket, struct, subprocess, sys
scratch, written, tools, base = sys.argv[1], sys.argv[2].split(","), sys.argv[3], sys.argv[4]
def mount(*words): subprocess.run(["mount", *words], check=True)
mount("--make-rprivate", "/")
mount("-t", "tmpfs", "tmpfs", "/run")
for name in written:
    upper, work = f"{scratch}/{name}", f"{scratch}/.{name}"
    os.mkdir(upper); os.mkdir(work)
    os.chmod(upper, os.stat(f"/{name}").st_mode & 0o7777)
    mount("-t", "overlay", "-o", f"lowerdir=/{name},upperdir={upper},workdir={work}", "overlay", f"/{name}")
# Where the interpreter stands, the user of the service has to get to; a Debian's own is in /usr.
while base != "/":
    base = os.path.dirname(base)
    if base.split("/")[1] in written:
        os.chmod(base, os.stat(base).st_mode | 0o111)
# A disk of its own for the ledger: what an overlay keeps would end with its container.
os.mkdir("/var/lib/counterfoil"); os.mkdir(f"{scratch}/ledger")
mount("--bind", f"{scratch}/ledger", "/var/lib/counterfoil")
with open("/usr/local/sbin/systemctl", "w") as stand_in:
    stand_in.write(f"#!/bin/sh\nexec {sys.executable} -I {tools} \"$@\"\n")
os.chmod("/usr/local/sbin/systemctl", 0o755)
with open("/etc/hosts", "a") as hosts:
    hosts.write("127.0.0.1 foil.example\n")
UP = 0x1  # IFF_UP, netdevice(7)
with socket.socket() as sock:
    flags = struct.pack("16sh", b"lo", UP)
    fcntl.ioctl(sock, 0x8914, flags)  # SIOCSIFFLAGS
print("ready", flush=True)
os.execvp("sleep", ["sleep", "infinity"])
"""


class Machine:
    """One machine; `run` is its root shell."""

    def __init__(self, init: int) -> None:
        self._init = init

    def run(self, script: str, *, online: bool = False, code: int = 0, cwd: str = "/root") -> str:
        """Run a shell script as root, as somebody types it; return what it printed.

        Args:
            script: ends at the first command that fails.
            online: whether this machine's network is lent to it.
            code: the exit code to expect; another one shows what was printed.
            cwd: where it begins.
        """
        done = subprocess.run(
            [*self.enter(online=online), "bash", "-euo", "pipefail", "-c", f"cd {cwd}; {script}"],
            check=False, capture_output=True, text=True, timeout=RUNS_S, env=_environment(),
        )  # fmt: skip
        assert done.returncode == code, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def ask(self, what: str = "call", **question: Any) -> Any:
        """Ask a server in the machine (`ask.py`) and return its answer."""
        words = (sys.executable, "-I", HERE / "ask.py", what, json.dumps(question))
        done = subprocess.run(
            [*self.enter(online=False), *words],
            check=False, capture_output=True, text=True, timeout=RUNS_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def wait_until_ready(self) -> None:
        """Wait until the server says that it is."""
        end = time.monotonic() + BEGINS_S
        while True:
            ready = "test -e /var/lib/counterfoil/server.json && echo yes || true"
            if self.run(ready) == "yes\n":
                return
            said = self.run("cat /var/log/stand-in/counterfoil.service || true")
            assert time.monotonic() < end, said
            time.sleep(0.05)

    def enter(self, *, online: bool) -> Sequence[str]:
        """Return the words that put a command into the machine."""
        net = () if online else ("--net",)
        return ("nsenter", f"--target={self._init}", "--mount", "--pid", *net, "--")


@contextlib.contextmanager
def machine(scratch: Path) -> Iterator[Machine]:
    """Yield a machine whose files are kept in a folder that is empty; it ends with the block."""
    for tool in ("unshare", "nsenter", "mount", "setpriv"):
        needs_tool(tool)
    if os.geteuid() != 0:
        pytest.skip("only root can make a throw-away machine")
    words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
             sys.executable, "-I", "-c", BEGIN, str(scratch), ",".join(WRITTEN),
             str(HERE / "systemctl.py"), sys.base_prefix]  # fmt: skip
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as outer:
        try:
            assert outer.stdout is not None
            assert outer.stdout.readline() == "ready\n"
            yield Machine(_child(outer.pid))
        finally:
            outer.kill()
            outer.wait()
    shutil.rmtree(scratch, ignore_errors=True)


def _child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    end = time.monotonic() + BEGINS_S
    while time.monotonic() < end:
        if found := children.read_text().split():
            return int(found[0])
    raise AssertionError("the machine did not begin")


def _environment() -> dict[str, str]:
    """Return a root shell's environment: how pip gets packages here, and nothing of the tests'."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "SSL_")) or name.lower().endswith("_proxy")
    }
    path = f"/usr/local/sbin:{sys.base_prefix}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {**kept, "PATH": path, "HOME": "/root", "LANG": "C.UTF-8"}
