"""Releases: what is in one, who approved it, where it went, whether it still stands."""

import msgspec

from counterfoil.projections.base import At, Piece, Row


class Approval(msgspec.Struct, frozen=True):
    """One step of an approval.

    Attributes:
        state: "requested", "signed" or "refused".
        approval: the `approval:` ref, or None.
        actor: pseudonym of who asked, signed or refused.
        environment: the `env:` it is for, or None.
        reason: in their words.
        at: when, with entry and actor.
    """

    state: str
    approval: str | None
    actor: str | None
    environment: str | None
    reason: str | None
    at: At


class Delivery(msgspec.Struct, frozen=True):
    """One thing a deployment did with the release.

    Attributes:
        deployment: the `deployment:` ref, or None.
        environment: the `env:`, or None.
        outcome: "requested", "running", "succeeded", "failed", "cancelled" or "removed".
        at: when, with entry and actor.
    """

    deployment: str | None
    environment: str | None
    outcome: str
    at: At


class ReleaseRow(Row, frozen=True, kw_only=True):
    """One release.  `ref` is a `release:name@version` ref.

    Attributes:
        name, version: the two halves of the ref.
        title: in the sender's words.
        url: where the sender shows it.
        state: "announced" (spoken of), "draft", "published" or "withdrawn".
        prerelease: the sender calls it that.
        author: pseudonym of who published it.
        contents: `artifact:`, `commit:`, `change:` and `run:` refs it is made of.
        approvals: in the order they were told.
        deliveries: deployments, in the order they were told.
        published, edited, withdrawn: when, with entry and actor.
    """

    name: str = ""
    version: str = ""
    title: str | None = None
    url: str | None = None
    state: str = "announced"
    prerelease: bool = False
    author: str | None = None
    contents: tuple[Piece, ...] = ()
    approvals: tuple[Approval, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    published: At | None = None
    edited: At | None = None
    withdrawn: At | None = None
