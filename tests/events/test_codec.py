"""Events taken apart, joined, committed to and compared: nothing is lost, nothing slips."""

import base64
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.events import canonical, codec, commitments
from counterfoil.events.canonical import JSON
from counterfoil.events.codec import Personal
from counterfoil.events.entry import Entry
from counterfoil.events.event import Event, parse_event
from counterfoil.events.refs import Named

DIGEST = "sha256:" + "0b" * 32
KEY, SALT = bytes(range(32)), bytes(range(16))


def event_of(data: JSON = None, **changes: Any) -> Event:
    event: dict[str, JSON] = {
        "specversion": "1.0",
        "id": "42",
        "source": "https://ci.example/acme/shop",
        "type": "com.example.step.finished",
        "time": "2026-11-20T12:00:00Z",
        "authtype": "user",
        "authid": "github.com:ana-dev",
        "subject": "run:acme/shop/1874",
        "ext": "kept",
        "data": data,
        **changes,
    }
    return parse_event(event)


def pseudonym(account: str) -> str:
    return "actor:" + hashlib.sha256(account.encode()).hexdigest()[:16]


def openings_of(event: Event) -> dict[str, bytes]:
    names = ["body", *(one.name for one in codec.split(event).personal)]
    return {name: commitments.derive_opening(KEY, SALT, name) for name in names}


def entry_of(event: Event) -> Entry:
    subject = event.subject
    if subject is not None and subject.startswith("actor:"):
        subject = pseudonym(subject.removeprefix("actor:"))
    return Entry(
        id=event.id,
        source=event.source,
        type=event.type,
        subject=subject,
        time=event.time,
        recordedtime="2026-11-20T12:00:01.188Z",
        recordedby="tok",
        via="api",
        producer=event.producer,
        boot=event.boot,
        seq=event.seq,
        refs=codec.public_refs(event, pseudonym),
        retention="standard",
        commit=codec.commit_map(codec.split(event), openings_of(event), {}),
    )


PERSONAL_DATA: dict[str, JSON] = {
    "outcome": "success",
    "author": {"name": "Ana", "mails": ["ana@a.example", "ana@b.example"], "a/b~c": 1},
    "personal": ["/author/name", "/author/mails/1", "/author/a~1b~0c", "/absent", "/author/x/y"],
    "refs": [
        {"ref": "commit:acme/shop@9fceb02", "role": "input"},
        {"ref": "actor:github.com:bo-dev", "role": "reviewer"},
    ],
}


def test_personal_values_leave_the_body_one_by_one() -> None:
    """So that a name can be erased while what stands beside it stays provable."""
    parts = codec.split(event_of(PERSONAL_DATA))

    assert parts.personal == (
        Personal("authid", b'"github.com:ana-dev"', "github.com:ana-dev"),
        Personal("/data/refs/1/ref", b'"actor:github.com:bo-dev"', "github.com:bo-dev"),
        Personal("/data/author/name", b'"Ana"', None),
        Personal("/data/author/mails/1", b'"ana@b.example"', None),
        Personal("/data/author/a~1b~0c", b"1", None),
    )
    body = canonical.read(parts.body)
    assert isinstance(body, dict)
    assert body["data"] == {
        "outcome": "success",
        "author": {"mails": ["ana@a.example", None]},
        "personal": [
            "/author/name",
            "/author/mails/1",
            "/author/a~1b~0c",
            "/absent",
            "/author/x/y",
        ],
        "refs": [{"ref": "commit:acme/shop@9fceb02", "role": "input"}, {"role": "reviewer"}],
    }


def test_the_body_holds_neither_envelope_nor_person() -> None:
    """The envelope is public and bound by the entry; the body has its own commitment."""
    event = event_of(PERSONAL_DATA, producer="ci-7", boot="b1", seq=3)

    body = canonical.read(codec.split(event).body)

    assert isinstance(body, dict)
    assert sorted(body) == ["authtype", "data", "ext"]
    for secret in (b"ana-dev", b"bo-dev", b"Ana", b"ana@b.example"):
        assert secret not in codec.split(event).body


def test_a_subject_that_is_an_actor_is_personal() -> None:
    parts = codec.split(event_of({}, subject="actor:github.com:eve"))

    assert parts.personal[1] == Personal("subject", b'"actor:github.com:eve"', "github.com:eve")


