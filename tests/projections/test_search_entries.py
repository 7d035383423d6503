"""What an entry is found by, and as what its cells leave in CSV."""

import csv
import io
from typing import Any

import pytest

from counterfoil.events.event import make_event
from counterfoil.projections.search_csv import COLUMNS, to_csv
from counterfoil.projections.search_entry import found_by
from tests.projections.trail import recorded_event

CASE = "dev.cdevents.testcaserun.finished.0.3.0"


def test_an_entry_is_found_by_who_what_how_and_its_refs_once_each() -> None:
    event = make_event(
        type=CASE, source="https://ci.example/a", id="1", time="2026-11-20T12:00:00Z",
        authtype="system", authid="ci:a", subject="test:tests/test_a.py::test_b",
        refs=(("run:acme/shop/1", "part-of"), ("run:acme/shop/1", "about"), ("env:qa", "input")),
        data={"subject": {"id": "1", "content": {"outcome": "failure"}}},
    )  # fmt: skip

    found = found_by(recorded_event(event, 7))

    fields = [field for field, _ in found.marks]
    marks = dict(found.marks)
    assert found.entry == 7
    assert (marks["type"], marks["outcome"]) == (CASE, "failed")
    assert marks["actor"].startswith("actor:")
    assert marks["source"] == "https://ci.example/a"
    assert fields.count("ref") == len({value for field, value in found.marks if field == "ref"})
    assert ("ref", "run:acme/shop/1") in found.marks
    assert not any(value.startswith("test:") for _, value in found.marks)
    assert "tests/test_a.py::test_b" in found.line


def row(**members: Any) -> dict[str, Any]:
    plain = {
        "index": 4, "time": "t", "recordedtime": "r", "actor": {"handle": "ana", "how": "claimed"},
        "sentence": "did it", "outcome": None, "type": "x", "subject": None, "via": "cli",
        "source": "s", "id": "1",
    }  # fmt: skip
    return {**plain, **members}


@pytest.mark.parametrize(
    "text",
    ["=HYPERLINK(1)", "+1", "-1+2", "@SUM(1)", "\t=1", "\r=1", "  =1", "\ufeff=1", "\n@x"],
    ids=ascii,
)
def test_a_formula_becomes_text(text: str) -> None:
    """Who opens the file must not run what a sender wrote."""
    [line] = csv.DictReader(io.StringIO(to_csv([row(sentence=text)]), newline=""))

    assert line["sentence"] == "'" + text


@pytest.mark.parametrize("text", ['a "b", c', "two\nlines", "plain", "5-1", ""], ids=ascii)
def test_other_text_is_read_back_as_it_was(text: str) -> None:
    [line] = csv.DictReader(io.StringIO(to_csv([row(sentence=text)]), newline=""))

    assert line["sentence"] == text
    assert list(line) == list(COLUMNS)
    assert (line["entry"], line["actor"], line["outcome"]) == ("4", "ana", "")
