"""What two people decide: asked for in the log, done when another person agrees.

An action asks for it where a policy would say yes if a second person had confirmed, or where the
action itself says that one person is not enough.  What must hold: what is done is what was asked,
by digest; the second is another person, allowed the same, not through the first; the yes is in the
log before anything is done.  If we crash between the yes and the deed, whoever repeats the yes
does it, and nobody else's is needed.
"""

import dataclasses
import hashlib
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from counterfoil.app.access import Access
from counterfoil.app.access_log import what_of
from counterfoil.app.around import Circumstances
from counterfoil.app.opening import open_all
from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError
from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import read_entry
from counterfoil.ledger.store import Kept, KeyStore, LogReads
from counterfoil.policy.access import LOG, Credential
from counterfoil.policy.asked import OPEN_FOR, Ask, Asked
from counterfoil.policy.known import Happened
from counterfoil.policy.places import place_of

if TYPE_CHECKING:
    from counterfoil.app.actions import Acting, Action

PART: Final = 1_000
_MARK: Final = b"counterfoil-action."
_GIVEN: Final = "/data/given"
_KEPT_PERSONAL: Final = ("body", _GIVEN)
ONE_PERSON: Final = "this takes two people, and whoever asks has to be one: sign in as a person"


def digest_of(action: str, given: Mapping[str, JSON]) -> str:
    """Return what a second person agrees to, by digest.

    Source: docs/adr/0033.
    """
    text = canonical.write({"action": action, "given": dict(given)})
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


