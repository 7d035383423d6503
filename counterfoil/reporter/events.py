"""Events of a test run as canonical JSON, numbered, each within its limit of size.

The shape is that of `sources.junit`: what reads a report's cases reads these too.  Whatever is
too long is cut by what says least: printed text, then the traceback, then everything that is not
the outcome.

Source: CDEvents 0.5.1 `testsuiterun` and `testcaserun` 0.3.0; docs/events.md.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from counterfoil.clock import Clock, format_time
from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.events.event import EVENT_BYTES_MAX

SOURCE: Final = "urn:counterfoil:pytest"
SUITE_STARTED: Final = "dev.cdevents.testsuiterun.started.0.3.0"
SUITE_FINISHED: Final = "dev.cdevents.testsuiterun.finished.0.3.0"
CASE_STARTED: Final = "dev.cdevents.testcaserun.started.0.3.0"
CASE_FINISHED: Final = "dev.cdevents.testcaserun.finished.0.3.0"
CASE_SKIPPED: Final = "dev.cdevents.testcaserun.skipped.0.2.0"
PLANNED: Final = "dev.cdeventsx.counterfoil-run.planned.0.1.0"
CDEVENTS_VERSION: Final = "0.5.1"

PLAN_PART_BYTES: Final = 40 * 1024
# The server measures the event; what it adds itself is small.
EVENT_BYTES: Final = EVENT_BYTES_MAX - 1_024

# What stands for a value, and for a number within a text, while the rest of an event is written:
# no name, path or address holds a NUL.
_PLACE: Final = "\0value"
_NUMBER: Final = "\0number"
_PLACES: Final = re.compile(rb'"\\u0000value"|\\u0000number')

# Members of customData that go first when there is no room, and those that go next.
_BULK: Final = ("output", "text", "parameters", "properties", "artifacts")
_REST: Final = (
    "also_failed",
    "message",
    "exceptions",
    "markers",
    "environment",
    "warnings",
    "command",
)


@dataclass(slots=True, kw_only=True)
class Run:
    """One run as one process speaks of it; makes its events.

    Attributes:
        ref: the `run:` ref, the same in all processes of the run.
        source: the CloudEvents source.
        producer, boot: who numbers the events; `boot` is another one in each process.
        authtype, authid: who runs it.
        name: what the run is called.
        commit: ref of the commit under test.
        environment: where it runs, if somebody said so.
        seq: the number of the next event.
    """

    ref: str
    source: str
    producer: str
    boot: str
    authtype: str
    authid: str
    name: str
    commit: str | None
    environment: str | None
    clock: Clock
    seq: int = 0
    _around: list[JSON] = field(default_factory=list)
    _frames: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.environment:
            self._around.append({"ref": f"env:{self.environment}", "role": "environment"})
        if self.commit:
            self._around.append({"ref": self.commit, "role": "input"})

    def suite(
        self,
        kind: str,
        content: Mapping[str, JSON],
        custom: Mapping[str, JSON],
        refs: Sequence[tuple[str, str]] = (),
    ) -> bytes:
        """Return an event about the run itself."""
        named: dict[str, JSON] = {"testSuite": {"id": self.name, "name": self.name}, **content}
        more: list[JSON] = [{"ref": ref, "role": role} for ref, role in refs]
        return self._cdevent(kind, self.ref, self.ref[4:], named, dict(custom), more)

    def case(self, kind: str, test: str, content: dict[str, JSON], custom: JSON) -> bytes:
        """Return an event about one test; `test` is the id of its ref."""
        content["testSuiteRun"] = {"id": self.ref[4:], "source": self.source}
        if self.environment:
            content["environment"] = {"id": self.environment}
        frame = self._frames.get(kind)
        if frame is None:
            frame = self._frames[kind] = self._frame(kind)
        number = b"%d" % self.seq
        self.seq += 1
        about = _canonical("test:" + test)
        time = b'"%b"' % format_time(self.clock.now()).encode()
        # In the order of the places: canonical JSON sorts its members.
        held = (
            number, time, _canonical(custom), about, _canonical(content), number, number, number,
            about, time,
        )  # fmt: skip
        return bounded(frame % held)

    def _frame(self, kind: str) -> bytes:
        """Return an event about a test with a place for all that differs from test to test.

        Filling them in costs half of making each event from nothing, and gives the same bytes.
        """
        refs: list[JSON] = [{"ref": self.ref, "role": "part-of"}, {"ref": _PLACE, "role": "about"}]
        data = self._data(kind, f"{self.boot}/{_NUMBER}", _NUMBER, _PLACE, _PLACE, refs)
        data["customData"] = _PLACE
        data["customDataContentType"] = "application/json"
        event = self._event(kind, _PLACE, _NUMBER, _PLACE, data)
        event["seq"] = _PLACE
        parts = _PLACES.split(_canonical(event))
        return b"%b".join(part.replace(b"%", b"%%") for part in parts)

    def planned(self, data: Mapping[str, JSON]) -> bytes:
        """Return one part of the plan."""
        body: dict[str, JSON] = {"name": self.name, **data}
        if self._around:
            body["refs"] = self._around
        return self._write(PLANNED, self.ref, format_time(self.clock.now()), body)

    def _cdevent(
        self,
        kind: str,
        subject: str,
        subject_id: str,
        content: dict[str, JSON],
        custom: JSON,
        refs: list[JSON],
    ) -> bytes:
        time = format_time(self.clock.now())
        if self.environment:
            content["environment"] = {"id": self.environment}
        data = self._data(kind, subject_id, self.seq, time, content, refs)
        if custom:
            data["customData"] = custom
            data["customDataContentType"] = "application/json"
        return self._write(kind, subject, time, data)

    def _data(
        self, kind: str, subject_id: str, number: int | str, time: str, content: JSON,
        refs: list[JSON],
    ) -> dict[str, JSON]:  # fmt: skip
        return {
            "context": {
                "specversion": CDEVENTS_VERSION,
                "id": self._id(number),
                "source": self.source,
                "type": kind,
                "timestamp": time,
            },
            "subject": {"id": subject_id, "source": self.source, "content": content},
            "refs": refs + self._around,
        }

    def _id(self, number: int | str) -> str:
        return f"pytest/{self.boot}/{number}"

    def _write(self, kind: str, subject: str, time: str, data: JSON) -> bytes:
        event = self._event(kind, subject, self.seq, time, data)
        self.seq += 1
        return bounded(_canonical(event))

    def _event(
        self, kind: str, subject: str, number: int | str, time: str, data: JSON
    ) -> dict[str, JSON]:
        return {
            "specversion": "1.0",
            "id": self._id(number),
            "source": self.source,
            "type": kind,
            "time": time,
            "authtype": self.authtype,
            "authid": self.authid,
            "subject": subject,
            "producer": self.producer,
            "boot": self.boot,
            "seq": number,
            "data": data,
        }


def _canonical(event: JSON) -> bytes:
    """Return the RFC 8785 form, four times as fast as `canonical.write` for what is made here.

    Here stand no fractions and no integers beyond 2^53-1, and member names are ASCII: then the
    forms differ only where a string is not ASCII.
    """
    try:
        data = msgspec.json.encode(event, order="sorted")
    except UnicodeEncodeError:
        return canonical.write(event)
    return data if data.isascii() else canonical.write(event)


def bounded(event: bytes) -> bytes:
    """Return an event that fits, cut where it says least if it did not."""
    for names in (_BULK, _REST):
        if len(event) <= EVENT_BYTES:
            break
        event = _without(event, names)
    return event


def slim(event: bytes) -> bytes | None:
    """Return what to keep of an event when the disk is full: outcomes, not intents or texts."""
    if b'"type":"' + CASE_STARTED.encode() in event:
        return None
    return _without(event, (*_BULK, *_REST))


def plan(run: Run, tests: Sequence[str], digest: str, emit: Callable[[bytes], None]) -> None:
    """Emit the planned tests: as many events as they need, each with a part of the ids."""
    parts: list[list[JSON]] = [[]]
    room = PLAN_PART_BYTES
    for test in tests:
        size_bytes = len(test.encode("utf-8")) + 3
        if size_bytes > room:
            parts.append([])
            room = PLAN_PART_BYTES
        parts[-1].append(test)
        room -= size_bytes
    for place, part in enumerate(parts, 1):
        emit(
            run.planned(
                {
                    "planned": len(tests),
                    "tests": part,
                    "part": place,
                    "parts": len(parts),
                    "digest": digest,
                }
            )
        )


def _without(event: bytes, names: Sequence[str]) -> bytes:
    value = json.loads(event)
    custom = value["data"].get("customData")
    if not isinstance(custom, dict):
        return event
    left_out = [name for name in names if custom.pop(name, None) is not None]
    if not left_out:
        return event
    custom["left_out"] = sorted({*custom.get("left_out", []), *left_out})
    return canonical.write(value)
