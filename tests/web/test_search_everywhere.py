"""One search over every log: the page, the call, who learns what, and what leads there."""

import html
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from counterfoil.app.actions import act
from counterfoil.app.founding import create_home
from counterfoil.clock import SteppedClock
from counterfoil.ids import SystemRandomness
from counterfoil.policy.access import ADMIN, LOG
from counterfoil.web.pages.admin_person import acts_query
from counterfoil.web.pages.everywhere import LINES_MAX
from tests.admin_reader import Reader, described, ref_of, section, sign_in
from tests.own_token import own_token
from tests.policy.access_entries import GITHUB, Log
from tests.web_server import Running, event, running

PAGE = "/search/everywhere"
PROJECTS = ("default", "shop", "veiled")


@pytest.fixture(scope="module")
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, clock: SteppedClock) -> Iterator[Running]:
    """A server of its own, with three projects: what is granted here reaches no other test."""
    directory = tmp_path_factory.mktemp("everywhere") / "ledger"
    for project in PROJECTS:
        create_home(directory, SystemRandomness(), project=project)
    with running(directory, clock=clock) as server:
        yield server


@pytest.fixture(scope="module")
def reader(web: Running) -> Reader:
    return sign_in(web)


@pytest.fixture(scope="module")
def viewer(web: Running) -> Reader:
    """Somebody who may read `default` and nothing else."""
    return may_read(web, "viewing", "default")


def may_read(web: Running, handle: str, *projects: str) -> Reader:
    described(web, handle)
    for project in projects:
        given = {"to": handle, "role": "viewer", "project": project}
        act(web.home, ADMIN, "role-grant", given, "api")
    return sign_in(web, handle)


def record(web: Running, project: str, token: str = "", **members: Any) -> int:
    answer = web.call("POST", f"/v1/events?project={project}", event(**members), token=token)
    assert answer.status == 201, answer.body
    return int(answer.json()["entries"][0]["index"])


def of(query: str, more: str = "") -> str:
    return f"{PAGE}?q={urllib.parse.quote(query, safe=':/')}{more}"


def lines(page: str) -> list[tuple[str, int]]:
    """Return the lines of a page, each as its log and its entry."""
    found = re.findall(r'<li class="line" id="line-([a-z_-]+)-(\d+)"', page)
    return [(log, int(index)) for log, index in found]


def counts(page: str) -> dict[str, str]:
    """Return how many a page says are in each log."""
    found = re.findall(r'<a href="[^"]*">([^<]*)</a><span class="num">([\d,]+)</span>', page)
    return dict(found)


# What it shows


def test_it_counts_in_each_log_and_leads_to_the_search_of_that_log(
    web: Running, reader: Reader
) -> None:
    for project in ("default", "shop", "shop"):
        record(web, project, subject="run:acme/counted/1")

    page = reader.page(of("ref:run:acme/counted/1"))

    logs = section(page, "logs")
    assert counts(logs) == {"default": "1", "shop": "2"}
    assert 'href="/search?q=ref:run:acme/counted/1"' in logs
    assert 'href="/search?q=ref:run:acme/counted/1&amp;project=shop"' in logs
    assert '<h2 id="entries-head">3 entries</h2>' in page


def test_the_newest_of_all_logs_come_first_each_with_its_log(
    web: Running, reader: Reader, clock: SteppedClock
) -> None:
    expected = []
    for project in ("shop", "default", "veiled", "shop"):
        expected.append((project, record(web, project, subject="run:acme/order/1")))
        clock.step(60)

    page = reader.page(of("ref:run:acme/order/1"))

    assert lines(page) == expected[::-1]
    entries = section(page, "entries")
    assert re.findall(r'<span class="where">in ([a-z ]+)</span>', entries) == [
        "shop", "veiled", "default", "shop",
    ]  # fmt: skip
    assert f'href="/entries/{expected[2][1]}?project=veiled"' in entries


def test_what_is_said_of_people_is_called_by_words_that_people_know(
    web: Running, reader: Reader
) -> None:
    described(web, "worded")

    page = reader.page(of("ref:actor:worded"))

    assert counts(section(page, "logs")) == {"people and access": "1"}
    assert '<span class="where">in people and access</span>' in page
    assert 'href="/search?q=ref:actor:worded&amp;project=_access"' in page


