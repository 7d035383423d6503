"""What the events of a report say, and that the same report is always the same events."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from counterfoil.errors import RequestError
from counterfoil.events.event import Event
from counterfoil.events.naming import BlobName
from counterfoil.sources.junit import ReportContext, parse_junit

VECTORS = Path(__file__).parents[1] / "vectors"
SCHEMAS = VECTORS / "cdevents" / "schemas-v0.5.1"


def _context(data: bytes, **changes: Any) -> ReportContext:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    context = ReportContext(
        run="run:acme/shop/902",
        source="https://ci.example/acme/shop",
        time="2026-11-20T12:00:00.000Z",
        authtype="service_account",
        authid="ci.example:acme/shop",
        commit="commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8",
        environment="qa",
        blob=BlobName(digest, "junit.xml", "application/xml"),
    )
    return replace(context, **changes)


def _parse(body: str, **changes: Any) -> tuple[Event, ...]:
    data = body.encode()
    return parse_junit(data, _context(data, **changes))


def _data(event: Event) -> dict[str, Any]:
    assert isinstance(event.data, dict)
    return dict(event.data)


def _facts(event: Event) -> dict[str, Any]:
    return dict(_data(event)["customData"])


MIXED = """<testsuites><testsuite name="pytest" timestamp="2026-11-20T11:00:00+01:00">
<testcase classname="tests.test_cart" name="test_total[eur]" file="tests/test_cart.py" line="7"
  time="0.25"><failure message="assert 1 == 2" type="AssertionError">E  assert 1 == 2</failure>
  <system-out>paid</system-out></testcase>
