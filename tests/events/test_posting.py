"""What may be posted: each rule of the envelope, each refusal with its code."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import RequestError
from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.events.event import ABSENT, Event, make_event, parse_event, parse_posting
from counterfoil.events.naming import BlobName
from counterfoil.events.refs import Named

BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
DIGEST = "sha256:" + "0b" * 32


def posted(**changes: Any) -> dict[str, Any]:
    """Return the example of the interface page, changed; `...` takes a member out."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": "42",
        "source": "https://ci.example/acme/shop",
        "type": "com.example.step.finished",
        "time": "2026-11-20T12:00:00Z",
        "authtype": "service_account",
        "authid": "ci.example:acme/shop",
        "subject": "run:acme/shop/1874",
        "producer": "ci-7",
        "boot": "b1",
        "seq": 1042,
        "data": {
            "outcome": "success",
            "refs": [{"ref": "commit:acme/shop@9fceb02", "role": "input"}],
        },
    }
    event.update(changes)
    return {name: value for name, value in event.items() if value is not ...}


def refused(act: Callable[[], object]) -> RequestError:
    with pytest.raises(RequestError) as caught:
        act()
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 300
    return caught.value


def test_the_example_of_the_interface_page_is_read() -> None:
    event = parse_event(posted())

    assert event == Event(
        id="42",
        source="https://ci.example/acme/shop",
        type="com.example.step.finished",
        time="2026-11-20T12:00:00Z",
        authtype="service_account",
        authid="ci.example:acme/shop",
        subject="run:acme/shop/1874",
        producer="ci-7",
        boot="b1",
        seq=1042,
        data=posted()["data"],
        extra={},
        refs=(Named("commit:acme/shop@9fceb02", "input"),),
        blobs=(),
        personal=(),
        canonical=canonical.write(posted()),
    )
    assert event.to_json() == posted()
    assert event.size_bytes == len(canonical.write(posted()))


