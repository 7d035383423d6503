"""Small programs on the real ledger, for strace to break: `python -m tests.faults.driven`.

One process imports everything and then forks a child for each run, so that a run costs no start.
On a line `PROGRAM DIRECTORY` the child opens the ledger and says `ready`, with the kernel's
number of each of its threads; on the next line it does its work, and says what it was answered:

    answer {"source": ..., "id": ..., "index": 17, "receipt": "..."}
    error storage  ledger.db: disk I/O error ...
    done

and the first process says `ended STATUS`.  The thread that works says nothing itself: what is
injected into its calls strikes the ledger, never these words.

Three programs are driven: `append` takes a blob and a batch, twice; `export` publishes what is
recorded, and `export-border` does where that completes tiles; `backup` takes a second backup.
`replay` does the first two in one life, from opening to closing, and `birth` makes a ledger before
it records.  A further one is one more row in PROGRAMS.
"""

import ctypes
import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Final

from counterfoil.app.backing_up import back_up
from counterfoil.app.founding import create_home
from counterfoil.app.home import open_home
from counterfoil.app.record import LOCAL, Recorder
from counterfoil.clock import SystemClock
from counterfoil.errors import CounterfoilError
from counterfoil.events.event import Event
from counterfoil.ids import SystemRandomness
from counterfoil.ledger.append import Ledger
from tests.faults.planted import PLANTED
from tests.ledgers import PROJECT, make_sample, open_ledger

BATCHES: Final = ((250, 259), (259, 262), (262, 265))
SEED: Final = "driven"
_PR_SET_PTRACER: Final = 0x59616D61
BIRTH: Final = "birth"

Say = Callable[[str], None]


def batch(recorder: Recorder, first: int, end: int) -> list[Event]:
    """Return the events of one batch, after its blob is kept."""
    blobs = [recorder.put_blob(b"log of %d\n" % first, "log.txt", "text/plain")]
    return [make_sample(first, blobs), *(make_sample(number) for number in range(first + 1, end))]


def backups_of(directory: Path) -> Path:
    """Return where the backups of a driven ledger go."""
    return directory.with_name(f"{directory.name}.backups")


def _append(_directory: Path, _ledger: Ledger, recorder: Recorder, say: Say) -> None:
    """Take a blob, and events in a batch, the first of which names it; twice."""
    for first, end in BATCHES[:2]:
        _record(recorder, first, end, say)


def _record(recorder: Recorder, first: int, end: int, say: Say) -> None:
    events = batch(recorder, first, end)
    for event, answer in zip(events, recorder.record(PROJECT, events, LOCAL, "cli"), strict=True):
        say(
            "answer "
            + json.dumps(
                {
                    "source": event.source,
                    "id": event.id,
                    "index": answer.index,
                    "receipt": answer.receipt.decode(),
                }
            )
        )


def _export(_directory: Path, ledger: Ledger, _recorder: Recorder, _say: Say) -> None:
    """Publish what is recorded."""
    ledger.export_now()


def _more(_directory: Path, ledger: Ledger, recorder: Recorder, say: Say) -> None:
    """Publish, record one batch more, and leave it to the end to publish that."""
    ledger.export_now()
    _record(recorder, *BATCHES[-1], say)


def _nothing(_directory: Path, _ledger: Ledger, _recorder: Recorder, _say: Say) -> None:
    """Be ready at once."""


def _back_up(directory: Path, _ledger: Ledger, _recorder: Recorder, _say: Say) -> None:
    """Take a backup, beside the ledger that is open."""
    back_up(directory, backups_of(directory), SystemClock())


Step = Callable[[Path, Ledger, Recorder, Say], None]
PROGRAMS: Final[dict[str, tuple[Step, Step]]] = {
    # What is done before `ready`, where nothing is injected yet, and what after it.
    "append": (_nothing, _append),
    "export": (_append, _export),
    "export-border": (_append, _export),
    "replay": (_append, _more),
    "backup": (_back_up, _back_up),
}


def _be_born(directory: Path) -> None:
    """Make a ledger as `counterfoil init` does, open it as a server does, and record."""
    create_home(directory, SystemRandomness())
    with open_home(directory, SystemClock(), SystemRandomness()) as home:
        _append(directory, home.ledger, home.recorder, _say)


def _run(program: str, directory: Path, words: IO[bytes]) -> None:
    """Be the child: open, wait, work, close."""
    said: SimpleQueue[str] = SimpleQueue()
    prepare, work = PROGRAMS[program]
    try:
        with open_ledger(directory, SEED) as (ledger, recorder):
            prepare(directory, ledger, recorder, _say)
            go = threading.Event()
            worker = threading.Thread(
                target=_work,
                args=(work, directory, ledger, recorder, go, said),
                name="driven",
                daemon=True,
            )
            worker.start()
            threads = {one.name: one.native_id for one in threading.enumerate()}
            _say("ready " + json.dumps(threads))
            words.readline()
            go.set()
            while line := said.get():
                _say(line)
    except CounterfoilError as error:
        _say(f"error {error.code} {error.message}")


def _work(
    work: Step, directory: Path, ledger: Ledger, recorder: Recorder,
    go: threading.Event, said: "SimpleQueue[str]",
) -> None:  # fmt: skip
    go.wait()
    try:
        work(directory, ledger, recorder, said.put)
        said.put("done")
    except CounterfoilError as error:
        said.put(f"error {error.code} {error.message}")
    except Exception as error:  # noqa: BLE001  whatever it was, the test has to hear of it
        said.put(f"unnamed {type(error).__name__}: {error}")
    said.put("")


def _say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def _let_be_traced() -> None:
    """Let a process that did not start us trace us, where only parents may (Yama)."""
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)


def main(arguments: Sequence[str] = sys.argv[1:]) -> None:
    """Take lines until there are no more; with arguments, do one run, with what is planted in it."""
    words = open(0, "rb", buffering=0)  # noqa: SIM115  it stays open until the end
    if arguments:
        program, directory, *planted = arguments
        for name in planted:
            PLANTED[name]()
        if program == BIRTH:
            _be_born(Path(directory))
        else:
            _run(program, Path(directory), words)
        return
    while line := words.readline():
        told = line.decode().split()
        if len(told) != 2:
            continue  # what is left of a word for a run that was killed before it heard all of it
        program, directory = told
        child = os.fork()
        if not child:
            _let_be_traced()
            _run(program, Path(directory), words)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        _say(f"ended {status}")


if __name__ == "__main__":
    main()
