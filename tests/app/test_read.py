"""Questions to a real ledger, as of any entry."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.app.entries import DAMAGED
from counterfoil.app.home import Home
from counterfoil.app.read import Reader
from counterfoil.clock import SteppedClock, format_time
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.events.event import make_event
from counterfoil.events.naming import BlobName
from counterfoil.ledger.store import Sealed
from counterfoil.policy.access import Credential
from counterfoil.projections.trace import trace
from counterfoil.tlog.receipt import parse_receipt
from counterfoil.tlog.tree import leaf_hash
from tests.app.desk import PROJECT, RUN, Altered, Forgetful, desk, examples, record, story, suite
from tests.projections.stories import BUILD, CHANGE, MERGE, PROD, RELEASE, UNIT, without
from tests.projections.trail import Memory, event_of, told, trail

TIME = "2026-11-20T12:00:00Z"


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def home(tmp_path: Path, clock: SteppedClock) -> Iterator[Home]:
    with desk(tmp_path / "ledger", clock) as opened:
        yield opened


def other_reader(home: Home, **instead: Any) -> Reader:
    parts: dict[str, Any] = {
        "log": home.log, "keys": home.keys, "ledger": home.ledger, "tables": home.tables,
        "follower": home.follower, "clock": home.clock,
        "receipt_of": home.outside.receipt, "directory": home.access.directory,
        "erased_of": home.eraser.book.of, **instead,
    }  # fmt: skip
    return Reader(**parts)


# --- moments


def test_every_answer_is_what_was_known_after_that_entry(home: Home) -> None:
    """Entry by entry, the rows are those of a log that ends there."""
    events = story()
    record(home, events)
    reader, seen = home.reader, list[Any]()
    for as_of in range(-1, len(events)):
        release = reader.release(PROJECT, RELEASE, as_of)
        change = reader.change(PROJECT, CHANGE, as_of)
        seen.append(
            (
                change.state if change else None,
                len(change.reviews) if change else 0,
                release.state if release else None,
                len(release.approvals) if release else 0,
                [one.ref for one in reader.environments(PROJECT, as_of=as_of)],
                reader.runs(PROJECT, as_of=as_of).total,
                len(reader.trace(PROJECT, RELEASE, as_of).steps),
            )
        )

    prod, qa = "env:production", "env:qa"
    assert seen == [
        (None, 0, None, 0, [], 0, 0),
        ("open", 0, None, 0, [], 0, 0),
        ("open", 0, None, 0, [], 0, 0),
        ("open", 1, None, 0, [], 0, 0),
        ("merged", 1, None, 0, [], 0, 0),
        ("merged", 1, None, 0, [], 1, 0),
        ("merged", 1, None, 0, [], 2, 0),
        ("merged", 1, "published", 0, [], 2, 8),
        ("merged", 1, "published", 0, [qa], 2, 9),
        ("merged", 1, "published", 1, [qa], 2, 10),
        ("merged", 1, "published", 2, [qa], 2, 11),
        ("merged", 1, "published", 2, [prod, qa], 2, 12),
    ]


def test_a_moment_is_an_entry_or_a_time(home: Home, clock: SteppedClock) -> None:
    events = story()
    for event in events[:3]:
        record(home, [event])
        clock.step(60)
    reader = home.reader

    assert reader.position(PROJECT, "1") == 1
    assert reader.position(PROJECT, "2026-11-20T12:01:30Z") == 1
    assert reader.position(PROJECT, "2026-11-20T13:01:00+01:00") == 1
    assert reader.position(PROJECT, "2026-11-20T11:59:59Z") == -1
    assert reader.position_at(PROJECT, "2030-01-01T00:00:00Z") == 2


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("3", "there is no entry 3; the last entry is 2"),
        ("9" * 30, "the last entry is 2"),
        ("yesterday", "'yesterday' is neither an entry number nor a time"),
        ("-1", "'-1' is neither"),
        ("٣", "is neither"),
    ],
)
def test_a_moment_that_is_none_is_refused_in_one_line(home: Home, moment: str, said: str) -> None:
    record(home, story()[:3])

    with pytest.raises(RequestError, match=said) as raised:
        home.reader.position(PROJECT, moment)
    assert raised.value.code == "query_invalid"


# --- lists


def test_parts_of_a_list_join_without_gap_or_repeat(home: Home) -> None:
    record(home, suite(25))
    cursor, seen, parts = None, [], 0
    while True:
        page = home.reader.cases(PROJECT, RUN, cursor=cursor, limit=4)
        seen += [(row.test, row.attempt) for row in page.rows]
        parts += 1
        assert page.total == 28
        if (cursor := page.cursor) is None:
            break

    assert parts == 7
    assert len(seen) == len(set(seen)) == 28
    assert seen[:3] == [("test:t0", 1), ("test:t0", 2), ("test:t1", 1)], "in the order told"


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "MTIz!", "é", "LTEga2V5"])
def test_a_cursor_of_somebody_else_is_refused(home: Home, cursor: str) -> None:
    with pytest.raises(RequestError, match="no cursor from here") as raised:
        home.reader.runs(PROJECT, cursor=cursor)
    assert raised.value.code == "query_invalid"


def test_a_case_counts_once_by_its_last_attempt(home: Home) -> None:
    size = record(home, suite(25))
    reader = home.reader

    assert reader.case_counts(PROJECT, [RUN, "run:none"]) == {RUN: {"passed": 25}, "run:none": {}}
    assert reader.case_counts(PROJECT, [RUN], as_of=2) == {RUN: {"passed": 1}}
    assert reader.cases(PROJECT, RUN, outcome="failed").total == 3
    assert reader.case_counts(PROJECT, [RUN], as_of=size - 1)[RUN] == {"passed": 25}


def test_lists_can_be_narrowed(home: Home) -> None:
    record(home, [*story(), *suite(10)])
    reader = home.reader

    assert [row.ref for row in reader.runs(PROJECT, commit=MERGE, outcome="passed").rows] == [UNIT]
    assert reader.runs(PROJECT, state="running").total == 0
    assert reader.tests(PROJECT, colour="green").total == 10
    assert reader.tests(PROJECT, colour="red").total == 0
    assert [row.ref for row in reader.deployments(PROJECT, environment="env:production").rows] == [
        PROD
    ]
    assert reader.releases(PROJECT, state="withdrawn").total == 0
    assert reader.approvals(PROJECT, state="signed").total == 1


def test_what_was_first_heard_of_last_stands_at_the_top(home: Home) -> None:
    record(home, story())

    assert [row.ref for row in home.reader.runs(PROJECT).rows] == [UNIT, BUILD]


# --- chains


def test_a_trace_from_the_tables_is_the_trace_in_memory(home: Home) -> None:
    """The SQL and the pure replay must tell one story."""
    told_story = without("review", "qa", "sign")
    record(home, [event_of(one, place) for place, one in enumerate(told_story)])

    found = home.reader.trace(PROJECT, RELEASE)
    wanted = trace(RELEASE, Memory(trail(*told_story)))

    assert found.refs == wanted.refs
    assert found.gaps == wanted.gaps
    assert {gap.rule for gap in found.gaps} == {
        "change_without_review", "approval_unsigned", "straight_to_production",
    }  # fmt: skip
    assert [(step.lane, step.entry, step.sentence) for step in found.steps] == [
        (step.lane, step.entry, step.sentence) for step in wanted.steps
    ]


def test_a_trace_by_a_short_commit_finds_the_whole_one(home: Home) -> None:
    record(home, story())

    found = home.reader.trace(PROJECT, "commit:acme/shop@0d77a35")

    assert found.ref == MERGE
    assert RELEASE in found.refs


def test_a_trace_of_no_ref_is_refused(home: Home) -> None:
    with pytest.raises(RequestError) as raised:
        home.reader.trace(PROJECT, "nothing at all")
    assert raised.value.code == "ref_invalid"


# --- entries


def test_an_entry_opens_with_its_bytes_receipt_and_sentence(home: Home) -> None:
    record(home, story())

    view = home.reader.entry(PROJECT, 6)

    assert view.sentence.startswith("published release shop@1.4.2")
    assert view.event["authid"] == "release-mgr"
    assert view.event["data"]["title"] == "1.4.2"  # type: ignore[index,call-overload]
    assert view.leaf_hash == leaf_hash(view.bytes)
    assert parse_receipt(view.receipt).index == 6
    assert view.erased == ()


@pytest.mark.parametrize("index", [-1, 11, 10**12])
def test_an_entry_that_is_not_there_is_not_found(home: Home, index: int) -> None:
    record(home, story())

    with pytest.raises(RequestError, match="the log has entries 0 to 10") as raised:
        home.reader.entry(PROJECT, index)
    assert raised.value.code == "not_found"


def test_what_was_erased_is_named_and_the_rest_is_shown(home: Home) -> None:
    record(home, story())
    actor = home.reader.entry(PROJECT, 6).actor.ref
    keys = Forgetful(home.keys, {6}, {actor})

    view = other_reader(home, keys=keys).entry(PROJECT, 6)
    line = other_reader(home, keys=keys).log_lines(PROJECT, before=7, limit=1)[0]

    assert set(view.erased) == {"body", "authid", "/data/refs/2/ref"}
    assert "data" not in view.event
    assert "authid" not in view.event
    assert view.actor.handle == "erased"
    assert line.erased
    lost = "what it says was lost: no entry says that it was erased"
    assert line.sentence == f"published release shop@1.4.2; {lost}"


def test_an_entry_whose_body_was_swapped_is_not_shown(home: Home) -> None:
    record(home, story())
    forged = Sealed("body", "plain", b'{"authtype":"user","data":{"title":"forged"}}')
    reader = other_reader(home, log=Altered(home.log, index=6, sealed=(forged,)))

    with pytest.raises(EvidenceError) as raised:
        reader.entry(PROJECT, 6)
    told = reader.log_lines(PROJECT, before=7, limit=1)[0].sentence
    assert (raised.value.code, told) == ("commitment", DAMAGED)


def test_evidence_files_are_named_with_where_they_are_kept(home: Home) -> None:
    kept = home.recorder.put_blob(b"<testsuites/>", "junit.xml", "application/xml")
    absent = BlobName("sha256:" + "0" * 64, "video.webm", "video/webm")
    event = make_event(
        type="com.example.report", source="urn:x", id="1", time=TIME, authtype="user",
        authid="ana", blobs=[kept, absent],
    )  # fmt: skip
    record(home, [event])

    blobs = home.reader.entry(PROJECT, 0).blobs

    assert [one.name for one in blobs] == [kept, absent]
    assert blobs[0].stored is not None
    assert blobs[1].stored is None


def test_log_lines_come_last_first_and_in_parts(home: Home) -> None:
    record(home, story())
    reader = home.reader

    def shown(**query: Any) -> list[int]:
        return [line.index for line in reader.log_lines(PROJECT, **query)]

    assert shown(limit=3) == [10, 9, 8]
    assert shown(before=8, limit=3) == [7, 6, 5]
    assert shown(as_of=2) == [2, 1, 0]
    assert shown(as_of=5, before=2) == [1, 0]
    assert shown(before=0) == []
    assert list(reader.lines(PROJECT, [9, 2, 99, 2])) == [2, 9]


def test_outcomes_are_of_what_ended(home: Home) -> None:
    record(home, [*story(), *suite(1)])
    lines = home.reader.log_lines(PROJECT)[::-1]

    assert [line.outcome for line in lines[4:8]] == [None, "passed", None, "passed"]
    assert [line.outcome for line in lines[11:]] == [None, "failed", "passed", "passed"]


def test_demonstration_data_is_marked(home: Home) -> None:
    events = [
        make_event(type="com.example.x", source=source, id="1", time=TIME, authtype="user",
                   authid="ana")
        for source in ("urn:counterfoil:demo/git", "urn:counterfoil:demonstration", "urn:x")
    ]  # fmt: skip
    record(home, events)

    assert [line.demo for line in home.reader.log_lines(PROJECT)[::-1]] == [True, False, False]
    assert home.reader.entry(PROJECT, 0).demo


# --- actors


@pytest.mark.parametrize(
    ("credential", "authtype", "authid", "kind", "how"),
    [
        (Credential("token:admin", "token", "administrator"), "api_key", "administrator",
         "service", "proven"),
        (Credential("token:admin", "token", "administrator"), "user", "ana", "person", "claimed"),
        (Credential("session:5f", "session", "ana"), "user", "session:5f", "person", "proven"),
        (Credential("session:5f", "session", "ana"), "user", "administrator", "person",
         "claimed"),
        (Credential("local", "local", "local"), "user", "local", "person", "proven"),
        (Credential("webhook:github", "webhook", "github"), "user", "github.com:ana", "person",
         "claimed"),
        (Credential("webhook:github", "webhook", "github"), "app_user",
         "github.com:dependabot[bot]", "service", "claimed"),
        (Credential("local", "local", "local"), "unauthenticated", "x", "nobody", "claimed"),
    ],
    ids=[
        "a token that acts itself", "a token that names a person", "a session that acts itself",
        "a session that names another", "the machine itself", "a webhook that names a person",
        "a bot", "nobody",
    ],
)  # fmt: skip
def test_only_the_credential_itself_is_proven(
    home: Home, credential: Credential, authtype: str, authid: str, kind: str, how: str
) -> None:
    """What a sender says about others is a claim, however trusted the sender."""
    event = make_event(
        type="com.example.x", source="urn:x", id="1", time=TIME, authtype=authtype, authid=authid
    )
    record(home, [event], credential, "api")

    actor = home.reader.entry(PROJECT, 0).actor

    assert (actor.handle, actor.kind, actor.how) == (authid, kind, how)
    assert home.reader.resolve(actor.ref) == actor


def test_somebody_who_is_only_named_is_a_claim(home: Home) -> None:
    record(home, story())
    change = home.reader.change(PROJECT, CHANGE)
    assert change is not None

    view = home.reader.resolve(change.reviews[0].reviewer or "")

    assert (view.handle, view.how) == ("dev-pay", "claimed")


def test_an_unknown_pseudonym_stays_one(home: Home) -> None:
    view = home.reader.resolve("actor:0000000000000000")

    assert (view.handle, view.how) == ("erased", "claimed")


# --- the log


def test_health_says_how_far_everything_is(home: Home) -> None:
    size = record(home, story())
    health = home.reader.health(PROJECT)

    assert (health.size, health.checkpoint_size, health.followed) == (size, size, size)
    assert health.origin == "log.example/desk"
    assert health.root == home.log.head(PROJECT).root
    assert (health.stopped, health.gaps) == (None, 0)
    assert health.last_recorded == TIME.replace("Z", ".000Z")
    assert home.reader.vkey(PROJECT).name == "log.example/desk"


def test_health_of_an_empty_log(home: Home) -> None:
    health = home.reader.health(PROJECT)

    assert (health.size, health.followed, health.last_recorded) == (0, 0, None)


def test_numbers_that_never_arrived_are_gaps_until_they_arrive(home: Home) -> None:
    def numbered(boot: str, seq: int) -> Any:
        return make_event(
            type="com.example.x", source="urn:ci", id=f"{boot}/{seq}", time=TIME,
            authtype="system", authid="ci", producer="ci-7", boot=boot, seq=seq,
        )  # fmt: skip

    record(home, [numbered("b1", 1039), numbered("b1", 1042), numbered("b2", 7)])
    reader = home.reader

    [gap] = reader.sequence_gaps(PROJECT)
    assert (gap.boot, gap.first, gap.last, gap.before, gap.after) == ("b1", 1040, 1041, 0, 1)
    assert reader.health(PROJECT).gaps == 2
    assert reader.sequence_gaps(PROJECT, as_of=0) == []

    record(home, [numbered("b1", 1041), numbered("b1", 1040)])
    assert reader.sequence_gaps(PROJECT) == []
    assert len(reader.sequence_gaps(PROJECT, as_of=3)) == 1


def test_sources_are_counted_with_their_last_day(home: Home, clock: SteppedClock) -> None:
    def event(source: str, number: int) -> Any:
        return make_event(type="com.example.x", source=source, id=str(number), time=TIME,
                          authtype="system", authid="ci")  # fmt: skip

    record(home, [event("urn:old", 0)])
    clock.step(30 * 3600)
    record(home, [event("urn:a", n) for n in range(3)])
    clock.step(2 * 3600)
    record(home, [event("urn:b", 0), event("urn:a", 9)])

    found = home.reader.sources(PROJECT)

    assert [(row.source, row.count, row.last) for row in found] == [
        ("urn:a", 4, 5), ("urn:b", 1, 4), ("urn:old", 1, 0),
    ]  # fmt: skip
    assert found[0].buckets == (0,) * 21 + (3, 0, 1)
    assert found[2].buckets == (0,) * 24
    assert found[2].last_time == "2026-11-20T12:00:00.000Z"
    past = home.reader.sources(PROJECT, as_of=1)
    assert [(row.source, row.count) for row in past] == [("urn:a", 1), ("urn:old", 1)]


def test_the_ruler_counts_entries_an_hour(home: Home, clock: SteppedClock) -> None:
    for place, event in enumerate(story()):
        record(home, [event])
        clock.step(3600 if place % 3 == 2 else 60)

    activity = home.reader.activity(PROJECT)

    assert activity.bucket_s == 3600
    assert activity.start == "2026-11-20T12:00:00.000Z"
    assert activity.end == "2026-11-20T16:00:00.000Z"
    assert activity.counts == (3, 3, 3, 2)
    assert activity.firsts == (0, 3, 6, 9)
    assert home.reader.activity(PROJECT, as_of=4).counts == (3, 2)


def test_the_ruler_of_a_long_log_has_at_most_180_marks(home: Home, clock: SteppedClock) -> None:
    events = story()
    record(home, events[:4])
    clock.step(datetime.timedelta(days=40).total_seconds())
    record(home, events[4:])

    activity = home.reader.activity(PROJECT)

    assert activity.bucket_s == 6 * 3600
    assert len(activity.counts) <= 180
    assert (activity.counts[0], activity.counts[-1], sum(activity.counts)) == (4, 7, 11)
    assert activity.end is not None
    assert activity.end > format_time(clock.now())


def test_an_empty_log_has_no_ruler(home: Home) -> None:
    assert home.reader.activity(PROJECT).counts == ()
    assert home.reader.log_lines(PROJECT) == []
    assert home.reader.sources(PROJECT) == []


def test_every_type_of_event_is_shown(home: Home) -> None:
    """A page of the log must not fail for one kind of entry."""
    size = record(home, examples())
    lines = home.reader.log_lines(PROJECT, limit=200)

    assert len(lines) == size
    assert all(line.sentence for line in lines)
    for index in range(size):
        assert home.reader.entry(PROJECT, index).event["type"] == lines[-1 - index].type


def test_a_failed_run_is_red_in_the_chain(home: Home) -> None:
    failed = told("ci", "testsuiterun.finished", UNIT, (MERGE, "input"), outcome="failure")
    record(home, [event_of(failed, 0)])

    [step] = home.reader.trace(PROJECT, UNIT).steps

    assert (step.lane, step.outcome) == ("Runs", "failed")
