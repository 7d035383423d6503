"""Environments: what is deployed where, and what was there before."""

import msgspec

from counterfoil.projections.base import At, Row


class Deployed(msgspec.Struct, frozen=True):
    """What runs in an environment under one name.

    Attributes:
        name: the release's or service's name, else the repository's.
        what: the `release:`, `artifact:` or `commit:` ref deployed.
        carries: every such ref the deployment named.
        deployment: the `deployment:` ref, or None.
        at: since when, with entry and actor.
    """

    name: str
    what: str
    carries: tuple[str, ...]
    deployment: str | None
    at: At


class EnvironmentRow(Row, frozen=True, kw_only=True):
    """One environment.  `ref` is an `env:` ref.

    Attributes:
        name: in the sender's words, else the id of the ref.
        production: a sender calls it production, or its name says so.
        state: "present" or "deleted".
        deployed: what is there, one for each name.
        before: what was there, the last 50, oldest first.
        created, deleted: when, with entry and actor.
    """

    name: str = ""
    production: bool = False
    state: str = "present"
    deployed: tuple[Deployed, ...] = ()
    before: tuple[Deployed, ...] = ()
    created: At | None = None
    deleted: At | None = None
