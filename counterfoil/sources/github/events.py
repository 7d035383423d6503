"""A signed delivery of any kind -> events; what is not understood is kept, not lost.

Source: docs.github.com "Webhook events and payloads".
"""

from collections.abc import Callable

from counterfoil.errors import RequestError
from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event
from counterfoil.events.naming import BlobName
from counterfoil.events.refs import safe_id
from counterfoil.sources.github.changes import read_pull_request, read_review
from counterfoil.sources.github.delivery import Delivery, dig, moment, number, text
from counterfoil.sources.github.deployments import read_deployment, read_deployment_status
from counterfoil.sources.github.push import read_push
from counterfoil.sources.github.releases import read_release
from counterfoil.sources.github.runs import read_check_run, read_workflow_run
from counterfoil.sources.github.tickets import read_issue

KEPT = "dev.cdeventsx.counterfoil-repository.event.0.1.0"
PING = "dev.cdeventsx.counterfoil-ping.0.1.0"

# A reader returns None where the action is none it understands; then the delivery is kept whole.
_READERS: dict[str, Callable[[Delivery], list[Event] | None]] = {
    "push": read_push,
    "pull_request": read_pull_request,
    "pull_request_review": read_review,
    "workflow_run": read_workflow_run,
    "check_run": read_check_run,
    "deployment": read_deployment,
    "deployment_status": read_deployment_status,
    "release": read_release,
    "issues": read_issue,
}
_CLOCKS = ("updated_at", "completed_at", "started_at", "created_at")


def parse_delivery(
    event_name: str,
    delivery: str,
    body: bytes,
    *,
    source: str,
    received: str,
    credential: str,
    blob: BlobName,
) -> tuple[Event, ...]:
    """Return the events of one delivery whose signature has been checked.

    Args:
        event_name: the value of `X-GitHub-Event`.
        delivery: the value of `X-GitHub-Delivery`: the id of the first event; further ones get
            "/1", "/2" ... behind it.  A redelivery has the same id and so the same events.
        body: the raw bytes, JSON.
        source: CloudEvents source where the payload names no repository or organisation.
        received: RFC 3339 time of receipt; used where the payload states no time.
        credential: account id that stands in where the payload names no sender.
        blob: the raw bytes as kept; every event names them.

    Raises:
        RequestError: webhook_payload, or json_* where the body is no JSON.
    """
    if not event_name or not delivery:
        raise RequestError(
            "webhook_payload",
            "X-GitHub-Event or X-GitHub-Delivery is absent; is this a GitHub webhook?",
        )
    payload = canonical.read(body, "the delivery")
    if not isinstance(payload, dict):
        raise RequestError(
            "webhook_payload",
            "the delivery is no JSON object; choose the content type application/json in the "
            "webhook's settings",
        )
    one = Delivery(
        name=event_name,
        id=safe_id(delivery),
        body=payload,
        source=source,
        received=received,
        credential=credential,
        blob=blob,
    )
    reader = _READERS.get(event_name)
    events = reader(one) if reader else None
    return tuple(events) if events is not None else (_keep(one),)


def _keep(delivery: Delivery) -> Event:
    body, name = delivery.body, delivery.name
    noun: JSON = dig(body, name)
    if not isinstance(noun, dict):
        noun = dig(body, "alert")
    repository = delivery.repository
    run = number(body, "workflow_run", "id")
    environment = text(body, "environment", size_bytes=200)
    times = [moment(dig(noun, clock)) for clock in _CLOCKS]
    times += [moment(dig(body, clock)) for clock in ("since", "updated_at", "created_at")]
    facts: dict[str, JSON] = {
        "state": text(noun, "state", size_bytes=100) or text(body, "state", size_bytes=100),
        "environment": environment,
        "hook_id": number(body, "hook_id"),
        "comment": text(body, "comment"),
    }
    return delivery.make(
        PING if name == "ping" else KEPT,
        subject=f"repo:{repository}" if repository else None,
        refs=[
            (f"run:{repository}/{run}" if repository and run is not None else None, "about"),
            (delivery.commit("sha") if repository else None, "about"),
            (f"env:{safe_id(environment)}" if environment else None, "about"),
            (delivery.actor("approver"), "approver"),
            (delivery.actor("member"), "about"),
        ],
        time=next((time for time in times if time), None),
        facts=facts,
    )
