"""POST /v1/events: events in, receipts out.

One event, a batch or NDJSON; all or nothing.  The answer comes when the entries are committed,
read back, checked and signed for, never before: what a caller was told, stays.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool

from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, parse_posting
from counterfoil.web.api.posted import BODY_MAX_BYTES, EventsAnswer, entry_answer
from counterfoil.web.api.route import Body, Call, Route
from counterfoil.web.security import read_body

# What can be wrong with events, wherever they come from.
EVENT_ERRORS: Final = (
    "json_broken", "json_duplicate_member", "json_number", "json_surrogate", "json_depth",
    "attribute_missing", "attribute_invalid", "actor_missing", "server_attribute", "ref_invalid",
    "blob_invalid",
)  # fmt: skip
# What can happen while they are recorded.
RECORD_ERRORS: Final = (
    "id_conflict", "erased", "entry_too_large", "batch_too_large", "not_allowed",
    "busy", "storage", "stopping", "frozen",
)  # fmt: skip


async def post_events(call: Call) -> EventsAnswer:
    """Record what is posted; `position` in an error is the 0-based place of the refused event."""
    body = await read_body(call.request, BODY_MAX_BYTES, call.served.pace)
    content_type = call.request.headers.get("content-type", "")
    events = await run_in_threadpool(parse_posting, body, content_type)
    via = "web" if call.credential.kind == "session" else "api"
    return await record(call, events, via)


async def record(call: Call, events: Sequence[Event], via: str) -> EventsAnswer:
    """Append one all-or-nothing batch and wait for its receipts without holding a thread."""
    submit = call.home.recorder.submit
    future = await run_in_threadpool(submit, call.project, events, call.credential, via)
    # Shielded: when a caller goes away, the entry is recorded all the same.
    answers = await asyncio.shield(asyncio.wrap_future(future))
    return EventsAnswer([entry_answer(answer) for answer in answers])


_ATTRIBUTE: Final[dict[str, JSON]] = {"type": "string", "minLength": 1, "maxLength": 200}
_SCALAR: Final[JSON] = {"type": ["string", "integer", "boolean"]}
EVENT_SCHEMA: Final[dict[str, JSON]] = {
    "type": "object",
    "description": (
        "A CloudEvents 1.0 event in its JSON form.  Names of further attributes are"
        " [a-z0-9]{1,20}, their values strings, integers or booleans."
    ),
    "required": ["specversion", "id", "source", "type", "time", "authtype", "authid"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": _ATTRIBUTE,
        "source": {**_ATTRIBUTE, "format": "uri-reference", "examples": ["https://ci.example/shop"]},
        "type": {**_ATTRIBUTE, "examples": ["com.example.step.finished"]},
        "time": {
            "type": "string",
            "format": "date-time",
            "examples": ["2026-11-20T12:00:00Z"],
        },
        "authtype": {
            "enum": [
                "app_user", "user", "service_account", "api_key", "system", "unauthenticated",
                "unknown",
            ]
        },
        "authid": _ATTRIBUTE,
        "subject": _ATTRIBUTE,
        "producer": _ATTRIBUTE,
        "boot": _ATTRIBUTE,
        "seq": {"type": "integer", "minimum": 0, "maximum": 2147483647},
        "data": {"description": "any JSON; `refs` and `blobs` are read when it is an object"},
        "data_base64": {"type": "string", "contentEncoding": "base64"},
    },
    "propertyNames": {"pattern": "^(?:[a-z0-9]{1,20}|data_base64)$"},
    "additionalProperties": _SCALAR,
}  # fmt: skip
_EVENT: Final[dict[str, JSON]] = {"$ref": "#/components/schemas/Event"}

ROUTES: Final = (
    Route(
        method="POST",
        path="/v1/events",
        handler=post_events,
        verb="record",
        summary="Record events",
        doc=(
            "One event, a batch, or one event per line.  All or nothing: a refusal records none"
            " of them and names the `position`.  The same `source` and `id` again is answered"
            " with the entry that exists."
        ),
        body=Body(
            media={
                "application/cloudevents+json": _EVENT,
                "application/json": _EVENT,
                "application/cloudevents-batch+json": {
                    "type": "array",
                    "items": _EVENT,
                    "minItems": 1,
                    "maxItems": 1000,
                },
                "application/x-ndjson": {
                    "type": "string",
                    "description": "one event per line",
                },
            },
            limit_bytes=BODY_MAX_BYTES,
            doc="64 KiB an event as posted, 1,000 events and 4 MiB a request",
        ),
        answer=EventsAnswer,
        status=201,
        errors=(*EVENT_ERRORS, *RECORD_ERRORS, "event_too_large", "batch_empty"),
    ),
)
