"""`push`: what spools hold arrives once, whoever was away, and what is refused is kept."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from counterfoil.client.push import waiting
from counterfoil.client.spool import SpoolWriter
from counterfoil.clock import SystemClock
from counterfoil.events.entry import Entry, read_entry
from tests.cli.conftest import Foil, Result
from tests.one_answer import NO_ANSWERS, answering
from tests.web_server import Running, event, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "foil") as served:
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "spool"


def write(
    folder: Path, events: Sequence[Any], *, boot: str = "b1", end: bool = True, **header: Any
) -> Path:
    """Spool events; an item that is bytes is spooled as it is."""
    words = {"producer": "ci-7", "project": "default", "via": "cli", **header}
    writer = SpoolWriter(folder, boot=boot, clock=SystemClock(), **words)
    for one in events:
        payload = one if isinstance(one, bytes) else json.dumps(one, sort_keys=True).encode()
        writer.append(payload)
    writer.close(end=end)
    return writer.path


def push(foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setenv("COUNTERFOIL_TOKEN", server.token)
    url = f"http://localhost:{server.port}"
    return foil("push", "--spool", folder, "--url", url, "--json")


def entries(server: Running) -> list[Entry]:
    return [read_entry(one) for one in server.home.log.entries("default", 0, 10_000)]


def test_what_a_spool_holds_is_recorded_in_order_and_the_spool_goes(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [event(seq=place, producer="ci-7", boot="b1") for place in range(5)]
    path = write(folder, sent)

    result = push(foil, server, folder, monkeypatch)

    assert (result.code, result.json()["recorded"], result.json()["waiting"]) == (0, 5, 0)
    assert [one.id for one in entries(server)] == [one["id"] for one in sent]
    assert not path.exists()
    assert list(folder.glob("*.sent")) == []


def test_events_keep_their_own_time_beside_the_time_of_recording(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrives late says so by itself: both times are public."""
    write(folder, [event(time="2026-11-20T09:00:00.000Z")])
    push(foil, server, folder, monkeypatch)

    [entry] = entries(server)
    assert entry.time == "2026-11-20T09:00:00.000Z"
    assert entry.recordedtime > entry.time


