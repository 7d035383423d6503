"""POST /v1/events over HTTP: each rule of posting, and that a refusal records nothing."""

import base64
import json
from typing import Any

import pytest

from counterfoil.events.event import parse_event
from counterfoil.tlog.receipt import parse_receipt
from tests.web_server import Running, event

BATCH = "application/cloudevents-batch+json"


def post(web: Running, body: Any, content_type: str = "application/json", query: str = "") -> Any:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return web.call("POST", f"/v1/events{query}", sent, {"Content-Type": content_type})


def test_an_event_is_answered_with_its_index_and_receipt(web: Running) -> None:
    size = web.size()
    posted = event()

    answer = post(web, posted)

    assert answer.status == 201
    [entry] = answer.json()["entries"]
    assert (entry["id"], entry["index"], entry["status"]) == (posted["id"], size, "recorded")
    receipt = parse_receipt(entry["receipt"].encode())
    assert receipt.index == size
    assert set(entry["opening"]) >= {"body", "authid"}
    assert all(len(base64.b64decode(key)) == 32 for key in entry["opening"].values())


def test_the_receipt_holds_the_entry_that_is_served(web: Running) -> None:
    entry = post(web, event()).json()["entries"][0]

    shown = web.get(f"/v1/entries/{entry['index']}").json()
    extra = parse_receipt(entry["receipt"].encode()).extra

    assert extra is not None
    assert shown["bytes"] in {extra.decode(), base64.b64encode(extra).decode()}
    assert shown["event"]["id"] == entry["id"]


def test_a_batch_is_recorded_in_the_order_sent(web: Running) -> None:
    size = web.size()
    events = [event() for _ in range(5)]

    entries = post(web, events, BATCH).json()["entries"]

    assert [entry["id"] for entry in entries] == [one["id"] for one in events]
    assert [entry["index"] for entry in entries] == list(range(size, size + 5))


def test_newline_delimited_events_are_a_batch(web: Running) -> None:
    lines = b"\n".join(json.dumps(event()).encode() for _ in range(3)) + b"\n"

    assert len(post(web, lines, "application/x-ndjson").json()["entries"]) == 3


def test_the_same_event_again_is_a_duplicate_with_the_same_index(web: Running) -> None:
    posted = event()
    first = post(web, posted).json()["entries"][0]
    size = web.size()

    # Members in another order are the same event: the digest is over the RFC 8785 form.
    again = post(web, dict(reversed(posted.items()))).json()["entries"][0]

    assert (again["index"], again["status"]) == (first["index"], "duplicate")
    assert again["opening"] == first["opening"]
    assert web.size() == size


def test_the_same_key_with_other_content_names_the_entry_it_conflicts_with(web: Running) -> None:
    posted = event()
    index = post(web, posted).json()["entries"][0]["index"]

    refused = post(web, {**posted, "data": {"outcome": "failure"}})

    assert (refused.status, refused.code) == (409, "id_conflict")
    assert refused.json()["index"] == index
    assert refused.json()["position"] == 0


def test_the_same_key_twice_in_a_batch_is_recorded_once(web: Running) -> None:
    posted = event()

    first, second = post(web, [posted, posted], BATCH).json()["entries"]

    assert (first["status"], second["status"]) == ("recorded", "duplicate")
    assert first["index"] == second["index"]


def test_a_batch_with_one_bad_event_records_nothing_and_names_its_position(web: Running) -> None:
    size = web.size()
    good, bad = event(), event(authid=None)

    refused = post(web, [good, bad], BATCH)

    assert (refused.status, refused.code) == (400, "actor_missing")
    assert refused.json()["position"] == 1
    assert web.size() == size
    assert post(web, good).json()["entries"][0]["status"] == "recorded"


def test_a_batch_with_one_conflict_records_nothing_and_names_its_position(web: Running) -> None:
    taken = event()
    index = post(web, taken).json()["entries"][0]["index"]
    size = web.size()

    refused = post(web, [event(), event(), {**taken, "subject": "run:other"}], BATCH)

    assert refused.status == 409
    assert (refused.json()["position"], refused.json()["index"]) == (2, index)
    assert web.size() == size


