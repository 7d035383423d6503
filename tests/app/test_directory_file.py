"""Directory files: what they say in either form, and what is refused, with its line."""

import re
import tracemalloc

import pytest

from counterfoil.app.directory_file import FILE_BYTES_MAX, read_directory
from counterfoil.errors import RequestError
from tests.app.directories import CSV, HEAD, YAML


def test_both_forms_say_the_same() -> None:
    by_yaml, by_csv = read_directory(YAML, "yaml"), read_directory(CSV, "csv")

    def said(found: object) -> str:
        return re.sub(r"line=\d+", "line", repr(found))

    assert list(by_yaml.actors) == ["ana-dev", "bo-dev", "fixer"]
    assert said(by_yaml.roles) == said(by_csv.roles)
    assert said(by_yaml.teams) == said(by_csv.teams)
    assert said(by_yaml.actors["ana-dev"]) == said(by_csv.actors["ana-dev"])
    # YAML says nothing of the agent's accounts; a CSV with account rows says there are none.
    assert by_yaml.actors["fixer"].accounts is None
    assert by_csv.actors["fixer"].accounts == ()


def test_a_file_says_nothing_about_what_it_leaves_out() -> None:
    text = HEAD + "actors:\n  - handle: x\n  - handle: y\n    accounts: []\n"

    found = read_directory(text, "yaml")

    assert (found.actors["x"].accounts, found.actors["y"].accounts) == (None, ())


def test_a_csv_without_rows_of_a_kind_does_not_speak_of_it() -> None:
    found = read_directory("what,handle\nactor,ana-dev\n", "csv")

    assert found.actors["ana-dev"].accounts is None
    assert found.actors["ana-dev"].deputies is None


def actors(*lines: str) -> str:
    return HEAD + "actors:\n" + "".join(f"  {line}\n" for line in lines)


BAD_YAML = {
    "a duplicate handle": (5, "described twice, first on line 3", actors(
        "- handle: ana", "  name: A", "- handle: ana")),
    "an unknown key": (4, "'email' is not known", actors("- handle: ana", "  email: a@b.example")),
    "an unknown key at the top": (2, "'people' is not known", HEAD + "people: []\n"),
    "no version": (1, "begins with apiVersion", "actors: []\n"),
    "another version": (1, "not 'counterfoil.directory/2'", "apiVersion: counterfoil.directory/2\n"),
    "a handle that is none": (3, "no handle", actors("- handle: Ana Dev")),
    "a handle in other letters": (3, "no handle", actors("- handle: аna")),
    "no handle": (3, "no handle", actors("- name: Ana")),
    "an over-long handle": (3, "no handle", actors(f"- handle: {'a' * 65}")),
    "an over-long name": (3, "at most 200", actors("- handle: ana", f"  name: {'x' * 201}")),
    "an over-long account": (5, "at most 512 bytes", actors(
        "- handle: ana", "  accounts:", f"    - github.com:{'x' * 600}")),
    "an account without a provider": (5, "no PROVIDER:LOGIN", actors(
        "- handle: ana", "  accounts:", "    - ana-dev")),
    "an account of the ledger itself": (5, "no PROVIDER:LOGIN", actors(
        "- handle: ana", "  accounts:", "    - counterfoil:bo")),
    "letters of two scripts": (5, "mixes letters of CYRILLIC and LATIN", actors(
        "- handle: ana", "  accounts:", "    - github.com:\u0430na")),
    "letters that stand for others": (5, "characters that stand for others", actors(
        "- handle: ana", "  accounts:", "    - github.com:\uff41na")),
    "letters nobody sees": (5, "nobody sees", actors(
        "- handle: ana", "  accounts:", '    - "github.com:a\\u200bna"')),
    "an end before the beginning": (5, "before it begins", actors(
        "- handle: ana", "  accounts:", "    - {account: a:b, since: 2026-02-01, until: 2026-01-01}")),
    "an end at the beginning": (5, "before it begins", actors(
        "- handle: ana", "  accounts:", "    - {account: a:b, since: 2026-02-01, until: 2026-02-01}")),
    "no such day": (5, "since is a date", actors(
        "- handle: ana", "  accounts:", "    - {account: a:b, since: 2026-02-30}")),
    "a link without an account": (5, "`account` is missing", actors(
        "- handle: ana", "  accounts:", "    - {since: 2026-01-01}")),
    "an agent of nobody": (3, "names the person", actors("- handle: bot", "  kind: agent")),
    "a person on behalf of another": (3, "act for themselves", actors(
        "- handle: ana", "  behalf: bo")),
    "an unknown kind": (3, "no kind", actors("- handle: ana", "  kind: robot")),
    "a list where a text belongs": (4, "expected a text", actors("- handle: ana", "  name: [a]")),
    "a text where a list belongs": (4, "`accounts` is a list", actors(
        "- handle: ana", "  accounts: a:b")),
    "an actor that is a text": (3, "expected KEY: VALUE", actors("- ana")),
    "turns without a beginning": (3, "together", HEAD + "teams:\n  - team: a\n    turns: [b]\n"),
    "turns of no days": (3, "turn_days is a number", (HEAD + "teams:\n  - team: a\n"
        "    turns: [b]\n    turn_days: 0\n    turns_from: 2026-01-01\n")),
    "a team of no name": (3, "no name of a team", HEAD + 'teams:\n  - team: ""\n'),
    "an unknown role": (3, "no role", HEAD + "roles:\n  - {to: ana, role: king}\n"),
    "an unknown tier": (3, "no tier", HEAD + "roles:\n  - {to: ana, role: tester, tier: prod}\n"),
    "a bomb of aliases": (2, "begins with &", HEAD + "actors: &a [b]\nteams: *a\n"),
    "a duplicate key": (5, "stands here twice", actors("- handle: ana", "  name: A", "  name: B")),
}  # fmt: skip


