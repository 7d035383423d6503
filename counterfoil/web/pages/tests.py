"""One test over its runs: how it stands, since when, and its last outcomes as a strip of marks."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from counterfoil.app.answers import ActorView, TestRow
from counterfoil.errors import RequestError
from counterfoil.projections.base import At
from counterfoil.projections.tests import TestRun
from counterfoil.web.context import Context
from counterfoil.web.pages import words
from counterfoil.web.pages.frame import frame_of, links_of, now_of
from counterfoil.web.pages.parts import (
    Links,
    Mark,
    Oddity,
    Pill,
    Who,
    mark,
    oddities,
    pill,
    who,
)
from counterfoil.web.pages.render import render
from counterfoil.web.pages.runs import wanted

Resolve = Callable[[str], ActorView]

_RED: Final = frozenset({"failed", "error"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome: a mark in the strip and a row in the list, which is its twin."""

    pill: Pill
    run: str
    run_href: str
    when: str
    who: Who
    attempt: str
    mark: Mark
    spoken: str
    turned: bool


@dataclass(frozen=True, slots=True)
class TestFact:
    """A labelled moment with its mark."""

    label: str
    text: str
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class TestView:
    """The page.  `strip` is oldest first, `rows` latest first."""

    title: str
    id: str
    state: Pill
    flaky: bool
    say: str
    strip: tuple[Outcome, ...]
    strip_words: str
    first: str
    last: str
    rows: tuple[Outcome, ...]
    facts: tuple[TestFact, ...]
    problems: tuple[Oddity, ...]
    json_href: str


def build_test(row: TestRow, resolve: Resolve, links: Links, now: datetime.datetime) -> TestView:
    """Build the page of one test."""
    outcomes = []
    before = ""
    for one in row.runs:
        outcomes.append(_outcome(one, before, resolve, links, now))
        before = one.outcome
    id_ = row.ref.partition(":")[2]
    return TestView(
        title=row.name or id_,
        id=id_,
        state=pill(row.outcome or None),
        flaky=row.flaky,
        say=_sentence(row, now),
        strip=tuple(outcomes),
        strip_words=f"the last {words.number(len(outcomes))} of "
        f"{words.count(row.count, 'outcome')}, each mark opens its entry",
        first=outcomes[0].when if outcomes else "",
        last=outcomes[-1].when if outcomes else "",
        rows=tuple(reversed(outcomes)),
        facts=_facts(row, links),
        problems=oddities(row.problems, links),
        json_href=links.to("/v1/tests", ref=row.ref),
    )


def _outcome(
    one: TestRun, before: str, resolve: Resolve, links: Links, now: datetime.datetime
) -> Outcome:
    run = one.run.partition(":")[2] or "no run named"
    when = words.when(one.at.time, now)
    # The line in the strip stands where red became green, or green red.
    turned = bool(before) and (before in _RED) != (one.outcome in _RED)
    return Outcome(
        pill=pill(one.outcome),
        run=run,
        run_href=links.ref(one.run) or links.to("/runs"),
        when=when,
        who=who(resolve(one.at.actor) if one.at.actor else None),
        attempt=f"attempt {words.number(one.attempt)}" if one.attempt > 1 else "",
        mark=mark(one.at.entry, links),
        spoken=f"{one.outcome} in {words.plain_visible(run, 80)}, {when}, "
        f"entry {words.number(one.at.entry)}",
        turned=turned,
    )


def _sentence(row: TestRow, now: datetime.datetime) -> str:
    if not row.runs:
        return "It is known by name; no outcome of it is recorded."
    red = sum(one.outcome in _RED for one in row.runs)
    said = []
    if row.since is not None:
        said.append(f"{row.colour.capitalize()} since {words.when(row.since.time, now)} UTC.")
    else:
        said.append("It neither passed nor failed yet.")
    said.append(f"Red in {words.number(red)} of its last {words.count(len(row.runs), 'outcome')}.")
    if row.flaky:
        said.append("In one run it failed and then passed on another attempt.")
    return " ".join(said)


def _facts(row: TestRow, links: Links) -> tuple[TestFact, ...]:
    def fact(label: str, at: At | None, absent: str) -> TestFact:
        if at is None:
            return TestFact(label, absent, None)
        return TestFact(label, words.full_time(at.time), mark(at.entry, links))

    colour = row.colour.capitalize() or "Without a colour"
    return (
        fact(f"{colour} since", row.since, "not yet"),
        fact("Last passed", row.last_green, "never, as far as recorded"),
        fact("Last failed", row.last_red, "never, as far as recorded"),
        TestFact("Outcomes recorded", words.number(row.count), None),
    )


def test_page(request: Request, context: Context) -> Response:
    """Answer GET /test?ref=.

    Raises:
        RequestError: `not_found`, `query_invalid`.
    """
    reader, ref = context.home.reader, wanted(request)
    frame = frame_of(request, context, "/runs")
    row = reader.test(context.project, ref, as_of=context.as_of)
    if row is None:
        raise RequestError("not_found", f"no test {ref} is known here at this moment")
    view = build_test(row, reader.resolve, links_of(context), now_of(context))
    return render(request, "test.html", frame=frame, view=view)
