"""Every way by which a personal value, a list of people, a kept file or an export leaves is counted.

Every call, page and action stands in one of two tables here: in `COUNTED` with what it is counted
as, or in `NOT_COUNTED` with the reason.  A new one is in neither, and fails.
"""

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.actions import actions
from counterfoil.app.home import Home, open_home
from counterfoil.app.local import open_local
from counterfoil.app.readings import EXPORT_TYPE, KINDS
from counterfoil.app.record import LOCAL
from counterfoil.clock import SystemClock
from counterfoil.ids import SystemRandomness
from counterfoil.policy.access import LOG
from counterfoil.web.api.table import ROUTES
from counterfoil.web.pages import ROUTES as PAGES
from tests.signing_in import Browser, enrolled
from tests.web_server import Running, event, running

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
TEXT = b"a log\n"
EXPORT = "an export, at once"

# Way -> (address or fields, what it is counted as).  {n} is an entry that names two files.
COUNTED: dict[str, tuple[Any, str]] = {
    "GET /v1/entries/{index}": ("/v1/entries/{n}", "entry"),
    "GET /v1/blobs/{digest}": (f"/v1/blobs/sha256:{hashlib.sha256(TEXT).hexdigest()}", "raw"),
    "GET /v1/search.csv": ("/v1/search.csv?q=outcome:success", EXPORT),
    "GET /v1/prove": ("/v1/prove?entry={n}&people=yes", EXPORT),
    "page /entries/{index}": ("/entries/{n}", "entry"),
    "page /entries/{index}/raw": ("/entries/{n}/raw", "entry"),
    "page /entries/{index}/files/{position}": ("/entries/{n}/files/0", "raw"),
    "page /entries/{index}/files/{position}/image": ("/entries/{n}/files/1/image", "raw"),
    "page /admin": ("/admin", "actors"),
    "page /admin/people": ("/admin/people", "accounts"),
    "page /admin/person": ("/admin/person?handle=reader", "accounts"),
    "page /admin/teams": ("/admin/teams", "actors"),
    "page /admin/accounts": ("/admin/accounts", "accounts"),
    "page /admin/roles": ("/admin/roles", "actors"),
    "page /admin/asked": ("/admin/asked", "actors"),
    "page /admin/retention": ("/admin/retention", "actors"),
    "page /admin/tokens": ("/admin/tokens", "actors"),
    "page /admin/sessions": ("/admin/sessions", "sessions"),
    "page /admin/trust": ("/admin/trust", "actors"),
    "page /admin/explain": ("/admin/explain?actor=reader&verb=read&in=default", "actors"),
    "action people-list": ({}, "actors"),
    "action person-show": ({"handle": "reader"}, "accounts"),
    "action accounts-list": ({}, "accounts"),
    "action accounts-unmapped": ({}, "accounts"),
    "action teams-list": ({}, "actors"),
    "action roles-list": ({}, "actors"),
    "action tokens-list": ({}, "actors"),
    "action trust-list": ({}, "actors"),
    "action passkey-list": ({"handle": "reader"}, "accounts"),
    "action session-list": ({}, "sessions"),
    "action directory-diff": (
        {"content": "apiVersion: counterfoil.directory/1\n", "form": "yaml"},
        "accounts",
    ),
    "action access-explain": ({"actor": "reader", "verb": "read"}, "actors"),
    "action asked-list": ({}, "actors"),
    "action hold-list": ({}, "actors"),
    "action retention-show": ({}, "actors"),
    "action retention-preview": ({}, "actors"),
}

_WRITES = "it writes: what it was given is the caller's own, and an entry says so"
_DONE = "what was done is an entry by itself, with who did it"
_PUBLIC = "envelopes, hashes and signatures: no personal value is in them"
_ACCOUNTS = "lines of the log: who did what by which account is what a ledger is for (ADR 0038)"
_NOTHING = "nothing that is recorded is in it"
NOT_COUNTED = {
    **dict.fromkeys(
        ("POST /v1/events", "POST /v1/reports", "POST /v1/webhooks/{source}",
         "POST /v1/token/exchange", "PUT /v1/blobs/{digest}"), _WRITES),
    "POST /v1/actions/{verb}": "each action stands for itself",
    **dict.fromkeys(
        ("GET /v1/entries/{index}/receipt", "GET /v1/receipts", "GET /log/{project}/checkpoint",
         "GET /log/{project}/tile/{tile}"), _PUBLIC),
    **dict.fromkeys(
        ("GET /v1/runs", "GET /v1/tests", "GET /v1/changes", "GET /v1/releases",
         "GET /v1/deployments", "GET /v1/trace", "GET /v1/search", "GET /v1/search/everywhere",
         "GET /v1/changed", "GET /v1/live", "page /", "page /runs", "page /run", "page /test",
         "page /changed", "page /releases", "page /release", "page /search",
         "page /search/everywhere", "page /log"), _ACCOUNTS),
    **dict.fromkeys(
        ("GET /healthz", "GET /readyz", "GET /v1/health", "GET /metrics", "page /health",
         "page /theme"), _NOTHING),
    "page /admin/import": "a form; what it compares is the action directory-diff",
    "page /admin/policies": "texts of policies, which name roles and no person",
    "action policy-show": "texts of policies, which name roles and no person",
    "action keys-list": _PUBLIC,
    "action retention-presets": "which rules there are to choose from; they name nobody",
}  # fmt: skip