def test_what_is_left_out_is_said_in_words(web: Running, reader: Reader) -> None:
    for number in range(LINES_MAX + 3):
        record(web, "default" if number % 2 else "shop", subject="run:acme/many/1")

    page = reader.page(of("ref:run:acme/many/1"))

    assert len(lines(page)) == LINES_MAX
    assert "The newest 50 are shown; 3 older ones are not." in page
    assert "older" not in section(reader.page(of("ref:run:acme/order/1")), "entries")


def test_nothing_found_says_how_many_logs_were_searched(reader: Reader) -> None:
    page = reader.page(of("ref:run:acme/none/1"))

    assert "No entry matches all of it." in page
    assert "4 logs were searched: all that you may read." in page
    assert 'id="logs"' not in page


def test_a_word_is_unknown_only_where_no_log_knows_it(web: Running, reader: Reader) -> None:
    record(web, "shop", type="com.example.shipped")

    known, unknown = reader.page(of("type:com.example.shipped")), reader.page(of("type:shiped"))

    assert 'class="chip"' in known
    assert 'class="chip wrong"' in unknown
    assert 'Did you mean <a href="/search/everywhere?q=type:' in unknown


def test_a_word_that_is_off_is_told_in_the_same_line_as_in_one_log(reader: Reader) -> None:
    everywhere, one = reader.page(of("outcome:failde")), reader.page("/search?q=outcome:failde")

    told = re.findall(r'<div class="empty">(.*?)</div>', everywhere)
    assert told == re.findall(r'<div class="empty">(.*?)</div>', one)
    assert "(character 9)" in told[0]
    assert 'href="/search/everywhere?q=outcome:failed"' in everywhere


def test_the_moment_of_one_log_is_a_time_in_the_others(
    web: Running, reader: Reader, clock: SteppedClock
) -> None:
    first = record(web, "shop", subject="run:acme/then/1")
    clock.step(60)
    moment = record(web, "default", subject="run:acme/then/1")
    clock.step(60)
    record(web, "shop", subject="run:acme/then/1")

    page = reader.page(of("ref:run:acme/then/1", f"&as_of={moment}"))

    assert lines(page) == [("default", moment), ("shop", first)]
    assert f'href="/entries/{first}?project=shop&amp;as_of={first}"' in page
    logs = html.unescape(section(page, "logs"))
    link = re.search(r'href="(/search\?q=[^"]*project=shop)"', logs)
    assert link is not None
    assert '<h2 id="entries-head">1 entry</h2>' in reader.page(link[1])


def test_the_call_takes_a_time_and_no_entry_number(web: Running, clock: SteppedClock) -> None:
    first = record(web, "shop", subject="run:acme/at/1")
    at = clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    clock.step(60)
    record(web, "default", subject="run:acme/at/1")

    found = web.get(f"/v1/search/everywhere?q=ref:run:acme/at/1&as_of={at}").json()

    assert [(one["project"], one["entry"]["index"]) for one in found["items"]] == [("shop", first)]
    for wrong in ("3", "2026-13-40T12:00:00Z"):
        refused = web.get(f"/v1/search/everywhere?as_of={wrong}")
        assert (refused.status, refused.code) == (400, "query_invalid"), wrong


# Who learns what


@pytest.fixture(scope="module")
def hidden(web: Running) -> None:
    """Something that only a reader of `veiled` may know."""
    record(web, "veiled", type="com.example.hidden", subject="run:acme/shared/1")
    record(web, "default", subject="run:acme/shared/1")


@pytest.mark.usefixtures("hidden")
@pytest.mark.parametrize(
    "query", ["", "ref:run:acme/shared/1", "type:com.example.hiden", "outcme:x"]
)
def test_a_viewer_of_one_project_learns_nothing_of_another(
    viewer: Reader, reader: Reader, query: str
) -> None:
    page = viewer.page(of(query))

    assert "veiled" not in page
    assert "com.example.hidden" not in page
    assert "people and access" not in page
    assert {log for log, _ in lines(page)} <= {"default"}
    assert "veiled" in reader.page(of(query))


