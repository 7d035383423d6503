"""What `run` puts on record, and where that goes when nobody takes it."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import pytest

from counterfoil.app.home import open_home
from counterfoil.client.spool import read_spool
from counterfoil.clock import SystemClock
from counterfoil.events.codec import split
from counterfoil.events.entry import read_entry
from counterfoil.events.event import parse_event
from counterfoil.events.registry import TYPES
from counterfoil.ids import SystemRandomness
from tests.cli.conftest import Foil
from tests.cli.stepping import BARE, FOIL, kept, run, spooled, start, wait_for
from tests.one_answer import NO_ANSWERS, answering
from tests.served_process import ServerProcess, server_process


def test_a_step_says_who_what_when_and_how(place: Path) -> None:
    (place / "in.txt").write_bytes(b"in")
    run(
        place, "--step", "build", "--input", "in.txt", "--output", "out.txt", "--output", "absent",
        "--commit", "acme/shop@9fceb02", "--environment=staging", "--ref", "fixes=ticket:acme/7",
        "--", "sh", "-c", "echo made > out.txt; exit 3",
    )  # fmt: skip
    started, finished = kept(place)

    assert [one["type"] in TYPES for one in (started, finished)] == [True, True]
    assert started["subject"] == finished["subject"]
    assert started["time"] <= finished["time"]
    assert finished["authid"].startswith("local:")
    assert finished["data"]["subject"]["content"] == {
        "errors": "exit code 3", "outcome": "failure", "taskName": "build",
    }  # fmt: skip
    custom = finished["data"]["customData"]
    assert custom["command"] == ["sh", "-c", "echo made > out.txt; exit 3"]
    assert custom["duration_ms"] >= 0
    [out, absent] = custom["outputs"]
    assert (out["name"], out["size_bytes"]) == ("out.txt", 5)
    assert out["digest"] == "sha256:" + hashlib.sha256(b"made\n").hexdigest()
    assert absent == {"name": "absent", "absent": True}
    refs = [(one["ref"], one["role"]) for one in finished["data"]["refs"]]
    assert refs == [
        ("commit:acme/shop@9fceb02", "input"),
        ("env:staging", "environment"),
        ("ticket:acme/7", "fixes"),
        ("artifact:" + started["data"]["customData"]["inputs"][0]["digest"], "input"),
        ("artifact:" + out["digest"], "output"),
    ]


def test_an_input_is_digested_before_the_command_can_change_it(place: Path) -> None:
    (place / "both").write_bytes(b"before")
    run(place, "--input", "both", "--output", "both", "--", "sh", "-c", "echo after > both")
    started, finished = kept(place)

    [before] = started["data"]["customData"]["inputs"]
    [after] = finished["data"]["customData"]["outputs"]
    assert (before["size_bytes"], after["size_bytes"]) == (6, 6)
    assert before["digest"] != after["digest"]


def test_values_of_the_environment_and_secrets_leave_as_keyed_digests_only(place: Path) -> None:
    secret = "hunter2-hunter2"
    run(
        place, "--", "true", "--password", secret, f"DB_TOKEN={secret}",
        f"https://ana:{secret}@db.example/x", "ghp_" + "a" * 36,
        environment={"MY_VALUE": "a plain value", "OTHER": secret},
    )  # fmt: skip
    folder = place / ".counterfoil" / "spool"
    text = "".join(path.read_text() for path in folder.glob("*.spool"))

    assert secret not in text
    assert "a plain value" not in text
    assert "ghp_aaaa" not in text
    started = kept(place)[0]["data"]["customData"]
    digests = {one["name"]: one["digest"] for one in started["variables"]}
    assert "MY_VALUE" in digests
    assert f"[redacted {digests['OTHER']}]" in started["command"], "equality stays visible"
    assert (folder / "redaction.key").stat().st_mode & 0o777 == 0o600
    assert [path.stat().st_mode & 0o777 for path in folder.glob("*.spool")] == [0o600]


def test_a_step_within_a_step_names_the_one_it_is_part_of(place: Path) -> None:
    run(place, "--step", "outer", "--", *FOIL, "run", "--step", "inner", "--", "sh", "-c", "exit 4")
    events = kept(place)
    by_name = {one["data"]["subject"]["content"]["taskName"]: one for one in events}

    assert by_name["inner"]["data"]["refs"] == [
        {"ref": by_name["outer"]["subject"], "role": "part-of"}
    ]
    assert by_name["outer"]["data"]["customData"]["exit_code"] == 4


def test_in_ci_a_step_names_the_workflow_its_run_and_its_commit(place: Path) -> None:
    run(
        place, "--", "true",
        environment={
            "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "1874",
            "GITHUB_SHA": "9" * 40, "GITHUB_ACTOR": "ana-dev",
        },
    )  # fmt: skip
    finished = kept(place)[-1]

    assert (finished["authtype"], finished["authid"]) == ("service_account", "github.com:acme/shop")
    assert [(one["ref"], one["role"]) for one in finished["data"]["refs"]] == [
        ("commit:acme/shop@" + "9" * 40, "input"),
        ("run:acme/shop/1874", "part-of"),
        ("actor:github.com:ana-dev", "triggered-by"),
    ]
    personal = {one.content for one in split(parse_event(finished)).personal}
    assert b'"actor:github.com:ana-dev"' in personal, "a person is a pseudonym in what is public"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--frob", "x", "--", "touch", "ran"], id="an unknown option"),
        pytest.param(["--step"], id="an option without its value"),
        pytest.param([], id="no command"),
        pytest.param(["--commit", "zz", "--", "touch", "ran"], id="a commit that is none"),
        pytest.param(["--ref", "no colon", "--", "touch", "ran"], id="a ref that is none"),
    ],
)
def test_words_that_are_off_run_nothing(place: Path, words: Sequence[str]) -> None:
    code, _, err = run(place, *words)

    assert code == 2
    assert err.count(b"\n") == 1
    assert not (place / "ran").exists()


def test_options_of_the_command_are_the_command_s(place: Path) -> None:
    code, out, _ = run(place, "sh", "-c", "echo $0", "--step")

    assert (code, out) == (0, b"--step\n")


def test_with_a_directory_nobody_serves_the_step_is_in_the_ledger(
    foil: Foil, ledger: Path, place: Path
) -> None:
    code, _, err = run(place, "--dir", ledger, "--", "sh", "-c", "exit 7")

    assert (code, err) == (7, b"")
    assert list((ledger / "spool").glob("*.spool")) == []
    assert foil("verify", ledger).code == 0
    with open_home(ledger, SystemClock(), SystemRandomness()) as home:
        entries = [read_entry(one) for one in home.log.entries("default", 0, 9)]
        home.follower.catch_up("default")
        row = home.reader.run("default", str(entries[1].subject), None)
    assert [one.type.split(".")[3] for one in entries] == ["started", "finished"]
    assert {one.via for one in entries} == {"cli"}
    assert row is not None
    assert (row.kind, row.outcome, row.reason) == ("task", "failed", "exit code 7")


def trickle(listening: socket.socket) -> None:
    """Answer one connection a byte at a time, for longer than anybody should wait."""
    with contextlib.suppress(OSError):
        connection, _ = listening.accept()
        with connection:
            for _ in range(100):
                connection.sendall(b"H")
                time.sleep(0.2)


@pytest.mark.parametrize("says", ["nothing", "a byte now and then"])
def test_a_command_is_never_held_up_long_by_a_slow_server(place: Path, says: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        if says != "nothing":
            threading.Thread(target=trickle, args=(listening,), daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        began = time.monotonic()
        code, out, err = run(place, "--url", url, "--", "sh", "-c", "echo hi; exit 3")
        took = time.monotonic() - began

    assert (code, out) == (3, b"hi\n")
    assert took < 8, "two seconds, and what a busy machine adds"
    assert err.count(b"\n") == 1
    assert b"counterfoil push" in err
    assert len(kept(place)) == 2


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(["--url", "http://127.0.0.1:9"], id="nobody listens"),
        pytest.param(["--url", "ftp://foil.example"], id="no http address"),
        pytest.param(["--url", "http://"], id="no host"),
        pytest.param(["--dir", "nowhere"], id="no such directory"),
        pytest.param([], id="no ledger named"),
    ],
)
def test_what_cannot_be_sent_is_kept_and_the_exit_code_stays(
    place: Path, where: Sequence[str]
) -> None:
    code, out, err = run(place, *where, "--", "sh", "-c", "echo hi; exit 3")

    assert (code, out) == (3, b"hi\n")
    assert err.count(b"\n") == 1
    assert len(kept(place)) == 2


@pytest.mark.parametrize(("status", "body"), NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_an_answer_that_names_no_receipt_for_each_event_keeps_the_step(
    place: Path, status: int, body: bytes
) -> None:
    """A captive portal says 200 to anything: what it swallowed was recorded by nobody."""
    with answering(body, status) as url:
        code, _, err = run(place, "--url", url, "--", "sh", "-c", "exit 3")

    assert code == 3
    assert err.count(b"\n") == 1
    assert b"counterfoil push" in err
    assert len(kept(place)) == 2


def test_where_nothing_can_be_kept_the_exit_code_stays(place: Path) -> None:
    """A spool folder that cannot be made: here, because a file has its name."""
    (place / ".counterfoil" / "spool").write_text("in the way")
    code, _, err = run(place, "--", "sh", "-c", "exit 3")

    assert code == 3
    assert b"not recorded" in err
    assert err.count(b"\n") == 1


def test_that_a_long_step_began_is_spooled_while_it_runs(place: Path) -> None:
    """If we are killed in the middle, its beginning is on record."""
    started = start(place, "--", "sleep", "60")
    wait_for(lambda: kept(place), "nothing is spooled")
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate(timeout=30)

    [event] = kept(place)
    [path] = (place / ".counterfoil" / "spool").glob("*.spool")
    spool = read_spool(path)
    assert event["type"] == "dev.cdevents.taskrun.started.0.3.0"
    assert (spool.ended, spool.live, spool.torn) == (False, False, None)


def test_a_huge_command_line_and_environment_still_make_an_event(place: Path) -> None:
    words = [f"word-{number}-" + "\x01é" * 30 for number in range(2_000)]
    environment = {f"NAME_{number}": "v" for number in range(1_500)}
    code, _, _ = run(place, "--", "true", *words, environment=environment)
    started, finished = kept(place)

    assert code == 0
    for event in (started, finished):
        parse_event(event)
    custom = started["data"]["customData"]
    assert custom["command_left_out"] + len(custom["command"]) == 2_001
    assert custom["variables_left_out"] > 0


def test_run_imports_nothing_heavy_before_the_command(place: Path) -> None:
    """It stands in front of every step: what it loads, everybody waits for."""
    probe = (
        "import sys\n"
        "from counterfoil.cli import child\n"
        "def spawn(*words): print(*sorted(sys.modules)); raise OSError(2, 'no')\n"
        "child._spawn = spawn\n"
        "sys.argv = ['counterfoil', 'run', '--', 'true']\n"
        "from counterfoil.cli import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=place, env=BARE, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    loaded = set(done.stdout.split())

    assert done.returncode == 127, done.stderr
    assert "counterfoil.cli.recording" in loaded
    heavy = {"click", "msgspec", "urllib.request", "http.client", "socket", "ssl", "subprocess",
             "pathlib", "tempfile", "cryptography", "counterfoil.events.event"}  # fmt: skip
    assert heavy & loaded == set()


JUNIT = (
    '<testsuite name="unit" tests="2" failures="1" timestamp="2026-11-20T12:00:00">'
    '<testcase classname="cart" name="test_total"/>'
    '<testcase classname="cart" name="test_vat"><failure message="no"/></testcase></testsuite>'
)


def test_a_report_the_step_wrote_is_a_run_it_contains(ledger: Path, place: Path) -> None:
    (place / "old.xml").write_text(JUNIT)
    (place / "junit.in").write_text(JUNIT)
    code, _, err = run(
        place, "--dir", ledger, "--report", "junit.xml", "--report", "old.xml", "--report",
        "never.xml", "--commit", "acme/shop@9fceb02", "--", "sh", "-c", "cp junit.in junit.xml; exit 1",
    )  # fmt: skip

    assert (code, err) == (1, b"")
    with open_home(ledger, SystemClock(), SystemRandomness()) as home:
        entries = [read_entry(one) for one in home.log.entries("default", 0, 99)]
        home.follower.catch_up("default")
        contained = [one.ref for one in entries[1].refs if one.role == "contains"]
        report = home.reader.run("default", contained[0], None)
    assert [one.type.split(".")[2] for one in entries] == [
        "taskrun", "taskrun", "testcaserun", "testcaserun", "testsuiterun",
    ]  # fmt: skip
    assert len(contained) == 1, "what was there before is not the step's"
    assert report is not None
    assert (report.outcome, report.commit) == ("failed", "commit:acme/shop@9fceb02")


def test_a_report_nobody_takes_is_kept_and_pushed_later(
    foil: Foil, ledger: Path, place: Path
) -> None:
    (place / "junit.in").write_text(JUNIT)
    script = "cp junit.in junit.xml; echo no > bad.xml; exit 1"
    code, _, _ = run(
        place, "--report", "junit.xml", "--report", "bad.xml", "--", "sh", "-c", script
    )
    folder = place / ".counterfoil" / "spool"
    (place / "junit.xml").unlink()
    pushed = foil("push", "--spool", folder, "--dir", ledger, "--json")

    assert (code, pushed.code) == (1, 3)
    assert (pushed.json()["recorded"], pushed.json()["reports"]) == (2, 1)
    assert [one["code"] for one in pushed.json()["refused"]] == ["report_not_xml"]
    assert foil("push", "--spool", folder, "--dir", ledger, "--json").json()["waiting"] == 0
    with open_home(ledger, SystemClock(), SystemRandomness()) as home:
        assert home.log.head("default").size == 5


def test_a_report_that_is_none_changes_nothing_about_the_step(ledger: Path, place: Path) -> None:
    code, _, err = run(
        place, "--dir", ledger, "--report", "junit.xml", "--", "sh", "-c", "echo no > junit.xml"
    )

    assert code == 0
    assert err.count(b"\n") == 1
    assert b"report_not_xml" in err


def sizes(server: ServerProcess) -> int:
    with urllib.request.urlopen(server.url + "/log/default/checkpoint") as answer:
        return int(answer.read().splitlines()[1])


def test_with_a_server_the_step_is_recorded_and_nothing_is_said_or_left(
    ledger: Path, place: Path
) -> None:
    """By its address, and by its directory; also a step that had its beginning spooled."""
    with server_process(ledger) as server:
        environment = {"COUNTERFOIL_URL": server.url, "COUNTERFOIL_TOKEN": server.token}
        assert run(place, "--", "sh", "-c", "exit 3", environment=environment) == (3, b"", b"")
        assert sizes(server) == 2
        assert run(place, "--dir", ledger, "--", "false") == (1, b"", b"")
        assert sizes(server) == 4
        assert run(place, "--", "sleep", "0.5", environment=environment) == (0, b"", b"")
        assert sizes(server) == 6
        assert run(place, "--dir", ledger, "--", "sleep", "1.5") == (0, b"", b"")
        assert sizes(server) == 8, "its beginning was taken in while it ran, and is not there twice"
    assert kept(place) == []
    assert spooled(ledger / "spool") == []


def test_a_server_that_was_killed_and_comes_back_has_every_step(ledger: Path, place: Path) -> None:
    with server_process(ledger) as server:
        environment = {"COUNTERFOIL_URL": server.url, "COUNTERFOIL_TOKEN": server.token}
        server.kill()
        for code in (0, 1, 2):
            words = ("--", "sh", "-c", f"exit {code}")
            assert run(place, *words, environment=environment)[0] == code
        server.start()
        assert len(kept(place)) == 6
        pushed = subprocess.run(
            [*FOIL, "push", "--json"], cwd=place, env={**BARE, **environment}, capture_output=True,
            check=True,
        )  # fmt: skip
        assert json.loads(pushed.stdout)["recorded"] == 6
        assert sizes(server) == 6
    assert kept(place) == []
    with open_home(ledger, SystemClock(), SystemRandomness()) as home:
        entries = [read_entry(one) for one in home.log.entries("default", 0, 9)]
    assert all(one.time < one.recordedtime for one in entries), "both times"


def test_a_wrong_token_keeps_the_step_and_says_why(ledger: Path, place: Path) -> None:
    with server_process(ledger) as server:
        environment = {"COUNTERFOIL_URL": server.url, "COUNTERFOIL_TOKEN": "cf_wrong"}
        code, _, err = run(place, "--", "sh", "-c", "exit 3", environment=environment)

    assert code == 3
    assert b"refused it" in err
    assert len(kept(place)) == 2
