"""Proof files of a real ledger: what goes in, what stays out, and that a stranger can check it."""

import contextlib
import json
import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app import prove as proving
from counterfoil.app.home import Home
from counterfoil.app.prove import ProofFile, prove
from counterfoil.errors import EvidenceError, RequestError, UnavailableError
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.proof_file import find_data
from counterfoil.verifier.proof_verdict import check_proof_file
from tests.web_server import Running, event, running

RELEASE = "release:shop@1.4.2"
COMMIT = "commit:acme/shop@9fceb02aa17b3355"
ANA = "github.com:ana-dev"


def data_of(made: ProofFile) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(find_data(made.content))
    return value


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A ledger with one release, its commit, a run, a refused approval, and things beside it."""
    with running(tmp_path_factory.mktemp("prove") / "ledger") as server:
        for posted in story():
            reply = server.call("POST", "/v1/events", posted)
            assert reply.status == 201, reply.body
        yield server


def story() -> list[dict[str, Any]]:
    release = "dev.cdeventsx.counterfoil-release.published.0.1.0"
    cdevents = {"context": {"version": "0.5.1"}}
    return [
        event(type="com.example.beside", subject="run:acme/other/1"),
        event(
            type="dev.cdeventsx.counterfoil-commit.pushed.0.1.0", subject=COMMIT, authid=ANA,
            authtype="user",
            data={"message": "Round VAT per line", "author": {"email": "ana@acme.example"},
                  "personal": ["/author/email"],
                  "refs": [{"ref": f"actor:{ANA}", "role": "author"}]},
        ),
        event(
            type="dev.cdevents.testsuiterun.finished.0.3.0", subject="run:acme/shop/1",
            data={**cdevents, "subject": {"id": "1", "content": {"outcome": "success"}},
                  "refs": [{"ref": COMMIT, "role": "input"}]},
        ),
        event(
            type=release, subject=RELEASE, authid=ANA, authtype="user",
            data={"name": "shop", "version": "1.4.2",
                  "refs": [{"ref": COMMIT, "role": "contains"}]},
        ),
        event(type="com.example.beside", subject="run:acme/other/2"),
    ]  # fmt: skip


@pytest.fixture
def home(served: Running) -> Home:
    return served.home


def policy(home: Home) -> Policy:
    return Policy.for_vkey(home.ledger.vkey("default"))


def test_a_release_is_proven_with_what_it_rests_on_and_nothing_else(home: Home) -> None:
    made = prove(home, "default", RELEASE)
    data = data_of(made)
    assert check_proof_file(made.content, policy(home)).ok
    assert made.name == "shop-1.4.2.proof.html"
    last = home.ledger.status("default").size - 1
    assert [one["index"] for one in data["entries"]] == [1, 2, 3, last]
    assert data["statement"]["as_of"] == last
    assert data["statement"]["left_out"] == 0
    assert [step["entry"] for step in data["statement"]["steps"]] == [1, 2, 3]
    assert data["statement"]["gaps"]


def test_names_and_other_personal_values_stay_closed_unless_they_are_asked_for(home: Home) -> None:
    closed = prove(home, "default", RELEASE)
    assert {shown["name"] for one in data_of(closed)["entries"] for shown in one["shown"]} == {
        "body"
    }
    for secret in (b"ana-dev", b"ana@acme.example"):
        assert secret not in closed.content

    opened = prove(home, "default", RELEASE, with_people=True)
    verdict: Any = check_proof_file(opened.content, policy(home))
    assert verdict.ok
    values = {one.index: one.values for one in verdict.held.entries}
    assert values[1]["authid"] == ANA
    assert values[1]["/data/author/email"] == "ana@acme.example"
    assert values[1]["/data/refs/0/ref"] == f"actor:{ANA}"


def test_the_last_entry_known_gives_its_place_and_not_its_contents(home: Home) -> None:
    last = data_of(prove(home, "default", RELEASE, with_people=True))["entries"][-1]
    assert last["shown"] == []


def test_a_past_moment_knows_nothing_later(home: Home) -> None:
    made = prove(home, "default", COMMIT, as_of=2)
    data = data_of(made)
    assert check_proof_file(made.content, policy(home)).ok
    assert [one["index"] for one in data["entries"]] == [1, 2]
    with pytest.raises(RequestError) as refused:
        prove(home, "default", RELEASE, as_of=2)
    assert refused.value.code == "not_found"


def test_a_short_commit_is_proven_under_its_full_name(home: Home) -> None:
    data = data_of(prove(home, "default", "commit:acme/shop@9fceb02"))
    assert data["subject"] == COMMIT


def test_what_stands_in_no_chain_is_proven_by_its_first_word(home: Home) -> None:
    data = data_of(prove(home, "default", "run:acme/other/1"))
    assert [step["entry"] for step in data["statement"]["steps"]] == [0]
    assert [shown["name"] for shown in data["entries"][0]["shown"]] == ["body"]


def test_a_test_is_proven_by_how_it_came_out(tmp_path: Path) -> None:
    """Its first word is that it began, which proves little."""
    test = "test:tests/test_shop.py::test_total"
    context: dict[str, Any] = {"context": {"version": "0.5.1"}}
    with running(tmp_path / "ledger") as server:
        for kind, content in (("started", {}), ("finished", {"outcome": "pass"})):
            posted = event(
                type=f"dev.cdevents.testcaserun.{kind}.0.3.0", subject=test,
                data={**context, "subject": {"id": "1", "content": content}},
            )  # fmt: skip
            assert server.call("POST", "/v1/events", posted).status == 201

        steps = data_of(prove(server.home, "default", test))["statement"]["steps"]

    assert [(step["entry"], step["outcome"]) for step in steps] == [(0, None), (1, "passed")]


def test_one_entry_is_proven_as_of_itself(home: Home) -> None:
    made = prove(home, "default", "entry:1")
    data = data_of(made)
    assert check_proof_file(made.content, policy(home)).ok
    assert made.name == "entry-1.proof.html"
    assert data["subject"] == "entry:1"
    assert data["statement"]["as_of"] == 1
    assert [shown["name"] for shown in data["entries"][0]["shown"]] == ["body"]


@pytest.mark.parametrize(
    ("what", "code"),
    [("release:never@1", "not_found"), ("entry:9999", "not_found"), ("entry:-1", "not_found"),
     ("entry:1e3", "not_found"), ("entry:", "not_found"), ("shop", "ref_invalid"),
     (f"actor:{ANA}", "not_found")],
)  # fmt: skip
def test_what_is_not_recorded_is_not_proven(home: Home, what: str, code: str) -> None:
    with pytest.raises(RequestError) as refused:
        prove(home, "default", what)
    assert refused.value.code == code


def test_a_log_without_entries_proves_nothing(served: Running) -> None:
    with pytest.raises(RequestError) as refused:
        prove(served.home, "other", RELEASE)
    assert refused.value.code == "not_found"


def test_what_does_not_fit_is_left_out_and_counted(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry that names the subject, the last one known and the gaps' come first."""
    monkeypatch.setattr(proving, "ENTRIES_MAX", 3)
    made = prove(home, "default", RELEASE)
    data = data_of(made)
    verdict = check_proof_file(made.content, policy(home))
    assert verdict.ok
    assert len(data["entries"]) == 3
    assert data["statement"]["left_out"] == 1
    assert "not in this file: 1 further entries it rests on" in verdict.lines()


