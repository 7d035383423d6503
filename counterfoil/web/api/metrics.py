"""GET /metrics: what an operator watches, for Prometheus."""

from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

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


def _require_any(call: Call) -> None:
    """Refuse who may read no log at all.

    Raises:
        RequestError: `token_missing`, `not_allowed`.
    """
    may = call.home.access.decide
    if any(may(call.credential, "read", log).allowed for log in sorted(call.served.projects)):
        return
    code = "token_missing" if call.credential == ANONYMOUS else "not_allowed"
    raise RequestError(code, "figures need `read` of a log; bring a token that has it")


ROUTES: Final = (
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
