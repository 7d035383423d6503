"""The forms of the pages about access, filled in as a person does."""

import re
from typing import Any

import pytest

from tests.browser.conftest import Watched
from tests.browser.test_axe import bare as bare  # noqa: PLC0414  a fixture
from tests.browser.test_axe import faults
from tests.web_server import Running

pytestmark = pytest.mark.browser


def test_somebody_is_added_and_given_a_role(watched: Watched, served: Running) -> None:
    page = watched.open("/admin/people")
    page.get_by_label("Handle").last.fill("eve")
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/admin/people?told=*")
    assert "Eve is known as a person." in page.inner_text("#said")
    page.get_by_role("link", name="eve").click()
    page.wait_for_url("**/admin/person?*")
    page.locator("#roles summary", has_text="Give a role").click()
    page.locator("#roles").get_by_label("Role").select_option("tester")
    page.get_by_role("button", name="Give", exact=True).click()
    page.wait_for_url("**told=*")
    assert "tester" in page.inner_text("#roles")
    eve = served.home.access.require_actor("eve")
    assert [one.role for one in served.home.access.directory.grants.values()
            if one.holder == eve.ref] == ["tester"]  # fmt: skip
    assert watched.complaints == []


def test_a_token_is_copied_once(watched: Watched) -> None:
    page = watched.open("/admin/tokens")
    page.get_by_label("Name").fill("once")
    page.get_by_role("button", name="Make the token").click()
    page.wait_for_url("**told=*")
    assert re.fullmatch("cft_[0-9a-f]{64}", page.inner_text(".secret"))
    page.reload()
    assert page.locator(".secret").count() == 0
    page.go_back()
    page.go_forward()
    assert page.locator(".secret").count() == 0


@pytest.mark.parametrize("watched", [(1360, "light"), (360, "dark")], indirect=True,
                         ids=["wide", "narrow"])  # fmt: skip
def test_what_was_typed_is_still_there_after_a_refusal(watched: Watched) -> None:
    page = watched.open("/admin/roles")
    page.get_by_label("To", exact=True).fill("ana")
    page.get_by_label("Role", exact=True).select_option("tester")
    page.get_by_label("Until").fill("2031-01-31")
    page.get_by_label("Component").fill("cart")
    page.locator("#role-grant").get_by_label("Project").fill("nowhere")
    page.get_by_role("button", name="Give").click()
    page.wait_for_selector("#role-grant [role=alert]")
    assert page.get_by_label("Role", exact=True).input_value() == "tester"
    assert page.get_by_label("Until").input_value() == "2031-01-31"
    assert page.get_by_label("Component").input_value() == "cart"
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]
    # The browser reports the status of the answer itself; nothing else is wrong.
    assert [one for one in watched.complaints if "404" not in one] == []


def test_forms_work_without_scripts(chromium: Any, served: Running, session: Any) -> None:
    context = chromium.new_context(storage_state=session, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"http://{served.host}/admin/teams")
    said = page.inner_text("#team-payments")
    page.goto(f"http://{served.host}/admin/person?handle=cy")
    page.locator("#roles summary", has_text="Take back").first.click()
    page.get_by_role("button", name="Take back").first.click()
    page.wait_for_url("**told=*")
    after = page.inner_text("#said")
    context.close()
    assert "Auditor taken back." in after
    assert "environment-owner in every project, tier production" in said


@pytest.mark.parametrize("bare", [(1360, "light"), (360, "dark")], indirect=True,
                         ids=["wide", "narrow"])  # fmt: skip
def test_axe_finds_nothing_in_forms_that_are_open_or_refused(bare: Watched) -> None:
    page = bare.open("/admin/person?handle=bo")
    for one in page.locator("main summary").all():
        one.click()
    assert faults(page) == []
    page.locator("#roles").get_by_role("button", name="Give", exact=True).evaluate(
        "(it) => { it.form.noValidate = true; it.click(); }"
    )
    page.wait_for_selector("#roles [role=alert]")
    assert faults(page) == []
    page = bare.open("/admin/policies")
    page.locator("#policy-preview-text").fill(
        page.locator("#policy-preview-text").input_value().replace("a viewer reads", "viewers read")
    )
    page.get_by_role("button", name="Say what it would change").click()
    page.wait_for_selector("#preview ins")
    assert faults(page) == []
