"""Proofs that whoever brings a job's token holds its key."""

from typing import Any

import pytest

from counterfoil.errors import RequestError
from counterfoil.policy.jws import thumbprint
from counterfoil.policy.possession import PROOF_MAX_BYTES, WINDOW_S, Proof, _opened, check_proof
from tests.ci_tokens import NOW_S, ec_key, okp_key, prove, rsa_key, sign

URL = "https://foil.example/v1/token/exchange"
TOKEN = b"the.job's.token"
KEY = okp_key("job")


def check(proof: bytes, **changed: Any) -> Proof:
    call = {"method": "POST", "url": URL, "token": TOKEN, "now_s": NOW_S, **changed}
    return check_proof(proof, **call)


def refusal(proof: bytes, **changed: Any) -> str:
    with pytest.raises(RequestError) as refused:
        check(proof, **changed)
    assert refused.value.code == "proof_invalid"
    assert refused.value.message.isascii()
    return refused.value.message


@pytest.mark.parametrize("key", [KEY, ec_key("job")], ids=["Ed25519", "P-256"])
def test_a_proof_tells_which_key_made_it(key: Any) -> None:
    found = check(prove(TOKEN, key, url=URL, jti="once"))

    assert found == Proof(key.thumbprint(), "once", NOW_S)


OFF: dict[str, tuple[dict[str, Any], str]] = {
    "another method": ({"htm": "GET"}, "htm"),
    "no method": ({"htm": None}, "htm"),
    "another server": ({"htu": "https://evil.example/v1/token/exchange"}, "htu"),
    "another path": ({"htu": "https://foil.example/v1/events"}, "htu"),
    "no address": ({"htu": None}, "htu"),
    "another token": ({"ath": "x" * 43}, "ath"),
    "no token": ({"ath": None}, "ath"),
    "no time": ({"iat": None}, "iat"),
    "a time that is text": ({"iat": str(NOW_S)}, "iat"),
    "a time that is a truth": ({"iat": True}, "iat"),
    "made too long ago": ({"iat": NOW_S - WINDOW_S - 1}, "121 s away"),
    "made too far ahead": ({"iat": NOW_S + WINDOW_S + 1}, "121 s away"),
    "no id": ({"jti": None}, "jti"),
    "an empty id": ({"jti": ""}, "jti"),
    "an endless id": ({"jti": "x" * 129}, "jti"),
    "an id that is a list": ({"jti": ["x"]}, "jti"),
}


@pytest.mark.parametrize(("claims", "words"), OFF.values(), ids=OFF.keys())
def test_a_proof_is_for_this_call_now_and_for_this_token(
    claims: dict[str, Any], words: str
) -> None:
    assert words in refusal(prove(TOKEN, KEY, url=URL, **claims))


@pytest.mark.parametrize("made_s", [NOW_S - WINDOW_S, NOW_S, NOW_S + WINDOW_S])
def test_a_proof_counts_within_its_window(made_s: float) -> None:
    assert check(prove(TOKEN, KEY, url=URL, made_s=made_s)).made_s == made_s


HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "another type": ({"typ": "JWT"}, "typ"),
    "no key": ({"jwk": None}, "public key"),
    "a key that is text": ({"jwk": "key"}, "public key"),
    "a secret key": ({"jwk": KEY.as_dict(private=True)}, "public key"),
    "an RSA key": ({"jwk": rsa_key("one").as_dict(private=False)}, "not signed"),
    "somebody else's key": ({"jwk": okp_key("other").as_dict(private=False)}, "not signed"),
    "no algorithm": ({"alg": "none"}, "signed with 'none'"),
    "a demand": ({"crit": ["x"], "x": 1}, "crit"),
}


@pytest.mark.parametrize(("header", "words"), HEADERS.values(), ids=HEADERS.keys())
def test_a_proof_is_signed_by_the_key_it_carries(header: dict[str, Any], words: str) -> None:
    import base64
    import json

    head, _, rest = prove(TOKEN, KEY, url=URL).partition(b".")
    stated = json.loads(base64.urlsafe_b64decode(head + b"=="))
    changed = {name: value for name, value in {**stated, **header}.items() if value is not None}
    other = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=")

    assert words in refusal(other + b"." + rest)


def test_a_job_token_is_no_proof() -> None:
    assert "signed with" in refusal(sign({"sub": "job"}, rsa_key("one")))


def test_an_endless_proof_is_refused_unread() -> None:
    assert f"{PROOF_MAX_BYTES} bytes" in refusal(b"a" * (PROOF_MAX_BYTES + 1))


def test_the_example_of_the_standard_is_read() -> None:
    """RFC 9449 figure 2 and its thumbprint in section 6.1."""
    proof = (
        b"eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNo"
        b"UklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERW"
        b"clUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh"
        b"0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8"
        b"v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
    )

    key, claims = _opened(proof)

    assert claims["htu"] == "https://server.example.com/token"
    assert thumbprint(key) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