@pytest.mark.parametrize(("line", "why", "text"), BAD_YAML.values(), ids=BAD_YAML.keys())
def test_a_line_that_is_off_refuses_the_file_and_is_named(line: int, why: str, text: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_directory(text, "yaml")

    assert (refused.value.code, refused.value.facts["line"]) == ("directory_refused", line)
    assert refused.value.message.startswith(f"line {line}: ")
    assert why in refused.value.message
    assert "\n" not in refused.value.message


BAD_CSV = {
    "an unknown column": (1, "is no column", "what,mail\n"),
    "a column twice": (1, "stands here twice", "what,handle,handle\n"),
    "no column for the kind": (1, "`what` is missing", "handle,name\n"),
    "an unknown kind of row": (2, "`what` is one of", "what,handle\nperson,ana\n"),
    "a cell too many": (3, "3 cells below 2", "what,handle\nactor,ana\nactor,bo,x\n"),
    "a cell of another kind of row": (2, "a row of actor has no account",
        "what,handle,account\nactor,ana,a:b\n"),
    "an account of nobody": (3, "no row of this file describes 'bo'",
        "what,handle,account\nactor,ana,\naccount,bo,a:b\n"),
    "a member of no team": (2, "no row of this file describes 'x'",
        "what,handle,team\nmember,ana,x\n"),
    "a duplicate handle": (3, "described twice", "what,handle\nactor,ana\nactor,ana\n"),
    "an empty row of a kind": (2, "says nothing", "what,handle\nactor,\n"),
    "a quotation mark that is not closed": (3, "no CSV", 'what,handle\nactor,"ana\n'),
}  # fmt: skip


@pytest.mark.parametrize(("line", "why", "text"), BAD_CSV.values(), ids=BAD_CSV.keys())
def test_a_row_that_is_off_refuses_the_file_and_is_named(line: int, why: str, text: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_directory(text, "csv")

    assert (refused.value.code, refused.value.facts["line"]) == ("directory_refused", line)
    assert why in refused.value.message


def test_a_file_of_ten_megabytes_is_refused_unread() -> None:
    content = HEAD + "#" * 10_000_000
    tracemalloc.start()
    try:
        with pytest.raises(RequestError, match="at most 3,000,000") as refused:
            read_directory(content, "yaml")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert refused.value.code == "directory_refused"
    assert peak_bytes < 3 * len(content)


def test_a_file_at_the_limit_is_read() -> None:
    content = HEAD + "actors: []\n" + "#" * (FILE_BYTES_MAX - len(HEAD) - 11)

    assert read_directory(content, "yaml").actors == {}


def test_another_form_is_no_form() -> None:
    with pytest.raises(RequestError, match="yaml or csv"):
        read_directory("", "json")
