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
from counterfoil.app.posted import Answer
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock, format_time
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, make_event, parse_event
from counterfoil.events.naming import BlobName
from counterfoil.policy.access import ANONYMOUS, Credential
from counterfoil.sources import github, junit

SHOP = Credential("webhook:shop", "webhook", "shop")
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


def parsed(home: Home) -> list[Event]:
    """Return the events this release reads in the ping."""
    blob = BlobName(f"sha256:{hashlib.sha256(PING).hexdigest()}", "ping.json", "application/json")
    return [
        *github.parse_delivery(
            "ping", "d1", PING, source="urn:counterfoil:webhook:shop", credential="webhook:shop",
            received=format_time(home.clock.now()), blob=blob,
        )
    ]  # fmt: skip


def changed(event: Event, **members: JSON) -> Event:
    """Return another event; an attribute that is None is left out."""
    return parse_event({**event.to_json(), **members})


def recorded_by_another_release(home: Home, events: list[Event]) -> list[Answer]:
    home.recorder.put_blob(PING, "ping.json", "application/json")
    return home.recorder.record("default", events, SHOP, "webhook")


def test_a_delivery_another_release_read_otherwise_is_a_duplicate(home: Home) -> None:
    """A vendor delivers again after an upgrade here: what was made of it then stands."""
    [event] = parsed(home)
    earlier = make_event(
        type="dev.cdeventsx.counterfoil-webhook.heard.0.1.0", source=event.source, id=event.id,
        time=event.time, authtype=event.authtype, authid=event.authid, blobs=event.blobs,
        data={"said": "less"},
    )  # fmt: skip
    further = changed(earlier, id="d1/1")
    first = recorded_by_another_release(home, [earlier, further])
    size = home.ledger.status("default").size
    again = send_delivery(home)

    assert [(one.id, one.index, one.status) for one in again] == [
        (one.id, one.index, "duplicate") for one in first
    ]
    assert [one.opening for one in again] == [{}, {}], "only the bytes were shown"
    assert home.ledger.status("default").size == size


def test_the_same_bytes_under_another_delivery_are_another_delivery(home: Home) -> None:
    [event] = parsed(home)
    recorded_by_another_release(home, [changed(event, id="d0")])

    assert [one.status for one in send_delivery(home)] == ["recorded"]


def test_a_report_another_release_read_otherwise_is_a_duplicate(home: Home) -> None:
    """Before `timeclaim` was said of undated reports, for one, their entries did not have it."""
    blob = home.recorder.put_blob(REPORT, "report.xml", "application/xml")
    context = junit.ReportContext(
        run=None, source=intake.REPORT_SOURCE, time="2026-11-20T12:00:00Z", authtype="api_key",
        authid="administrator", commit=None, environment=None, blob=blob, name="",
        allow_empty=False,
    )  # fmt: skip
    events = [changed(one, timeclaim=None) for one in junit.parse_junit(REPORT, context)]
    first = home.recorder.record("default", events, ADMIN, "api")
    again = send_report(home)

    assert [(one.id, one.index, one.status) for one in again] == [
        (one.id, one.index, "duplicate") for one in first
    ]


def test_what_only_this_release_reads_in_a_report_is_not_added_to_one_that_was_whole(
    home: Home,
) -> None:
    blob = home.recorder.put_blob(REPORT, "report.xml", "application/xml")
    context = junit.ReportContext(
        run=None, source=intake.REPORT_SOURCE, time="2026-11-20T12:00:00Z", authtype="api_key",
        authid="administrator", commit=None, environment=None, blob=blob, name="",
        allow_empty=False,
    )  # fmt: skip
    run = junit.parse_junit(REPORT, context)[-1]
    [first] = home.recorder.record("default", [changed(run, timeclaim=None)], ADMIN, "api")

    assert [(one.index, one.status) for one in send_report(home)] == [(first.index, "duplicate")]


def test_a_report_of_which_something_else_is_said_is_a_conflict(home: Home) -> None:
    send_report(home)
    options = ReportOptions(commit="acme/shop@" + "9" * 40)

    with pytest.raises(RequestError) as refused:
        intake.report(home, "default", REPORT, options, ADMIN, "api")

    assert refused.value.code == "id_conflict"


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