ENVELOPE_RULES = [
    ("specversion is absent", {"specversion": ...}, "attribute_missing"),
    ("specversion is null", {"specversion": None}, "attribute_missing"),
    ("specversion is another", {"specversion": "0.3"}, "attribute_invalid"),
    ("specversion is a number", {"specversion": 1}, "attribute_invalid"),
    ("id is absent", {"id": ...}, "attribute_missing"),
    ("id is empty", {"id": ""}, "attribute_invalid"),
    ("id is a number", {"id": 42}, "attribute_invalid"),
    ("id is over 200 bytes", {"id": "ä" * 100 + "x"}, "attribute_invalid"),
    ("source is absent", {"source": ...}, "attribute_missing"),
    ("source is empty", {"source": ""}, "attribute_invalid"),
    ("source is over 200 bytes", {"source": "/" + "s" * 200}, "attribute_invalid"),
    ("source holds a space", {"source": "my ci"}, "attribute_invalid"),
    ("source is not ASCII", {"source": "https://ci.example/größe"}, "attribute_invalid"),
    ("source has a bad escape", {"source": "/a%2"}, "attribute_invalid"),
    ("source has two fragments", {"source": "/a#b#c"}, "attribute_invalid"),
    ("source begins with a colon", {"source": ":x"}, "attribute_invalid"),
    ("source has a scheme that is none", {"source": "1ci:x"}, "attribute_invalid"),
    ("type is absent", {"type": ...}, "attribute_missing"),
    ("type is empty", {"type": ""}, "attribute_invalid"),
    ("time is absent", {"time": ...}, "attribute_missing"),
    ("time has no zone", {"time": "2026-11-20T12:00:00"}, "attribute_invalid"),
    ("time is no day", {"time": "2026-02-30T12:00:00Z"}, "attribute_invalid"),
    ("time is a number", {"time": 1763640000}, "attribute_invalid"),
    ("time is of no zone", {"time": "2026-11-20T12:00:00+24:00"}, "attribute_invalid"),
    ("time is of no zone's minute", {"time": "2026-11-20T12:00:00+01:60"}, "attribute_invalid"),
    ("authtype is absent", {"authtype": ...}, "actor_missing"),
    ("authtype is null", {"authtype": None}, "actor_missing"),
    ("authtype is empty", {"authtype": ""}, "actor_missing"),
    ("authtype is no CloudEvents value", {"authtype": "robot"}, "attribute_invalid"),
    ("authid is absent", {"authid": ...}, "actor_missing"),
    ("authid is empty", {"authid": ""}, "actor_missing"),
    ("authid is a number", {"authid": 7}, "attribute_invalid"),
    ("authid is over 512 bytes", {"authid": "a" * 513}, "attribute_invalid"),
    ("recordedtime is posted", {"recordedtime": "2026-11-20T12:00:00Z"}, "server_attribute"),
    ("recordedby is posted", {"recordedby": "me"}, "server_attribute"),
    ("via is posted", {"via": "api"}, "server_attribute"),
    ("subject is empty", {"subject": ""}, "attribute_invalid"),
    ("subject is a list", {"subject": ["run:1"]}, "attribute_invalid"),
    ("subject holds a control character", {"subject": "run:\x1b[31m"}, "attribute_invalid"),
    ("producer is empty", {"producer": ""}, "attribute_invalid"),
    ("producer is a number", {"producer": 7}, "attribute_invalid"),
    ("boot is a number", {"boot": 1}, "attribute_invalid"),
    ("seq is negative", {"seq": -1}, "attribute_invalid"),
    ("seq is 2^31", {"seq": 2**31}, "attribute_invalid"),
    ("seq is text", {"seq": "1042"}, "attribute_invalid"),
    ("seq is true", {"seq": True}, "attribute_invalid"),
    ("seq has a fraction", {"seq": 1.5}, "attribute_invalid"),
    ("seq has no producer", {"producer": ...}, "attribute_invalid"),
    ("seq has no boot", {"boot": ...}, "attribute_invalid"),
    ("a name has a capital", {"traceParent": "x"}, "attribute_invalid"),
    ("a name has a dash", {"trace-parent": "x"}, "attribute_invalid"),
    ("a name has 21 characters", {"a" * 21: "x"}, "attribute_invalid"),
    ("a name is empty", {"": "x"}, "attribute_invalid"),
    ("a value is an object", {"ext": {}}, "attribute_invalid"),
    ("a value is a fraction", {"ext": 0.5}, "attribute_invalid"),
    ("a value is an integer of 33 bits", {"ext": 2**31}, "attribute_invalid"),
    ("a value holds a noncharacter", {"ext": "\ufffe"}, "attribute_invalid"),
    ("a value holds a C1 control", {"ext": "\x85"}, "attribute_invalid"),
    ("data and data_base64", {"data_base64": "AAAA"}, "attribute_invalid"),
    ("data_base64 is no base64", {"data": ..., "data_base64": "AA=A"}, "attribute_invalid"),
    ("data_base64 is a number", {"data": ..., "data_base64": 7}, "attribute_invalid"),
    ("dataschema is relative", {"dataschema": "/schema"}, "attribute_invalid"),
    ("datacontenttype is no media type", {"datacontenttype": "json"}, "attribute_invalid"),
]


@pytest.mark.parametrize(
    ("changes", "code"), [rule[1:] for rule in ENVELOPE_RULES], ids=[r[0] for r in ENVELOPE_RULES]
)
def test_an_event_is_refused_if(changes: dict[str, Any], code: str) -> None:
    assert refused(lambda: parse_event(posted(**changes))).code == code


