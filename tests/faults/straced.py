"""One fault in one system call of one thread, injected by strace into the real ledger.

A run copies a ledger, lets the child of `tests.faults.driven` open it, attaches strace to the
thread that is to be struck, lets it work, and judges what is left.  Only that thread is traced, so
the N-th call is the N-th of its work, and not of a start or of another thread.

Every call is struck at its first, middle and last occurrence (or at all of them), by a kill and
by the errors that this kind of call can have.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from counterfoil.app.backing_up import back_up
from counterfoil.app.backup_place import generations, keys_place
from counterfoil.app.drill import drill
from counterfoil.app.fsck import fsck
from counterfoil.app.record import LOCAL, Recorder
from counterfoil.client.evidence import verify_path
from counterfoil.clock import SystemClock
from counterfoil.verifier.report import Report
from tests.faults.aftermath import Answered, Outside, check_outside
from tests.faults.driven import BATCHES, SEED, backups_of, batch
from tests.ledgers import PROJECT, create_ledger, make_sample, open_ledger

KILL: Final = "signal=KILL"
RUN_TIMEOUT_S: Final = 180.0
BEFORE: Final = {"append": 4, "export": 20, "export-border": 250, "backup": 4}
"""Entries that are published before the run; the last export crosses the border of a tile."""
THREADS: Final = (
    ("append", "driven"), ("append", "counterfoil-writer"),
    ("export", "driven"), ("export-border", "driven"),
)  # fmt: skip
"""Who works in which program: the thread that asks, and the one that writes the log."""
BACKUP: Final = ("backup", "driven")
"""The one that takes a backup: of its many calls, tests strike a few and the long run all."""
CANNOT_FAIL: Final = frozenset({
    "exit", "exit_group", "futex", "geteuid", "getpid", "gettid", "getuid", "restart_syscall",
    "rt_sigprocmask", "sched_yield",
})  # fmt: skip
"""Calls that have no error a program could get: these are struck by a kill alone."""
FAMILIES: Final = {
    "finding": {"access", "faccessat", "faccessat2", "fstat", "fstatfs", "getcwd", "getdents64",
                "lstat", "newfstatat", "readlink", "readlinkat", "stat", "statfs", "statx"},
    "opening": {"close", "dup", "ioctl", "open", "openat"},
    "locking": {"fcntl", "flock"},
    "reading": {"lseek", "pread64", "preadv", "read", "readv"},
    "writing": {"copy_file_range", "fallocate", "ftruncate", "pwrite64", "pwritev", "sendfile",
                "write", "writev"},
    "syncing": {"fdatasync", "fsync", "sync_file_range", "syncfs"},
    "naming": {"chmod", "fchmod", "fchmodat", "fchown", "link", "linkat", "mkdir", "mkdirat",
               "rename", "renameat", "renameat2", "rmdir", "symlink", "unlink", "unlinkat",
               "utimensat"},
    "memory": {"brk", "madvise", "mmap", "mprotect", "mremap", "munmap"},
}  # fmt: skip
OTHERS: Final = "everything else"
_CHANGING: Final = FAMILIES["writing"] | FAMILIES["syncing"] | FAMILIES["naming"]
_NO_SPACE: Final = _CHANGING | {"open", "openat"}
_FULL: Final = "error=ENOSPC"
_CALL: Final = re.compile(r"(\w+)\(")


Opened = Callable[[Path], AbstractContextManager[Recorder]]
"""How the next start opens a directory."""


@dataclass(frozen=True)
class Injection:
    """One fault: `error=EIO` or `signal=KILL`, at the N-th occurrence of a call, from 1.

    Args:
        call: its name.
        fault: as strace has it.
        occurrence: which of the calls of the thread fails.
        lasting: every later one fails as well, as on a disk that stays full.
    """

    call: str
    fault: str
    occurrence: int
    lasting: bool = False

    @property
    def option(self) -> str:
        """The value of strace's `-e`."""
        return f"inject={self.call}:{self.fault}:when={self.occurrence}{'+' * self.lasting}"


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Args:
        answered: what was acknowledged before the end.
        said: the other lines: `done`, or errors.
        status: of the child, as waitpid has it.
        trace: the lines strace wrote.
    """

    answered: list[Answered]
    said: list[str]
    status: int
    trace: list[str]

    @property
    def killed(self) -> bool:
        """Whether it was killed."""
        return self.status == signal.SIGKILL

    @property
    def struck(self) -> bool:
        """Whether the fault was met: a run may make one call less than the one before."""
        return self.killed or any("(INJECTED)" in line for line in self.trace)


class Driver:
    """The process that runs the programs, and the ledgers they begin with.

    Args:
        folder: for ledgers; each run has one of its own, removed after it.
    """

    def __init__(self, folder: Path, strace: str) -> None:
        self.folder = folder
        self._strace = strace
        self._runs = 0
        self._heard = b""
        for program in BEFORE:
            make_ledger(folder / program, BEFORE[program])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.driven"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(RUN_TIMEOUT_S)
        self._process.stdout.close()

    def calls(self, program: str, thread: str) -> Counter[str]:
        """Return how often the thread makes each call in the program's work."""
        with self._fresh(program) as directory:
            outcome = self.run(program, thread, directory, "-e", "trace=all")
            assert outcome.said == ["done"], outcome.said
        return Counter(found[1] for line in outcome.trace if (found := _CALL.match(line)))

    def strike(self, program: str, thread: str, injection: Injection) -> Outcome:
        """Make one run with one fault, and judge the directory it leaves."""
        with self._fresh(program) as directory:
            outcome = self.run(
                program, thread, directory, "-e", f"trace={injection.call}", "-e", injection.option
            )
            _check_outcome(outcome, injection)
            if outcome.killed:
                check_evidence(directory)  # as an outsider finds it, before any start mended it
            if program == "backup":
                check_backups(directory)
            check_left(directory, Outside(outcome.answered))
        return outcome

    def start_on_a_failing_disk(self, calls: str, fault: str) -> list[str]:
        """Start, append and end while every such call fails, then judge what is left.

        Returns:
            What it said, but for `ready`.
        """
        with self._fresh("append") as directory:
            ended = subprocess.run(
                [self._strace, "-f", "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}",
                 "-o", os.devnull, sys.executable, "-m", "tests.faults.driven", "append",
                 str(directory)],
                input="go\n", capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=True,
            )  # fmt: skip
            check_left(directory, Outside())
        return [line for line in ended.stdout.splitlines() if not line.startswith("ready ")]

    def run(self, program: str, thread: str, directory: Path, *options: str) -> Outcome:
        """Run a program in a directory with strace on one of its threads."""
        trace = directory.with_suffix(".trace")
        self._tell(f"{program} {directory}")
        answered, said = [], []
        while not (ready := self._next_line()).startswith("ready "):
            answered.append(_answer(ready))
        number = json.loads(ready.removeprefix("ready "))[thread]
        watching = subprocess.Popen(
            [self._strace, "-p", str(number), "-o", str(trace), *options], stderr=subprocess.PIPE
        )
        assert watching.stderr is not None
        attached = watching.stderr.readline()
        assert b"attached" in attached, attached
        self._tell("go")
        while not (line := self._next_line()).startswith("ended "):
            if line.startswith("answer "):
                answered.append(_answer(line))
            else:
                said.append(line)
        watching.wait(RUN_TIMEOUT_S)
        watching.stderr.close()
        lines = trace.read_text("utf-8", "replace").splitlines()
        trace.unlink()
        return Outcome(answered, said, int(line.removeprefix("ended ")), lines)

    @contextmanager
    def _fresh(self, program: str) -> Iterator[Path]:
        self._runs += 1
        directory = self.folder / f"run-{self._runs}"
        shutil.copytree(self.folder / program, directory)
        yield directory
        shutil.rmtree(directory)
        for half in (backups_of(directory), keys_place(backups_of(directory))):
            shutil.rmtree(half, ignore_errors=True)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    def _next_line(self) -> str:
        """Return the next line of the program; a run that hangs is a failure, not a wait."""
        assert self._process.stdout is not None
        out = self._process.stdout.fileno()
        while b"\n" not in self._heard:
            readable, _, _ = select.select([out], [], [], RUN_TIMEOUT_S)
            if not readable:
                self._process.kill()
                raise AssertionError(f"the program hangs after {self._heard!r}")
            piece = os.read(out, 1 << 16)
            assert piece, "the process that runs the programs has ended"
            self._heard += piece
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode()


