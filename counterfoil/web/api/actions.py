"""POST /v1/actions/{verb}: what people and programs do to a ledger, besides recording."""

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.app.actions import act
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.web.api.route import Body, Call, Param, Raw, Route
from counterfoil.web.security import media_type, read_body

LIMIT_BYTES: Final = 4 * 1024 * 1024
_JSON: Final = "application/json"
_SCHEMA: Final[Mapping[str, JSON]] = {"type": "object", "additionalProperties": True}


async def post_action(call: Call) -> Response:
    """Do one action for whoever calls."""
    request, served = call.request, call.served
    if media_type(request) != _JSON:
        raise RequestError("content_type", f"an action takes {_JSON}")
    body = await read_body(request, LIMIT_BYTES, served.pace)
    try:
        given = msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError("json_broken", f"the body is no JSON object: {error}") from error
    done = await run_in_threadpool(act, call.home, call.credential, call.text("verb"), given, "api")
    return Response(msgspec.json.encode(done), media_type=_JSON)


ROUTES: Final = (
    Route(
        method="POST",
        path="/v1/actions/{verb}",
        handler=post_action,
        verb="",
        summary="An action",
        doc="Does one of the actions below; what it changes is in `_access` when it answers.",
        params=(
            Param(
                name="verb",
                where="path",
                doc="the action's name",
                pattern="[a-z][a-z-]{0,39}",
                maximum=40,
                example="role-grant",
            ),
        ),
        body=Body(
            media={_JSON: _SCHEMA}, limit_bytes=LIMIT_BYTES, doc="the action's fields, by name"
        ),
        answer=Raw(media_type=_JSON, doc="what came of it: `said`, `entries`, and what it made"),
        errors=(
            "account_lookalike", "account_taken", "actor_taken", "actor_unknown", "json_broken",
            "not_found", "role_conflict", "usage",
        ),
    ),
)  # fmt: skip
