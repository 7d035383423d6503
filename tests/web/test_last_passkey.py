"""The last passkey of the last administrator: one sentence, wherever it can be removed."""

import html
from collections.abc import Iterator
from typing import Any

import pytest

from counterfoil.app.actions import act
from counterfoil.app.last_key import WARNING
from tests.admin_reader import section
from tests.signing_in import OWNER, Browser, enrolled
from tests.web_server import Running, running


@pytest.fixture
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("last") / "ledger") as server:
        yield server


@pytest.fixture
def ana(web: Running) -> Browser:
    """The only administrator, with one passkey."""
    return enrolled(web, "ana", "administrator")


def listed(web: Running, handle: str) -> list[str]:
    """Return the warnings in the list of somebody's passkeys."""
    done: Any = act(web.home, OWNER, "passkey-list", {"handle": handle}, "cli")
    return [one.warning for one in done.passkeys]


def remove(web: Running, browser: Browser, handle: str) -> Any:
    given = {"handle": handle, "passkey": browser.authenticator.id}
    return act(web.home, OWNER, "passkey-remove", given, "cli")


def shown(browser: Browser) -> tuple[bool, bool]:
    """Say whether my account and the page of a person have the warning."""
    account = browser.get("/account").body.decode()
    person = section(browser.get("/admin/person?handle=ana").body.decode(), "passkeys")
    return WARNING in html.unescape(account), WARNING in html.unescape(person)


def test_it_is_said_before_it_goes_and_when_it_is_gone(web: Running, ana: Browser) -> None:
    assert shown(ana) == (True, True)
    assert listed(web, "ana") == [WARNING]

    gone = remove(web, ana, "ana")

    assert gone.warning == WARNING
    assert gone.entries


def test_nothing_is_said_while_another_administrator_has_one(web: Running, ana: Browser) -> None:
    bo = enrolled(web, "bo", "administrator")
    assert shown(ana) == (False, False)
    assert listed(web, "ana") == listed(web, "bo") == [""]

    assert remove(web, bo, "bo").warning == ""
    assert listed(web, "ana") == [WARNING]


@pytest.mark.usefixtures("ana")
def test_nothing_is_said_to_whoever_administers_nothing(web: Running) -> None:
    cy = enrolled(web, "cy")

    assert WARNING not in html.unescape(cy.get("/account").body.decode())
    assert remove(web, cy, "cy").warning == ""
    assert listed(web, "ana") == [WARNING]


def test_the_call_answers_with_it(ana: Browser) -> None:
    answer = ana.post(
        "/v1/actions/passkey-remove", {"handle": "ana", "passkey": ana.authenticator.id}
    )

    assert (answer.status, answer.json()["warning"]) == (200, WARNING)
