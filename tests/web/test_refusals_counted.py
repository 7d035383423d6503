"""Every attempt counts: whatever way it was tried, the log says who, what, why and from where."""

import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.actions import act
from counterfoil.app.record import LOCAL
from counterfoil.app.refusals import TYPE
from counterfoil.clock import SteppedClock
from tests.admin_reader import FORM, Reader, described, sign_in
from tests.own_token import own_token
from tests.web_server import Running, event, running

STRANGER = "anonymous"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("refusals") / "ledger") as server:
        yield server


@pytest.fixture(scope="module")
def nosy(web: Running) -> Reader:
    """A person without any role, signed in."""
    described(web, "nosy")
    return sign_in(web, "nosy")


def counted(web: Running) -> list[tuple[str, dict[str, Any]]]:
    """Return (project, data) of the refusals since the last call."""
    before = {
        log.project: web.home.ledger.status(log.project).size for log in web.home.log.projects()
    }
    web.home.recorder.record_refusals(everything=True)
    found = []
    for project, start in before.items():
        for index in range(start, web.home.ledger.status(project).size):
            told: Any = web.home.reader.entry(project, index, personal=True).event
            if told["type"] == TYPE:
                found.append((project, told["data"]))
    return found


PAGES = {
    "people": ("/admin/people", "GET /admin/people", "_access"),
    "sessions": ("/admin/sessions", "GET /admin/sessions", "_access"),
    "runs": ("/runs?project=other", "GET /runs", "other"),
    "an entry": ("/entries/0", "GET /entries/{index}", "default"),
}


@pytest.mark.parametrize(("path", "tried", "project"), PAGES.values(), ids=PAGES.keys())
def test_a_page_that_is_refused_is_counted(
    web: Running, nosy: Reader, path: str, tried: str, project: str
) -> None:
    counted(web)

    assert nosy.get(path).status == 403
    [(where, told)] = counted(web)

    assert (where, told["tried"], told["reason"]) == (project, tried, "not_allowed")
    assert told["credential"].startswith("session:")
    assert "needs one of the roles" in told["why"]
    assert told["from"] == ["127.0.0.1"]
    assert {"ref": "actor:counterfoil:nosy", "role": "refused"} in told["refs"]


def test_a_form_that_is_refused_is_counted_as_its_call_is(web: Running, nosy: Reader) -> None:
    """Near, far and in forms an attempt is the same attempt: once each, with the action's name."""
    counted(web)
    given = {"to": "nosy", "role": "administrator"}

    form = nosy.send("role-grant", given)
    headers = {"Cookie": nosy.cookie, "X-Counterfoil-CSRF": nosy.csrf}
    called = web.call("POST", "/v1/actions/role-grant", given, headers, token=None)
    told = [data for _, data in counted(web)]

    assert (form.status, called.status) == (403, 403)
    assert {(data["tried"], data["reason"], data["count"]) for data in told} == {
        ("POST /act/role-grant", "not_allowed", 1),
        ("POST /v1/actions/role-grant", "not_allowed", 1),
    }
    assert len({data["credential"] for data in told}) == 1


def test_an_action_nobody_has_does_not_choose_what_the_log_says(web: Running, nosy: Reader) -> None:
    counted(web)

    nosy.send("made-up-by-a-stranger", {})
    [(_, told)] = counted(web)

    assert told["tried"] == "POST /act/{name}"


def test_a_form_of_another_site_is_counted_under_the_session_it_rode_on(
    web: Running, nosy: Reader
) -> None:
    counted(web)

    assert nosy.send("role-grant", {}, Origin="https://attacker.example").status == 403
    [(_, told)] = counted(web)

    assert (told["reason"], told["tried"]) == ("csrf", "POST /act/role-grant")
    assert told["credential"].startswith("session:")


def test_a_saved_search_of_a_project_one_may_not_read_is_counted(
    web: Running, nosy: Reader
) -> None:
    counted(web)
    fields = {"csrf": nosy.csrf, "name": "x", "q": "y", "project": "other"}
    headers = {"Content-Type": FORM, "Cookie": nosy.cookie}

    reply = web.call(
        "POST", "/search/save", urllib.parse.urlencode(fields).encode(), headers, token=None
    )
    [(_, told)] = counted(web)

    assert reply.status == 403
    assert (told["reason"], told["tried"]) == ("not_allowed", "POST /search/save")


