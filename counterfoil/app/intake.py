"""Outside bytes on their way in: kept as a blob, read by a source, recorded.

The same for HTTP, the command line and the demo.  Bytes in memory that nothing can be read from
are refused and not kept; streamed ones go after a day, as every blob that no event names.  Bytes
are kept before they are recorded, so an event that names them never names what is not there.

Sending the same bytes again gives the same entries, also where another release read them
(`app.again`).  Where a payload states no time, the time of
receipt stands in for it; a repeat takes the one that was recorded the first time, also when the
two came at once.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from counterfoil.app import linking
from counterfoil.app.again import delivered, reported
from counterfoil.app.home import Home
from counterfoil.app.posted import Answer
from counterfoil.app.record import EVENTS_PER_APPEND
from counterfoil.clock import format_time
from counterfoil.errors import RequestError
from counterfoil.events.entry import read_entry
from counterfoil.events.event import TIME_UNCLAIMED, Event
from counterfoil.events.naming import BlobName
from counterfoil.events.refs import parse_ref
from counterfoil.ids import local_account
from counterfoil.policy.access import Credential
from counterfoil.sources import cdevents, github, junit
from counterfoil.stores.state import WebhookSource

REPORT_SOURCE = "urn:counterfoil:report"
CDEVENTS = "cdevents"

T = TypeVar("T")


class ReportOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a sender may say about a report besides its bytes.

    Attributes:
        run: ref of the run; "" names it after the report's digest.
        commit: ref of the commit under test, or its hexadecimal name alone.
        environment: where the tests ran.
        name: what to call the run.
        allow_empty: "true": a report without tests is recorded as such.
    """

    run: str = ""
    commit: str = ""
    environment: str = ""
    name: str = ""
    allow_empty: str = ""


class ReportAnswer(msgspec.Struct, frozen=True):
    """What became of a report.

    Attributes:
        run: ref of the run.
        counts: cases by outcome, as the report tells them.
        warnings: what was odd about the report.
        answers: one per record, cases first, the run last.
    """

    run: str
    counts: dict[str, int]
    warnings: tuple[str, ...]
    answers: list[Answer]

    def to_json(self) -> dict[str, object]:
        """Return the answer as `POST /v1/reports` prints it."""
        return {
            "run": self.run,
            "counts": self.counts,
            "warnings": list(self.warnings),
            "entries": [answer.to_json() for answer in self.answers],
        }


class _Warning(msgspec.Struct):
    message: str


def account_of(credential: Credential) -> tuple[str, str]:
    """Return (authtype, authid) of whoever holds a credential and claims nobody else.

    A person at this machine's command line is known by the name the machine has for them.
    """
    match credential.kind:
        case "local":
            return "user", local_account()
        case "session":
            return "user", credential.handle
        case "token":
            return "api_key", credential.handle
        case _:
            return "system", credential.handle


class Report:
    """A kept report that was read whole and can be recorded; memory does not grow with it.

    Attributes:
        run, counts, warnings: as in `ReportAnswer`.
    """

    def __init__(
        self, home: Home, project: str, blob: BlobName, options: ReportOptions,
        credential: Credential, via: str,
    ) -> None:  # fmt: skip
        """Read the report; see `report` for what may be refused."""
        home.require_project(project)
        home.access.require(credential, "report", project)
        self._home, self._project, self._blob = home, project, blob
        self._options, self._credential, self._via = options, credential, via
        totals = junit.scan_report(
            home.blobs.read(blob.digest), allow_empty=options.allow_empty == "true"
        )
        self._totals = totals
        last = junit.run_event(totals, self._context(format_time(home.clock.now())))
        self._last = last
        self.run = last.subject or ""
        self.counts = _custom(last, "counts", dict[str, int])
        self.warnings = tuple(one.message for one in _custom(last, "warnings", list[_Warning]))

    def record(self) -> Iterator[list[Answer]]:
        """Record the cases in order and the run last; yield the answers part by part.

        Each part is all or nothing.

        Raises:
            RequestError: the fact `recorded` says how many records stand by then.
        """
        # The run is recorded last: where it stands, all of the report does.
        is_whole = reported(self._home, self._project, [self._last]) != [None]
        events = self._events()
        recorded = 0
        while part := list(itertools.islice(events, EVENTS_PER_APPEND)):
            if is_whole:
                # What only today's reader sees in it was not recorded then, and is not now.
                known = reported(self._home, self._project, part)
                part = [
                    event for event, index in zip(part, known, strict=True) if index is not None
                ]
            try:
                answers = self._record_part(part)
            except RequestError as error:
                error.facts["recorded"] = recorded
                raise
            recorded += len(answers)
            yield answers

    def _record_part(self, part: list[Event]) -> list[Answer]:
        """Record a part; what another release made of these bytes stands as it is."""
        recorder = self._home.recorder
        try:
            return recorder.record(self._project, part, self._credential, self._via)
        except RequestError as error:
            if error.code != "id_conflict":
                raise
            known = reported(self._home, self._project, part)
            if all(index is None for index in known):
                raise
        answers: list[Answer] = []
        for event, index in zip(part, known, strict=True):
            if index is None:
                answers += recorder.record(self._project, [event], self._credential, self._via)
            else:
                answers += recorder.recall(self._project, [index], self._credential)
        return answers

    def _events(self) -> Iterator[Event]:
        now = format_time(self._home.clock.now())
        if self._totals.time is not None:
            return self._read(now)
        # The report states no time at all, so receipt time stands in for every record's.
        before = _time_of(self._home, self._project, next(self._read(now)))
        return self._read(before or now)

    def _read(self, time: str) -> Iterator[Event]:
        pieces = self._home.blobs.read(self._blob.digest)
        return junit.report_events(pieces, self._context(time), self._totals)

    def _context(self, time: str) -> junit.ReportContext:
        options = self._options
        authtype, authid = account_of(self._credential)
        return junit.ReportContext(
            run=_run_ref(options.run),
            source=REPORT_SOURCE,
            time=time,
            authtype=authtype,
            authid=authid,
            commit=_commit_ref(options.commit),
            environment=options.environment or None,
            blob=self._blob,
            name=options.name,
            allow_empty=options.allow_empty == "true",
        )