REF = {"ref": "commit:acme/shop@9fceb02", "role": "input"}
BLOB = {"digest": DIGEST, "name": "junit.xml", "mediatype": "application/xml"}
DATA_RULES = [
    ("refs is an object", {"refs": {}}, "ref_invalid"),
    ("refs is null", {"refs": None}, "ref_invalid"),
    ("a ref is a string", {"refs": ["commit:acme/shop@9fceb02"]}, "ref_invalid"),
    ("a ref has no role", {"refs": [{"ref": "env:qa"}]}, "ref_invalid"),
    ("a ref has no ref", {"refs": [{"role": "input"}]}, "ref_invalid"),
    ("a role is a number", {"refs": [{"ref": "env:qa", "role": 1}]}, "ref_invalid"),
    ("a role has a capital", {"refs": [{"ref": "env:qa", "role": "Input"}]}, "ref_invalid"),
    (
        "the second ref breaks the grammar",
        {"refs": [REF, {"ref": "x", "role": "a"}]},
        "ref_invalid",
    ),
    ("blobs is an object", {"blobs": {}}, "blob_invalid"),
    ("a blob is a string", {"blobs": [DIGEST]}, "blob_invalid"),
    ("a digest is short", {"blobs": [{**BLOB, "digest": "sha256:0b"}]}, "blob_invalid"),
    ("a digest has capitals", {"blobs": [{**BLOB, "digest": DIGEST.upper()}]}, "blob_invalid"),
    ("a digest is of another kind", {"blobs": [{**BLOB, "digest": "md5:0b"}]}, "blob_invalid"),
    ("a blob has no name", {"blobs": [{"digest": DIGEST, "mediatype": "a/b"}]}, "blob_invalid"),
    ("a mediatype is empty", {"blobs": [{**BLOB, "mediatype": ""}]}, "blob_invalid"),
    ("personal is a string", {"personal": "/email"}, "attribute_invalid"),
    ("a pointer has no slash", {"personal": ["email"]}, "attribute_invalid"),
    ("a pointer is empty: all of data", {"personal": [""]}, "attribute_invalid"),
    ("a pointer has a bad escape", {"personal": ["/a~2"]}, "attribute_invalid"),
    ("a pointer is a number", {"personal": [1]}, "attribute_invalid"),
    ("a pointer leads into refs", {"personal": ["/refs/0/ref"]}, "attribute_invalid"),
    ("a pointer leads to itself", {"personal": ["/personal"]}, "attribute_invalid"),
]


@pytest.mark.parametrize(
    ("data", "code"), [rule[1:] for rule in DATA_RULES], ids=[rule[0] for rule in DATA_RULES]
)
def test_data_is_refused_if(data: JSON, code: str) -> None:
    """What is to be public, proved or hidden must be understood before it is permanent."""
    assert refused(lambda: parse_event(posted(data=data))).code == code


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"time": "2026-11-20T13:00:00.123456+01:00"}, id="a time with an offset"),
        pytest.param({"source": "urn:counterfoil:cli"}, id="a URN as source"),
        pytest.param({"source": "/event/source/123"}, id="a path as source"),
        pytest.param({"source": "//ci.example:80/a?b=[c"[:20]}, id="a network path as source"),
        pytest.param({"source": "https://[::1]:8000/x"}, id="an IPv6 host as source"),
        pytest.param({"source": "s" * 200, "id": "i" * 200}, id="a key of 200 bytes each"),
        pytest.param({"seq": 0}, id="seq 0"),
        pytest.param({"seq": 2**31 - 1}, id="seq 2147483647"),
        pytest.param({"seq": ..., "boot": ...}, id="a producer that does not number"),
        pytest.param({"subject": "mynewfile.jpg"}, id="a subject that is no ref"),
        pytest.param({"subject": "release:shop \u202e1"}, id="a subject with bidi characters"),
        pytest.param({"type": "anything at all"}, id="an unknown type"),
        pytest.param({"ext": True, "b2": -5, "c": "x"}, id="extensions of all three kinds"),
        pytest.param({"a" * 20: ""}, id="an extension with a name of 20 and no text"),
        pytest.param({"data": ...}, id="no data"),
        pytest.param({"data": None}, id="null as data"),
        pytest.param({"data": [{"refs": 1}]}, id="refs in data that is no object"),
        pytest.param({"data": ..., "data_base64": "AAE="}, id="bytes as data"),
        pytest.param({"data": {"note": "\x00\x1b[31m\u202e"}}, id="control characters in data"),
        pytest.param({"data": {"refs": [{**REF, "note": 1}]}}, id="a ref with more members"),
        pytest.param({"data": {"blobs": [BLOB], "personal": ["/a~1b"]}}, id="blobs and personal"),
        pytest.param({"datacontenttype": "text/plain", "data": "x"}, id="text as data"),
        pytest.param({"dataschema": "https://s.example/v1"}, id="a schema"),
        pytest.param({"authtype": "unauthenticated", "authid": "nobody"}, id="nobody known"),
    ],
)
def test_an_event_is_kept_as_it_is_with(changes: dict[str, Any]) -> None:
    event = parse_event(posted(**changes))

    assert event.to_json() == posted(**changes)
    assert parse_event(event.to_json()) == event


def test_an_attribute_that_is_null_is_absent() -> None:
    """CloudEvents JSON format 1.0.2 section 2.2; so a retry without it is the same event."""
    with_null = parse_event(posted(subject=None, ext=None))

    assert with_null == parse_event(posted(subject=...))
    assert parse_event(posted(via=None)) == parse_event(posted())


