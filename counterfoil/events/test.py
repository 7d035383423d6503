"""Tests: cases and suites that ran, and what they left behind."""

from collections.abc import Mapping

from counterfoil.events.canonical import JSON
from counterfoil.events.kinds import LISTED, EventType, cdevents_type

_TEST = "tests/test_cart.py::test_total"
_RUN = "acme/shop/902"
_COMMIT = ("commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8", "input")
_SURROUNDINGS: Mapping[str, JSON] = {"environment": {"id": "staging"}}
_TRIGGER = "`manual`, `pipeline`, `event`, `schedule` or `other`"
_ENVIRONMENT = {"environment.id": "where it ran; CDEvents demands it, we do not invent it"}
_REFS = {
    "about": "the `test:`, the same over all runs",
    "part-of": "the `run:` it belongs to",
    "environment": "the `env:` it ran in",
    "input": "the `commit:` under test",
}


def _case(
    name: str,
    meaning: str,
    title: str,
    more: Mapping[str, JSON],
    members: Mapping[str, str],
    custom: Mapping[str, JSON] | None = None,
) -> EventType:
    return cdevents_type(
        f"testcaserun.{name}",
        noun="test",
        meaning=meaning,
        title=title,
        row="tests",
        ident="902/41",
        subject="test:" + _TEST,
        content={
            "testCase": {"id": _TEST, "name": "test_total", "type": "unit"},
            "testSuiteRun": {"id": _RUN},
            **_SURROUNDINGS,
            **more,
        },
        named=(("run:" + _RUN, "part-of"), ("test:" + _TEST, "about"), _COMMIT),
        members={
            "testCase.id": "names the test, the same in every run",
            "testCase.name": "the test's name as the report has it",
            "testCase.type": "`performance`, `functional`, `unit`, `security`, `compliance`, "
            "`integration`, `e2e` or `other`",
            "testSuiteRun.id": "the run it belongs to",
            **_ENVIRONMENT,
            **members,
        },
        refs=_REFS,
        custom=custom,
    )


def _suite(
    predicate: str,
    meaning: str,
    title: str,
    more: Mapping[str, JSON],
    members: Mapping[str, str],
    custom: Mapping[str, JSON] | None = None,
) -> EventType:
    return cdevents_type(
        f"testsuiterun.{predicate}.0.3.0",
        noun="test",
        meaning=meaning,
        title=title,
        row="runs",
        ident=_RUN,
        subject="run:" + _RUN,
        content={"testSuite": {"id": "cart", "name": "cart tests"}, **_SURROUNDINGS, **more},
        named=(_COMMIT,),
        members={
            "testSuite.id, testSuite.name": "the suite",
            **_ENVIRONMENT,
            **members,
        },
        refs=_REFS,
        custom=custom,
    )


TYPES = (
    _case(
        "queued.0.3.0",
        "A test case waits for its turn.",
        "queued {thing}[ in {content.environment.id}]",
        {"trigger": {"type": "schedule"}},
        {"trigger.type": _TRIGGER},
    ),
    _case(
        "started.0.3.0",
        "A test case began.",
        "started {thing}[ in {content.environment.id}]",
        {"trigger": {"type": "pipeline"}},
        {"trigger.type": _TRIGGER},
    ),
    _case(
        "finished.0.3.0",
        "One attempt of a test case ended.",
        "ran {thing}[: {result}][ ({content.reason})]",
        {"outcome": "failure", "reason": "AssertionError: 1204 != 1205"},
        {
            "outcome": "`success`, `failure`, `error` or `cancel`",
            "reason": "why, free text",
            "severity": "`low`, `medium`, `high` or `critical`",
            "customData.attempt": "which attempt this is, from 1",
            "customData.attempts": "how many there were",
            "customData.ordinal": "0, or which of several cases of one name this is",
            "customData.final": "false if another attempt followed",
            "customData.duration_s": "how long it took, seconds",
            "customData.message, customData.text": "what the report says, cut, with its SHA-256",
            "customData.duration_ms": "the same in milliseconds, where that is what is known",
            "customData.phases": "setup, call and teardown: `outcome` and `duration_us` of each",
            "customData.result": "`xfailed`, `xpassed`, `xpassed strictly` or `crashed`",
            "customData.also_failed": "what failed in this attempt besides, such as a teardown",
            "customData.type, customData.exceptions": "what was raised, and what it goes back to",
            "customData.parameters, customData.markers": "of the test, as text, cut",
            "customData.output": "printed text by stream: size, SHA-256, and its end if it failed",
            "customData.artifacts": "files the test named, by digest",
            "customData.subtest_of": "the id of the test this is a part of",
            "customData.worker": "which worker ran it",
            "customData.left_out": "members that were left out for want of room",
        },
        {"attempt": 1, "attempts": 1, "final": True, "duration_s": 0.217, "ordinal": 0},
    ),
    _case(
        "skipped.0.2.0",
        "A test case was left out on purpose.",
        "skipped {thing}[ ({content.reason})]",
        {"reason": "needs the payment sandbox"},
        {"reason": "why, free text"},
    ),
    _suite(
        "queued",
        "A run of a test suite waits for its turn.",
        "queued {thing}[ of {content.testSuite.name}]",
        {"trigger": {"type": "pipeline"}},
        {"trigger.type": _TRIGGER},
    ),
    _suite(
        "started",
        "A run of a test suite began.",
        "started {thing}[ of {content.testSuite.name}]",
        {"trigger": {"type": "pipeline"}},
        {
            "trigger.type": _TRIGGER,
            "customData.environment": "Python, platform, plug-ins, digest of the lock file",
            "customData.git": "commit, tree, whether files differ from it and their digest",
            "customData.ci": "what the CI system says of the job",
            "customData.command, customData.selection": "what was asked to run",
        },
    ),
    _suite(
        "finished",
        "A run of a test suite ended; its cases are events of their own.",
        "finished {thing}[: {result}]",
        {"outcome": "failure"},
        {
            "outcome": "`success`, `failure`, `error` or `cancel`; nothing ran: `cancel`",
            "reason": "why, free text",
            "severity": "`low`, `medium`, `high` or `critical`",
            "customData.counts": "`total`, `passed`, `failed`, `error`, `skipped`: final outcomes",
            "customData.retries": "how many attempts were not the last of their case",
            "customData.warnings": "what was odd about the report, or what the tests warned of",
            "customData.planned, customData.not_reported": "how many tests were to run, and how "
            "many of them nobody told of",
            "customData.exit_status": "of the test runner",
            "customData.workers_lost": "workers that died, and why",
        },
        {
            "counts": {"total": 97, "passed": 96, "failed": 1, "error": 0, "skipped": 0},
            "retries": 0,
        },
    ),
    cdevents_type(
        "testoutput.published.0.3.0",
        noun="test",
        meaning="Something a test left behind can be looked at.",
        title="published a test's[ {content.outputType}] output[ ({content.format})]",
        row=LISTED,
        ident="902/41/video",
        subject="run:" + _RUN,
        content={
            "outputType": "video",
            "format": "video/webm",
            "uri": "https://ci.example/acme/shop/902/41/video.webm",
            "testCaseRun": {"id": "902/41"},
        },
        members={
            "outputType": "`report`, `video`, `image`, `log` or `other`",
            "format": "its media type",
            "uri": "where it is",
            "testCaseRun.id": "the test case run it comes from",
        },
    ),
)
