"""The server's side of spools: what lies in DIR/spool is taken in while it serves."""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.home import Home, open_home
from counterfoil.client.spool import SpoolWriter
from counterfoil.clock import SteppedClock, SystemClock
from counterfoil.events.entry import Entry, read_entry
from counterfoil.ids import SeededRandomness
from counterfoil.tlog.note import parse_vkey
from tests.check_log import check_log
from tests.web_server import event


def writer(home: Home, boot: str = "b1", **header: Any) -> SpoolWriter:
    words = {"producer": "ci-7", "project": "default", "via": "pytest", **header}
    return SpoolWriter(home.directory / "spool", boot=boot, clock=SystemClock(), **words)


def spool(home: Home, *events: object, boot: str = "b1", **header: Any) -> Path:
    """Write one spool of whole events."""
    written = writer(home, boot, **header)
    for one in events:
        written.append(one if isinstance(one, bytes) else json.dumps(one).encode())
    written.close()
    return written.path


def entries(home: Home) -> list[Entry]:
    return [read_entry(one) for one in home.log.entries("default", 0, 10_000)]


def wait_for(truth: Callable[[], object], what: str) -> None:
    give_up = time.monotonic() + 20
    while not truth():
        assert time.monotonic() < give_up, what
        time.sleep(0.02)


def test_a_spool_is_taken_in_while_the_ledger_is_open(home: Home) -> None:
    """Nobody calls anything: the housekeeping looks every second."""
    sent = [event(time="2026-11-20T09:00:00.000Z"), event()]
    path = spool(home, *sent)
    wait_for(lambda: not path.exists(), "it is not taken in")

    found = entries(home)
    assert [(one.id, one.via, one.recordedby) for one in found] == [
        (one["id"], "pytest", "local") for one in sent
    ]
    assert found[0].time == "2026-11-20T09:00:00.000Z"
    assert found[0].recordedtime == "2026-11-20T14:03:22.000Z"


def test_events_of_a_living_writer_are_entries_while_it_writes(home: Home) -> None:
    written = writer(home)
    written.append(json.dumps(event()).encode())
    wait_for(lambda: len(entries(home)) == 1, "the first is not taken in")
    assert written.path.exists()
    written.append(json.dumps(event()).encode())
    wait_for(lambda: len(entries(home)) == 2, "the second is not taken in")
    written.close()
    wait_for(lambda: not written.path.exists(), "the spool stays")


def test_what_was_spooled_while_nobody_served_is_taken_in_after_the_start(
    directory: Path, clock: SteppedClock
) -> None:
    with open_home(directory, clock, SeededRandomness("first")) as home:
        home.spool.look()
    path = spool(home, *(event() for _ in range(30)))
    with open_home(directory, clock, SeededRandomness("again")) as home:
        wait_for(lambda: not path.exists(), "it is not taken in")
        assert len(entries(home)) == 30
        key = (directory / "keys" / "default.vkey").read_text("ascii").strip()
        check_log(directory, parse_vkey(key))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00" * 10_000, id="zeros"),
        pytest.param(os.urandom(100_000), id="noise"),
        pytest.param(b"{" * 10_000 + b"\n", id="deep"),
        pytest.param(b'{"counterfoil-spool": 2}\n', id="another version"),
        pytest.param(b'{"counterfoil-spool": 1}\n', id="a header without members"),
        pytest.param(b"[]\n", id="no object"),
        pytest.param(b'"counterfoil-spool"\n', id="text"),
        pytest.param(b'{"counterfoil-spool": 1, "producer": {}}\n', id="members of other types"),
    ],
)
def test_a_file_that_is_no_spool_is_named_once_and_stops_nobody(
    home: Home, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    bad = home.directory / "spool" / "aaa.spool"
    with caplog.at_level(logging.WARNING):
        bad.write_bytes(content)
        good = spool(home, event())
        wait_for(lambda: not good.exists(), "the good one is not taken in")
        wait_for(lambda: home.spool.left_alone == ("aaa.spool",), "it is not named")
        home.spool.look()
        home.spool.look()

    assert bad.read_bytes() == content
    assert sum("aaa.spool is left alone" in line for line in caplog.messages) == 1


def test_spools_of_another_log_project_or_maker_are_left_alone(home: Home) -> None:
    spool(home, event(), boot="a1", origin="log.example/another")
    spool(home, event(), boot="a2", project="nobody")
    spool(home, event(), boot="a3", via="server")
    mine = spool(home, event(), boot="a4", origin="log.example/acme")
    wait_for(lambda: not mine.exists(), "mine is not taken in")
    wait_for(lambda: len(home.spool.left_alone) == 3, "the others are not named")

    assert len(entries(home)) == 1


def test_a_bad_spool_is_looked_at_again_when_it_changes(home: Home) -> None:
    path = home.directory / "spool" / "ci-7-b1.spool"
    path.write_bytes(b"half")
    wait_for(lambda: home.spool.left_alone, "it is not named")
    path.unlink()
    spool(home, event())
    wait_for(lambda: len(entries(home)) == 1, "it is not looked at again")
    wait_for(lambda: not home.spool.left_alone, "it is still called bad")


def test_lines_with_a_good_hash_that_no_producer_writes_harm_nobody(home: Home) -> None:
    """Whoever may write the file can give any line a good hash."""
    odd = [
        b'{"mark":"gap"}', b'{"mark":"gap","count":"x","reason":1}', b'{"mark":[', b'"mark":',
        b"[1,2]", b"7", b"\xff\xfe", b'{"mark":"other"}',
    ]  # fmt: skip
    for number, line in enumerate(odd):
        spool(home, line, boot=f"a{number}")
    good = spool(home, event(), boot="z")
    wait_for(lambda: not good.exists(), "the good one is not taken in")
    assert len(entries(home)) == 1


def test_a_refused_record_is_kept_and_the_rest_is_recorded(home: Home) -> None:
    sent = [event(), {**event(), "recordedby": "me"}, event()]
    path = spool(home, *sent)
    wait_for(lambda: not path.exists(), "it is not taken in")

    assert [one.id for one in entries(home)] == [sent[0]["id"], sent[2]["id"]]
    [kept] = (home.directory / "spool" / "refused").iterdir()
    assert json.loads(kept.read_text())["problem"]["code"] == "server_attribute"


def test_a_step_whose_process_is_killed_is_lost_on_its_page(home: Home, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "counterfoil", "run", "--dir", str(home.directory), "--step",
             "long", "--", "sleep", "60"]  # fmt: skip
    started = subprocess.Popen(words, cwd=tmp_path, start_new_session=True)
    wait_for(lambda: entries(home), "its beginning is not recorded while it runs")
    [begun] = entries(home)
    os.killpg(started.pid, 9)
    started.wait()
    wait_for(lambda: len(entries(home)) == 2, "its loss is not recorded")
    home.follower.catch_up("default")
    row = home.reader.run("default", str(begun.subject), None)

    assert row is not None
    assert (row.name, row.state, row.reason) == ("long", "lost", "lost")