@pytest.mark.usefixtures("hidden")
def test_counts_are_of_what_the_reader_may_read(viewer: Reader) -> None:
    page = viewer.page(of("ref:run:acme/shared/1"))

    assert counts(section(page, "logs")) == {"default": "1"}
    assert '<h2 id="entries-head">1 entry</h2>' in page
    assert "1 log you may read" in page


@pytest.mark.usefixtures("hidden")
def test_a_call_suggests_no_word_of_a_log_that_is_not_readable(
    web: Running, viewer: Reader
) -> None:
    assert viewer.get("/").status == 200, "there is such a person"
    made = own_token(web.home, "viewing", name="one-log", projects=["default"], verbs=["read"])
    asked = "/v1/search/everywhere?q=type:com.example.hiden"

    mine = web.call("GET", asked, token=made.token).json()

    near = [one["suggestion"] for one in web.get(asked).json()["unknown"]]
    assert near == ["type:com.example.hidden"]
    assert near[0] not in [one["suggestion"] for one in mine["unknown"]]


def test_what_is_no_longer_readable_is_gone_at_once(web: Running) -> None:
    """A decision is remembered; taking a role back must not wait for that."""
    theirs = may_read(web, "leaving", "default", "shop")
    for project in ("default", "shop"):
        record(web, project, subject="run:acme/leaving/1")
    page = of("ref:run:acme/leaving/1")
    assert {log for log, _ in lines(theirs.page(page))} == {"default", "shop"}
    [grant] = [one.id for one in web.home.access.directory.grants.values()
               if one.holder == ref_of(web, "leaving") and one.project == "shop"]  # fmt: skip

    act(web.home, ADMIN, "role-revoke", {"grant": grant}, "api")

    assert {log for log, _ in lines(theirs.page(page))} == {"default"}


def test_nobody_searches_without_a_session(web: Running) -> None:
    reply = web.call("GET", PAGE, token=None)

    assert (reply.status, reply.headers["location"]) == (303, "/sign-in")


# What leads there, and back


def test_the_search_of_one_log_leads_to_the_others_and_to_all(reader: Reader) -> None:
    page = html.unescape(reader.page("/search?q=outcome:failed&project=shop"))

    choices = re.findall(
        r'<a class="btn small" href="([^"]*)"( aria-current="true")?>([^<]*)', page
    )
    assert choices == [
        ("/search?q=outcome:failed&project=shop", ' aria-current="true"', "shop"),
        ("/search?q=outcome:failed", "", "default"),
        ("/search?q=outcome:failed&project=veiled", "", "veiled"),
        ("/search?q=outcome:failed&project=_access", "", "people and access"),
        ("/search/everywhere?q=outcome:failed&project=shop", "", "everywhere"),
    ]


def test_whoever_may_read_one_log_is_asked_for_no_choice(viewer: Reader) -> None:
    assert 'class="places"' not in viewer.page("/search")


def test_a_search_of_every_log_is_saved_for_all_projects(web: Running, reader: Reader) -> None:
    def post(path: str, **fields: str) -> str:
        body = urllib.parse.urlencode({"csrf": reader.csrf, "in": "everywhere", **fields}).encode()
        sent = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": reader.cookie}
        reply = web.call("POST", path, body, sent, token=None)
        assert reply.status == 303, reply.body
        return reply.headers["location"]

    back = post("/search/save", name="All of <b>", q="outcome:failed", project="shop")

    assert back == "/search/everywhere?q=outcome%3Afailed&project=shop"
    assert "All of &lt;b&gt;" in reader.page(PAGE)
    assert 'name="in" value="everywhere"' in reader.page(of("outcome:failed"))
    assert "All of" not in reader.page("/search?project=shop")
    assert "All of" not in reader.page("/search")

    post("/search/remove", name="All of <b>")
    assert "All of" not in reader.page(PAGE)