def report_blob(digest: str, options: ReportOptions) -> BlobName:
    """Return how the run's event names the bytes of its report."""
    return BlobName(digest, f"{options.name or 'report'}.xml", "application/xml")


def report(
    home: Home, project: str, content: bytes, options: ReportOptions, credential: Credential,
    via: str,
) -> ReportAnswer:  # fmt: skip
    """Record a test report that is in memory: one entry a case, one for the run.

    Raises:
        RequestError: the codes of `sources.junit`, `ref_invalid`, `not_allowed`.  Nothing was
            recorded, unless the fact `recorded` says how many cases were.
    """
    home.require_project(project)
    home.access.require(credential, "report", project)
    junit.scan_report([content], allow_empty=options.allow_empty == "true")
    blob = report_blob(home.blobs.put(project, content).digest, options)
    found = Report(home, project, blob, options, credential, via)
    answers = [answer for part in found.record() for answer in part]
    return ReportAnswer(found.run, found.counts, found.warnings, answers)


def webhook(
    home: Home, name: str, headers: Mapping[str, str], body: bytes, credential: Credential,
    project: str = "default",
) -> list[Answer]:  # fmt: skip
    """Record a delivery of a vendor.

    Args:
        home: the ledger.
        name: the source's name in the address; `cdevents` is there without being set up.
        headers: of the request, names in lower case.
        body: the raw bytes: what the signature is over.
        credential: who asks, `ANONYMOUS` where the vendor's signature is the credential.
        project: where deliveries go whose source was not set up for a project of its own.

    Raises:
        RequestError: `source_unknown`, `webhook_signature`, `webhook_payload`, `not_allowed`.
    """
    known = require_sender(home, name, headers, credential, project)
    if known is not None and known.kind == "github":
        project = known.project
        github.check_signature(known.secrets, body, headers.get("x-hub-signature-256"))
        credential = Credential(f"webhook:{name}", "webhook", name)
        return _github(home, project, headers, body, credential)
    return _cdevents(home, known.project if known else project, headers, body, credential)


def require_sender(
    home: Home, name: str, headers: Mapping[str, str], credential: Credential, project: str
) -> WebhookSource | None:
    """Refuse a delivery that no body could make good, so that nobody has to read one.

    The arguments are those of `webhook`.

    Returns:
        The source as it was set up; None for `cdevents`, which is there by itself.

    Raises:
        RequestError: `source_unknown`, `webhook_signature` where none came, `not_allowed`.
    """
    known = home.state.webhook_source(name)
    kind = known.kind if known else CDEVENTS if name == CDEVENTS else ""
    if kind == CDEVENTS:
        home.access.require(credential, "webhook", known.project if known else project)
    elif kind == "github":
        github.require_signature(headers.get("x-hub-signature-256"))
    else:
        raise RequestError(
            "source_unknown",
            f"no webhook source {name[:63]!r}; set it up: counterfoil admin sources add NAME"
            " --kind github",
        )
    return known


