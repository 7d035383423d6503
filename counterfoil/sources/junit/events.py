"""Test cases -> CDEvents: one `testcaserun` per attempt of a case, one `testsuiterun` per report.

Ids follow from the run, the report's digest and the case's place in it, and times come from the
report if it states any: the same file sent again is the same events, word for word.
Source: CDEvents 0.5.1 `testcaserun.finished` 0.3.0, `testcaserun.skipped` 0.2.0,
`testsuiterun.finished` 0.3.0.  CDEvents demands an environment; where nobody named one we leave
it out instead of inventing it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, make_event
from counterfoil.events.naming import BlobName
from counterfoil.events.refs import safe_id
from counterfoil.sources.junit.cases import Case, Result, Totals
from counterfoil.sources.junit.dialect import read_report
from counterfoil.sources.junit.reader import Text

FINISHED = "dev.cdevents.testcaserun.finished.0.3.0"
SKIPPED = "dev.cdevents.testcaserun.skipped.0.2.0"
SUITE_FINISHED = "dev.cdevents.testsuiterun.finished.0.3.0"

MESSAGE_BYTES = 1_000
TEXT_BYTES = 8_000
NAME_BYTES = 500
PROPERTIES_BYTES = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContext:
    """What the caller knows about a report and the report does not.

    Attributes:
        run: ref of the run it belongs to; None makes one from the report's digest.
        source: the events' CloudEvents source.
        time: RFC 3339; used only where the report states no time of its own.
        authtype, authid: who handed it in.
        commit: ref of the commit under test, if known.
        environment: name of the environment, if known.
        blob: the raw report as kept.
        name: what to call the run, "" for the report's own name.
        allow_empty: a report without a single case is recorded as a run in which nothing ran.
    """

    run: str | None
    source: str
    time: str
    authtype: str
    authid: str
    commit: str | None
    environment: str | None
    blob: BlobName
    name: str = ""
    allow_empty: bool = False

    @property
    def run_ref(self) -> str:
        """The run's ref; without one, the report's digest names the run."""
        return self.run or f"run:report-{self.blob.digest.rpartition(':')[2][:16]}"


def scan_report(chunks: Iterable[bytes], *, allow_empty: bool = False) -> Totals:
    """Read a whole report for what it amounts to; nothing is to be recorded before this returns.

    Raises:
        RequestError: report_empty, report_unknown, report_doctype, report_limit,
            report_not_xml, report_truncated.
    """
    collected: list[Totals] = []
    for _case in read_report(chunks, collected, allow_empty=allow_empty):
        pass
    [totals] = collected
    return totals


def report_events(
    chunks: Iterable[bytes], context: ReportContext, totals: Totals
) -> Iterator[Event]:
    """Yield the events of a report: cases in the order of the report, the run last.

    Args:
        chunks: the report once more, in pieces of any size; memory does not grow with it.
        context: what the report does not say.
        totals: of the same bytes, from `scan_report`.
    """
    for case in read_report(chunks, allow_empty=context.allow_empty):
        for attempt in range(len(case.attempts)):
            yield _case_event(case, attempt, context, totals.time)
    yield run_event(totals, context)


def parse_junit(data: bytes, context: ReportContext) -> tuple[Event, ...]:
    """Return the events of a report that is in memory; see `report_events`.

    Raises:
        RequestError: those of `scan_report`; then nothing is to be recorded.
    """
    totals = scan_report([data], allow_empty=context.allow_empty)
    return tuple(report_events([data], context, totals))


def test_ref(case: Case) -> str:
    """Return the test's ref: suites, class and name; the same in every run that has them.

    A suite that only repeats the class adds nothing and is left out.  Further cases of one name
    are told apart by a number, so that a pass can never stand in for a failure beside it.
    """
    suites = [name for name in case.suites if name != case.classname]
    parts = [*suites, case.classname, case.name]
    name = safe_id("/".join(part for part in parts if part) or "unnamed", 400)
    return f"test:{name}#{case.ordinal + 1}" if case.ordinal else f"test:{name}"


def _case_event(case: Case, attempt: int, context: ReportContext, start: str | None) -> Event:
    outcome, result = case.attempts[attempt]
    event_type = SKIPPED if outcome == "skipped" else FINISHED
    test, run = test_ref(case), context.run_ref
    event_id = _id(run, context.blob.digest, *case.suites, "", case.classname, case.name)
    event_id = f"{event_id}/{case.ordinal}/{attempt}"
    content: dict[str, JSON] = {
        "testCase": {"id": test.removeprefix("test:"), "name": _cut(case.name, NAME_BYTES)},
        "testSuiteRun": {"id": run.removeprefix("run:"), "source": context.source},
    }
    if outcome != "skipped":
        content["outcome"] = outcome
    if result is not None and (reason := _reason(result)):
        content["reason"] = reason
    return _event(
        event_type,
        context,
        id=event_id,
        time=case.time or start,
        subject=test,
        subject_id=event_id,
        content=content,
        custom=_case_facts(case, attempt, result),
        refs=[(run, "part-of"), (test, "about")],
    )


def _case_facts(case: Case, attempt: int, result: Result | None) -> dict[str, JSON]:
    """Return what CDEvents has no member for."""
    facts: dict[str, JSON | None] = {
        "classname": _cut(case.classname, NAME_BYTES) or None,
        "suite": [_cut(name, NAME_BYTES) for name in case.suites[-8:]] or None,
        "file": _cut(case.file, NAME_BYTES) if case.file else None,
        "line": case.line,
        "duration_s": case.duration_s,
        "started": case.time,
        "started_zone": None if case.time is None else ("stated" if case.zoned else "assumed UTC"),
        "ordinal": case.ordinal,
        "attempt": attempt + 1,
        "attempts": len(case.attempts),
        "final": attempt == len(case.attempts) - 1,
        "type": _cut(result.type, NAME_BYTES) if result and result.type else None,
        "message": _text(result.message, MESSAGE_BYTES) if result else None,
        "text": _text(result.text, TEXT_BYTES) if result else None,
        "results": [one.kind for one in case.results] if len(case.results) > 1 else None,
        "system-out": _text(case.stdout, 0),
        "system-err": _text(case.stderr, 0),
        "properties": _properties(case),
    }
    return {name: value for name, value in facts.items() if value is not None}


def run_event(totals: Totals, context: ReportContext) -> Event:
    """Return the event of the run as a whole."""
    run = context.run_ref
    name = _cut(context.name or totals.name or "test run", NAME_BYTES)
    counts = {
        "total": totals.size,
        "passed": totals.outcomes["success"],
        "failed": totals.outcomes["failure"],
        "error": totals.outcomes["error"],
        "skipped": totals.outcomes["skipped"],
    }
    content: dict[str, JSON] = {
        "outcome": _run_outcome(counts),
        "testSuite": {"id": safe_id(name), "name": name},
    }
    if counts["skipped"] == counts["total"]:
        content["reason"] = "every case was skipped" if totals.size else "it holds no test case"
    custom: dict[str, JSON] = {
        "counts": dict(counts),
        "retries": totals.retries,
        "duration_s": round(totals.duration_s, 6),
        "report": context.blob.digest,
        "warnings": [
            {"code": one.code, "message": _cut(one.message, NAME_BYTES), "line": one.line}
            for one in totals.warnings
        ],
        "warning_counts": dict(sorted(totals.warning_counts.items())),
    }
    return _event(
        SUITE_FINISHED,
        context,
        id=_id(run, context.blob.digest) + "/run",
        time=totals.time,
        subject=run,
        subject_id=run.removeprefix("run:"),
        content=content,
        custom=custom,
        refs=[],
        blobs=[context.blob],
    )


def _run_outcome(counts: dict[str, int]) -> str:
    """Return the CDEvents outcome; a run in which nothing ran is not a success."""
    if counts["failed"]:
        return "failure"
    if counts["error"]:
        return "error"
    return "success" if counts["passed"] else "cancel"


def _event(
    event_type: str,
    context: ReportContext,
    *,
    id: str,  # noqa: A002  the attribute's name
    time: str | None,
    subject: str,
    subject_id: str,
    content: dict[str, JSON],
    custom: dict[str, JSON],
    refs: list[tuple[str, str]],
    blobs: list[BlobName] | None = None,
) -> Event:
    if context.environment:
        content = {**content, "environment": {"id": context.environment}}
        refs = [*refs, ("env:" + safe_id(context.environment), "environment")]
    if context.commit:
        refs = [*refs, (context.commit, "input")]
    when = time or context.time
    data: dict[str, JSON] = {
        "context": {
            "specversion": "0.5.1",
            "id": id,
            "source": context.source,
            "type": event_type,
            "timestamp": when,
        },
        "subject": {"id": subject_id, "source": context.source, "content": content},
        "customData": custom,
        "customDataContentType": "application/json",
    }
    return make_event(
        type=event_type,
        source=context.source,
        id=id,
        time=when,
        authtype=context.authtype,
        authid=context.authid,
        subject=subject,
        refs=refs,
        blobs=blobs or [],
        data=data,
        time_claimed=time is not None,
    )


def _id(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return "junit/" + digest.hexdigest()[:32]


def _reason(result: Result) -> str:
    """Return the first line a person would read: the message, else the text's first line."""
    stated = result.message.kept if result.message else ""
    first = next((line for line in (stated or result.text.kept).splitlines() if line.strip()), "")
    return _cut(first.strip(), NAME_BYTES)


def _text(text: Text | None, kept_bytes: int) -> JSON:
    """Return a text as an event holds it: its beginning, and what identifies the whole."""
    if text is None or not text.size_bytes:
        return None
    facts: dict[str, JSON] = {"size_bytes": text.size_bytes, "sha256": text.sha256}
    return {"kept": _cut(text.kept, kept_bytes), **facts} if kept_bytes else facts


def _properties(case: Case) -> JSON:
    kept: list[JSON] = []
    room = PROPERTIES_BYTES
    for name, value in case.properties:
        room -= len(name.encode()) + len(value.encode()) + 8
        if room < 0:
            break
        kept.append([name, value])
    return kept or None


def _cut(text: str, size_bytes: int) -> str:
    """Return the beginning of `text`, at most `size_bytes` of UTF-8, cut at a character."""
    data = text.encode()
    return text if len(data) <= size_bytes else data[:size_bytes].decode(errors="ignore")
