"""What an approval rests on besides roles: who made what is approved, who changed the gate.

What must hold: the rows have everything recorded so far before they are asked; whoever cannot be
told apart from an author counts as one.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from counterfoil.app.access import Circumstances
from counterfoil.app.follow import Follower
from counterfoil.app.read import Reader
from counterfoil.clock import Clock, format_time
from counterfoil.events.kinds import OWN
from counterfoil.policy.directory import Directory

GATE_REST: Final = timedelta(hours=24)
_MADE_IN: Final = frozenset({"Commits", "Change"})
_PASSED_OVER: Final = ("actor:", "env:", "gate:", "token:", "session:")
CHANGES_MAX: Final = 500
REFS_MAX: Final = 16


class Looking:
    """Finds the circumstances of approvals in the rows of one ledger."""

    def __init__(
        self, reader: Reader, follower: Follower, directory: Directory, clock: Clock
    ) -> None:
        self._reader = reader
        self._follower = follower
        self._directory = directory
        self._clock = clock

    def __call__(self, project: str, refs: Sequence[str]) -> Circumstances:
        """Return the circumstances of approving something.

        Args:
            project: whose rows.
            refs: the approval first, then what it names: releases, changes, the `env:`.
        """
        self._follower.catch_up(project)
        return Circumstances(self._changers(project, refs), self._authors(project, refs))

    def _changers(self, project: str, refs: Sequence[str]) -> tuple[str, ...]:
        since = format_time(self._clock.now() - GATE_REST)
        found: set[str] = set()
        for place in (ref for ref in refs if ref.startswith(("env:", "gate:"))):
            query = f'type:{OWN}gate.changed* ref:"{place}"'
            cursor: str | None = None
            for _ in range(CHANGES_MAX):
                part = self._reader.search(project, query, cursor=cursor)
                recent = [line for line in part.items if line.recordedtime > since]
                for line in recent:
                    found.update(self._people(line.actor.ref, line.actor.credential))
                cursor = part.next
                if cursor is None or len(recent) < len(part.items):
                    break
        return tuple(sorted(found))

    def _authors(self, project: str, refs: Sequence[str]) -> tuple[str, ...]:
        about = [ref for ref in refs if not ref.startswith(_PASSED_OVER)]
        for approval in [ref for ref in about if ref.startswith("approval:")]:
            row = self._reader.approval(project, approval)
            if row is not None:
                about += [piece.ref for piece in row.approves]
        found: set[str] = set()
        for ref in list(dict.fromkeys(about))[:REFS_MAX]:
            trace = self._reader.trace(project, ref)
            for step in trace.steps:
                asked = step.lane == "Approval" and step.sentence.startswith("asked")
                if step.actor is not None and (step.lane in _MADE_IN or asked):
                    found.update(self._people(step.actor, ""))
        return tuple(sorted(found))

    def _people(self, pseudonym: str, credential: str) -> set[str]:
        """Return who an account is, and who held the credential: whoever of both, it counts."""
        held = self._directory.holder_of(credential) if credential else None
        people = {self._directory.person_of(pseudonym)} if pseudonym else set()
        return people | ({held.ref} if held is not None else set())
