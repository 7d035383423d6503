"""Sentences: what was done to what, for every type, whatever the data is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.events import registry
from counterfoil.events.canonical import JSON
from counterfoil.events.sentence import LENGTH_MAX, say, spell

RUN = "dev.cdevents.testsuiterun.finished.0.3.0"
CASE = "dev.cdevents.testcaserun.finished.0.3.0"
REVIEW = "dev.cdevents.change.reviewed.0.3.0"


def doc(content: JSON = None, custom: JSON = None, ident: str = "42") -> JSON:
    return {"subject": {"id": ident, "content": content}, "customData": custom}


SENTENCES: list[tuple[str, str | None, JSON, str]] = [
    (
        RUN,
        "run:acme/shop/902",
        doc({"outcome": "failure"}, {"counts": {"passed": 96, "failed": 1, "skipped": 0}}),
        "finished run 902: 96 passed, 1 failed",
    ),
    (RUN, "run:acme/shop/902", doc({"outcome": "cancel"}), "finished run 902: cancelled"),
    (RUN, "run:acme/shop/902", doc({"outcome": "odd"}), "finished run 902: odd"),
    (RUN, "run:acme/shop/902", {}, "finished run 902"),
    (RUN, None, doc({"outcome": "success"}), "finished run 42: passed"),
    (RUN, None, None, "finished a run"),
    (
        CASE,
        "test:a::b",
        doc({"outcome": "error", "reason": "no\n  database"}),
        "ran test a::b: broke off with an error (no database)",
    ),
    (
        REVIEW,
        "change:a/b#1",
        doc({}, {"review_state": "approved"}),
        "reviewed change a/b#1: approved",
    ),
    (
        REVIEW,
        "change:a/b#1",
        doc({}, {"review_state": "changes_requested"}),
        "reviewed change a/b#1: asked for changes",
    ),
    (
        "dev.cdevents.service.deployed.0.3.0",
        None,
        doc({"environment": {"id": "prod"}, "artifactId": "pkg:golang/x@v1"}, None, "shop"),
        "deployed shop (pkg:golang/x@v1) to prod",
    ),
    ("dev.cdevents.service.removed.0.3.0", None, None, "removed a service"),
    (
        "dev.cdevents.incident.detected.0.3.0",
        "ticket:INC-7",
        {},
        "detected incident INC-7",
    ),
    (
        "dev.cdevents.taskrun.finished.0.3.0",
        "run:acme/shop/check/9",
        doc({"taskName": "unit", "outcome": "success"}),
        "finished task unit: passed",
    ),
    (
        "dev.cdevents.testcaserun.finished.0.1.0",
        "test:x",
        doc({"outcome": "success"}),
        "ran test x: passed",
    ),
    (
        "com.example.step.finished",
        "run:1",
        {"x": 1},
        "recorded com.example.step.finished about run:1",
    ),
    ("com.example.step.finished", None, None, "recorded com.example.step.finished"),
]


@pytest.mark.parametrize(
    ("name", "subject", "data", "said"), SENTENCES, ids=lambda one: str(one)[:50]
)
def test_an_event_is_said_as(name: str, subject: str | None, data: JSON, said: str) -> None:
    assert say(name, subject, data) == said


@pytest.mark.parametrize("known", registry.TYPES.values(), ids=lambda known: known.name)
def test_every_example_fills_every_part_that_it_can(known: registry.EventType) -> None:
    """A title whose field is misspelt would never show it."""
    subject, data = known.example.get("subject"), known.example["data"]
    assert subject is None or isinstance(subject, str)

    said, bare = say(known.name, subject, data), say(known.name, None, None)

    assert not set("{}[]") & set(said + bare)
    assert said.split()[0] == bare.split()[0]
    assert bare == " ".join(bare.split())
    if subject is not None:
        assert len(said) >= len(bare)


_TEXT = st.text(max_size=30) | st.just("x" * 70_000) | st.just("\u202e<b>\x1b[31m" * 40)
_DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("subject", "content", "customData", "counts", "passed", "outcome", "id"),
                    *("environment", "artifactId", "taskName", "reason", "count", "state", "name"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.sampled_from([*registry.TYPES, "odd.type"]) | _TEXT, st.none() | _TEXT, _DATA)
def test_there_is_a_sentence_for_anything(name: str, subject: str | None, data: JSON) -> None:
    """It stands in the log, on pages and on terminals: one line, short, without tricks."""
    said = say(name, subject, data)

    assert 0 < len(said) <= LENGTH_MAX
    assert said.splitlines() == [said]
    assert not any(ord(one) < 32 or one in "\u202e\u2066\x7f\x9b" for one in said)


def test_three_long_fields_are_cut_as_a_whole() -> None:
    name = "dev.cdeventsx.counterfoil-approval.signed.0.1.0"

    said = say(name, "approval:" + "a" * 99, {"environment": "e" * 99, "reason": "r" * 99})

    assert len(said) == LENGTH_MAX
    assert said.startswith("signed approval aaa")
    assert said.endswith("…")


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("commit:acme/shop@9fceb02d0ae598e95dc970b747", "commit 9fceb02"),
        ("run:acme/shop/902", "run 902"),
        ("run:acme/shop/902/unit", "run 902/unit"),
        ("run:nightly", "run nightly"),
        ("branch:acme/shop@feature/x@2", "branch feature/x@2"),
        ("artifact:sha256:" + "ab" * 32, "artifact sha256:abababababab"),
        ("env:production", "environment production"),
        ("actor:github.com:ana-dev", "an actor"),
        ("mynewfile.jpg", "mynewfile.jpg"),
        ("odd:", "odd:"),
        ("test:" + "t" * 100, "test " + "t" * 79 + "…"),
    ],
)
def test_a_ref_is_spelled_as_people_say_it(ref: str, words: str) -> None:
    assert spell(ref) == words


@pytest.mark.parametrize(
    "text", ["{data.secret}", "[{data.secret}]", "{subject} {source}", "webhooks/{source}", "[x]"]
)
def test_what_an_event_says_is_never_read_as_a_title(text: str) -> None:
    """Text from outside that looks like a field stays the text it is."""
    said = say(
        "dev.cdeventsx.counterfoil-refusal.counted.0.1.0",
        None,
        {"reason": text, "source": "s", "count": 3, "secret": "filled in"},
    )

    assert text in said
    assert "filled in" not in said
