"""Deployments: what was asked to go where, and what came of it."""

from counterfoil.projections.base import At, Piece, Row


class DeploymentRow(Row, frozen=True, kw_only=True):
    """One deployment.  `ref` is a `deployment:` ref.

    Attributes:
        environment: the `env:` it goes to.
        production: the sender says that this is production; None when it does not say.
        state: "requested", "running", "succeeded", "failed", "cancelled", "removed".
        contents: `release:`, `artifact:`, `commit:` and `run:` refs it carries.
        requested, reported, succeeded, failed: when, with entry and actor; `reported` is the last
            word of any kind.
        url: where the sender shows it.
        description: in the sender's words.
    """

    environment: str | None = None
    production: bool | None = None
    state: str = "requested"
    contents: tuple[Piece, ...] = ()
    requested: At | None = None
    reported: At | None = None
    succeeded: At | None = None
    failed: At | None = None
    url: str | None = None
    description: str | None = None
