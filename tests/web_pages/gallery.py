"""Every page in every state, rendered from the story, from nothing, and from a hostile sender."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from counterfoil.app.answers import ActorView, BlobView, EntryView, Page
from counterfoil.app.between import Between, ChangeBetween, CommitBetween
from counterfoil.app.blobs import Look
from counterfoil.events.naming import BlobName
from counterfoil.projections.base import At, Piece
from counterfoil.projections.changed import Differs, GapChange, RunChange, TraceChange, Turned
from counterfoil.projections.release_changed import Lacks, ReleaseChange
from counterfoil.projections.releases import Delivery
from counterfoil.web.pages import changed, entry, files, log, now, releases, runs
from counterfoil.web.pages import tests as test_pages
from counterfoil.web.pages.parts import Links
from counterfoil.web.pages.render import html
from tests.web_pages import account_sample, sample, search_sample

# What a sender might put into any text: markup, script, an attribute's end, direction control.
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>\u202egpj.exe\x00{{ 7*7 }}"
EMPTY_CHANGE = TraceChange(steps=(), opened=(), closed=(), reworded=(), still=0)


def _full(links: Links, dress: Callable[[Any], Any] = lambda value: value) -> dict[str, str]:
    as_of = links.as_of
    at = (sample.resolve, links, sample.NOW)
    finished = dress(sample.FINISHED)
    counts = runs.counts_of(finished, sample.COUNTED)
    return {
        "now": html("now.html", theme="", frame=sample.frame("/", as_of),
                    view=now.build_now(dress(sample.BOARD), *at)),
        "runs": html("runs.html", theme="", frame=sample.frame("/runs", as_of),
                     view=runs.build_runs(dress(sample.RUNS), sample.COUNTED, *at)),
        "run": html("run.html", theme="", frame=sample.frame("/runs", as_of),
                    view=runs.build_run(finished, counts, dress(sample.CASES), "failed", *at)),
        "releases": html("releases.html", theme="", frame=sample.frame("/releases", as_of),
                         view=releases.build_releases(Page((dress(sample.RELEASE),), "c", 31), *at)),
        "release": html("release.html", theme="", frame=sample.frame("/releases", as_of),
                        view=releases.build_release(dress(sample.RELEASE), dress(sample.TRACE),
                                                    dress(sample.BY_ENTRY),
                                                    *at)),
        "test": html("test.html", theme="", frame=sample.frame("/runs", as_of),
                     view=test_pages.build_test(dress(sample.TEST), *at)),
        **{
            name: html("changed.html", theme="", frame=sample.frame("/runs", as_of, about=found.ref),
                       view=changed.build_changed(found, "", lines, *at))
            for name, found, lines in (
                ("changed run", sample.RUN_CHANGED, {}),
                ("changed run between", sample.COMMITS_BETWEEN, {}),
                ("changed by release", sample.RELEASE_CHANGED, {}),
                ("changed release", sample.TRACE_CHANGED, sample.BY_ENTRY),
                ("changed tests", sample.TESTS_CHANGED, {n.index: n for n in sample.LINES}),
            )
        },
        "entry": entry_page(links=links, opened=dress(sample.OPENED)),
        "file": file_page("server.log", "first line\nsecond line\n", links),
        "search": html("search.html", theme="", frame=sample.frame("/search", as_of),
                       view=search_sample.view(links)),
        "everywhere": html("everywhere.html", theme="", frame=sample.frame("/search", as_of),
                           view=search_sample.all_logs(links)),
        "search-wrong": html("search.html", theme="", frame=sample.frame("/search", as_of),
                             view=search_sample.wrong(links)),
        "log": html("log.html", theme="", frame=sample.frame("/log", as_of),
                    view=log.build_log(dress(sample.LINES), sample.HEALTH,
                                       dress(sample.SOURCES),
                                       sample.SIGNER.vkey, before=None,
                                       public_url="http://localhost:8000", links=links,
                                       now=sample.NOW)),
    }  # fmt: skip


def entry_page(links: Links = sample.LINKS, opened: EntryView = sample.OPENED) -> str:
    """Return the entry page of the story."""
    view = entry.build_entry(opened, sample.SIGNER.vkey, 4712, as_hex=False, links=links,
                             looks=sample.LOOKS)  # fmt: skip
    return html("entry.html", theme="", frame=sample.frame("/log", links.as_of), view=view)


def file_page(name: str, text: str, links: Links = sample.LINKS) -> str:
    """Return the middle part of a text."""
    blob = BlobView(BlobName(f"sha256:{sample.DIGEST}", name, "text/plain"), None)
    data = text.encode("utf-8", "surrogatepass")
    view = files.build_file(4588, 1, blob, Look(data, 3 * 65_536, sound=True), data, 2, links)
    return html("file.html", theme="", frame=sample.frame("/log", links.as_of), view=view)


@cache
def full() -> dict[str, str]:
    """Return every page with the story's data."""
    return _full(sample.LINKS)


@cache
def demo() -> dict[str, str]:
    """Return every page with the story's data, all of it made for the demonstration."""
    return _full(sample.LINKS, _made_up)


