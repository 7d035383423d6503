"""Signing in with an OpenID Connect provider: a browser is sent there, and comes back with a code.

What must hold: the answer comes to the browser that was sent (its flow cookie), once, within ten
minutes, from the provider it was sent to, and to that provider's own address here; the code is
worth nothing without what only this server can compute (PKCE); who it is, is `oidc:NAME:SUB`,
never a mail address or a name.  Whether such an account lets anybody in is the directory's to say.

What is kept while the browser is away is no secret: `nonce` and the PKCE verifier are computed
from its cookie and `state`, so that whoever reads state.db can finish nobody's sign-in.

Sources: OpenID Connect Core 1.0 section 3.1; RFC 7636 (PKCE); RFC 9207 (`iss`); RFC 9700 sections
2.1 and 4.4 (mix-up: an issuer is told apart by `iss`, and by a redirect URI of its own).
"""

import base64
import hashlib
import hmac
import os
import stat
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from counterfoil.app.config import FILE_NAME, OidcConfig
from counterfoil.app.oidc_issuer import TIMEOUT_S, Issuer, Metadata
from counterfoil.app.oidc_token import Expected, check_id_token
from counterfoil.app.outbound import NotFetchedError, ask
from counterfoil.app.proving import digest, refuse
from counterfoil.clock import Clock, format_time
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.ids import Randomness
from counterfoil.stores.state_sign_in import Ceremony, SignInState

FLOW_LIFE: Final = timedelta(minutes=10)
STATE_BYTES: Final = 32
PATH: Final = "/sign-in/oidc"
_VALUE_MAX: Final = 4096
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider of the settings: `name` in addresses and accounts, `title` for people."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Proven:
    """Who a provider says it is.

    Args:
        provider: whose word it is.
        account: `oidc:NAME:SUB`.
        purpose, actor, detail: what the flow was begun with.
    """

    provider: Provider
    account: str
    purpose: str
    actor: str
    detail: str


class _Tokens(msgspec.Struct):
    id_token: str
    access_token: str = ""


class _TokenError(msgspec.Struct):
    error: str = ""


