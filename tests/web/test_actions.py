"""Actions over HTTP: the same words, checks and events as near."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.actions import act as act_near
from counterfoil.app.actions import actions
from counterfoil.app.record import LOCAL
from tests.own_token import own_token
from tests.web_server import Reply, Running, event, running

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs/http.md").read_text("utf-8").split("## Actions", 1)[1].split("\n## ", 1)[0]
ACCESS = "?project=_access"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of its own: what is granted here must not reach other tests."""
    with running(tmp_path_factory.mktemp("actions") / "ledger") as server:
        yield server


def act(web: Running, action: str, token: str = "", /, **given: Any) -> Reply:
    return web.call("POST", f"/v1/actions/{action}", given, token=token)


def issue(web: Running, name: str, **more: Any) -> dict[str, Any]:
    made = act(web, "token-issue", name=name, projects=["default"], **more)
    assert made.status == 200, made.body
    answer: dict[str, Any] = made.json()
    return answer


def post(web: Running, token: str, **members: Any) -> Reply:
    return web.call("POST", "/v1/events", event(**members), token=token)


def test_the_docs_have_every_action_with_its_verb_and_no_other() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \| `([a-z]+)` \| (.*) \|$", DOCS, re.MULTILINE)

    assert told == [(one.name, one.verb, one.doc) for one in actions().values()]


def test_what_an_action_changes_is_an_entry_by_whoever_did_it(web: Running) -> None:
    done = act(web, "actor-describe", handle="dana", name="Dana Dev").json()

    entry = web.get(f"/v1/entries/{done['entries'][0]}{ACCESS}").json()

    assert done["said"] == "dana is known as a person"
    assert entry["event"]["type"] == "dev.cdeventsx.counterfoil-actor.described.0.1.0"
    assert entry["actor"]["credential"] == "token:admin"
    assert entry["event"]["data"]["name"] == "Dana Dev"


@pytest.mark.parametrize(
    ("name", "given", "status", "code"),
    [
        pytest.param("no-such", {}, 404, "not_found", id="no such action"),
        pytest.param("role-grant", {"to": "x"}, 400, "usage", id="a field is missing"),
        pytest.param(
            "role-grant", {"to": "x", "role": "viewer", "rool": 1}, 400, "usage", id="a typo"
        ),
        pytest.param(
            "role-grant", {"to": "nobody", "role": "viewer"}, 404, "actor_unknown", id="nobody"
        ),
        pytest.param("actor-describe", {"handle": "Ána"}, 400, "usage", id="no handle"),
        pytest.param(
            "actor-describe", {"handle": "bot", "kind": "agent"}, 400, "usage", id="for nobody"
        ),
    ],
)
def test_what_an_action_refuses_changes_nothing(
    web: Running, name: str, given: dict[str, Any], status: int, code: str
) -> None:
    before = web.size("_access")

    refused = web.call("POST", f"/v1/actions/{name}", given)

    assert (refused.status, refused.code) == (status, code)
    assert web.size("_access") == before


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"a": 1} x', b"\xff", b'{"a":' * 5_000])
def test_a_body_that_is_no_object_is_refused(web: Running, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert web.call("POST", "/v1/actions/role-grant", body, headers).code == "json_broken"


def test_a_stranger_does_nothing(web: Running) -> None:
    refused = web.call("POST", "/v1/actions/role-grant", {"to": "x", "role": "viewer"}, token=None)

    assert (refused.status, refused.code) == (401, "token_missing")


def test_a_token_is_shown_once_and_kept_nowhere(web: Running) -> None:
    made = issue(web, "shown-once")

    everything = b"".join(path.read_bytes() for path in web.directory.rglob("*") if path.is_file())
    assert made["token"].encode() not in everything
    assert made["token"].removeprefix("cft_").encode() not in everything
    assert bytes.fromhex(made["token"].removeprefix("cft_")) not in everything
    assert post(web, made["token"], id="shown-once").status == 201


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("GET", "/v1/runs", None, id="reading"),
        pytest.param("GET", "/v1/entries/0?project=_access", None, id="reading who may"),
        pytest.param("POST", "/v1/events?project=other", event(id="x1"), id="another project"),
        pytest.param("POST", "/v1/events?project=_access", event(id="x2"), id="the access log"),
        pytest.param(
            "POST", "/v1/actions/role-grant", {"to": "dana", "role": "administrator"}, id="acting"
        ),
        pytest.param(
            "POST", "/v1/events", event(id="x3", source="urn:another"), id="another source"
        ),
    ],
)
def test_a_token_outside_its_scope_is_refused(
    web: Running, method: str, path: str, body: Any
) -> None:
    made = issue(web, f"scoped-{abs(hash(path + str(body)))}", sources=["https://ci.example/"])

    refused = web.call(method, path, body, token=made["token"])

    assert refused.status in {403, 404}
    assert refused.code in {"not_allowed", "project_unknown"}


def test_a_revoked_token_lets_nobody_in(web: Running) -> None:
    made = issue(web, "revoked")
    assert post(web, made["token"], id="before-revoked").status == 201

    act(web, "token-revoke", token=made["id"], reason="found in a build log")

    refused = post(web, made["token"], id="after-revoked")
    assert (refused.status, refused.code) == (401, "token_invalid")


def test_a_removed_person_s_token_lets_nobody_in(web: Running) -> None:
    act(web, "actor-describe", handle="leaver")
    act(web, "role-grant", to="leaver", role="developer")
    token = own_token(web.home, "leaver", name="hers", projects=["default"]).token
    assert post(web, token, id="before-left").status == 201

    act(web, "actor-remove", handle="leaver", reason="left")

    assert post(web, token, id="after-left").code == "token_invalid"


