"""What a search hit is marked where it stands, letter by letter."""

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.projections.search import read_words
from counterfoil.web.pages.hits import fold, hits_of
from counterfoil.web.pages.words import visible

NOW = datetime.datetime(2026, 11, 20, 14, 3, tzinfo=datetime.UTC)


def shown(query: str, text: str, limit: int = 300) -> str:
    """Return `text` as the page prints it for a search."""
    markup = visible(text, limit, hits=hits_of(read_words(query, NOW)))
    return str(markup).removeprefix('<bdi class="outside">').removesuffix("</bdi>")


@pytest.mark.parametrize(
    ("query", "text", "wanted"),
    [
        ("heap", "the Heap grows", "the <mark>Heap</mark> grows"),
        ("heap", "heaps", "heaps"),
        ("heap*", "heaps", "<mark>heaps</mark>"),
        ('"heap grows"', "heap-grows", "<mark>heap-grows</mark>"),
        ("echec", "Échec total", "<mark>Échec</mark> total"),
        ("ref:run:acme/shop/1", "finished run acme/shop/1", "finished run <mark>acme/shop/1</mark>"),
        ("outcome:failed", "failed", "failed"),
        ("a<b", "a<b", "<mark>a&lt;b</mark>"),
        ("script", "<script>", "&lt;<mark>script</mark>&gt;"),
        ("acme acme/shop", "acme/shop", "<mark>acme/shop</mark>"),
        ("pay roll", "pay\u202eroll",
         '<mark>pay</mark><span class="box">U+202E</span><mark>roll</mark>'),
        ("outcom:x heap", "heap", "<mark>heap</mark>"),
    ],
    ids=["without case", "whole words", "any ending", "a phrase over punctuation",
         "without accents", "the id of a ref", "a field is no text", "escaped", "markup stays text",
         "the longer one", "boxes stay boxes", "a word that is off is left out"],
)  # fmt: skip
def test_a_hit_is_marked(query: str, text: str, wanted: str) -> None:
    assert shown(query, text) == wanted


def test_nothing_asked_marks_nothing() -> None:
    assert hits_of(read_words("outcome:failed since:7d", NOW)) is None


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_folding_keeps_every_place(text: str) -> None:
    assert len(fold(text)) == len(text)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.text(max_size=30), st.text(max_size=40))
def test_marking_changes_no_letter(query: str, text: str) -> None:
    """Take the marks away and what is left is what stands there without a search."""
    bare = shown(query, text).replace("<mark>", "").replace("</mark>", "")
    assert bare == shown("", text)