def ways() -> set[str]:
    """Return every call, page and action that only tells."""
    told = {route.name for route in ROUTES} | {f"page {page.path}" for page in PAGES}
    return told | {f"action {name}" for name in actions()}


def test_every_way_in_is_counted_or_has_a_reason() -> None:
    does = {
        f"action {name}" for name, one in actions().items() if not one.reads
    } - NOT_COUNTED.keys()

    assert ways() == COUNTED.keys() | NOT_COUNTED.keys() | does
    assert not COUNTED.keys() & NOT_COUNTED.keys()
    # What an action without an answer about others does is on record by itself.
    assert {one.removeprefix("action ").rpartition("-")[2] for one in does} <= {
        "describe", "remove", "link", "unlink", "import", "join", "leave", "name", "end", "grant",
        "revoke", "issue", "add", "invite", "preview", "activate", "rollback", "taken", "drilled",
        "erase", "rotate", "retire", "make", "confirm", "withdraw", "set", "place", "release",
        "restored", "expire", "lift", "run", "file", "ended",
    }, _DONE  # fmt: skip


@dataclasses.dataclass
class Place:
    """A server, an administrator, an auditor, and an entry with two files."""

    web: Running
    browser: Browser
    auditor: Browser
    index: int


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with running(tmp_path_factory.mktemp("counted") / "ledger") as web:
        blobs = []
        for name, content in (("log", TEXT), ("picture", PNG)):
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            assert web.call("PUT", f"/v1/blobs/{digest}", content).status == 201
            blobs.append({"digest": digest, "name": name, "mediatype": "text/plain"})
        posted = event(data={"blobs": blobs, "mail": "a@b.example", "personal": ["/mail"]})
        [entry] = web.call("POST", "/v1/events", posted).json()["entries"]
        administrator = enrolled(web, "reader", "administrator")
        # Nobody is both: one opens values and exports, the other sees who may do what.
        yield Place(web, administrator, enrolled(web, "auditor", "auditor"), entry["index"])


def counts(home: Home) -> dict[str, int]:
    """Return how often each kind was noted and not recorded yet, and exports on record."""
    found = dict.fromkeys((*KINDS, EXPORT), 0)
    for (_, _, _, what), count in home.recorder.readings._counts.items():
        found[what] += count.number
    for info in home.log.projects():
        size = home.ledger.status(info.project).size
        entries = home.log.entries(info.project, 0, size)
        found[EXPORT] += sum(f'"{EXPORT_TYPE}"'.encode() in one for one in entries)
    return found


@pytest.mark.parametrize("way", COUNTED)
def test_what_leaves_is_counted_once_and_as_what_it_is(place: Place, way: str) -> None:
    given, what = COUNTED[way]
    before = counts(place.web.home)
    if way.startswith("action "):
        reply = place.browser.post(f"/v1/actions/{way.removeprefix('action ')}", given)
    else:
        who = place.auditor if what == EXPORT else place.browser
        reply = who.get(given.format(n=place.index))
    after = counts(place.web.home)

    assert reply.status == 200, reply.body
    assert {kind: after[kind] - before[kind] for kind in after if after[kind] != before[kind]} == {
        what: 1
    }


def test_what_an_erasure_would_take_is_counted_in_every_log_that_was_looked_into(
    place: Place,
) -> None:
    """It finds a person's words in what others wrote, and nothing else would tell that it did."""
    given = {"subject": "reader", "reason": "asked", "request_id": "r-1", "dry_run": True}
    reply = place.browser.post("/v1/actions/erase", given)
    told = {(project, what) for (_, project, _, what) in place.web.home.recorder.readings._counts}

    logs = {one["project"] for one in reply.json()["logs"]}
    assert reply.status == 200, reply.body
    assert logs
    assert told == {(one, "actors") for one in logs}


def test_a_proof_that_is_written_beside_no_server_is_recorded_too(tmp_path: Path) -> None:
    """Whoever is at the directory could read the files as well; this way it is at least told."""
    with running(tmp_path / "ledger") as web:
        web.call("POST", "/v1/events", event())
    with open_local(tmp_path / "ledger", "default") as local:
        local.prove("entry:0", "", with_people=True)
    with open_home(tmp_path / "ledger", SystemClock(), SystemRandomness()) as home:
        size = home.ledger.status("default").size
        told = home.reader.entry("default", size - 1)

    assert told.entry.type == EXPORT_TYPE
    assert told.entry.recordedby == LOCAL.id
    data: Any = told.event["data"]
    assert (data["what"], data["people"]) == ("proof of entry:0", True)


def test_a_persons_page_says_what_they_read_and_a_search_finds_it(place: Place) -> None:
    """One entry an hour, reader, kind and log, however much was read: the page adds them up."""
    for _ in range(5):
        place.browser.get(f"/entries/{place.index}")
    place.web.home.recorder.record_readings(everything=True)
    place.browser.get(f"/entries/{place.index}")
    place.web.home.recorder.record_readings(everything=True)

    page = place.browser.get("/admin/person?handle=reader").body.decode()
    found = place.browser.get("/v1/search/everywhere?q=actor:reader+type:personal.read").json()

    assert "What they read" in page
    assert "whole entries" in page
    assert "in default" in page
    assert "type:personal.read" in page
    assert found["total"] >= 3
    assert {"default", LOG} <= {one["project"] for one in found["items"]}
