"""Sending what spools still hold, whoever takes it in: a server over HTTP, or the server itself.

What must hold, whatever happens in between: a record leaves its spool only after somebody has
answered for it, or after it lies in `refused/` with the problem that was named.  If we crash,
records are sent again and answered as duplicates.

    NAME.spool       written by a producer; read here, removed when all of it is answered for
    NAME.sent        how far it is: {"offset", "records", "index_last"}
    refused/NAME-POSITION.json   {"problem": {...}, "event": {...}}
    push.lock        held by whoever is sending

A spool whose writer is gone without an end mark began something nobody saw the end of: after its
records, one `run.lost` event says so for each such run.
"""

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from counterfoil.client import system
from counterfoil.client.lost import lost_events
from counterfoil.client.spool import SUFFIX, Header, Record, Spool, read_spool
from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError

BATCH_EVENTS_MAX: Final = 1_000
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024 - 65_536
SENT_SUFFIX: Final = ".sent"
REFUSED: Final = "refused"
_LOCK = "push.lock"

# What is wrong with events, not with who sends them or where: these take a record out.
_BLAMES_EVENTS = frozenset(
    {
        "json_broken", "json_duplicate_member", "json_number", "json_surrogate", "json_depth",
        "attribute_missing", "attribute_invalid", "actor_missing", "server_attribute",
        "ref_invalid", "blob_invalid", "event_too_large", "entry_too_large", "batch_too_large",
        "body_too_large", "id_conflict", "erased",
    }
)  # fmt: skip