@pytest.mark.parametrize("path", ["/v1/runs?project=other", "/log/other/tile/entries/000"])
def test_a_strangers_read_without_a_token_is_counted(web: Running, path: str) -> None:
    counted(web)

    assert web.call("GET", path, token=None).status == 401
    [(where, told)] = counted(web)

    assert (where, told["reason"], told["credential"]) == ("other", "token_missing", STRANGER)
    assert (told["addresses"], told["from"]) == (1, ["127.0.0.1"])


@pytest.mark.parametrize("path", ["/", "/admin/people", "/account", "/step-up"])
def test_a_visitor_who_is_sent_to_the_sign_in_page_tried_nothing(web: Running, path: str) -> None:
    counted(web)

    assert web.call("GET", path, token=None).status == 303

    assert counted(web) == []


@pytest.mark.parametrize("path", ["/entries/999999", "/runs?as_of=yesterday", "/v1/runs?x=1"])
def test_a_reader_who_asks_for_what_is_not_there_tried_nothing_either(
    web: Running, path: str
) -> None:
    counted(web)
    reader = sign_in(web)

    assert reader.get(path).status in {400, 404}

    assert counted(web) == []


# Tokens that are over


def issued(web: Running, name: str, **more: Any) -> Any:
    return act(web.home, LOCAL, "token-issue", {"name": name, "projects": ["*"], **more}, "cli")


def test_a_revoked_token_s_later_uses_are_found_by_its_id(web: Running) -> None:
    """Whoever it leaked to goes on trying: that is a part of its life."""
    made = issued(web, "leaky")
    act(web.home, LOCAL, "token-revoke", {"token": made.id}, "cli")
    counted(web)

    for number in range(3):
        refused = web.call("POST", "/v1/events", event(id=f"l{number}"), token=made.token)
        assert (refused.status, refused.code) == (401, "token_invalid")
        assert made.id not in refused.body.decode()
    web.call("GET", "/v1/runs?project=other", token=made.token)
    told = [data for _, data in counted(web)]
    found = web.get(f"/v1/search/everywhere?q=ref:{made.id}").json()["items"]

    assert {(data["credential"], data["tried"], data["count"]) for data in told} == {
        (made.id, "POST /v1/events", 3), (made.id, "GET /v1/runs", 1),
    }  # fmt: skip
    assert all({"ref": made.id, "role": "about"} in data["refs"] for data in told)
    assert [one["entry"]["type"].split("-")[1][:-6] for one in found].count("refusal.counted") == 2


def test_a_removed_person_s_token_is_still_known_for_whose_it_was(web: Running) -> None:
    described(web, "goer")
    made = own_token(web.home, "goer", name="hers", projects=["*"])
    act(web.home, LOCAL, "actor-remove", {"handle": "goer"}, "cli")
    counted(web)

    assert web.call("POST", "/v1/events", event(), token=made.token).code == "token_invalid"
    [(_, told)] = counted(web)

    assert told["credential"] == made.id
    assert {"ref": "actor:counterfoil:goer", "role": "refused"} in told["refs"]


def test_an_expired_token_is_still_known_after_a_restart(tmp_path: Path) -> None:
    clock = SteppedClock()
    with running(tmp_path / "ledger", clock=clock) as web:
        made = issued(web, "short", days=1)
    clock.step(2 * 86_400)

    with running(tmp_path / "ledger", clock=clock) as web:
        assert web.call("POST", "/v1/events", event(), token=made.token).code == "token_invalid"
        [(_, told)] = counted(web)

    assert told["credential"] == made.id


def test_with_workers_a_revoked_token_is_counted_under_its_id_too(tmp_path: Path) -> None:
    with running(tmp_path / "ledger", workers=1) as web:
        made = issued(web, "shared")
        assert web.call("POST", "/v1/events", event(), token=made.token).status == 201
        act(web.home, LOCAL, "token-revoke", {"token": made.id}, "cli")

        assert web.call("POST", "/v1/events", event(), token=made.token).code == "token_invalid"
        [(_, told)] = counted(web)

    assert (told["credential"], told["tried"]) == (made.id, "POST /v1/events")


def test_a_wrong_token_stays_nobodys(web: Running) -> None:
    counted(web)

    web.call("POST", "/v1/events", event(), token="cft_" + "0" * 64)
    [(_, told)] = counted(web)

    assert told["credential"] == STRANGER
    assert "refs" not in told
