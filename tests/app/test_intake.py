"""Outside bytes on their way in: kept if something can be read from them, recorded once."""

import hashlib
import hmac
import os
from collections.abc import Callable
from typing import Any

import pytest

from counterfoil.app import intake
from counterfoil.app.home import Home
from counterfoil.app.intake import ReportOptions
from counterfoil.app.record import LOCAL, Answer
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from counterfoil.policy.access import ANONYMOUS, Credential

ADMIN = Credential("token:admin", "token", "administrator")
SECRET = b"It's a Secret to Everybody"
# Neither of them states a time, so the time of receipt stands in for it.
REPORT = b'<testsuite name="shop"><testcase classname="cart" name="adds"/></testsuite>'
PING = b'{"zen": "Keep it logically awesome.", "repository": {"full_name": "acme/shop"}}'

Send = Callable[[Home], list[Answer]]


def send_report(home: Home) -> list[Answer]:
    return intake.report(home, "default", REPORT, ReportOptions(), ADMIN, "api").answers


def send_delivery(home: Home) -> list[Answer]:
    if home.state.webhook_source("shop") is None:
        home.state.add_webhook_source("shop", "github", "default", SECRET)
    headers = {
        "content-type": "application/json",
        "x-github-event": "ping",
        "x-github-delivery": "d1",
        "x-hub-signature-256": "sha256=" + hmac.new(SECRET, PING, hashlib.sha256).hexdigest(),
    }
    return intake.webhook(home, "shop", headers, PING, ANONYMOUS)


@pytest.mark.parametrize("send", [send_report, send_delivery])
def test_the_same_bytes_twice_at_once_are_recorded_once(
    home: Home, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch, send: Send
) -> None:
    """Vendors and impatient pipelines send again before the first answer is there."""
    record = home.recorder.record
    first: list[Answer] = []

    def overtaken(*words: Any) -> list[Answer]:
        monkeypatch.setattr(home.recorder, "record", record)
        clock.step(1.0)
        first.extend(send(home))
        return record(*words)

    monkeypatch.setattr(home.recorder, "record", overtaken)
    second = send(home)

    assert [one.status for one in first] == ["recorded"] * len(first)
    assert [(one.index, one.status) for one in second] == [
        (one.index, "duplicate") for one in first
    ]


def test_other_content_under_a_delivery_that_is_recorded_is_refused(home: Home) -> None:
    send_delivery(home)
    other = PING.replace(b"Keep", b"Make")
    headers = {
        "content-type": "application/json",
        "x-github-event": "ping",
        "x-github-delivery": "d1",
        "x-hub-signature-256": "sha256=" + hmac.new(SECRET, other, hashlib.sha256).hexdigest(),
    }

    with pytest.raises(RequestError) as refused:
        intake.webhook(home, "shop", headers, other, ANONYMOUS)

    assert refused.value.code == "id_conflict"


def test_bytes_that_nothing_can_be_read_from_are_not_kept(home: Home) -> None:
    """Refusing changes nothing: a sender of garbage must not fill the disk."""
    content = b"<testsuite><testcase"

    with pytest.raises(RequestError):
        intake.report(home, "default", content, ReportOptions(), ADMIN, "api")
    with pytest.raises(RequestError):
        intake.webhook(home, "cdevents", {"content-type": "application/json"}, b"{}", ADMIN)

    assert home.keys.blob(f"sha256:{hashlib.sha256(content).hexdigest()}") is None
    assert not [path for path in (home.directory / "blobs").rglob("*") if path.is_file()]


@pytest.mark.parametrize("ref", ["env:production", "actor:bob", "commit:acme/shop@9fceb02"])
def test_a_report_is_of_a_run_and_of_nothing_else(home: Home, ref: str) -> None:
    """Taken as a run, another thing would show up among the runs, with tests of its own."""
    with pytest.raises(RequestError) as refused:
        intake.report(home, "default", REPORT, ReportOptions(run=ref), ADMIN, "api")

    assert refused.value.code == "ref_invalid"


def test_an_account_the_machine_has_no_name_for_is_known_by_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Containers run under numbers that no list of users has."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 3_999_999_999)

    assert intake.account_of(LOCAL) == ("user", "local:uid-3999999999")
