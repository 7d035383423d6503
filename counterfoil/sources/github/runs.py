"""`workflow_run` -> CDEvents `pipelinerun.*`; `check_run` -> `taskrun.*`.

`actor` and `triggering_actor` differ when somebody else started a run again; both are kept.
Source: docs.github.com, webhook events `workflow_run`, `check_run`; CDEvents 0.5.1 core events.
"""

import re

from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event
from counterfoil.sources.github.delivery import (
    Delivery,
    dig,
    members,
    moment,
    number,
    text,
)

_WORKFLOW = {
    "requested": ("dev.cdevents.pipelinerun.queued.0.3.0", "run_started_at"),
    "in_progress": ("dev.cdevents.pipelinerun.started.0.3.0", "run_started_at"),
    "completed": ("dev.cdevents.pipelinerun.finished.0.3.0", "updated_at"),
}
TASK_STARTED = "dev.cdevents.taskrun.started.0.3.0"
TASK_FINISHED = "dev.cdevents.taskrun.finished.0.3.0"

# A conclusion that says neither yes nor no ("neutral", "skipped", "stale", "action_required")
# gives no outcome; it is kept word for word as `conclusion`.
_OUTCOMES = {
    "success": "success",
    "failure": "failure",
    "timed_out": "error",
    "startup_failure": "error",
    "cancelled": "cancel",
}
_RUN_IN_URL = re.compile(r"/actions/runs/(\d{1,20})(?:/|$)", re.ASCII)
MAX_CHANGES = 20


def read_workflow_run(delivery: Delivery) -> list[Event] | None:
    """Return the one event of a run's state; None for an action that is no state of a run."""
    if delivery.action not in _WORKFLOW:
        return None
    event_type, clock = _WORKFLOW[delivery.action]
    run: JSON = dig(delivery.body, "workflow_run")
    found = number(run, "id")
    if found is None:
        raise delivery.lacking("workflow_run.id")
    conclusion = text(run, "conclusion", size_bytes=100)
    content: dict[str, JSON] = {
        "pipelineName": text(run, "name") or text(run, "path") or "workflow",
        "uri": text(run, "html_url"),
    }
    if delivery.action == "completed":
        content["outcome"] = _OUTCOMES.get(conclusion or "")
    time = moment(dig(run, clock)) or moment(dig(run, "updated_at"))
    return [
        delivery.make(
            event_type,
            subject=f"run:{delivery.need_repository()}/{found}",
            refs=[
                (delivery.commit("workflow_run", "head_sha"), "input"),
                *_changes(delivery, run),
                (delivery.actor("workflow_run", "actor"), "started-by"),
                (delivery.actor("workflow_run", "triggering_actor"), "triggered-by"),
            ],
            time=time,
            content=content,
            facts={
                "conclusion": conclusion,
                "status": text(run, "status", size_bytes=100),
                "attempt": number(run, "run_attempt"),
                "run_attempt": number(run, "run_attempt"),
                "run_number": number(run, "run_number"),
                "trigger": text(run, "event", size_bytes=100),
                "path": text(run, "path"),
                "head_sha": text(run, "head_sha", size_bytes=64),
                "head_branch": text(run, "head_branch", size_bytes=300),
                "run_started_at": moment(dig(run, "run_started_at")),
                "rerun_by_other": _other_account(run),
                "url": text(run, "html_url"),
            },
        )
    ]


def read_check_run(delivery: Delivery) -> list[Event] | None:
    """Return the one event of a check's state; None for an action that is no state of a check."""
    if delivery.action not in {"created", "completed"}:
        return None
    check: JSON = dig(delivery.body, "check_run")
    found = number(check, "id")
    if found is None:
        raise delivery.lacking("check_run.id")
    finished = delivery.action == "completed" or text(check, "status") == "completed"
    conclusion = text(check, "conclusion", size_bytes=100)
    repository = delivery.need_repository()
    content: dict[str, JSON] = {
        "taskName": text(check, "name") or "check",
        "uri": text(check, "html_url"),
    }
    workflow = _RUN_IN_URL.search(text(check, "details_url") or "")
    if workflow is not None:
        content["pipelineRun"] = {"id": f"{repository}/{workflow[1]}"}
    if finished:
        content["outcome"] = _OUTCOMES.get(conclusion or "")
    return [
        delivery.make(
            TASK_FINISHED if finished else TASK_STARTED,
            subject=f"run:{repository}/check/{found}",
            refs=[
                (delivery.commit("check_run", "head_sha"), "input"),
                *_changes(delivery, check),
                (f"run:{repository}/{workflow[1]}" if workflow else None, "part-of"),
            ],
            time=moment(dig(check, "completed_at" if finished else "started_at")),
            content=content,
            facts={
                "conclusion": conclusion,
                "status": text(check, "status", size_bytes=100),
                "app": text(check, "app", "slug", size_bytes=200)
                or text(check, "app", "name", size_bytes=200),
                "external_id": text(check, "external_id", size_bytes=200),
                "head_sha": text(check, "head_sha", size_bytes=64),
                "title": text(check, "output", "title"),
                "annotations": number(check, "output", "annotations_count"),
                "url": text(check, "html_url"),
            },
        )
    ]


def _changes(delivery: Delivery, run: JSON) -> list[tuple[str | None, str]]:
    repository = delivery.need_repository()
    numbers = [number(one, "number") for one in members(run, "pull_requests")[:MAX_CHANGES]]
    return [(f"change:{repository}#{found}", "about") for found in numbers if found is not None]


def _other_account(run: JSON) -> bool | None:
    first, again = text(run, "actor", "login"), text(run, "triggering_actor", "login")
    return None if first is None or again is None else first != again
