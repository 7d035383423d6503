"""POST /v1/webhooks/{source}: what vendors send, in their form, with their signature.

The raw bytes are kept as a blob and named by what was understood of them.  A vendor's signature
is its credential, for the project its source was set up for; CDEvents are not signed, so their
sender brings a token.
"""

from typing import Final

from starlette.concurrency import run_in_threadpool

from counterfoil.app import intake
from counterfoil.errors import RequestError
from counterfoil.web.api.events import EVENT_ERRORS, RECORD_ERRORS
from counterfoil.web.api.posted import EventsAnswer, entry_answer
from counterfoil.web.api.route import MIB, Body, Call, Param, Route
from counterfoil.web.security import read_body

BODY_MAX_BYTES: Final = 25 * MIB


async def post_webhook(call: Call) -> EventsAnswer:
    """Record one delivery."""
    name = call.text("source")
    caller = await call.served.door.caller(call.request)
    headers = dict(call.request.headers)
    # Before the body: 25 MiB in memory is nothing to give to whoever asks.
    source = await run_in_threadpool(
        intake.require_sender, call.home, name, headers, caller.credential, call.project
    )
    if source is not None and call.text("project") not in {"", source.project}:
        raise RequestError(
            "query_invalid", f"deliveries of {name} belong to project {source.project!r}"
        )
    body = await read_body(call.request, BODY_MAX_BYTES, call.served.pace)
    answers = await run_in_threadpool(
        intake.webhook, call.home, name, headers, body, caller.credential, call.project
    )
    return EventsAnswer([entry_answer(answer) for answer in answers])


ROUTES: Final = (
    Route(
        method="POST",
        path="/v1/webhooks/{source}",
        handler=post_webhook,
        verb=None,
        summary="Take a vendor's delivery",
        doc=(
            "`source` is a name given with `counterfoil admin sources add`, or `cdevents`, which"
            " takes CDEvents documents, bare or in CloudEvents (structured and binary), from"
            " whoever brings a token; their entries say that the payload claims no actor."
        ),
        params=(
            Param(
                name="source",
                where="path",
                doc="name of a webhook source",
                pattern="[a-z0-9][a-z0-9-]{0,62}",
                maximum=63,
                example="cdevents",
            ),
        ),
        body=Body(
            media={
                name: {"description": "what the vendor sends"}
                for name in (
                    "application/json",
                    "application/cloudevents+json",
                    "application/cloudevents-batch+json",
                )
            },
            limit_bytes=BODY_MAX_BYTES,
            doc="25 MiB, the most GitHub sends",
        ),
        answer=EventsAnswer,
        status=201,
        errors=(
            *EVENT_ERRORS,
            *RECORD_ERRORS,
            "source_unknown",
            "webhook_signature",
            "webhook_payload",
            "event_too_large",
            "token_missing",
            "token_invalid",
            "csrf",
            "not_found",
        ),
    ),
)
