"""The GET calls: as of when, in parts, with proof."""

import json

import pytest

from counterfoil.tlog.checkpoint import verify_checkpoint
from counterfoil.tlog.keys import parse_vkey
from counterfoil.tlog.proof import verify_inclusion
from counterfoil.tlog.receipt import parse_receipt
from counterfoil.tlog.tree import TreeHead, leaf_hash
from tests.web_server import Running, event

LISTS = ["runs", "tests", "changes", "releases", "deployments"]


def record(web: Running, **members: object) -> int:
    answer = web.call("POST", "/v1/events", event(**members))
    assert answer.status == 201, answer.body
    return int(answer.json()["entries"][0]["index"])


@pytest.mark.parametrize("noun", LISTS)
def test_a_list_without_rows_is_an_empty_list(web: Running, noun: str) -> None:
    found = web.get(f"/v1/{noun}?project=other")

    assert found.status == 200, found.body
    assert found.json() == {
        "project": "other", "as_of": -1, "total": 0, "items": [], "next": None,
    }  # fmt: skip


@pytest.mark.parametrize("noun", LISTS)
def test_a_ref_nobody_heard_of_has_no_row(web: Running, noun: str) -> None:
    assert web.get(f"/v1/{noun}?ref=release:nothing@1").json()["items"] == []


def finished(run: str, outcome: str) -> dict[str, object]:
    """Return the members of a CDEvents document that ends a run."""
    return {
        "type": "dev.cdevents.testsuiterun.finished.0.3.0",
        "subject": run,
        "data": {
            "context": {"type": "dev.cdevents.testsuiterun.finished.0.3.0"},
            "subject": {"id": run, "content": {"outcome": outcome}},
            "refs": [],
        },
    }


def test_a_list_comes_in_parts_that_join_up(web: Running) -> None:
    refs = [f"run:acme/parts/{number}" for number in range(5)]
    for ref in refs:
        record(web, **finished(ref, "pass"))

    seen: list[str] = []
    cursor = ""
    for _ in range(50):
        part = web.get(f"/v1/runs?limit=2{cursor}").json()
        seen += [row["ref"] for row in part["items"]]
        if part["next"] is None:
            break
        assert len(part["items"]) == 2
        cursor = f"&cursor={part['next']}"

    assert len(seen) == len(set(seen)) == part["total"]
    assert set(refs) <= set(seen)


def test_a_row_is_as_it_was_known_then(web: Running) -> None:
    ref = "run:acme/then/1"
    before = record(web, **finished(ref, "fail"))
    record(web, **finished(ref, "pass"))

    def outcome(as_of: str) -> str:
        found = web.get(f"/v1/runs?ref={ref}{as_of}").json()
        return str(found["items"][0]["outcome"])

    assert outcome(f"&as_of={before}") == "failed"
    assert outcome("") == "passed"


def test_an_answer_says_as_of_which_entry_it_is(web: Running) -> None:
    index = record(web)
    entry = web.get(f"/v1/entries/{index}").json()["entry"]

    assert web.get(f"/v1/runs?as_of={index}").json()["as_of"] == index
    by_time = web.get(f"/v1/runs?as_of={entry['recordedtime']}").json()["as_of"]
    assert by_time >= index
    assert web.get("/v1/runs?as_of=2000-01-01T00:00:00Z").json()["as_of"] == -1


def test_a_moment_beyond_the_last_entry_is_refused(web: Running) -> None:
    refused = web.get("/v1/runs?as_of=9007199254740991")

    assert (refused.status, refused.code) == (400, "query_invalid")


def test_a_cursor_of_somebody_else_is_refused(web: Running) -> None:
    refused = web.get("/v1/runs?cursor=nonsense")

    assert (refused.status, refused.code) == (400, "query_invalid")


def test_a_trace_names_its_steps_and_gaps(web: Running) -> None:
    ref = "commit:acme/traced@9fceb02d0ae598e95dc970b74767f19372d61af8"
    members = finished("run:acme/traced/1", "pass")
    assert isinstance(members["data"], dict)
    members["data"]["refs"] = [{"ref": ref, "role": "input"}]
    index = record(web, **members)

    found = web.get(f"/v1/trace?ref={ref}").json()

    assert found["ref"] == ref
    assert index in [step["entry"] for step in found["steps"]]
    assert isinstance(found["gaps"], list)


@pytest.mark.parametrize(
    ("query", "code"),
    [("", "query_invalid"), ("?ref=", "query_invalid"), ("?ref=x", "ref_invalid")],
)
def test_a_trace_of_nothing_is_refused(web: Running, query: str, code: str) -> None:
    refused = web.get(f"/v1/trace{query}")

    assert (refused.status, refused.code) == (400, code)


def test_a_receipt_verifies_against_the_logs_key_alone(web: Running) -> None:
    index = record(web)
    vkey = parse_vkey((web.directory / "keys" / "default.vkey").read_text().strip())

    reply = web.get(f"/v1/entries/{index}/receipt")
    receipt = parse_receipt(reply.body)
    checkpoint = verify_checkpoint(receipt.checkpoint, [vkey])

    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    entry = web.get(f"/v1/entries/{index}").json()
    import base64

    leaf = leaf_hash(base64.b64decode(entry["bytes"]))
    assert leaf.hex() == entry["leaf_hash"]
    verify_inclusion(leaf, receipt.index, receipt.path, TreeHead(checkpoint.size, checkpoint.root))


def test_a_receipt_is_found_by_source_and_id(web: Running) -> None:
    index = record(web, id="find me", source="https://ci.example/a?b=c")

    found = web.get("/v1/receipts?source=https%3A%2F%2Fci.example%2Fa%3Fb%3Dc&id=find%20me").json()

    assert found["index"] == index
    assert parse_receipt(found["receipt"].encode()).index == index


@pytest.mark.parametrize("path", ["/v1/entries/{n}", "/v1/entries/{n}/receipt"])
@pytest.mark.parametrize("number", ["999999", "-1", "01", "1.0", "x", "%30%31", "9" * 40])
def test_an_entry_that_is_not_there_is_not_found(web: Running, path: str, number: str) -> None:
    refused = web.get(path.format(n=number))

    assert (refused.status, refused.code) == (404, "not_found")


def test_a_receipt_of_an_event_nobody_posted_is_not_found(web: Running) -> None:
    assert web.get("/v1/receipts?source=urn:x&id=y").code == "not_found"


def test_the_server_says_that_it_is_alive_and_ready(web: Running) -> None:
    assert web.get("/healthz").json() == {"status": "alive"}
    assert web.get("/readyz").json() == {"status": "ready", "reasons": []}


def test_head_answers_without_a_body(web: Running) -> None:
    reply = web.call("HEAD", "/v1/runs")

    assert (reply.status, reply.body) == (200, b"")


def test_the_openapi_document_is_served(web: Running) -> None:
    document = json.loads(web.call("GET", "/openapi.json", token=None).body)

    assert document["openapi"].startswith("3.1")
    assert "/v1/events" in document["paths"]
