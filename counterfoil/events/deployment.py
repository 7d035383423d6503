"""Deployments: what was asked to go where, what went there, and what was taken away."""

from collections.abc import Mapping

from counterfoil.events.canonical import JSON
from counterfoil.events.kinds import EventType, cdevents_type, own_type

_DIGEST = "0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"
_ARTIFACT = f"pkg:oci/shop@sha256%3A{_DIGEST}"
_ENVIRONMENT = {"environment.id": "the environment"}
_ARTIFACT_MEMBER = {
    "artifactId": "package URL of what runs there; a SHA-256 in it becomes an `artifact:`"
}
_REFS = {
    "deployed-to": "the `env:` it went to",
    "deploys": "the `release:`, `artifact:` or `commit:` that went there",
}
_NAMED = (
    ("env:production", "deployed-to"),
    ("release:shop@1.4.2", "deploys"),
    ("commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8", "deploys"),
)


def _service(
    predicate: str,
    meaning: str,
    title: str,
    *,
    artifact: bool = False,
) -> EventType:
    content: dict[str, JSON] = {"environment": {"id": "production"}}
    members: Mapping[str, str] = _ENVIRONMENT
    if artifact:
        content["artifactId"] = _ARTIFACT
        members = {**_ENVIRONMENT, **_ARTIFACT_MEMBER}
    return cdevents_type(
        f"service.{predicate}.0.3.0",
        noun="deployment",
        meaning=meaning,
        title=title,
        row="environments",
        ident="shop",
        subject="deployment:acme/shop/7001",
        content=content,
        named=(("release:shop@1.4.2", "deploys"),) if artifact else (),
        members=members,
        refs=_REFS if artifact else {"deployed-to": "the `env:`"},
    )


TYPES = (
    _service(
        "deployed",
        "A service runs in an environment it was not in before.",
        "deployed {service}[ ({artifact})][ to {content.environment.id}]",
        artifact=True,
    ),
    _service(
        "upgraded",
        "A service runs with another artifact.",
        "upgraded {service}[ to {artifact}][ in {content.environment.id}]",
        artifact=True,
    ),
    _service(
        "rolledback",
        "A service runs with an artifact it ran with before.",
        "rolled back {service}[ to {artifact}][ in {content.environment.id}]",
        artifact=True,
    ),
    _service(
        "removed",
        "A service does not run in an environment any more.",
        "removed {service}[ from {content.environment.id}]",
    ),
    _service(
        "published",
        "A service can be reached by those it is for.",
        "published {service}[ in {content.environment.id}]",
    ),
    own_type(
        "deployment.requested",
        noun="deployment",
        meaning="Somebody asked for something to be brought into an environment.",
        title="requested {thing}[ to {data.environment}]",
        row="deployments",
        subject="deployment:acme/shop/7001",
        data={"environment": "production", "production": True, "task": "deploy"},
        named=_NAMED,
        members={
            "environment": "the environment's name, in the source's words",
            "production": "true if the source calls it production",
            "description": "free text",
            "task": "what kind of deployment, in the source's word",
            "ref, sha": "what it was asked for by, and the commit that meant",
            "event, action": "the delivery's kind and action, in the host's words",
        },
        refs={**_REFS, "caused-by": "the `run:` that asked"},
    ),
    own_type(
        "deployment.reported",
        noun="deployment",
        meaning="Whoever deploys said how far a deployment has come.",
        title="reported {thing}[ to {data.environment}][: {data.state}]",
        row="deployments",
        subject="deployment:acme/shop/7001",
        data={"environment": "production", "production": True, "state": "success"},
        named=_NAMED,
        members={
            "state": "`queued`, `pending`, `in_progress`, `success`, `failure`, `error` or "
            "`inactive`",
            "environment": "the environment's name, in the source's words",
            "production": "true if the source calls it production",
            "url": "where its log is",
            "environment_url": "where it can be looked at",
            "event, action": "the delivery's kind and action, in the host's words",
        },
        refs={**_REFS, "caused-by": "the `run:` that deploys"},
    ),
)
