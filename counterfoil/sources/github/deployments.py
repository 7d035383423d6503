"""`deployment` and `deployment_status` -> `deployment.requested`, `deployment.reported`.

CDEvents knows only services that are deployed; who asked for it, for which commit, and what became
of it is ours.  A report is the reporter's word: `state` is kept as sent.
Source: docs.github.com, webhook events `deployment`, `deployment_status`.
"""

from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event
from counterfoil.events.refs import safe_id
from counterfoil.sources.github.delivery import (
    Delivery,
    Refs,
    dig,
    flag,
    moment,
    number,
    text,
)

REQUESTED = "dev.cdeventsx.counterfoil-deployment.requested.0.1.0"
REPORTED = "dev.cdeventsx.counterfoil-deployment.reported.0.1.0"


def read_deployment(delivery: Delivery) -> list[Event]:
    """Return the one event of a deployment that was asked for."""
    body = delivery.body
    subject, refs = _common(delivery)
    return [
        delivery.make(
            REQUESTED,
            subject=subject,
            refs=[*refs, (delivery.actor("deployment", "creator"), "requester")],
            time=moment(dig(body, "deployment", "created_at")),
            facts=_facts(body),
        )
    ]


def read_deployment_status(delivery: Delivery) -> list[Event]:
    """Return the one event of a deployment's reported state."""
    body = delivery.body
    subject, refs = _common(delivery)
    status: JSON = dig(body, "deployment_status")
    return [
        delivery.make(
            REPORTED,
            subject=subject,
            refs=[
                *refs,
                (delivery.actor("deployment_status", "creator"), "reporter"),
                (delivery.actor("deployment", "creator"), "requester"),
            ],
            time=moment(dig(status, "updated_at")) or moment(dig(status, "created_at")),
            facts={
                **_facts(body),
                "state": text(status, "state", size_bytes=100),
                "status_id": number(status, "id"),
                "description": text(status, "description"),
                "url": text(status, "log_url") or text(status, "target_url"),
                "environment_url": text(status, "environment_url"),
            },
        )
    ]


def environment(body: JSON) -> str | None:
    """Return the environment's name: the status may correct the deployment's."""
    return text(body, "deployment_status", "environment", size_bytes=200) or text(
        body, "deployment", "environment", size_bytes=200
    )


def _common(delivery: Delivery) -> tuple[str, list[tuple[str | None, str]]]:
    body, repository = delivery.body, delivery.need_repository()
    found = number(body, "deployment", "id")
    if found is None:
        raise delivery.lacking("deployment.id")
    name = environment(body)
    run = number(body, "workflow_run", "id")
    refs: Refs = [
        (f"env:{safe_id(name)}" if name else None, "deployed-to"),
        (delivery.commit("deployment", "sha"), "deploys"),
        (f"run:{repository}/{run}" if run is not None else None, "caused-by"),
    ]
    return f"deployment:{repository}/{found}", list(refs)


def _facts(body: JSON) -> dict[str, JSON]:
    deployment: JSON = dig(body, "deployment")
    return {
        "deployment_id": number(deployment, "id"),
        "environment": environment(body),
        "original_environment": text(deployment, "original_environment", size_bytes=200),
        "production": flag(deployment, "production_environment"),
        "production_environment": flag(deployment, "production_environment"),
        "transient_environment": flag(deployment, "transient_environment"),
        "ref": text(deployment, "ref", size_bytes=300),
        "sha": text(deployment, "sha", size_bytes=64),
        "task": text(deployment, "task", size_bytes=100),
        "description": text(deployment, "description"),
    }
