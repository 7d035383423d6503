"""What people change about their own way in: their passkeys, and where they are signed in.

What must hold: another passkey comes on the word of one they showed just now; the first one, on the
word of whoever holds the ledger's files, who made the link of the session, and only while nothing
else signs them in.  Whoever only has their cookie changes nothing of it, and the cookie that
enrolled is worth nothing after.
"""

from typing import Final

from counterfoil.app import signin
from counterfoil.app.keyring import Keyring
from counterfoil.app.proving import refuse
from counterfoil.app.sessions import Opened, Session
from counterfoil.errors import RequestError

OWN_KEY: Final = "own-key"


class OwnAccount:
    """Changes by who is signed in, to what is theirs.  Every change is an event."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def ask_key(self, session: Session, cookie: str) -> str:
        """Return what a browser needs to make a passkey for who is signed in, as JSON.

        Raises:
            RequestError: `step_up_needed`, `sign_in_refused`: nobody vouches for them.
        """
        self._vouched(session)
        actor = self._keyring.person(session.actor)
        return self._keyring.ask_to_enrol(actor, cookie, OWN_KEY)

    def add_key(self, answer: bytes, name: str, session: Session, cookie: str) -> Opened:
        """Enrol a passkey for who is signed in; return their session with a fresh cookie.

        Raises:
            RequestError: `step_up_needed`; `sign_in_refused`, with the `reason`.
        """
        actor = self._keyring.person(session.actor)
        made = self._keyring.passkeys.check_enrolled(
            answer, holder=cookie, purpose=OWN_KEY, actor=actor.ref
        )
        credential = signin.credential_of(session, actor.handle)
        # Of two first passkeys at the same moment, one is the first.
        with self._keyring.access.changing():
            vouched = self._vouched(session)
            self._keyring.enrol(actor, made, name, credential, {"vouched": vouched})
        opened = self._keyring.sessions.renew(cookie)
        if opened is None:
            refuse("session", "the passkey is enrolled; this session ended meanwhile, so sign in")
        return opened

    def is_first(self, session: Session) -> bool:
        """Whether it was begun by a link, and nothing else signs its person in so far."""
        return session.began == "link" and not self._keyring.has_way_in(session.actor)

    def _vouched(self, session: Session) -> str:
        """Return whose word lets who is signed in enrol a passkey."""
        if self.is_first(session):
            return "files"
        if not self._keyring.passkeys_of(session.actor):
            refuse(
                "not-vouched",
                "who signs in by a provider makes a first passkey by an invitation; ask for one",
            )
        if not self._keyring.sessions.is_fresh(session):
            raise RequestError(
                "step_up_needed", "show a passkey you have first, then enrol another"
            )
        return OWN_KEY

    def end_sessions(self, session: Session, session_id: str) -> None:
        """End one session of who is signed in, or with "" all but the one they are in."""
        ids = [session_id] if session_id else [
            one.id for one in self._keyring.sessions.listed(session.actor) if one.id != session.id
        ]  # fmt: skip
        for one in ids if session.actor else []:
            ended = self._keyring.sessions.end_where(session_id=one, actor=session.actor)
            self._keyring.record_ended(ended, session, "ended by its holder")

    def remove_key(self, session: Session, passkey: str, reason: str) -> None:
        """Remove a passkey of who is signed in; sessions begun with it end.

        Raises:
            RequestError: `not_found`, `step_up_needed`.
        """
        actor = self._keyring.person(session.actor)
        if passkey not in {key.id for key in self._keyring.passkeys_of(actor.ref)}:
            raise RequestError("not_found", "you have no such passkey")
        if not self._keyring.sessions.is_fresh(session):
            raise RequestError("step_up_needed", "show a passkey first, then remove one")
        self._keyring.enact(
            "passkey.removed",
            signin.credential_of(session, actor.handle),
            subject=self._keyring.access.account_ref(actor.handle),
            data={"passkey": passkey, "reason": reason[:200] or None},
        )
        ended = self._keyring.sessions.end_where(actor=actor.ref, using=passkey)
        self._keyring.record_ended(ended, session, "its passkey was removed")
