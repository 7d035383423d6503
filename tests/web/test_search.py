"""GET /v1/search, /v1/search.csv, the page, and the searches somebody saved."""

import csv
import io
import re
import urllib.parse
from typing import Any

import pytest

from tests.web_server import Reply, Running, event

DEPLOYED = "dev.cdeventsx.counterfoil-deployment.reported.0.1.0"


def record(web: Running, **members: Any) -> int:
    """Record one event and return its entry number."""
    answer = web.call("POST", "/v1/events", event(**members))
    assert answer.status == 201, answer.body
    return int(answer.json()["entries"][0]["index"])


def search(web: Running, query: str, more: str = "") -> Any:
    """Return the JSON answer to a search."""
    found = web.get(f"/v1/search?q={urllib.parse.quote(query)}{more}")
    assert found.status == 200, found.body
    return found.json()


def deploy(web: Running, name: str, state: str = "success", **members: Any) -> int:
    """Record that something was deployed to an environment of that name."""
    return record(
        web, type=DEPLOYED, subject=f"deployment:acme/{name}/1",
        data={"state": state, "refs": [{"ref": f"env:{name}", "role": "deployed-to"}]}, **members,
    )  # fmt: skip


def test_a_result_names_its_entry_source_and_id(web: Running) -> None:
    index = deploy(web, "alpha", id="deploy-alpha", source="https://ci.example/alpha")

    found = search(web, "ref:env:alpha")

    assert found["total"] == 1
    [item] = found["items"]
    assert (item["index"], item["source"], item["id"]) == (
        index, "https://ci.example/alpha", "deploy-alpha",
    )  # fmt: skip
    assert item["sentence"].startswith("reported deployment")
    assert found["as_of"] >= index


def test_results_come_in_parts_that_join_up(web: Running) -> None:
    indices = [deploy(web, "parts") for _ in range(5)]

    seen: list[int] = []
    cursor = ""
    while True:
        part = search(web, "ref:env:parts", f"&limit=2{cursor}")
        seen += [item["index"] for item in part["items"]]
        assert part["total"] == 5
        if part["next"] is None:
            break
        cursor = f"&cursor={part['next']}"

    assert seen == indices[::-1]


def test_an_answer_is_as_of_the_entry_asked_for(web: Running) -> None:
    first = deploy(web, "then", "failure")
    deploy(web, "then")

    found = search(web, "ref:env:then", f"&as_of={first}")

    assert (found["as_of"], found["total"]) == (first, 1)
    assert sum(bucket["count"] for bucket in found["histogram"]["buckets"]) == 1
    [outcome] = [facet for facet in found["facets"] if facet["key"] == "outcome"]
    assert [(one["value"], one["count"]) for one in outcome["values"]] == [("failed", 1)]


def test_a_word_that_is_off_is_refused_with_its_place(web: Running) -> None:
    refused = web.get("/v1/search?q=" + urllib.parse.quote("via:webhook outcme:failed"))

    assert (refused.status, refused.code) == (400, "query_invalid")
    problem = refused.json()
    assert (problem["position"], problem["word"]) == (12, "outcme:failed")
    assert problem["suggestion"] == "outcome:failed"


@pytest.mark.parametrize("cursor", ["x", "-1", "9" * 30], ids=["a letter", "negative", "too long"])
def test_a_cursor_of_somebody_else_is_refused(web: Running, cursor: str) -> None:
    assert web.get(f"/v1/search?cursor={cursor}").code == "query_invalid"


def test_a_search_of_one_project_finds_nothing_of_another(web: Running) -> None:
    deploy(web, "beta")

    assert search(web, "ref:env:beta", "&project=other")["total"] == 0


def test_csv_holds_the_same_lines_and_leads_to_the_rest(web: Running) -> None:
    indices = [deploy(web, "sheet", source="https://ci.example/a,b") for _ in range(3)]

    answer = web.get("/v1/search.csv?q=ref:env:sheet&limit=2")

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [int(row["entry"]) for row in rows] == indices[:0:-1]
    assert rows[0]["source"] == "https://ci.example/a,b"
    link = re.fullmatch(r'<(/v1/search\.csv\?[^>]+)>; rel="next"', answer.headers["link"])
    assert link is not None
    rest = web.get(link[1])
    assert [row["entry"] for row in csv.DictReader(io.StringIO(rest.body.decode()))] == [
        str(indices[0])
    ]
    assert "link" not in rest.headers