<testcase classname="tests.test_cart" name="test_empty"><skipped message="no card"/></testcase>
<testcase classname="tests.test_cart" name="test_add"/>
</testsuite></testsuites>"""


def test_a_case_becomes_one_event_that_says_what_when_where_and_why() -> None:
    event = _parse(MIXED)[0]

    assert event.type == "dev.cdevents.testcaserun.finished.0.3.0"
    assert event.subject == "test:pytest/tests.test_cart/test_total[eur]"
    assert event.time == "2026-11-20T10:00:00.000Z"
    assert [(one.ref, one.role) for one in event.refs] == [
        ("run:acme/shop/902", "part-of"),
        ("test:pytest/tests.test_cart/test_total[eur]", "about"),
        ("env:qa", "environment"),
        ("commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8", "input"),
    ]
    content = _data(event)["subject"]["content"]
    assert content["outcome"] == "failure"
    assert content["reason"] == "assert 1 == 2"
    assert content["environment"] == {"id": "qa"}
    assert content["testCase"] == {
        "id": "pytest/tests.test_cart/test_total[eur]",
        "name": "test_total[eur]",
    }
    facts = _facts(event)
    assert (facts["file"], facts["line"], facts["duration_s"]) == ("tests/test_cart.py", 7, 0.25)
    assert (facts["ordinal"], facts["attempt"], facts["final"]) == (0, 1, True)
    assert facts["type"] == "AssertionError"
    assert facts["system-out"] == {
        "size_bytes": 4,
        "sha256": hashlib.sha256(b"paid").hexdigest(),
    }


def test_a_skipped_case_is_not_a_finished_one() -> None:
    event = _parse(MIXED)[1]
    assert event.type == "dev.cdevents.testcaserun.skipped.0.2.0"
    content = _data(event)["subject"]["content"]
    assert content["reason"] == "no card"
    assert "outcome" not in content


def test_the_run_comes_last_with_counts_and_the_raw_report() -> None:
    event = _parse(MIXED)[-1]

    assert event.type == "dev.cdevents.testsuiterun.finished.0.3.0"
    assert event.subject == "run:acme/shop/902"
    assert _data(event)["subject"]["content"]["outcome"] == "failure"
    assert _facts(event)["counts"] == {
        "total": 3, "passed": 1, "failed": 1, "error": 0, "skipped": 1,
    }  # fmt: skip
    assert [blob.name for blob in event.blobs] == ["junit.xml"]


@pytest.mark.parametrize(
    ("inside", "outcome"),
    [
        pytest.param("<testcase name='a'/>", "success", id="all passed"),
        pytest.param(
            "<testcase name='a'/><testcase name='b'><error/></testcase>", "error", id="an error"
        ),
        pytest.param(
            "<testcase name='a'><failure/></testcase><testcase name='b'><error/></testcase>",
            "failure",
            id="a failure beside an error",
        ),
        pytest.param(
            "<testcase name='a'><skipped/></testcase>", "cancel", id="nothing ran: no success"
        ),
        pytest.param(
            "<testcase name='a'><skipped/><failure/></testcase>", "failure", id="skipped and failed"
        ),
        pytest.param("<testcase name='a' status='notrun'/>", "cancel", id="a case says: not run"),
        pytest.param("<testcase name='a' status='failed'/>", "failure", id="a case says: failed"),
        pytest.param("<testcase name='a'/><error message='x'/>", "error", id="the suite broke"),
    ],
)
def test_the_outcome_of_a_run_is_never_better_than_its_cases(inside: str, outcome: str) -> None:
    run = _parse(f"<testsuite name='s'>{inside}</testsuite>")[-1]
    assert _data(run)["subject"]["content"]["outcome"] == outcome


def test_the_same_report_sent_later_is_the_same_events() -> None:
    """A repeat must be a duplicate, whenever and by whatever name of file it comes."""
    assert _parse(MIXED, time="2026-11-29T23:00:00.000Z") == _parse(MIXED)


def test_another_report_of_the_same_run_has_ids_of_its_own() -> None:
    """A second shard or a repaired report is a further fact, not a conflict."""
    first = {event.id for event in _parse(MIXED)}
    second = {event.id for event in _parse(MIXED.replace("test_add", "test_sub"))}
    assert not first & second


def test_a_report_without_times_takes_the_callers() -> None:
    events = _parse("<testsuite><testcase name='a'/></testsuite>")
    assert {event.time for event in events} == {"2026-11-20T12:00:00.000Z"}
    assert [event.extra for event in events] == [{"timeclaim": "none"}] * 2


def test_a_report_with_a_time_anywhere_says_nothing_of_those_times() -> None:
    dated = _parse("<testsuite timestamp='2026-11-20T11:00:00Z'><testcase name='a'/></testsuite>")
    assert [event.extra for event in dated] == [{}, {}]


def test_cases_of_one_name_stay_apart() -> None:
    case = "<testcase classname='c' name='same'/>"
    failed = "<testcase classname='c' name='same'><failure/></testcase>"
    events = _parse(f"<testsuite name='s'>{case}{failed}{case}</testsuite>")

    assert [event.subject for event in events[:3]] == [
        "test:s/c/same",
        "test:s/c/same#2",
        "test:s/c/same#3",
    ]
    assert [_facts(event)["ordinal"] for event in events[:3]] == [0, 1, 2]
    assert len({event.id for event in events}) == 4


def test_attempts_are_events_and_only_the_last_is_final() -> None:
    body = """<testsuite name='p.T'><testcase classname='p.T' name='a'>
    <flakyFailure message='first'/><flakyError message='second'/></testcase></testsuite>"""
    events = _parse(body)[:-1]
    shown = [
        (
            _data(event)["subject"]["content"]["outcome"],
            _facts(event)["attempt"],
            _facts(event)["final"],
        )
        for event in events
    ]
    assert shown == [("failure", 1, False), ("error", 2, False), ("success", 3, True)]
    assert {event.subject for event in events} == {"test:p.T/a"}


def test_long_texts_stay_within_an_event_and_can_be_identified() -> None:
    text = "\N{SNOWMAN}" * 200_000
    events = _parse(
        f"<testsuite><testcase name='{'n' * 5000}'><failure message='{text}'>{text}</failure>"
        f"<system-err>{text}</system-err></testcase></testsuite>"
    )
    assert max(event.size_bytes for event in events) < 65_536
    facts = _facts(events[0])
    whole = hashlib.sha256(text.encode()).hexdigest()
    for name in ("text", "message", "system-err"):
        assert facts[name]["sha256"] == whole
        assert facts[name]["size_bytes"] == 600_000


def test_an_empty_report_is_recorded_only_on_request_and_is_no_success() -> None:
    with pytest.raises(RequestError, match="no test case"):
        _parse("<testsuite name='s'/>")
    [run] = _parse("<testsuite name='s'/>", allow_empty=True)
    assert _data(run)["subject"]["content"]["outcome"] == "cancel"
    assert _facts(run)["counts"]["total"] == 0


def test_no_run_given_makes_one_of_the_reports_digest() -> None:
    events = _parse(MIXED, run=None)
    digest = hashlib.sha256(MIXED.encode()).hexdigest()
    assert events[-1].subject == f"run:report-{digest[:16]}"


def test_nothing_of_the_host_that_ran_the_tests_is_copied() -> None:
    body = "<testsuite name='s' hostname='anas-laptop'><testcase name='a'/></testsuite>"
    assert all("anas-laptop" not in json.dumps(event.to_json()) for event in _parse(body))


def test_a_refused_report_yields_no_event() -> None:
    with pytest.raises(RequestError, match="after 1 whole case"):
        _parse("<testsuite><testcase name='a'/><testcase name='b'>")


def _schema(event_type: str) -> Any:
    parts = event_type.split(".")
    schema = json.loads((SCHEMAS / f"{parts[2]}{parts[3]}.json").read_bytes())
    # The members `links` are not ours to fill; the reference to their schema is not resolved.
    schema["properties"]["context"]["properties"].pop("links", None)
    schema.pop("$id", None)
    return jsonschema_rs.validator_for(schema)


def test_with_an_environment_the_documents_are_valid_cdevents() -> None:
    for event in _parse(MIXED):
        document = {
            name: one for name, one in _data(event).items() if name not in {"refs", "blobs"}
        }
        errors = [error.message for error in _schema(event.type).iter_errors(document)]
        assert errors == []


def test_without_one_the_missing_environment_is_all_that_is_wrong() -> None:
    """CDEvents demands it; we do not invent it."""
    for event in _parse(MIXED, environment=None):
        document = {
            name: one for name, one in _data(event).items() if name not in {"refs", "blobs"}
        }
        errors = [error.message for error in _schema(event.type).iter_errors(document)]
        required = [] if ".skipped." in event.type else ['"environment" is a required property']
        assert errors == required