def test_the_page_of_a_person_leads_to_their_acts_over_all_accounts_and_logs(
    web: Running, reader: Reader
) -> None:
    described(web, "wide")
    acts = []
    for project, account in (
        ("default", "github.com:wide-dev"),
        ("shop", "mail:wide@acme.example"),
    ):
        given = {"handle": "wide", "account": account, "since": "2020-01-01"}
        act(web.home, ADMIN, "account-link", given, "api")
        acts.append((project, record(web, project, authid=account, authtype="user")))
    person = reader.page(f"/admin/person?ref={ref_of(web, 'wide')}")
    assert 'href="/search/everywhere?q=actor:wide"' in person

    assert sorted(lines(reader.page(of("actor:wide")))) == acts


def test_what_somebody_did_stays_theirs_once_they_are_removed(
    web: Running, reader: Reader, clock: SteppedClock
) -> None:
    described(web, "left")
    given = {"handle": "left", "account": "github.com:left-dev", "since": "2020-01-01"}
    act(web.home, ADMIN, "account-link", given, "api")
    done = record(web, "shop", authid="github.com:left-dev", authtype="user")
    clock.step(1)
    act(web.home, ADMIN, "actor-remove", {"handle": "left"}, "api")

    assert lines(reader.page(of("actor:left"))) == [("shop", done)]


def test_an_erased_actor_is_searched_for_by_every_pseudonym_that_is_left() -> None:
    """No handle opens any more; an empty word would find what nobody did, or nothing."""
    log = Log()
    log.add("actor.described", "actor:gone", {"kind": "person"})
    log.add("account.linked", "actor:gone", {"how": "directory"}, [(GITHUB, "account")])
    directory = log.fold()

    assert acts_query(directory, directory.actors["actor:gone"]) == (
        f"actor:actor:gone actor:{GITHUB}"
    )


def test_an_account_that_is_nobodys_leads_to_its_acts_in_every_log(
    web: Running, reader: Reader
) -> None:
    acts = [
        (project, record(web, project, authid="forge.example:stray", authtype="user"))
        for project in ("default", "shop")
    ]

    page = html.unescape(reader.page("/admin/accounts"))

    link = re.search(r'href="(/search/everywhere\?q=actor:[^"]*stray[^"]*)"', page)
    assert link is not None
    assert sorted(lines(reader.page(link[1]))) == acts


def test_a_token_leads_to_its_whole_life(web: Running, reader: Reader) -> None:
    given = {"name": "lived", "projects": ["default", "shop"]}
    made: Any = act(web.home, ADMIN, "token-issue", given, "api")
    issued = [(LOG, web.home.access.directory.tokens[made.id].entry)]
    acts = [(project, record(web, project, made.token)) for project in ("default", "shop")]

    for where in ("/admin/tokens", f"/admin/person?ref={ref_of(web, 'lived')}"):
        page = html.unescape(reader.page(where))
        assert f'<a href="/search/everywhere?q=ref:{made.id}">its whole life</a>' in page
    assert sorted(lines(reader.page(of(f"ref:{made.id}")))) == [*issued, *acts]


def test_a_session_leads_to_its_whole_life(web: Running, reader: Reader) -> None:
    signed = may_read(web, "sessioned", "default")
    [session] = [one for one, ref in web.home.access.directory.sessions.items()
                 if ref == ref_of(web, "sessioned")]  # fmt: skip
    assert signed.get("/").status == 200

    for where in ("/admin/sessions", f"/admin/person?ref={ref_of(web, 'sessioned')}"):
        page = html.unescape(reader.page(where))
        assert f'<a href="/search/everywhere?q=ref:{session}">its whole life</a>' in page
    assert {log for log, _ in lines(reader.page(of(f"ref:{session}")))} == {LOG}


def test_the_past_of_a_page_about_people_leads_to_the_same_past(
    web: Running, reader: Reader
) -> None:
    described(web, "once")
    entry = web.home.access.require_actor("once").entry

    page = html.unescape(reader.page(f"/admin/person?handle=once&as_of={entry}"))

    assert re.search(
        r'href="/search/everywhere\?q=actor:once&as_of=2\d{3}-\d\d-\d\dT[\d:.]+Z"', page
    )
