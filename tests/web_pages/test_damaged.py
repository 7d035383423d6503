"""The banner that stands on every page while something is damaged."""

from dataclasses import replace

from counterfoil.app.answers import Reread
from counterfoil.app.scrub import Damage
from counterfoil.web.pages.damaged import PLACES_SHOWN, Alarms, build_damaged
from counterfoil.web.pages.now import health_lines
from tests.web_pages import sample

ONE = Damage(
    place="default/entries/256", log="default", classes="damaged",
    objects="ledger.db entries row 300 column entry", first=300, last=300,
    why="damaged  ledger.db entries row 300 column entry  (entry 300): not what the tree holds",
    found="2026-11-20T13:00:00.000Z", recorded_in="default", entry=4712,
)  # fmt: skip


def test_nothing_is_said_while_all_is_whole() -> None:
    assert build_damaged(Alarms(), sample.NOW) is None


def test_the_place_the_time_and_the_entry_that_says_so_are_named() -> None:
    banner = build_damaged(Alarms((ONE,)), sample.NOW)

    assert banner is not None
    assert banner.first is not None
    assert "log default: " in banner.first.what
    assert "row 300 column entry" in banner.first.what
    assert banner.first.mark is not None
    assert banner.first.mark.href == "/entries/4712"
    assert (banner.more, banner.others) == ((), "")


def test_a_damage_that_no_log_took_as_an_event_is_told_without_a_mark() -> None:
    banner = build_damaged(Alarms((replace(ONE, recorded_in="", entry=None),)), sample.NOW)

    assert banner is not None
    assert banner.first is not None
    assert banner.first.mark is None


def test_more_places_than_anybody_reads_are_counted() -> None:
    places = tuple(replace(ONE, place=f"default/entries/{n}") for n in range(PLACES_SHOWN + 6))
    banner = build_damaged(Alarms(places, hidden=2), sample.NOW)

    assert banner is not None
    assert len(banner.more) == PLACES_SHOWN
    assert banner.others == "5 places more and 2 places in logs you may not read"


def test_who_may_not_read_the_log_learns_that_there_is_damage_and_no_more() -> None:
    banner = build_damaged(Alarms((), hidden=1), sample.NOW)

    assert banner is not None
    assert (banner.first, banner.others) == (None, "1 place in logs you may not read")


def test_a_log_that_has_stopped_says_so_on_every_page() -> None:
    banner = build_damaged(Alarms(stopped="log default is frozen"), sample.NOW)

    assert banner is not None
    assert banner.fact == "This log has stopped."
    assert banner.first is not None
    assert "log default is frozen" in banner.first.what


def test_the_health_of_the_log_says_when_it_was_last_read_through() -> None:
    def line(reread: Reread | None) -> tuple[str, str, str]:
        health = replace(sample.HEALTH, reread=reread)
        [one] = [
            x for x in health_lines(health, sample.NOW) if x.name == "Read again from the disk"
        ]
        return one.tone, one.number, one.detail

    ended = "2026-11-20T13:00:00.000Z"
    assert line(None)[:2] == ("none", "no")
    assert line(Reread(512, "", 0))[:2] == ("none", "512")
    assert line(Reread(0, ended, 0))[:2] == ("pass", "whole")
    assert line(Reread(0, ended, 2)) == ("fail", "damaged", "2 places not as recorded")