class Asks:
    """What was asked for in one open ledger.  Safe to call from several threads.

    Args:
        log, keys: where `_access` is read.
        access: who is allowed what, and what records.
        clock: now.
    """

    def __init__(self, log: LogReads, keys: KeyStore, access: Access, clock: Clock) -> None:
        self._log = log
        self._keys = keys
        self._access = access
        self._clock = clock
        self._asked = Asked()
        self._told: list[Happened] = []
        self._size = 0
        self._lock = threading.Lock()
        self.deciding = threading.Lock()
        """Held from a second person's check to the end of what they agreed to: it is done once."""

    def all(self) -> list[Ask]:
        """Return everything that was asked for, the latest first.

        Cost: the first time, 2 us for each entry of `_access`; then what came since.
        """
        with self._lock:
            self._catch_up()
            return sorted(self._asked.asks.values(), key=lambda one: -one.entry)

    def at(self, size: int) -> list[Ask]:
        """Return what was asked for when `_access` had `size` entries, the latest first."""
        with self._lock:
            self._catch_up()
            told = [one for one in self._told if one.index < size]
        asked = Asked()
        for one in told:
            asked.apply(one)
        return sorted(asked.asks.values(), key=lambda one: -one.entry)

    def get(self, entry: int) -> Ask:
        """Return what an entry asked for.

        Raises:
            RequestError: `not_found`.
        """
        with self._lock:
            self._catch_up()
            found = self._asked.asks.get(entry)
        if found is None:
            raise RequestError(
                "not_found", f"entry {entry} of {LOG} asks for nothing; counterfoil confirm lists"
            )
        return found

    def ask(self, acting: "Acting", action: "Action", project: str, why: str) -> Ask:
        """Record that somebody asks for an action.

        Raises:
            RequestError: `two_people`: whoever asks is no person.
        """
        credential = acting.credential
        self._require_person(credential)
        given = action.kept(acting)
        event = self._access.event(
            "action.asked",
            credential,
            subject=None,
            data={
                "action": action.name, "verb": action.verb, "project": project,
                "digest": digest_of(action.name, given), "given": given, "why": why,
                "until": format_time(self._clock.now() + OPEN_FOR),
            },
        )  # fmt: skip
        [answer] = self._access.enact([event], credential, acting.via)
        return self.get(answer.index)

    def require_second(self, ask: Ask, credential: Credential) -> None:
        """Refuse whoever may not be the second person for something, or not any more.

        Raises:
            RequestError: `two_people`: no person; `confirm_refused`: it does not wait, the same
                person asked, or who asked may no more; `not_allowed`.
        """
        self._require_person(credential)
        now = format_time(self._clock.now())
        self._require_open(ask, credential, now)
        asker = self._person_of(ask.by, now)
        if asker == credential.actor:
            raise RequestError(
                "confirm_refused",
                f"you asked for this yourself (entry {ask.entry}); another person has to agree",
            )
        place = place_of(ask.project)
        first = Credential(
            "session:asked", "session", "", actor=asker, verified=now, confirmed=True
        )
        if not asker or not self._access.ask(first, ask.verb, place).allowed:
            raise RequestError(
                "confirm_refused", f"whoever asked in entry {ask.entry} may not {ask.verb} any more"
            )
        # Whoever stands in for the first is the first, as far as they have it from them.
        second = dataclasses.replace(credential, confirmed=True)
        decision = self._access.ask(second, ask.verb, place, Circumstances(authors=(asker,)))
        if not decision.allowed:
            raise RequestError("not_allowed", "; ".join(decision.reasons))

    def confirm(self, ask: Ask, credential: Credential, via: str) -> int:
        """Record another person's yes; return its entry.  `require_second` was asked before."""
        return self._record(
            "action.confirmed",
            {"asked": ask.entry, "action": ask.action, "digest": ask.digest},
            credential,
            via,
        )

    def end(
        self, ask: Ask, credential: Credential, via: str, how: str, why: str = "",
        entries: tuple[int, ...] = (),
    ) -> int:  # fmt: skip
        """Record what came of something; return the entry."""
        data: dict[str, JSON] = {
            "asked": ask.entry, "action": ask.action, "how": how, "why": why or None,
            "project": ask.project, "entries": list(entries) or None,
        }  # fmt: skip
        return self._record("action.ended", data, credential, via)

    def _record(self, what: str, data: dict[str, JSON], credential: Credential, via: str) -> int:
        event = self._access.event(what, credential, subject=None, data=data)
        [answer] = self._access.enact([event], credential, via)
        return answer.index

    def _require_person(self, credential: Credential) -> None:
        actor = self._access.directory.let_in(credential.actor) if credential.actor else None
        if actor is None or actor.kind != "person":
            raise RequestError("two_people", ONE_PERSON)

    def _require_open(self, ask: Ask, credential: Credential, now: str) -> None:
        if ask.under_way() and self._person_of(ask.confirmed_by, now) == credential.actor:
            return
        if not ask.waits(now):
            state = "ended" if ask.ended >= 0 else "was confirmed" if ask.under_way() else "is over"
            raise RequestError(
                "confirm_refused", f"what entry {ask.entry} asked for {state}; ask for it again"
            )

    def _person_of(self, account: str, now: str) -> str:
        """Return the person behind the account an entry was made by; "" for nobody."""
        owner = self._access.directory.owner_of(account, now)
        ref = owner.ref if owner is not None else account
        return ref if self._access.directory.let_in(ref) is not None else ""

    def _catch_up(self) -> None:
        size = self._log.head(LOG).size
        for first in range(self._size, size, PART):
            for kept in self._log.kept(LOG, first, min(first + PART, size)):
                if _MARK in kept.entry:
                    self._take(kept)
        self._size = size

    def _take(self, kept: Kept) -> None:
        entry = read_entry(kept.entry)
        what = what_of(entry.type)
        if not what.startswith("action."):
            return
        opened = open_all(entry, kept, self._keys, LOG, _KEPT_PERSONAL)
        body = msgspec.json.decode(opened.body) if opened.body is not None else {}
        data = dict(body.get("data") or {})
        if _GIVEN in opened.personal:
            data["given"] = opened.personal[_GIVEN]
        by = next((one.ref for one in reversed(entry.refs) if one.role == "actor"), "")
        self._told.append(
            Happened(
                index=kept.index, what=what, subject="", refs=entry.refs, data=data,
                time=entry.recordedtime, by=by, credential=entry.recordedby,
            )
        )  # fmt: skip
        self._asked.apply(self._told[-1])
