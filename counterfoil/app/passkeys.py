"""Passkeys: a browser is asked for one, and what comes back is checked against what was asked.

What must hold: a challenge is random, answered once, soon, by the browser it was given to and for
the purpose it was given for; the authenticator verified its user (not only their presence); the
answer is for this very origin and host; a counter that does not grow is a copy of the key, and
refused.  No attestation is asked for: which make an authenticator is of says nothing about who
holds it.

Where a passkey belongs is the log's to say (`events.credential`); here nothing is recorded.

Source: WebAuthn level 3, sections 7.1 (registration) and 7.2 (authentication).
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import msgspec
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from counterfoil.app.proving import RelyingParty, digest, refuse
from counterfoil.clock import Clock, format_time
from counterfoil.ids import Randomness
from counterfoil.stores.state_sign_in import Ceremony, SignInState

CHALLENGE_BYTES: Final = 32
CHALLENGE_LIFE: Final = timedelta(minutes=5)
"""Long enough to fetch a phone; WebAuthn level 3 section 15.1 recommends 5 to 10 minutes."""
ANSWER_MAX_BYTES: Final = 64 * 1024
_CREDENTIAL_ID_MAX_BYTES: Final = 1023
_USER_VERIFIED: Final = 0x04
_FLAGS_AT: Final = 32


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A passkey that was just made, its user verified.

    Args:
        id: the credential's id, base64url.
        public_key: the COSE key, base64url.
        counter: of the authenticator, 0 if it does not count.
        aaguid: the authenticator's model, "" where it does not say.
        backed_up: whether it is kept in more than one place.
        detail: what the ceremony was begun with.
    """

    id: str
    public_key: str
    counter: int
    aaguid: str
    backed_up: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Key:
    """A passkey as the directory has it: `id` and `public_key` base64url, whose it is."""

    id: str
    actor: str
    public_key: str
    counter: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A passkey that was just used, its user verified.

    Args:
        key: which one.
        detail: what the ceremony was begun with.
        client_data: what the browser signed about, JSON.
        authenticator_data: what the authenticator signed about.
        signature: over both, so that anybody with the public key can check it later.
    """

    key: Key
    detail: str
    client_data: bytes
    authenticator_data: bytes
    signature: bytes


class _Response(msgspec.Struct):
    clientDataJSON: str  # noqa: N815  the standard's name
    attestationObject: str = ""  # noqa: N815  the standard's name
    authenticatorData: str = ""  # noqa: N815  the standard's name
    signature: str = ""
    userHandle: str | None = None  # noqa: N815  the standard's name


class _Answer(msgspec.Struct):
    """What `PublicKeyCredential.toJSON()` gives; members not named here are passed over."""

    id: str
    response: _Response


class _ClientData(msgspec.Struct):
    challenge: str
    crossOrigin: bool = False  # noqa: N815  the standard's name


class Passkeys:
    """The ceremonies of one relying party.

    Args:
        party: whom the passkeys are for.
        state: keeps what was asked until it is answered.
        clock: tells until when an answer counts.
        randomness: gives the challenges.
    """

    def __init__(
        self, party: RelyingParty, state: SignInState, clock: Clock, randomness: Randomness
    ) -> None:
        self.party = party
        self._state = state
        self._clock = clock
        self._randomness = randomness

    def ask_to_enrol(
        self,
        *,
        holder: str,
        purpose: str,
        actor: str,
        handle: str,
        known: Sequence[str] = (),
        detail: str = "",
    ) -> str:
        """Return what `navigator.credentials.create` needs, as JSON.

        Args:
            holder: the secret of the browser that asks (its cookie's value).
            purpose: what the answer may be used for.
            actor: whose passkey it will be, a pseudonym: the authenticator keeps it.
            handle: what the authenticator shows its user.
            known: ids of passkeys they have; the same authenticator makes no second one.
            detail: given back with the answer.
        """
        options = generate_registration_options(
            rp_id=self.party.id,
            rp_name=f"Counterfoil at {self.party.id}",
            user_id=actor.encode(),
            user_name=handle,
            challenge=self._challenge(holder, purpose, actor, detail),
            timeout=_milliseconds(CHALLENGE_LIFE),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=_descriptors(known),
        )
        return options_to_json(options)

    def check_enrolled(self, answer: bytes, *, holder: str, purpose: str, actor: str) -> Enrolled:
        """Return the passkey an answer holds.

        Args:
            answer: the credential as JSON, as the browser gives it.
            holder: the secret of the browser that sends it.
            purpose: what it is to be used for.
            actor: whose passkey it is to be.

        Raises:
            RequestError: `sign_in_refused`, with the `reason`.
        """
        read = _read(answer)
        challenge, detail = self._answered(read, holder, purpose, actor)
        try:
            made = verify_registration_response(
                credential=_plain(read, ("clientDataJSON", "attestationObject")),
                expected_challenge=challenge,
                expected_rp_id=self.party.id,
                expected_origin=self.party.origin,
                require_user_verification=True,
            )
            _loaded(made.credential_public_key)
        except Exception as error:  # noqa: BLE001  a library over hostile bytes: any stumble refuses
            refuse(*_why(error))
        if not made.user_verified:
            refuse("user-verification", "the authenticator did not verify who holds it")
        if len(made.credential_id) > _CREDENTIAL_ID_MAX_BYTES:
            refuse("malformed", "the passkey's id is longer than the standard allows")
        no_model = "00000000-0000-0000-0000-000000000000"
        return Enrolled(
            id=bytes_to_base64url(made.credential_id),
            public_key=bytes_to_base64url(made.credential_public_key),
            counter=made.sign_count,
            aaguid="" if made.aaguid == no_model else made.aaguid,
            backed_up=made.credential_backed_up
            and made.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
            detail=detail,
        )

    def ask(
        self,
        *,
        holder: str,
        purpose: str,
        actor: str = "",
        known: Sequence[str] = (),
        detail: str = "",
    ) -> str:
        """Return what `navigator.credentials.get` needs, as JSON.

        Args:
            holder: the secret of the browser that asks (its cookie's value).
            purpose: what the answer may be used for.
            actor: who has to answer, a pseudonym; "" lets the passkey say who.
            known: ids of the passkeys that may answer; none lets the browser offer its own.
            detail: given back with the answer.
        """
        options = generate_authentication_options(
            rp_id=self.party.id,
            challenge=self._challenge(holder, purpose, actor, detail),
            timeout=_milliseconds(CHALLENGE_LIFE),
            allow_credentials=_descriptors(known),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json(options)

    def check_shown(
        self,
        answer: bytes,
        *,
        holder: str,
        purpose: str,
        find: Callable[[str], Key | None],
        actor: str = "",
    ) -> Shown:
        """Return which passkey was used, and count its use.

        Args:
            answer: the assertion as JSON, as the browser gives it.
            holder: the secret of the browser that sends it.
            purpose: what it is to be used for.
            find: returns a passkey that lets somebody in, by its id.
            actor: who has to answer, a pseudonym; "" lets the passkey say who.

        Raises:
            RequestError: `sign_in_refused`, with the `reason`; `counter` is a copied key.
        """
        read = _read(answer)
        challenge, detail = self._answered(read, holder, purpose, actor)
        key = find(read.id)
        if key is None:
            refuse("unknown", "this passkey is not known here, or was removed")
        handle = read.response.userHandle
        if (actor and key.actor != actor) or (handle and _bytes(handle) != key.actor.encode()):
            refuse("other-person", "this passkey is somebody else's")
        try:
            used = verify_authentication_response(
                credential=_plain(read, ("clientDataJSON", "authenticatorData", "signature")),
                expected_challenge=challenge,
                expected_rp_id=self.party.id,
                expected_origin=self.party.origin,
                credential_public_key=_bytes(key.public_key),
                # Compared below, in one step with keeping it: here two copies could both pass.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except Exception as error:  # noqa: BLE001  a library over hostile bytes: any stumble refuses
            refuse(*_why(error))
        authenticator_data = _bytes(read.response.authenticatorData)
        if not (used.user_verified and authenticator_data[_FLAGS_AT] & _USER_VERIFIED):
            refuse("user-verification", "the authenticator did not verify who holds it")
        now = format_time(self._clock.now())
        if not self._state.count_passkey(key.id, used.new_sign_count, key.counter, now):
            refuse(
                "counter",
                "this passkey counts backwards: there may be a copy of it; remove it and enrol another",
            )
        return Shown(
            key=key,
            detail=detail,
            client_data=_bytes(read.response.clientDataJSON),
            authenticator_data=authenticator_data,
            signature=_bytes(read.response.signature),
        )

    def _challenge(self, holder: str, purpose: str, actor: str, detail: str) -> bytes:
        challenge = self._randomness.token(CHALLENGE_BYTES)
        now = self._clock.now()
        self._state.add_ceremony(
            Ceremony(
                digest=hashlib.sha256(challenge).digest(),
                holder=digest(holder),
                purpose=f"passkey:{purpose}",
                actor=actor,
                detail=detail,
                created=format_time(now),
                expires=format_time(now + CHALLENGE_LIFE),
            )
        )
        return challenge

    def _answered(
        self, answer: _Answer, holder: str, purpose: str, actor: str
    ) -> tuple[bytes, str]:
        """Take the challenge an answer names out of what is open; return it and its detail.

        Gone with the first answer, right or wrong: it was shown to one browser for one try.
        """
        try:
            client = msgspec.json.decode(_bytes(answer.response.clientDataJSON), type=_ClientData)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            refuse("malformed", "what the browser signed is not in the standard's form")
        challenge = _bytes(client.challenge)
        now = format_time(self._clock.now())
        asked = self._state.use_ceremony(hashlib.sha256(challenge).digest(), now)
        if asked is None:
            refuse("challenge", "this answer was given before, or too late; try again")
        if (asked.purpose, asked.holder, asked.actor) != (
            f"passkey:{purpose}", digest(holder), actor,
        ):  # fmt: skip
            refuse("challenge", "this answer belongs to another question; try again")
        if client.crossOrigin:
            refuse("origin", "the passkey was asked for inside another site's page")
        return challenge, asked.detail


def _read(answer: bytes) -> _Answer:
    if len(answer) > ANSWER_MAX_BYTES:
        refuse("malformed", f"an answer over {ANSWER_MAX_BYTES} bytes is no passkey's")
    try:
        return msgspec.json.decode(answer, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        refuse("malformed", "this is not the JSON a browser makes of a passkey")


def _plain(answer: _Answer, members: Sequence[str]) -> dict[str, Any]:
    """Return an answer for the library, with nothing in it that we did not read ourselves."""
    response = {name: getattr(answer.response, name) for name in members}
    return {"id": answer.id, "rawId": answer.id, "type": "public-key", "response": response}


# What the library says, and what it means; it has no codes of its own.
_REASONS: Final = (
    ("origin", "origin", "the answer is for another site than this one"),
    ("rp id", "rp-id", "the passkey is for another host than this one"),
    ("user verification", "user-verification", "the authenticator did not verify who holds it"),
    ("not present", "user-verification", "nobody was there to use the passkey"),
    ("client data type", "purpose", "the answer is for another kind of question"),
    ("signature", "signature", "the passkey's signature does not match"),
)


def _why(error: Exception) -> tuple[str, str]:
    said = str(error).lower()
    for words, reason, message in _REASONS:
        if words in said:
            return reason, message
    return "malformed", "the passkey's answer is not in the standard's form"


def _loaded(public_key: bytes) -> None:
    """Fail for a key that nothing could ever be checked with."""
    decoded_public_key_to_cryptography(decode_credential_public_key(public_key))


def _bytes(text: str) -> bytes:
    try:
        return base64url_to_bytes(text)
    except ValueError:
        refuse("malformed", "a part of the answer is no base64url")


def _descriptors(ids: Sequence[str]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=_bytes(one)) for one in ids]


def _milliseconds(life: timedelta) -> int:
    return int(life.total_seconds() * 1000)