def test_the_type_tells_which_values_are_personal() -> None:
    parts = codec.split(
        event_of(
            {"subject": {"id": "T-1", "content": {"creator": "Ana", "assignees": ["Bo", "Cy"]}}},
            type="dev.cdevents.ticket.created.0.2.0",
        )
    )

    assert [one.name for one in parts.personal] == [
        "authid",
        "/data/subject/content/creator",
        "/data/subject/content/assignees",
    ]
    assert (
        parts.body
        == b'{"authtype":"user","data":{"subject":{"content":{},"id":"T-1"}},"ext":"kept"}'
    )


def test_a_pointer_inside_another_one_is_covered_by_it() -> None:
    """The outer value holds the inner one: two commitments would have nothing left to open."""
    event = event_of({"a": {"b": 1, "c": 2}, "personal": ["/a/b", "/a", "/a/b"]})

    parts = codec.split(event)

    assert [(one.name, canonical.read(one.content)) for one in parts.personal[1:]] == [
        ("/data/a", {"b": 1, "c": 2})
    ]


@pytest.mark.parametrize(
    "pointer", ["/list/2", "/list/01", "/list/-", "/list/-1", "/text/0", "/n/x"]
)
def test_a_pointer_that_leads_nowhere_changes_nothing(pointer: str) -> None:
    data: JSON = {"list": [1, 2], "text": "ab", "n": None, "personal": [pointer]}

    parts = codec.split(event_of(data))

    assert [one.name for one in parts.personal] == ["authid"]
    assert canonical.read(parts.body) == {"authtype": "user", "data": data, "ext": "kept"}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "a/b", "~", "0", ""]), inner, max_size=3)
    ),
    max_leaves=10,
)
_STEPS = st.sampled_from(["a", "b", "a~1b", "~0", "0", "1", ""])
_POINTERS = st.lists(
    st.lists(_STEPS, min_size=1, max_size=3).map(lambda steps: "/x/" + "/".join(steps)), max_size=5
)
_REFS = st.lists(
    st.sampled_from(["actor:a:x", "actor:a:y", "run:1", "env:qa"]).map(
        lambda ref: {"ref": ref, "role": "about"}
    ),
    max_size=4,
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    data: dict[str, Any] = {"x": draw(_VALUES), "personal": draw(_POINTERS), "refs": draw(_REFS)}
    subject = draw(st.sampled_from(["run:1", "actor:a:x", None]))
    return event_of(data, subject=subject)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(events())
def test_joining_everything_gives_the_event_as_posted(event: Event) -> None:
    parts = codec.split(event)
    personal = {one.name: canonical.read(one.content) for one in parts.personal}

    assert codec.join(entry_of(event), parts.body, personal) == event.to_json()
    assert codec.write_joined(entry_of(event), parts.body, personal) == event.canonical


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"data":{"a":1.5,"b":1e30}}', b'{ "data": 1 }', b'{"b":1,"a":2}', b'{"id":"other"}',
     b'{"data":{"\\u0062lobs":[]}}', b'{"data":1.0}', '{"ａ":1,"\U00010000":2}'.encode(),
     '{"\U00010000":2,"ａ":1}'.encode()],
)  # fmt: skip
def test_a_joined_event_is_written_as_it_reads_however_its_body_is_spelt(body: bytes) -> None:
    """Whoever has the key of a log may have sealed any body: the short way must not differ."""
    entry = entry_of(event_of({}))
    for personal in ({}, {"authid": "ana"}, {"authid": 3.0}, {"/data/a": "x"}):
        joined = canonical.write(codec.join(entry, body, personal))
        assert codec.write_joined(entry, body, personal) == joined


@settings(derandomize=True, max_examples=300, deadline=None)
@given(events(), st.data())
def test_what_is_shown_in_part_agrees_as_far_as_it_is_opened(
    event: Event, draw: st.DataObject
) -> None:
    """An erased value is not compared, and does not make the rest a contradiction."""
    parts, entry = codec.split(event), entry_of(event)
    every = [one.name for one in parts.personal]
    opened = draw.draw(st.sets(st.sampled_from(every))) if every else set()
    personal = {
        one.name: canonical.read(one.content) for one in parts.personal if one.name in opened
    }
    opening = openings_of(event)

    shown = codec.join(entry, parts.body, personal)
    found = codec.check_event(entry, shown, opening)

    assert set(found.compared) >= {"body", *opened}
    assert set(found.compared) | set(found.unopened) == set(entry.commit)
    assert codec.check_event(entry, shown, {}).compared == ()
    nulls = {one.name for one in parts.personal if canonical.read(one.content) is None}
    assert set(found.compared) <= {"body", *opened} | nulls


