"""Where records go: a server that is there, away, slow, back later; a full disk; `strict`."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.client.spool import SpoolWriter, read_spool
from counterfoil.clock import SystemClock
from tests.one_answer import NO_ANSWERS, answering
from tests.suites import (
    JsonObject,
    command,
    environment,
    of_type,
    outcomes,
    run_suite,
    spooled,
    start_suite,
)
from tests.tools import needs_tool
from tests.web_server import Running, running

SUITE = """
import time
def test_ok(): time.sleep(0.7)
def test_bad(): assert 0
"""


def env_of(web: Running, **more: str) -> dict[str, str]:
    return {
        "COUNTERFOIL_URL": f"http://{web.host}",
        "COUNTERFOIL_TOKEN": web.token,
        "COUNTERFOIL_RUN": "run:acme/shop/1",
        **more,
    }


def found(web: Running) -> Any:
    items = web.get("/v1/runs?ref=run:acme/shop/1").json()["items"]
    return items[0] if items else None


def entries(web: Running) -> list[JsonObject]:
    told = []
    for number in range(web.size()):
        answer = web.get(f"/v1/entries/{number}").json()
        told.append(answer.get("entry", answer))
    return told


def spool_of(folder: Path) -> Path:
    return folder / ".counterfoil" / "spool"


def push(folder: Path, *words: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "counterfoil", "push", *words],
        cwd=folder, env=environment(**env), capture_output=True, text=True, check=False,
    )  # fmt: skip


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """Listen, take connections, never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def test_a_run_is_on_the_server_when_pytest_ends_and_nothing_waits(tmp_path: Path) -> None:
    with running(tmp_path / "ledger") as web:
        ended = run_suite(tmp_path / "it", SUITE, "--counterfoil", env=env_of(web))

        assert ended.returncode == 1
        assert ended.line.startswith("counterfoil: run:acme/shop/1: 7 records taken; see http://")
        assert ended.line.endswith("/run?ref=run:acme/shop/1")
        row = found(web)
        assert (row["state"], row["outcome"]) == ("finished", "failed")
        assert row["tests_planned"] == 2
        assert row["counts"] == {"total": 2, "passed": 1, "failed": 1, "error": 0, "skipped": 0}
        assert not list(spool_of(tmp_path / "it").glob("*.spool"))


def test_tests_that_empty_their_environment_are_recorded_all_the_same(tmp_path: Path) -> None:
    """What lets the run in is what it began with: a suite may well delete such variables."""
    suite = """
import os
def test_forgets():
    for name in list(os.environ):
        if name.startswith("COUNTERFOIL_"):
            del os.environ[name]
"""
    with running(tmp_path / "ledger") as web:
        ended = run_suite(tmp_path / "it", suite, "--counterfoil", env=env_of(web))
        assert "records taken" in ended.line
        assert not list(spool_of(tmp_path / "it").glob("*.spool"))


def test_records_arrive_while_the_tests_still_run(tmp_path: Path) -> None:
    source = """
import time
from pathlib import Path
def test_first(): pass
def test_waits():
    for _ in range(3000):
        if Path("go").exists(): return
        time.sleep(0.01)
    assert 0, "nobody saw the first test"
"""
    with running(tmp_path / "ledger") as web:
        process = start_suite(tmp_path / "it", source, "--counterfoil", env=env_of(web))
        give_up = time.monotonic() + 25
        while web.size() < 5:
            assert process.poll() is None
            assert time.monotonic() < give_up, "nothing arrived while it ran"
            time.sleep(0.05)
        assert found(web)["state"] == "running"
        (tmp_path / "it" / "go").write_text("")
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        assert found(web)["state"] == "finished"


@pytest.mark.parametrize("kind", ["nobody listens", "nobody answers"])
def test_a_server_that_is_away_or_silent_costs_three_seconds_and_no_record(
    tmp_path: Path, kind: str
) -> None:
    source = "def test_ok(): pass\ndef test_bad(): assert 0"
    with contextlib.ExitStack() as stack:
        url = closed_port() if kind == "nobody listens" else stack.enter_context(silent_server())
        env = {"COUNTERFOIL_URL": url, "COUNTERFOIL_RUN": "run:acme/shop/1"}
        began = time.monotonic()
        ended = run_suite(tmp_path / "it", source, "--counterfoil", env=env)
        # A request to a silent server takes 30 s to give up; nobody may wait for that.
        assert time.monotonic() - began < 25
    assert ended.returncode == 1, "what the tests said, nothing else"
    folder = spool_of(tmp_path / "it")
    assert f"7 wait in the spool, send them with: counterfoil push --spool {folder}" in ended.line

    with running(tmp_path / "ledger") as web:
        pushed = push(tmp_path / "it", env=env_of(web))
        assert pushed.returncode == 0, pushed.stderr
        row = found(web)
        assert (row["state"], row["outcome"]) == ("finished", "failed")
        for entry in entries(web):
            assert entry["time"] < entry["recordedtime"], "both times are kept"
            assert entry["seq"] >= 0
    assert not list(folder.glob("*.spool"))


