"""What strace saw of a real run, played again on a disk that loses what was not synced.

The run is `tests.faults.driven` on Python's own sqlite3.  Its calls rebuild the directory in
`disk_model`, and at any of them the power can be cut: the image of the disk is then laid out, and
the real ledger has to open it and to hold everything that was printed before that moment.

SQLite's `-shm` is a shared mapping that strace cannot see; it holds nothing that the next start
does not make again from the write-ahead log, so images are without it.
"""

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from counterfoil.app.home import open_home
from counterfoil.app.record import Recorder
from counterfoil.clock import SystemClock
from counterfoil.ids import SystemRandomness
from tests.faults import disk_model
from tests.faults.aftermath import Answered, Outside
from tests.faults.disk_model import Disk, Keep, Node
from tests.faults.driven import BIRTH
from tests.faults.straced import Opened, check_evidence, check_left, make_ledger, open_driven

CALLS: Final = (
    "openat,creat,write,pwrite64,writev,pwritev,ftruncate,truncate,fallocate,fsync,fdatasync,"
    "sync_file_range,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,"
    "rmdir,mkdir,mkdirat,copy_file_range,sendfile"
)
"""Every call that can change bytes or names; one that the model does not know is an error."""
BEFORE: Final = 250
_LONGEST_WRITE_BYTES: Final = 1 << 20
_RUN_TIMEOUT_S: Final = 120
_LINE: Final = re.compile(r"^(\d+) +(.*)$")
_RESUMED: Final = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")
_CALL: Final = re.compile(r"^(\w+)\((.*)\) += (-?\d+)")
_HEX: Final = re.compile(r"((?:\\x[0-9a-f]{2})+)")
_FLAGS: Final = re.compile(r"O_[A-Z|_]+")


@dataclass(frozen=True)
class Call:
    """One call of the run that succeeded.

    Args:
        began: position in the trace where it began; what it writes may be on the disk from here.
        ended: where it returned; what it syncs is durable from here.
        name: of the call.
        arguments: as strace has them.
        result: what it returned.
        thread: who made it.
    """

    began: int
    ended: int
    name: str
    arguments: str
    result: int
    thread: str


@dataclass
class Moment:
    """The run up to some call: the disk, and what had left the machine."""

    at: int
    disk: Disk
    outside: Outside


@dataclass(frozen=True)
class Run:
    """One recorded run.

    Args:
        before: what stood at `root` when it began.
        root: the directory that is modelled.
        ledger: the ledger's path below it; "" if it is the same.
        calls: what the run called.
        opened: how the next start opens the ledger.
    """

    before: Path
    root: Path
    ledger: str
    calls: list[Call]
    opened: Opened


def record(folder: Path, strace: str, planted: str = "") -> Run:
    """Run `replay` once under strace, with what is planted in it, on a ledger that stands."""
    before, root = folder / "before", folder / "root"
    make_ledger(before, BEFORE)
    shutil.copytree(before, root)
    calls = _trace(strace, root, ["replay", str(root), *([planted] if planted else [])])
    return Run(before, root, "", calls, open_driven)


def record_birth(folder: Path, strace: str) -> Run:
    """Run `birth` once under strace, in an empty directory."""
    before, root = folder / "before", folder / "root"
    before.mkdir()
    root.mkdir()
    calls = _trace(strace, root, [BIRTH, str(root / "ledger")])
    return Run(before, root, "ledger", calls, _open_as_server)


@contextmanager
def _open_as_server(directory: Path) -> Iterator[Recorder]:
    with open_home(directory, SystemClock(), SystemRandomness()) as home:
        yield home.recorder


def moments(run: Run) -> Iterator[Moment]:
    """Play a run, and stop after every call; the same disk goes on to the next moment."""
    files = {
        str(path.relative_to(run.before)): path.read_bytes() if path.is_file() else None
        for path in sorted(run.before.rglob("*"))
    }
    replay = _Replay(Disk(files), str(run.root))
    for call in sorted(run.calls, key=lambda one: one.ended if _is_sync(one) else one.began):
        replay.play(call)
        yield Moment(call.began, replay.disk, replay.outside)


def _trace(strace: str, root: Path, words: list[str]) -> list[Call]:
    trace = root.with_suffix(".trace")
    subprocess.run(
        [strace, "-f", "-y", "-xx", "-s", str(_LONGEST_WRITE_BYTES), "-e", f"trace={CALLS}",
         "-o", str(trace), sys.executable, "-m", "tests.faults.driven", *words],
        check=True, timeout=_RUN_TIMEOUT_S, capture_output=True, input=b"go\n",
    )  # fmt: skip
    return list(_inside(_calls(trace.read_text("ascii")), root))


WAYS: Final[dict[str, Callable[[int, random.Random], Keep]]] = {
    "nothing unsynced survives": lambda _at, _chance: disk_model.nothing,
    "everything survives": lambda _at, _chance: disk_model.everything,
    "any part survives": lambda _at, chance: disk_model.some(chance),
    "all before one call survives": lambda at, chance: disk_model.until(
        chance.randint(0, at), chance
    ),
}
"""How a power cut can end, for a moment at a position of the trace."""


def check_image(
    run: Run, moment: Moment, keep: Keep, folder: Path, *, as_it_lies: bool = True
) -> None:
    """Lay an image out, and check it after the real ledger opened it.

    Args:
        run: of what.
        moment: when the power is cut.
        keep: what survives that was not synced.
        folder: absent, before and after.
        as_it_lies: judge it before that start too, as an outsider might.

    Raises:
        AssertionError, CounterfoilError: something is lost, or the start refuses.
    """
    folder.mkdir()
    try:
        for path, content in moment.disk.images(keep):
            if content is None:
                (folder / path).mkdir(mode=0o700)
            else:
                # Modes are no part of the model; what others may read is refused at the start.
                (folder / path).touch(mode=0o600)
                (folder / path).write_bytes(content)
        ledger = folder / run.ledger
        if as_it_lies:
            check_evidence(ledger)
        check_left(ledger, moment.outside, run.opened)
    finally:
        shutil.rmtree(folder)