def _github(
    home: Home, project: str, headers: Mapping[str, str], body: bytes, credential: Credential
) -> list[Answer]:
    event, delivery = headers.get("x-github-event", ""), headers.get("x-github-delivery", "")
    if not event or not delivery:
        raise RequestError(
            "webhook_payload", "X-GitHub-Event or X-GitHub-Delivery is absent; is this GitHub?"
        )
    if "json" not in headers.get("content-type", ""):
        raise RequestError(
            "content_type", "set the webhook's content type to application/json and redeliver"
        )
    blob = _name(body, f"{event[:60]}.json", "application/json")

    def read(time: str) -> tuple[Event, ...]:
        return github.parse_delivery(
            event, delivery, body, source=f"urn:counterfoil:{credential.id}", received=time,
            credential=credential.id, blob=blob,
        )  # fmt: skip

    answers = _record(home, project, read, (blob, body), credential, "webhook")[1]
    # After the entry, so that a link names what it rests on; `linking` says what a crash leaves.
    if (found := github.find_link(event, body)) is not None:
        linking.finish(home, found, credential, project, answers[0].index)
    return answers


def _cdevents(
    home: Home, project: str, headers: Mapping[str, str], body: bytes, credential: Credential
) -> list[Answer]:
    blob = _name(body, "cdevent.json", "application/json")
    _, authid = account_of(credential)

    def read(time: str) -> tuple[Event, ...]:
        return cdevents.parse_cdevents(
            headers, body, source_default=f"urn:counterfoil:{credential.id}", received=time,
            credential=authid, blob=blob,
        )  # fmt: skip

    # In the binary form, attributes stand in headers.
    is_all = not any(name.startswith("ce-") for name in headers)
    return _record(home, project, read, (blob, body), credential, "webhook", is_all=is_all)[1]


def _name(content: bytes, name: str, mediatype: str) -> BlobName:
    """Name bytes that are not kept yet."""
    return BlobName(f"sha256:{hashlib.sha256(content).hexdigest()}", name, mediatype)


def _record(
    home: Home, project: str, read: Callable[[str], Sequence[Event]],
    evidence: tuple[BlobName, bytes], credential: Credential, via: str, *, is_all: bool = True,
) -> tuple[Sequence[Event], list[Answer]]:  # fmt: skip
    """Read a payload, keep its bytes, record its events.

    `is_all` says that everything the sender said is in those bytes, none of it in headers.
    """
    events = _as_before(home, project, read)
    blob, content = evidence
    before = delivered(home, project, events, blob.digest) if is_all else []
    if before and before != [home.log.find(project, one.source, one.id) for one in events]:
        return events, home.recorder.recall(project, before, credential)
    home.recorder.put_blob(content, blob.name, blob.mediatype, project)
    try:
        return events, home.recorder.record(project, events, credential, via)
    except RequestError as error:
        if error.code != "id_conflict":
            raise
    # Another release read them otherwise, or the same bytes came twice at once and the others
    # were first.  What was made of them then stands.
    before = delivered(home, project, events, blob.digest) if is_all else []
    if before:
        return events, home.recorder.recall(project, before, credential)
    events = _as_before(home, project, read)
    return events, home.recorder.record(project, events, credential, via)


def _as_before(home: Home, project: str, read: Callable[[str], Sequence[Event]]) -> Sequence[Event]:
    """Read a payload; where receipt time stands in and it was recorded before, use that time."""
    now = format_time(home.clock.now())
    events = read(now)
    for event in events:
        if event.extra.items() >= TIME_UNCLAIMED.items():
            before = _time_of(home, project, event)
            return events if before is None else read(before)
    return events


def _time_of(home: Home, project: str, event: Event) -> str | None:
    """Return the time an event of that source and id was recorded with, if it was."""
    index = home.log.find(project, event.source, event.id)
    if index is None:
        return None
    [entry] = home.log.entries(project, index, index + 1)
    return read_entry(entry).time


def _custom(event: Event, name: str, kind: type[T]) -> T:
    """Return a member of `customData` that a source of ours has just put there."""
    assert isinstance(event.data, dict)
    custom = event.data["customData"]
    assert isinstance(custom, dict)
    return msgspec.convert(custom[name], kind)


def _run_ref(text: str) -> str | None:
    if not text:
        return None
    ref = parse_ref(text)
    if ref.kind != "run":
        raise RequestError(
            "ref_invalid", f"{text[:80]!a} is no run; name it such as run:acme/shop/7"
        )
    return str(ref)


def _commit_ref(text: str) -> str | None:
    if not text:
        return None
    return str(parse_ref(text if text.startswith("commit:") else f"commit:{text}"))