def make_ledger(directory: Path, size: int) -> None:
    """Make the ledger that runs begin with: so many entries, published and closed."""
    create_ledger(directory, (PROJECT,), SEED)
    (directory / "keys" / f"{PROJECT}.key").chmod(0o600)  # a backup looks at the place
    with open_ledger(directory, SEED) as (_, recorder):
        recorder.record(PROJECT, [make_sample(number) for number in range(size)], LOCAL, "cli")


def errors_of(call: str) -> tuple[str, ...]:
    """Return the errors that may be injected into a call: those it can have."""
    if call in CANNOT_FAIL:
        return ()
    if call in FAMILIES["memory"]:
        return ("error=ENOMEM",)
    return ("error=EIO", _FULL) if call in _NO_SPACE else ("error=EIO",)


def every_injection(call: str, count: int) -> list[Injection]:
    """Return a kill and every error at every occurrence of a call."""
    return [
        Injection(call, fault, occurrence)
        for occurrence in range(1, count + 1)
        for fault in (KILL, *errors_of(call))
    ]


def some_injections(call: str, count: int) -> list[Injection]:
    """Return a kill and an error at the first, middle and last occurrence of a call.

    The errors a call can have take turns: a full disk in the middle, a broken one at both ends.
    A disk that is full at the first occurrence stays full, too.  Where a call changes nothing
    on the disk, a kill leaves what one before the next change leaves: one of them is enough.
    """
    errors = errors_of(call)
    middle = (count + 1) // 2
    places = dict.fromkeys((1, middle, count))
    return [
        *(Injection(call, KILL, at) for at in (places if call in _CHANGING else (middle,))),
        *(
            Injection(call, errors[turn % len(errors)], at)
            for turn, at in enumerate(places)
            if errors
        ),
        *(Injection(call, error, 1, lasting=True) for error in errors if error == _FULL),
    ]


