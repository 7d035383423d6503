"""What a sign-in provider says about itself: its addresses and its keys, fetched and kept a while.

What must hold: only what the provider whose address stands in the settings says counts, and it
has to call itself exactly that; addresses are https, or on this machine where the provider itself
is; an unknown key is asked for again, but not at every stranger's wish; without keys nobody is
let in by that provider.

Sources: OpenID Connect Discovery 1.0 sections 3 and 4; RFC 8414 section 3.3; RFC 7517 section 5.
"""

import threading
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

import msgspec

from counterfoil.app.outbound import NotFetchedError, get, may_ask
from counterfoil.client.address import is_safe_address
from counterfoil.clock import Clock
from counterfoil.errors import UnavailableError
from counterfoil.policy.jws import KEYS_MAX_BYTES, PublicKey, import_key

TIMEOUT_S: Final = 5.0
KEPT: Final = timedelta(minutes=15)
ASKED_AGAIN: Final = timedelta(seconds=30)
"""How long a key set stands before an unknown key makes us ask for another."""
KEYS_MAX: Final = 50
_WELL_KNOWN: Final = "/.well-known/openid-configuration"


class Metadata(msgspec.Struct, frozen=True):
    """What is used of a provider's metadata; the defaults are the standard's."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Issuer:
    """One provider.  Safe to call from several threads.

    Args:
        url: what it calls itself, as it stands in the settings.
        clock: tells how old is what is kept.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url
        self._clock = clock
        self._lock = threading.Lock()
        self._private = True
        self._metadata: tuple[datetime, Metadata] | None = None
        self._keys: tuple[datetime, list[PublicKey]] | None = None

    def metadata(self) -> Metadata:
        """Return what the provider says about itself, at most 15 minutes old.

        Raises:
            UnavailableError: `unreachable`: no answer, or not that of this provider.
        """
        with self._lock:
            if self._metadata is None or self._is_over(self._metadata[0], KEPT):
                self._metadata = (self._clock.now(), self._discover())
            return self._metadata[1]

    @property
    def private(self) -> bool:
        """Whether the addresses it names may be in a private network: only if it is in one too."""
        return self._private

    def key(self, kid: str) -> PublicKey | None:
        """Return the key of a name; of "" the only one there is.  None if there is none.

        Raises:
            UnavailableError: `unreachable`: the provider does not say which keys it has.
        """
        address = self.metadata().jwks_uri
        with self._lock:
            if self._keys is None or self._is_over(self._keys[0], KEPT):
                self._keys = (self._clock.now(), self._fetch_keys(address))
            found = _pick(self._keys[1], kid)
            if found is None and self._is_over(self._keys[0], ASKED_AGAIN):
                self._keys = (self._clock.now(), self._fetch_keys(address))
                found = _pick(self._keys[1], kid)
            return found

    def _is_over(self, since: datetime, life: timedelta) -> bool:
        # A clock set back makes everything over rather than good for ever.
        return not timedelta(0) <= self._clock.now() - since < life

    def _discover(self) -> Metadata:
        # A team's provider is often in its own network: the settings name it, so it is asked.
        address = self.url.rstrip("/") + _WELL_KNOWN
        found: Metadata
        found, self._private = self._get(address, Metadata, private=True)
        if found.issuer != self.url:
            self._foreign(f"calls itself {found.issuer[:200]!a}")
        for address in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
            if not is_safe_address(address, beside=self.url):
                self._foreign(f"names {address[:200]!a}, which is not https")
        return found

    def _fetch_keys(self, address: str) -> list[PublicKey]:
        document, _ = self._get(address, dict[str, Any], private=self._private)
        items = document.get("keys")
        if not isinstance(items, list) or len(items) > KEYS_MAX:
            self._foreign(f"gives no list of at most {KEYS_MAX} keys")
        found = (import_key(item) for item in items if isinstance(item, dict))
        return [key for key in found if key is not None]

    def _get(self, address: str, shape: Any, *, private: bool) -> tuple[Any, bool]:  # noqa: ANN401  whatever `shape` makes
        """Return a document, and whether it came out of a private network."""
        try:
            answer = get(address, private=private, limit_bytes=KEYS_MAX_BYTES, timeout_s=TIMEOUT_S)
        except NotFetchedError as error:
            self._foreign(f"does not answer: {str(error)[:300]}")
        try:
            found = msgspec.json.decode(answer.body, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self._foreign(f"does not answer in the standard's form at {address[:200]!a}")
        return found, not may_ask(answer.address, private=False)

    def _foreign(self, what: str) -> NoReturn:
        raise UnavailableError(
            "unreachable", f"the sign-in provider {self.url} {what}; tell whoever runs this server"
        )


def _pick(keys: list[PublicKey], kid: str) -> PublicKey | None:
    named = [key for key in keys if key.kid == kid] if kid else keys
    # Two keys of one name: which was meant cannot be told, so neither.
    return named[0] if len(named) == 1 else None
