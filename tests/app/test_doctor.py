"""`admin doctor` names what is off with a machine or a ledger, and changes nothing."""

import datetime
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from counterfoil.app.config import Config
from counterfoil.app.doctor import doctor
from counterfoil.app.doctor_case import Case, Serving
from counterfoil.app.doctor_machine import judge_mount, judge_room, judge_syncs
from counterfoil.app.doctor_report import Line
from counterfoil.app.doctor_server import certificate
from counterfoil.app.founding import create_home
from counterfoil.app.home import open_home
from counterfoil.clock import SteppedClock, format_time
from counterfoil.ids import SystemRandomness
from counterfoil.stores.mounts import Mount
from counterfoil.stores.state import State
from counterfoil.stores.state_scrub import Damage, Progress
from counterfoil.tlog.cosignature import cosign
from counterfoil.tlog.note import SignerKey
from counterfoil.tlog.note_text import parse_note
from tests.app.witnessed import odd_witness, record
from tests.fscking import WITNESS
from tests.issuer import Issuer, issuing, make_tls

NOW = "2026-11-22T12:00:00.000Z"
DAY_S = 86_400.0
GIB = 1 << 30
OTHER = SignerKey.from_seed("log.example/shop", b"\x05" * 32)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with a few entries, recorded an hour ago, and nothing off."""
    directory = tmp_path_factory.mktemp("healthy") / "ledger"
    create_home(directory, SystemRandomness(), origin="log.example/shop")
    with open_home(directory, at(-3_600), SystemRandomness()) as home:
        record(home, 1, 2, 3)
    return directory


@pytest.fixture
def ledger(healthy: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(healthy, tmp_path / "ledger")


def at(seconds: float) -> SteppedClock:
    """Return a clock that stands so far from now."""
    clock = SteppedClock(NOW)
    clock.step(seconds)
    return clock


def moment(seconds: float) -> str:
    return format_time(at(seconds).now())


def said(ledger: Path, check: str, clock: SteppedClock | None = None) -> dict[str, list[str]]:
    """Return what doctor says of one thing, by its grade."""
    found: dict[str, list[str]] = {"ok": [], "warn": [], "fail": []}
    for line in doctor(ledger, clock or at(0)).lines:
        if line.check == check:
            found[line.grade].append(line.text())
    return found


def everything_in(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Return mode, time and digest of every file."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in (folder, *sorted(folder.rglob("*")))
    }


def test_a_healthy_ledger_has_nothing_to_mend_and_is_not_touched(ledger: Path) -> None:
    before = everything_in(ledger)

    found = doctor(ledger, at(0))

    assert found.ok, found.text()
    assert {line.check for line in found.lines} >= {
        *(
            "clock",
            "disk",
            "mount",
            "sync",
            "files",
            "modes",
            "versions",
            "server",
            "limits",
            "keys",
        ),
        *("witnesses", "time stamps", "backups", "re-reading", "spool"),
    }
    assert all(line.todo for line in found.lines if line.grade != "ok")
    assert everything_in(ledger) == before


def test_beside_a_server_it_sees_the_server_and_changes_nothing(ledger: Path) -> None:
    """Served here by this very process; the databases are open, and a lock is held."""
    with open_home(ledger, at(0), SystemRandomness()):
        listening = {
            "url": "http://127.0.0.1:9",
            "public_url": "http://localhost:9",
            "pid": os.getpid(),
        }
        (ledger / "server.json").write_text(json.dumps(listening))
        names = set(everything_in(ledger))
        found = doctor(ledger, at(0))
        assert set(everything_in(ledger)) == names

    server = [line for line in found.lines if line.check == "server"]
    assert [(line.grade, "does not answer" in line.what) for line in server] == [("fail", True)]
    assert any("the server may open" in line.what for line in found.lines if line.check == "limits")
    assert [line for line in found.lines if line.check == "keys" and line.grade == "ok"]


def put_a_key_in_place_of_another(ledger: Path) -> None:
    (ledger / "keys" / "default.key").write_text(f"{OTHER.to_text()}\n")


def put_a_link_in_place_of_blobs(ledger: Path) -> None:
    (ledger / "blobs").rename(ledger / "elsewhere")
    (ledger / "blobs").symlink_to(ledger / "elsewhere")


def cut_the_ledger(ledger: Path) -> None:
    with (ledger / "ledger.db").open("r+b") as file:
        file.truncate(20_000)


def spoil_cells(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger / "state.db")) as db, db:
        db.execute("INSERT INTO milestones VALUES ('backed_up', 'default', x'00', '2026')")


def lengthen(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger / "ledger.db")) as db, db:
        db.execute("UPDATE heads SET size = 1 << 61 WHERE project = 'default'")


def leave_in_the_spool(ledger: Path) -> None:
    file = ledger / "spool" / "one.spool"
    file.write_text("")
    long_ago = at(-3_600).now().timestamp()
    os.utime(file, (long_ago, long_ago))


def refuse_a_record(ledger: Path) -> None:
    (ledger / "spool" / "refused").mkdir()
    (ledger / "spool" / "refused" / "one-0.json").write_text("{}")


def settle(text: str) -> Callable[[Path], object]:
    return lambda ledger: (ledger / "counterfoil.toml").write_text(text)


def state(change: Callable[[State], None]) -> Callable[[Path], None]:
    def apply(ledger: Path) -> None:
        opened = State(ledger / "state.db")
        change(opened)
        opened.close()

    return apply


def backed_up(size: int, days: float) -> Callable[[Path], None]:
    return state(
        lambda one: one.milestones.note("backed_up", "default", size, moment(-days * DAY_S))
    )


def drilled(days: float) -> Callable[[Path], None]:
    return state(lambda one: one.milestones.note("drilled", "default", 3, moment(-days * DAY_S)))


def read_through(days: float) -> Callable[[Path], None]:
    ended = moment(-days * DAY_S)
    return state(lambda one: one.scrub.put_progress({"default": Progress(0, ended, ended)}))


DAMAGE = Damage("default/entries/0", "default", "damaged", "ledger.db", 0, 2, "a leaf is off", NOW)

OFF: dict[str, tuple[Callable[[Path], object], str, str, str]] = {
    "a secret that others may read": (
        lambda at: (at / "erasable.db").chmod(0o644), "modes", "fail", "chmod 600"),
    "a link inside": (
        put_a_link_in_place_of_blobs,
        "modes", "fail", "is a link"),
    "a ledger without its entries": (
        lambda at: (at / "ledger.db").unlink(), "files", "fail", "restore it: docs/how-to/backup.md"),
    "a ledger without what may be erased": (
        lambda at: (at / "erasable.db").unlink(), "files", "fail", "erasable.db is not there"),
    "a ledger without its blobs": (
        lambda at: shutil.rmtree(at / "blobs"), "files", "fail", "blobs/ is not there"),
    "a ledger that publishes nothing": (
        lambda at: shutil.rmtree(at / "public"), "files", "fail", "fsck --repair"),
    "a signing key that is gone": (
        lambda at: (at / "keys" / "default.key").unlink(), "keys", "fail", "no signing key"),
    "another key in its place": (
        put_a_key_in_place_of_another, "keys", "fail", "not the key of keys/default.vkey"),
    "a key source without the key": (
        settle('[keys.source.default]\nenv = "NOWHERE_TO_BE_FOUND"\n'), "keys", "warn", "gives nothing"),
    "a key source with another key": (
        settle(f'[keys.source.default]\ncommand = ["echo", "{OTHER.to_text()}"]\n'),
        "keys", "fail", "the key source of log default"),
    "a ledger that is cut off": (cut_the_ledger, "ledger.db", "fail", "run counterfoil verify"),
    "settings that cannot be read": (settle("[log\n"), "settings", "fail", "counterfoil.toml"),
    "cells of another kind than ours": (
        spoil_cells, "backups", "fail", "cannot be looked at"),
    "a log longer than its entries": (
        lengthen, "ledger.db", "fail", "run counterfoil verify"),
    "no witness": (settle(""), "witnesses", "warn", "none"),
    "an authority that stamped nothing": (
        settle('[timestamp]\nurl = "http://tsa.example"\n'), "time stamps", "warn", "nothing yet"),
    "no backup ever": (settle(""), "backups", "warn", "no backup was ever taken of"),
    "a backup of two days ago, before the last entry": (
        backed_up(2, 2), "backups", "warn", "default up to 2 of 3, 48 h ago"),
    "a backup of last week": (backed_up(2, 8), "backups", "fail", "default up to 2 of 3"),
    "a backup of everything, however old": (backed_up(3, 8), "backups", "ok", "up to 3 of 3"),
    "no drill ever": (backed_up(3, 1), "backups", "warn", "ever restored"),
    "a drill of long ago": (drilled(41), "backups", "warn", "41 days ago"),
    "a drill of this month": (drilled(20), "backups", "ok", "20 days ago"),
    "damage the scrubber found": (
        state(lambda one: one.scrub.put_damage(DAMAGE)), "re-reading", "fail", "a leaf is off"),
    "a scrubber that is turned off": (
        settle("[scrub]\nshare_percent = 0\n"), "re-reading", "warn", "turn it off"),
    "a pass that ended long ago": (read_through(31), "re-reading", "warn", "31 days ago"),
    "a pass that ended lately": (read_through(2), "re-reading", "ok", "48 h ago"),
    "a pass that was made by fsck": (
        state(lambda one: one.milestones.note("verified", "default", 3, moment(-DAY_S))),
        "re-reading", "ok", "24 h ago"),
    "a spool that nobody takes in": (leave_in_the_spool, "spool", "warn", "for 60 minutes"),
    "a record that was refused": (refuse_a_record, "spool", "warn", "1 refused"),
    "a server that was killed": (
        lambda at: (at / "server.json").write_text(
            '{"url": "http://127.0.0.1:9", "public_url": "http://localhost:9", "pid": 4194305}'),
        "server", "warn", "has gone"),
}  # fmt: skip


@pytest.mark.parametrize(("breaks", "check", "grade", "words"), OFF.values(), ids=OFF.keys())
def test_what_is_off_is_named_with_what_to_do(
    breaks: Callable[[Path], object], check: str, grade: str, words: str, ledger: Path
) -> None:
    breaks(ledger)

    found = said(ledger, check)[grade]

    assert any(words in line for line in found), found


CLOCKS = {
    "a clock that cannot be right": ("2099-01-01T00:00:00.000Z", "clock says 2099-01-01"),
    "a clock behind the last entry": ("2026-11-22T10:00:00.000Z", "behind the last entry"),
    "a clock a year ahead of it": ("2028-01-01T00:00:00.000Z", "is it right?"),
}


@pytest.mark.parametrize(("now", "words"), CLOCKS.values(), ids=CLOCKS.keys())
def test_a_clock_that_is_off_is_to_be_mended(now: str, words: str, ledger: Path) -> None:
    found = said(ledger, "clock", SteppedClock(now))["fail"]

    assert any(words in line for line in found), found


def test_a_clock_that_is_set_while_it_looks_is_told(ledger: Path) -> None:
    class Jumping(SteppedClock):
        def now(self) -> datetime.datetime:
            self.step(-30)
            return super().now()

    found = doctor(ledger, Jumping(NOW)).lines

    assert any(line.check == "clock" and "it was set by -30" in line.what for line in found)


def test_a_witness_is_told_with_how_far_it_cosigned(ledger: Path) -> None:
    """Somebody outside holds us to our past only as far as they have looked."""
    with odd_witness(lambda _: (404, {}, b"")) as witness:
        settings = f'[[witness]]\nname = "audit"\nvkey = "{WITNESS.vkey}"\nurl = "{witness.url}"\n'
        (ledger / "counterfoil.toml").write_text(settings)
        before = said(ledger, "witnesses")
        note = (ledger / "public" / "default" / "checkpoint").read_bytes()
        at_s = int(at(-3 * 3_600).now().timestamp())
        note += cosign(WITNESS, parse_note(note).text, at_s)
        state(lambda one: one.put_cosigned("default", {3: note}))(ledger)
        after = said(ledger, "witnesses")

    assert any("audit answers" in line for line in before["ok"])
    assert any("audit has cosigned nothing of default" in line for line in before["warn"])
    assert any("audit: default up to 3 of 3, 2026-11-22T09:00" in line for line in after["ok"])


def test_a_witness_that_does_not_answer_is_told(ledger: Path) -> None:
    settings = f'[[witness]]\nname = "audit"\nvkey = "{WITNESS.vkey}"\nurl = "http://127.0.0.1:9"\n'
    (ledger / "counterfoil.toml").write_text(settings)

    assert any("audit does not answer" in line for line in said(ledger, "witnesses")["warn"])


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server whose certificate ends with the year 2125."""
    tls, _ = make_tls(tmp_path_factory.mktemp("tls"))
    with issuing(Issuer(tls=tls)) as issuer:
        yield issuer.url