def test_contents_beyond_the_limit_stay_closed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "SHOWN_MAX_BYTES", 0)
    made = prove(home, "default", RELEASE)
    assert check_proof_file(made.content, policy(home)).ok
    assert all(one["shown"] == [] for one in data_of(made)["entries"])


def test_a_damaged_body_is_an_error_and_never_a_file(served: Running) -> None:
    with contextlib.closing(sqlite3.connect(served.directory / "ledger.db")) as database:
        changed = database.execute(
            "update bodies set data = zeroblob(40) where idx = 4 and name = 'body'"
        )
        assert changed.rowcount == 1
        database.commit()
    with pytest.raises(EvidenceError) as stopped:
        prove(served.home, "default", "entry:4")
    assert stopped.value.code == "damaged"


def test_rows_that_have_not_followed_are_waited_for_and_then_said(tmp_path: Path) -> None:
    """A chain that misses its last entries would look like a gap."""
    with running(tmp_path / "ledger") as server:
        assert server.call("POST", "/v1/events", story()[3]).status == 201
        server.home.follower.wait_for("default", 1, 10)
        server.home.follower.close()
        assert server.call("POST", "/v1/events", story()[1]).status == 201
        with pytest.raises(UnavailableError) as later:
            prove(server.home, "default", RELEASE)
    assert later.value.code == "busy"


def test_the_call_answers_with_a_file_to_save(served: Running) -> None:
    reply = served.get(f"/v1/prove?ref={RELEASE}")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-disposition"] == 'attachment; filename="shop-1.4.2.proof.html"'
    assert check_proof_file(reply.body, policy(served.home)).ok
    assert b"ana-dev" not in reply.body
    assert b"ana-dev" in served.get(f"/v1/prove?ref={RELEASE}&people=yes").body


@pytest.mark.parametrize(
    "query", ["", "?ref=release:a@1&entry=1", "?entry=x", "?entry=1&people=no"]
)
def test_a_call_that_does_not_name_one_thing_is_refused(served: Running, query: str) -> None:
    reply = served.get(f"/v1/prove{query}")
    assert reply.status == 400
    assert reply.code == "query_invalid"


def test_a_stranger_is_refused(served: Running) -> None:
    assert served.call("GET", "/v1/prove?entry=1", token=None).status == 401


def test_a_name_from_outside_makes_no_file_name(served: Running) -> None:
    ref = 'release:../../etc/"passwd\u202e@1'
    posted = event(type="com.example.odd", subject=ref)
    assert served.call("POST", "/v1/events", posted).status == 201
    index = served.size() - 1
    made = prove(served.home, "default", ref)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*\.proof\.html", made.name)
    assert data_of(made)["entries"][-1]["index"] == index


def test_while_entries_come_in_every_path_leads_to_one_checkpoint(served: Running) -> None:
    """The checkpoint is taken once: a log that grows meanwhile changes nothing in the file."""
    stop = threading.Event()

    def keep_posting() -> None:
        while not stop.is_set():
            served.call("POST", "/v1/events", event(type="com.example.more"))

    thread = threading.Thread(target=keep_posting)
    thread.start()
    try:
        for _ in range(5):
            made = prove(served.home, "default", RELEASE)
            assert check_proof_file(made.content, policy(served.home)).ok
    finally:
        stop.set()
        thread.join()


def test_nothing_of_the_directory_is_in_the_file(served: Running) -> None:
    content = prove(served.home, "default", RELEASE, with_people=True).content
    assert str(served.directory).encode() not in content
    assert served.token.encode() not in content