@pytest.mark.parametrize(("status", "body"), NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_an_answer_that_names_no_receipt_for_each_record_keeps_every_record(
    tmp_path: Path, status: int, body: bytes
) -> None:
    """Another program behind the address may say 201 too: that is nobody's word for a record."""
    with answering(body, status) as url:
        ended = run_suite(tmp_path / "it", SUITE, "--counterfoil", env={"COUNTERFOIL_URL": url})

    assert ended.returncode == 1
    assert "no answer of Counterfoil" in ended.line
    assert len(spooled(spool_of(tmp_path / "it"))) == 7


def test_a_server_that_comes_back_while_tests_run_gets_all_of_them(tmp_path: Path) -> None:
    """The port is known, the server starts late: as after a restart."""
    directory = tmp_path / "ledger"
    with running(directory) as web:
        token, port = web.token, web.port
        served = [sys.executable, "-m", "counterfoil", "serve", "--dir", str(directory)]
    env = {
        "COUNTERFOIL_URL": f"http://localhost:{port}", "COUNTERFOIL_TOKEN": token,
        "COUNTERFOIL_RUN": "run:acme/shop/1",
    }  # fmt: skip
    source = """
import time
from pathlib import Path
def test_first(): Path("ready").write_text("")
def test_waits():
    give_up = time.monotonic() + 60
    while not Path("go").exists() and time.monotonic() < give_up: time.sleep(0.02)
"""
    process = start_suite(tmp_path / "it", source, "--counterfoil", env=env)
    while not (tmp_path / "it" / "ready").exists():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(1)  # let it be refused once at least
    with subprocess.Popen([*served, "--port", str(port)], stdout=subprocess.PIPE) as server:
        try:
            give_up = time.monotonic() + 60
            while not (directory / "server.json").exists():
                assert time.monotonic() < give_up
                time.sleep(0.05)
            (tmp_path / "it" / "go").write_text("")
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0, output
            assert "7 records taken" in output
            assert "wait" not in output.partition("counterfoil: ")[2]
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def test_a_ledger_on_this_machine_gets_them_through_its_spool(tmp_path: Path) -> None:
    with running(tmp_path / "ledger") as web:
        env = {"COUNTERFOIL_DIR": str(tmp_path / "ledger"), "COUNTERFOIL_RUN": "run:acme/shop/1"}
        ended = run_suite(tmp_path / "it", SUITE, "--counterfoil=strict", env=env)
        assert ended.returncode == 1, ended.output
        assert found(web)["state"] == "finished"
        assert {entry["via"] for entry in entries(web)} == {"pytest"}
    assert not spool_of(tmp_path / "it").exists()


def test_a_refused_token_keeps_every_record(tmp_path: Path) -> None:
    with running(tmp_path / "ledger") as web:
        env = env_of(web, COUNTERFOIL_TOKEN="cf_" + "0" * 48)
        ended = run_suite(tmp_path / "it", SUITE, "--counterfoil", env=env)
        assert ended.returncode == 1
        assert "0 records taken; 7 wait in the spool" in ended.line
        assert web.size() == 0
        assert push(tmp_path / "it", env=env_of(web)).returncode == 0
        assert found(web)["state"] == "finished"


# strict


def test_strict_refuses_before_collection_where_nothing_can_be_recorded(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    for env, says in (
        ({}, "strict needs somebody to answer"),
        ({"COUNTERFOIL_DIR": str(tmp_path / "in the way")}, "cannot be recorded"),
        ({"COUNTERFOIL_URL": "ftp://x"}, "no http(s) address"),
    ):
        source = "from pathlib import Path\nPath('collected').write_text('')\ndef test_ok(): pass"
        ended = run_suite(tmp_path / "it", source, "--counterfoil=strict", env=env)
        assert ended.returncode == 4, ended.output
        assert says in ended.output
        assert not (tmp_path / "it" / "collected").exists()


def test_without_strict_an_unwritable_spool_is_said_and_the_tests_run(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    env = {"COUNTERFOIL_DIR": str(tmp_path / "in the way")}
    ended = run_suite(tmp_path / "it", "def test_ok(): pass", "--counterfoil", env=env)
    assert ended.returncode == 0
    assert ended.line.startswith("counterfoil: this run is not recorded: no spool can be written")


def test_strict_fails_a_green_run_whose_records_nobody_answered_for(tmp_path: Path) -> None:
    green, red = "def test_ok(): pass", "def test_bad(): assert 0"
    env = {"COUNTERFOIL_URL": closed_port()}
    assert run_suite(tmp_path / "a", green, "--counterfoil", env=env).returncode == 0
    assert run_suite(tmp_path / "b", green, "--counterfoil=strict", env=env).returncode == 3
    assert run_suite(tmp_path / "c", red, "--counterfoil=strict", env=env).returncode == 1
    with running(tmp_path / "ledger") as web:
        ended = run_suite(tmp_path / "d", green, "--counterfoil=strict", env=env_of(web))
        assert ended.returncode == 0, ended.output


# a full disk


def needs_mounts() -> str:
    """Return `unshare`; skip by name where a private mount is not permitted."""
    unshare = needs_tool("unshare")
    tried = subprocess.run(
        [unshare, "-m", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False
    )
    if tried.returncode:
        if os.environ.get("COUNTERFOIL_SYSTEM") == "1":
            pytest.fail("unshare -m may not mount, and COUNTERFOIL_SYSTEM=1 says it may")
        pytest.skip("unshare -m may not mount a tmpfs here")
    return unshare


def test_a_full_disk_keeps_outcomes_first_counts_the_rest_and_fails_no_test(
    tmp_path: Path,
) -> None:
    unshare = needs_mounts()
    folder = tmp_path / "it"
    small = folder / ".counterfoil"
    small.mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('n', range(120))\n"
        "def test_it(n):\n    print('x' * 3000)\n    assert n % 2\n"
    )
    words = command("--counterfoil", "--tb=no", "-q")
    script = (
        f"mount -t tmpfs -o size=320k none '{small}' && cd '{folder}' && "
        f"'{sys.executable}' {' '.join(words)}; code=$?; cp -r '{small}' '{tmp_path}/kept'; exit $code"
    )
    ended = subprocess.run(
        [unshare, "-m", "sh", "-c", script],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stdout + ended.stderr
    [path] = (tmp_path / "kept" / "spool").glob("*.spool")
    spool = read_spool(path)
    events = spooled(path.parent)

    assert spool.torn is None
    told = of_type(events, "testcaserun.finished")
    slimmed = [one for one in told if "output" in one["data"]["customData"].get("left_out", [])]
    assert slimmed, "texts go before outcomes"
    assert len(told) > len(of_type(events, "testcaserun.started")), "and intents too"
    lost = max(event["seq"] for event in events) + 1 - len(events)
    assert sum(gap.count for gap in spool.gaps) >= lost > 0
    assert "lost (disk_full)" in ended.stdout


# spools that are odd


def test_a_spool_of_another_ledger_is_refused_and_kept(tmp_path: Path) -> None:
    with running(tmp_path / "ledger") as web:
        folder = tmp_path / "ledger" / "spool"
        writer = SpoolWriter(
            tmp_path / "foreign", producer="p", boot="b", project="default", via="pytest",
            clock=SystemClock(), origin="log.example/other",
        )  # fmt: skip
        env = {"COUNTERFOIL_DIR": str(tmp_path / "nowhere")}
        run_suite(tmp_path / "it", "def test_ok(): pass", "--counterfoil", env=env)
        for event in read_spool(next((tmp_path / "nowhere" / "spool").glob("*.spool"))).records:
            writer.append(event.payload)
        writer.close()
        shutil.copy(writer.path, folder / writer.path.name)
        pushed = push(tmp_path, "--dir", str(tmp_path / "ledger"), env={})
        assert pushed.returncode != 0
        assert "log.example/other" in pushed.stdout + pushed.stderr
        assert (folder / writer.path.name).exists()
        assert web.size() == 0


def test_a_spool_cut_in_half_gives_what_stands_before_the_cut(tmp_path: Path) -> None:
    run_suite(tmp_path / "it", SUITE, "--counterfoil", env={"COUNTERFOIL_RUN": "run:acme/shop/1"})
    [path] = spool_of(tmp_path / "it").glob("*.spool")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]) + lines[4][:100])
    with running(tmp_path / "ledger") as web:
        push(tmp_path / "it", env=env_of(web))
        row = found(web)
        assert row["state"] == "lost"
        assert row["reason"].startswith("lost after test 0 of 2")
    assert outcomes(spooled(spool_of(tmp_path / "it"))) == {}


def test_a_fault_of_ours_is_said_and_touches_no_test(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        """
from counterfoil.reporter.events import Run
def broken(*words): raise ZeroDivisionError("ours")
Run.case = broken
"""
    )
    ended = run_suite(tmp_path, SUITE, "--counterfoil")
    assert ended.returncode == 1
    assert "1 failed, 1 passed" in ended.output
    assert ended.line.endswith("4 could not be made (ZeroDivisionError: ours)")
    [finished] = of_type(spooled(spool_of(tmp_path)), "testsuiterun.finished")
    assert finished["data"]["customData"]["recorder_faults"] == 4