def _made_up(value: Any) -> Any:
    """Return a value of the story in which everything that can be is marked as made up."""
    if isinstance(value, Mapping):
        return {name: _made_up(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_made_up(one) for one in value)
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        change: Callable[..., Any] = msgspec.structs.replace
    elif dataclasses.is_dataclass(value):
        names = tuple(field.name for field in dataclasses.fields(value))
        change = dataclasses.replace
    else:
        return value
    inner = {name: _made_up(getattr(value, name)) for name in names}
    return change(value, **{**inner, **({"demo": True} if "demo" in names else {})})


@cache
def past() -> dict[str, str]:
    """Return every page as of entry 4,660."""
    unknown = html("unknown.html", theme="", frame=sample.frame("/runs", 4660),
                   what="run:acme/shop/9", moment="entry 4,660")  # fmt: skip
    return {**_full(Links("default", 4660)), "unknown": unknown}


@cache
def empty() -> dict[str, str]:
    """Return the pages of an empty log."""
    at = (sample.resolve, sample.LINKS, sample.NOW)
    nothing = dataclasses.replace(sample.TRACE, steps=(), gaps=(), refs=())
    bare = type(sample.RELEASE)(ref="release:shop@0", name="shop", version="0")
    run = type(sample.FINISHED)(ref="run:acme/shop/1")

    def made(template: str, view: object) -> str:
        return html(template, theme="", frame=sample.frame("/", empty=True), view=view)

    return {
        "now": made("now.html", now.build_now(sample.EMPTY_BOARD, *at)),
        "runs": made("runs.html", runs.build_runs(Page((), None, 0), {}, *at)),
        "run": made("run.html", runs.build_run(run, runs.counts_of(run, {}), Page((), None, 0),
                                               None, *at)),
        "releases": made("releases.html", releases.build_releases(Page((), None, 0), *at)),
        "release": made("release.html", releases.build_release(bare, nothing, {}, *at)),
        "test": made("test.html", test_pages.build_test(type(sample.TEST)(ref="test:t"), *at)),
        **{
            f"changed {name}": made("changed.html", changed.build_changed(
                dataclasses.replace(found, run=None, trace=found.trace and EMPTY_CHANGE, tests=()),
                "", {}, sample.resolve, sample.LINKS, sample.NOW))
            for name, found in (("run", sample.RUN_CHANGED), ("release", sample.TRACE_CHANGED),
                                ("tests", sample.TESTS_CHANGED))
        },
        "search": made("search.html", search_sample.view(sample.LINKS, "", search_sample.NOTHING, ())),
        "everywhere": made("everywhere.html", search_sample.all_logs(
            sample.LINKS, "actor:anna", search_sample.NOWHERE, ())),
        "everywhere-wrong": made("everywhere.html", search_sample.all_logs(
            sample.LINKS, "outcme:failed", None, ())),
        "log": made("log.html", log.build_log((), sample.EMPTY_HEALTH, (), sample.SIGNER.vkey,
                                              before=None, public_url="http://localhost:8000",
                                              links=sample.LINKS, now=sample.NOW)),
    }  # fmt: skip


@cache
def hostile() -> dict[str, str]:
    """Return every page with a hostile text wherever a sender may put one."""
    evil = HOSTILE
    actor = ActorView("actor:x", evil, "person", "claimed")
    lines = [dataclasses.replace(each, actor=actor, sentence=evil, outcome=evil, source=evil)
             for each in sample.LINES]  # fmt: skip
    run = type(sample.FINISHED)(
        ref=f"run:{evil}", entries=(7,), name=evil, kind=evil, state="finished", outcome=evil,
        reason=evil, commit=f"commit:{evil}@9fceb02", environment=f"env:{evil}",
        started=At(7, evil, "actor:x"), finished=At(8, evil, None),
        counts={evil: 3, "failed": 1}, warnings=(evil,), problems=((8, evil),),
    )  # fmt: skip
    cases = Page(tuple(
        type(each)(ref=evil, entries=(9,), run=run.ref, test=f"test:{evil}", name=evil,
                   outcome=evil, reason=evil, at=At(9, evil))
        for each in sample.CASES.rows
    ), evil, 5)  # fmt: skip
    release = type(sample.RELEASE)(
        ref=f"release:{evil}", entries=(9,), name=evil, version=evil, title=evil, state=evil,
        author="actor:x", contents=(Piece(f"artifact:{evil}", evil, 9),),
        deliveries=(Delivery(None, f"env:{evil}", evil, At(9, evil)),),
        problems=((9, evil),),
    )  # fmt: skip
    trace = dataclasses.replace(
        sample.TRACE, ref=release.ref, refs=(f"commit:{evil}@abc1234",),
        steps=tuple(dataclasses.replace(each, label=evil, sentence=evil, outcome=evil)
                    for each in sample.STEPS),
        gaps=tuple(dataclasses.replace(each, what=evil, why=evil) for each in sample.GAPS),
    )  # fmt: skip
    board = dataclasses.replace(
        sample.BOARD, lines=lines, running=Page((run,), None, 1),
        sources=[dataclasses.replace(sample.SOURCES[0], source=evil)],
        red=Page((type(sample.RED.rows[0])(ref=f"test:{evil}", name=evil, colour="red"),), None, 1),
    )  # fmt: skip
    opened = dataclasses.replace(
        sample.OPENED, actor=actor, sentence=evil, event={"data": {evil: evil}}, erased=(evil,),
        blobs=(dataclasses.replace(sample.OPENED.blobs[0],
                                   name=msgspec.structs.replace(sample.OPENED.blobs[0].name,
                                                            name=evil)),),
    )  # fmt: skip

    def resolve(_pseudonym: str) -> ActorView:
        return actor

    at = (resolve, sample.LINKS, sample.NOW)

    def made(template: str, view: object) -> str:
        return html(template, theme="", frame=sample.frame(), view=view)

    counted = runs.counts_of(run, {})
    evil_test = type(sample.TEST)(
        ref=f"test:{evil}", name=evil, outcome=evil, colour=evil, problems=((7, evil),),
        runs=(type(sample.TEST.runs[0])(f"run:{evil}", evil, 2, At(7, evil, "actor:x")),),
    )  # fmt: skip
    turned = Turned(test=f"test:{evil}", name=evil, before=evil, after=evil, before_entry=1,
                    after_entry=2)  # fmt: skip
    evil_change = dataclasses.replace(
        sample.RUN_CHANGED, ref=f"run:{evil}",
        run=RunChange(before=f"run:{evil}", after=f"run:{evil}", turned=(turned,),
                      added=(turned,), gone=(turned,), same=0, cut=False,
                      differs=(Differs(what=evil, before=f"commit:{evil}", after=evil),)),
    )  # fmt: skip
    evil_between = Between(
        before=f"commit:{evil}", after=f"commit:{evil}", by=evil, cut=True,
        commits=(CommitBetween(ref=f"commit:{evil}", message=evil, author=evil, entry=3),),
        changes=(ChangeBetween(ref=f"change:{evil}", title=evil, state=evil, entry=4),),
    )  # fmt: skip
    evil_release = ReleaseChange(
        before=f"release:{evil}", after=f"release:{evil}", added=(f"run:{evil}",),
        gone=(f"artifact:{evil}",), same=1, gaps=(Lacks(rule=evil, before=1, after=2),), cut=True,
    )  # fmt: skip
    both = GapChange(before=trace.gaps[0], after=trace.gaps[0])
    evil_gaps = TraceChange(steps=trace.steps, opened=(both,), closed=(both,), reworded=(both,),
                            still=0)  # fmt: skip
    return {
        "now": made("now.html", now.build_now(board, *at)),
        "runs": made("runs.html", runs.build_runs(Page((run,), evil, 1), {}, *at)),
        "run": made("run.html", runs.build_run(run, counted, cases, evil, *at)),
        "test": made("test.html", test_pages.build_test(evil_test, *at)),
        "changed run": made("changed.html", changed.build_changed(
            evil_change, evil, {}, *at)),
        "changed by release": made("changed.html", changed.build_changed(
            dataclasses.replace(evil_change, ref=f"release:{evil}", run=None, between=evil_between,
                                release=evil_release), evil, {}, *at)),
        "changed release": made("changed.html", changed.build_changed(
            dataclasses.replace(evil_change, ref=f"release:{evil}", run=None, trace=evil_gaps),
            evil, {each.index: each for each in lines}, *at)),
        "releases": made("releases.html", releases.build_releases(Page((release,), evil, 1), *at)),
        "release": made("release.html", releases.build_release(release, trace, {}, *at)),
        "entry": made("entry.html", entry.build_entry(opened, sample.SIGNER.vkey, 4712,
                                                      as_hex=True, links=sample.LINKS)),
        "entry with files": made("entry.html", entry.build_entry(
            dataclasses.replace(sample.OPENED, blobs=tuple(
                dataclasses.replace(each, name=msgspec.structs.replace(each.name, name=evil,
                                                                   mediatype=evil))
                for each in sample.OPENED.blobs)),
            sample.SIGNER.vkey, 4712, as_hex=False, links=sample.LINKS, looks=sample.LOOKS)),
        "file": file_page(evil, evil),
        "search": made("search.html", search_sample.hostile(sample.LINKS, evil)),
        "everywhere": made("everywhere.html",
                           search_sample.hostile_everywhere(sample.LINKS, evil)),
        "log": made("log.html", log.build_log(lines, sample.HEALTH, sample.SOURCES,
                                              sample.SIGNER.vkey, before=3, public_url=evil,
                                              links=sample.LINKS, now=sample.NOW)),
        "error": html("error.html", theme="", title="This did not work", message=evil,
                      next_step=evil, code="not_found", code_status=404),
        **account_sample.pages(evil, ""),
    }  # fmt: skip


def around() -> dict[str, str]:
    """Return the pages outside the frame."""
    made = account_sample.pages("bo-dev", "dark")
    made["error"] = html(
        "error.html", theme="", title="Nothing of that name is recorded",
        message="no run run:acme/x is known here", next_step="Go back to now.", code="not_found",
        code_status=404,
    )  # fmt: skip
    return made
