"""The entrance: who it is, proven by a passkey, a provider or a link, becomes a session.

What must hold: nothing lets anybody in but what the log `_access` gives them at this moment: a
passkey that is not removed, of a person who is not; an account that signs in as them.  A passkey
is enrolled on the word of somebody else (an invitation, whoever holds the ledger's files) or of a
passkey the same person has, and the log says whose word it was.  What somebody did here is an
event before they are told it worked.

If we crash after a link or a challenge was used up and before the event: nobody is let in, and
the person asks for another.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from counterfoil.app import invitations, signin
from counterfoil.app.access import Access
from counterfoil.app.config import OidcConfig
from counterfoil.app.invitations import Invited
from counterfoil.app.oidc import Oidc, Proven
from counterfoil.app.passkeys import Enrolled, Key, Passkeys, digest, refuse, relying_party
from counterfoil.app.sessions import Began, Opened, Session, Sessions, Visitor
from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.ids import Randomness
from counterfoil.policy.access import Credential
from counterfoil.policy.directory import Actor, Passkey
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.state import State

SIGN_IN: Final = "sign-in"
STEP_UP: Final = "step-up"
OWN_KEY: Final = "own-key"
INVITATION: Final = "invitation"
LINK: Final = "link"
NAME_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Signed:
    """Somebody is signed in; `back` is the path they wanted."""

    opened: Opened
    back: str


@dataclass(frozen=True, slots=True)
class Linked:
    """An account of a provider signs somebody in from here on."""

    account: str


class Entrance:
    """Signing in to one open ledger at one address.  Safe to call from several threads.

    Args:
        directory: of the ledger.
        access: who there is, and where what happens here is recorded.
        keys: knows the people behind accounts.
        state: what is kept between two requests.
        clock, randomness: for sessions, challenges and links.
        public_url: where people reach the server, without a slash at the end.
        providers: `[oidc.NAME]` of the settings.

    Raises:
        RequestError: `config_invalid`: a provider's secret is not where the settings say.
    """

    def __init__(
        self,
        directory: Path,
        access: Access,
        keys: ErasableStore,
        state: State,
        clock: Clock,
        randomness: Randomness,
        *,
        public_url: str,
        providers: Mapping[str, OidcConfig],
    ) -> None:
        self._access = access
        self._keys = keys
        self._state = state
        self._clock = clock
        self._randomness = randomness
        self.sessions = Sessions(state.sign_in, clock, randomness)
        self.party = relying_party(public_url)
        self.oidc = Oidc(directory, providers, public_url, state.sign_in, clock, randomness)

    def credential(self, session: Session) -> Credential | None:
        """Return what a session is worth at the door; None if who holds it is gone."""
        if not session.actor:
            return signin.credential_of(session, session.handle)
        actor = self._access.directory.actor(session.actor)
        return None if actor is None else signin.credential_of(session, actor.handle)

    # Passkeys.

    def ask_passkey(self, flow: str, back: str) -> str:
        """Return what a browser needs to show a passkey and be signed in, as JSON."""
        return self._passkeys.ask(holder=flow, purpose=SIGN_IN, detail=back)

    def sign_in(self, answer: bytes, flow: str, visitor: Visitor) -> Signed:
        """Sign in whoever showed a passkey.

        Raises:
            RequestError: `sign_in_refused`, with the `reason`.
        """
        shown = self._passkeys.check_shown(
            answer, holder=flow, purpose=SIGN_IN, find=self._find_key
        )
        actor = self._person(shown.key.actor)
        return Signed(self._open(actor, "passkey", shown.key.id, visitor), shown.detail)

    def ask_step_up(self, session: Session, cookie: str) -> str:
        """Return what a browser needs to show a passkey of who is signed in, as JSON.

        Raises:
            RequestError: `sign_in_refused`: they have none.
        """
        known = [key.id for key in self.passkeys_of(session.actor)]
        if not known:
            refuse("no-passkey", "you have no passkey; enrol one on the page of your account")
        return self._passkeys.ask(holder=cookie, purpose=STEP_UP, actor=session.actor, known=known)

    def step_up(self, answer: bytes, session: Session, cookie: str) -> Opened:
        """Give a session a fresh cookie, its holder having shown a passkey.

        Raises:
            RequestError: `sign_in_refused`, with the `reason`.
        """
        shown = self._passkeys.check_shown(
            answer, holder=cookie, purpose=STEP_UP, find=self._find_key, actor=session.actor
        )
        actor = self._person(session.actor)
        opened = self.sessions.step_up(cookie)
        if opened is None:
            refuse("session", "this session ended meanwhile; sign in again")
        self._enact(
            "session.verified",
            signin.credential_of(opened.session, actor.handle),
            subject=session.id,
            data={"with": shown.key.id},
            named=[(self._access.account_ref(actor.handle), "holder")],
        )
        return opened

    def passkeys_of(self, actor: str) -> list[Passkey]:
        """Return the passkeys that let somebody in here, in the order they were enrolled."""
        keys = list(self._access.directory.passkeys.values())
        found = [key for key in keys if key.actor == actor and self._is_good(key)]
        return sorted(found, key=lambda key: key.entry) if actor else []

    def accounts_of(self, actor: str) -> list[str]:
        """Return the accounts that sign somebody in at this moment, in the order of linking."""
        now = format_time(self._clock.now())
        links = self._access.directory.accounts_of(actor) if actor else []
        people = [
            self._keys.person_by_pseudonym(link.account)
            for link in links
            if link.signs_in and link.holds(now)
        ]
        return [person.account for person in people if person is not None]

    def ask_own_key(self, session: Session, cookie: str) -> str:
        """Return what a browser needs to make a passkey for who is signed in, as JSON.

        Raises:
            RequestError: `step_up_needed`, `sign_in_refused`: nobody vouches for them.
        """
        self._vouched(session)
        actor = self._person(session.actor)
        return self._ask_to_enrol(actor, cookie, OWN_KEY)

    def add_own_key(self, answer: bytes, name: str, session: Session, cookie: str) -> str:
        """Enrol a passkey for who is signed in; return its id.

        Raises:
            RequestError: `step_up_needed`; `sign_in_refused`, with the `reason`.
        """
        vouched = self._vouched(session)
        actor = self._person(session.actor)
        made = self._passkeys.check_enrolled(
            answer, holder=cookie, purpose=OWN_KEY, actor=actor.ref
        )
        credential = signin.credential_of(session, actor.handle)
        self._enrol(actor, made, name, credential, {"vouched": vouched})
        return made.id

    def _vouched(self, session: Session) -> str:
        """Return whose word lets who is signed in enrol a passkey."""
        if session.began == "link":
            return "files"
        if not self.passkeys_of(session.actor):
            refuse(
                "not-vouched",
                "a provider's word enrols no first passkey; ask somebody for an invitation",
            )
        if not self.sessions.is_fresh(session):
            raise RequestError(
                "step_up_needed", "show a passkey you have first, then enrol another"
            )
        return OWN_KEY

    # Invitations.

    def invitation(self, token: str) -> Invited | None:
        """Return what an invitation's link is good for, without using it."""
        return invitations.invited(self._access, self._state.sign_in, self._clock, token)

    def ask_invited(self, token: str, flow: str) -> str:
        """Return what a browser needs to make an invited person's passkey, as JSON.

        Raises:
            RequestError: `sign_in_refused`: the invitation was used or is over.
        """
        invited = self._invited(token)
        return self._ask_to_enrol(invited.actor, flow, _invitation(token))

    def accept(self, token: str, answer: bytes, name: str, flow: str, visitor: Visitor) -> Signed:
        """Enrol an invited person's passkey, use the invitation up, and sign them in.

        Raises:
            RequestError: `sign_in_refused`, with the `reason`.
        """
        invited = self._invited(token)
        made = self._passkeys.check_enrolled(
            answer, holder=flow, purpose=_invitation(token), actor=invited.actor.ref
        )
        self._require_unknown(made)
        self._use(token)
        opened = self._begin(invited.actor, "passkey", made.id, visitor)
        credential = signin.credential_of(opened.session, invited.actor.handle)
        self._enrol(
            invited.actor, made, name, credential,
            {"vouched": INVITATION, "invitation": invited.id}, vouched_by=invited.by,
        )  # fmt: skip
        self._record_opened(opened, invited.actor)
        return Signed(opened, "/")

    def _invited(self, token: str) -> Invited:
        found = self.invitation(token)
        if found is None:
            refuse("invitation", "this invitation was used or is over")
        return found

    def _use(self, token: str) -> None:
        used = self._state.sign_in.use_link(
            digest(token), invitations.PURPOSE, format_time(self._clock.now())
        )
        if used is None:
            refuse("invitation", "this invitation was used meanwhile")

    # Providers.

    def begin_provider(self, name: str, flow: str, back: str) -> str:
        """Return where a browser is sent to sign in with a provider."""
        return self.oidc.begin(name, holder=flow, purpose=SIGN_IN, detail=back)

    def begin_invited(self, name: str, token: str, flow: str) -> str:
        """Return where an invited person is sent to sign in with a provider from here on.

        Raises:
            RequestError: `sign_in_refused`: the invitation was used or is over.
        """
        invited = self._invited(token)
        # What is kept is the digest: whoever reads it cannot accept for the person.
        return self.oidc.begin(
            name,
            holder=flow,
            purpose=INVITATION,
            actor=invited.actor.ref,
            detail=digest(token).hex(),
        )

    def begin_linking(self, name: str, session: Session, flow: str) -> str:
        """Return where somebody is sent to link an account they have at a provider.

        Raises:
            RequestError: `step_up_needed`.
        """
        if not self.sessions.is_fresh(session):
            raise RequestError("step_up_needed", "show your passkey first, then link an account")
        return self.oidc.begin(
            name, holder=flow, purpose=LINK, actor=session.actor, detail=session.id
        )

    def finish_provider(
        self,
        name: str,
        answer: Mapping[str, str],
        flow: str,
        session: Session | None,
        visitor: Visitor,
    ) -> Signed | Linked:
        """Do what a browser was sent to a provider for.

        Args:
            name: of the provider.
            answer: the query it came back with.
            flow: the secret of the browser.
            session: who is signed in already, if anybody is.
            visitor: what the browser says about itself.

        Raises:
            RequestError: `sign_in_refused`, with the `reason`; `unlinked` is somebody the
                provider knows and this ledger does not.
            UnavailableError: `unreachable`: the provider cannot be asked now.
        """
        proven = self.oidc.finish(name, answer, holder=flow)
        if proven.purpose == LINK:
            return self._link(proven, session)
        if proven.purpose == INVITATION:
            return self._accept_account(proven, visitor)
        actor = self._owner(proven.account)
        if actor is None:
            refuse(
                "unlinked",
                f"{proven.provider.title} knows you, this ledger does not; ask for an invitation",
            )
        return Signed(self._open(actor, "oidc", name, visitor), proven.detail)

    def _link(self, proven: Proven, session: Session | None) -> Linked:
        if session is None or session.id != proven.detail or session.actor != proven.actor:
            refuse("session", "the session that began this is over; sign in and begin again")
        if not self.sessions.is_fresh(session):
            raise RequestError("step_up_needed", "that took too long: show your passkey again")
        actor = self._person(session.actor)
        credential = signin.credential_of(session, actor.handle)
        self._require_free(proven.account, actor)
        self._link_account(actor, proven.account, credential, [])
        return Linked(proven.account)

    def _accept_account(self, proven: Proven, visitor: Visitor) -> Signed:
        actor = self._person(proven.actor)
        self._require_free(proven.account, actor)
        link = self._state.sign_in.use_link(
            bytes.fromhex(proven.detail), invitations.PURPOSE, format_time(self._clock.now())
        )
        found = self._access.directory.invitations.get(link.detail) if link is not None else None
        if link is None or found is None or link.actor != actor.ref:
            refuse("invitation", "this invitation was used or is over")
        opened = self._begin(actor, "oidc", proven.provider.name, visitor)
        credential = signin.credential_of(opened.session, actor.handle)
        by = self._access.directory.actor(found.by)
        named = [(self._access.account_ref(by.handle), "vouched-by")] if by is not None else []
        self._link_account(actor, proven.account, credential, named, found.id)
        self._record_opened(opened, actor)
        return Signed(opened, "/")

    def _require_free(self, account: str, actor: Actor) -> None:
        owner = self._owner(account)
        if owner is not None and owner.ref != actor.ref:
            refuse("other-person", "this account signs somebody else in already")

    def _owner(self, account: str) -> Actor | None:
        """Return whom an account signs in at this moment."""
        known = self._keys.known_people([account]).get(account)
        if known is None:
            return None
        now = format_time(self._clock.now())
        for link in self._access.directory.links.get(known.pseudonym, ()):
            if link.signs_in and link.holds(now):
                return self._access.directory.actor(link.actor)
        return None

    def _link_account(
        self,
        actor: Actor,
        account: str,
        credential: Credential,
        named: list[tuple[str, str]],
        invitation: str = "",
    ) -> None:
        self._enact(
            "account.linked",
            credential,
            subject=self._access.account_ref(actor.handle),
            data={"how": "ceremony", "signs_in": True, "invitation": invitation or None},
            named=[(f"actor:{account}", "account"), *named],
        )

    # Links, and the end.

    def use_link(self, token: str, visitor: Visitor) -> Opened | None:
        """Use up a one-time link and start a session; None when it is used or over.

        Raises:
            RequestError: `sign_in_refused`: it names nobody, and somebody is enrolled: from then
                on a link of the ledger's owner names whom it lets in.
        """
        link = signin.link_of(self._state, self._clock, token)
        if link is not None and not link.actor and self._access.directory.anybody_enrolled():
            refuse(
                "unnamed",
                "people are enrolled here, so a link names one: counterfoil admin sign-in --as HANDLE",
            )
        if link is not None and link.actor:
            self._person(link.actor)
        opened = signin.open_session(self._state, self._clock, self._randomness, token, visitor)
        if opened is not None:
            actor = self._access.directory.actor(opened.session.actor)
            self._record_opened(opened, actor)
        return opened

    def sign_out(self, session: Session, cookie: str) -> None:
        """End a session because its holder says so."""
        self._record_ended(self.sessions.end(cookie), session, "signed out")

    def end_own(self, session: Session, session_id: str) -> None:
        """End one session of who is signed in, or with "" all but the one they are in."""
        ids = [session_id] if session_id else [
            one.id for one in self.sessions.listed(session.actor) if one.id != session.id
        ]  # fmt: skip
        for one in ids if session.actor else []:
            ended = self.sessions.end_where(session_id=one, actor=session.actor)
            self._record_ended(ended, session, "ended by its holder")

    def remove_own_key(self, session: Session, passkey: str, reason: str) -> None:
        """Remove a passkey of who is signed in; sessions begun with it end.

        Raises:
            RequestError: `not_found`, `step_up_needed`.
        """
        actor = self._person(session.actor)
        if passkey not in {key.id for key in self.passkeys_of(actor.ref)}:
            raise RequestError("not_found", "you have no such passkey")
        if not self.sessions.is_fresh(session) and session.began != "link":
            raise RequestError("step_up_needed", "show a passkey first, then remove one")
        self._enact(
            "passkey.removed",
            signin.credential_of(session, actor.handle),
            subject=self._access.account_ref(actor.handle),
            data={"passkey": passkey, "reason": reason[:200] or None},
        )
        ended = self.sessions.end_where(actor=actor.ref, using=passkey)
        self._record_ended(ended, session, "its passkey was removed")

    # What they share.

    @functools.cached_property
    def _passkeys(self) -> Passkeys:
        if self.party is None:
            refuse("no-passkeys", "passkeys need https and a name; this address has not both")
        return Passkeys(self.party, self._state.sign_in, self._clock, self._randomness)

    def _find_key(self, passkey: str) -> Key | None:
        found = self._access.directory.passkeys.get(passkey)
        if found is None or not self._is_good(found):
            return None
        return Key(found.id, found.actor, found.public_key, found.counter)

    def _is_good(self, key: Passkey) -> bool:
        here = self.party is not None and key.rp == self.party.id
        return here and key.removed < 0 and self._access.directory.actor(key.actor) is not None

    def _person(self, ref: str) -> Actor:
        actor = self._access.directory.actor(ref)
        if actor is None or actor.kind != "person":
            refuse("person", "only a person who is known here can do this")
        return actor

    def _ask_to_enrol(self, actor: Actor, holder: str, purpose: str) -> str:
        return self._passkeys.ask_to_enrol(
            holder=holder,
            purpose=purpose,
            actor=actor.ref,
            handle=actor.handle,
            known=[key.id for key in self.passkeys_of(actor.ref)],
        )

    def _enrol(
        self,
        actor: Actor,
        made: Enrolled,
        name: str,
        credential: Credential,
        vouched: Mapping[str, JSON],
        vouched_by: str = "",
    ) -> None:
        self._require_unknown(made)
        by = self._access.directory.actor(vouched_by) if vouched_by else None
        self._enact(
            "passkey.enrolled",
            credential,
            subject=self._access.account_ref(actor.handle),
            data={
                "passkey": made.id,
                "name": name.strip()[:NAME_MAX] or "passkey",
                "public_key": made.public_key,
                "counter": made.counter,
                "aaguid": made.aaguid or None,
                "backed_up": made.backed_up,
                "rp": self._passkeys.party.id,
                **vouched,
            },
            named=[(self._access.account_ref(by.handle), "vouched-by")] if by is not None else [],
        )

    def _require_unknown(self, made: Enrolled) -> None:
        if made.id in self._access.directory.passkeys:
            refuse("known", "this passkey is enrolled already")

    def _open(self, actor: Actor, began: Began, using: str, visitor: Visitor) -> Opened:
        opened = self._begin(actor, began, using, visitor)
        self._record_opened(opened, actor)
        return opened

    def _begin(self, actor: Actor, began: Began, using: str, visitor: Visitor) -> Opened:
        return self.sessions.open(
            actor=actor.ref, handle=actor.handle, began=began, using=using, visitor=visitor
        )

    def _record_opened(self, opened: Opened, actor: Actor | None) -> None:
        session = opened.session
        self._enact(
            "session.opened",
            signin.credential_of(session, session.handle),
            subject=session.id,
            data={"how": session.began, "with": session.using or None, "until": session.expires},
            named=[(self._access.account_ref(actor.handle), "holder")] if actor is not None else [],
        )

    def _record_ended(self, ended: list[Session], by: Session, how: str) -> None:
        for session in ended:
            actor = self._access.directory.actor(session.actor)
            self._enact(
                "session.ended",
                signin.credential_of(by, by.handle),
                subject=session.id,
                data={"how": how},
                named=[(self._access.account_ref(actor.handle), "holder")]
                if actor is not None
                else [],
            )

    def _enact(
        self,
        what: str,
        credential: Credential,
        *,
        subject: str,
        data: Mapping[str, JSON],
        named: list[tuple[str, str]] | None = None,
    ) -> None:
        event = self._access.event(what, credential, subject=subject, data=data, named=named or [])
        self._access.enact([event], credential, "web")


def _invitation(token: str) -> str:
    """Return the purpose of a challenge that only the holder of an invitation can answer."""
    return f"{INVITATION}:{digest(token).hex()}"
