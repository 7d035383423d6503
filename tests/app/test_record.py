"""The front door: what a producer sends, what it gets back, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.app.refusals import Attempt
from counterfoil.clock import SteppedClock
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.events import codec
from counterfoil.events.entry import Entry, read_entry
from counterfoil.events.event import Event, make_event
from counterfoil.ids import SeededRandomness
from counterfoil.policy.access import ANONYMOUS, Credential
from counterfoil.tlog.keys import parse_vkey
from counterfoil.tlog.policy import Policy
from counterfoil.tlog.receipt import parse_receipt


def an_event(number: int = 1, **changes: Any) -> Event:
    values: dict[str, Any] = {
        "type": "com.example.step.finished",
        "source": "https://ci.example/acme/shop",
        "id": f"event-{number}",
        "time": "2026-11-20T12:00:00Z",
        "authtype": "user",
        "authid": "ci.example:dev-cart",
        "subject": "run:acme/shop/1874",
        "refs": [("commit:acme/shop@9fceb02", "input"), ("actor:ci.example:dev-pay", "reviewer")],
        "data": {"outcome": "success", "note": "für dev-cart"},
    }
    return make_event(**(values | changes))


def entry_at(home: Home, index: int) -> Entry:
    [data] = home.log.entries("default", index, index + 1)
    return read_entry(data)


def test_a_recorded_event_comes_back_with_a_receipt_that_an_outsider_can_check(
    home: Home, directory: Path
) -> None:
    [answer] = home.recorder.record("default", [an_event()], LOCAL, "cli")

    receipt = parse_receipt(answer.receipt)
    policy = Policy.for_vkey(parse_vkey((directory / "keys/default.vkey").read_text().strip()))
    checkpoint = policy.verify_checkpoint(receipt.checkpoint)
    assert (answer.index, answer.status) == (0, "recorded")
    assert (receipt.index, checkpoint.size) == (0, 1)
    assert receipt.extra is not None
    assert read_entry(receipt.extra).id == "event-1"


def test_the_opening_in_the_answer_opens_every_commitment(home: Home) -> None:
    """The producer can later show what was committed to, without asking us."""
    event = an_event()
    [answer] = home.recorder.record("default", [event], LOCAL, "cli")

    comparison = codec.check_event(entry_at(home, 0), event.to_json(), answer.opening)

    assert comparison.unopened == ()
    assert set(comparison.compared) == {"body", "authid", "/data/refs/1/ref"}


def test_no_name_stands_in_the_public_entry(home: Home) -> None:
    """The entry is permanent: a person is in it by a random pseudonym only."""
    home.recorder.record("default", [an_event(), an_event(2)], LOCAL, "cli")

    [first, second] = home.log.entries("default", 0, 2)
    for name in (b"dev-cart", b"dev-pay", "für".encode()):
        assert name not in first
    actors = [named.ref for named in read_entry(first).refs if named.ref.startswith("actor:")]
    again = [named.ref for named in read_entry(second).refs if named.ref.startswith("actor:")]
    assert len(actors) == 2
    assert actors == again, "one account keeps one pseudonym"


def test_a_subject_that_is_no_ref_is_committed_to_and_not_published(home: Home) -> None:
    """Any CloudEvents tool may post here, and a subject may be any text."""
    event = an_event(subject="jane@example.com asked for it")
    [answer] = home.recorder.record("default", [event], LOCAL, "cli")

    [data] = home.log.entries("default", 0, 1)
    assert b"jane" not in data
    assert read_entry(data).subject is None
    assert codec.check_event(read_entry(data), event.to_json(), answer.opening).unopened == ()
    assert home.reader.entry("default", 0).event["subject"] == event.subject
    other = event.to_json() | {"subject": "john@example.com asked for it"}
    with pytest.raises(EvidenceError) as refused:
        codec.check_event(read_entry(data), other, answer.opening)
    assert refused.value.code == "commitment"


def test_no_plain_body_lies_in_the_database(home: Home, directory: Path) -> None:
    """Erasing a key must erase the content: nothing readable may stand beside it."""
    home.recorder.record("default", [an_event()], LOCAL, "cli")
    home.close()

    assert "für dev-cart".encode() not in (directory / "ledger.db").read_bytes()


def test_the_same_event_again_is_a_duplicate_with_its_first_index_and_a_good_opening(
    home: Home,
) -> None:
    event = an_event()
    home.recorder.record("default", [event], LOCAL, "cli")
    [again] = home.recorder.record("default", [event], LOCAL, "cli")

    assert (again.index, again.status) == (0, "duplicate")
    assert home.log.head("default").size == 1
    comparison = codec.check_event(entry_at(home, 0), event.to_json(), again.opening)
    assert comparison.unopened == ()


def test_the_same_id_with_other_content_is_refused_by_position_and_index(home: Home) -> None:
    home.recorder.record("default", [an_event(1)], LOCAL, "cli")
    batch = [an_event(2), an_event(1, data={"outcome": "failure"})]

    with pytest.raises(RequestError) as refused:
        home.recorder.record("default", batch, LOCAL, "cli")

    assert refused.value.code == "id_conflict"
    assert (refused.value.facts["position"], refused.value.facts["index"]) == (1, 0)
    assert home.log.head("default").size == 1, "all or nothing"


def test_a_duplicate_is_known_after_a_restart(directory: Path, clock: SteppedClock) -> None:
    for expected in ("recorded", "duplicate"):
        with open_home(directory, clock, SeededRandomness(expected)) as home:
            [answer] = home.recorder.record("default", [an_event()], LOCAL, "cli")
            assert (answer.index, answer.status) == (0, expected)


def test_recorded_time_never_goes_back(home: Home, clock: SteppedClock) -> None:
    """A clock that steps back must not make an earlier entry look later."""
    home.recorder.record("default", [an_event(1)], LOCAL, "cli")
    clock.step(-3600)
    home.recorder.record("default", [an_event(2)], LOCAL, "cli")
    clock.step(7200)
    home.recorder.record("default", [an_event(3)], LOCAL, "cli")

    assert [entry_at(home, index).recordedtime for index in range(3)] == [
        "2026-11-20T14:03:22.000Z",
        "2026-11-20T14:03:22.000Z",
        "2026-11-20T15:03:22.000Z",
    ]


def test_recorded_time_does_not_go_back_over_a_restart(directory: Path) -> None:
    with open_home(directory, SteppedClock("2026-11-20T12:00:00Z"), SeededRandomness("a")) as home:
        home.recorder.record("default", [an_event(1)], LOCAL, "cli")
    with open_home(directory, SteppedClock("2026-11-20T11:00:00Z"), SeededRandomness("b")) as home:
        home.recorder.record("default", [an_event(2)], LOCAL, "cli")
        assert entry_at(home, 1).recordedtime == "2026-11-20T12:00:00.000Z"


def test_a_blob_is_kept_sealed_and_committed_to(home: Home, directory: Path) -> None:
    """Vendor bytes hold names: they lie encrypted, under a name that is not their digest."""
    blob = home.recorder.put_blob(b'{"sender": "dev-cart"}', "push.json", "application/json")
    home.recorder.record("default", [an_event(blobs=[blob])], LOCAL, "cli")

    assert "blob/0" in entry_at(home, 0).commit
    assert b"".join(home.blobs.read(blob.digest)) == b'{"sender": "dev-cart"}'
    stored = [path for path in (directory / "blobs").rglob("*") if path.is_file()]
    assert len(stored) == 1
    assert b"dev-cart" not in stored[0].read_bytes()
    assert stored[0].name not in blob.digest


def test_an_absent_blob_has_no_commitment_and_is_no_error(home: Home) -> None:
    """What happened has to be recorded; that its evidence is not here is a gap, said aloud."""
    named = [{"digest": "sha256:" + "a" * 64, "name": "lost.png", "mediatype": "image/png"}]
    home.recorder.record("default", [an_event(data={"blobs": named})], LOCAL, "cli")

    assert "blob/0" not in entry_at(home, 0).commit


def test_a_credential_may_only_speak_for_its_sources(home: Home) -> None:
    narrow = Credential("token:t1", "token", "ci", ("https://ci.example/",))
    batch = [an_event(1), an_event(2, source="https://other.example/x")]

    with pytest.raises(RequestError) as refused:
        home.recorder.record("default", batch, narrow, "api")

    assert (refused.value.code, refused.value.facts["position"]) == ("not_allowed", 1)
    assert home.log.head("default").size == 0


def test_an_unknown_project_is_refused(home: Home) -> None:
    with pytest.raises(RequestError) as refused:
        home.recorder.record("nobody", [an_event()], LOCAL, "cli")
    assert refused.value.code == "project_unknown"


def test_a_long_list_is_recorded_in_parts_and_says_how_far_it_came(home: Home) -> None:
    """A report of 1,001 cases whose last one conflicts has recorded the first thousand."""
    home.recorder.record("default", [an_event(1000)], LOCAL, "cli")
    events = [an_event(number) for number in range(1000)]
    events.append(an_event(1000, data={"outcome": "other"}))

    with pytest.raises(RequestError) as refused:
        home.recorder.record("default", events, LOCAL, "cli")

    assert refused.value.facts["position"] == 1000
    assert refused.value.facts["recorded"] == 1000
    assert home.log.head("default").size == 1001


def test_refusals_are_counted_per_source_reason_and_minute(home: Home, clock: SteppedClock) -> None:
    """A flood of refusals becomes one entry a minute, with its count."""
    stranger = Credential("anonymous", "anonymous", "nobody", ())
    for _ in range(500):
        home.recorder.refuse("default", Attempt("https://evil.example", "token_invalid"), stranger)
    home.recorder.refuse("default", Attempt("https://evil.example", "not_allowed"), stranger)
    home.recorder.record_refusals()
    assert home.log.head("default").size == 0, "their minute is not over"

    clock.step(60)
    home.recorder.record_refusals()

    assert home.log.head("default").size == 2
    told: list[Any] = [
        home.reader.entry("default", at, personal=True).event["data"] for at in range(2)
    ]
    assert {(data["reason"], data["count"]) for data in told} == {
        ("token_invalid", 500),
        ("not_allowed", 1),
    }


def test_refusals_of_many_made_up_sources_are_counted_together(
    home: Home, clock: SteppedClock
) -> None:
    """Whoever chooses a fresh source for each attempt does not choose how much we write."""
    stranger = Credential("anonymous", "anonymous", "nobody", ())
    for number in range(3_000):
        home.recorder.refuse(
            "default", Attempt(f"https://evil.example/{number}", "token_invalid"), stranger
        )
    clock.step(60)
    home.recorder.record_refusals()

    assert home.log.head("default").size == 1_001


@pytest.mark.parametrize(
    ("different", "counted", "first_told"),
    [
        pytest.param(3, 3, 3, id="few are told all"),
        pytest.param(60, 60, 10, id="of many, the first ten"),
        pytest.param(5_000, 100, 10, id="of thousands no more are kept than a hundred"),
    ],
)
def test_a_refusal_says_from_how_many_addresses_and_the_first_of_them(
    home: Home, clock: SteppedClock, different: int, counted: int, first_told: int
) -> None:
    """A thousand machines that try one route are not one machine that tries a thousand times."""
    addresses = [f"2001:db8::{number:x}" for number in range(different)]
    for address in [*addresses, *addresses[:2]]:
        attempt = Attempt("GET /v1/runs", "token_missing", address=address)
        home.recorder.refuse("default", attempt, ANONYMOUS)
    clock.step(60)
    home.recorder.record_refusals()

    data: Any = home.reader.entry("default", 0, personal=True).event["data"]

    assert data["count"] == different + 2
    assert data["addresses"] == counted
    assert data["from"] == addresses[:first_told]


def test_the_addresses_of_a_refusal_are_personal(home: Home) -> None:
    attempt = Attempt("GET /v1/runs", "token_missing", address="192.0.2.7")
    home.recorder.refuse("default", attempt, ANONYMOUS)
    home.recorder.record_refusals(everything=True)

    [written] = home.log.entries("default", 0, 1)

    assert b"192.0.2.7" not in written
    assert "/data/from" in read_entry(written).commit


def test_closing_records_the_running_minute(home: Home, directory: Path) -> None:
    stranger = Credential("anonymous", "anonymous", "nobody", ())
    home.recorder.refuse("default", Attempt("https://evil.example", "token_invalid"), stranger)
    home.close()

    with open_home(directory, SteppedClock(), SeededRandomness("later")) as again:
        assert again.log.head("default").size == 1
