"""The line that links an account: found in any comment, good in one setting alone."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from counterfoil.demo import samples
from counterfoil.sources.github import CODE_LETTERS, LinkComment, find_link, link_line
from counterfoil.sources.github.comments import LINES_MAX
from tests.comments import EVENT, comment, sample

CODE = "0123456789abcdefghjk"
LINE = f"counterfoil link ana-dev {CODE}"
Bend = Callable[[dict[str, Any]], object]


def found(payload: dict[str, Any], event: str = EVENT) -> LinkComment | None:
    return find_link(event, json.dumps(payload).encode())


def test_the_line_that_is_given_is_the_line_that_is_found() -> None:
    assert len(CODE) == CODE_LETTERS
    assert link_line("ana-dev", CODE) == LINE
    assert found(comment(LINE, "Ana-Dev")) == LinkComment(
        "github.com:Ana-Dev", (("ana-dev", CODE),), ""
    )


@pytest.mark.parametrize("around", [" {} ", "{}\r\n", "\n\n\t{}\n"])
def test_spaces_and_line_ends_around_the_line_are_nothing(around: str) -> None:
    """Browsers and mail programs put them there."""
    one = found(comment(around.format(LINE), "Ana-Dev"))

    assert one is not None
    assert one.odd == ""


def test_the_host_of_an_account_is_that_of_the_repository() -> None:
    payload = comment(LINE, "ana")
    payload["repository"]["html_url"] = "https://ghe.example/acme/shop"

    one = found(payload)

    assert one is not None
    assert one.account == "ghe.example:ana"


def set_at(*path: str, value: object) -> Bend:
    """Return what puts a value into a payload."""

    def bend(payload: dict[str, Any]) -> None:
        place = payload
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return bend


ODD: dict[str, tuple[str, Bend]] = {
    "edited": ("edited", set_at("action", value="edited")),
    "edited before it was delivered": (
        "edited", set_at("comment", "updated_at", value="2019-05-15T15:20:22Z")),
    "without its times": (
        "edited", lambda it: [it["comment"].pop(one) for one in ("created_at", "updated_at")]),
    "deleted": ("not-created", set_at("action", value="deleted")),
    "no action": ("not-created", lambda it: it.pop("action")),
    "an action that is no word": ("not-created", set_at("action", value=["created"])),
    "words before it": ("more-text", set_at("comment", "body", value=f"Here: {LINE}")),
    "words behind it": ("more-text", set_at("comment", "body", value=f"{LINE}\nthanks")),
    "a quote": ("more-text", set_at("comment", "body", value=f"> {LINE}")),
    "code": ("more-text", set_at("comment", "body", value=f"`{LINE}`")),
    "twice": ("more-text", set_at("comment", "body", value=f"{LINE}\n{LINE}")),
    "a space nobody sees": ("more-text", set_at("comment", "body", value=f"\u00a0{LINE}")),
    "sent by another": ("other-author", set_at("sender", "login", value="mallory")),
    "written by another": ("other-author", set_at("comment", "user", "login", value="mallory")),
    "written by nobody": ("other-author", set_at("comment", "user", value=None)),
    "sent by a bot": ("no-person", set_at("sender", "type", value="Bot")),
    "written by a bot": ("no-person", set_at("comment", "user", "type", value="Bot")),
    "a type that is no word": ("no-person", set_at("sender", "type", value=["User"])),
    "written by an app": (
        "by-app", set_at("comment", "performed_via_github_app", value={"id": 1, "slug": "x"})),
    "perhaps by an app": ("by-app", lambda it: it["comment"].pop("performed_via_github_app")),
    "on no issue": ("no-issue", lambda it: it.pop("issue")),
}  # fmt: skip


@pytest.mark.parametrize(("why", "bend"), ODD.values(), ids=ODD.keys())
def test_a_line_in_another_setting_is_found_and_says_why_it_counts_for_nothing(
    why: str, bend: Bend
) -> None:
    payload = comment(LINE, "Ana-Dev")
    bend(payload)

    one = found(payload)

    assert one is not None
    assert (one.odd, one.lines[0]) == (why, ("ana-dev", CODE))


def test_real_edits_and_deletions_are_what_they_are() -> None:
    for action, why in (("created", ""), ("edited", "edited"), ("deleted", "not-created")):
        one = found(comment(LINE, "Codertocat", action))
        assert one is not None
        assert (one.account, one.odd) == ("github.com:Codertocat", why)


NONE: dict[str, object] = {
    "other words": "counterfoil is a log",
    "no code": "counterfoil link ana-dev",
    "a short code": f"counterfoil link ana-dev {CODE[:-1]}",
    "a long code": f"counterfoil link ana-dev {CODE}0",
    "capitals": f"counterfoil link ana-dev {CODE.upper()}",
    "two spaces": f"counterfoil link  ana-dev {CODE}",
    "no handle": f"counterfoil link {CODE}",
    "no text": None,
    "a list": [LINE],
}


@pytest.mark.parametrize("body", NONE.values(), ids=NONE.keys())
def test_what_is_no_line_is_nothing(body: object) -> None:
    payload = sample()
    payload["comment"]["body"] = body

    assert found(payload) is None


def test_a_line_that_an_edit_took_away_is_nothing() -> None:
    payload = comment("never mind", "Ana-Dev", "edited")
    payload["changes"]["body"]["from"] = LINE

    assert found(payload) is None


def test_only_so_many_lines_of_one_comment_are_looked_at() -> None:
    one = found(comment("\n".join([LINE] * 1_000), "mallory"))

    assert one is not None
    assert len(one.lines) == LINES_MAX


def test_no_other_delivery_is_read_again() -> None:
    """The bytes decide: they are no JSON, and nobody notices."""
    assert find_link("push", LINE.encode()) is None
    assert find_link(EVENT, b"{no JSON") is None
    for one in samples.deliveries():
        assert find_link(one.name.partition(".")[0], one.content) is None