def test_a_token_whose_holder_has_no_role_records_nothing(web: Running) -> None:
    act(web, "actor-describe", handle="roleless", kind="service")
    made = issue(web, "idle", holder="roleless")

    refused = post(web, made["token"], id="roleless")

    assert (refused.status, refused.code) == (403, "not_allowed")
    assert "needs one of the roles" in refused.json()["detail"]


def test_a_role_taken_back_counts_from_the_next_request(web: Running) -> None:
    act(web, "actor-describe", handle="mover", kind="service")
    grant = act(web, "role-grant", to="mover", role="developer").json()["grant"]
    made = issue(web, "moving", holder="mover")
    assert post(web, made["token"], id="before-moved").status == 201

    act(web, "role-revoke", grant=grant)

    assert post(web, made["token"], id="after-moved").code == "not_allowed"


def test_last_use_is_known(web: Running) -> None:
    made = issue(web, "used")
    for number in range(3):
        post(web, made["token"], id=f"used-{number}")

    last, uses = web.home.tokens.uses()[made["id"]]

    assert uses == 3
    assert last > "2026"


def test_a_leaked_token_s_whole_life_is_one_search(web: Running) -> None:
    """Made, used, refused, revoked: each log says its part under the same word."""
    made = issue(web, "leaked")
    used = post(web, made["token"], id="leaked-1").json()["entries"][0]["index"]
    web.call("GET", "/v1/runs", token=made["token"])
    act(web, "token-revoke", token=made["id"], reason="leaked")
    web.home.recorder.record_refusals(everything=True)

    word = f"/v1/search?q=ref:{made['id']}"
    here = web.get(word).json()["items"]
    access = web.get(f"{word}&project=_access").json()["items"]

    kinds = [one["type"].removeprefix("dev.cdeventsx.counterfoil-")[:-6] for one in here]
    assert "refusal.counted" in kinds
    assert used in [one["index"] for one in here]
    assert [one["type"].split("-")[1] for one in access] == [
        "token.revoked.0.1.0", "token.issued.0.1.0",
    ]  # fmt: skip


def test_a_refusal_says_who_what_why_and_from_where(web: Running) -> None:
    made = issue(web, "tries")
    web.call("GET", "/v1/runs", token=made["token"])
    web.home.recorder.record_refusals(everything=True)
    web.settle()

    [line] = web.get(f"/v1/search?q=ref:{made['id']}").json()["items"]
    told = web.get(f"/v1/entries/{line['index']}").json()["event"]["data"]

    assert told["reason"] == "not_allowed"
    assert told["tried"] == "GET /v1/runs"
    assert told["credential"] == made["id"]
    assert (told["addresses"], told["from"]) == (1, ["127.0.0.1"])
    assert "is not for read" in told["why"]
    assert {"ref": "actor:counterfoil:tries", "role": "refused"} in told["refs"]


def test_wrong_tokens_become_one_entry_a_minute_and_lock_nobody_out(web: Running) -> None:
    good = issue(web, "good")
    web.home.recorder.record_refusals(everything=True)
    before = web.home.ledger.status("default").size
    for number in range(300):
        assert post(web, f"cft_{number:064x}", id="never").status == 401
    assert post(web, good["token"], id="still-good").status == 201
    web.home.recorder.record_refusals(everything=True)

    assert web.home.ledger.status("default").size - before <= 3


def test_an_action_refused_far_is_done_by_whoever_may_near(web: Running) -> None:
    act(web, "actor-describe", handle="reader", kind="service")
    act(web, "role-grant", to="reader", role="viewer")
    made = issue(web, "reading", holder="reader", verbs=["*"])

    refused = act(web, "actor-remove", made["token"], handle="dana")

    assert (refused.status, refused.code) == (403, "not_allowed")
    assert act_near(web.home, LOCAL, "actor-describe", {"handle": "near"}, "cli").entries


def test_one_search_reaches_every_log_the_caller_may_read(web: Running) -> None:
    made = issue(web, "wide")
    used = post(web, made["token"], id="wide-1").json()["entries"][0]["index"]

    found = web.get(f"/v1/search/everywhere?q=ref:{made['id']}").json()

    newest = found["items"][0]
    assert (newest["project"], newest["entry"]["index"]) == ("default", used)
    assert {one["project"] for one in found["logs"]} == {"default", "_access"}
    assert found["total"] == 2


def test_one_search_leaves_out_what_the_caller_may_not_read(web: Running) -> None:
    act(web, "actor-describe", handle="narrow", kind="service")
    act(web, "role-grant", to="narrow", role="viewer", project="default")
    mine = issue(web, "narrowly", holder="narrow", verbs=["read"])
    web.call("POST", "/v1/events", event(id="narrow-1"))

    found = web.call("GET", "/v1/search/everywhere", token=mine["token"]).json()

    assert {one["project"] for one in found["logs"]} == {"default"}


def test_a_revoked_token_lets_nobody_in_from_an_earlier_state_db(tmp_path: Path) -> None:
    """The log says that it is revoked, whatever an old backup of the digests says."""
    with running(tmp_path / "ledger") as web:
        made = issue(web, "brought-back")
        before = (web.directory / "state.db").read_bytes()
        act(web, "token-revoke", token=made["id"])
    (tmp_path / "ledger/state.db").write_bytes(before)

    with running(tmp_path / "ledger") as web:
        assert post(web, made["token"], id="brought-back").code == "token_invalid"
        assert web.home.tokens.uses()[made["id"]]
