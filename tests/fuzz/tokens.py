"""Decoders of what people and jobs show to be let in: tokens, key sets, proofs, passkeys, forms."""

import contextlib
import json
from dataclasses import dataclass
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import ECKey, OKPKey

from counterfoil.app.oidc_token import Expected, check_id_token
from counterfoil.app.passkeys import Key, Passkeys
from counterfoil.app.proving import RelyingParty, digest
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError
from counterfoil.ids import SeededRandomness
from counterfoil.policy import jws
from counterfoil.policy.possession import check_proof
from counterfoil.web.api.exchange import _read_form
from tests.authenticator import Authenticator, base64url
from tests.ci_tokens import NOW_S, claims_of, key_set, prove, sign
from tests.fuzz.decoder import Decoder
from tests.fuzz.samples import as_bytes, as_text

_URL = "https://foil.example/v1/token/exchange"
_CLOCK = SteppedClock("2026-11-20T12:00:00.000Z")
# Keys that are the same in every run, so that a sample is.
_SECRET = ec.derive_private_key(7, ec.SECP256R1())
_EC = ECKey.import_key(_SECRET, {"kid": "one"})
_OKP = OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(bytes(32)), {"kid": "two"})


def _token(data: bytes) -> None:
    found = jws.parse_token(data)
    assert found.compact == data
    _check(found)


def _check(token: jws.Token) -> None:
    with contextlib.suppress(RequestError):
        jws.check_signature(token, _EC)


def _json_signed(data: bytes) -> None:
    """Read a token that says this, whatever its signature: claims are where the odd ones are."""
    header, _, claims = data.partition(b"\n")
    parts = (base64url(header), base64url(claims), "AAAA")
    found = jws.parse_token(".".join(parts).encode())
    _check(found)


def _key_set(data: bytes) -> None:
    for name, key in jws.parse_keys(data).items():
        assert name
        jws.thumbprint(key)


def _possession(data: bytes) -> None:
    check_proof(data, method="POST", url=_URL, token=b"the.job's.token", now_s=NOW_S)


def _id_token(data: bytes) -> None:
    expected = Expected(
        issuer="https://login.example",
        client_id="counterfoil",
        nonce="nonce",
        algorithms=("Ed25519",),
        now=_CLOCK.now(),
    )
    assert check_id_token(as_text(data), expected, lambda _kid: _OKP)


def _form(data: bytes) -> None:
    assert _read_form(data)["subject_token"]


@dataclass(frozen=True)
class _Question:
    purpose: str
    holder: bytes
    actor: str
    detail: str


_POINT = _SECRET.public_key().public_numbers()
_PUBLIC = base64url(
    cbor2.dumps({1: 2, 3: -7, -1: 1, -2: _POINT.x.to_bytes(32), -3: _POINT.y.to_bytes(32)})
)


class _Asking:
    """What is asked is asked of everybody, so that an answer gets as far as its own form allows."""

    def __init__(self, question: _Question) -> None:
        self._question = question

    def use_ceremony(self, challenge: bytes, now: str) -> _Question:
        del challenge, now
        return self._question

    def count_passkey(self, *_given: object) -> bool:
        return True


def _passkeys(purpose: str) -> Passkeys:
    return Passkeys(
        RelyingParty("foil.example", "https://foil.example"),
        _Asking(_Question(f"passkey:{purpose}", digest("holder"), "actor:x", "")),  # type: ignore[arg-type]  # the two calls that are made
        _CLOCK,
        SeededRandomness("passkeys"),
    )


def _enrolled(data: bytes) -> None:
    _passkeys("enrol").check_enrolled(data, holder="holder", purpose="enrol", actor="actor:x")


def _shown(data: bytes) -> None:
    key = Key("id", "actor:x", _PUBLIC, 0)
    _passkeys("sign-in").check_shown(
        data, holder="holder", purpose="sign-in", find=lambda _id: key, actor="actor:x"
    )


_CHALLENGE = base64url(bytes(32))
_AUTHENTICATOR = Authenticator("https://foil.example", "foil.example", key=_SECRET, user=b"actor:x")
_CREATED = _AUTHENTICATOR.create(
    json.dumps({"challenge": _CHALLENGE, "user": {"id": base64url(b"actor:x")}})
)


def _got() -> bytes:
    """Return an answer whose signature is nobody's: a true one is another in every run."""
    answer: dict[str, Any] = json.loads(_AUTHENTICATOR.get(json.dumps({"challenge": _CHALLENGE})))
    answer["response"]["signature"] = base64url(bytes(64))
    return as_bytes(answer)


def _unsigned(claims: dict[str, Any]) -> bytes:
    header = b'{"alg":"ES256","typ":"JWT","kid":"one"}'
    return ".".join((base64url(header), base64url(as_bytes(claims)), "AAAA")).encode()


_TOKEN = _unsigned(claims_of("github"))
_ID_TOKEN = sign(
    {
        "iss": "https://login.example", "aud": "counterfoil", "nonce": "nonce", "sub": "248289",
        "iat": _CLOCK.now().timestamp(), "exp": _CLOCK.now().timestamp() + 60,
    },
    _OKP,
    algorithm="Ed25519",
)  # fmt: skip
_FORM = (
    b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange"
    b"&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&subject_token=a.b.c"
)

DECODERS = (
    Decoder(
        name="tokens", read=_token, of=(jws.parse_token, jws.check_signature), seeds=(_TOKEN,)
    ),
    Decoder(
        name="what tokens say",
        read=_json_signed,
        of=(jws.parse_token,),
        seeds=(b'{"alg":"ES256","kid":"one"}\n' + as_bytes(claims_of("gitlab")),),
    ),
    Decoder(
        name="key sets",
        read=_key_set,
        of=(jws.parse_keys, jws.import_key),
        seeds=(key_set(_EC, _OKP),),
        errors=(ValueError,),
    ),
    Decoder(
        name="proofs of a job's key",
        read=_possession,
        of=(check_proof,),
        seeds=(prove(b"the.job's.token", _OKP, url=_URL, jti="once"),),
    ),
    Decoder(name="id tokens", read=_id_token, of=(check_id_token,), seeds=(_ID_TOKEN,)),
    Decoder(name="forms of an exchange", read=_form, of=(_read_form,), seeds=(_FORM,)),
    Decoder(
        name="passkeys that are made",
        read=_enrolled,
        of=(Passkeys.check_enrolled,),
        seeds=(_CREATED,),
    ),
    Decoder(
        name="passkeys that are shown", read=_shown, of=(Passkeys.check_shown,), seeds=(_got(),)
    ),
)  # fmt: skip