Deliver = Callable[[Sequence[bytes], Header], Sequence[Mapping[str, Any]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """A record that was taken out: its file in `refused/`, and the problem."""

    file: str
    code: str
    detail: str


@dataclasses.dataclass(slots=True)
class PushResult:
    """What became of the spools of a folder.

    Attributes:
        recorded, duplicate: how many records were answered so.
        refused: the records that were taken out.
        reports: how many test reports were sent besides.
        lost: how many runs nobody saw the end of.
        dropped: how many events producers say they could not keep.
        waiting: how many records are still there.
        torn: spools with a line that is not what was written: what is wrong, by name.
        stuck: spools that nobody takes as they are: the refusal, by name.
        stopped: why sending ended early: everything is kept.
    """

    recorded: int = 0
    duplicate: int = 0
    refused: list[Refused] = dataclasses.field(default_factory=list)
    reports: int = 0
    lost: int = 0
    dropped: int = 0
    waiting: int = 0
    torn: dict[str, str] = dataclasses.field(default_factory=dict)
    stuck: dict[str, RequestError] = dataclasses.field(default_factory=dict)
    stopped: UnavailableError | EvidenceError | None = None


@dataclasses.dataclass(slots=True)
class _Sent:
    """How far a spool is sent."""

    offset: int = 0
    records: int = 0
    index_last: int | None = None


def push(
    folder: Path, deliver: Deliver, *, skip: Collection[str] = (), wait_s: float = 0.0
) -> PushResult:
    """Send what the spools in `folder` hold, oldest name first, as far as it is taken.

    Args:
        folder: where the spools are; absent is empty.
        deliver: takes a batch of at most 1,000 events and 4 MiB, all or nothing, and returns
            their answers in order.  A RequestError with the fact `position` takes that record
            out; without one that blames an event it leaves the whole spool where it is.
        skip: names of spools to leave alone.
        wait_s: how long to wait for somebody else who is sending from here.

    Raises:
        UnavailableError: `locked` if somebody else still is, `read_only` if the folder takes
            no writes.

    Cost: one pass over what is not sent yet.
    """
    result = PushResult()
    if not folder.is_dir():
        return result
    with _alone(folder, wait_s):
        for sent in folder.glob("*" + SENT_SUFFIX):
            if not sent.with_suffix(SUFFIX).exists():
                sent.unlink(missing_ok=True)
        for path in sorted(folder.glob("*" + SUFFIX)):
            if path.name in skip:
                continue
            try:
                _push_one(path, deliver, result)
            except RequestError as error:
                # Removed by its own writer just now, who had its answer from the server.
                if path.exists():
                    result.stuck[path.name] = error
            except (UnavailableError, EvidenceError) as error:
                result.stopped = error
                break
        result.waiting = waiting(folder)
    return result


def waiting(folder: Path) -> int:
    """Return how many records in `folder` nobody has answered for."""
    count = 0
    for path in folder.glob("*" + SUFFIX):
        with contextlib.suppress(RequestError):
            sent = _read_sent(path)
            count += len(read_spool(path, sent.offset, position=sent.records).records)
    return count


def forget(path: Path) -> None:
    """Remove a spool all of whose records are answered for."""
    path.unlink(missing_ok=True)
    path.with_suffix(SENT_SUFFIX).unlink(missing_ok=True)


def _push_one(path: Path, deliver: Deliver, result: PushResult) -> None:
    sent = _read_sent(path)
    while True:
        spool = read_spool(path, sent.offset, position=sent.records, limit=BATCH_EVENTS_MAX)
        if not spool.records:
            break
        for batch in _batches(spool.records):
            index = _send(path, spool.header, batch, deliver, result)
            sent = _Sent(
                batch[-1].end_offset,
                batch[-1].position + 1,
                sent.index_last if index is None else index,
            )
            _write(path.with_suffix(SENT_SUFFIX), dataclasses.asdict(sent))
        result.dropped += sum(gap.count for gap in spool.gaps)
    if spool.torn is not None and not _is_cut_off(path, spool):
        result.torn[path.name] = spool.torn
    elif not spool.live:
        if not spool.ended:
            events = lost_events(_payloads(path))
            records = [Record(sent.records + n, 0, event) for n, event in enumerate(events)]
            _send(path, spool.header, records, deliver, result)
            result.lost += len(records)
        forget(path)


def _batches(records: Sequence[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size_bytes = 0
    for record in records:
        if batch and size_bytes + len(record.payload) + 1 > BATCH_BYTES_MAX:
            yield batch
            batch, size_bytes = [], 0
        batch.append(record)
        size_bytes += len(record.payload) + 1
    yield batch


def _send(
    path: Path, header: Header, records: Sequence[Record], deliver: Deliver, result: PushResult
) -> int | None:
    """Send one batch without what is refused of it; return the last index it got."""
    left = list(records)
    while left:
        try:
            answers = deliver([record.payload for record in left], header)
        except RequestError as error:
            position = error.facts.get("position")
            if isinstance(position, int) and 0 <= position < len(left):
                _refuse(path, left.pop(position), error, result)
            elif error.code not in _BLAMES_EVENTS:
                raise
            elif len(left) == 1:
                _refuse(path, left.pop(), error, result)
            else:
                half = len(left) // 2
                first = _send(path, header, left[:half], deliver, result)
                second = _send(path, header, left[half:], deliver, result)
                return first if second is None else second
            continue
        duplicates = sum(answer["status"] == "duplicate" for answer in answers)
        result.duplicate += duplicates
        result.recorded += len(answers) - duplicates
        return max((int(answer["index"]) for answer in answers), default=None)
    return None


def _refuse(path: Path, record: Record, error: RequestError, result: PushResult) -> None:
    """Put a record with its problem into `refused/`, durably, before it counts as dealt with."""
    name = f"{path.stem}-{record.position}.json"
    problem = {"code": error.code, "detail": error.message, **error.facts}
    try:
        event = json.loads(record.payload)
    except (ValueError, RecursionError):
        event = record.payload.decode("utf-8", "replace")
    _write(path.parent / REFUSED / name, {"problem": problem, "event": event})
    result.refused.append(Refused(name, error.code, error.message))


def _payloads(path: Path) -> Iterator[bytes]:
    """Yield every good record of a spool from its beginning."""
    offset = position = 0
    while True:
        spool = read_spool(path, offset, position=position, limit=BATCH_EVENTS_MAX)
        if not spool.records:
            return
        yield from (record.payload for record in spool.records)
        offset, position = spool.records[-1].end_offset, spool.records[-1].position + 1


def _is_cut_off(path: Path, spool: Spool) -> bool:
    """Say whether all that is wrong is a last line whose end was never written."""
    with path.open("rb") as file:
        file.seek(spool.end_offset)
        return not spool.live and b"\n" not in file.read()


def _read_sent(path: Path) -> _Sent:
    try:
        value = json.loads(path.with_suffix(SENT_SUFFIX).read_bytes())
    except (OSError, ValueError, RecursionError):
        value = None
    match value:
        case {"offset": int(offset), "records": int(records), "index_last": int() | None as last}:
            return _Sent(offset, records, last)
        case _:
            return _Sent()  # from the beginning: what was sent is answered as a duplicate


def _write(path: Path, value: object) -> None:
    """Write JSON, whole or not at all; durable on return.

    Raises:
        UnavailableError: `read_only`.
    """
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        system.write_whole(path, json.dumps(value, indent=1).encode())
    except OSError as error:
        raise _read_only(path.parent, error) from error


@contextlib.contextmanager
def _alone(folder: Path, wait_s: float) -> Iterator[None]:
    """Hold the folder's lock: of two who send at once, one would undo the other's marks."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | system.OPEN_FLAGS, 0o600)
    except OSError as error:
        raise _read_only(folder, error) from error
    try:
        give_up = time.monotonic() + wait_s
        while not system.try_lock(lock):
            if time.monotonic() >= give_up:
                raise UnavailableError(
                    "locked", f"somebody else is sending from {folder}; try again"
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(lock)


def _read_only(folder: Path, error: OSError) -> CounterfoilError:
    return UnavailableError("read_only", f"{folder} takes no writes: {error.strerror or error}")
