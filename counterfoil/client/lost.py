"""Runs nobody saw the end of, read out of the spool their process left behind.

The events made here follow from the spool alone, their time included: whoever makes them again
makes the same bytes, and a second delivery is a duplicate.
"""

import json
from collections.abc import Iterable
from typing import Any

LOST = "dev.cdeventsx.counterfoil-run.lost.0.1.0"
REASON = "its spool ends without an end mark"
_TYPES = "dev.cdevents."
_RUNS = ("testsuiterun.", "taskrun.")
_PLANNED = "dev.cdeventsx.counterfoil-run.planned."


class _Run:
    """One run as far as its spool tells of it."""

    def __init__(self, event: dict[str, Any], *, is_suite: bool) -> None:
        self.event = event
        self.is_suite = is_suite
        self.planned: int | None = None
        self.reported: set[str] = set()
        self.last: str | None = None


def lost_events(payloads: Iterable[bytes]) -> list[bytes]:
    """Return a `run.lost` event for each run that a spool begins and does not end.

    Args:
        payloads: every event of the spool, from its beginning.

    Cost: reads each event once; keeps the names of the tests.
    """
    runs: dict[str, _Run] = {}
    latest: dict[str, Any] = {}
    for payload in payloads:
        event = _read(payload)
        if event is None:
            continue
        latest = event
        _take(runs, event)
    return [_event(number, run, str(latest["time"])) for number, run in enumerate(runs.values())]


def _read(payload: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    needed = [event.get(name) for name in ("type", "source", "id", "time")]
    told = [*needed, event.get("subject", ""), event.get("boot", "")]
    # Printable: no half of a surrogate pair, which nothing could be written with.
    return event if all(isinstance(one, str) and one.isprintable() for one in told) else None


def _take(runs: dict[str, _Run], event: dict[str, Any]) -> None:
    kind, subject = event["type"], event.get("subject")
    predicate = kind.removeprefix(_TYPES)
    if predicate.startswith(_RUNS) and isinstance(subject, str):
        noun, _, rest = predicate.partition(".")
        if rest.startswith("started."):
            runs[subject] = _Run(event, is_suite=noun == "testsuiterun")
        elif rest.startswith("finished."):
            runs.pop(subject, None)
    elif kind.startswith(_PLANNED) and subject in runs:
        planned = _dig(event, "planned")
        if type(planned) is int and 0 <= planned < 2**53:
            runs[subject].planned = planned
    elif predicate.startswith("testcaserun."):
        _take_case(runs, event, predicate.partition(".")[2])


def _take_case(runs: dict[str, _Run], event: dict[str, Any], rest: str) -> None:
    refs = _dig(event, "refs")
    named = [one for one in refs if isinstance(one, dict)] if isinstance(refs, list) else []
    names = [event.get("subject"), *(one.get("ref") for one in named)]
    said = [one for one in names if isinstance(one, str) and one.isprintable()]
    run = next((runs[one] for one in said if one in runs), None)
    test = next((one for one in said if one.startswith("test:")), None)
    if run is None or test is None:
        return
    if rest.startswith("started."):
        run.last = test
    else:
        run.reported.add(test)


def _event(number: int, run: _Run, time: str) -> bytes:
    started = run.event
    data: dict[str, Any] = {"reason": REASON}
    if run.is_suite:
        data["reported"] = len(run.reported)
    if run.planned is not None:
        data["planned"] = run.planned
    if run.last is not None:
        data["last"] = run.last
    event = {
        "specversion": "1.0",
        "id": f"lost/{started.get('boot', '')}/{number}"[:100] + f"/{started['id']}"[-90:],
        "source": started["source"],
        "type": LOST,
        "time": time,
        "authtype": "system",
        "authid": "counterfoil:push",
        "subject": started["subject"],
        "data": data,
    }
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _dig(event: dict[str, Any], name: str) -> Any:  # noqa: ANN401  any JSON
    data = event.get("data")
    return data.get(name) if isinstance(data, dict) else None
