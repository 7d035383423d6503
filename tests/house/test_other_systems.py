"""The core install is for Windows too, where half of `os` and some modules are not there.

No Windows runs these tests.  What stands in for one is this Python with the POSIX modules made
unimportable and the POSIX functions taken off `os` and `signal`, and a fake of the one module of
Windows that is used.  It holds the promise that nothing else is asked for; what only a Windows can
show (its console, its files that are open) it does not.
"""

import json
import subprocess
import sys
from pathlib import Path

POSIX_MODULES = (
    "crypt", "fcntl", "grp", "nis", "posix_shm", "pty", "pwd", "resource", "syslog", "termios",
    "tty", "uvloop",
)  # fmt: skip
POSIX_NAMES = {
    "os": (
        "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC", "WIFSIGNALED",
        "chown", "chroot", "fchmod", "fchown", "fdatasync", "fork", "forkpty", "geteuid", "getgid",
        "getpgid", "getpgrp", "getuid", "killpg", "mkfifo", "nice", "posix_fadvise",
        "posix_fallocate", "posix_spawn", "posix_spawnp", "pread", "preadv", "pwrite", "pwritev",
        "register_at_fork", "sched_getaffinity", "sendfile", "setsid", "setuid", "uname",
    ),
    "signal": (
        "SIGCHLD", "SIGCONT", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGUSR1",
        "SIGUSR2", "SIGXFSZ", "pthread_sigmask", "sigtimedwait", "sigwait",
    ),
}  # fmt: skip

# Python's own modules come first: they look for what a system has in their own way.
ELSEWHERE = """
import concurrent.futures, ctypes, getpass, html.parser, http.client, importlib.abc, json, logging
import os, pathlib, platform, shutil, signal, socket, sqlite3, ssl, subprocess, sys, tarfile
import tempfile, threading, types, urllib.request, uuid, zipfile
import click, cryptography.hazmat.primitives.asymmetric.ed25519, msgspec, pytest

MODULES, NAMES, WORDS = json.loads(sys.argv[1])

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(f"no {name} on this system", name=name)

for name in MODULES:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
for module, names in NAMES.items():
    for name in names:
        if hasattr(sys.modules[module], name):
            delattr(sys.modules[module], name)

# Locks of ranges as Windows has them: by file, held by one descriptor, gone when it is closed.
held = {}
def locking(file, mode, size):
    key = (os.fstat(file).st_ino, os.lseek(file, 0, os.SEEK_CUR), size)
    if mode == 0:
        if held.pop(key, None) is None:
            raise PermissionError(13, "not locked")
    elif key in held and held[key] != file and is_open(held[key], key[0]):
        raise PermissionError(13, "locked")
    else:
        held[key] = file
def is_open(file, inode):
    try:
        return os.fstat(file).st_ino == inode
    except OSError:
        return False
fake = types.ModuleType("msvcrt")
fake.locking, fake.LK_UNLCK, fake.LK_NBLCK = locking, 0, 2
sys.modules["msvcrt"] = fake
"""

IMPORTS = """
import importlib, pkgutil, counterfoil.client, counterfoil.cli, counterfoil.events
import counterfoil.prooffile, counterfoil.reporter, counterfoil.tlog, counterfoil.verifier
for room in (counterfoil.client, counterfoil.cli, counterfoil.events, counterfoil.prooffile,
             counterfoil.reporter, counterfoil.tlog, counterfoil.verifier):
    for found in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
        importlib.import_module(found.name)
import counterfoil.pytest_plugin
"""

SPOOLS = """
from pathlib import Path
from counterfoil.client.push import push
from counterfoil.client.spool import SpoolWriter, read_spool
from counterfoil.clock import SystemClock
def write(boot):
    return SpoolWriter(Path(WORDS[0]), producer="p", boot=boot, project="default", via="cli",
                       clock=SystemClock())
first, second = write("b1"), write("b2")
first.append(b'{"specversion":"1.0"}')
assert read_spool(first.path).live
first.close()
assert not read_spool(first.path).live
sent = []
def deliver(payloads, header):
    sent.extend(payloads)
    return [{"index": 0, "status": "recorded"} for _ in payloads]
result = push(Path(WORDS[0]), deliver)
assert (result.recorded, result.stopped, result.torn, result.stuck) == (1, None, {}, {}), result
assert sent == [b'{"specversion":"1.0"}']
assert not first.path.exists() and second.path.exists()
second.close()
"""

RUNS = """
from counterfoil.cli import main
main(WORDS)
"""


def elsewhere(place: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program where nothing of POSIX is there."""
    told = json.dumps([POSIX_MODULES, POSIX_NAMES, words])
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE + program, told], cwd=place, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip


def test_what_the_core_install_runs_is_imported_without_posix(tmp_path: Path) -> None:
    # They need [server]: Linux.
    server = ["counterfoil.cli.serve", "counterfoil.cli.admin"]
    program = IMPORTS.replace(
        "    importlib", f"    if found.name in {server}: continue\n" + " " * 8 + "importlib"
    )
    done = elsewhere(tmp_path, program)

    assert done.returncode == 0, done.stderr


def test_spools_are_written_locked_and_pushed_without_posix(tmp_path: Path) -> None:
    done = elsewhere(tmp_path, SPOOLS, str(tmp_path / "spool"))

    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "spool").glob("*.spool")] == ["p-b2.spool"]


def test_a_step_is_run_and_spooled_without_posix(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('said'); sys.exit(3)"]
    (tmp_path / ".counterfoil").mkdir()
    done = elsewhere(tmp_path, RUNS, "run", "--", *command)

    assert done.returncode == 3, done.stderr
    assert done.stdout == "said\n"
    assert "the step is kept in" in done.stderr
    assert list((tmp_path / ".counterfoil" / "spool").glob("*.spool"))


def test_a_command_that_is_not_there_is_said_without_posix(tmp_path: Path) -> None:
    done = elsewhere(tmp_path, RUNS, "run", "--", "no-such-command")

    assert done.returncode == 127
    assert "no-such-command: command not found" in done.stderr


def test_a_slow_step_has_its_beginning_spooled_without_posix(tmp_path: Path) -> None:
    (tmp_path / ".counterfoil").mkdir()
    looks = "import glob, time; time.sleep(0.6); print(glob.glob('.counterfoil/spool/*.spool'))"
    done = elsewhere(tmp_path, RUNS, "run", "--", sys.executable, "-c", looks)

    assert done.returncode == 0, done.stderr
    assert ".spool" in done.stdout


def test_verify_reads_a_ledger_without_posix(tmp_path: Path) -> None:
    done = elsewhere(tmp_path, RUNS, "verify", str(tmp_path / "nothing-here"))

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
