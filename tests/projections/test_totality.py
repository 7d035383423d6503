"""Folds never raise: an entry cannot be taken out of the log."""

from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry
from counterfoil.events.refs import KINDS, LINK_ROLES, Named
from counterfoil.events.registry import TYPES
from counterfoil.projections.base import Projection, Recorded
from counterfoil.projections.catalogue import PROJECTIONS
from counterfoil.projections.trace import trace
from tests.projections.trail import ZERO, Memory, replay

REFS = [kind.example for kind in KINDS.values()]
REFS += [
    "commit:acme/shop@9fceb02d", "run:a", "test:a", "env:prod", "release:shop@2",
    "deployment:d", "change:acme/shop#9", "approval:x",
]  # fmt: skip
ROLES = [*LINK_ROLES, "about", "actor", "author", "reviewer", "target", "reviewed"]
WORDS = [
    "success", "failure", "error", "cancel", "approved", "dismissed", "open", "inactive",
    "", "?", "purple", "2026-11-20T12:00:00Z",
]  # fmt: skip
MEMBERS = [
    "outcome", "reason", "state", "title", "testCase", "testSuite", "name", "attempt", "counts",
    "warnings", "duration_s", "duration_ms", "review_state", "production", "draft", "message",
    "url", "final", "total", "passed", "conclusion", "errors",
]  # fmt: skip

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=5),
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    ),
    max_leaves=8,
)
members = st.dictionaries(st.sampled_from(MEMBERS), values, max_size=6)
documents: st.SearchStrategy[dict[str, JSON]] = st.one_of(
    members,
    st.builds(
        lambda content, custom: {"subject": {"id": "x", "content": content}, "customData": custom},
        st.one_of(members, values),
        st.one_of(members, values),
    ),
)
named = st.builds(Named, st.sampled_from(REFS), st.sampled_from(ROLES))
types = st.one_of(
    st.sampled_from(sorted(TYPES)),
    st.sampled_from([
        "com.example.step.finished", "dev.cdevents.change", "dev.cdevents.change.eaten.0.3.0",
        "dev.cdevents.", "dev.cdeventsx.counterfoil-release.moved.0.1.0",
        "dev.cdeventsx.counterfoil-approval.sung.0.1.0", "dev.cdevents.artifact.lost.0.3.0",
        "dev.cdevents.environment.cleaned.0.3.0", "dev.cdevents.run.sung.0.3.0",
    ]),
)  # fmt: skip
entries = st.builds(
    Entry,
    id=st.just("e"),
    source=st.just("urn:x"),
    type=types,
    subject=st.one_of(st.none(), st.sampled_from(REFS), st.just("no ref at all")),
    time=st.sampled_from(["2026-11-20T12:00:00Z", "2026-11-19T23:59:60+01:00", "yesterday", ""]),
    recordedtime=st.just("2026-11-20T12:00:00.000Z"),
    recordedby=st.just("local"),
    via=st.just("cli"),
    refs=st.lists(named, max_size=5).map(tuple),
    retention=st.just("standard"),
    commit=st.just({"body": ZERO, "authid": ZERO}),
)
story = st.lists(st.tuples(entries, documents), max_size=12).map(
    lambda pairs: [
        Recorded(index, entry, data, "actor:x" if index % 3 else None)
        for index, (entry, data) in enumerate(pairs)
    ]
)


def readable(projection: Projection[Any], rows: dict[str, Any]) -> None:
    """Every row must survive the trip through views.db, and have all its index columns."""
    for row in rows.values():
        assert msgspec.json.decode(msgspec.json.encode(row), type=projection.row) == row
        assert projection.index(row).keys() == projection.columns.keys()


@given(story)
@settings(derandomize=True, max_examples=250, deadline=None)
def test_any_event_in_any_order_raises_nothing(recorded: Sequence[Recorded]) -> None:
    for projection in PROJECTIONS:
        readable(projection, replay(projection, recorded))


@given(story, st.sampled_from(REFS))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_any_chain_can_be_traced(recorded: Sequence[Recorded], ref: str) -> None:
    found = trace(ref, Memory(recorded))

    assert all(gap.what and gap.entries is not None for gap in found.gaps)
    assert {entry for gap in found.gaps for entry in gap.entries} <= set(range(len(recorded)))


@given(story)
@settings(derandomize=True, max_examples=100, deadline=None)
def test_a_fold_changes_no_row_it_was_given(recorded: Sequence[Recorded]) -> None:
    """The row of one moment stays what it was: history rests on it."""
    for projection in PROJECTIONS:
        rows: dict[str, Any] = {}
        for one in recorded:
            for key in projection.touches(one):
                before = rows.get(key)
                kept = msgspec.json.encode(before)
                rows[key] = projection.after(key, before, one)
                assert msgspec.json.encode(before) == kept


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda one: one.noun)
def test_rows_have_bounds(projection: Projection[Any]) -> None:
    """A thing that is spoken of for years must not make a row that no page can show."""
    examples = [
        (known, entry)
        for known in TYPES.values()
        if (entry := _entry(known.name, known.example)) is not None
    ]
    recorded = [
        Recorded(index, entry, _data(known.example), "actor:x")
        for index, (known, entry) in enumerate(examples * 60)
    ]

    for row in replay(projection, recorded).values():
        assert len(msgspec.json.encode(row)) < 150_000
        assert len(row.entries) <= 200
        assert len(row.problems) <= 50


def _data(example: JSON) -> dict[str, JSON]:
    data = example.get("data") if isinstance(example, dict) else None
    return data if isinstance(data, dict) else {}


def _entry(name: str, example: JSON) -> Entry | None:
    if not isinstance(example, dict):
        return None
    subject = example.get("subject")
    refs = _data(example).get("refs")
    return Entry(
        id="e", source="urn:x", type=name, subject=subject if isinstance(subject, str) else None,
        time="2026-11-20T12:00:00Z", recordedtime="2026-11-20T12:00:00.000Z", recordedby="local",
        via="cli", retention="standard", commit={"body": ZERO, "authid": ZERO},
        refs=tuple(msgspec.convert(refs or [], list[Named])),
    )  # fmt: skip
