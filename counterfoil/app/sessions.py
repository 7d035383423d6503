"""Sessions: a signed-in browser, known by a cookie whose value stands nowhere here.

What must hold: a session is over 24 hours after it began and 8 hours after it was last used: a
working day with one sign-in, and a forgotten browser is out by the next morning; ended means
ended, at the next request; its cookie's value is fresh at sign-in and again whenever its holder
proves more, so that a value somebody else planted or saw before is worth nothing after.

What a session proves: its holder had the passkey, the provider's word or the link at its start.
Who acts where it matters shows a passkey again, at most five minutes before (step-up).
"""

import dataclasses
import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from counterfoil.app.proving import digest, is_fresh
from counterfoil.clock import Clock, format_time, parse_time
from counterfoil.ids import Randomness
from counterfoil.stores.state_sign_in import Session, SignInState

LIFE: Final = timedelta(hours=24)
IDLE: Final = timedelta(hours=8)
SEEN_EVERY: Final = timedelta(minutes=5)
"""How exactly "last used" is kept: a write for every request would cost each of them a sync."""
COOKIE_BYTES: Final = 32

Began = Literal["passkey", "oidc", "link"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A session with its cookie.  `cookie` is the browser's secret, shown here once."""

    cookie: str
    session: Session

    @property
    def expires(self) -> str:
        """When it ends at the latest."""
        return self.session.expires


@dataclass(frozen=True, slots=True)
class Visitor:
    """What a browser says about itself, in short words: enough to recognise one's own."""

    device: str = ""
    place: str = ""


class Sessions:
    """The open sessions of one ledger.

    Args:
        state: where they are kept.
        clock: tells when they are over.
        randomness: gives the cookies and the ids.
    """

    def __init__(self, state: SignInState, clock: Clock, randomness: Randomness) -> None:
        self._state = state
        self._clock = clock
        self._randomness = randomness

    def open(
        self,
        *,
        actor: str,
        handle: str,
        began: Began,
        using: str = "",
        visitor: Visitor | None = None,
    ) -> Opened:
        """Begin a session.

        Args:
            actor: who it is, a pseudonym; "" for whoever holds the ledger's files.
            handle: what people call them.
            began: how they proved it; with a passkey they are verified at this moment.
            using: the passkey's id or the provider's name.
            visitor: what their browser says about itself.
        """
        visitor = visitor or Visitor()
        now = self._clock.now()
        cookie = self._secret()
        session = Session(
            digest=digest(cookie),
            # The id stands in entries for ever: it tells sessions apart and says nothing more.
            id=f"session:{self._randomness.token(8).hex()}",
            actor=actor,
            handle=handle,
            began=began,
            using=using,
            device=visitor.device,
            place=visitor.place,
            created=format_time(now),
            seen=format_time(now),
            verified=format_time(now) if began == "passkey" else "",
            expires=format_time(now + LIFE),
            verified_with=using if began == "passkey" else "",
        )
        self._state.add_session(session, format_time(now - IDLE))
        return Opened(cookie, session)

    def find(self, cookie: str, *, watching: bool = False) -> Session | None:
        """Return the session of a cookie's value; None when it is unknown, ended or over.

        Args:
            cookie: as the browser sent it.
            watching: the browser only waits for news, which is no use of the session: a page
                left open does not keep it alive.
        """
        now = self._clock.now()
        found = self._state.session(digest(cookie), format_time(now), format_time(now - IDLE))
        if found is not None and not watching and now - parse_time(found.seen) >= SEEN_EVERY:
            self._state.saw_session(found.digest, format_time(now))
        return found

    def step_up(self, cookie: str, passkey: str) -> Opened | None:
        """Give a session a fresh cookie, its holder having shown a passkey just now.

        The value before is worth nothing from here on; when the session ends does not move.

        Args:
            cookie: as the browser sent it.
            passkey: the id of the one that was shown: with it goes what it proved.
        """
        session = self.find(cookie)
        if session is None:
            return None
        verified = format_time(self._clock.now())
        return self._renewed(dataclasses.replace(session, verified=verified, verified_with=passkey))

    def renew(self, cookie: str) -> Opened | None:
        """Give a session a fresh cookie and nothing else; None if it ended."""
        session = self.find(cookie)
        return None if session is None else self._renewed(session)

    def _renewed(self, session: Session) -> Opened | None:
        fresh, now = self._secret(), format_time(self._clock.now())
        renewed = dataclasses.replace(session, digest=digest(fresh), seen=now)
        return (
            Opened(fresh, renewed) if self._state.renew_session(session.digest, renewed) else None
        )

    def is_fresh(self, session: Session) -> bool:
        """Whether its holder showed a passkey within the last five minutes."""
        return is_fresh(session.verified, self._clock.now())

    def listed(self, actor: str | None = None) -> list[Session]:
        """Return the open sessions, of one actor or of everybody, the youngest first."""
        now = self._clock.now()
        return self._state.sessions(format_time(now), format_time(now - IDLE), actor)

    def end(self, cookie: str) -> list[Session]:
        """Sign out on the server's side: the cookie is worth nothing from here on."""
        return self._state.end_session(digest(cookie))

    def end_where(self, *, session_id: str = "", actor: str = "", using: str = "") -> list[Session]:
        """End the sessions that match everything named; return them, each to be an event.

        Args:
            session_id: the one of this id.
            actor: whose.
            using: begun with this passkey or provider, or verified with this passkey.
        """
        return self._state.end_sessions(session_id=session_id, actor=actor, using=using)

    def _secret(self) -> str:
        return self._randomness.token(COOKIE_BYTES).hex()


__all__ = [
    "Began", "Opened", "Session", "Sessions", "Visitor", "device_of", "place_of",
]  # fmt: skip


# The first that is found names the browser: each of them names those below it too.
_BROWSERS: Final = (
    ("Edge", r"\bEdgA?/"),
    ("Opera", r"\bOPR/"),
    ("Firefox", r"\b(?:Firefox|FxiOS)/"),
    ("Chrome", r"\b(?:Chrome|Chromium|HeadlessChrome|CriOS)/"),
    ("Safari", r"\bSafari/"),
    ("curl", r"^curl/"),
)
_SYSTEMS: Final = (
    ("Android", r"\bAndroid\b"),
    ("iOS", r"\b(?:iPhone|iPad)\b"),
    ("Windows", r"\bWindows\b"),
    ("macOS", r"\bMac OS X\b"),
    ("Linux", r"\bLinux\b"),
)
_READ_CHARACTERS: Final = 512


def device_of(user_agent: str) -> str:
    """Return which kind of browser and system a User-Agent header claims, without versions.

    >>> device_of("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    'Firefox on Linux'
    """
    text = user_agent[:_READ_CHARACTERS]
    browser = next((name for name, form in _BROWSERS if re.search(form, text)), "a browser")
    system = next((name for name, form in _SYSTEMS if re.search(form, text)), "")
    return f"{browser} on {system}" if system else browser


def place_of(address: str) -> str:
    """Return what kind of network an address belongs to: no address is kept of anybody.

    >>> place_of("127.0.0.1"), place_of("10.1.2.3"), place_of("2001:db9::1"), place_of("?")
    ('this machine', 'a private network', 'the internet', 'an unknown place')
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "an unknown place"
    if ip.is_loopback:
        return "this machine"
    return "a private network" if ip.is_private or ip.is_link_local else "the internet"
