"""CDEvents as other tools send them: bare documents, and in CloudEvents of both modes.

The document is kept word for word as `data`.  CDEvents have no actor: the credential stands in,
and the attribute `actorclaim` says "none", because not to know is part of the evidence.
Source: CDEvents 0.5.1 and its CloudEvents binding; CloudEvents 1.0.2 HTTP protocol binding
section 3.  Shapes since 0.1 (`context.version` for `specversion`) are taken as they are.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from counterfoil.errors import RequestError
from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.events.event import TIME_UNCLAIMED, Event, parse_event
from counterfoil.events.naming import BlobName
from counterfoil.events.refs import safe_id

AUTHTYPE = "service_account"
CLAIM = "none"

_TYPE = re.compile(r"dev\.cdeventsx?\.[A-Za-z0-9.-]{1,150}")
_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
_KINDS = {
    "branch": "branch",
    "build": "run",
    "change": "change",
    "environment": "env",
    "incident": "ticket",
    "pipelinerun": "run",
    "repository": "repo",
    "taskrun": "run",
    "testsuiterun": "run",
    "ticket": "ticket",
}
# What the envelope holds itself, or what nobody but this source or the server may say.
_TAKEN = frozenset(
    {"specversion", "id", "source", "type", "time", "data", "datacontenttype", "dataschema"}
    | {
        "authtype",
        "authid",
        "actorclaim",
        "timeclaim",
        "recordedtime",
        "recordedby",
        "via",
        "subject",
    }
    | {"producer", "boot", "seq"}
)


def parse_cdevents(
    headers: Mapping[str, str],
    body: bytes,
    *,
    source_default: str,
    credential: str,
    received: str,
    blob: BlobName | None = None,
) -> tuple[Event, ...]:
    """Return the events of one request: one, or as many as a structured batch holds.

    Args:
        headers: HTTP headers; names in any case.
        body: the raw bytes.
        source_default: CloudEvents source where a document's own is absent or no URI-reference.
        credential: account id of who sent the request: the actor of every event.
        received: RFC 3339; used where a document states no time.
        blob: the raw bytes as kept, if they are; named beside the document, never in it.

    Raises:
        RequestError: webhook_payload where it is no CDEvent, json_* where it is no JSON.
    """
    names = {name.lower(): value for name, value in headers.items()}
    mediatype = names.get("content-type", "").partition(";")[0].strip().lower()
    if mediatype == "application/cloudevents-batch+json":
        items = canonical.read(body, "the batch", depth_max=canonical.DEPTH_MAX + 1)
        if not isinstance(items, list) or not items:
            raise _refused("the batch is no JSON array of events")
        envelopes = [_structured(item) for item in items]
    elif mediatype == "application/cloudevents+json":
        envelopes = [_structured(canonical.read(body, "the event"))]
    elif "ce-type" in names:
        envelopes = [_binary(names, canonical.read(body, "the event's data"))]
    else:
        value = canonical.read(body, "the event")
        wrapped = isinstance(value, dict) and "specversion" in value and "context" not in value
        envelopes = [_structured(value) if wrapped else ({}, value)]
    return tuple(
        _event(envelope, document, source_default, credential, received, blob)
        for envelope, document in envelopes
    )


def _structured(value: JSON) -> tuple[dict[str, JSON], JSON]:
    if not isinstance(value, dict) or "data" not in value:
        raise _refused("it is no CloudEvent with a CDEvents document as its data")
    return {name: one for name, one in value.items() if name != "data"}, value["data"]


def _binary(headers: Mapping[str, str], document: JSON) -> tuple[dict[str, JSON], JSON]:
    """Read attributes from `ce-` headers, whose values are percent-encoded where not plain."""
    envelope: dict[str, JSON] = {
        name.removeprefix("ce-"): unquote(value.strip().strip('"'))
        for name, value in headers.items()
        if name.startswith("ce-")
    }
    return envelope, document


def _event(
    envelope: dict[str, JSON],
    document: JSON,
    source_default: str,
    credential: str,
    received: str,
    blob: BlobName | None,
) -> Event:
    if not isinstance(document, dict) or not isinstance(document.get("context"), dict):
        raise _refused("the document has no object `context`")
    if not isinstance(document.get("subject"), dict):
        raise _refused("the document has no object `subject`")
    context = document["context"]
    event_type = _text(context, "type") or _text(envelope, "type")
    if event_type is None or not _TYPE.fullmatch(event_type):
        raise _refused("context.type is not dev.cdevents. or dev.cdeventsx. and a name")
    event_id = _text(context, "id") or _text(envelope, "id")
    if event_id is None:
        raise _refused("context.id is absent; without it a repeat cannot be told from a fact")
    source = _text(context, "source") or _text(envelope, "source") or source_default
    time = _text(context, "timestamp") or _text(envelope, "time")
    _agree(envelope, "id", event_id)
    _agree(envelope, "type", event_type)
    members: dict[str, JSON] = {
        **_extensions(envelope),
        "specversion": "1.0",
        "id": event_id,
        "source": quote(source, safe="/:?#[]@!$&'()*+,;=%-._~"),
        "type": event_type,
        "time": time or received,
        **({} if time else TIME_UNCLAIMED),
        "authtype": AUTHTYPE,
        "authid": credential,
        "actorclaim": CLAIM,
        "subject": _subject(event_type, document),
        "data": _document(document, blob),
    }
    return parse_event(members)


def _subject(event_type: str, document: dict[str, JSON]) -> str | None:
    """Return the ref of what the document is about, where CDEvents' noun is one of our kinds."""
    noun = event_type.removeprefix("dev.cdevents.").partition(".")[0]
    kind, ident = _KINDS.get(noun), _text(document.get("subject"), "id")
    return f"{kind}:{safe_id(ident)}" if kind and ident else None


def _document(document: dict[str, JSON], blob: BlobName | None) -> JSON:
    """Return the document; the raw bytes are named beside it unless it has `blobs` of its own."""
    if blob is None or "blobs" in document:
        return document
    named: JSON = {"digest": blob.digest, "name": blob.name, "mediatype": blob.mediatype}
    return {**document, "blobs": [named]}


def _extensions(envelope: dict[str, JSON]) -> dict[str, JSON]:
    """Return further CloudEvents attributes, such as `traceparent`, as they came."""
    return {
        name: value
        for name, value in envelope.items()
        if name not in _TAKEN
        and _EXTENSION.fullmatch(name)
        and isinstance(value, str | bool | int)
        and value != ""
    }


def _agree(envelope: dict[str, JSON], name: str, value: str) -> None:
    """Refuse a wrapper that names another event than the document inside it.

    Source: CDEvents CloudEvents binding: the attributes are set from the context.
    """
    stated = _text(envelope, name)
    if stated is not None and stated != value:
        raise _refused(f"the CloudEvents {name} and context.{name} differ")


def _text(value: JSON, name: str) -> str | None:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None


def _refused(why: str) -> RequestError:
    return RequestError(
        "webhook_payload",
        f"{why}; send a CDEvents document, bare or in a CloudEvent (docs/adr/0009)",
    )
