"""Runs that do not end well: killed, interrupted, their workers dead.  Real processes, real kills."""

import os
import signal
import time
import urllib.parse
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app import signin
from counterfoil.client.push import push
from counterfoil.client.spool import read_spool
from counterfoil.clock import parse_time
from tests.suites import (
    JsonObject,
    custom,
    of_type,
    outcomes,
    run_suite,
    spooled,
    start_suite,
)
from tests.web_server import Running, running

HUNDRED = """
import os, signal, pytest
@pytest.mark.parametrize("n", range(1, 101))
def test_it(n):
    if n == 31: os.kill(os.getpid(), signal.SIGKILL)
"""


def row(web: Running, ref: str) -> Any:
    items = web.get(f"/v1/runs?ref={ref}").json()["items"]
    return items[0] if items else None


def wait_for(web: Running, ref: str, **members: object) -> Any:
    give_up = time.monotonic() + 20
    while True:
        found = row(web, ref)
        if found and all(found.get(name) == value for name, value in members.items()):
            return found
        assert time.monotonic() < give_up, found
        time.sleep(0.1)


def run_of(folder: Path) -> str:
    [started] = of_type(spooled(folder), "testsuiterun.started")
    return str(started["subject"])


def test_a_run_killed_after_test_30_is_lost_after_test_30(tmp_path: Path) -> None:
    with running(tmp_path / "ledger") as web:
        env = {
            "COUNTERFOIL_DIR": str(tmp_path / "ledger"),
            "COUNTERFOIL_RUN": "run:acme/shop/killed",
        }
        ended = run_suite(tmp_path / "it", HUNDRED, "--counterfoil", env=env)
        assert ended.returncode == -signal.SIGKILL
        found = wait_for(web, "run:acme/shop/killed", state="lost")

        assert found["reason"] == (
            "lost after test 30 of 100; the last to begin was test_it.py::test_it[31]"
        )
        page = signed_in(web, "/run?ref=run:acme/shop/killed")
        assert "lost after test 30 of 100" in page
        cases = web.get("/v1/runs?ref=run:acme/shop/killed").json()
        assert cases["total"] >= 1
        assert not list((tmp_path / "ledger" / "spool").glob("*.spool"))


def signed_in(web: Running, path: str) -> str:
    """Return a page as somebody sees it who followed a sign-in link."""
    home = web.home
    link = signin.make_link(home.state, home.clock, home.randomness, f"http://{web.host}")
    form = urllib.parse.urlsplit(link).query.encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    cookie = web.call("POST", "/sign-in", form, headers, token=None).headers["set-cookie"]
    reply = web.call("GET", path, headers={"Cookie": cookie.partition(";")[0]}, token=None)
    assert reply.status == 200
    return reply.body.decode()


def test_a_killed_run_without_a_server_is_told_by_the_next_push(tmp_path: Path) -> None:
    ended = run_suite(tmp_path / "it", HUNDRED, "--counterfoil")
    assert ended.returncode == -signal.SIGKILL
    folder = tmp_path / "it" / ".counterfoil" / "spool"
    [path] = folder.glob("*.spool")
    spool = read_spool(path)
    assert (spool.ended, spool.torn, spool.live) == (False, None, False)
    assert len(of_type(spooled(folder), "testcaserun.finished")) == 30
    assert of_type(spooled(folder), "testcaserun.started")[-1]["subject"].endswith("[31]")
    taken: list[bytes] = []

    def deliver(events: Any, _header: Any) -> list[JsonObject]:
        taken.extend(events)
        return [{"index": n, "status": "recorded"} for n, _ in enumerate(events)]

    assert push(folder, deliver).lost == 1
    assert b'"reported":30' in taken[-1]
    assert b'"planned":100' in taken[-1]


def test_an_interrupted_run_says_so_and_which_test_it_cut_off(tmp_path: Path) -> None:
    source = """
import time
from pathlib import Path
def test_done(): pass
def test_long():
    Path("ready").write_text("")
    time.sleep(60)
def test_never(): pass
"""
    plain = interrupted(tmp_path / "plain", source)
    ended = interrupted(tmp_path / "it", source, "--counterfoil")
    assert ended == plain == 2
    events = spooled(tmp_path / "it" / ".counterfoil" / "spool")

    assert outcomes(events) == {"test_done": ["success"], "test_long": ["cancel"]}
    [finished] = of_type(events, "testsuiterun.finished")
    assert finished["data"]["subject"]["content"]["outcome"] == "cancel"
    assert finished["data"]["subject"]["content"]["reason"].startswith("interrupted")
    assert finished["data"]["customData"]["not_reported"] == 1


def interrupted(folder: Path, source: str, *options: str) -> int:
    process = start_suite(folder, source, *options)
    give_up = time.monotonic() + 30
    while not (folder / "ready").exists():
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    return process.returncode


CRASHING = """
import os, pytest
@pytest.mark.parametrize("n", range(8))
def test_it(n):
    if n == 3: os._exit(11)
def test_bad(): print("printed"); assert 0
"""


