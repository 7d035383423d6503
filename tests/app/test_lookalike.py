"""Accounts that a person takes for one another, and those that are plainly two."""

import pytest

from counterfoil.app.lookalike import looks

ALIKE = {
    "a capital I for an l": ("github.com:alice", "github.com:aIice"),
    "a 1 for an l": ("github.com:alice", "github.com:a1ice"),
    "a bar for an l": ("x.example:alice", "x.example:a|ice"),
    "a 1 for a capital I": ("github.com:aIice", "github.com:a1ice"),
    "a 0 for an o": ("github.com:bob", "github.com:b0b"),
    "a 0 for a capital O": ("github.com:BOB", "github.com:b0b"),
    "capitals": ("github.com:ian", "github.com:Ian"),
    "a name that begins with I and one with l": ("github.com:Ian", "github.com:lan"),
    "a dot after the host": ("github.com:alice", "github.com.:alice"),
    "a dot after the host, and an I": ("github.com:alice", "GitHub.com.:aIice"),
    "letters of another script": ("github.com:pop", "github.com:\N{CYRILLIC SMALL LETTER ER}op"),
    "another script, and a 0": ("github.com:pop", "github.com:\N{CYRILLIC SMALL LETTER ER}0p"),
}
TWO = {
    "a number more": ("github.com:alice", "github.com:alice1"),
    "another number": ("github.com:dev2", "github.com:dev3"),
    "i and l as they are": ("github.com:ian", "github.com:lan"),
    "rn and m, which plain names have": ("github.com:barn", "github.com:bam"),
    "another provider": ("github.com:alice", "gitlab.com:alice"),
    "a dot in a login": ("mail:ana.dev@acme.example", "mail:anadev@acme.example"),
}


@pytest.mark.parametrize(("one", "other"), ALIKE.values(), ids=ALIKE)
def test_what_a_person_takes_for_another_shares_a_look(one: str, other: str) -> None:
    assert set(looks(one)) & set(looks(other))


@pytest.mark.parametrize(("one", "other"), TWO.values(), ids=TWO)
def test_plain_names_that_differ_share_none(one: str, other: str) -> None:
    assert not set(looks(one)) & set(looks(other))
