"""What an approval rests on besides roles: what was asked for, who made it, who changed the gate.

What must hold: the rows have everything recorded so far before they are asked; what is approved is
what was asked for, not what whoever answers says it is; whoever cannot be told apart from an
author counts as one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from counterfoil.app.around import Circumstances
from counterfoil.app.follow import Follower
from counterfoil.app.read import Reader
from counterfoil.clock import Clock, format_time
from counterfoil.events.entry import Entry, read_entry
from counterfoil.events.kinds import OWN
from counterfoil.ledger.store import LogReads
from counterfoil.policy.directory import Directory
from counterfoil.policy.places import tier_of
from counterfoil.projections.approvals import STEPS_KEPT, ApprovalRow

GATE_REST: Final = timedelta(hours=24)
_MADE_IN: Final = frozenset({"Commits", "Change"})
_ANSWERS: Final = frozenset({"passed", "failed"})
_PASSED_OVER: Final = ("actor:", "env:", "gate:", "token:", "session:")
ANYWHERE: Final = "env:"
"""An environment nobody named: its tier is production."""
CHANGES_MAX: Final = 500
REFS_MAX: Final = 16


class Looking:
    """Finds the circumstances of approvals in the rows of one ledger.

    Args:
        reader, follower: of the rows.
        log: where entries are read, for the credentials they were recorded by.
        directory: whose accounts and credentials they are.
        tiers: environment -> tier, as the settings say.
        clock: now.
    """

    def __init__(
        self,
        reader: Reader,
        follower: Follower,
        log: LogReads,
        directory: Directory,
        tiers: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._follower = follower
        self._log = log
        self._directory = directory
        self._tiers = tiers
        self._clock = clock

    def __call__(self, project: str, refs: Sequence[str]) -> Circumstances:
        """Return the circumstances of approving something.

        Args:
            project: whose rows.
            refs: the approval first, then what else whoever answers names.
        """
        self._follower.catch_up(project)
        row = self._reader.approval(project, refs[0])
        about = self._asked_for(project, row) if row is not None else ()
        every = tuple(dict.fromkeys((*refs, *about)))
        return Circumstances(
            gate_changers=self._changers(project, every),
            authors=self._authors(project, every),
            about=about,
            asked=row is not None and any(step.state == "requested" for step in row.steps),
        )

    def _changers(self, project: str, refs: Sequence[str]) -> tuple[str, ...]:
        """Return who changed a gate in the last day that holds where the approval is.

        A gate without an environment holds everywhere; one of another environment of the same
        tier counts too, since an environment may go by several names.
        """
        since = format_time(self._clock.now() - GATE_REST)
        tiers, gates = self._tiers_of(refs), {ref for ref in refs if ref.startswith("gate:")}
        found: set[str] = set()
        cursor: str | None = None
        for _ in range(CHANGES_MAX):
            part = self._reader.search(project, f"type:{OWN}gate.changed*", cursor=cursor)
            recent = [line for line in part.items if line.recordedtime > since]
            for line in recent:
                entry = self._entry(project, line.index)
                named = [entry.subject or "", *(one.ref for one in entry.refs)]
                where = self._tiers_of(named)
                if not where or where & tiers or gates.intersection(named):
                    found |= self._who(entry, line.actor.ref)
            cursor = part.next
            if cursor is None or len(recent) < len(part.items):
                break
        return tuple(sorted(found))

    def _tiers_of(self, refs: Iterable[str]) -> set[str]:
        return {
            tier_of(ref.removeprefix("env:"), self._tiers) for ref in refs if ref.startswith("env:")
        }

    def _authors(self, project: str, refs: Sequence[str]) -> tuple[str, ...]:
        about = [ref for ref in refs if not ref.startswith(_PASSED_OVER)]
        found: set[str] = set()
        seen: set[int] = set()
        for ref in about[:REFS_MAX]:
            for step in self._reader.trace(project, ref).steps:
                asked = step.lane == "Approval" and step.outcome not in _ANSWERS
                if step.entry not in seen and (step.lane in _MADE_IN or asked):
                    seen.add(step.entry)
                    found |= self._who(self._entry(project, step.entry), step.actor or "")
        return tuple(sorted(found))

    def _asked_for(self, project: str, row: ApprovalRow) -> tuple[str, ...]:
        """Return what an approval was asked for, and where it may go by any of its requests."""
        found = [piece.ref for piece in row.approves]
        where: list[str] = []
        for step in row.steps:
            if step.state == "requested":
                named = [one.ref for one in self._entry(project, step.at.entry).refs]
                found += [ref for ref in named if ref.startswith("release:")]
                where += [ref for ref in named if ref.startswith("env:")]
        if not where or len(row.steps) >= STEPS_KEPT:
            # What let go of its first steps may have been asked for production, too.
            where.append(ANYWHERE)
        return tuple(dict.fromkeys((*found, *where)))

    def _entry(self, project: str, index: int) -> Entry:
        [entry] = self._log.entries(project, index, index + 1)
        return read_entry(entry)

    def _who(self, entry: Entry, claimed: str) -> frozenset[str]:
        """Return who an entry says did it, who held the credential, and whom those act for."""
        owners = self._owners(claimed, entry.recordedtime) if claimed else set()
        if (held := self._directory.holder_of(entry.recordedby)) is not None:
            owners.add(held.ref)
        behalves = {self._directory.behalf_of(one, entry.recordedtime) for one in owners}
        return frozenset(owners) | (behalves - {""})

    def _owners(self, account: str, at: str) -> set[str]:
        """Return whose an account may have been: then, and last; itself where it is nobody's."""
        links = self._directory.links.get(account, [])
        then = {link.actor for link in links if link.holds(at)} or {account}
        return then | {link.actor for link in links[-1:]}
