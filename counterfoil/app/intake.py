"""Outside bytes on their way in: kept as a blob, read by a source, recorded.

The same for HTTP, the command line and the demo.  Bytes that nothing can be read from are refused
and not kept.  The others are kept before they are recorded, so an event that names them never
names what is not there; if we crash in between, an unreferenced blob stays and harms nothing.

Sending the same bytes again gives the same entries.  Where a payload states no time, the time of
receipt stands in for it; a repeat takes the one that was recorded the first time, also when the
two came at once.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from counterfoil.app.home import Home
from counterfoil.app.record import Answer
from counterfoil.clock import format_time
from counterfoil.errors import RequestError
from counterfoil.events.entry import read_entry
from counterfoil.events.event import TIME_UNCLAIMED, BlobName, Event
from counterfoil.events.refs import parse_ref
from counterfoil.ids import local_account
from counterfoil.policy.access import Credential, decide
from counterfoil.sources import cdevents, github, junit

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


def report(
    home: Home, project: str, content: bytes, options: ReportOptions, credential: Credential,
    via: str,
) -> ReportAnswer:  # fmt: skip
    """Record a test report: one entry a case, one for the run.

    Raises:
        RequestError: the codes of `sources.junit`, `ref_invalid`, `not_allowed`.  Nothing was
            recorded, unless the fact `recorded` says how many cases were.
    """
    home.require_project(project)
    _require(credential, "report", project)
    blob = _name(content, f"{options.name or 'report'}.xml", "application/xml")
    authtype, authid = account_of(credential)

    def read(time: str) -> tuple[Event, ...]:
        context = junit.ReportContext(
            run=_run_ref(options.run),
            source=REPORT_SOURCE,
            time=time,
            authtype=authtype,
            authid=authid,
            commit=_commit_ref(options.commit),
            environment=options.environment or None,
            blob=blob,
            name=options.name,
            allow_empty=options.allow_empty == "true",
        )
        return junit.parse_junit(content, context)

    events, answers = _record(home, project, read, (blob, content), credential, via)
    return ReportAnswer(
        run=events[-1].subject or "",
        counts=_custom(events[-1], "counts", dict[str, int]),
        warnings=tuple(one.message for one in _custom(events[-1], "warnings", list[_Warning])),
        answers=answers,
    )


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
    known = home.state.webhook_source(name)
    kind = known.kind if known else CDEVENTS if name == CDEVENTS else ""
    project = known.project if known else project
    if kind == "github" and known is not None:
        github.check_signature(known.secrets, body, headers.get("x-hub-signature-256"))
        credential = Credential(f"webhook:{name}", "webhook", name)
        return _github(home, project, headers, body, credential)
    if kind == CDEVENTS:
        _require(credential, "webhook", project)
        return _cdevents(home, project, headers, body, credential)
    raise RequestError(
        "source_unknown",
        f"no webhook source {name[:63]!r}; set it up: counterfoil admin sources add NAME --kind github",
    )


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

    return _record(home, project, read, (blob, body), credential, "webhook")[1]


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

    return _record(home, project, read, (blob, body), credential, "webhook")[1]


def _name(content: bytes, name: str, mediatype: str) -> BlobName:
    """Name bytes that are not kept yet."""
    return BlobName(f"sha256:{hashlib.sha256(content).hexdigest()}", name, mediatype)


def _record(
    home: Home, project: str, read: Callable[[str], Sequence[Event]],
    evidence: tuple[BlobName, bytes], credential: Credential, via: str,
) -> tuple[Sequence[Event], list[Answer]]:  # fmt: skip
    """Read a payload, keep its bytes, record its events."""
    events = _as_before(home, project, read)
    blob, content = evidence
    home.recorder.put_blob(content, blob.name, blob.mediatype)
    try:
        return events, home.recorder.record(project, events, credential, via)
    except RequestError as error:
        if error.code != "id_conflict":
            raise
    # The same bytes may have come twice at once, and the others were first: their time stands.
    events = _as_before(home, project, read)
    return events, home.recorder.record(project, events, credential, via)


def _as_before(home: Home, project: str, read: Callable[[str], Sequence[Event]]) -> Sequence[Event]:
    """Read a payload; where receipt time stands in and it was recorded before, use that time."""
    now = format_time(home.clock.now())
    events = read(now)
    for event in events:
        if event.extra.items() >= TIME_UNCLAIMED.items():
            index = home.log.find(project, event.source, event.id)
            if index is None:
                return events
            [entry] = home.log.entries(project, index, index + 1)
            return read(read_entry(entry).time)
    return events


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


def _require(credential: Credential, verb: str, project: str) -> None:
    decision = decide(credential, verb, project)
    if not decision.allowed:
        code = "token_missing" if credential.kind == "anonymous" else "not_allowed"
        raise RequestError(code, "; ".join(decision.reasons))
