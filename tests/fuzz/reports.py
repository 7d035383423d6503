"""Decoders of test reports: the XML itself, its dialects, the events that are made of it."""

import hashlib
from collections.abc import Mapping

from counterfoil.events.naming import BlobName
from counterfoil.sources.junit import ReportContext, decode, parse_junit
from counterfoil.sources.junit.dialect import read_report
from counterfoil.sources.junit.events import scan_report
from counterfoil.sources.junit.reader import read_xml
from counterfoil.sources.junit.values import parse_duration, parse_timestamp
from tests.fuzz.decoder import Decoder
from tests.fuzz.samples import CAPTURED, VECTORS, as_text, read_all

_REPORTS = (
    *read_all(VECTORS / "reports" / "made-here", "*.xml"),
    *(one for one in read_all(VECTORS / "reports", "*.xml", every=7) if len(one) < 20_000),
    *read_all(CAPTURED / "reports", "*.xml", every=6)[:3],
)


def _report(data: bytes) -> None:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    context = ReportContext(
        run=None,
        source="https://ci.example/acme/shop",
        time="2026-11-20T12:00:00.000Z",
        authtype="service_account",
        authid="ci.example:acme/shop",
        commit=None,
        environment="qa",
        blob=BlobName(digest, "junit.xml", "application/xml"),
    )
    for event in parse_junit(data, context):
        event.to_json()


def _in_pieces(data: bytes) -> None:
    size = data[0] + 1 if data else 1
    body = data[1:]
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    # However the bytes are cut, they amount to the same.
    assert scan_report(pieces, allow_empty=True) == scan_report([body], allow_empty=True)
    assert len(list(read_report(pieces, allow_empty=True))) <= len(body)


class _Counting:
    """A listener that counts what opens and closes."""

    def __init__(self) -> None:
        self.open = 0

    def start(self, name: str, attributes: Mapping[str, str], depth: int, line: int) -> None:
        del name, attributes, line
        self.open += 1
        assert self.open == depth

    def end(self, name: str, depth: int, line: int) -> None:
        del name, line
        assert self.open == depth
        self.open -= 1

    def text(self, piece: str) -> None:
        piece.encode()

    def warn(self, code: str, message: str, line: int) -> None:
        del line
        assert code
        assert "\n" not in message

    def progress(self) -> str:
        return "somewhere"


def _xml(data: bytes) -> None:
    counting = _Counting()
    for _ in read_xml([data], counting):
        pass
    assert counting.open == 0


def _clean(data: bytes) -> None:
    decoder, whole = decode.Decoder(), b""
    for at in range(0, len(data), 100):
        whole += decoder.feed(data[at : at + 100])
    whole += decoder.feed(b"", final=True)
    whole.decode()


def _duration(data: bytes) -> None:
    found = parse_duration(as_text(data))
    assert found is None or 0 <= found < float("inf")


def _timestamp(data: bytes) -> None:
    found, _ = parse_timestamp(as_text(data))
    assert found is None or found.endswith("Z")


DECODERS = (
    Decoder(name="JUnit reports", read=_report, of=(parse_junit,), seeds=_REPORTS),
    Decoder(
        name="JUnit reports in pieces",
        read=_in_pieces,
        of=(scan_report, read_report),
        seeds=tuple(b"\6" + one for one in _REPORTS),
    ),
    Decoder(name="XML", read=_xml, of=(read_xml,), seeds=_REPORTS),
    Decoder(name="encodings", read=_clean, of=(decode.Decoder.feed,), seeds=_REPORTS),
    Decoder(
        name="durations",
        read=_duration,
        of=(parse_duration,),
        seeds=(b"1.5", b"1,234.5", b"00:01:02.5", b"1e3", b"PT1M2S"),
    ),
    Decoder(
        name="times of reports",
        read=_timestamp,
        of=(parse_timestamp,),
        seeds=(
            b"2026-11-20T12:00:00",
            b"2026-11-20T12:00:00+01:00",
            b"1700000000",
            b"Nov 20, 2026",
        ),
    ),
)
