"""The program's own log: one line an event, and nothing in it that a caller sent."""

import http.client
import json
import logging
import re
import sqlite3
import sys
import time
import urllib.parse
from typing import Any

import pytest

from counterfoil.app.config import LogConfig
from counterfoil.app.founding import create_home
from counterfoil.app.log_lines import ASKED, LINES_MAX, Asked, Lines, RequestLines
from counterfoil.ids import SystemRandomness
from tests.served_process import ServerProcess, free_port
from tests.web_server import event

SECRET = "s3cr3t-anywhere"
MAIL = "ana@acme.example"
SETTINGS = '[log]\nformat = "json"\nlevel = "debug"\n'
Line = dict[str, Any]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Line], str]:
    """What a server with a worker and a follower wrote while secrets were put everywhere."""
    place = tmp_path_factory.mktemp("lines")
    directory = place / "ledger"
    create_home(directory, SystemRandomness())
    (directory / "counterfoil.toml").write_text(SETTINGS)
    # What a producer on this machine left: first a record that is refused, then no spool at all.
    (directory / "spool").mkdir(exist_ok=True)
    (directory / "spool" / "broken.spool").write_text(f"{SECRET} {MAIL}\n")
    server = ServerProcess(directory, free_port(), workers=1, lines=place / "lines")
    server.start()
    try:
        say_everything(server)
        # Spools are looked at once a second.
        time.sleep(1.2)
    finally:
        server.stop()
    text = (place / "lines").read_text()
    return [json.loads(line) for line in text.splitlines()], text.replace(server.token, SECRET)


def say_everything(server: ServerProcess) -> None:
    """Put a secret and a personal value into every place a caller has."""
    posted = event(authid=f"mail:{MAIL}", id=f"{SECRET}-id", data={"token": SECRET, "mail": MAIL})
    good = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    form = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"session={SECRET}"}
    body = json.dumps(posted)
    for method, path, sent, headers in (
        ("POST", "/v1/events", body, good),
        ("POST", "/v1/events", body, good),
        ("POST", "/v1/events", f'{{"{SECRET}": "{MAIL}', good),
        ("POST", "/v1/events", json.dumps({**posted, "time": SECRET}), good),
        ("POST", "/v1/events", body, {**good, "Authorization": f"Bearer {SECRET}"}),
        ("POST", "/v1/events", body, {**good, "Authorization": f"Basic {SECRET}"}),
        ("POST", "/v1/reports", f"<testsuite name='{SECRET}'><broken", good),
        ("POST", "/v1/webhooks/nobody", body, {**good, "X-Hub-Signature-256": SECRET}),
        ("POST", f"/v1/actions/{SECRET}", body, good),
        ("GET", f"/v1/search?q={SECRET}+{MAIL}", None, good),
        ("GET", f"/v1/runs?{SECRET}={MAIL}", None, good),
        ("GET", f"/v1/entries/{SECRET}", None, good),
        ("GET", f"/{SECRET}/{MAIL}", None, good),
        ("GET", f"/sign-in?link={SECRET}", None, form),
        ("GET", f"/sign-in/{SECRET}", None, form),
        ("POST", "/sign-in", urllib.parse.urlencode({"code": SECRET, "link": SECRET}), form),
        ("POST", f"/act/{SECRET}", urllib.parse.urlencode({"csrf": SECRET, "x": MAIL}), form),
        ("GET", "/", None, {"Cookie": f"counterfoil={SECRET}; session={SECRET}"}),
        ("GET", "/healthz", None, {"Host": SECRET, "X-Request-Id": SECRET}),
        ("GET", "/v1/live", None, {"Last-Event-ID": SECRET, "Referer": f"http://x/{SECRET}"}),
    ):
        connection = http.client.HTTPConnection("localhost", server.port, timeout=20)
        connection.request(method, path, sent, headers)
        assert connection.getresponse().status < 500, (method, path)
        connection.close()


def test_no_line_holds_anything_a_caller_sent(written: tuple[list[Line], str]) -> None:
    _, text = written

    assert len(text) > 1_000
    for secret in (SECRET, MAIL, urllib.parse.quote(MAIL), "acme"):
        assert secret not in text


def test_every_line_says_what_it_is_and_requests_what_came_of_them(
    written: tuple[list[Line], str],
) -> None:
    lines, _ = written

    assert all(one.keys() >= {"time", "level", "logger", "message"} for one in lines)
    asked = [one for one in lines if one["logger"] == "counterfoil.request"]
    assert {("/v1/events", 201), ("/v1/search", 200), ("(none)", 404)} <= {
        (one["route"], one["status"]) for one in asked
    }
    assert {one["credential"] for one in asked if "credential" in one} == {"token:admin"}
    assert any("spool" in one["message"] for one in lines)


def test_what_a_worker_answers_is_told_by_it(written: tuple[list[Line], str]) -> None:
    """Under an id of its own making, which the answer carries as every answer does."""
    lines, _ = written

    one, again = [one for one in lines if one.get("status") == 201]
    assert re.fullmatch("[0-9a-f]{16}", one["request"])
    assert one["request"] != again["request"]
    assert (one["method"], one["route"], one["credential"]) == ("POST", "/v1/events", "token:admin")


def record_of(
    error: BaseException, message: str = "it failed", name: str = "counterfoil.web"
) -> Any:
    try:
        raise error
    except type(error):
        return logging.LogRecord(name, logging.ERROR, "", 0, message, (), sys.exc_info())


@pytest.mark.parametrize("as_json", [True, False])
def test_a_fault_is_told_by_class_and_place_without_its_words(as_json: bool) -> None:
    """They may quote what somebody sent."""
    line = Lines(as_json=as_json).format(record_of(ValueError(f"no number: {SECRET}")))

    assert SECRET not in line
    assert "ValueError" in line
    assert "test_log_lines.py" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), sqlite3.OperationalError("locked")]
)
def test_what_the_system_says_is_told(error: Exception) -> None:
    assert str(error) in Lines(as_json=True).format(record_of(error))


def test_of_other_peoples_lines_only_the_fixed_text_is_told() -> None:
    record = logging.LogRecord(
        "asyncio", logging.ERROR, "", 0, f"Task %s failed\nwith {SECRET}", (SECRET,), None
    )

    assert json.loads(Lines(as_json=True).format(record))["message"] == "Task %s failed"


def test_a_line_of_text_stays_one_line_whatever_is_in_it() -> None:
    record = logging.LogRecord(
        "counterfoil.x", logging.INFO, "", 0, "spool %s", ("a\nb\x1b[2J",), None
    )
    line = Lines(as_json=False).format(record)

    assert line.endswith(r"INFO counterfoil.x: spool a\nb\x1b[2J")


def test_strangers_cannot_fill_a_disk_with_lines(caplog: pytest.LogCaptureFixture) -> None:
    lines = RequestLines()
    with caplog.at_level(logging.INFO, "counterfoil.request"):
        for _ in range(3 * LINES_MAX):
            lines.answered(404, 0.001, Asked("", "GET", "(none)"))

    assert LINES_MAX <= len(caplog.records) <= 2 * LINES_MAX + 1
    assert ASKED.get() is None


def test_text_is_what_is_written_when_nothing_is_set() -> None:
    assert (LogConfig().format, LogConfig().level) == ("text", "info")