REFUSED: dict[str, tuple[bytes, int, str]] = {
    "no JSON": (b"{", 400, "json_broken"),
    "nothing": (b"", 400, "json_broken"),
    "no UTF-8": (b'{"id": "\xff"}', 400, "json_broken"),
    "NaN": (json.dumps(event(data={"x": float("nan")})).encode(), 400, "json_number"),
    "an infinity": (json.dumps(event(data={"x": float("inf")})).encode(), 400, "json_number"),
    "an integer beyond 2^53-1": (json.dumps(event(data=2**53)).encode(), 400, "json_number"),
    "a duplicate member": (b'{"id":"1","id":"2"}', 400, "json_duplicate_member"),
    "a lone surrogate": (b'{"id":"\\ud800"}', 400, "json_surrogate"),
    "a hundred thousand brackets": (b"[" * 100_000, 413, "event_too_large"),
    "a thousand brackets": (b"[" * 1_000 + b"]" * 1_000, 400, "json_depth"),
    "no id": (json.dumps(event(id=None)).encode(), 400, "attribute_missing"),
    "no time": (json.dumps(event(time=None)).encode(), 400, "attribute_missing"),
    "an actor without an id": (json.dumps(event(authid=None)).encode(), 400, "actor_missing"),
    "an actor without a type": (json.dumps(event(authtype=None)).encode(), 400, "actor_missing"),
    "a recordedtime": (
        json.dumps(event(recordedtime="2026-11-20T12:00:00Z")).encode(), 400, "server_attribute",
    ),
    "a recordedby": (json.dumps(event(recordedby="me")).encode(), 400, "server_attribute"),
    "a via": (json.dumps(event(via="api")).encode(), 400, "server_attribute"),
    "a name with a capital": (json.dumps(event(Branch="x")).encode(), 400, "attribute_invalid"),
    "an object as attribute": (json.dumps(event(x={})).encode(), 400, "attribute_invalid"),
    "a time that never was": (
        json.dumps(event(time="2026-02-30T12:00:00Z")).encode(), 400, "attribute_invalid",
    ),
    "a ref without a kind": (
        json.dumps(event(data={"refs": [{"ref": "nothing", "role": "input"}]})).encode(),
        400, "ref_invalid",
    ),
    "65,537 bytes": (json.dumps(event(data="x" * 65_537)).encode(), 413, "event_too_large"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_breaks_a_rule_is_refused_by_name_and_changes_nothing(web: Running, what: str) -> None:
    body, status, code = REFUSED[what]
    size = web.size()

    refused = post(web, body)

    assert (refused.status, refused.code) == (status, code)
    assert "\n" not in refused.json()["detail"]
    assert web.size() == size


def test_1001_events_are_too_many(web: Running) -> None:
    size = web.size()

    refused = post(web, [event() for _ in range(1_001)], BATCH)

    assert (refused.status, refused.code) == (413, "batch_too_large")
    assert web.size() == size


def test_1000_events_are_not_too_many(web: Running) -> None:
    size = web.size("other")

    answer = post(web, [event() for _ in range(1_000)], BATCH, "?project=other")

    assert len(answer.json()["entries"]) == 1_000
    assert web.size("other") == size + 1_000


def test_an_empty_batch_is_refused(web: Running) -> None:
    assert post(web, [], BATCH).code == "batch_empty"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "", "application/x-www-form-urlencoded"]
)
def test_another_content_type_is_refused(web: Running, content_type: str) -> None:
    refused = post(web, event(), content_type)

    assert (refused.status, refused.code) == (415, "content_type")


def test_projects_do_not_share_keys_or_numbers(web: Running) -> None:
    posted = event()
    size = web.size("other")

    here = post(web, posted).json()["entries"][0]
    there = post(web, posted, query="?project=other").json()["entries"][0]

    assert here["status"] == there["status"] == "recorded"
    # Nothing else is sent to that project, refused requests included: its next number is known.
    assert there["index"] == size
    for index, project in ((here["index"], "default"), (there["index"], "other")):
        entry = web.get(f"/v1/entries/{index}?project={project}").json()["entry"]
        assert entry["id"] == posted["id"]


@pytest.mark.parametrize(
    ("project", "status", "code"),
    [
        ("nobody", 404, "project_unknown"),
        ("Default", 400, "project_invalid"),
        ("../default", 400, "project_invalid"),
        ("", 400, "project_invalid"),
        ("_aggregate", 400, "project_invalid"),
        ("x" * 64, 400, "project_invalid"),
    ],
)
def test_a_project_that_is_not_there_is_refused(
    web: Running, project: str, status: int, code: str
) -> None:
    refused = post(web, event(), query=f"?project={project}")

    assert (refused.status, refused.code) == (status, code)


def test_an_event_of_an_unknown_type_comes_back_as_it_was_posted(web: Running) -> None:
    posted = event(type="org.unheard.of", weather="rain", level=3, data={"a": [1, None, "ü"]})

    index = post(web, posted).json()["entries"][0]["index"]

    shown = web.get(f"/v1/entries/{index}").json()["event"]
    assert parse_event(shown) == parse_event(posted)


def test_a_refused_write_becomes_a_counted_event(web: Running) -> None:
    """Attempts are evidence; a thousand of them in a minute are one entry."""
    size = web.home.ledger.status("default").size
    for _ in range(3):
        post(web, b"{")
    web.home.recorder.record_refusals(everything=True)

    end = web.home.ledger.status("default").size
    entries = [web.get(f"/v1/entries/{at}").json() for at in range(size, end)]
    counted = [
        one["event"]["data"]
        for one in entries
        if one["entry"]["type"].startswith("dev.cdeventsx.counterfoil-refusal.counted.")
    ]
    broken = [one for one in counted if one["reason"] == "json_broken"]

    # Two, if a minute ended between them.
    assert 1 <= len(broken) <= 2
    assert sum(one["count"] for one in broken) >= 3
    assert {one["source"] for one in broken} == {"POST /v1/events"}
    assert {one["credential"] for one in broken} == {"token:admin"}