class _Replay:
    """The effects of calls, one after the other."""

    def __init__(self, disk: Disk, root: str) -> None:
        self.disk = disk
        self.outside = Outside()
        self._root = root
        self._positions: dict[str, int] = {}
        self._words = b""

    def play(self, call: Call) -> None:
        """Do what the call did.

        Raises:
            AssertionError: a call the model does not know.
        """
        does: Callable[[Call], None] | None = getattr(self, f"_{call.name}", None)
        assert does is not None, f"{call.name} is no part of the model"
        does(call)

    def _openat(self, call: Call) -> None:
        path = self._paths(call)[-1]  # that of the descriptor it returned
        flags = _FLAGS.findall(call.arguments)[0].split("|")
        self._positions[f"{call.result}"] = 0
        assert "O_APPEND" not in flags
        node = self.disk.find(path)
        if "O_CREAT" in flags and node is None:
            self.disk.make(call.began, path)
        elif "O_TRUNC" in flags and node is not None:
            disk_model.resize(node, call.began, 0)

    def _write(self, call: Call) -> None:
        number = call.arguments.partition("<")[0]
        if number == "1":
            self._say(_data(call)[: call.result])
            return
        offset = self._positions[number]
        self._positions[number] = offset + call.result
        disk_model.write(self._node(call), call.began, offset, _data(call)[: call.result])

    def _pwrite64(self, call: Call) -> None:
        offset = int(call.arguments.rpartition(", ")[2])
        disk_model.write(self._node(call), call.began, offset, _data(call)[: call.result])

    def _ftruncate(self, call: Call) -> None:
        size_bytes = int(call.arguments.rpartition(", ")[2])
        disk_model.resize(self._node(call), call.began, size_bytes)

    def _fsync(self, call: Call) -> None:
        disk_model.sync(self._node(call), call.began)

    _fdatasync = _fsync

    def _rename(self, call: Call) -> None:
        old, new = self._paths(call)
        self.disk.rename(call.began, old, new)
        if new.endswith("public/default/checkpoint"):
            # The public may have read it from here on: nothing later may contradict it.
            note = self.disk.read(new)
            assert note is not None
            self.outside.checkpoints.append(note)

    def _mkdir(self, call: Call) -> None:
        self.disk.make(call.began, self._paths(call)[0], directory=True)

    def _unlink(self, call: Call) -> None:
        [path] = self._paths(call)
        self.disk.remove(call.began, path)

    _rmdir = _unlink

    def _unlinkat(self, call: Call) -> None:
        paths = self._paths(call)
        self.disk.remove(call.began, paths[-1])

    def _say(self, words: bytes) -> None:
        """Take what the program printed: a receipt is out from the moment its write begins."""
        self._words += words
        *lines, self._words = self._words.split(b"\n")
        for line in lines:
            if line.startswith(b"answer "):
                told = json.loads(line[len(b"answer ") :])
                name = (told["source"], told["id"])
                self.outside.answered.append(
                    Answered(name, told["index"], told["receipt"].encode())
                )

    def _node(self, call: Call) -> Node:
        [path] = self._paths(call)[:1]
        node = self.disk.find(path)
        assert node is not None, f"{call.name} to {path!r}, which is not there"
        return node

    def _paths(self, call: Call) -> list[str]:
        """Return every path of a call below the root: those of descriptors and those named."""
        found = []
        for text in _HEX.findall(call.arguments):
            path = _bytes(text).decode("utf-8", "surrogateescape")
            if path == self._root:
                found.append("")
            elif path.startswith(f"{self._root}/"):
                found.append(path[len(self._root) + 1 :])
            elif found and call.name == "unlinkat":
                found.append(f"{found[-1]}/{path}")
        return found


def _is_sync(call: Call) -> bool:
    return call.name in {"fsync", "fdatasync"}


def _data(call: Call) -> bytes:
    """Return the bytes a call writes: the string after the descriptor."""
    quoted = call.arguments.split(', "', 1)[1]
    text, _, rest = quoted.partition('"')
    assert not rest.startswith("..."), "strace cut a write short"
    return _bytes(text)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _calls(trace: str) -> Iterator[Call]:
    """Yield the calls that succeeded; one that others interrupted is put together again."""
    unfinished: dict[str, tuple[int, str]] = {}
    for at, line in enumerate(trace.splitlines()):
        found = _LINE.match(line)
        assert found is not None, line[:200]
        thread, text = found.groups()
        began = at
        if text.endswith(" <unfinished ...>"):
            unfinished[thread] = at, text.removesuffix(" <unfinished ...>")
            continue
        if resumed := _RESUMED.match(text):
            began, start = unfinished.pop(thread)
            text = start + resumed[1]
        call = _CALL.match(text)
        if call is not None and int(call[3]) >= 0:
            # The path of a descriptor that was opened comes after the result.
            arguments = call[2] + text[call.end() :]
            yield Call(began, at, call[1], arguments, int(call[3]), thread)


def _inside(calls: Iterator[Call], directory: Path) -> Iterator[Call]:
    """Yield the calls that concern the directory, and what the program prints."""
    inside, shared = _escaped(str(directory)), _escaped("-shm")
    for call in calls:
        printed = call.name == "write" and call.arguments.startswith("1<")
        if printed or (inside in call.arguments and shared not in call.arguments):
            yield call


def _escaped(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())
