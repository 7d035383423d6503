"""The entrance: who it is, proven by a passkey, a provider or a link, becomes a session.

What must hold: nothing lets anybody in but what the log `_access` gives them at this moment: a
passkey that is not removed, of a person who is not; an account that signs in as them.  A passkey
is enrolled on the word of somebody else (an invitation, whoever holds the ledger's files) or of a
passkey the same person has, and the log says whose word it was.  What somebody did here is an
event before they are told it worked.

If we crash after a link or a challenge was used up and before the event: nobody is let in, and
the person asks for another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from counterfoil.app import invitations, signin
from counterfoil.app.config import OidcConfig
from counterfoil.app.invitations import Invited
from counterfoil.app.keyring import Keyring
from counterfoil.app.oidc import Oidc, Proven
from counterfoil.app.own_account import OwnAccount
from counterfoil.app.proving import digest, refuse
from counterfoil.app.sessions import Opened, Session, Visitor
from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError
from counterfoil.ids import Randomness
from counterfoil.policy.access import Credential
from counterfoil.stores.state import State

SIGN_IN: Final = "sign-in"
STEP_UP: Final = "step-up"
INVITATION: Final = "invitation"
LINK: Final = "link"


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
        keyring: what lets people in.
        state: what is kept between two requests.
        clock: the ledger's.
        randomness: for links and `state`.
        public_url: where people reach the server, without a slash at the end.
        providers: `[oidc.NAME]` of the settings.

    Raises:
        RequestError: `config_invalid`: a provider's secret is not where the settings say.
    """

    def __init__(
        self,
        directory: Path,
        keyring: Keyring,
        state: State,
        clock: Clock,
        randomness: Randomness,
        *,
        public_url: str,
        providers: Mapping[str, OidcConfig],
    ) -> None:
        self.keyring = keyring
        self.own = OwnAccount(keyring)
        self.sessions = keyring.sessions
        self.oidc = Oidc(directory, providers, public_url, state.sign_in, clock, randomness)
        self._access = keyring.access
        self._state = state
        self._clock = clock
        self._randomness = randomness

    def credential(self, session: Session) -> Credential | None:
        """Return what a session is worth at the door; None if who holds it is gone."""
        if not session.actor:
            return signin.credential_of(session, session.handle)
        actor = self._access.directory.actor(session.actor)
        return None if actor is None else signin.credential_of(session, actor.handle)

    # Passkeys.

    def ask_passkey(self, flow: str, back: str) -> str:
        """Return what a browser needs to show a passkey and be signed in, as JSON."""
        return self.keyring.passkeys.ask(holder=flow, purpose=SIGN_IN, detail=back)

    def sign_in(self, answer: bytes, flow: str, visitor: Visitor) -> Signed:
        """Sign in whoever showed a passkey.

        Raises:
            RequestError: `sign_in_refused`, with the `reason`.
        """
        shown = self.keyring.passkeys.check_shown(
            answer, holder=flow, purpose=SIGN_IN, find=self.keyring.find_key
        )
        actor = self.keyring.person(shown.key.actor)
        return Signed(self.keyring.open(actor, "passkey", shown.key.id, visitor), shown.detail)

    def ask_step_up(self, session: Session, cookie: str) -> str:
        """Return what a browser needs to show a passkey of who is signed in, as JSON.

        Raises:
            RequestError: `sign_in_refused`: they have none.
        """
        known = [key.id for key in self.keyring.passkeys_of(session.actor)]
        if not known:
            refuse("no-passkey", "you have no passkey; enrol one on the page of your account")
        return self.keyring.passkeys.ask(
            holder=cookie, purpose=STEP_UP, actor=session.actor, known=known
        )

    def step_up(self, answer: bytes, session: Session, cookie: str) -> Opened:
        """Give a session a fresh cookie, its holder having shown a passkey.

        Raises:
            RequestError: `sign_in_refused`, with the `reason`.
        """
        shown = self.keyring.passkeys.check_shown(
            answer, holder=cookie, purpose=STEP_UP, find=self.keyring.find_key, actor=session.actor
        )
        actor = self.keyring.person(session.actor)
        opened = self.sessions.step_up(cookie, shown.key.id)
        if opened is None:
            refuse("session", "this session ended meanwhile; sign in again")
        self.keyring.enact(
            "session.verified",
            signin.credential_of(opened.session, actor.handle),
            subject=session.id,
            data={"with": shown.key.id},
            named=[(self._access.account_ref(actor.handle), "holder")],
        )
        return opened

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
        return self.keyring.ask_to_enrol(invited.actor, flow, _invitation(token))

    def accept(self, token: str, answer: bytes, name: str, flow: str, visitor: Visitor) -> Signed:
        """Enrol an invited person's passkey, use the invitation up, and sign them in.

        Raises:
            RequestError: `sign_in_refused`, with the `reason`.
        """
        invited = self._invited(token)
        made = self.keyring.passkeys.check_enrolled(
            answer, holder=flow, purpose=_invitation(token), actor=invited.actor.ref
        )
        self.keyring.require_unknown(made)
        with self._access.changing():
            # It may have been withdrawn while the passkey was made.
            invited = self._invited(token)
            self._use(token)
            opened = self.keyring.begin(invited.actor, "passkey", made.id, visitor)
            credential = signin.credential_of(opened.session, invited.actor.handle)
            vouched = {"vouched": invited.vouched, "invitation": invited.id}
            self.keyring.enrol(invited.actor, made, name, credential, vouched, invited.by)
        self.keyring.record_opened(opened, invited.actor)
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
        actor = self.keyring.owner_of(proven.account)
        if actor is None:
            refuse(
                "unlinked",
                f"{proven.provider.title} knows you, this ledger does not; ask for an invitation",
            )
        return Signed(self.keyring.open(actor, "oidc", name, visitor), proven.detail)

    def _link(self, proven: Proven, session: Session | None) -> Linked:
        if session is None or session.id != proven.detail or session.actor != proven.actor:
            refuse("session", "the session that began this is over; sign in and begin again")
        if not self.sessions.is_fresh(session):
            raise RequestError("step_up_needed", "that took too long: show your passkey again")
        actor = self.keyring.person(session.actor)
        credential = signin.credential_of(session, actor.handle)
        self.keyring.require_free(proven.account, actor)
        self.keyring.link_account(actor, proven.account, credential)
        return Linked(proven.account)

    def _accept_account(self, proven: Proven, visitor: Visitor) -> Signed:
        actor = self.keyring.person(proven.actor)
        self.keyring.require_free(proven.account, actor)
        link = self._state.sign_in.use_link(
            bytes.fromhex(proven.detail), invitations.PURPOSE, format_time(self._clock.now())
        )
        with self._access.changing() as directory:
            found = directory.invitations.get(link.detail) if link is not None else None
            if link is None or found is None or link.actor != actor.ref:
                refuse("invitation", "this invitation was used or is over")
            opened = self.keyring.begin(actor, "oidc", proven.provider.name, visitor)
            credential = signin.credential_of(opened.session, actor.handle)
            word, by = invitations.vouched_by_of(directory, found)
            vouched = {"vouched": word, "invitation": found.id}
            self.keyring.link_account(actor, proven.account, credential, vouched, by)
        self.keyring.record_opened(opened, actor)
        return Signed(opened, "/")

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
            self.keyring.person(link.actor)
        opened = signin.open_session(self._state, self._clock, self._randomness, token, visitor)
        if opened is not None:
            actor = self._access.directory.actor(opened.session.actor)
            self.keyring.record_opened(opened, actor)
        return opened

    def sign_out(self, session: Session, cookie: str) -> None:
        """End a session because its holder says so."""
        self.keyring.record_ended(self.sessions.end(cookie), session, "signed out")


def _invitation(token: str) -> str:
    """Return the purpose of a challenge that only the holder of an invitation can answer."""
    return f"{INVITATION}:{digest(token).hex()}"
