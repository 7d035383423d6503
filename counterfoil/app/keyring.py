"""What lets people in, as the log `_access` has it: found, enrolled, linked, and each an event.

What must hold: a passkey counts while it is not removed and whose it is, is a person who is not;
an account counts while its holder's linking of it holds.  What is changed here is in the log
before anybody is told that it worked.
"""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from counterfoil.app import signin
from counterfoil.app.access import Access
from counterfoil.app.proving import refuse, relying_party
from counterfoil.app.sessions import Began, Opened, Session, Sessions, Visitor
from counterfoil.clock import Clock, format_time
from counterfoil.events.canonical import JSON
from counterfoil.ids import Randomness
from counterfoil.policy.access import Credential
from counterfoil.policy.directory import Actor, Link, Passkey
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.state_sign_in import SignInState

if TYPE_CHECKING:
    from counterfoil.app.passkeys import Enrolled, Key, Passkeys

NAME_MAX: Final = 60

Named = list[tuple[str, str]]


class Keyring:
    """Passkeys, accounts and sessions of one open ledger at one address.

    Args:
        access: who there is, and where what happens is recorded.
        people: knows the people behind accounts.
        state: what is kept between two requests.
        clock: the ledger's.
        randomness: for challenges and cookies.
        public_url: where people reach the server, without a slash at the end.
    """

    def __init__(
        self,
        access: Access,
        people: ErasableStore,
        state: SignInState,
        clock: Clock,
        randomness: Randomness,
        public_url: str,
    ) -> None:
        self.access = access
        self._people = people
        self._state = state
        self._clock = clock
        self._randomness = randomness
        self.sessions = Sessions(state, clock, randomness)
        self.party = relying_party(public_url)

    @functools.cached_property
    def passkeys(self) -> "Passkeys":
        """The passkey ceremonies of this address.

        Raises:
            RequestError: `sign_in_refused`: browsers make no passkeys for it.
        """
        if self.party is None:
            refuse("no-passkeys", "passkeys need https and a name; this address has not both")
        from counterfoil.app.passkeys import Passkeys  # noqa: PLC0415  heavy, and late

        return Passkeys(self.party, self._state, self._clock, self._randomness)

    def find_key(self, passkey: str) -> "Key | None":
        """Return a passkey that lets somebody in at this address, by its id."""
        found = self.access.directory.passkeys.get(passkey)
        if found is None or not self._is_good(found):
            return None
        from counterfoil.app.passkeys import Key  # noqa: PLC0415  as above

        return Key(found.id, found.actor, found.public_key, found.counter)

    def _is_good(self, key: Passkey) -> bool:
        here = self.party is not None and key.rp == self.party.id
        return here and key.removed < 0 and self.access.directory.actor(key.actor) is not None

    def person(self, ref: str) -> Actor:
        """Return a person who is known here and not removed.

        Raises:
            RequestError: `sign_in_refused`.
        """
        actor = self.access.directory.actor(ref)
        if actor is None or actor.kind != "person":
            refuse("person", "only a person who is known here can do this")
        return actor

    def ask_to_enrol(self, actor: Actor, holder: str, purpose: str) -> str:
        """Return what a browser needs to make a passkey for somebody, as JSON."""
        return self.passkeys.ask_to_enrol(
            holder=holder,
            purpose=purpose,
            actor=actor.ref,
            handle=actor.handle,
            known=[key.id for key in self.passkeys_of(actor.ref)],
        )

    def enrol(
        self,
        actor: Actor,
        made: "Enrolled",
        name: str,
        credential: Credential,
        vouched: Mapping[str, JSON],
        vouched_by: str = "",
    ) -> None:
        """Record that a passkey is somebody's from here on.

        Args:
            actor: whose.
            made: what the authenticator made.
            name: what its holder calls it.
            credential: who does it.
            vouched: on whose word, as the event says it.
            vouched_by: who invited, a pseudonym, removed since or not; "" where nobody did.

        Raises:
            RequestError: `sign_in_refused`: it is enrolled already.
        """
        self.require_unknown(made)
        self.enact(
            "passkey.enrolled",
            credential,
            subject=self.access.account_ref(actor.handle),
            data={
                "passkey": made.id,
                "name": name.strip()[:NAME_MAX] or "passkey",
                "public_key": made.public_key,
                "counter": made.counter,
                "aaguid": made.aaguid or None,
                "backed_up": made.backed_up,
                "rp": self.passkeys.party.id,
                **vouched,
            },
            named=self._vouching(vouched_by),
        )
        # Links were for whoever could not get in otherwise.  If we crash before this, one of them
        # still signs in, and enrols nothing.
        self._state.remove_links(signin.SIGN_IN, actor.ref)

    def _vouching(self, actor: str) -> Named:
        """Return how an event names who vouched; nobody whose name was erased."""
        found = self.access.directory.actors.get(actor)
        if found is None or not found.handle:
            return []
        return [(self.access.account_ref(found.handle), "vouched-by")]

    def require_unknown(self, made: "Enrolled") -> None:
        """Refuse a passkey that was ever enrolled: whose it is, is said once."""
        if made.id in self.access.directory.passkeys:
            refuse("known", "this passkey is enrolled already")

    def open(self, actor: Actor, began: Began, using: str, visitor: Visitor) -> Opened:
        """Begin a session, with its event."""
        opened = self.begin(actor, began, using, visitor)
        self.record_opened(opened, actor)
        return opened

    def begin(self, actor: Actor, began: Began, using: str, visitor: Visitor) -> Opened:
        """Begin a session whose event comes later: `record_opened`."""
        return self.sessions.open(
            actor=actor.ref, handle=actor.handle, began=began, using=using, visitor=visitor
        )

    def record_opened(self, opened: Opened, actor: Actor | None) -> None:
        """Record that a session began."""
        session = opened.session
        self.enact(
            "session.opened",
            signin.credential_of(session, session.handle),
            subject=session.id,
            data={"how": session.began, "with": session.using or None, "until": session.expires},
            named=[(self.access.account_ref(actor.handle), "holder")] if actor is not None else [],
        )

    def record_ended(self, ended: list[Session], by: Session, how: str) -> None:
        """Record that sessions ended, and who ended them."""
        for session in ended:
            actor = self.access.directory.actor(session.actor)
            self.enact(
                "session.ended",
                signin.credential_of(by, by.handle),
                subject=session.id,
                data={"how": how},
                named=[(self.access.account_ref(actor.handle), "holder")]
                if actor is not None
                else [],
            )

    def enact(
        self,
        what: str,
        credential: Credential,
        *,
        subject: str,
        data: Mapping[str, JSON],
        named: list[tuple[str, str]] | None = None,
    ) -> None:
        """Record one change, and put it in force."""
        event = self.access.event(what, credential, subject=subject, data=data, named=named or [])
        self.access.enact([event], credential, "web")

    def passkeys_of(self, actor: str) -> list[Passkey]:
        """Return the passkeys that let somebody in here, in the order they were enrolled."""
        keys = list(self.access.directory.passkeys.values())
        found = [key for key in keys if key.actor == actor and self._is_good(key)]
        return sorted(found, key=lambda key: key.entry) if actor else []

    def has_way_in(self, actor: str) -> bool:
        """Whether somebody has a passkey, for this address or another, or signs in by an account."""
        keys = list(self.access.directory.passkeys.values())
        return any(key.actor == actor and key.removed < 0 for key in keys) or any(
            link.signs_in for _, link in self.accounts_of(actor)
        )

    def accounts_of(self, actor: str) -> list[tuple[str, Link]]:
        """Return somebody's accounts at this moment with their links, in the order of linking."""
        now = format_time(self._clock.now())
        links = self.access.directory.accounts_of(actor) if actor else []
        found = [(self._people.person_by_pseudonym(one.account), one) for one in links]
        return [
            (person.account, link)
            for person, link in found
            if person is not None and link.holds(now)
        ]

    def require_free(self, account: str, actor: Actor) -> None:
        """Refuse an account that signs somebody else in.

        Raises:
            RequestError: `sign_in_refused`.
        """
        owner = self.owner_of(account)
        if owner is not None and owner.ref != actor.ref:
            refuse("other-person", "this account signs somebody else in already")

    def owner_of(self, account: str) -> Actor | None:
        """Return whom an account signs in at this moment."""
        known = self._people.known_people([account]).get(account)
        if known is None:
            return None
        now = format_time(self._clock.now())
        for link in self.access.directory.links.get(known.pseudonym, ()):
            if link.signs_in and link.holds(now):
                return self.access.directory.actor(link.actor)
        return None

    def link_account(
        self,
        actor: Actor,
        account: str,
        credential: Credential,
        vouched: Mapping[str, JSON] | None = None,
        vouched_by: str = "",
    ) -> None:
        """Record that an account signs somebody in from here on; `vouched` as for `enrol`."""
        self.enact(
            "account.linked",
            credential,
            subject=self.access.account_ref(actor.handle),
            data={"how": "ceremony", "signs_in": True, **(vouched or {})},
            named=[(f"actor:{account}", "account"), *self._vouching(vouched_by)],
        )
