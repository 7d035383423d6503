"""A release of ten thousand commits: every step can be reached, no page holds them all."""

import dataclasses
import re

import pytest

from counterfoil.app.answers import Gap, Trace
from counterfoil.errors import RequestError
from counterfoil.web.pages import releases
from counterfoil.web.pages.parts import Links
from counterfoil.web.pages.release_part import Part, cursor_of, part_of
from counterfoil.web.pages.render import html
from tests.web_pages import sample

LINKS = Links("default", None)
STEPS = tuple(
    dataclasses.replace(
        sample.STEPS[0], entry=place // 3, ref=f"commit:acme/shop@{place:040x}",
        time=f"2026-11-{1 + place // 600:02d}T{place // 25 % 24:02d}:{place % 25 * 2:02d}:00Z",
        sentence=f"pushed commit {place:07x}",
    )
    for place in range(10_000)
)  # fmt: skip
GAPS = tuple(
    Gap(rule="commit_unreviewed", what=f"Commit {place:07x} was not reviewed.", why="Nobody did.",
        ref=STEPS[place].ref, entries=(STEPS[place].entry,), lane="Review")
    for place in range(80, 10_000, 100)
)  # fmt: skip
TRACE = dataclasses.replace(sample.TRACE, steps=STEPS, gaps=GAPS)
# What a page asks for beside itself with an empty cache is 37 KiB, headers included.
HTML_MAX_BYTES = 62 * 1024


def view(shown: Part, trace: Trace = TRACE) -> releases.ReleaseView:
    return releases.build_release(
        sample.RELEASE, trace, {}, sample.resolve, LINKS, sample.NOW, None, shown
    )


@pytest.mark.parametrize("shown", [Part(), Part("1666.2", 501)], ids=["first", "in the middle"])
def test_no_part_is_heavy(shown: Part) -> None:
    page = html("release.html", theme="", frame=sample.frame("/releases", None), view=view(shown))
    assert len(page.encode()) < HTML_MAX_BYTES


def test_every_step_is_on_one_page_and_no_step_on_two() -> None:
    seen: list[str] = []
    cursor, start = "", len(STEPS)
    while start:
        shown, start = part_of(STEPS, cursor)
        seen += [step.sentence for step in reversed(shown)]
        cursor = cursor_of(STEPS, start)
    assert seen == [step.sentence for step in reversed(STEPS)]


def test_a_page_leads_to_the_steps_before_and_says_where_it_is() -> None:
    first = view(Part())
    assert first.step_words == (
        "3,334 entries; steps 9,983 to 10,000 of 10,000 shown, the latest first"
    )
    assert first.newest == ""
    assert first.earlier.endswith(f"&cursor={cursor_of(STEPS, 9_982)}")
    last = view(Part(cursor_of(STEPS, 18)))
    assert [line.sentence for line in last.steps] == [s.sentence for s in reversed(STEPS[:18])]
    assert (last.earlier, last.newest) == ("", LINKS.to("/release", ref=sample.RELEASE.ref))


def test_a_step_that_comes_meanwhile_moves_nothing() -> None:
    _, start = part_of(STEPS, "")
    cursor = cursor_of(STEPS, start)
    grown = (*STEPS, dataclasses.replace(STEPS[-1], entry=9_999))
    late = (dataclasses.replace(STEPS[0], entry=9_998, time="2026-10-01T00:00:00Z"), *grown)
    assert part_of(late, cursor)[0] == part_of(STEPS, cursor)[0]


@pytest.mark.parametrize("cursor", ["x", "1", "1.", "9999999.0", "0.3", "٣.0", "1.0.0", "1" * 30])
def test_a_cursor_of_others_is_refused(cursor: str) -> None:
    with pytest.raises(RequestError, match="no cursor from here"):
        part_of(STEPS, cursor)


def test_every_gap_is_on_one_page_and_can_be_linked_to_from_any() -> None:
    few = dataclasses.replace(TRACE, steps=STEPS[:40])
    numbers: list[int] = []
    shown = Part()
    while True:
        page = view(shown, few)
        numbers += [line.number for line in page.gaps]
        if not page.gaps_after:
            break
        found = re.search(r"gap=(\d+)", page.gaps_after)
        assert found is not None
        shown = Part(gap=int(found[1]))
    assert numbers == list(range(1, 101))
    assert page.gap_words == "100 gaps, 97 to 100 shown"
    step = next(line for line in view(Part(cursor_of(STEPS, 9_985))).steps if line.gaps)
    assert re.search(r"&gap=\d+#gap-\d+$", step.gaps[0].href)


def test_a_short_release_is_whole_and_says_nothing_of_parts() -> None:
    page = view(Part(), sample.TRACE)
    assert (page.earlier, page.newest, page.gaps_before, page.gaps_after) == ("", "", "", "")
    assert "shown" not in page.step_words + page.gap_words
    assert all(line.href == f"#gap-{line.number}" for line in page.gaps)
