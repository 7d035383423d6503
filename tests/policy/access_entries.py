"""A log `_access` in the making, an entry an hour, for tests of the directory."""

from collections.abc import Sequence
from typing import Any

from counterfoil.events.refs import Named
from counterfoil.policy.directory import Directory, Happened, fold

ANA, BO, CY, BOT = "actor:ana", "actor:bo", "actor:cy", "actor:bot"
GITHUB, MAIL = "actor:github-ana", "actor:mail-ana"
HANDLES = {
    ANA: "counterfoil:ana",
    BO: "counterfoil:bo",
    CY: "counterfoil:cy",
    BOT: "counterfoil:bot",
}
TEAM = "team:checkout"


class Log:
    """A log in the making: one entry an hour from midnight on."""

    def __init__(self) -> None:
        self.entries: list[Happened] = []

    def add(
        self, what: str, subject: str, data: dict[str, Any] | None = None,
        named: Sequence[tuple[str, str]] = (), **more: Any,
    ) -> str:  # fmt: skip
        """Add an entry and return when it was recorded."""
        index = len(self.entries)
        time = f"2026-11-{1 + index // 24:02d}T{index % 24:02d}:00:00.000Z"
        self.entries.append(
            Happened(
                index=index, what=what, subject=subject, data=data or {}, time=time,
                refs=tuple(Named(ref=ref, role=role) for ref, role in named),
                accounts=HANDLES, **more,
            )
        )  # fmt: skip
        return time

    def person(self, *refs: str) -> None:
        """Describe persons."""
        for ref in refs:
            self.add("actor.described", ref, {"kind": "person"}, name=ref[6:].title())

    def fold(self) -> Directory:
        """Return the directory as of the last entry."""
        return fold(self.entries)


LATER = "2027-06-01"
