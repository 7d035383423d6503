"""Personal values of the data stay closed to readers; accounts of who did it stay readable."""

import json
from typing import Any

import pytest

from counterfoil.app.acting_tokens import Issued
from counterfoil.app.actions import act
from tests.signing_in import OWNER, enrolled
from tests.web_server import Running, event

MAIL = "ana@acme.example"


def record(web: Running, **members: Any) -> int:
    """Record an event that declares a mail of its data personal, and names a reviewer."""
    data = {
        "mail": MAIL,
        "people": [{"name": MAIL}, {"name": "fine"}],
        "outcome": "success",
        "personal": ["/mail", "/people/0/name"],
        "refs": [{"ref": "actor:github.com:rev-iewer", "role": "reviewer"}],
    }
    posted = event(authid="github.com:ana-dev", data=data, **members)
    answer = web.call("POST", "/v1/events", posted, token=token_of(web, "s-sends", "producer"))
    assert answer.status == 201, answer.body
    return int(answer.json()["entries"][0]["index"])


def token_of(web: Running, handle: str, role: str) -> str:
    """Return the token of a service with a role everywhere."""
    if web.home.access.directory.by_handle(handle) is None:
        act(web.home, OWNER, "actor-describe", {"handle": handle, "kind": "service"}, "api")
        act(web.home, OWNER, "role-grant", {"to": handle, "role": role}, "api")
    given = {"name": "t", "holder": handle, "projects": ["*"], "verbs": ["*"]}
    made = act(web.home, OWNER, "token-issue", given, "api")
    assert isinstance(made, Issued)
    return made.token


@pytest.mark.parametrize("role", ["viewer", "developer", "release-manager", "administrator"])
def test_a_reader_reads_an_entry_without_the_personal_values_of_its_data(
    web: Running, role: str
) -> None:
    index = record(web)

    reply = web.call("GET", f"/v1/entries/{index}", token=token_of(web, f"s-{role}", role))

    found = reply.json()
    assert reply.status == 200, reply.body
    assert MAIL not in reply.body.decode()
    assert sorted(found["closed"]) == ["/data/mail", "/data/people/0/name"]
    assert found["event"]["data"]["outcome"] == "success"
    assert found["erased"] == []


def test_a_reader_reads_by_which_accounts_it_was_done(web: Running) -> None:
    """Who did it is what a ledger is for: accounts stay readable."""
    index = record(web)

    found = web.call(
        "GET", f"/v1/entries/{index}", token=token_of(web, "s-viewer", "viewer")
    ).json()

    assert (found["event"]["authid"], found["actor"]["handle"]) == ("github.com:ana-dev",) * 2
    assert found["event"]["data"]["refs"][0]["ref"] == "actor:github.com:rev-iewer"


def test_an_auditor_opens_them_and_that_is_counted(web: Running) -> None:
    index = record(web)
    token = token_of(web, "s-auditor", "auditor")

    found = web.call("GET", f"/v1/entries/{index}", token=token).json()

    assert found["event"]["data"]["mail"] == MAIL
    assert found["closed"] == []
    holder = web.home.tokens.find(token)
    assert holder is not None
    told = web.home.recorder.readings.due(everything=True)
    data: list[Any] = [one.data for _, one in told]
    assert [one["count"] for one in data if one["credential"] == holder.id] == [1]


@pytest.mark.parametrize("path", ["/entries/{n}", "/entries/{n}/raw"])
def test_a_page_names_what_it_does_not_open(web: Running, path: str) -> None:
    index = record(web)
    page = path.format(n=index)

    closed = enrolled(web, f"v{index}", "viewer").get(page).body.decode()
    opened = enrolled(web, f"a{index}", "auditor").get(page).body.decode()

    assert "Closed to you: /data/mail and /data/people/0/name" in closed
    assert MAIL not in closed
    assert "github.com:ana-dev" in closed
    assert MAIL in opened
    assert "Closed to you" not in opened


def test_no_search_and_no_export_of_one_holds_them(web: Running) -> None:
    """Not even for somebody who may open them: it is the entry that is opened, one by one."""
    record(web, type="com.example.personal.searched")
    token = token_of(web, "s-whole", "auditor")

    for path in ("/v1/search", "/v1/search.csv", "/v1/search/everywhere"):
        reply = web.call("GET", f"{path}?q=type:com.example.personal.searched", token=token)
        assert reply.status == 200, reply.body
        assert "com.example.personal.searched" in reply.body.decode()
        assert MAIL not in reply.body.decode()
    assert json.loads(web.call("GET", f"/v1/search?q={MAIL}", token=token).body)["total"] == 0
