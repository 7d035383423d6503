"""CDEvents of any tool come in as they are, and the entry says that they claim no actor."""

import json
from pathlib import Path
from typing import Any

import pytest

from counterfoil.errors import RequestError
from counterfoil.events.event import Event
from counterfoil.events.naming import BlobName
from counterfoil.sources.cdevents import parse_cdevents

VECTORS = Path(__file__).parents[1] / "vectors" / "cdevents"
CONFORMANCE = {path.stem: path.read_bytes() for path in (VECTORS / "v0.5.1").glob("*.json")}
DRAFTS = {path.stem: path.read_bytes() for path in (VECTORS / "v0.6.0-draft").glob("a*.json")}
BLOB = BlobName("sha256:" + "0" * 64, "cdevent.json", "application/json")
RECEIVED = "2026-11-20T12:00:00.000Z"


def _parse(
    body: bytes, headers: dict[str, str] | None = None, blob: BlobName | None = None
) -> tuple[Event, ...]:
    return parse_cdevents(
        {"Content-Type": "application/json"} if headers is None else headers,
        body,
        source_default="urn:counterfoil:webhook:ci",
        credential="token:ci",
        received=RECEIVED,
        blob=blob,
    )


def _code(body: bytes, headers: dict[str, str] | None = None) -> str:
    with pytest.raises(RequestError) as refused:
        _parse(body, headers)
    return refused.value.code


def test_the_conformance_set_is_whole() -> None:
    assert len(CONFORMANCE) == 45


@pytest.mark.parametrize("name", sorted(CONFORMANCE))
def test_a_conformance_document_is_kept_word_for_word(name: str) -> None:
    document = json.loads(CONFORMANCE[name])
    [event] = _parse(CONFORMANCE[name])
    assert event.data == document
    assert event.type == document["context"]["type"]
    assert (event.id, event.source, event.time) == (
        document["context"]["id"],
        document["context"]["source"],
        document["context"]["timestamp"],
    )


@pytest.mark.parametrize("name", sorted(DRAFTS))
def test_a_draft_type_is_kept_too(name: str) -> None:
    [event] = _parse(DRAFTS[name])
    assert event.data == json.loads(DRAFTS[name])


def test_the_credential_is_the_actor_and_the_event_says_that_nobody_was_claimed() -> None:
    [event] = _parse(CONFORMANCE["change_merged"])
    assert (event.authtype, event.authid) == ("service_account", "token:ci")
    assert event.extra["actorclaim"] == "none"


def test_the_raw_bytes_are_named_beside_the_document() -> None:
    [event] = _parse(CONFORMANCE["change_merged"], blob=BLOB)
    assert event.blobs == (BLOB,)
    assert isinstance(event.data, dict)
    document = {name: one for name, one in event.data.items() if name != "blobs"}
    assert document == json.loads(CONFORMANCE["change_merged"])


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("change_merged", "change:mySubject123"),
        ("pipelinerun_finished", "run:mySubject123"),
        ("environment_created", "env:mySubject123"),
        ("ticket_closed", "ticket:ticket-123"),
        ("artifact_signed", None),
    ],
)
def test_the_subject_is_a_ref_where_the_noun_is_one_of_our_kinds(
    name: str, subject: str | None
) -> None:
    [event] = _parse(CONFORMANCE[name])
    assert event.subject == subject


def _wrapped(document: Any, **changes: Any) -> dict[str, Any]:
    context = document["context"]
    envelope = {
        "specversion": "1.0",
        "id": context["id"],
        "source": context["source"],
        "type": context["type"],
        "time": context["timestamp"],
        "datacontenttype": "application/json",
        "data": document,
    }
    return {**envelope, **changes}


@pytest.mark.parametrize(
    "mediatype", ["application/cloudevents+json; charset=utf-8", "application/json"]
)
def test_a_structured_cloudevent_is_the_same_event(mediatype: str) -> None:
    document = json.loads(CONFORMANCE["build_finished"])
    body = json.dumps(_wrapped(document, traceparent="00-aa-bb-01")).encode()
    [event] = _parse(body, {"content-type": mediatype})
    [bare] = _parse(CONFORMANCE["build_finished"])
    assert event.data == bare.data
    assert (event.id, event.type, event.source) == (bare.id, bare.type, bare.source)
    assert event.extra["traceparent"] == "00-aa-bb-01"


