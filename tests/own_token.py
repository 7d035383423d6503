"""A token a person made for themselves: nobody else can."""

from typing import Any

from counterfoil.app.actions import act
from counterfoil.app.home import Home
from counterfoil.app.record import LOCAL
from counterfoil.clock import format_time
from counterfoil.policy.access import Credential


def own_token(home: Home, handle: str, **given: Any) -> Any:
    """Return what `token-issue` answers to somebody who is an administrator for that moment."""
    actor = home.access.require_actor(handle)
    now = format_time(home.clock.now())
    made: Any = act(home, LOCAL, "role-grant", {"to": handle, "role": "administrator"}, "cli")
    themselves = Credential(
        id=f"session:{handle}", kind="session", handle=handle, actor=actor.ref, verified=now
    )
    issued = act(home, themselves, "token-issue", {**given, "holder": handle}, "web")
    act(home, LOCAL, "role-revoke", {"grant": made.grant}, "cli")
    return issued