def test_a_worker_that_dies_is_told_as_it_was_and_names_its_last_test(tmp_path: Path) -> None:
    plain = run_suite(tmp_path / "plain", CRASHING, "-n2")
    ended = run_suite(tmp_path / "it", CRASHING, "-n2", "--counterfoil")
    assert ended.returncode == plain.returncode == 1, ended.output
    folder = tmp_path / "it" / ".counterfoil" / "spool"
    events = spooled(folder)

    found = outcomes(events)
    assert found["test_it[3]"] == ["error"]
    assert found["test_bad"] == ["failure"]
    assert sum(said == ["success"] for said in found.values()) == 7
    crashed = custom(events, "test_it[3]")
    assert crashed["result"] == "crashed"
    assert crashed["worker"].startswith("gw")
    [finished] = of_type(events, "testsuiterun.finished")
    assert finished["data"]["customData"]["counts"]["total"] == 9
    assert finished["data"]["customData"]["workers_lost"][0]["worker"] == crashed["worker"]
    # Its own spool has no end, and its last word is the test that killed it.
    spools = [read_spool(path) for path in folder.glob("*.spool")]
    [dead] = [spool for spool in spools if not spool.ended]
    assert dead.header.boot.endswith(crashed["worker"])
    assert b"test_it[3]" in dead.records[-1].payload
    assert b"testcaserun.started" in dead.records[-1].payload


def test_under_xdist_every_test_is_intended_and_told_once(tmp_path: Path) -> None:
    source = """
import pytest
@pytest.mark.parametrize("n", range(20))
def test_it(n, record_property):
    record_property("n", n)
    print("out", n)
"""
    ended = run_suite(tmp_path, source, "-n2", "--counterfoil")
    assert ended.returncode == 0, ended.output
    folder = tmp_path / ".counterfoil" / "spool"
    events = spooled(folder)

    assert len(list(folder.glob("*.spool"))) == 3
    for word in ("testcaserun.started", "testcaserun.finished"):
        tests = [event["subject"] for event in of_type(events, word)]
        assert len(tests) == len(set(tests)) == 20
    assert len({event["subject"] for event in of_type(events, "testsuiterun")}) == 1
    told = custom(events, "test_it[7]")
    assert told["parameters"] == {"n": "7"}
    assert told["properties"] == [["n", "7"]]
    assert "Captured stdout call" in told["output"]
    assert "kept" not in told["output"]["Captured stdout call"], "a pass keeps the digest alone"
    [planned] = of_type(events, "run.planned")
    assert planned["data"]["planned"] == 20


def test_pytest_breaking_off_inside_is_an_error_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "def pytest_runtest_teardown(item):\n    pass\n"
        "def pytest_runtest_protocol(item):\n    raise RuntimeError('plug-in broke')\n"
    )
    (tmp_path / "plain").mkdir()
    ended = run_suite(tmp_path, "def test_ok(): pass", "--counterfoil")
    assert ended.returncode == 3
    events = spooled(tmp_path / ".counterfoil" / "spool")
    [finished] = of_type(events, "testsuiterun.finished")
    assert finished["data"]["subject"]["content"]["outcome"] == "error"
    assert "plug-in broke" in finished["data"]["subject"]["content"]["reason"]


def test_a_clock_a_day_ahead_is_kept_beside_the_time_of_recording(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "conftest.py").write_text(
        """
import datetime
from counterfoil.clock import SystemClock
real = SystemClock.now
SystemClock.now = lambda self: real(self) + datetime.timedelta(days=1)
"""
    )
    with running(tmp_path / "ledger") as web:
        env = {
            "COUNTERFOIL_URL": f"http://{web.host}", "COUNTERFOIL_TOKEN": web.token,
            "COUNTERFOIL_RUN": "run:acme/shop/ahead",
        }  # fmt: skip
        ended = run_suite(tmp_path / "it", "def test_ok(): pass", "--counterfoil", env=env)
        assert ended.returncode == 0
        wait_for(web, "run:acme/shop/ahead", state="finished")
        entries = [web.get(f"/v1/entries/{n}").json() for n in range(web.size())]
        told = [one for one in entries if "testcaserun.finished" in str(one)]
        entry = told[0].get("entry", told[0])
        ahead = parse_time(entry["time"]) - parse_time(entry["recordedtime"])
        assert 86_000 < ahead.total_seconds() < 87_000


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_a_run_that_is_ended_from_outside_leaves_a_spool_that_is_whole(
    tmp_path: Path, how: signal.Signals
) -> None:
    source = """
import os, signal, time, pytest
from pathlib import Path
@pytest.mark.parametrize("n", range(1000))
def test_it(n):
    if n == 200: Path("ready").write_text("")
    time.sleep(0.002)
"""
    process = start_suite(tmp_path, source, "--counterfoil", "-q")
    give_up = time.monotonic() + 30
    while not (tmp_path / "ready").exists():
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.01)
    os.kill(process.pid, how)
    process.communicate(timeout=30)
    assert process.returncode == -how
    [path] = (tmp_path / ".counterfoil" / "spool").glob("*.spool")
    spool = read_spool(path)
    assert (spool.torn, spool.ended) == (None, False)
    events = spooled(path.parent)
    assert len(of_type(events, "testcaserun.finished")) >= 200
    assert [event["seq"] for event in events] == list(range(len(events)))