def test_without_a_body_the_envelope_is_what_is_left() -> None:
    event = event_of(PERSONAL_DATA, producer="ci-7", boot="b1", seq=0)

    joined = codec.join(entry_of(event), None, {})

    assert joined == {
        "specversion": "1.0",
        "id": "42",
        "source": "https://ci.example/acme/shop",
        "type": "com.example.step.finished",
        "subject": "run:acme/shop/1874",
        "time": "2026-11-20T12:00:00Z",
        "producer": "ci-7",
        "boot": "b1",
        "seq": 0,
    }


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":1,"a":1}'])
def test_a_body_that_split_cannot_have_made_is_damage(body: bytes) -> None:
    with pytest.raises(EvidenceError) as caught:
        codec.join(entry_of(event_of({})), body, {})
    with pytest.raises(EvidenceError) as again:
        codec.write_joined(entry_of(event_of({})), body, {})

    assert caught.value.code == again.value.code == "damaged"


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("the id", {"id": "43"}),
    ("the source", {"source": "https://ci.example/acme/cart"}),
    ("the type", {"type": "com.example.step.failed"}),
    ("the subject", {"subject": "run:acme/shop/1875"}),
    ("the time, same moment", {"time": "2026-11-20T12:00:00.0Z"}),
    ("a seq where there was none", {"producer": "p", "boot": "b", "seq": 1}),
    ("who did it", {"authid": "github.com:eve"}),
    ("what kind of actor did it", {"authtype": "service_account"}),
    ("an extension", {"ext": "other"}),
    ("a further extension", {"more": "x"}),
    ("the data", {"data": {"outcome": "failure"}}),
    ("a personal value", {"data": {**PERSONAL_DATA, "author": {"name": "Eve"}}}),
    ("the order of a list", {"data": {"x": [2, 1]}}),
]


@pytest.mark.parametrize("change", [one[1] for one in CHANGES], ids=[one[0] for one in CHANGES])
def test_another_event_does_not_pass_for_it_in(change: dict[str, Any]) -> None:
    event = event_of(PERSONAL_DATA)
    entry, opening = entry_of(event), openings_of(event)
    assert codec.check_event(entry, event.to_json(), opening).unopened == ()

    with pytest.raises(EvidenceError) as caught:
        codec.check_event(entry, {**event.to_json(), **change}, opening)

    assert caught.value.code == "commitment"


def test_a_null_in_an_array_is_not_opened_and_a_null_member_is_a_claim() -> None:
    """Unopened members are absent; only elements of arrays leave null behind."""
    event = event_of({"people": ["Ana", "Bo"], "by": "Cy", "personal": ["/people/0", "/by"]})
    entry, opening = entry_of(event), openings_of(event)

    def shown(**changes: JSON) -> JSON:
        return {**event.to_json(), "data": {**event.to_json()["data"], **changes}}  # type: ignore[dict-item]

    found = codec.check_event(entry, shown(people=[None, "Bo"]), opening)

    assert found.unopened == ("/data/people/0",)
    assert found.compared == ("/data/by", "authid", "body")
    for wrong in (shown(by=None), shown(people=["Eve", "Bo"]), shown(people=[None, None])):
        with pytest.raises(EvidenceError):
            codec.check_event(entry, wrong, opening)


def test_a_pointer_is_read_by_rfc_6901() -> None:
    """`~01` is the member `~1`, not `/`."""
    event = event_of({"~1": "tilde", "/": "slash", "personal": ["/~01", "/~1"]})

    assert [(one.name, canonical.read(one.content)) for one in codec.split(event).personal[1:]] == [
        ("/data/~01", "tilde"),
        ("/data/~1", "slash"),
    ]


def test_one_is_not_true_and_true_is_not_one() -> None:
    event = event_of({}, producer="p", boot="b", seq=1)

    with pytest.raises(EvidenceError):
        codec.check_event(entry_of(event), {**event.to_json(), "seq": True}, {})


