"""A ledger that has one of everything, and ways to damage one thing of it."""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from counterfoil.app.founding import create_home
from counterfoil.app.fsck import fsck
from counterfoil.app.fsck_report import FsckReport
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.events.naming import BlobName
from counterfoil.ids import SeededRandomness
from counterfoil.stores.state import State
from counterfoil.tlog.cosignature import cosign
from counterfoil.tlog.keys import COSIGNATURE, SignerKey
from counterfoil.tlog.note_text import parse_note
from counterfoil.verifier.report import Finding
from tests.ledgers import make_sample

EVENTS = 300
"""In the log `default`: more than one bundle."""
OTHERS = 20
"""In the log `other`."""
WITNESS = SignerKey.from_seed("witness.example/w", bytes(range(32)), COSIGNATURE)


def build(directory: Path) -> None:
    """Make a ledger of two projects, `_access` and `_aggregate`, followed, exported and cosigned."""
    create_home(directory, SeededRandomness("create"), origin="log.example/acme")
    create_home(
        directory, SeededRandomness("other"), project="other", origin="log.example/other"
    )  # fmt: skip
    with open_home(directory, SteppedClock(), SeededRandomness("open")) as home:
        record(home, "default", EVENTS // 2)
        write_aggregate(home)
        record(home, "default", EVENTS, first=EVENTS // 2)
        record(home, "other", OTHERS)
        home.access.enact(
            [home.access.event("actor.described", LOCAL, subject="actor:counterfoil:ana",
                               data={"kind": "person", "name": "Ana"})], LOCAL, "cli",
        )  # fmt: skip
        for project in ("default", "other", "_access"):
            home.follower.catch_up(project)
    add_cosignature(directory)


def record(home: Home, project: str, end: int, *, first: int = 0) -> None:
    """Record samples, every fifth with a blob."""
    events = []
    for number in range(first, end):
        blobs: list[BlobName] = []
        if number % 50 == 0:
            content = f"{project} line {number}\n".encode() * 9
            blobs = [home.recorder.put_blob(content, "log.txt", "text/plain", project)]
        events.append(make_sample(number, blobs))
    home.recorder.record(project, events, LOCAL, "cli")


def write_aggregate(home: Home) -> None:
    """Have the checkpoints of now on record."""
    aggregate = home.outside.aggregate
    assert aggregate is not None
    aggregate.write(home.outside._sources)


def add_cosignature(directory: Path) -> None:
    """Let the witness cosign what is published of `default`; keep it as the server does."""
    path = directory / "public" / "default" / "checkpoint"
    note = path.read_bytes()
    note += cosign(WITNESS, parse_note(note).text, 1_800_000_000)
    path.chmod(0o600)
    path.write_bytes(note)
    path.chmod(0o444)
    state = State(directory / "state.db")
    state.put_cosigned("default", {EVENTS: note})
    state.close()
    settings = directory / "counterfoil.toml"
    witness = f'[[witness]]\nname = "w"\nvkey = "{WITNESS.vkey}"\nurl = "http://127.0.0.1:9"\n'
    settings.write_text(settings.read_text() + witness)


def checked(directory: Path) -> FsckReport:
    """Check everything."""
    return fsck(directory, full=True)


@dataclass(frozen=True)
class Said:
    """What a finding said, in the words of the report."""

    stage: str
    klass: str
    object: str
    log: str
    span: tuple[int, int] | None


def said(report: FsckReport) -> list[Said]:
    """Return the findings of a report as its JSON has them."""
    found = report.to_json()["findings"]
    assert isinstance(found, list)
    return [_said(one) for one in found if isinstance(one, dict)]


def _said(one: Mapping[str, object]) -> Said:
    first, last = one["first"], one["last"]
    span = (first, last) if isinstance(first, int) and isinstance(last, int) else None
    log = one["log"]
    return Said(
        str(one["stage"]), str(one["class"]), str(one["object"]), log if isinstance(log, str) else "",
        span,
    )  # fmt: skip


def sql(name: str, statement: str, *values: object) -> Callable[[Path], None]:
    """Return a damage: one statement on a database, which changes at least one row.

    In it, `flipped(cell)` is the cell with one bit changed.
    """

    def damage(directory: Path) -> None:
        db = sqlite3.connect(directory / name)
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.create_function("flipped", 1, lambda cell: bytes([cell[0] ^ 1]) + cell[1:])
        assert db.execute(statement, values).rowcount != 0
        db.commit()
        db.close()

    return damage


def flip(name: str, at: int = 5) -> Callable[[Path], None]:
    """Return a damage: one byte of a file is another."""

    def damage(directory: Path) -> None:
        path = directory / name
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.chmod(0o600)
        path.write_bytes(data)

    return damage


def put(name: str, content: bytes) -> Callable[[Path], None]:
    """Return a damage: a file of this content stands there."""

    def damage(directory: Path) -> None:
        path = directory / name
        if path.exists():
            path.chmod(0o600)
        path.write_bytes(content)

    return damage


def remove(name: str) -> Callable[[Path], None]:
    """Return a damage: a file is gone."""

    def damage(directory: Path) -> None:
        (directory / name).unlink()

    return damage


def a_copy(pristine: Path, target: Path) -> Path:
    """Return a copy of a ledger."""
    return Path(shutil.copytree(pristine, target))


def files(directory: Path) -> dict[str, bytes]:
    """Return the bytes of every file, but for what a lock leaves behind."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def finding(klass: str, name: str) -> Finding:
    """Return a finding of that name."""
    return Finding(klass, name, 0, 0, "off")  # type: ignore[arg-type]
