"""GET /metrics and /v1/health: what an operator watches, for Prometheus and for other programs."""

from typing import Annotated, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from counterfoil.app.everywhere import readable
from counterfoil.app.health import LogHealth, State, health_of, worst
from counterfoil.app.standing import standings
from counterfoil.errors import RequestError
from counterfoil.policy.access import ANONYMOUS
from counterfoil.web.api.route import Call, Raw, Route

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


async def get_metrics(call: Call) -> Response:
    """Answer with the figures of every log the caller may read."""

    def read() -> bytes:
        # It loads Prometheus' client, which a ledger nobody watches does without.
        from counterfoil.app.metrics import metrics  # noqa: PLC0415  20 ms

        return metrics(call.home, call.credential)

    _require_any(call)
    return Response(await run_in_threadpool(read), media_type=MEDIA_TYPE)


class Health(msgspec.Struct):
    """How every log is doing that the caller may read."""

    state: Annotated[State, msgspec.Meta(description="the worst there is")]
    logs: list[LogHealth]


async def get_log_health(call: Call) -> Health:
    """Answer with how far every log has come, and what to do about it."""

    def read() -> Health:
        found = standings(call.home, readable(call.home, call.credential))
        now = call.home.clock.now()
        logs = [health_of(one, now) for one in found]
        return Health(worst(one.state for one in logs), logs)

    _require_any(call)
    return await run_in_threadpool(read)


def _require_any(call: Call) -> None:
    """Refuse who may read no log at all.

    Raises:
        RequestError: `token_missing`, `not_allowed`.
    """
    if not readable(call.home, call.credential):
        code = "token_missing" if call.credential == ANONYMOUS else "not_allowed"
        raise RequestError(code, "figures need `read` of a log; bring a token that has it")


ROUTES: Final = (
    Route(
        method="GET",
        path="/v1/health",
        handler=get_log_health,
        verb="",
        summary="How far every log has come",
        doc=(
            "Of every log the caller may read: committed, exported, in the rows of pages,"
            " aggregated, witnessed, stamped, backed up, tried out, verified; and what to do."
        ),
        answer=Health,
        errors=("storage",),
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=get_metrics,
        verb="",
        summary="What an operator watches",
        doc=(
            "Prometheus text, of the logs the caller may read; what each figure is stands in"
            " docs/how-to/monitoring.md."
        ),
        answer=Raw(media_type=MEDIA_TYPE, doc="Prometheus text format 0.0.4"),
        errors=("storage",),
    ),
)
