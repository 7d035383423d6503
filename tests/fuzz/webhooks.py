"""Decoders of what other systems send: GitHub deliveries, CDEvents, git logs."""

import hashlib
import hmac

from counterfoil.events.naming import BlobName
from counterfoil.sources.cdevents import parse_cdevents
from counterfoil.sources.git import parse_log
from counterfoil.sources.github import parse_delivery
from counterfoil.sources.github.signature import check_signature
from tests.fuzz.decoder import Decoder
from tests.fuzz.samples import CAPTURED, VECTORS, as_text, read_all

_DELIVERIES = sorted((CAPTURED / "github").glob("*.json"))
_NAMES = sorted({path.name.partition(".")[0] for path in _DELIVERIES} | {"issue_comment", "odd"})
_RECEIVED = "2026-11-20T12:00:00.000Z"
_HEADERS = (
    {"Content-Type": "application/json"},
    {"Content-Type": "application/cloudevents+json"},
    {"Content-Type": "application/cloudevents-batch+json"},
    {
        "Content-Type": "application/json",
        "ce-id": "1",
        "ce-source": "urn:x",
        "ce-type": "dev.cdevents.build.started.0.3.0",
        "ce-specversion": "1.0",
    },
)


def _delivery(data: bytes) -> None:
    name, body = _NAMES[data[0] % len(_NAMES)] if data else "push", data[1:]
    for event in parse_delivery(
        name,
        "d-1",
        body,
        source="urn:counterfoil:webhook:ci",
        received=_RECEIVED,
        credential="webhook:ci",
        blob=_blob(body),
    ):
        event.to_json()


def _cdevents(data: bytes) -> None:
    headers, body = _HEADERS[data[0] % len(_HEADERS)] if data else _HEADERS[0], data[1:]
    for event in parse_cdevents(
        headers,
        body,
        source_default="urn:counterfoil:webhook:ci",
        credential="token:ci",
        received=_RECEIVED,
        blob=_blob(body),
    ):
        event.to_json()


def _git_log(data: bytes) -> None:
    for event in parse_log(
        data, "acme/shop", source="urn:counterfoil:git", authtype="user", authid="local:ana"
    ):
        event.to_json()


def _signature(data: bytes) -> None:
    check_signature([b"secret"], b"{}", as_text(data))


def _blob(body: bytes) -> BlobName:
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    return BlobName(digest, "delivery.json", "application/json")


def _git_record(subject: bytes) -> bytes:
    return b"\x1f".join(
        (
            b"a" * 40, b"c" * 40, b"b" * 40, b"2026-11-20T13:00:00+01:00",
            b"2026-11-20T12:30:00+00:00", b"Ana@shop.example", b"bo@shop.example", subject,
        )
    )  # fmt: skip


DECODERS = (
    Decoder(
        name="GitHub deliveries",
        read=_delivery,
        of=(parse_delivery,),
        seeds=(
            *(
                bytes([_NAMES.index(path.name.partition(".")[0])]) + path.read_bytes()
                for path in _DELIVERIES
            ),
            *(
                bytes([_NAMES.index("issue_comment")]) + one
                for one in read_all(VECTORS / "webhooks" / "github", "*.json")
            ),
        ),
    ),
    Decoder(
        name="CDEvents",
        read=_cdevents,
        of=(parse_cdevents,),
        seeds=tuple(
            b"\0" + one for one in read_all(VECTORS / "cdevents" / "v0.5.1", "*.json", every=3)
        ),
    ),
    Decoder(
        name="git logs",
        read=_git_log,
        of=(parse_log,),
        seeds=(_git_record(b"one") + b"\0" + _git_record("two ☃".encode()) + b"\0",),
    ),
    Decoder(
        name="signatures of deliveries",
        read=_signature,
        of=(check_signature,),
        seeds=(b"sha256=" + hmac.new(b"secret", b"{}", "sha256").hexdigest().encode(),),
    ),
)
