"""Runs: of pipelines, of tasks in them, and of builds."""

from counterfoil.events.kinds import EventType, cdevents_type, own_type

_COMMIT = ("commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8", "input")
_DIGEST = "0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"
_OUTCOME = {
    "outcome": "`success`, `failure`, `error` or `cancel`",
    "errors": "what went wrong, free text",
}
_REFS = {
    "input": "the `commit:` it ran on",
    "about": "the `change:` it ran for",
    "part-of": "the `run:` it belongs to",
    "output": "the `artifact:` it made",
}

# What `counterfoil run` tells of a step besides.
_COMMAND = {"customData.command": "the command line, secrets taken out"}
_STEP_STARTED = {
    **_COMMAND,
    "customData.variables": "names of its environment variables, with keyed digests of the values",
    "customData.inputs": "files it takes in: `name`, `digest`, `size_bytes`, or `absent`",
}
_STEP_FINISHED = {
    **_COMMAND,
    "customData.exit_code": "as a shell has it: 128 + n after signal n, 127 for no such command",
    "customData.signal": "the signal it died by",
    "customData.duration_ms": "how long it took, by a clock that does not step",
    "customData.outputs": "files it made: as `inputs`",
}
_TASK_REFS = {
    **_REFS,
    "input": "the `commit:` it ran on; an `artifact:` it took in",
    "contains": "the `run:` of a test report it wrote",
    "environment": "the `env:` it ran in",
    "triggered-by": "the `actor:` who set it off",
}


def _pipeline(predicate: str, meaning: str, title: str, *, finished: bool = False) -> EventType:
    return cdevents_type(
        f"pipelinerun.{predicate}.0.3.0",
        noun="run",
        meaning=meaning,
        title=title,
        row="runs",
        ident="acme/shop/1874",
        subject="run:acme/shop/1874",
        content={
            "pipelineName": "checkout tests",
            "uri": "https://ci.example/acme/shop/1874",
            **({"outcome": "failure", "errors": "step unit failed"} if finished else {}),
        },
        named=(_COMMIT,),
        members={
            "pipelineName": "the pipeline's name",
            "uri": "where people look at it",
            **(_OUTCOME if finished else {}),
            "customData.attempt": "which attempt this is, from 1",
            "customData.conclusion": "the source's own word for the outcome",
        },
        refs=_REFS,
    )


def _task(predicate: str, meaning: str, title: str, *, finished: bool = False) -> EventType:
    return cdevents_type(
        f"taskrun.{predicate}.0.3.0",
        noun="run",
        meaning=meaning,
        title=title,
        row="runs",
        ident="acme/shop/1874/unit",
        subject="run:acme/shop/1874/unit",
        content={
            "taskName": "unit",
            "uri": "https://ci.example/acme/shop/1874/unit",
            "pipelineRun": {"id": "acme/shop/1874"},
            **({"outcome": "success"} if finished else {}),
        },
        named=(_COMMIT,),
        members={
            "taskName": "the task's name",
            "uri": "where people look at it",
            "pipelineRun.id": "the pipeline run it belongs to",
            **(_OUTCOME if finished else {}),
            **(_STEP_FINISHED if finished else _STEP_STARTED),
        },
        refs=_TASK_REFS,
    )


def _build(predicate: str, meaning: str, title: str, *, finished: bool = False) -> EventType:
    return cdevents_type(
        f"build.{predicate}.0.3.0",
        noun="run",
        meaning=meaning,
        title=title,
        row="runs",
        ident="acme/shop/build-311",
        subject="run:acme/shop/build-311",
        content={"artifactId": f"pkg:oci/shop@sha256%3A{_DIGEST}"} if finished else {},
        named=(_COMMIT,),
        members=(
            {"artifactId": "package URL of what was built; a SHA-256 in it becomes an `artifact:`"}
            if finished
            else {}
        ),
        refs=_REFS,
    )


TYPES = (
    _pipeline(
        "queued",
        "A pipeline run waits for its turn.",
        "queued {thing}[ of {content.pipelineName}]",
    ),
    _pipeline(
        "started",
        "A pipeline run began.",
        "started {thing}[ of {content.pipelineName}]",
    ),
    _pipeline(
        "finished",
        "A pipeline run ended.",
        "finished {thing}[ of {content.pipelineName}][: {result}]",
        finished=True,
    ),
    _task("started", "A task of a run began.", "started {task}"),
    _task(
        "finished",
        "A task of a run ended.",
        "finished {task}[: {result}]",
        finished=True,
    ),
    _build("queued", "A build waits for its turn.", "queued {thing}"),
    _build("started", "A build began.", "started {thing}"),
    _build("finished", "A build ended.", "finished {thing}[: built {artifact}]", finished=True),
    own_type(
        "run.planned",
        noun="run",
        meaning="A run is meant to happen, or these tests are meant to run in it; what never "
        "starts is then visible.",
        title="planned {thing}[ of {data.name}]",
        row="runs",
        subject="run:acme/shop/nightly-2026-11-20",
        data={"name": "nightly suite", "due": "2026-11-21T02:00:00.000Z"},
        named=(_COMMIT, ("env:staging", "environment")),
        members={
            "name": "what is to run",
            "due": "when it must have started, RFC 3339",
            "planned": "how many tests are to run in it",
            "tests": "the ids of their `test:` refs; a long plan is several events",
            "part, parts": "which of these events this is, from 1, and how many there are",
            "digest": "`sha256:` over all ids of the plan, a line feed behind each",
        },
        refs={"input": "the `commit:` it is for", "environment": "the `env:` it is to run in"},
    ),
    own_type(
        "run.lost",
        noun="run",
        meaning="The process of a run is gone, and it did not say how the run ended.",
        title="lost {thing}[ after test {data.reported}][ of {data.planned}]",
        row="runs",
        subject="run:pytest-2026-11-20-k3f9x2ab",
        data={
            "planned": 97,
            "reported": 30,
            "last": "test:tests/test_cart.py::test_total",
            "reason": "its spool ends without an end mark",
        },
        members={
            "planned": "how many tests were to run, if that is known",
            "reported": "how many of them had been reported",
            "last": "the `test:` that began last, if any: where to look first",
            "reason": "how we know",
        },
        actor=("system", "counterfoil:push"),
    ),
)
