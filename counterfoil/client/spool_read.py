"""Reading spool files: what is good in them, what is torn, and whether their writer lives.

The format is told in `client.spool`.  A file that is cut or altered gives every line before that,
and never one after it.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeGuard

from counterfoil.client import system
from counterfoil.errors import RequestError

VERSION: Final = 1
PAYLOAD_BYTES_MAX: Final = 65_536
HASH_LENGTH: Final = 64
FIRST: Final = "0" * HASH_LENGTH

TEXT_LENGTH_MAX: Final = 500
COUNT_MAX: Final = 2**53
_END: Final = "end"
_LINE_BYTES_MAX: Final = HASH_LENGTH + 1 + PAYLOAD_BYTES_MAX + 1
_HEADER_BYTES_MAX: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of a spool file.

    Attributes:
        producer, boot: who numbers the events in it.
        project: the log they are for.
        via: how they came about, "pytest" or "cli".
        origin: the origin of the log they are for; None where the writer did not know it.
        created: when the file was begun, RFC 3339.
    """

    producer: str
    boot: str
    project: str
    via: str
    origin: str | None
    created: str


@dataclass(frozen=True, slots=True)
class Record:
    """One event of a spool.

    Attributes:
        position: its 0-based place among the events of the file; marks are not counted.
        end_offset: where its line ends, in bytes: read on from here.
        payload: the event as canonical JSON.
    """

    position: int
    end_offset: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Events the writer could not keep: `count` of them, before the event at `position`."""

    position: int
    count: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spool:
    """What was read of one spool file.

    Attributes:
        records: the good events from the offset that was asked for.
        gaps: what the writer says it could not keep, from there on.
        end_offset: where the last good line ends, marks included.
        ended: the writer closed it: nothing follows.
        torn: what is wrong with the line at `end_offset`, or None: it is cut, altered, or a mark
            that no writer makes, which anybody who may write the file can give a good hash.
        live: the writer still holds it.
    """

    header: Header
    records: tuple[Record, ...]
    gaps: tuple[Gap, ...]
    end_offset: int
    ended: bool
    torn: str | None
    live: bool


def read_spool(
    path: Path, offset: int = 0, *, position: int = 0, limit: int | None = None
) -> Spool:
    """Read one spool file, which may be growing.

    Args:
        path: the file.
        offset: an `end_offset` to read on from; 0 for the beginning.
        position: how many events stand before `offset`.
        limit: read at most so many events.

    Raises:
        RequestError: `spool_invalid` if it is no spool this version reads or `offset` is within
            a line, `file_unreadable`.

    Cost: one pass over the rest of the file, or of `limit` events.
    """
    try:
        with path.open("rb") as file:
            # First the lock, then the bytes: a writer that is gone by now writes no more.
            live = _is_locked(file.fileno())
            file.seek(0)
            line = file.readline(_HEADER_BYTES_MAX)
            header = _read_header(path, line)
            before = _hash_before(path, file, len(line), offset)
            start = max(offset, len(line))
            return _read_lines(
                file, header, before, start, position=position, limit=limit, live=live
            )
    except OSError as error:
        raise RequestError("file_unreadable", f"{path}: {error.strerror or error}") from error


def check_origin(header: Header, origin: str) -> None:
    """Refuse a spool that says it is for another log than the one of `origin`.

    Raises:
        RequestError: `spool_foreign`.
    """
    if header.origin is not None and header.origin != origin:
        raise RequestError(
            "spool_foreign",
            f"the spool {header.producer}-{header.boot} is for {header.origin[:100]}, this log is"
            f" {origin[:100]}; push it where it belongs",
        )


def _read_lines(
    file: BinaryIO,
    header: Header,
    before: str,
    start: int,
    *,
    position: int,
    limit: int | None,
    live: bool,
) -> Spool:
    records: list[Record] = []
    gaps: list[Gap] = []
    end, ended, torn = start, False, None
    file.seek(start)
    while limit is None or len(records) < limit:
        line = file.readline(_LINE_BYTES_MAX)
        if not line:
            break
        digest, payload = line[:HASH_LENGTH], line[HASH_LENGTH + 1 : -1]
        if not line.endswith(b"\n"):
            # A living writer is in the middle of it.
            if not live or len(line) == _LINE_BYTES_MAX:
                torn = f"the line at byte {end} is cut"
            break
        if digest.decode("latin-1") != hashlib.sha256(before.encode() + payload).hexdigest():
            torn = f"the line at byte {end} is not what was written"
            break
        is_mark = _is_mark(payload)
        mark = _read_mark(payload, position) if is_mark else None
        if is_mark and mark is None:
            torn = f"the mark at byte {end} is none that this version writes"
            break
        before, end = digest.decode(), end + len(line)
        if mark is None:
            records.append(Record(position, end, payload))
            position += 1
        elif isinstance(mark, Gap):
            gaps.append(mark)
        else:
            ended = True
            break
    return Spool(
        header=header, records=tuple(records), gaps=tuple(gaps), end_offset=end, ended=ended,
        torn=torn, live=live,
    )  # fmt: skip


def _is_mark(payload: bytes) -> bool:
    # An event may have an attribute of that name, but never lacks a specversion.
    return b'"mark":' in payload[:40] and b'"specversion":' not in payload


def _read_mark(payload: bytes, position: int) -> Gap | Literal["end"] | None:
    """Read a mark; None for one that no writer of this version makes, whoever gave it its hash."""
    match _read_json(payload):
        case {"mark": "end"}:
            return _END
        case {"mark": "gap", "count": int(count), "reason": str(reason)} if (
            count is not True and 0 < count < COUNT_MAX and _is_text(reason)
        ):
            return Gap(position, count, reason)
        case _:
            return None


def _read_json(line: bytes) -> object:
    """Return JSON of any shape; None for what is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_text(value: object) -> TypeGuard[str]:
    """Say whether it is text that can be shown and sent: no control characters, no surrogates."""
    return isinstance(value, str) and value.isprintable() and len(value) <= TEXT_LENGTH_MAX


