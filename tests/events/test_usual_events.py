"""The short way to read an event is the long way, sooner: the same event or the same refusal."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from counterfoil.errors import RequestError
from counterfoil.events import attributes
from counterfoil.events.event import Event, parse_event

USUAL: dict[str, Any] = {
    "specversion": "1.0", "id": "17", "source": "https://ci.example/shop",
    "type": "com.example.step.finished", "time": "2026-11-20T12:00:00Z",
    "authtype": "user", "authid": "ana", "subject": "run:acme/shop/1",
    "producer": "ci-7", "boot": "b1", "seq": 3, "data": {"outcome": "success"},
}  # fmt: skip
ODD: list[Any] = [
    None, "", "x", "é", "x" * 200, "x" * 201, "é" * 150, "a\x00b", "a\nb", "\ud800", "1.0", 0, 1, -1,
    2**31, 1.0, 1.5, True, False, [], {}, {"a": None}, "https://ci.example/\u200b", "not a time",
]  # fmt: skip
NAMES = [*USUAL, "extra", "dataschema", "datacontenttype", "data_base64", "via", "Not-a-name", ""]


def _read(value: dict[str, Any]) -> Event | tuple[str, str]:
    try:
        return parse_event(value)
    except RequestError as refusal:
        return refusal.code, refusal.message


@settings(derandomize=True, max_examples=600, deadline=None)
@given(
    st.sets(st.sampled_from(sorted(USUAL)), max_size=3),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(ODD), max_size=3),
)
@example(set(), {})
@example({"boot"}, {})
@example(set(), {"seq": 1.0})
@example(set(), {"extra": {}})
def test_both_ways_read_the_same(without: set[str], instead: dict[str, Any]) -> None:
    value = {name: one for name, one in USUAL.items() if name not in without} | instead
    shortly = _read(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attributes, "read_usual", lambda _value: None)
        carefully = _read(value)

    assert shortly == carefully


def test_a_usual_event_goes_the_short_way() -> None:
    """Else the test above compares the long way with itself."""
    assert attributes.read_usual(USUAL) is not None
    assert attributes.read_usual({**USUAL, "id": "x" * 200}) is not None
    for name in ("subject", "producer", "boot", "seq", "data"):
        without = {key: one for key, one in USUAL.items() if key not in {name, "seq"}}
        assert attributes.read_usual(without) is not None, name