ENDS = {
    "far off": ("2100-01-01T00:00:00.000Z", "ok"),
    "in two weeks": ("2125-12-18T00:00:00.000Z", "warn"),
    "tomorrow": ("2125-12-31T00:00:00.000Z", "fail"),
    "over": ("2127-01-01T00:00:00.000Z", "fail"),
}


@pytest.mark.parametrize(("now", "grade"), ENDS.values(), ids=ENDS.keys())
def test_the_end_of_a_certificate_is_read_off_what_is_shown(
    now: str, grade: str, https: str, tmp_path: Path
) -> None:
    """Whoever shows it, this server or a proxy, and whoever vouches for it."""
    case = Case(tmp_path, Config(), SteppedClock(now).now(), [], Serving(https, https, os.getpid()))

    ends, trusted = certificate(case)

    assert (ends.grade, "2126-01-01" in ends.what) == (grade, True)
    assert (trusted.grade, "does not trust" in trusted.what) == ("warn", True)


JUDGED: dict[str, tuple[Line, str, str]] = {
    "room for years": (judge_room(60 * GIB, 100 * GIB, 4_000), "ok", "60.0 GiB free (60%)"),
    "room for three weeks": (judge_room(60 * GIB, 100 * GIB, 21), "warn", "60.0 GiB"),
    "room for three days": (judge_room(60 * GIB, 100 * GIB, 3), "fail", "60.0 GiB"),
    "a disk that is nearly full": (judge_room(4 * GIB, 100 * GIB, 4_000), "warn", "(4%)"),
    "less than a GiB": (judge_room(GIB // 2, 1 * GIB, 4_000), "fail", "0.5 GiB"),
    "a disk that keeps in 2 ms": (judge_syncs([0.002, 0.002, 0.009]), "ok", "2.00 ms"),
    "a disk that keeps nothing": (judge_syncs([4e-6] * 3), "warn", "too fast"),
    "a disk that is slow": (judge_syncs([0.05] * 3), "warn", "20 commits a second"),
    "a real file system": (judge_mount(Mount("/srv", "ext4")), "ok", "ext4"),
    "memory": (judge_mount(Mount("/run", "tmpfs")), "fail", "tmpfs"),
    "a container's own layer": (judge_mount(Mount("/", "overlay")), "fail", "overlay"),
    "nothing known": (judge_mount(None), "warn", "nothing says"),
}


@pytest.mark.parametrize(("line", "grade", "words"), JUDGED.values(), ids=JUDGED.keys())
def test_a_machine_is_judged_by_what_it_measures(line: Line, grade: str, words: str) -> None:
    assert (line.grade, words in line.what) == (grade, True)