def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(web: Running) -> None:
    record(web, type="com.example.odd", id="=1+1", subject="run:sheet/odd/1")

    answer = web.get("/v1/search.csv?q=ref:run:sheet/odd/1")

    [row] = csv.DictReader(io.StringIO(answer.body.decode()))
    assert row["id"] == "'=1+1"


# --- the page


@pytest.fixture(scope="module")
def cookie(web: Running) -> str:
    """The cookie of a session."""
    from counterfoil.app import signin
    from counterfoil.clock import SystemClock
    from counterfoil.ids import SystemRandomness

    link = signin.make_link(web.home.state, SystemClock(), SystemRandomness(), f"http://{web.host}")
    token = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["token"][0]
    answer = web.call(
        "POST", "/sign-in", urllib.parse.urlencode({"token": token}).encode(),
        {"Content-Type": "application/x-www-form-urlencoded"}, token=None,
    )  # fmt: skip
    assert answer.status == 303
    return answer.headers["set-cookie"].partition(";")[0]


def page(web: Running, cookie: str, path: str) -> str:
    """Return a page as text."""
    answer = web.call("GET", path, headers={"Cookie": cookie}, token=None)
    assert answer.status == 200, answer.body
    return answer.body.decode()


def post(web: Running, cookie: str, path: str, **fields: str) -> Reply:
    """Send a form."""
    return web.call(
        "POST", path, urllib.parse.urlencode(fields).encode(),
        {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}, token=None,
    )  # fmt: skip


def csrf_of(text: str) -> str:
    """Return the token the forms of a page carry."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', text)
    assert found is not None
    return found[1]


def test_the_page_shows_words_lines_values_and_time(web: Running, cookie: str) -> None:
    index = deploy(web, "page", "failure")

    text = page(web, cookie, "/search?q=ref:env:page+type:deployment.*")

    assert f'id="line-{index}"' in text
    assert '<h2 id="entries-head">1 entry</h2>' in text
    assert 'aria-label="Search without ref:env:page"' in text
    assert '<svg class="hist"' in text
    assert "outcome:failed" in urllib.parse.unquote(text)


def test_the_page_underlines_a_word_that_is_off_and_links_the_nearest(
    web: Running, cookie: str
) -> None:
    text = page(web, cookie, "/search?q=outcome:failde")

    assert 'class="chip wrong"' in text
    assert 'href="/search?q=outcome:failed"' in text
    assert "(character 9)" in text


def test_nothing_found_links_the_search_without_what_excludes_most(
    web: Running, cookie: str
) -> None:
    deploy(web, "gamma")

    text = page(web, cookie, "/search?q=ref:env:gamma+via:reconcile")

    assert "No entry matches all of it." in text
    assert '<a href="/search?q=ref:env:gamma">without via:reconcile there are 1</a>' in text


def test_every_page_has_the_search_box(web: Running, cookie: str) -> None:
    text = page(web, cookie, "/runs")

    assert re.search(r'<input id="find" name="q" [^>]*data-key="/"', text)
    assert 'href="/search"' in text


def test_a_search_is_saved_shown_and_removed(web: Running, cookie: str) -> None:
    deploy(web, "kept")
    token = csrf_of(page(web, cookie, "/search?q=ref:env:kept"))

    saved = post(
        web, cookie, "/search/save", csrf=token, name="Kept <b>", q="ref:env:kept since:7d"
    )
    assert saved.status == 303
    assert saved.headers["location"] == "/search?q=ref%3Aenv%3Akept+since%3A7d"
    shown = page(web, cookie, "/search")
    assert "Kept &lt;b&gt;" in shown
    assert 'href="/search?q=ref:env:kept%20since:7d"' in shown
    assert "Kept" not in page(web, cookie, "/search?project=other")

    assert post(web, cookie, "/search/remove", csrf=token, name="Kept <b>").status == 303
    assert "Kept" not in page(web, cookie, "/search")


def test_a_search_with_a_syntax_error_is_not_saved_and_says_where(
    web: Running, cookie: str
) -> None:
    token = csrf_of(page(web, cookie, "/search"))

    refused = post(web, cookie, "/search/save", csrf=token, name="wrong", q='a "b')

    assert refused.status == 400
    assert b"(character 3)" in refused.body
    assert "wrong" not in page(web, cookie, "/search")


def test_a_form_without_the_token_of_its_session_saves_nothing(web: Running, cookie: str) -> None:
    refused = post(web, cookie, "/search/save", csrf="0" * 64, name="forged", q="x")

    assert refused.status == 403
    assert "forged" not in page(web, cookie, "/search")
