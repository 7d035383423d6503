"""Refs and links: the vectors of docs/refs.md, and the docs themselves."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import RequestError
from counterfoil.events.refs import (
    ID_BYTES_MAX,
    KINDS,
    LINK_ROLES,
    Link,
    Named,
    Ref,
    is_ref,
    joins,
    links,
    parse_ref,
    parse_role,
    safe_id,
)

ROOT = Path(__file__).resolve().parents[2]
VECTORS: dict[str, Any] = json.loads((ROOT / "tests/vectors/refs.json").read_text("utf-8"))
DOCS = (ROOT / "docs/refs.md").read_text("utf-8")


@pytest.mark.parametrize("vector", VECTORS["valid"], ids=lambda one: ascii(one["ref"])[:60])
def test_a_ref_is_kind_and_id(vector: dict[str, str]) -> None:
    ref = parse_ref(vector["ref"])

    assert ref == Ref(vector["kind"], vector["id"])
    assert str(ref) == vector["ref"]
    assert is_ref(vector["ref"])


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=lambda one: one["because"])
def test_a_ref_is_refused_for(vector: dict[str, str]) -> None:
    with pytest.raises(RequestError) as caught:
        parse_ref(vector["ref"])

    assert caught.value.code == "ref_invalid"
    assert caught.value.message.isprintable()
    assert not is_ref(vector["ref"])


@pytest.mark.parametrize("vector", VECTORS["joins"], ids=lambda one: one["because"])
def test_refs_join(vector: dict[str, Any]) -> None:
    assert joins(vector["a"], vector["b"]) is vector["joins"]
    assert joins(vector["b"], vector["a"]) is vector["joins"]


@pytest.mark.parametrize("vector", VECTORS["links"], ids=lambda one: one["about"])
def test_links_follow_from_subject_and_roles(vector: dict[str, Any]) -> None:
    found = links(vector["subject"], [Named(ref, role) for ref, role in vector["refs"]])

    assert found == tuple(Link(*one) for one in vector["links"])


@pytest.mark.parametrize("vector", VECTORS["safe_id"], ids=lambda one: ascii(one["text"])[:40])
def test_a_safe_id_is_what_the_vectors_say(vector: dict[str, Any]) -> None:
    assert safe_id(vector["text"], vector["limit"]) == vector["id"]


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text(max_size=700), st.integers(32, ID_BYTES_MAX))
def test_any_text_becomes_the_id_of_a_ref(text: str, limit: int) -> None:
    """Names come from other people's tests and tools; none of them may stop an event."""
    ident = safe_id(text, limit)

    assert parse_ref("test:" + ident).id == ident
    assert len(ident.encode()) <= limit
    assert safe_id(ident, limit) == ident


def test_two_long_names_stay_two() -> None:
    one, other = "x" * 300 + "1", "x" * 300 + "2"

    assert safe_id(one) != safe_id(other)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text(max_size=40) | st.builds("{}:{}".format, st.sampled_from(list(KINDS)), st.text()))
def test_any_text_is_read_as_a_ref_or_refused_by_name(text: str) -> None:
    try:
        ref = parse_ref(text)
    except RequestError as error:
        assert error.code == "ref_invalid"  # noqa: PT017  either way is right
    else:
        assert str(ref) == text


@pytest.mark.parametrize("role", ["", "Input", "1st", "a b", "a" * 33, "input\n"])
def test_a_role_is_a_short_lower_case_word(role: str) -> None:
    with pytest.raises(RequestError):
        parse_role(role)


def test_every_kind_is_in_the_docs_with_its_example() -> None:
    """docs/refs.md is what people write refs by."""
    rows = dict(re.findall(r"^\| `([a-z]+):` \|.*\| `([^`]+)` \|$", DOCS, re.MULTILINE))

    assert rows == {kind: known.example for kind, known in KINDS.items()}
    for kind, example in rows.items():
        assert parse_ref(example).kind == kind
    for kind, known in KINDS.items():
        assert f"| `{kind}:` | {known.meaning} | {known.form} |" in DOCS


def test_every_link_role_is_in_the_docs_with_its_meaning() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (the .*) \|$", DOCS, re.MULTILINE))

    assert rows == LINK_ROLES
