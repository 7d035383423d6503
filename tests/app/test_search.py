"""Searching a real ledger: exact at every moment, and silent about persons."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.app.home import Home
from counterfoil.app.saved import NAME_MAX, SAVED_MAX, forget, save, saved
from counterfoil.app.search import Searcher
from counterfoil.app.search_answers import Found
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.events.event import make_event, parse_event
from counterfoil.ledger.store import Person
from counterfoil.stores.tables import Tables
from tests.app.desk import PROJECT, Forgetful, desk, examples, record, story, suite
from tests.app.test_follow import dump, follower

RUN = "run:acme/shop/suite"


@pytest.fixture(scope="module")
def clock() -> SteppedClock:
    return SteppedClock("2026-11-16T00:00:00.000Z")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, clock: SteppedClock) -> Iterator[Home]:
    """A ledger filled over five days: a story, every type, and a suite of tests."""
    with desk(tmp_path_factory.mktemp("search") / "ledger", clock) as opened:
        for batch in (story(), examples()):
            for event in batch:
                record(opened, [event])
                clock.step(600)
            clock.step(86_400)
        record(opened, suite(40))
        clock.step(86_400)
        yield opened


def search(home: Home, query: str, as_of: int | None = None, limit: int = 500) -> Found:
    return home.reader.search(PROJECT, query, as_of=as_of, limit=limit)


def numbers(found: Found) -> list[int]:
    return [line.index for line in found.items]


def counts(found: Found, key: str) -> dict[str, int]:
    [facet] = [facet for facet in found.facets if facet.key == key]
    return {value.value: value.count for value in facet.values}


def test_everything_is_found_without_a_word_newest_first(home: Home) -> None:
    size = home.follower.size(PROJECT)

    found = search(home, "")

    assert numbers(found) == list(range(size))[::-1]
    assert found.total == size
    assert found.as_of == size - 1


@pytest.mark.parametrize(
    "query",
    ["outcome:failed", "via:cli", "type:testcaserun.finished", "outcome:none type:change",
     f"ref:{RUN} outcome:passed"],
)  # fmt: skip
def test_total_facets_and_lines_agree_at_every_entry(home: Home, query: str) -> None:
    """The counts beside the lines must be those of the lines, now and in the past."""
    whole = search(home, query)
    assert whole.total
    for as_of in range(-1, home.follower.size(PROJECT), 7):
        found = search(home, query, as_of)

        assert numbers(found) == [n for n in numbers(whole) if n <= as_of]
        assert found.total == len(found.items)
        assert found.as_of == as_of
        for facet in found.facets:
            if f"{facet.key}:" not in query:
                assert sum(one.count for one in facet.values) + facet.others == found.total
        assert sum(bucket.count for bucket in found.histogram.buckets) == found.total


def test_outcomes_are_those_the_lines_show(home: Home) -> None:
    for outcome in ("passed", "failed", "skipped"):
        assert {line.outcome for line in search(home, f"outcome:{outcome}").items} == {outcome}
    assert {line.outcome for line in search(home, "outcome:none").items} == {None}


def test_a_facet_counts_what_else_could_be_chosen_in_it(home: Home) -> None:
    everything = counts(search(home, f"ref:{RUN}"), "outcome")

    narrowed = search(home, f"ref:{RUN} outcome:failed")

    assert counts(narrowed, "outcome") == everything
    [facet] = [facet for facet in narrowed.facets if facet.key == "outcome"]
    chosen = {one.value: (one.chosen, one.query) for one in facet.values}
    assert chosen["failed"] == (True, f"ref:{RUN}")
    assert chosen["passed"] == (False, f"ref:{RUN} outcome:failed outcome:passed")


def test_every_value_of_a_facet_is_a_search_that_finds_its_count(home: Home) -> None:
    for facet in search(home, "").facets:
        for value in facet.values:
            assert search(home, value.query).total == value.count, value


def test_words_of_one_kind_widen_and_refs_and_text_narrow(home: Home) -> None:
    passed, failed = (search(home, f"outcome:{one}").total for one in ("passed", "failed"))

    assert search(home, "outcome:passed outcome:failed").total == passed + failed
    named, worded = search(home, f"ref:{RUN}"), search(home, "test")
    both = search(home, f"ref:{RUN} test")
    assert set(numbers(both)) == set(numbers(named)) & set(numbers(worded))


def test_a_test_is_found_by_its_ref_and_by_the_beginning_of_it(home: Home) -> None:
    assert search(home, "ref:test:t7").total == 1
    assert search(home, "ref:test:t1*").total == sum(
        2 if n % 10 == 0 else 1 for n in range(40) if str(n).startswith("1")
    )


def test_a_commit_is_found_by_its_first_digits(home: Home) -> None:
    line = next(one for one in search(home, "ref:commit:*").items if one.subject)
    entry = home.reader.entry(PROJECT, line.index).entry
    [commit, *_] = [named.ref for named in entry.refs if named.ref.startswith("commit:")] or [
        str(entry.subject)
    ]

    whole = search(home, f"ref:{commit}")
    short = search(home, f"ref:{commit.rpartition('@')[0]}@{commit.rpartition('@')[2][:7]}")

    assert line.index in numbers(whole)
    assert set(numbers(whole)) <= set(numbers(short))


def test_time_is_the_time_of_recording_and_a_day_is_whole(home: Home) -> None:
    lines = search(home, "").items
    for day in ("2026-11-16", "2026-11-17", "2026-11-18"):
        expected = [line.index for line in lines if line.recordedtime.startswith(day)]
        assert numbers(search(home, f"since:{day} until:{day}")) == expected
    assert any(line.recordedtime.startswith("2026-11-16") for line in lines)


def test_the_histogram_holds_what_lies_outside_the_time_too(home: Home) -> None:
    stamps = sorted({line.recordedtime for line in search(home, "").items})
    found = search(home, f"since:{stamps[20]} until:{stamps[24]}")

    assert found.total == 5
    inside = sum(bucket.count for bucket in found.histogram.buckets if bucket.inside)
    outside = sum(bucket.count for bucket in found.histogram.buckets if not bucket.inside)
    assert inside == found.total
    assert outside
    starts = [bucket.start for bucket in found.histogram.buckets]
    assert starts == sorted(starts)
    assert len(starts) <= 92


def test_failures_over_time_are_those_found(home: Home) -> None:
    found = search(home, f"ref:{RUN}")

    assert (
        sum(bucket.failed for bucket in found.histogram.buckets)
        == counts(found, "outcome")["failed"]
    )


def test_relative_time_counts_back_from_the_ledger_s_clock(home: Home, clock: SteppedClock) -> None:
    since = clock.now() - datetime.timedelta(days=2)

    found = search(home, "since:2d")

    assert numbers(found) == [
        line.index
        for line in search(home, "").items
        if line.recordedtime >= since.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    ]


def test_nothing_found_says_what_excludes_most(home: Home) -> None:
    found = search(home, f"ref:{RUN} via:reconcile outcome:failed")

    assert (found.total, found.items) == (0, ())
    assert found.without is not None
    assert found.without.words == "via:reconcile"
    assert found.without.query == f"ref:{RUN} outcome:failed"
    assert found.without.count == search(home, found.without.query).total > 0


def test_where_no_one_word_is_to_blame_several_are_left_out(home: Home) -> None:
    found = search(home, "outcome:failed via:reconcile ref:env:nowhere")

    assert found.without is not None
    assert found.without.words == "via:reconcile ref:env:nowhere"
    assert found.without.count == search(home, "outcome:failed").total


def test_a_word_that_fits_nothing_names_the_nearest_that_does(home: Home) -> None:
    found = search(home, "outcome:failed type:testcaserun.finised")

    [unknown] = found.unknown
    assert (unknown.position, unknown.suggestion) == (15, "type:testcaserun.finished")


# --- who


def test_a_person_is_found_by_account_by_handle_and_by_pseudonym(home: Home) -> None:
    line = next(one for one in search(home, "").items if ":" in one.actor.handle)
    account = line.actor.handle
    by_account = search(home, f"actor:{account}")

    assert line.index in numbers(by_account)
    assert {one.actor.handle for one in by_account.items} == {account}
    assert numbers(search(home, f"actor:{line.actor.ref}")) == numbers(by_account)
    assert set(numbers(by_account)) <= set(
        numbers(search(home, f"actor:{account.rpartition(':')[2]}"))
    )


def test_asking_for_somebody_makes_nobody(home: Home) -> None:
    """A search must not leave the name it asked for in the key store."""
    assert search(home, "actor:nosuch.example:somebody").total == 0

    assert home.keys.people_named("nosuch.example:somebody", 10) == []


def test_after_erasure_only_the_pseudonym_finds_the_entries(home: Home) -> None:
    line = next(one for one in search(home, "").items if ":" in one.actor.handle)
    actor, account = line.actor.ref, line.actor.handle
    keys = Erased(home.keys, set(), {actor})
    searcher = Searcher(
        home.tables,
        home.follower.index,
        keys,
        home.clock,
        home.access.directory,
        home.reader.resolve,
        home.reader.lines,
    )

    assert searcher.search(PROJECT, f"actor:{account}", None, None, 50).total == 0
    found = searcher.search(PROJECT, f"actor:{actor}", None, None, 50)
    assert found.total == search(home, f"actor:{account}").total
    [facet] = [facet for facet in found.facets if facet.key == "actor"]
    assert {one.value for one in facet.values if one.chosen} == {actor}


class Erased(Forgetful):
    """A key store in which people are gone by name too."""

    def people_named(self, name: str, limit: int) -> list[Person]:
        """Return those who are not erased."""
        found = self._keys.people_named(name, limit)
        return [one for one in found if one.pseudonym not in self._people]


def test_nobody_s_entries_are_found_as_nobody_s(home: Home) -> None:
    found = search(home, "actor:nobody")

    assert all(line.actor.handle == "nobody" for line in found.items)


# --- what is in the index


def test_personal_text_and_accounts_are_never_indexed(tmp_path: Path) -> None:
    """What can be erased must not live on in the index."""
    with desk(tmp_path / "ledger") as home:
        event = parse_event({
            "specversion": "1.0", "id": "p1", "source": "https://ci.example/a",
            "type": "com.example.note", "time": "2026-11-20T12:00:00Z", "authtype": "user",
            "authid": "github.com:xylophila", "subject": "run:acme/shop/1",
            "data": {"title": "quarzsand", "mail": "zugspitze@example.org",
                     "personal": ["/data/mail"]},
        })  # fmt: skip
        record(home, [event])

        for word in ("zugspitze", "xylophila", "quarzsand"):
            assert search(home, word).total == 0, f"{word} is in the index"
        assert search(home, "com.example.note").total == 1
        views = b"".join(path.read_bytes() for path in (tmp_path / "ledger").glob("views.db*"))
        assert b"zugspitze" not in views
        assert b"xylophila" not in views
        assert b"com.example.note" in views


def test_an_erased_body_is_found_by_what_the_log_holds_alone(tmp_path: Path) -> None:
    with desk(tmp_path / "ledger") as home:
        title: dict[str, JSON] = {"subject": {"id": "1", "content": {"summary": "quarzsand"}}}
        event = make_event(
            type="dev.cdevents.change.merged.0.3.0", source="urn:x", id="1",
            time="2026-11-20T12:00:00Z", authtype="user", authid="github.com:ana",
            subject="change:acme/shop#7", data=title,
        )  # fmt: skip
        record(home, [event])
        tables = Tables(tmp_path / "again.db")
        try:
            again = follower(home, tables, keys=Forgetful(home.keys, {0}, set()))
            again.catch_up(PROJECT)
            with tables.read() as connection:
                found = {
                    word: again.index.worded(connection, PROJECT, word, 1, prefix=False)
                    for word in ("quarzsand", "shop")
                }
        finally:
            tables.close()

        assert found == {"quarzsand": 0, "shop": 1}


def test_a_rebuild_gives_the_same_rows_and_answers(home: Home) -> None:
    before, answers = dump(home.tables), [search(home, query) for query in ("test", f"ref:{RUN}")]
    assert {name for name, _ in before} >= {"search_marks", "search_totals"}

    home.follower.rebuild(PROJECT)

    assert dump(home.tables) == before
    assert [search(home, query) for query in ("test", f"ref:{RUN}")] == answers


def test_the_index_knows_the_outcome_the_folds_know(home: Home) -> None:
    """One word for an outcome: on lines, in facets and in searches."""
    shown = {line.outcome or "none" for line in search(home, "").items}
    assert shown == set(counts(search(home, ""), "outcome"))


# --- saved searches


def test_a_saved_search_belongs_to_a_handle_and_a_project(home: Home) -> None:
    save(home.state, home.clock, "ana", PROJECT, "  red   ones ", "outcome:failed  since:7d")
    save(home.state, home.clock, "ana", PROJECT, "red ones", "outcome:failed since:1d")

    [one] = saved(home.state, "ana", PROJECT)
    assert (one.name, one.query) == ("red ones", "outcome:failed since:1d")
    assert saved(home.state, "bob", PROJECT) == saved(home.state, "ana", "other") == []
    forget(home.state, "bob", PROJECT, "red ones")
    assert saved(home.state, "ana", PROJECT) == [one]
    forget(home.state, "ana", PROJECT, "red ones")
    assert saved(home.state, "ana", PROJECT) == []


@pytest.mark.parametrize(
    ("name", "query"),
    [("", "x"), ("a" * (NAME_MAX + 1), "x"), ("a\u202eb", "x"), ("a", "  "), ("a", "outcme:x")],
    ids=["no name", "a long name", "a name that turns the line", "no words", "a word that is off"],
)
def test_what_cannot_be_saved_is_refused_and_changes_nothing(
    home: Home, name: str, query: str
) -> None:
    with pytest.raises(RequestError) as raised:
        save(home.state, home.clock, "eve", PROJECT, name, query)

    assert raised.value.code == "query_invalid"
    assert saved(home.state, "eve", PROJECT) == []


def test_saved_searches_are_bounded_and_one_can_still_be_replaced(home: Home) -> None:
    for number in range(SAVED_MAX):
        save(home.state, home.clock, "max", PROJECT, f"n{number}", "x")

    with pytest.raises(RequestError, match="remove one first"):
        save(home.state, home.clock, "max", PROJECT, "another", "x")
    save(home.state, home.clock, "max", PROJECT, "n7", "y")

    assert len(saved(home.state, "max", PROJECT)) == SAVED_MAX
