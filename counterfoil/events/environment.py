"""Environments: where things run."""

from counterfoil.events.kinds import EventType, cdevents_type


def _environment(predicate: str, meaning: str, title: str) -> EventType:
    return cdevents_type(
        f"environment.{predicate}.0.3.0",
        noun="environment",
        meaning=meaning,
        title=title,
        row="environments",
        ident="staging",
        subject="env:staging",
        content={"name": "staging", "uri": "https://staging.shop.example"},
        members={"name": "its name for people", "uri": "where it is"},
    )


TYPES = (
    _environment("created", "An environment came into being.", "created {thing}"),
    _environment("modified", "An environment changed.", "modified {thing}"),
    _environment("deleted", "An environment is gone.", "deleted {thing}"),
)