def test_a_binary_cloudevent_is_the_same_event() -> None:
    [bare] = _parse(CONFORMANCE["build_finished"])
    headers = {
        "Content-Type": "application/json",
        "CE-SpecVersion": "1.0",
        "CE-Type": bare.type,
        "CE-Id": bare.id,
        "CE-Source": "/event/source/123",
        "Ce-Traceparent": "00-aa%20-01",
    }
    [event] = _parse(CONFORMANCE["build_finished"], headers)
    assert event.data == bare.data
    assert event.extra["traceparent"] == "00-aa -01"


def test_a_batch_is_as_many_events() -> None:
    documents = [json.loads(CONFORMANCE[name]) for name in ("build_queued", "build_started")]
    body = json.dumps([_wrapped(one) for one in documents]).encode()
    events = _parse(body, {"content-type": "application/cloudevents-batch+json"})
    assert [event.data for event in events] == documents


def test_a_shape_of_an_older_version_is_taken_as_it_is() -> None:
    """Testkube still sends `context.version`."""
    document = {
        "context": {
            "version": "0.2.0",
            "id": "old-1",
            "source": "testkube-dev-123",
            "type": "dev.cdevents.testcaserun.finished.0.1.0",
            "timestamp": "2023-03-20T14:27:05.315384Z",
        },
        "subject": {"id": "run-1", "type": "testCaseRun", "content": {"outcome": "pass"}},
    }
    [event] = _parse(json.dumps(document).encode())
    assert event.type == "dev.cdevents.testcaserun.finished.0.1.0"
    assert event.data == document


def test_a_document_without_source_or_time_gets_ours() -> None:
    document = json.loads(CONFORMANCE["build_queued"])
    del document["context"]["source"], document["context"]["timestamp"]
    [event] = _parse(json.dumps(document).encode())
    assert (event.source, event.time) == ("urn:counterfoil:webhook:ci", RECEIVED)
    assert event.extra["timeclaim"] == "none"


def test_what_the_context_leaves_out_the_wrapper_may_say() -> None:
    document = json.loads(CONFORMANCE["build_queued"])
    body = json.dumps(_wrapped(document, data={"context": {}, "subject": {"id": "b"}})).encode()
    [event] = _parse(body, {"content-type": "application/cloudevents+json"})
    assert (event.id, event.type) == (document["context"]["id"], document["context"]["type"])


def test_a_wrapper_cannot_speak_for_the_server_or_for_an_actor() -> None:
    document = json.loads(CONFORMANCE["build_queued"])
    body = json.dumps(
        _wrapped(
            document,
            authid="ana",
            authtype="user",
            recordedby="me",
            via="web",
            actorclaim="x",
            timeclaim="x",
        )
    ).encode()
    [event] = _parse(body, {"content-type": "application/cloudevents+json"})
    assert event.authid == "token:ci"
    assert event.extra == {"actorclaim": "none"}, "timeclaim is ours to say too"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": "another"}, "the wrapper names another id"),
        ({"type": "dev.cdevents.build.started.0.3.0"}, "the wrapper names another type"),
        ({"data": None}, "no document"),
        ({"data": {"subject": {"id": "x"}}}, "no context"),
        ({"data": {"context": [], "subject": {}}}, "a context that is no object"),
    ],
)
def test_a_wrapper_that_does_not_fit_is_refused(change: dict[str, Any], why: str) -> None:
    document = json.loads(CONFORMANCE["build_queued"])
    body = json.dumps(_wrapped(document, **change)).encode()
    assert _code(body, {"content-type": "application/cloudevents+json"}) == "webhook_payload", why


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "json_broken"),
        (b"[]", "webhook_payload"),
        (b'{"hello": 1}', "webhook_payload"),
        (b'{"context": {"type": "com.example.x", "id": "1"}, "subject": {}}', "webhook_payload"),
        (
            b'{"context": {"type": "dev.cdevents.build.queued.0.3.0"}, "subject": {}}',
            "webhook_payload",
        ),
    ],
)
def test_what_is_no_cdevent_is_refused_by_name(body: bytes, code: str) -> None:
    assert _code(body) == code