def test_null_data_is_not_absent_data() -> None:
    assert parse_event(posted(data=None)).data is None
    assert parse_event(posted(data=...)).data is ABSENT


@pytest.mark.parametrize("value", [None, [], "event", 1, True])
def test_an_event_is_an_object(value: JSON) -> None:
    assert refused(lambda: parse_event(value)).code == "attribute_invalid"


def body(*events: object) -> bytes:
    return json.dumps(list(events)).encode()


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/cloudevents+json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
    ],
)
def test_one_event_may_come_as(content_type: str) -> None:
    assert parse_posting(json.dumps(posted()).encode(), content_type) == [parse_event(posted())]


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/xml", "application/jsonx", "application/json; charset=latin1"],
)
def test_other_content_types_are_refused(content_type: str) -> None:
    error = refused(lambda: parse_posting(b"{}", content_type))

    assert error.code == "content_type"


def test_a_batch_keeps_its_order() -> None:
    events = parse_posting(body(posted(id="a"), posted(id="b")), BATCH)

    assert [event.id for event in events] == ["a", "b"]


def test_lines_keep_their_order_and_blank_ones_do_not_count() -> None:
    lines = [json.dumps(posted(id=name)) for name in "ab"]

    events = parse_posting(f"\n{lines[0]}\r\n \n{lines[1]}".encode(), LINES)

    assert [event.id for event in events] == ["a", "b"]


@pytest.mark.parametrize(("data", "kind"), [(b"[]", BATCH), (b"", LINES), (b"\n \r\n", LINES)])
def test_an_empty_batch_is_refused(data: bytes, kind: str) -> None:
    assert refused(lambda: parse_posting(data, kind)).code == "batch_empty"


def test_over_1000_events_are_refused_before_they_are_read() -> None:
    lines = b"\n".join([b"{"] * 1001)

    assert refused(lambda: parse_posting(body(*[1] * 1001), BATCH)).code == "batch_too_large"
    assert refused(lambda: parse_posting(lines, LINES)).code == "batch_too_large"
    assert len(parse_posting(body(*[posted()] * 1000), BATCH)) == 1000


def test_an_object_is_no_batch_and_an_array_no_event() -> None:
    assert refused(lambda: parse_posting(b"{}", BATCH)).code == "attribute_invalid"
    assert refused(lambda: parse_posting(b"[]", "application/json")).code == "attribute_invalid"


@pytest.mark.parametrize(
    ("third", "code"),
    [
        (json.dumps(posted(authid=...)), "actor_missing"),
        (json.dumps(posted(via="api")), "server_attribute"),
        (json.dumps(posted(data={"refs": [1]})), "ref_invalid"),
        (json.dumps(posted(data={"blobs": [1]})), "blob_invalid"),
        (json.dumps(posted(data="x" * 65_536)), "event_too_large"),
        ('{"id": 1, "id": 2}', "json_duplicate_member"),
        ('{"id": NaN}', "json_number"),
        ('{"id": "\\ud800"}', "json_surrogate"),
        ("[" * 65 + "]" * 65, "json_depth"),
        ('{"id" 1}', "json_broken"),
    ],
)
@pytest.mark.parametrize("kind", [BATCH, LINES])
def test_a_refusal_in_a_batch_names_the_position(third: str, code: str, kind: str) -> None:
    """All or nothing: the sender takes the named event out and sends the rest again."""
    good = json.dumps(posted())
    parts = [good, good, third, good]
    data = f"[{', '.join(parts)}]" if kind == BATCH else "\n".join(parts)

    error = refused(lambda: parse_posting(data.encode(), kind))

    assert (error.code, error.facts["position"]) == (code, 2)


def test_a_batch_that_is_no_json_at_all_has_no_position() -> None:
    for data in (b"", b"\xff", b'{"a":1,"a":2}'):
        assert "position" not in refused(partial(parse_posting, data, BATCH)).facts


def padded(size_bytes: int) -> bytes:
    """Return an event of exactly this many bytes in canonical form."""
    empty = len(canonical.write(posted(data={"pad": ""})))
    return canonical.write(posted(data={"pad": "x" * (size_bytes - empty)}))