def family_of(call: str) -> str:
    """Return the family of a call."""
    return next((name for name, calls in FAMILIES.items() if call in calls), OTHERS)


@contextmanager
def open_driven(directory: Path) -> Iterator[Recorder]:
    """Open a ledger of `make_ledger` for writing."""
    with open_ledger(directory, SEED) as (_, recorder):
        yield recorder


def check_left(directory: Path, outside: Outside, opened: Opened = open_driven) -> None:
    """Judge what a run left, and what the next start makes of it: all of it stays true.

    The next start sends everything again: what was acknowledged keeps its index, the rest is
    recorded now or was recorded before its answer was lost, and a conflict is never the answer.
    """
    check_outside(directory, outside)
    given = outside.copy()
    with opened(directory) as recorder:
        for first, end in BATCHES:
            events = batch(recorder, first, end)
            answers = recorder.record(PROJECT, events, LOCAL, "cli")
            # A request is recorded whole or not at all, also when nobody was answered.
            assert len({one.status for one in answers}) == 1, "half a request was recorded"
            given.answered += [
                Answered((event.source, event.id), one.index, one.receipt)
                for event, one in zip(events, answers, strict=True)
            ]
    check_whole(directory)
    check_outside(directory, given)


def check_backups(directory: Path) -> None:
    """Assert that every backup with a name is whole, and that one more can be taken."""
    place = backups_of(directory)
    before = generations(place)
    assert before, "the backup before is gone"
    back_up(directory, place, SystemClock())
    after = generations(place)
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1
    assert {path.name for path in place.iterdir()} == {"lock", *(one.name for one in after)}
    for one in after:
        done = drill(one)
        assert (done.result, done.findings) == ("whole", ())


def check_evidence(directory: Path) -> None:
    """Assert that `verify` finds nothing wrong with a directory as it lies; nobody has it open.

    What is derived may be behind or gone: the next start makes it again.
    """
    report = verify_path(str(directory))
    assert isinstance(report, Report)
    assert report.ok, report.lines()


def check_whole(directory: Path) -> None:
    """Assert that `fsck --full` finds nothing wrong with a directory that was closed."""
    report = fsck(directory, full=True)
    assert report.ok, report.lines()


def _check_outcome(outcome: Outcome, injection: Injection) -> None:
    """A run ends with its work done, by the kill, or by an error that has a name of ours."""
    unnamed = [line for line in outcome.said if not line.startswith(("done", "error "))]
    assert not unnamed, unnamed
    if outcome.killed:
        assert injection.fault == KILL
    else:
        assert outcome.status == 0, f"the program died of it: {outcome.status}"
        assert outcome.said, "the program ended without a word"


def _answer(line: str) -> Answered:
    told = json.loads(line.removeprefix("answer "))
    return Answered((told["source"], told["id"]), told["index"], told["receipt"].encode())
