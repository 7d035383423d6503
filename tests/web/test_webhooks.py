"""POST /v1/webhooks over HTTP: signatures first, raw bytes kept, senders told apart."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from counterfoil.demo import samples
from tests.web_server import Reply, Running

HERE = Path(__file__).parents[1] / "vectors"
CDEVENTS = sorted((HERE / "cdevents" / "v0.5.1").glob("*.json"))
SECRET = b"It's a Secret to Everybody"
PUSH = next(one.content for one in samples.deliveries() if one.name.startswith("push."))


@pytest.fixture(scope="module")
def hooked(web: Running) -> Running:
    web.home.state.add_webhook_source("shop", "github", "default", SECRET)
    web.home.state.add_webhook_source("elsewhere", "github", "other", SECRET)
    return web


def signature(body: bytes, secret: bytes = SECRET) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def deliver(
    web: Running, body: bytes, signed: str | None, name: str = "shop", **headers: str
) -> Reply:
    sent = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": hashlib.sha256(body).hexdigest(),
        **({"X-Hub-Signature-256": signed} if signed is not None else {}),
        **headers,
    }
    return web.call("POST", f"/v1/webhooks/{name}", body, sent, token=None)


def test_a_signed_delivery_is_recorded_under_its_sources_credential(hooked: Running) -> None:
    answer = deliver(hooked, PUSH, signature(PUSH))

    assert answer.status == 201
    entries = answer.json()["entries"]
    assert entries
    shown = hooked.get(f"/v1/entries/{entries[0]['index']}").json()
    assert shown["entry"]["via"] == "webhook"
    assert shown["entry"]["recordedby"] == "webhook:shop"


def test_the_raw_bytes_of_a_delivery_are_kept(hooked: Running) -> None:
    """The entry is what we understood; these bytes are what was said."""
    deliver(hooked, PUSH, signature(PUSH))

    assert hooked.get(f"/v1/blobs/sha256:{hashlib.sha256(PUSH).hexdigest()}").body == PUSH


def test_the_same_delivery_again_is_answered_with_the_same_entries(hooked: Running) -> None:
    first = deliver(hooked, PUSH, signature(PUSH)).json()["entries"]
    size = hooked.size()

    again = deliver(hooked, PUSH, signature(PUSH)).json()["entries"]

    assert [one["index"] for one in again] == [one["index"] for one in first]
    assert {one["status"] for one in again} == {"duplicate"}
    assert hooked.size() == size


@pytest.mark.parametrize(
    "signed",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        signature(PUSH, b"another secret"),
        signature(PUSH + b" "),
        signature(PUSH).upper(),
        "sha1=" + hmac.new(SECRET, PUSH, hashlib.sha1).hexdigest(),
    ],
    ids=["none", "empty", "no digits", "zeros", "another secret", "other bytes", "upper", "sha1"],
)
def test_a_delivery_with_a_bad_signature_is_refused_and_keeps_nothing(
    hooked: Running, signed: str | None
) -> None:
    size = hooked.size()
    body = PUSH + b"\n\n"
    refused = deliver(hooked, body, signed)

    assert (refused.status, refused.code) == (401, "webhook_signature")
    assert hooked.size() == size
    name = hashlib.sha256(body).hexdigest()
    assert hooked.get(f"/v1/blobs/sha256:{name}").status == 404


def test_githubs_own_signature_vectors_are_accepted_and_refused(hooked: Running) -> None:
    """The bodies are no deliveries: past the signature they fail as payloads, not as forgeries."""
    vectors = json.loads((HERE / "webhooks" / "github-signatures.json").read_text())["vectors"]
    checked: list[bool] = []
    for number, vector in enumerate(vectors):
        name = f"vector-{number}"
        hooked.home.state.add_webhook_source(name, "github", "default", vector["secret"].encode())
        body = vector["body"].encode()
        refused = deliver(hooked, body, vector["headers"].get("X-Hub-Signature-256"), name)
        assert (refused.code != "webhook_signature") == vector["valid"], vector
        checked.append(vector["valid"])
    assert set(checked) == {True, False}


def test_a_rotated_secret_and_the_one_before_both_pass(hooked: Running) -> None:
    hooked.home.state.add_webhook_source("turning", "github", "default", b"one")
    hooked.home.state.rotate_webhook_secret("turning", b"two")
    body = PUSH + b" "

    assert deliver(hooked, body, signature(body, b"one"), "turning").status == 201
    assert deliver(hooked, body, signature(body, b"two"), "turning").status == 201
    hooked.home.state.rotate_webhook_secret("turning", b"three")
    assert deliver(hooked, body, signature(body, b"one"), "turning").status == 401


def test_a_source_records_into_the_project_it_was_set_up_for(hooked: Running) -> None:
    sizes = hooked.size(), hooked.size("other")

    assert deliver(hooked, PUSH, signature(PUSH), "elsewhere").status == 201
    refused = deliver(hooked, PUSH, signature(PUSH), "elsewhere?project=default")

    assert hooked.size() == sizes[0]
    assert hooked.size("other") > sizes[1]
    assert (refused.status, refused.code) == (400, "query_invalid")


def test_a_source_nobody_set_up_is_not_found(hooked: Running) -> None:
    refused = deliver(hooked, PUSH, signature(PUSH), "nobody")

    assert (refused.status, refused.code) == (404, "source_unknown")


@pytest.mark.parametrize(
    ("name", "code"),
    [("nobody", "source_unknown"), ("shop", "webhook_signature"), ("cdevents", "token_missing")],
)
def test_a_body_that_nothing_could_make_good_is_not_waited_for(
    hooked: Running, name: str, code: str
) -> None:
    """Twenty-five MiB in memory is nothing to give to whoever asks."""
    headers = {"Content-Length": str(25 * 2**20), "Content-Type": "application/json"}
    refused = hooked.call("POST", f"/v1/webhooks/{name}", None, headers, token=None)

    assert refused.code == code


@pytest.mark.parametrize("name", ["..%2f..", "Shop", "shop%00", "sh%20op", "x" * 64])
def test_a_name_no_source_can_have_is_not_found(hooked: Running, name: str) -> None:
    assert deliver(hooked, PUSH, signature(PUSH), name).status == 404


def test_a_signed_body_that_is_no_json_is_refused(hooked: Running) -> None:
    size = hooked.size()
    refused = deliver(hooked, b"{", signature(b"{"))

    assert refused.status in {400, 422}
    assert hooked.size() == size


def test_a_delivery_over_25_mib_is_refused(hooked: Running) -> None:
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(25 * 1024 * 1024 + 1),
        "X-Hub-Signature-256": f"sha256={'0' * 64}",
    }
    refused = hooked.call("POST", "/v1/webhooks/shop", b"", headers, token=None)

    assert (refused.status, refused.code) == (413, "body_too_large")


def test_a_webhooks_credential_reads_nothing(hooked: Running) -> None:
    """A signature covers a body; a GET has none."""
    assert hooked.call("GET", "/v1/webhooks/shop", token=None).status == 405


# CDEvents


def cdevent(web: Running, body: bytes, headers: dict[str, str], query: str = "") -> Reply:
    return web.call("POST", f"/v1/webhooks/cdevents{query}", body, headers)


@pytest.mark.parametrize("path", CDEVENTS, ids=lambda path: path.stem)
def test_each_official_cdevent_is_recorded_and_kept_as_it_came(web: Running, path: Path) -> None:
    """The examples all have one id, so each gets its own; nothing else is touched."""
    original = path.read_bytes()
    body = original.replace(json.loads(original)["context"]["id"].encode(), path.stem.encode(), 1)
    document = json.loads(body)

    answer = cdevent(web, body, {"Content-Type": "application/json"})

    assert answer.status == 201, answer.body
    [entry] = answer.json()["entries"]
    shown = web.get(f"/v1/entries/{entry['index']}").json()
    assert shown["entry"]["type"] == document["context"]["type"]
    assert shown["event"]["data"]["subject"] == document["subject"]
    assert shown["event"]["actorclaim"] == "none"
    digest = hashlib.sha256(body).hexdigest()
    assert [blob["digest"] for blob in shown["blobs"]] == [f"sha256:{digest}"]
    assert web.get(f"/v1/blobs/sha256:{digest}").body == body


def test_there_are_45_official_cdevents() -> None:
    assert len(CDEVENTS) == 45


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_a_cdevent_in_a_cloudevent_is_the_same_event(web: Running, mode: str) -> None:
    document: dict[str, Any] = json.loads(CDEVENTS[0].read_bytes())
    document["context"]["id"] = f"wrapped-{mode}"
    context = document["context"]
    if mode == "structured":
        body = {
            "specversion": "1.0", "id": context["id"], "source": context["source"],
            "type": context["type"], "time": context["timestamp"], "data": document,
        }  # fmt: skip
        headers = {"Content-Type": "application/cloudevents+json"}
    else:
        body = document
        headers = {
            "Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": context["id"],
            "ce-source": context["source"], "ce-type": context["type"],
        }  # fmt: skip

    answer = cdevent(web, json.dumps(body).encode(), headers)

    assert answer.status == 201, answer.body
    shown = web.get(f"/v1/entries/{answer.json()['entries'][0]['index']}").json()
    assert shown["entry"]["id"] == context["id"]
    assert shown["event"]["data"]["subject"] == document["subject"]


def test_a_cdevent_without_a_token_is_refused(web: Running) -> None:
    """They are not signed, so the sender's token is all that says who it is."""
    size = web.size()
    refused = web.call(
        "POST", "/v1/webhooks/cdevents", CDEVENTS[0].read_bytes(),
        {"Content-Type": "application/json"}, token=None,
    )  # fmt: skip

    assert (refused.status, refused.code) == (401, "token_missing")
    assert web.size() == size


def test_a_cdevent_goes_to_the_project_it_is_sent_to(web: Running) -> None:
    size = web.size("other")
    headers = {"Content-Type": "application/json"}

    assert cdevent(web, CDEVENTS[0].read_bytes(), headers, "?project=other").status == 201
    assert web.size("other") == size + 1


def test_another_cdevent_under_a_recorded_id_is_a_conflict(web: Running) -> None:
    headers = {"Content-Type": "application/json"}
    bodies = [path.read_bytes() for path in CDEVENTS[:2]]

    first, again, other = (cdevent(web, body, headers) for body in (bodies[0], *bodies))

    assert (first.status, again.status) == (201, 201)
    assert again.json()["entries"][0]["status"] == "duplicate"
    assert (other.status, other.code) == (409, "id_conflict")


def test_what_is_no_cdevent_is_refused(web: Running) -> None:
    size = web.size()
    refused = cdevent(web, b'{"context": {}}', {"Content-Type": "application/json"})

    assert (refused.status, refused.code) == (422, "webhook_payload")
    assert web.size() == size