def test_a_spool_sent_twice_gives_duplicates_and_no_second_entry(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer was lost, or we died before it was noted: sending again is always right."""
    sent = [event(), event()]
    write(folder, sent)
    push(foil, server, folder, monkeypatch)
    write(folder, sent)

    result = push(foil, server, folder, monkeypatch)

    assert (result.code, result.json()["recorded"], result.json()["duplicate"]) == (0, 0, 2)
    assert server.size() == 2


def test_a_poison_record_is_taken_out_and_the_rest_is_sent(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [event(), event(), event()]
    poison = {**event(), "authid": None}
    write(folder, [good[0], poison, good[1], b'{"specversion": "1.0", broken', good[2]])

    result = push(foil, server, folder, monkeypatch)

    assert result.code == 3
    assert [one.id for one in entries(server)] == [one["id"] for one in good]
    refused = {path.name: json.loads(path.read_text()) for path in (folder / "refused").iterdir()}
    assert {name: one["problem"]["code"] for name, one in refused.items()} == {
        "ci-7-b1-1.json": "actor_missing", "ci-7-b1-3.json": "json_broken",
    }  # fmt: skip
    assert refused["ci-7-b1-1.json"]["event"] == poison
    assert refused["ci-7-b1-3.json"]["event"] == '{"specversion": "1.0", broken'
    assert list(folder.glob("*.spool")) == []
    assert {path.stat().st_mode & 0o777 for path in (folder / "refused").iterdir()} == {0o600}


def test_a_conflict_is_kept_with_the_entry_it_conflicts_with(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = event()
    assert server.call("POST", "/v1/events", first).status == 201
    write(folder, [event(), {**first, "data": {"outcome": "failure"}}])

    result = push(foil, server, folder, monkeypatch)

    assert (result.code, result.json()["recorded"]) == (3, 1)
    [path] = (folder / "refused").iterdir()
    problem = json.loads(path.read_text())["problem"]
    assert (problem["code"], problem["index"]) == ("id_conflict", 0)


def test_a_large_spool_goes_in_batches_the_server_takes(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,000 events and 4 MiB a request are its limits."""
    many = [event() for _ in range(1_500)]
    wide = [event(data={"text": "x" * 60_000}) for _ in range(80)]
    write(folder, many + wide)

    result = push(foil, server, folder, monkeypatch)

    assert (result.code, result.json()["recorded"]) == (0, 1_580)


def test_no_server_keeps_everything(foil: Foil, folder: Path) -> None:
    path = write(folder, [event(), event()])
    before = path.read_bytes()
    result = foil("push", "--spool", folder, "--url", "http://127.0.0.1:9", "--json")

    assert (result.code, result.json()["waiting"]) == (4, 2)
    assert result.json()["error"]["code"] == "unreachable"
    assert path.read_bytes() == before


def test_a_wrong_token_takes_nothing_out(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not the records that are wrong."""
    write(folder, [event(), event()])
    monkeypatch.setenv("COUNTERFOIL_TOKEN", "cf_wrong")
    url = f"http://localhost:{server.port}"
    result = foil("push", "--spool", folder, "--url", url, "--json")

    assert (result.code, result.json()["waiting"]) == (5, 2)
    assert [one["code"] for one in result.json()["stuck"].values()] == ["token_invalid"]
    assert not (folder / "refused").exists()


def test_spools_of_another_ledger_project_or_version_stay_and_stop_nobody(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, [event()], boot="a1", origin="log.example/another")
    write(folder, [event()], boot="a2", project="nobody")
    (folder / "odd-a3.spool").write_text('{"counterfoil-spool": 99}\n')
    (folder / "odd-a4.spool").write_bytes(os.urandom(5_000))
    (folder / "odd-a5.spool").write_bytes(b"")
    good = event()
    write(folder, [good], boot="b9")

    result = push(foil, server, folder, monkeypatch)

    assert result.code == 3
    assert {name: one["code"] for name, one in result.json()["stuck"].items()} == {
        "ci-7-a1.spool": "spool_foreign",
        "ci-7-a2.spool": "project_unknown",
        "odd-a3.spool": "spool_invalid",
        "odd-a4.spool": "spool_invalid",
        "odd-a5.spool": "spool_invalid",
    }
    assert [one.id for one in entries(server)] == [good["id"]]
    assert len(list(folder.glob("*.spool"))) == 5


def test_an_altered_line_is_named_and_what_stands_before_it_is_sent(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [event(), event(), event()]
    path = write(folder, sent)
    path.write_bytes(path.read_bytes().replace(sent[1]["id"].encode(), b"e?", 1))

    for count in (1, 0):
        result = push(foil, server, folder, monkeypatch)
        assert (result.code, result.json()["recorded"]) == (3, count)
        assert "not what was written" in result.json()["torn"][path.name]
    assert [one.id for one in entries(server)] == [sent[0]["id"]]
    assert path.exists()


def test_a_line_cut_off_by_a_crash_loses_only_itself(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder, [event(), event()], end=False)
    path.write_bytes(path.read_bytes()[:-9])

    result = push(foil, server, folder, monkeypatch)

    assert (result.code, result.json()["recorded"]) == (0, 1)
    assert not path.exists()


STARTED = {
    "type": "dev.cdevents.testsuiterun.started.0.3.0", "subject": "run:pytest/1", "boot": "b1",
    "producer": "ci-7",
}  # fmt: skip


def case(kind: str, number: int) -> dict[str, Any]:
    return event(
        type=f"dev.cdevents.testcaserun.{kind}.0.3.0",
        subject=f"test:t{number}",
        data={"refs": [{"ref": "run:pytest/1", "role": "part-of"}]},
    )


def test_a_run_whose_process_died_is_said_to_be_lost_once(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [
        event(**STARTED),
        event(
            type="dev.cdeventsx.counterfoil-run.planned.0.1.0", subject="run:pytest/1",
            data={"planned": 9},
        ),
        case("started", 1), case("finished", 1), case("started", 2),
    ]  # fmt: skip
    write(folder, sent, end=False)

    first = push(foil, server, folder, monkeypatch)
    write(folder, sent, end=False)
    again = push(foil, server, folder, monkeypatch)

    assert (first.json()["recorded"], first.json()["lost_runs"]) == (6, 1)
    assert (again.json()["recorded"], again.json()["duplicate"]) == (0, 6)
    server.home.follower.catch_up("default")
    row = server.home.reader.run("default", "run:pytest/1", None)
    assert row is not None
    assert (row.state, row.reason) == ("lost", "lost after test 1 of 9; the last to begin was t2")


def test_a_run_that_ended_is_not_lost(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after its last event, before the end mark: nothing is missing."""
    finished = event(**{**STARTED, "type": "dev.cdevents.testsuiterun.finished.0.3.0"})
    write(folder, [event(**STARTED), finished], end=False)

    assert push(foil, server, folder, monkeypatch).json()["lost_runs"] == 0


def test_the_spool_of_a_living_writer_is_sent_and_stays(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = SpoolWriter(
        folder, producer="ci-7", boot="b1", project="default", via="cli", clock=SystemClock()
    )
    writer.append(json.dumps(event(**STARTED)).encode())
    first = push(foil, server, folder, monkeypatch).json()
    writer.append(json.dumps(event()).encode())
    writer.close()
    second = push(foil, server, folder, monkeypatch).json()

    assert (first["recorded"], first["lost_runs"]) == (1, 0)
    assert (second["recorded"], second["duplicate"]) == (1, 0), "only what is left is sent"
    assert not writer.path.exists()


def test_an_empty_or_absent_spool_is_nothing_to_send(
    foil: Foil, server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".counterfoil").mkdir()
    url = f"http://localhost:{server.port}"
    result = foil("push", "--url", url)

    assert result.code == 0
    assert "nothing to send" in result.out
    assert foil("push", "--spool", tmp_path / "nowhere", "--url", url).code == 2
    assert foil("push").code == 2


def test_push_into_a_directory_nobody_serves(foil: Foil, ledger: Path) -> None:
    write(ledger / "spool", [event(), event()], via="pytest")
    result = foil("push", "--dir", ledger)

    assert result.code == 0
    assert "2 recorded" in result.out
    assert foil("verify", ledger).code == 0
    assert foil("push", "--dir", ledger / "nowhere").code == 2


def test_record_with_the_lock_held_and_nobody_answering_leaves_it_in_the_spool(
    foil: Foil, ledger: Path
) -> None:
    import fcntl

    with (ledger / "lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = foil("record", "approval.requested", "--ref", "release:shop@1", "--dir", ledger)
        pushed = foil("push", "--dir", ledger)
    assert (result.code, pushed.code) == (4, 4)
    assert str(ledger / "spool") in result.err
    assert result.err.count("\n") == 1
    assert waiting(ledger / "spool") == 1

    assert foil("push", "--dir", ledger, "--json").json()["recorded"] == 1
    assert "release:shop@1" in foil("trace", "release:shop@1", "--dir", ledger).out


def test_two_who_push_at_once_send_everything_once(server: Running, folder: Path) -> None:
    for boot in range(20):
        write(folder, [event() for _ in range(20)], boot=f"b{boot}")
    words = [sys.executable, "-m", "counterfoil", "push", "--spool", str(folder), "--json",
             "--url", f"http://localhost:{server.port}"]  # fmt: skip
    environment = {**os.environ, "COUNTERFOIL_TOKEN": server.token}
    both = [
        subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    results = [json.loads(one.communicate(timeout=60)[0]) for one in both]

    assert sum(one["recorded"] for one in results) == 400
    assert sum(one["duplicate"] for one in results) == 0
    assert server.size() == 400


def test_killed_in_the_middle_push_goes_on_where_it_was(
    foil: Foil, server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, nothing is twice in the log, whatever moment it dies at."""
    sent = [event() for _ in range(6_000)]
    write(folder, sent)
    words = [sys.executable, "-m", "counterfoil", "push", "--spool", str(folder), "--json",
             "--url", f"http://localhost:{server.port}"]  # fmt: skip
    killed = subprocess.Popen(words, env={**os.environ, "COUNTERFOIL_TOKEN": server.token})
    give_up = time.monotonic() + 30
    while server.size() < 2_000 and time.monotonic() < give_up:
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = server.size()
    assert 2_000 <= before < 6_000, "it was to die in the middle"

    result = push(foil, server, folder, monkeypatch).json()

    assert result["waiting"] == 0
    assert [one.id for one in entries(server)] == [one["id"] for one in sent]
    assert result["recorded"] + result["duplicate"] < 6_000, "it began where it was"


@pytest.mark.parametrize(("status", "body"), NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_an_answer_that_names_no_receipt_for_each_event_keeps_every_spool(
    foil: Foil, folder: Path, status: int, body: bytes
) -> None:
    """A captive portal says 200 to anything: what it swallowed was recorded by nobody."""
    paths = [write(folder, [event(), event()], boot=boot) for boot in ("b1", "b2")]
    before = [path.read_bytes() for path in paths]

    with answering(body, status) as url:
        result = foil("push", "--spool", folder, "--url", url, "--json")

    assert (result.code, result.json()["recorded"], result.json()["waiting"]) == (4, 0, 4)
    assert result.json()["error"]["code"] == "unreachable"
    assert [path.read_bytes() for path in paths] == before
