"""What admin.token keeps once a person is enrolled: running the ledger, and nothing else."""

from collections.abc import Iterator
from typing import Any

import pytest

from counterfoil.policy.access import ADMIN, LOG, VERBS
from tests.signing_in import enrolled
from tests.web_server import Running, event, running

# Written down a second time on purpose: docs/access.md, "The first start".
KEPT = frozenset(
    {"people", "roles", "tokens", "trust", "policies", "sessions", "sources", "keys", "admin"}
)
OF_THE_LEDGER = frozenset({"people", "policies", "sessions"})
SIGNED = event(
    type="dev.cdeventsx.counterfoil-approval.signed.0.1.0",
    subject="approval:shop/1",
    data={"answer": "yes"},
)
REPORT = b'<testsuite name="s"><testcase name="t"/></testsuite>'
XML, JSON = {"Content-Type": "application/xml"}, {"Content-Type": "application/json"}
REFUSED: dict[str, tuple[str, str, Any, dict[str, str]]] = {
    "recording": ("POST", "/v1/events", event(), {}),
    "an approval": ("POST", "/v1/events", SIGNED, {}),
    "a report": ("POST", "/v1/reports?suite=s", REPORT, XML),
    "evidence": ("PUT", f"/v1/blobs/sha256:{'0' * 64}", b"x", {}),
    "a delivery by token": ("POST", "/v1/webhooks/cdevents", b"{}", JSON),
    "rows": ("GET", "/v1/runs", None, {}),
    "an entry": ("GET", "/v1/entries/0", None, {}),
    "a receipt": ("GET", "/v1/entries/0/receipt", None, {}),
    "entries of the exported log": ("GET", "/log/default/tile/entries/000", None, {}),
    "who may": ("GET", "/v1/entries/0?project=_access", None, {}),
    "searching": ("GET", "/v1/search", None, {}),
    "a proof": ("GET", "/v1/prove?entry=0", None, {}),
    "exporting": ("GET", "/v1/search.csv", None, {}),
}
ACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "people": ("actor-describe", {"handle": "cy"}),
    "lists of people": ("people-list", {}),
    "roles": ("role-grant", {"to": "owner", "role": "viewer"}),
    "tokens": ("token-issue", {"name": "nightly", "projects": ["default"]}),
    "trust": ("trust-list", {}),
    "policies": ("policy-show", {}),
    "sessions": ("session-list", {}),
    "why somebody may not": (
        "access-explain", {"actor": "owner", "verb": "read", "ref": "project:default"},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A ledger with an entry and a person who is enrolled."""
    with running(tmp_path_factory.mktemp("admin") / "ledger") as server:
        assert server.call("POST", "/v1/events", event()).status == 201
        enrolled(server, "owner", "administrator")
        yield server


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"), REFUSED.values(), ids=REFUSED.keys()
)
def test_once_a_person_is_enrolled_it_is_refused(
    web: Running, method: str, path: str, body: Any, headers: dict[str, str]
) -> None:
    before = web.size()

    refused = web.call(method, path, body, headers)

    assert (refused.status, refused.code) == (403, "not_allowed"), refused.body
    assert "admin.token" in refused.json()["detail"] or "approve" in refused.json()["detail"]
    assert web.size() == before


@pytest.mark.parametrize(("name", "given"), ACTIONS.values(), ids=ACTIONS.keys())
def test_it_goes_on_running_the_ledger(web: Running, name: str, given: dict[str, Any]) -> None:
    done = web.call("POST", f"/v1/actions/{name}", given)

    assert done.status == 200, done.body


@pytest.mark.parametrize("project", ["default", LOG])
@pytest.mark.parametrize("verb", VERBS)
def test_it_keeps_these_verbs_and_no_other(web: Running, verb: str, project: str) -> None:
    kept = KEPT if project == LOG else KEPT - OF_THE_LEDGER

    assert web.home.access.decide(ADMIN, verb, project).allowed == (verb in kept)


def test_a_search_of_every_log_finds_none_it_may_read(web: Running) -> None:
    found = web.get("/v1/search/everywhere")

    assert found.status == 403 or found.json()["logs"] == []