def _read_header(path: Path, line: bytes) -> Header:
    value = _read_json(line)
    if not isinstance(value, dict) or "counterfoil-spool" not in value:
        raise RequestError("spool_invalid", f"{path} is no spool: it has no header")
    version = value["counterfoil-spool"]
    if type(version) is not int or version != VERSION:
        raise RequestError(
            "spool_invalid",
            f"{path} is a spool of version {str(version)[:20]!a}; this program reads {VERSION}:"
            " push it with the version that wrote it",
        )
    texts = [
        one
        for name in ("producer", "boot", "project", "via", "created")
        if _is_text(one := value.get(name)) and one
    ]
    origin = value.get("origin")
    if len(texts) != 5 or not (origin is None or _is_text(origin)):
        raise RequestError("spool_invalid", f"{path} has a header this version cannot read")
    producer, boot, project, via, created = texts
    return Header(
        producer=producer, boot=boot, project=project, via=via, origin=origin, created=created
    )


def _hash_before(path: Path, file: BinaryIO, header_size: int, offset: int) -> str:
    """Return the hash the line at `offset` goes on from."""
    if offset <= header_size:
        return FIRST
    if offset > os.fstat(file.fileno()).st_size:
        raise RequestError("spool_invalid", f"{path} has no line that ends at byte {offset}")
    start = max(header_size, offset - _LINE_BYTES_MAX)
    file.seek(start)
    data = file.read(offset - start)
    if len(data) != offset - start or not data.endswith(b"\n"):
        raise RequestError("spool_invalid", f"{path} has no line that ends at byte {offset}")
    line = data[data.rfind(b"\n", 0, -1) + 1 :]
    return line[:HASH_LENGTH].decode("latin-1")


def _is_locked(file: int) -> bool:
    if not system.try_lock(file, shared=True):
        return True
    system.unlock(file)
    return False