def test_an_event_may_have_65536_bytes_as_posted_and_not_one_more() -> None:
    largest, over = padded(65_536), padded(65_537)

    for kind, around in (("application/json", b"%s"), (LINES, b"%s\r\n"), (BATCH, b"[%s]")):
        assert len(parse_posting(around % largest, kind)) == 1
        error = refused(partial(parse_posting, around % over, kind))
        assert error.code == "event_too_large"
    assert refused(lambda: parse_event(canonical.read(over))).code == "event_too_large"


def test_white_space_counts_where_the_event_has_bytes_of_its_own() -> None:
    """As posted: in a JSON array an event has no clear ends, so its canonical form is measured."""
    spaced = padded(65_000) + b" " * 1_000

    assert refused(lambda: parse_posting(spaced, "application/json")).code == "event_too_large"
    assert len(parse_posting(b"[" + spaced + b"]", BATCH)) == 1


def test_an_event_as_deep_as_alone_may_stand_in_a_batch() -> None:
    nested: JSON = []
    for _ in range(61):
        nested = [nested]
    event = posted(data=nested)

    assert parse_posting(body(event), BATCH) == parse_posting(
        json.dumps(event).encode(), "application/json"
    )


def test_make_event_merges_refs_and_blobs_and_changes_nothing_it_is_given() -> None:
    data: dict[str, JSON] = {"outcome": "success", "refs": [{"ref": "env:qa", "role": "about"}]}

    event = make_event(
        type="t",
        source="/s",
        id="1",
        time="2026-11-20T12:00:00Z",
        authtype="system",
        authid="x",
        refs=[("env:qa", "about"), Named("run:1", "part-of"), ("run:1", "part-of")],
        blobs=[BlobName(DIGEST, "a.xml", "application/xml")],
        data=data,
        traceparent="00-1",
    )

    assert data == {"outcome": "success", "refs": [{"ref": "env:qa", "role": "about"}]}
    assert event.refs == (Named("env:qa", "about"), Named("run:1", "part-of"))
    assert event.blobs == (BlobName(DIGEST, "a.xml", "application/xml"),)
    assert event.extra == {"traceparent": "00-1"}
    assert parse_event(event.to_json()) == event


def test_make_event_checks_what_it_makes() -> None:
    def make(**changes: Any) -> Event:
        given: dict[str, Any] = {
            "type": "t",
            "source": "/s",
            "id": "1",
            "time": "2026-11-20T12:00:00Z",
            "authtype": "system",
            "authid": "x",
        }
        return make_event(**{**given, **changes})

    assert make().data is ABSENT
    assert refused(lambda: make(refs=[("nonsense", "about")])).code == "ref_invalid"
    assert refused(lambda: make(id="")).code == "attribute_invalid"
    assert refused(lambda: make(seq=1)).code == "attribute_invalid"
    assert refused(lambda: make(via="api")).code == "server_attribute"
    assert refused(lambda: make(data={"x": "y" * 65_536})).code == "event_too_large"


@pytest.mark.parametrize("given", [{"env:qa": "about"}, "env:qa", None])
def test_refs_of_the_caller_that_are_no_list_are_refused_and_not_passed_over(given: JSON) -> None:
    """What somebody said must not disappear because something was to be added to it."""

    def make(name: str, **more: Any) -> Event:
        return make_event(
            type="t", source="/s", id="1", time="2026-11-20T12:00:00Z", authtype="system",
            authid="x", data={name: given}, **more,
        )  # fmt: skip

    assert refused(lambda: make("refs", refs=[("run:1", "about")])).code == "ref_invalid"
    blob = BlobName(DIGEST, "a.xml", "application/xml")
    assert refused(lambda: make("blobs", blobs=[blob])).code == "blob_invalid"


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ref", "role", "refs", "blobs", "digest", "personal", "x"]), inner
        )
    ),
    max_leaves=8,
)


@settings(derandomize=True, max_examples=250, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*posted(), "data_base64", "dataschema", "via", "ext", "Bad"]),
        _ANY,
        max_size=4,
    )
)
def test_whatever_is_posted_is_kept_whole_or_refused_by_name(changes: dict[str, JSON]) -> None:
    given_event = posted(**changes)
    try:
        event = parse_event(given_event)
    except RequestError as error:
        assert error.code in {  # noqa: PT017  either way is right
            *("attribute_invalid", "attribute_missing", "actor_missing", "server_attribute"),
            *("ref_invalid", "blob_invalid", "json_surrogate"),
        }
    else:
        kept = {name: one for name, one in given_event.items() if one is not None or name == "data"}
        assert event.to_json() == kept