class Oidc:
    """The providers of one ledger.  Safe to call from several threads.

    Args:
        directory: of the ledger; names of files with secrets are relative to it.
        settings: `[oidc.NAME]` of counterfoil.toml.
        public_url: where people reach this server, without a slash at the end.
        state: keeps what was asked until it is answered.
        clock: tells what is over.
        randomness: gives `state`.

    Raises:
        RequestError: `config_invalid`: a secret is not where the settings say.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, OidcConfig],
        public_url: str,
        state: SignInState,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._settings = settings
        self._secrets = {name: read_secret(directory, name, one) for name, one in settings.items()}
        self._issuers = {name: Issuer(one.issuer, clock) for name, one in settings.items()}
        self._public_url = public_url
        self._state = state
        self._clock = clock
        self._randomness = randomness

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Return every provider, in the order of the settings."""
        return tuple(Provider(name, one.title or name) for name, one in self._settings.items())

    def redirect_uri(self, name: str) -> str:
        """Return where a provider sends browsers back to: an address of its own."""
        return f"{self._public_url}{PATH}/{name}"

    def begin(
        self, name: str, *, holder: str, purpose: str, actor: str = "", detail: str = ""
    ) -> str:
        """Return the address of the provider to send a browser to.

        Args:
            name: of the provider.
            holder: the secret of the browser (its flow cookie's value).
            purpose: what the answer may be used for.
            actor: whose account it is to become, a pseudonym; "" where the account says who.
            detail: given back with the answer.

        Raises:
            RequestError: `not_found`: no provider of that name.
            UnavailableError: `unreachable`: it does not say where.
        """
        self._provider(name)
        metadata = self._issuers[name].metadata()
        state = self._randomness.token(STATE_BYTES).hex()
        now = self._clock.now()
        self._state.add_ceremony(
            Ceremony(
                digest=digest(state),
                holder=digest(holder),
                purpose=_purpose(name, purpose),
                actor=actor,
                detail=detail,
                created=format_time(now),
                expires=format_time(now + FLOW_LIFE),
            )
        )
        challenge = hashlib.sha256(_verifier(holder, state).encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._settings[name].client_id,
            "redirect_uri": self.redirect_uri(name),
            "scope": " ".join(self._settings[name].scopes),
            "state": state,
            "nonce": _nonce(holder, state),
            "code_challenge": _base64url(challenge),
            "code_challenge_method": "S256",
        }
        address = metadata.authorization_endpoint
        joint = "&" if urllib.parse.urlsplit(address).query else "?"
        return f"{address}{joint}{urllib.parse.urlencode(query)}"

    def finish(self, name: str, answer: Mapping[str, str], *, holder: str) -> Proven:
        """Return who it is, from what a provider sent a browser back with.

        Args:
            name: of the provider whose address here the browser came to.
            answer: the query of that address.
            holder: the secret of the browser (its flow cookie's value).

        Raises:
            RequestError: `not_found`; `sign_in_refused`, with the `reason`.
            UnavailableError: `unreachable`: the provider cannot be asked now.
        """
        provider = self._provider(name)
        if any(len(value) > _VALUE_MAX for value in answer.values()):
            refuse("provider", "the provider's answer is larger than any answer is")
        state = answer.get("state", "")
        # Gone with the first answer, right or wrong.
        asked = self._state.use_ceremony(digest(state), format_time(self._clock.now()))
        if asked is None:
            refuse("state", "this sign-in was finished before, or took too long; begin again")
        if not asked.purpose.startswith(_purpose(name, "")):
            refuse("mixed-up", "this answer is for another provider's sign-in; begin again")
        if not hmac.compare_digest(asked.holder, digest(holder)):
            refuse("state", "this sign-in was begun in another browser; begin again here")
        metadata = self._issuers[name].metadata()
        self._check_issuer(name, answer, metadata)
        if "error" in answer:
            refuse("provider", f"{provider.title} says: {answer['error'][:80]!a}")
        code = answer.get("code", "")
        if not code:
            refuse("provider", f"{provider.title} sent no code; begin again")
        tokens = self._exchange(provider, metadata, code, _verifier(holder, state))
        expected = Expected(
            issuer=self._settings[name].issuer,
            client_id=self._settings[name].client_id,
            nonce=_nonce(holder, state),
            algorithms=metadata.id_token_signing_alg_values_supported,
            now=self._clock.now(),
        )
        subject = check_id_token(
            tokens.id_token, expected, self._issuers[name].key, tokens.access_token
        )
        purpose = asked.purpose.removeprefix(_purpose(name, ""))
        return Proven(provider, account_of(name, subject), purpose, asked.actor, asked.detail)

    def _provider(self, name: str) -> Provider:
        for one in self.providers:
            if one.name == name:
                return one
        raise RequestError("not_found", f"no sign-in provider {name[:40]!a} is set up here")

    def _check_issuer(self, name: str, answer: Mapping[str, str], metadata: Metadata) -> None:
        """Refuse the answer of another provider than the one that was asked (RFC 9207 2.4)."""
        said = answer.get("iss")
        if said is None and metadata.authorization_response_iss_parameter_supported:
            refuse("mixed-up", "the answer does not say which provider it is from; begin again")
        if said is not None and said != self._settings[name].issuer:
            refuse("mixed-up", "this answer is from another provider; begin again")

    def _exchange(
        self, provider: Provider, metadata: Metadata, code: str, verifier: str
    ) -> _Tokens:
        client_id, secret = self._settings[provider.name].client_id, self._secrets[provider.name]
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri(provider.name),
            "code_verifier": verifier,
        }
        headers = {"Content-Type": _FORM, "Accept": "application/json"}
        methods = metadata.token_endpoint_auth_methods_supported
        if secret and "client_secret_basic" in methods:
            # RFC 6749 section 2.3.1: both halves are form-encoded first.
            pair = f"{urllib.parse.quote_plus(client_id)}:{urllib.parse.quote_plus(secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = client_id
            if secret:
                form["client_secret"] = secret
        body = urllib.parse.urlencode(form).encode()
        private = self._issuers[provider.name].private
        try:
            answer = ask(
                "POST", metadata.token_endpoint, body, headers,
                private=private, timeout_s=TIMEOUT_S,
            )  # fmt: skip
        except NotFetchedError as error:
            raise UnavailableError("unreachable", f"{error}; asked again later") from error
        if answer.status >= 500:
            raise UnavailableError(
                "unreachable", f"{provider.title} answered {answer.status}; try again later"
            )
        try:
            if answer.status != 200:
                said = msgspec.json.decode(answer.body, type=_TokenError).error
                refuse("code", f"{provider.title} did not take its own code: {said[:80]!a}")
            return msgspec.json.decode(answer.body, type=_Tokens)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            refuse("provider", f"{provider.title} gave no id token")


def account_of(provider: str, subject: str) -> str:
    """Return the account of a subject at a provider; different subjects, different accounts.

    >>> account_of("acme", "00u1|ana dev")
    'oidc:acme:00u1%7Cana%20dev'
    """
    return f"oidc:{provider}:{urllib.parse.quote(subject, safe='@')}"


def read_secret(directory: Path, name: str, settings: OidcConfig) -> str:
    """Return the secret of this client at a provider, "" for one without.

    Raises:
        RequestError: `config_invalid`: it is not where the settings say, or others may read it.
    """
    if settings.client_secret_env:
        secret = os.environ.get(settings.client_secret_env, "")
        where = f"${settings.client_secret_env}"
    elif settings.client_secret_file:
        path = directory / settings.client_secret_file
        where = str(path)
        try:
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise _wrong(name, f"{where} may be read by others; run: chmod 600 {where}")
            secret = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _wrong(name, f"{where} cannot be read: {error}") from error
    else:
        return ""
    if not secret:
        raise _wrong(name, f"{where} is empty; put the client's secret there")
    return secret


def _wrong(name: str, why: str) -> RequestError:
    return RequestError("config_invalid", f"{FILE_NAME}: oidc.{name}: {why}")


def _purpose(provider: str, purpose: str) -> str:
    return f"oidc:{provider}:{purpose}"


def _verifier(holder: str, state: str) -> str:
    """Return the PKCE verifier of one flow: 43 characters (RFC 7636 section 4.1)."""
    return _derived(holder, state, "counterfoil.oidc.pkce.v1")


def _nonce(holder: str, state: str) -> str:
    return _derived(holder, state, "counterfoil.oidc.nonce.v1")


def _derived(holder: str, state: str, purpose: str) -> str:
    message = f"{purpose}:{state}".encode()
    return _base64url(hmac.new(holder.encode(), message, hashlib.sha256).digest())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