@pytest.mark.parametrize("shown", [None, [], "event", 5])
def test_what_is_no_object_is_no_event(shown: JSON) -> None:
    with pytest.raises(EvidenceError):
        codec.check_event(entry_of(event_of({})), shown, {})


def test_a_shown_value_that_has_no_json_form_is_a_contradiction() -> None:
    event = event_of({"x": 1})

    with pytest.raises(EvidenceError):
        codec.check_event(
            entry_of(event), {**event.to_json(), "data": {"x": 1e17}}, openings_of(event)
        )


def test_a_pseudonymous_subject_is_not_opened_and_a_wrong_one_is_caught() -> None:
    event = event_of({}, subject="actor:github.com:eve")
    entry, opening = entry_of(event), openings_of(event)

    shown = {**event.to_json(), "subject": entry.subject}

    assert "subject" in codec.check_event(entry, shown, opening).unopened
    assert "subject" in codec.check_event(entry, event.to_json(), opening).compared
    with pytest.raises(EvidenceError):
        codec.check_event(entry, {**shown, "subject": "actor:github.com:bo"}, opening)


def test_a_type_known_better_later_does_not_unsettle_an_older_entry() -> None:
    """What is personal is read off the entry: here `creator` was committed to in the body."""
    event = event_of(
        {"subject": {"content": {"creator": "Ana"}}}, type="dev.example.ticket.created"
    )
    entry, opening = entry_of(event), openings_of(event)
    assert sorted(entry.commit) == ["authid", "body"]

    assert codec.check_event(entry, event.to_json(), opening).unopened == ()


def test_the_entry_ends_with_its_actor_whoever_else_is_named_in_that_role() -> None:
    """Readers take the last: naming yourself first must not put somebody else in your place."""
    refs: JSON = [
        {"ref": "actor:github.com:ana-dev", "role": "actor"},
        {"ref": "actor:github.com:bob", "role": "actor"},
    ]

    found = codec.public_refs(event_of({"refs": refs}), pseudonym)

    assert found == (
        Named(pseudonym("github.com:bob"), "actor"),
        Named(pseudonym("github.com:ana-dev"), "actor"),
    )


def test_the_refs_of_an_entry_name_people_by_pseudonym() -> None:
    event = event_of(PERSONAL_DATA)

    assert codec.public_refs(event, pseudonym) == (
        Named("commit:acme/shop@9fceb02", "input"),
        Named(pseudonym("github.com:bo-dev"), "reviewer"),
        Named(pseudonym("github.com:ana-dev"), "actor"),
    )


def test_a_ref_named_twice_in_one_role_stands_once_in_the_entry() -> None:
    """Two accounts of one person are one person, who counts once."""
    refs: JSON = [{"ref": f"actor:{account}", "role": "author"} for account in ("a:x", "b:x")]

    found = codec.public_refs(event_of({"refs": refs}), lambda _account: "actor:same")

    assert found == (Named("actor:same", "author"), Named("actor:same", "actor"))


def test_a_commitment_is_the_hmac_the_format_says() -> None:
    """Written out, so that a stranger's tool can be built from the page alone."""
    event = event_of({"blobs": [{"digest": DIGEST, "name": "a", "mediatype": "a/b"}]})
    parts = codec.split(event)
    opening = {**openings_of(event), "blob/0": b"\x07" * 32}

    blob = commitments.commit(opening["blob/0"], b"the bytes")
    made = codec.commit_map(parts, opening, {"blob/0": blob})

    def by_hand(name: str, content: bytes) -> str:
        message = b"counterfoil.commit.v1\0" + content
        return base64.b64encode(hmac.new(opening[name], message, "sha256").digest()).decode()

    assert made == {
        "body": by_hand("body", parts.body),
        "authid": by_hand("authid", b'"github.com:ana-dev"'),
        "blob/0": by_hand("blob/0", b"the bytes"),
    }


def test_a_blob_that_is_not_here_has_no_commitment() -> None:
    """Its digest is in the body; an absent blob is a gap, not a reason to refuse the event."""
    event = event_of({"blobs": [{"digest": DIGEST, "name": "a", "mediatype": "a/b"}]})

    made = codec.commit_map(codec.split(event), openings_of(event), {})

    assert sorted(made) == ["authid", "body"]
    assert codec.split(event).blobs[0].digest == DIGEST
