"""People from a file on a page: what it would change first, and then exactly that."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app.actions import act
from counterfoil.policy.access import ADMIN
from counterfoil.web.pages.admin_import import CHANGES_SHOWN
from tests.admin_reader import Reader, described, section, sign_in, size
from tests.app.directories import CSV, HEAD, YAML
from tests.web_server import Running, running

BACK = {"back": "/admin/import"}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "ledger") as web:
        yield web


@pytest.fixture
def reader(web: Running) -> Reader:
    return sign_in(web)


def hidden(card: str) -> dict[str, str]:
    """Return what a form sends along without asking."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', card)
    return {name: html.unescape(value) for name, value in found}


def typed(page: str) -> str:
    """Return what stands in the field for the file."""
    found = re.search(
        r'<textarea id="directory-diff-content"[^>]*>\n(.*?)</textarea>', page, re.DOTALL
    )
    assert found is not None
    return html.unescape(found[1])


@pytest.mark.parametrize(("content", "form"), [(YAML, "yaml"), (CSV, "csv")], ids=["yaml", "csv"])
def test_a_pasted_file_is_shown_in_words_and_then_applied_exactly(
    web: Running, reader: Reader, content: str, form: str
) -> None:
    before = size(web)

    # A browser ends lines by CR LF.
    pasted = content.replace("\n", "\r\n")
    page = reader.do("directory-diff", content=pasted, form=form, **BACK)

    shown = section(page, "difference")
    assert "12 changes" in shown
    assert "<b>add</b>" in shown
    assert "person Ana Dev" in shown
    assert "approver in project default, tier production until 2027-01-01" in shown
    assert "Apply exactly this" in shown
    assert size(web) == before
    assert typed(page) == content

    sent = hidden(shown)
    assert sent["content"] == content
    applied = reader.do("directory-import", **sent)

    assert size(web) == before + 12
    assert "2 grant done." in applied
    assert typed(applied) == ""
    assert web.home.access.directory.by_handle("bo-dev") is not None


def test_a_file_that_changes_nothing_has_no_button(web: Running, reader: Reader) -> None:
    described(web, "ana")

    page = reader.do("directory-diff", content=HEAD + "actors:\n  - handle: ana\n", **BACK)

    assert "Nothing would change." in section(page, "difference")
    assert "Apply exactly this" not in page


def test_a_file_with_a_mistake_comes_back_with_its_line_and_every_character(
    web: Running, reader: Reader
) -> None:
    content = HEAD + 'actors:\n  - handle: "ana"\n  - handle: <b>Bo</b>\n'

    reply = reader.send("directory-diff", {"content": content, "remove_missing": "true", **BACK})

    page = reply.body.decode()
    assert reply.status == 422
    assert "Line 4" in section(page, "directory-diff")
    assert typed(page) == content
    assert re.search(r'name="remove_missing"[^>]* checked', page)
    assert web.home.access.directory.actors == {}


def test_a_difference_that_is_another_one_by_then_is_refused_and_the_file_stays(
    web: Running, reader: Reader
) -> None:
    content = HEAD + "actors:\n  - handle: ana\n  - handle: bo\n"
    page = reader.do("directory-diff", content=content, **BACK)
    described(web, "bo")
    before = size(web)

    reply = reader.send("directory-import", hidden(section(page, "difference")))

    after = reply.body.decode()
    assert reply.status == 409
    assert "look again at what it would change" in after
    assert typed(after) == content
    assert size(web) == before


def test_whom_a_file_would_remove_stands_in_the_difference(web: Running, reader: Reader) -> None:
    described(web, "gone")
    content = HEAD + "actors:\n  - handle: ana\n"

    page = reader.do("directory-diff", content=content, remove_missing="true", **BACK)
    sent = hidden(section(page, "difference"))
    assert "<b>remove</b>" in section(page, "difference")
    reader.do("directory-import", **sent)

    assert [one.handle for one in web.home.access.directory.actors.values() if one.removed < 0] == [
        "ana"
    ]


def test_a_file_as_long_as_a_form_carries_is_compared_and_says_what_is_not_shown(
    reader: Reader,
) -> None:
    lines = "".join(f"  - {{handle: p{number}, name: Ümläut Ñ{'é' * 40}}}\n" for number in range(7_800))  # fmt: skip
    content = f"{HEAD}actors:\n{lines}"
    assert 900_000 < len(content.encode()) <= 1_000_000

    page = reader.do("directory-diff", content=content, **BACK)

    assert "7,800 changes" in section(page, "difference")
    assert f"{7_800 - CHANGES_SHOWN:,} more changes are not shown" in page
    assert typed(page) == content


def test_whoever_may_not_change_people_is_told_so_instead_of_asked_for_a_file(web: Running) -> None:
    described(web, "vi")
    act(web.home, ADMIN, "role-grant", {"to": "vi", "role": "viewer"}, "api")
    reader = sign_in(web, "vi")

    page = reader.page("/admin/import")
    reply = reader.send("directory-diff", {"content": YAML, **BACK})

    assert "You may not do this" in section(page, "directory-diff")
    assert reply.status == 403


def test_the_page_of_people_leads_to_the_file(reader: Reader) -> None:
    assert 'href="/admin/import"' in reader.page("/admin/people")
    page = reader.page("/admin/import")
    assert "counterfoil admin people import FILE" in page
    assert page.count("<h1>") == 1
