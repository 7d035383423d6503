"""The words of a search: what they mean, and where they are off."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import RequestError
from counterfoil.projections.search import (
    KEYS,
    LENGTH_MAX,
    WORDS_MAX,
    Word,
    joined,
    quote,
    read_query,
    read_words,
    source_matches,
    type_matches,
)
from counterfoil.projections.search_time import read_span

NOW = datetime(2026, 11, 20, 14, 3, 22, tzinfo=UTC)
MERGED = "dev.cdevents.change.merged.0.3.0"


def words(text: str) -> list[tuple[str, str]]:
    return [(word.key, word.value) for word in read_query(text, NOW).words]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", []),
        ("actor:github.com:ana-dev", [("actor", "github.com:ana-dev")]),
        ('actor:"Ana D"  type:change.*', [("actor", "Ana D"), ("type", "change.*")]),
        ("OUTCOME:Failed", [("outcome", "failed")]),
        ("outcome:failure outcome:timed_out", [("outcome", "failed"), ("outcome", "failed")]),
        ("outcome:none", [("outcome", "none")]),
        ('"heap grows"', [("text", "heap grows")]),
        ('"say ""hi"""', [("text", 'say "hi"')]),
        ("heap* 12:30", [("text", "heap*"), ("text", "12:30")]),
        ("ref:release:shop@1.4.2", [("ref", "release:shop@1.4.2")]),
        ("tests/test_a.py::test_b", [("text", "tests/test_a.py::test_b")]),
    ],
    ids=[
        "nothing searches everything", "an account may hold colons", "a value in quotation marks",
        "keys and outcomes in any case", "words of other tools for an outcome",
        "an outcome that is not stated", "a phrase", "a quotation mark in a phrase",
        "text with a star, text with a colon behind digits", "a ref keeps its own colon",
        "a test's name is no key",
    ],
)  # fmt: skip
def test_words_mean_what_people_write(text: str, meant: list[tuple[str, str]]) -> None:
    assert words(text) == meant


@pytest.mark.parametrize(
    ("text", "position", "word", "suggestion"),
    [
        ("via:webhook outcme:failed", 12, "outcme:failed", "outcome:failed"),
        ("outcome:faild", 8, "outcome:faild", "outcome:failed"),
        ("via:webhok", 4, "via:webhok", "via:webhook"),
        ("  since:yesterdy", 8, "since:yesterdy", "since:yesterday"),
        ("since:2026-02-30", 6, "since:2026-02-30", ""),
        ("since:9999", 6, "since:9999", ""),
        ("commit:acme/shop@9fceb02", 0, "commit:acme/shop@9fceb02", "ref:commit:acme/shop@9fceb02"),
        ("https://ci.example/a", 0, "https://ci.example/a", "source:https://ci.example/a"),
        ("ref:shop@1.4.2", 4, "ref:shop@1.4.2", "ref:release:shop@1.4.2"),
        ("ref:env", 4, "ref:env", "ref:env:*"),
        ("zzzz:1", 0, "zzzz:1", '"zzzz:1"'),
        ("actor:", 6, "actor:", ""),
        ('a "b c', 2, '"b c', '"b c"'),
        ("passed ---", 7, "---", ""),
        ("since:2026-11-20 until:2026-11-16", 17, "until:2026-11-16", ""),
    ],
    ids=[
        "a key that is nearly one", "an outcome that is nearly one", "a way in that is nearly one",
        "a moment that is nearly one", "no such day", "beyond the years that can be counted",
        "a ref without its key", "a source without its key", "a release without its kind",
        "a kind alone", "a key like none", "a key without a value", "an open quotation",
        "nothing to search for", "an end before the beginning",
    ],
)  # fmt: skip
def test_a_word_that_is_off_is_pointed_at(
    text: str, position: int, word: str, suggestion: str
) -> None:
    """Whoever reads "character 13" must find the mistake there."""
    with pytest.raises(RequestError) as raised:
        read_query(text, NOW)

    assert raised.value.code == "query_invalid"
    assert raised.value.facts["position"] == position
    assert raised.value.facts["word"] == word
    assert raised.value.facts.get("suggestion", "") == suggestion
    assert f"(character {position + 1})" in raised.value.message


@pytest.mark.parametrize(
    "text", ["outcme:failed", "via:webhok", "commit:a/b@9fceb02", "https://ci.example/a", "zz:1",
             'a "b c', "ref:env"],
)  # fmt: skip
def test_what_is_suggested_is_a_word(text: str) -> None:
    suggested = [word.problem.suggestion for word in read_words(text, NOW) if word.problem]

    assert suggested
    assert all(read_query(one, NOW).words for one in suggested)


@pytest.mark.parametrize(
    ("text", "message"),
    [("x" * (LENGTH_MAX + 1), "characters"), ("x " * (WORDS_MAX + 1), "words")],
    ids=["a long text", "many words"],
)
def test_a_search_is_bounded(text: str, message: str) -> None:
    with pytest.raises(RequestError, match=f"at most .* {message}"):
        read_query(text, NOW)


TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.one_of(
            st.sampled_from([f"{key}:" for key in KEYS]),
            st.sampled_from(['"', '""', " ", "*", ":", "failed", "7d", "today", "ref:env:qa"]),
        ),
        max_size=12,
    ).map("".join),
)


@given(TEXTS)
@settings(derandomize=True, max_examples=400, deadline=None)
def test_any_text_is_read_and_every_word_stands_where_it_says(text: str) -> None:
    """A search box gets everything; nothing of it may be lost or raise."""
    found = read_words(text, NOW)

    place = 0
    for word in found:
        assert text[place : word.start].strip() == ""
        assert text[word.start : word.end] == word.raw
        if word.problem is not None:
            assert word.start <= word.problem.position <= word.end
        place = word.end
    assert text[place:].strip() == ""


@given(st.text(min_size=1, max_size=40))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_a_quoted_value_is_read_back(value: str) -> None:
    """Facet links are made of values from outside; they must mean that value."""
    [word] = read_words(f"actor:{quote(value)}", NOW)

    assert (word.problem, word.value) == (None, value)


@given(TEXTS)
@settings(derandomize=True, max_examples=200, deadline=None)
def test_words_joined_again_are_the_same_search(text: str) -> None:
    def plain(found: tuple[Word, ...]) -> list[tuple[str, str, bool]]:
        return [(word.key, word.value, word.problem is None) for word in found]

    found = read_words(text, NOW)
    if all(word.problem is None for word in found):
        assert plain(read_words(joined(found), NOW)) == plain(found)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-11-16", "2026-11-16T00:00:00.000Z", "2026-11-17T00:00:00.000Z"),
        ("2026-02", "2026-02-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"),
        ("2026-12", "2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"),
        ("2026", "2026-01-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"),
        ("2026-11-16T10:30", "2026-11-16T10:30:00.000Z", "2026-11-16T10:31:00.000Z"),
        ("2026-11-16T10:30:05+01:00", "2026-11-16T09:30:05.000Z", "2026-11-16T09:30:06.000Z"),
        ("2026-11-16t10:30:05.250z", "2026-11-16T10:30:05.250Z", "2026-11-16T10:30:05.251Z"),
        ("today", "2026-11-20T00:00:00.000Z", "2026-11-21T00:00:00.000Z"),
        ("yesterday", "2026-11-19T00:00:00.000Z", "2026-11-20T00:00:00.000Z"),
        ("36h", "2026-11-19T02:03:22.000Z", "2026-11-19T02:03:22.000Z"),
        ("2w", "2026-11-06T14:03:22.000Z", "2026-11-06T14:03:22.000Z"),
        ("now", "2026-11-20T14:03:22.000Z", "2026-11-20T14:03:22.000Z"),
    ],
)
def test_a_moment_is_a_stretch_of_time(text: str, start: str, end: str) -> None:
    span = read_span(text, NOW)

    assert span is not None
    assert (span.start, span.end) == (start, end)


@pytest.mark.parametrize(
    "text", ["", "2026-13", "0000", "26-11-16", "7", "7y", "99999d9", "999999w", "tomorrow",
             "2026-11-16T25:00", "2026-11-16 10:30"],
)  # fmt: skip
def test_what_is_no_moment_is_none(text: str) -> None:
    assert read_span(text, NOW) is None


def test_a_day_holds_its_last_moment() -> None:
    query = read_query("since:2026-11-16 until:2026-11-16", NOW)

    assert (query.since, query.until) == ("2026-11-16T00:00:00.000Z", "2026-11-17T00:00:00.000Z")


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [("change.merged", True), ("CHANGE.*", True), ("*.merged", True), (MERGED, True),
     ("dev.cdevents.change", True), ("dev", False), ("chan", False), ("change.merge", False),
     ("change.[m]erged*", False), ("change.merge?*", False)],
)  # fmt: skip
def test_a_type_is_meant_in_full_in_short_and_by_star_alone(pattern: str, matches: bool) -> None:
    assert type_matches(pattern, MERGED) is matches


def test_a_source_is_meant_whole_or_by_star() -> None:
    assert source_matches("ci.example/*", "https://ci.example/acme")
    assert not source_matches("ci.example", "https://ci.example/acme")
    assert not source_matches("ci.exampl?/*", "https://ci.example/acme")


def test_every_key_has_an_example_that_parses() -> None:
    """The example is what a mistake shows people: it must work."""
    for key in KEYS:
        [word] = read_words(f"{key}:", NOW)
        assert word.problem is not None
        [example] = re.findall(r"write (\w+:[^,]+)", word.problem.message)
        assert read_query(example.split(" (")[0], NOW).words[0].key == key
