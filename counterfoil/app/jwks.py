"""The public keys of issuers, by discovery: kept for a while, asked for again, never guessed.

What must hold: keys come from the issuer that a setting names, over TLS, and never from an address
a token names; a token by a key that is not known makes us ask again, but so seldom that a flood of
such tokens costs an issuer nothing and us next to nothing; when an issuer is away its keys count
for a while longer, and then nobody is let in until it is back.

A key that changes under its name is believed, because the issuer says so over TLS, and told.

If we crash: nothing is kept, the next token asks again.
Source: OpenID Connect Discovery 1.0 sections 3 and 4; RFC 7517; RFC 8725 section 3.10.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from counterfoil.app.outbound import NotFetchedError, fetch
from counterfoil.errors import CounterfoilError, RequestError, UnavailableError
from counterfoil.events.canonical import read
from counterfoil.policy.jws import KEYS_MAX_BYTES, PublicKey, parse_keys, thumbprint

FRESH_S: Final = 600.0
"""How long keys are used without asking."""
STALE_S: Final = 3_600.0
"""How long they are used while the issuer does not answer."""
ASK_AGAIN_S: Final = 15.0
"""An issuer is asked once in this time at most, whatever tokens say."""
FETCH_TIMEOUT_S: Final = 5.0
WAIT_S: Final = 12.0
"""How long somebody waits for what another one is asking: two documents, and a moment."""
WAITING_MAX: Final = 8
DISCOVERY_MAX_BYTES: Final = 64 * 1024

_log = logging.getLogger(__name__)


class Fetch(Protocol):
    """How documents are got; as `outbound.fetch`."""

    def __call__(self, url: str, *, private: bool, limit_bytes: int, timeout_s: float) -> bytes:
        """Return a document.

        Raises:
            NotFetchedError: it did not come.
        """
        ...


class Rekeyed(NamedTuple):
    """Another key stands under a name.

    Attributes:
        issuer: whose keys they are.
        kid: the name.
        before, after: RFC 7638 thumbprints.
    """

    issuer: str
    kid: str
    before: str
    after: str


@dataclass(slots=True)
class _Book:
    """What is known of one issuer's keys; times are of the monotonic clock."""

    keys: Mapping[str, PublicKey] = field(default_factory=dict)
    got_s: float = float("-inf")
    asked_s: float = float("-inf")
    problem: str = ""
    asking: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0


class KeyBook:
    """The keys of all issuers.  Safe to call from several threads.

    Args:
        on_change: told when a key changes under its name.
        get: how documents are got.
        monotonic_s: tells how much time has passed.
    """

    def __init__(
        self,
        on_change: Callable[[Rekeyed], None] | None = None,
        get: Fetch = fetch,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_change = on_change
        self._get = get
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._books: dict[str, _Book] = {}

    def key(self, issuer: str, kid: str, *, private: bool = False) -> PublicKey:
        """Return an issuer's key by name.

        Args:
            issuer: one that the settings name; never one that only a token names.
            kid: what the token says signed it.
            private: whether the issuer may be in a private network.

        Raises:
            RequestError: `job_token_invalid`: the issuer has no such key.
            UnavailableError: `issuer_unreachable`: its keys cannot be got, and those that are
                known are too old.

        Cost: a look into a dictionary; up to two documents at most once in `ASK_AGAIN_S`.
        """
        with self._lock:
            book = self._books.setdefault(issuer, _Book())
        found = book.keys.get(kid)
        if found is not None and self._age_s(book) < FRESH_S:
            return found
        asked = self._refresh(issuer, book, private=private)
        found, age_s = book.keys.get(kid), self._age_s(book)
        if found is not None and age_s < STALE_S:
            return found
        if asked and age_s < FRESH_S and not book.problem:
            raise RequestError(
                "job_token_invalid",
                f"the token names a key {kid[:60]!a} that {issuer} does not have; "
                "ask the CI for another",
                reason="kid",
            )
        raise UnavailableError(
            "issuer_unreachable",
            f"the keys of {issuer} cannot be got: {book.problem or 'somebody is asking'};"
            f" try again in {int(ASK_AGAIN_S)} s",
            retry_after_s=int(ASK_AGAIN_S),
        )

    def _age_s(self, book: _Book) -> float:
        return self._monotonic_s() - book.got_s

    def _refresh(self, issuer: str, book: _Book, *, private: bool) -> bool:
        """Ask the issuer, unless somebody has within `ASK_AGAIN_S`; wait if somebody is.

        Returns:
            Whether what the book says is of within that time.
        """
        if self._asked_lately(book) and not book.asking.locked():
            return True
        with self._lock:
            if book.waiting >= WAITING_MAX:
                return False
            book.waiting += 1
        try:
            if not book.asking.acquire(timeout=WAIT_S):
                return False
            try:
                if not self._asked_lately(book):
                    self._ask(issuer, book, private=private)
                    book.asked_s = self._monotonic_s()
            finally:
                book.asking.release()
        finally:
            with self._lock:
                book.waiting -= 1
        return True

    def _asked_lately(self, book: _Book) -> bool:
        return self._monotonic_s() - book.asked_s < ASK_AGAIN_S

    def _ask(self, issuer: str, book: _Book, *, private: bool) -> None:
        try:
            keys = self._keys_of(issuer, private=private)
        except (NotFetchedError, ValueError) as error:
            book.problem = str(error)
            _log.warning("keys of %s: %s", issuer, error)
            return
        changed = [
            Rekeyed(issuer, kid, thumbprint(book.keys[kid]), thumbprint(key))
            for kid, key in keys.items()
            if kid in book.keys and thumbprint(book.keys[kid]) != thumbprint(key)
        ]
        book.keys, book.got_s, book.problem = keys, self._monotonic_s(), ""
        for one in changed:
            _log.warning("%s: another key stands under the name %a", issuer, one.kid[:80])
            if self._on_change is not None:
                self._on_change(one)

    def _keys_of(self, issuer: str, *, private: bool) -> dict[str, PublicKey]:
        """Return an issuer's keys, freshly asked for.

        Raises:
            NotFetchedError, ValueError: they did not come, or are none.
        """
        address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        document = self._get(
            address, private=private, limit_bytes=DISCOVERY_MAX_BYTES, timeout_s=FETCH_TIMEOUT_S
        )
        keys_url = _keys_url(issuer, document)
        found = parse_keys(
            self._get(
                keys_url, private=private, limit_bytes=KEYS_MAX_BYTES, timeout_s=FETCH_TIMEOUT_S
            )
        )
        if not found:
            raise ValueError(f"{keys_url} holds no key that tokens are signed with")
        return found


def _keys_url(issuer: str, document: bytes) -> str:
    """Return where the keys are, by the issuer's own description.

    Raises:
        ValueError: it describes nobody, or somebody else.
    """
    try:
        about = read(document, "the description")
    except CounterfoilError as error:
        raise ValueError(f"{issuer}: {error.message}") from error
    named = about.get("issuer") if isinstance(about, dict) else None
    if named != issuer:
        # Else whoever can put a file on a host could speak for everybody on it.
        raise ValueError(f"{issuer} describes itself as {ascii(named)[:120]}")
    url = about.get("jwks_uri") if isinstance(about, dict) else None
    return url if isinstance(url, str) else ""
