"""Decoders of what waits on a producer's disk, crosses to a worker, or comes from a server."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from counterfoil.app.backup_manifest import parse_manifest
from counterfoil.app.wire import Frames, HandOver, Place, frame, read_from_worker, read_to_worker
from counterfoil.client import exchange, http, kept_reports, live, lost, post, push
from counterfoil.client.redact import read_key
from counterfoil.client.spool import SpoolWriter
from counterfoil.client.spool_read import check_origin, read_spool
from counterfoil.clock import SteppedClock
from counterfoil.errors import MESSAGE_LENGTH_MAX
from tests.fuzz.decoder import Decoder
from tests.fuzz.samples import as_bytes, golden
from tests.ledger_place import make_item


def _as_file(read: Callable[[Path], object], data: bytes, name: str = "a.spool") -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        read(path)


def _read_spool(path: Path) -> None:
    whole = read_spool(path)
    assert not whole.live
    check_origin(whole.header, "log.example/acme")
    # Read on from the middle it is the same as read at once.
    if whole.records:
        half = whole.records[len(whole.records) // 2]
        rest = read_spool(path, half.end_offset, position=half.position + 1)
        assert rest.records == whole.records[half.position + 1 :]
    lost.lost_events(one.payload for one in whole.records)


def _spool(data: bytes) -> None:
    _as_file(_read_spool, data)


def _lost(data: bytes) -> None:
    for made in lost.lost_events(data.split(b"\n")):
        json.loads(made)


def _kept_report(data: bytes) -> None:
    _as_file(kept_reports.read_report, data)


def _sent(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.spool"
        path.with_suffix(push.SENT_SUFFIX).write_bytes(data)
        sent = push._read_sent(path)
        assert sent.offset >= 0
        assert sent.records >= 0


def _session(data: bytes) -> None:
    _as_file(lambda path: exchange._read_session(path, 1_700_000_000.0), data)


def _exchanged(data: bytes) -> None:
    token, lasts_s = exchange._read_answer(data, "https://foil.example")
    assert token
    assert lasts_s >= 0


def _key(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "key").write_bytes(data)
        assert len(read_key(folder)) == 32


def _posted(data: bytes) -> None:
    status, body = post._read_answer(data)
    assert status >= 0
    assert len(body) <= len(data)


def _problem(data: bytes) -> None:
    error = http._problem(500, data)
    assert error.message.isprintable()
    assert len(error.message) <= MESSAGE_LENGTH_MAX


def _live(data: bytes) -> None:
    for line in live.entries(data.splitlines(keepends=True)):
        assert isinstance(line["index"], int)


def _frames(data: bytes) -> None:
    frames = Frames()
    for at in range(0, len(data), 7):
        for message in frames.feed(data[at : at + 7]):
            _message(message)


def _message(data: bytes) -> None:
    for read in (read_from_worker, read_to_worker):
        try:
            found = read(data)
        except msgspec.MsgspecError:
            continue
        [again] = Frames().feed(frame(found))
        assert read(again) == found


def _written_spool() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        spool = SpoolWriter(
            Path(folder), producer="ci-7", boot="b1", project="default", via="pytest",
            origin="log.example/acme", clock=SteppedClock(), slim=None,
        )  # fmt: skip
        for one in golden()[20:60:8]:
            spool.append(as_bytes(one["event"]))
        spool.close()
        return spool.path.read_bytes()


_FRAMES = b"".join(
    frame(message)
    for message in (
        HandOver(3, b"x" * 30),
        Place(2, "default", 1, "token:1", [make_item("one", blobs=2)], [5]),
    )
)
_RUNS = b"\n".join(
    as_bytes(one["event"])
    for one in golden()
    if "testsuiterun.started" in str(one["event"]) or "testcaserun" in str(one["event"])
)


def _manifest(data: bytes) -> None:
    digest = hashlib.sha256(data).hexdigest().encode()
    manifest = parse_manifest(data, digest, "backup")
    for one in manifest.files:
        assert (Path("backup") / one.path).resolve().is_relative_to(Path("backup").resolve())


_MANIFEST = (
    b'{"format":"counterfoil-backup/1","stamp":"20261120T120000000Z","taken":'
    b'"2026-11-20T12:00:00.000Z","version":"0.1.0","logs":[{"project":"default","origin":'
    b'"log.example/acme","size":1,"root":"' + b"ab" * 32 + b'","checkpoint":""}],"files":'
    b'[{"path":"ledger.db","size_bytes":7,"sha256":"' + b"cd" * 32 + b'"}]}'
)

DECODERS = (
    Decoder(name="manifests of backups", read=_manifest, of=(parse_manifest,), seeds=(_MANIFEST,)),
    Decoder(name="spools", read=_spool, of=(read_spool, check_origin), seeds=(_written_spool(),)),
    Decoder(name="runs that were lost", read=_lost, of=(lost.lost_events,), seeds=(_RUNS,)),
    Decoder(
        name="reports that are kept",
        read=_kept_report,
        of=(kept_reports.read_report,),
        seeds=(b'{"counterfoil-report":1,"project":"default","query":{"run":"run:a"}}\n<x/>',),
    ),
    Decoder(
        name="what was sent of a spool",
        read=_sent,
        of=(push._read_sent,),
        seeds=(b'{"offset": 12, "records": 1, "index_last": 7}', b'{"offset":0,"records":0}'),
    ),
    Decoder(
        name="sessions that are kept",
        read=_session,
        of=(exchange._read_session,),
        seeds=(b'{"token": "cf_x", "until_s": 1800000000}',),
    ),
    Decoder(
        name="answers to an exchange",
        read=_exchanged,
        of=(exchange._read_answer,),
        seeds=(b'{"access_token": "cf_x", "expires_in": 900}',),
    ),
    Decoder(name="keys of digests", read=_key, of=(read_key,), seeds=(bytes(32),)),
    Decoder(
        name="answers to a post",
        read=_posted,
        of=(post._read_answer,),
        seeds=(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}",),
        errors=(ValueError,),
    ),
    Decoder(
        name="problems a server names",
        read=_problem,
        of=(http._problem,),
        seeds=(b'{"code": "busy", "detail": "the queue is full", "retry": 3, "status": 503}',),
    ),
    Decoder(
        name="live lines",
        read=_live,
        of=(live.entries,),
        seeds=(b'id: 7\nevent: entry\ndata: {"index": 7}\n\n: hello\n\n',),
    ),
    Decoder(
        name="frames between processes",
        read=_frames,
        of=(Frames.feed, read_from_worker, read_to_worker),
        seeds=(_FRAMES,),
        errors=(ValueError, msgspec.MsgspecError),
    ),
)
