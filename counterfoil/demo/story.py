"""The made-up part: how a release of this project might have gone to production.

The commits and the test run are real; the review, the approvals, the artifact and the deployments
are not.  Everything here has the source `urn:counterfoil:demo` and accounts named after roles.
It has gaps on purpose, for a trace to find: one commit was pushed after the review, the planned
performance run never started, and production had the release before anybody approved it.
"""

import datetime
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from counterfoil.clock import format_time, parse_time
from counterfoil.demo.samples import REPOSITORY
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, make_event

SOURCE = "urn:counterfoil:demo"
RELEASE = "release:counterfoil@0.1.0"
CHANGE = f"change:{REPOSITORY}#1"
APPROVAL = "approval:counterfoil-0.1.0-production"
BUILD = f"run:{REPOSITORY}/build-1"
PERFORMANCE = f"run:{REPOSITORY}/performance-1"

# Nothing was built for the demonstration; the digest is that of this sentence.
ARTIFACT_CONTENT = b"a made-up artifact of the Counterfoil demonstration"
DIGEST = hashlib.sha256(ARTIFACT_CONTENT).hexdigest()
ARTIFACT = f"artifact:sha256:{DIGEST}"
PURL = f"pkg:generic/counterfoil@0.1.0?checksum=sha256:{DIGEST}"

_OWN = "dev.cdeventsx.counterfoil-"
_CDEVENTS = "dev.cdevents."

Refs = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Commit:
    """A real commit of this project: its `commit:` ref and its time, RFC 3339."""

    ref: str
    time: str


def tell(commits: Sequence[Commit], tested: str) -> tuple[Event, ...]:
    """Return the made-up events of release 0.1.0, in the order of time.

    Args:
        commits: the last commits up to and with the one released, oldest first; four at least.
            The last one is what the change became, the three before it were its heads.
        tested: RFC 3339 time at which the last real test run began.
    """
    first, reviewed, late, head = commits[-4:]
    change = _change(first, reviewed, late, head)
    events = [*change, *_release(head, max(tested, head.time))]
    return tuple(sorted(events, key=lambda event: parse_time(event.time)))


def _change(first: Commit, reviewed: Commit, late: Commit, head: Commit) -> Iterable[Event]:
    repository: JSON = {"id": REPOSITORY}
    content: JSON = {"description": "Release 0.1.0", "repository": repository}
    named = [(f"branch:{REPOSITORY}@main", "target"), ("actor:demo:author", "author")]
    author = "demo:author"
    yield _cdevent(
        "change.created.0.4.0", CHANGE, first.time, author,
        [(first.ref, "contains"), *named], content, {"title": "Release 0.1.0"},
    )  # fmt: skip
    yield _cdevent(
        "change.updated.0.3.0", CHANGE, reviewed.time, author,
        [(reviewed.ref, "contains"), *named], content, {"action": "synchronize"},
    )  # fmt: skip
    yield _cdevent(
        "change.reviewed.0.3.0", CHANGE, _between(reviewed.time, late.time), "demo:reviewer",
        [
            (f"review:{REPOSITORY}#1/1", "about"),
            (reviewed.ref, "reviewed"),
            ("actor:demo:reviewer", "reviewer"),
        ],
        content, {"review_state": "approved"},
    )  # fmt: skip
    # The gap: the head moves on, and nobody looks again.
    yield _cdevent(
        "change.updated.0.3.0", CHANGE, late.time, author,
        [(late.ref, "contains"), *named], content, {"action": "synchronize"},
    )  # fmt: skip
    yield _cdevent(
        "change.merged.0.3.0", CHANGE, _later(head.time, 5), author,
        [(late.ref, "contains"), (head.ref, "merged-as"), *named], content,
    )  # fmt: skip


