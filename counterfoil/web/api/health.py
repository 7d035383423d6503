"""GET /healthz and /readyz: is the process alive, and may it be sent work.

Open to everyone, so they say nothing about what is recorded.
"""

from typing import Annotated, Final, Literal

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.web.api.route import Call, Raw, Route


class Alive(msgspec.Struct):
    """The process answers."""

    status: Literal["alive"]


class Ready(msgspec.Struct):
    """Whether every log takes events, and if not, why."""

    status: Annotated[Literal["ready", "not ready"], msgspec.Meta(description="what to do")]
    reasons: list[str]


async def get_health(_call: Call) -> Alive:
    """Answer without touching the disk: a slow disk must not get the process killed."""
    return Alive("alive")


async def get_ready(call: Call) -> Response:
    """Answer 200 when every log goes on, 503 otherwise."""
    reasons = await run_in_threadpool(_reasons, call)
    ready = Ready("not ready" if reasons else "ready", reasons)
    return Response(
        msgspec.json.encode(ready),
        status_code=503 if reasons else 200,
        media_type="application/json",
    )


def _reasons(call: Call) -> list[str]:
    reasons = set()
    for project in call.served.projects:
        status = call.home.ledger.status(project)
        if status.frozen:
            reasons.add("a log is frozen after a failed self-check")
        if status.stopped:
            reasons.add("the ledger has stopped taking events")
    return sorted(reasons)


ROUTES: Final = (
    Route(
        method="GET",
        path="/healthz",
        handler=get_health,
        verb=None,
        summary="Is the process alive",
        answer=Alive,
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=get_ready,
        verb=None,
        summary="May it be sent work",
        doc="Not ready while a log is frozen or the server stops.",
        answer=Ready,
        also={503: Raw(media_type="application/json", doc="not ready, with the reasons")},
    ),
)
