"""A ledger with people who ask, approve and change gates, for tests of who may."""

from typing import Any

from counterfoil.app.actions import act
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.events.event import Event, make_event
from counterfoil.policy.access import Credential

MAINTAINERS = """
@id("maintainers-approve-production")
@reason("only maintainers approve production")
forbid (principal, action == Action::"approve", resource in Tier::"production")
unless { principal in Team::"maintainers" };
"""
APPROVAL = "approval:shop-1.4.2-production"
RELEASE = ("release:shop@1.4.2", "approves")
PRODUCTION = (RELEASE, ("env:production", "target"))


def people(home: Home) -> None:
    """Make ana an administrator, bo a developer, cy an approver of production who owns gates."""
    for handle in ("ana", "bo", "cy"):
        do(home, "actor-describe", handle=handle)
    do(home, "role-grant", to="ana", role="administrator")
    do(home, "role-grant", to="bo", role="developer")
    do(home, "role-grant", to="cy", role="approver", tier="production")
    do(home, "role-grant", to="cy", role="environment-owner")


def do(home: Home, action: str, /, **given: Any) -> Any:
    return act(home, LOCAL, action, given, "cli")


def person(home: Home, handle: str) -> Credential:
    """Return a session of a person who has just shown a passkey."""
    actor = home.access.require_actor(handle)
    now = home.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Credential(f"session:{handle}", "session", handle, actor=actor.ref, verified=now)


def said(
    home: Home, what: str, authid: str, subject: str, *refs: tuple[str, str], prefix: str = ""
) -> Event:
    """Return an event; `what` is noun and predicate, behind `prefix` or what is ours."""
    return make_event(
        type=f"{prefix or 'dev.cdeventsx.counterfoil-'}{what}.0.1.0", source="urn:x",
        id=home.randomness.token(8).hex(), time="2026-11-20T12:00:00Z", authtype="user",
        authid=authid, subject=subject, refs=list(refs), data={"reason": "x"},
    )  # fmt: skip


def tell(home: Home, what: str, who: str, subject: str, *refs: tuple[str, str]) -> None:
    """Record an event by a person, in their own name."""
    event = said(home, what, f"counterfoil:{who}", subject, *refs)
    home.recorder.record("default", [event], person(home, who), "api")


def ask(home: Home, who: str = "bo", *refs: tuple[str, str]) -> None:
    """Have somebody ask for the approval; for production where nothing else is said."""
    tell(home, "approval.requested", who, APPROVAL, *(refs or PRODUCTION))


def sign(home: Home, who: str = "cy", *refs: tuple[str, str]) -> None:
    """Have somebody sign the approval."""
    tell(home, "approval.signed", who, APPROVAL, *(refs or PRODUCTION))
