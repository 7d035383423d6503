"""What `verify FILE.tlog-proof` says, and that nothing but the true receipt gets a yes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.events.canonical import JSON
from counterfoil.tlog.keys import SignerKey
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.receipt import parse_receipt, write_receipt
from counterfoil.verifier.receipt import check_receipt
from tests.ledgers import PROJECT, Built, build_ledger

INDEX = 4


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_ledger(tmp_path_factory.mktemp("receipts") / "ledger", events=11)


@pytest.fixture(scope="module")
def policy(built: Built) -> Policy:
    return Policy.for_vkey(built.vkeys[PROJECT])


def posted(built: Built, index: int = INDEX) -> dict[str, JSON]:
    value: dict[str, JSON] = json.loads(json.dumps(built.events[PROJECT][index].to_json()))
    return value


def test_a_receipt_says_what_it_vouches_for_and_that_contents_were_not_compared(
    built: Built, policy: Policy
) -> None:
    verdict = check_receipt(built.receipt(INDEX), policy)

    assert verdict.ok
    assert verdict.index == INDEX
    assert verdict.fingerprint == built.vkeys[PROJECT].fingerprint()
    lines = verdict.lines()
    assert lines[0].startswith(f"receipt: verified: entry {INDEX} of log.example/ledger/default")
    for line in (
        "id  event-4", "source  https://ci.example/acme/shop", "type  com.example.step.finished",
        "subject  run:acme/shop/4", "contents not compared",
    ):  # fmt: skip
        assert line in lines
    assert verdict.to_json()["contents"] == "not compared"


def test_the_posted_event_and_its_opening_compare_every_commitment(
    built: Built, policy: Policy
) -> None:
    opening = built.answers[PROJECT][INDEX].opening
    verdict = check_receipt(built.receipt(INDEX), policy, posted(built), opening)

    assert verdict.ok
    assert set(verdict.compared) == set(opening)
    assert verdict.unopened == ()
    assert any(line.startswith("contents compared: ") for line in verdict.lines())


def test_an_event_without_openings_is_compared_by_its_attributes_alone_and_says_so(
    built: Built, policy: Policy
) -> None:
    verdict = check_receipt(built.receipt(INDEX), policy, posted(built))

    assert verdict.ok
    assert verdict.compared == ()
    assert "contents compared: attributes only" in verdict.lines()
    assert any(line.startswith("not opened: ") and "body" in line for line in verdict.lines())


@pytest.mark.parametrize(
    "name", ["id", "source", "type", "subject", "time", "seq", "authid", "data"]
)
def test_an_event_changed_in_any_part_is_refused(built: Built, policy: Policy, name: str) -> None:
    event = posted(built)
    event[name] = {"outcome": "failure"} if name == "data" else 7 if name == "seq" else "other"
    verdict = check_receipt(
        built.receipt(INDEX), policy, event, built.answers[PROJECT][INDEX].opening
    )

    assert not verdict.ok
    assert verdict.findings[0].message.endswith("[commitment]")
    assert verdict.to_json()["contents"] == "differ"


def test_the_opening_of_another_event_opens_nothing(built: Built, policy: Policy) -> None:
    other = built.answers[PROJECT][INDEX + 1].opening
    verdict = check_receipt(built.receipt(INDEX), policy, posted(built), other)

    assert not verdict.ok


def test_a_receipt_under_a_key_nobody_named_is_refused(built: Built) -> None:
    stranger = SignerKey.from_seed(built.vkeys[PROJECT].name, b"\x01" * 32)
    verdict = check_receipt(built.receipt(INDEX), Policy.for_vkey(stranger.vkey))

    assert not verdict.ok
    assert verdict.findings[0].message.endswith("[key_unknown]")
    assert verdict.entry == {}


def test_a_receipt_without_its_entry_vouches_for_nothing(built: Built, policy: Policy) -> None:
    receipt = parse_receipt(built.receipt(INDEX))
    bare = write_receipt(type(receipt)(receipt.index, None, receipt.path, receipt.checkpoint))

    assert not check_receipt(bare, policy).ok


@pytest.mark.parametrize("number", range(13))
def test_a_receipt_with_any_line_changed_is_refused(
    built: Built, policy: Policy, number: int
) -> None:
    lines = built.receipt(INDEX).split(b"\n")
    assert len(lines) == 14, "13 lines and the end"
    lines[number] = lines[number][:-2] + b"AA" if lines[number] else b"A"

    assert not check_receipt(b"\n".join(lines), policy).ok


def test_every_changed_byte_of_a_receipt_is_refused(built: Built, policy: Policy) -> None:
    data = built.receipt(INDEX)
    accepted = [
        at
        for at in range(len(data))
        if check_receipt(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], policy).ok
    ]

    assert accepted == []


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=3
    )
)
def test_no_other_bytes_than_the_receipt_are_accepted(
    built: Built, policy: Policy, edits: list[tuple[float, bytes, int]]
) -> None:
    """Cut, pasted, repeated: whatever is not the receipt itself proves nothing."""
    data = edited = built.receipt(INDEX)
    for place, pasted, cut in edits:
        at = int(place * len(edited))
        edited = edited[:at] + pasted + edited[at + cut :]

    assert check_receipt(edited, policy).ok == (edited == data)


def test_a_file_of_another_kind_is_refused_without_a_traceback(policy: Policy) -> None:
    for data in (b"", b"\xff\xfe", b"c2sp.org/tlog-proof@v1\n", b"{}", bytes(1_000)):
        verdict = check_receipt(data, policy)
        assert not verdict.ok
        assert verdict.index is None
