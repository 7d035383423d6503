"""Who did it, as shown to people: pseudonyms become handles, and how we know is said.

A pseudonym opens as long as the person's key is there; after erasure it stays a pseudonym for
ever.  "Proven" is said only when whoever holds the credential an entry came under is the actor:
what a sender says about others stays a claim, however trusted the sender, and is at most matched
with the directory.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from counterfoil.app.answers import ActorView
from counterfoil.app.opening import RangeKeys
from counterfoil.events.entry import Entry, read_entry
from counterfoil.ledger.store import KeyStore, LogReads
from counterfoil.policy.directory import Actor, Directory

NOBODY = ActorView(ref="", handle="nobody", kind="nobody", how="claimed")
ERASED = "erased"
LATEST = "9999"
REMEMBERED_MAX = 10_000

# CloudEvents extension "Auth Context", authtype -> kind of actor.
_KINDS = {
    "user": "person",
    "app_user": "person",
    "service_account": "service",
    "api_key": "service",
    "system": "service",
    "agent": "agent",
    "unauthenticated": "nobody",
}
# Handles of the credentials whose ids are fixed; those of sessions are not kept in entries.
_HANDLES = {"server": "counterfoil", "local": "local", "token:admin": "administrator"}


def known_handle(recordedby: str) -> str | None:
    """Return the handle of a credential by its id, or None if the id alone does not tell."""
    return _HANDLES.get(recordedby)


def authtype_of(body: bytes | None) -> str | None:
    """Return the authtype an event's body states; None once erased."""
    whole = msgspec.json.decode(body) if body is not None else None
    authtype = whole.get("authtype") if isinstance(whole, dict) else None
    return authtype if isinstance(authtype, str) else None


class Acted(Protocol):
    """What is asked of the rows."""

    def acted(self, projects: Sequence[str], actor: str) -> Mapping[str, int]:
        """Return the last entry this pseudonym is the actor of, in each project where it is."""
        ...


class _Act(NamedTuple):
    """What an entry says about who did it, and when it was recorded."""

    authtype: str | None
    recordedby: str
    at: str


# Who is only named is matched as things stand: nothing says when that was.
_NAMED: Final = _Act(None, "", LATEST)


class Actors:
    """Turns pseudonyms into actors.

    Args:
        log, keys, rows: where to look.
        directory: who there is; an empty one where nobody looks after it.
        handle_of: credential id -> handle, None if unknown.
    """

    def __init__(
        self, log: LogReads, keys: KeyStore, rows: Acted, directory: Directory,
        handle_of: Callable[[str], str | None] = known_handle,
    ) -> None:  # fmt: skip
        self._log = log
        self._keys = keys
        self._rows = rows
        self._directory = directory
        self._handle_of = handle_of
        self._remembered: dict[str, tuple[Mapping[str, int], _Act]] = {}

    def view(self, ref: str | None, authtype: str | None, recordedby: str, at: str) -> ActorView:
        """Return the actor of one entry.

        Args:
            ref: the pseudonym, None if the entry names nobody.
            authtype: what the event says the account is; None if that is erased.
            recordedby: id of the credential the entry came under.
            at: when it was recorded: whose account it was then is what counts.
        """
        held = self._directory.holder_of(recordedby)
        prover = held.handle if held is not None else self._handle_of(recordedby) or ""
        if ref is None:
            return dataclasses.replace(NOBODY, credential=recordedby, prover=prover)
        person = self._keys.person_by_pseudonym(ref)
        if person is None:
            return ActorView(
                ref, ERASED, _kind(authtype, ""), "claimed", credential=recordedby, prover=prover
            )
        account = person.account
        owner = self._directory.owner_of(ref, at)
        itself = account == recordedby or account == self._handle_of(recordedby)
        if itself or (owner is not None and held is not None and owner.ref == held.ref):
            how = "proven"
        else:
            how = "claimed" if owner is None else "matched"
        return ActorView(
            ref=ref,
            handle=account,
            kind=_kind(authtype, account) if owner is None else owner.kind,
            how=how,
            matched="" if owner is None else owner.handle,
            credential=recordedby,
            prover=prover,
            behalf=self._behalf(owner, at),
        )

    def of_entry(self, ref: str | None, entry: Entry, body: bytes | None) -> ActorView:
        """Return the actor of an entry whose body is at hand."""
        return self.view(ref, authtype_of(body), entry.recordedby, entry.recordedtime)

    def resolve(self, ref: str) -> ActorView:
        """Return an actor by pseudonym alone: kind and how as of the last thing they did.

        That is the entry recorded last over all projects, as far as the rows have followed.
        Somebody who is only named (an author, a reviewer) is a person by somebody's claim.
        """
        return self.view(ref, *self._last_act(ref))

    def _behalf(self, owner: Actor | None, at: str) -> str:
        if owner is None:
            return ""
        answers = self._directory.actors.get(self._directory.behalf_of(owner.ref, at))
        return "" if answers is None else answers.handle

    def _last_act(self, ref: str) -> _Act:
        lasts = self._rows.acted([info.project for info in self._log.projects()], ref)
        known = self._remembered.get(ref)
        if known is not None and known[0] == lasts:
            return known[1]
        acts = [self._act(project, index) for project, index in lasts.items()]
        found = max(acts, key=lambda act: act.at, default=_NAMED)
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()
        self._remembered[ref] = lasts, found
        return found

    def _act(self, project: str, index: int) -> _Act:
        [kept] = self._log.kept(project, index, index + 1)
        entry = read_entry(kept.entry)
        body = RangeKeys(self._keys, project, index, index + 1).open_body(entry, kept)
        return _Act(authtype_of(body), entry.recordedby, entry.recordedtime)


def _kind(authtype: str | None, account: str) -> str:
    if account.endswith("[bot]"):
        return "service"
    return _KINDS.get(authtype or "user", "service")