def _release(head: Commit, tested: str) -> Iterable[Event]:
    built = [(head.ref, "input")]
    builder, desk = "demo:builder", "demo:release-desk"
    artifact: JSON = {"artifactId": PURL}
    yield _cdevent("build.started.0.3.0", BUILD, _later(tested, 20), builder, built)
    yield _cdevent(
        "build.finished.0.3.0", BUILD, _later(tested, 65), builder,
        [*built, (ARTIFACT, "output")], artifact, {"conclusion": "success"},
    )  # fmt: skip
    yield _cdevent(
        "artifact.packaged.0.3.0", ARTIFACT, _later(tested, 66), builder,
        [(head.ref, "built-from"), (BUILD, "part-of")], {"change": {"id": f"{REPOSITORY}#1"}},
        {"name": "counterfoil-0.1.0"}, subject_id=PURL,
    )  # fmt: skip
    # The gap: planned, and never heard of again.
    yield _own(
        "run.planned", PERFORMANCE, _later(tested, 70), desk,
        [(head.ref, "input"), ("env:staging", "environment")],
        {"name": "performance tests", "due": _later(tested, 400)},
    )  # fmt: skip
    yield _own(
        "release.published", RELEASE, _later(tested, 80), desk,
        [
            (head.ref, "built-from"),
            (ARTIFACT, "contains"),
            (CHANGE, "contains"),
            ("actor:demo:release-desk", "author"),
        ],
        {"tag": "v0.1.0", "title": "0.1.0", "draft": False, "prerelease": False},
    )  # fmt: skip
    yield from _deployment(1, "qa", head, _later(tested, 100), production=False)
    yield from _deployment(2, "staging", head, _later(tested, 160), production=False)
    asked: list[tuple[str, str]] = [(RELEASE, "approves"), ("env:production", "target")]
    yield _own(
        "approval.requested", APPROVAL, _later(tested, 240), desk, asked,
        {"environment": "production", "reason": "0.1.0 has been in staging"},
    )  # fmt: skip
    yield from _deployment(3, "production", head, _later(tested, 270), production=True)
    # The gap: it is there before anybody has said that it may go.
    yield _own(
        "approval.signed", APPROVAL, _later(tested, 495), "demo:approver", asked,
        {"environment": "production", "reason": "the test run on this commit was read"},
    )  # fmt: skip


def _deployment(
    number: int, environment: str, head: Commit, start: str, *, production: bool
) -> Iterable[Event]:
    subject = f"deployment:{REPOSITORY}/{number}"
    refs = [
        (f"env:{environment}", "deployed-to"),
        (RELEASE, "deploys"),
        (ARTIFACT, "deploys"),
        (head.ref, "deploys"),
    ]
    facts: dict[str, JSON] = {"environment": environment, "production": production}
    deployer = "demo:deployer"
    yield _own("deployment.requested", subject, start, deployer, refs, facts)
    for after_s, state in ((10, "in_progress"), (45, "success")):
        yield _own(
            "deployment.reported", subject, _later(start, after_s), deployer, refs,
            {**facts, "state": state},
        )  # fmt: skip


def _own(
    name: str, subject: str, time: str, account: str, refs: Refs, facts: dict[str, JSON]
) -> Event:
    return _event(f"{_OWN}{name}.0.1.0", subject, time, account, refs, facts)


def _cdevent(
    name: str,
    subject: str,
    time: str,
    account: str,
    refs: Refs,
    content: JSON = None,
    custom: JSON = None,
    subject_id: str | None = None,
) -> Event:
    event_type = _CDEVENTS + name
    data: dict[str, JSON] = {
        "context": {
            "specversion": "0.5.1",
            "id": _id(event_type, subject, time),
            "source": SOURCE,
            "type": event_type,
            "timestamp": time,
        },
        "subject": {
            "id": subject_id or subject.partition(":")[2],
            "source": SOURCE,
            "content": content or {},
        },
    }
    if custom is not None:
        data |= {"customData": custom, "customDataContentType": "application/json"}
    return _event(event_type, subject, time, account, refs, data)


def _event(
    event_type: str, subject: str, time: str, account: str, refs: Refs, data: dict[str, JSON]
) -> Event:
    return make_event(
        type=event_type,
        source=SOURCE,
        id=_id(event_type, subject, time),
        time=time,
        authtype="service_account" if account in {"demo:builder", "demo:deployer"} else "user",
        authid=account,
        subject=subject,
        refs=refs,
        data=data,
    )


def _id(event_type: str, subject: str, time: str) -> str:
    digest = hashlib.sha256(f"{event_type}\n{subject}\n{time}".encode()).hexdigest()
    return f"story/{digest[:24]}"


def _later(time: str, seconds: int) -> str:
    return format_time(parse_time(time) + datetime.timedelta(seconds=seconds))


def _between(earlier: str, later: str) -> str:
    start, end = parse_time(earlier), parse_time(later)
    return format_time(start + (end - start) / 2)
