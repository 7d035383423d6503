"""What two people decide: who asked for what, who agreed, and whether it is still to be done.

A pure fold of the events `action.*` of the log `_access`.  What must hold: what was asked never
changes; a yes counts once, of another person, and before the time is over; whatever ended stays so.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from counterfoil.policy.known import Happened

OPEN_FOR: Final = timedelta(days=7)
"""How long what was asked waits for another person."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was asked for.

    Attributes:
        entry: of `_access`, that asks; its name.
        action, verb, project: what, what it takes, where.
        digest: `sha256:` and 64 hexadecimal digits, of action and fields.
        given: the fields; None once they are erased.
        why: why one person is not enough.
        by: who asked, a pseudonym; `time` when, `until` how long it waits, RFC 3339.
        confirmed: the entry of another person's yes, -1 before; `confirmed_by` is whose.
        ended: the entry that says what came of it, -1 before; `how` and `outcome` are of that.
    """

    entry: int
    action: str
    verb: str
    project: str
    digest: str
    given: Mapping[str, Any] | None
    why: str
    by: str
    time: str
    until: str
    confirmed: int = -1
    confirmed_by: str = ""
    ended: int = -1
    how: str = ""
    outcome: str = ""

    def waits(self, now: str) -> bool:
        """Whether another person's yes would count at a moment."""
        return self.ended < 0 and self.confirmed < 0 and now < self.until

    def under_way(self) -> bool:
        """Whether it was agreed to and is not done: it broke off, and is done by a repeat."""
        return self.ended < 0 and self.confirmed >= 0


class Asked:
    """Everything that was asked for, by entry.  One thread changes it at a time."""

    def __init__(self) -> None:
        self.asks: dict[int, Ask] = {}

    def apply(self, one: Happened) -> None:
        """Take one more entry in.  Total: what does not fit changes nothing."""
        if one.what == "action.asked":
            given = one.data.get("given")
            self.asks[one.index] = Ask(
                entry=one.index,
                action=one.text("action"),
                verb=one.text("verb"),
                project=one.text("project"),
                digest=one.text("digest"),
                given=given if isinstance(given, dict) else None,
                why=one.text("why"),
                by=one.by,
                time=one.time,
                until=one.text("until"),
            )
            return
        number = one.data.get("asked")
        ask = self.asks.get(number) if isinstance(number, int) else None
        if ask is None or ask.ended >= 0:
            return
        if one.what == "action.confirmed" and ask.confirmed < 0:
            self.asks[ask.entry] = msgspec.structs.replace(
                ask, confirmed=one.index, confirmed_by=one.by
            )
        elif one.what == "action.ended":
            self.asks[ask.entry] = msgspec.structs.replace(
                ask, ended=one.index, how=one.text("how"), outcome=one.text("why")
            )
