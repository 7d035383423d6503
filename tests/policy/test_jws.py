"""Tokens of others: what is read, what is refused unread, and which keys sign."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, RSAKey

from counterfoil.errors import RequestError
from counterfoil.policy.jws import (
    HEADER_MAX_BYTES,
    KEYS_MAX,
    KEYS_MAX_BYTES,
    TOKEN_MAX_BYTES,
    PublicKey,
    check_signature,
    import_key,
    parse_keys,
    parse_token,
    thumbprint,
)
from tests.ci_tokens import claims_of, ec_key, key_set, okp_key, rsa_key, sign

CLAIMS = claims_of("github")
KEY = rsa_key("one")
PUBLIC = parse_keys(key_set(KEY))["one"]


def encode(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def refusal(token: bytes, key: PublicKey = PUBLIC) -> str:
    """Return the reason a token is refused for."""
    with pytest.raises(RequestError) as refused:
        check_signature(parse_token(token), key)
    assert refused.value.code == "job_token_invalid"
    assert refused.value.message.isascii()
    return str(refused.value.facts["reason"])


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_a_signed_token_says_what_its_issuer_said(algorithm: str) -> None:
    key = RSAKey.import_key({**rsa_key("plain").as_dict(private=True), "alg": algorithm})
    token = parse_token(sign(CLAIMS, key, algorithm=algorithm))
    [public] = parse_keys(key_set(key)).values()

    assert token.kid == "plain"
    assert check_signature(token, public) == CLAIMS


def test_an_elliptic_key_signs_too() -> None:
    token = parse_token(sign(CLAIMS, ec_key("two"), algorithm="ES256"))

    assert check_signature(token, parse_keys(key_set(ec_key("two")))["two"]) == CLAIMS


def test_none_is_no_algorithm() -> None:
    header = {"alg": "none", "typ": "JWT", "kid": "one"}
    unsigned = encode(json.dumps(header).encode()) + b"." + encode(json.dumps(CLAIMS).encode())

    assert refusal(unsigned + b".") == "form"
    assert refusal(unsigned + b"." + encode(b"x")) == "alg"


@pytest.mark.parametrize("spelling", ["None", "NONE", "nOnE", None, 7, ["RS256"], "", "rs256"])
def test_an_algorithm_is_one_of_those_named_letter_by_letter(spelling: object) -> None:
    token = sign(CLAIMS, KEY)
    header = encode(json.dumps({"alg": spelling, "kid": "one"}).encode())

    assert refusal(header + b"." + token.partition(b".")[2]) == "alg"


@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
def test_the_public_key_is_no_shared_secret(form: str) -> None:
    """HS256 with the issuer's public key as the secret: everybody knows that key."""
    public = RSAKey.import_key(KEY.as_dict(private=False))
    secret = {
        "pem": public.as_pem(private=False),
        "der": public.as_der(private=False),
        "jwk": json.dumps(public.as_dict(private=False)).encode(),
    }[form]
    forged = _hmac(secret)

    assert refusal(forged) == "alg"


def _hmac(secret: bytes) -> bytes:
    import hashlib
    import hmac

    head = encode(json.dumps({"alg": "HS256", "kid": "one"}).encode())
    signed = head + b"." + encode(json.dumps(CLAIMS).encode())
    return signed + b"." + encode(hmac.new(secret, signed, hashlib.sha256).digest())


def test_another_key_of_the_same_name_does_not_sign() -> None:
    other = RSAKey.generate_key(2048, {"kid": "one"})

    assert refusal(sign(CLAIMS, other)) == "signature"


def test_a_key_signs_by_its_own_algorithm_only() -> None:
    """A key that says RS256 is not taken for PS256: the issuer never signed so."""
    free = RSAKey.import_key({**KEY.as_dict(private=True), "alg": "PS256"})

    assert refusal(sign(CLAIMS, free, algorithm="PS256")) == "signature"


def test_a_token_of_one_kind_of_key_is_not_checked_with_another() -> None:
    assert refusal(sign(CLAIMS, ec_key("two"), algorithm="ES256")) == "signature"


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_changed_letter_anywhere_is_noticed(place: int) -> None:
    parts = sign(CLAIMS, KEY).split(b".")
    middle = len(parts[place]) // 2
    letter = b"B" if parts[place][middle : middle + 1] != b"B" else b"C"
    parts[place] = parts[place][:middle] + letter + parts[place][middle + 1 :]

    assert refusal(b".".join(parts)) in {"signature", "form", "alg"}


def test_keys_inside_a_token_are_not_looked_at() -> None:
    """Whoever forges a token brings a key along: it must open nothing, and harm nothing."""
    forger = RSAKey.generate_key(2048, {"kid": "one"})
    brought = {
        "jwk": forger.as_dict(private=False),
        "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/chain",
    }

    assert refusal(sign(CLAIMS, forger, brought)) == "signature"
    assert check_signature(parse_token(sign(CLAIMS, KEY, brought)), PUBLIC) == CLAIMS


@pytest.mark.parametrize("demand", [{"crit": ["exp"], "exp": 1}, {"b64": True}, {"crit": []}])
def test_a_demand_that_is_not_understood_is_refused(demand: dict[str, Any]) -> None:
    header = encode(json.dumps({"alg": "RS256", "kid": "one", **demand}).encode())

    assert refusal(header + b"." + sign(CLAIMS, KEY).partition(b".")[2]) == "crit"


def test_a_header_may_say_more_than_is_looked_at() -> None:
    token = sign(CLAIMS, KEY, {"x5t": "c2hh", "nonce": "vendors add such things"})

    assert check_signature(parse_token(token), PUBLIC) == CLAIMS


FORMS = {
    "nothing": b"",
    "no dots": b"abc",
    "two parts": b"abc.def",
    "four parts": b"a.b.c.d",
    "an empty part": b"..",
    "padding": sign(CLAIMS, KEY) + b"=",
    "another alphabet": sign(CLAIMS, KEY).replace(b".", b"+.", 1),
    "a space": b" " + sign(CLAIMS, KEY),
    "a line end": sign(CLAIMS, KEY) + b"\n",
    "a header that is no JSON": encode(b"{") + b".e30.AA",
    "a header that is a list": encode(b"[]") + b".e30.AA",
    "a payload that is a text": encode(b'{"alg":"RS256"}') + b"." + encode(b'"x"') + b".AA",
    "a claim that stands twice": (
        encode(b'{"alg":"RS256"}') + b"." + encode(b'{"sub":"a","sub":"b"}') + b".AA"
    ),
    "a header member that stands twice": encode(b'{"alg":"RS256","alg":"none"}') + b".e30.AA",
    "not UTF-8": encode(b'{"alg":"RS256"}') + b"." + encode(b'{"a":"\xff"}') + b".AA",
    "deep nesting": encode(b'{"alg":"RS256"}') + b"." + encode(b"[" * 500 + b"]" * 500) + b".AA",
    "not a number": encode(b'{"alg":"RS256"}') + b"." + encode(b'{"exp":NaN}') + b".AA",
    "bits behind the end": encode(b'{"alg":"RS256"}') + b".e31.AA",
    "half a letter": encode(b'{"alg":"RS256"}') + b".e30aa.AA",
}


@pytest.mark.parametrize("token", FORMS.values(), ids=FORMS.keys())
def test_what_is_no_token_is_refused_by_its_form(token: bytes) -> None:
    assert refusal(token) == "form"


def test_sizes_are_bounded_before_anything_is_read() -> None:
    assert refusal(b"a" * (TOKEN_MAX_BYTES + 1)) == "size"
    assert refusal(b"e" * (HEADER_MAX_BYTES + 1) + b".e30.AA") == "size"


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_token_or_a_refusal(content: bytes) -> None:
    for token in (
        content,
        encode(content) + b".e30.AA",
        encode(b'{"alg":"RS256"}') + b"." + content,
    ):
        with pytest.raises(RequestError) as refused:
            check_signature(parse_token(token), PUBLIC)
        assert refused.value.code == "job_token_invalid"


def test_what_was_signed_tells_a_token_from_another() -> None:
    """The signature does not: there may be several for the same words."""
    one, two = (parse_token(sign(CLAIMS | {"jti": text}, KEY)) for text in ("a", "b"))

    assert one.signed != two.signed
    assert one.compact.startswith(one.signed)


# Key sets.


def members(key: RSAKey | ECKey, **changed: Any) -> dict[str, Any]:
    found = {**key.as_dict(private=False), **changed}
    return {name: value for name, value in found.items() if value is not None}


LEFT_OUT = {
    "a shared secret": {"kty": "oct", "kid": "x", "k": "c2VjcmV0"},
    "a key for encrypting": members(KEY, kid="x", use="enc"),
    "a key without a name": members(KEY, kid=None),
    "a name that is a number": members(KEY, kid=7),
    "an empty name": members(KEY, kid=""),
    "no modulus": members(KEY, kid="x", n=None),
    "a modulus that is a number": members(KEY, kid="x", n=7),
    "a modulus in another alphabet": members(KEY, kid="x", n="+/+/"),
    "an even exponent": members(KEY, kid="x", e="Ag"),
    "a point off the curve": members(ec_key("two"), kid="x", x="AA"),
    "a curve nobody signs with here": members(ECKey.generate_key("P-521"), kid="x"),
    "an unknown kind": {"kty": "LMS", "kid": "x"},
    "a kind that is a list": {"kty": ["RSA"], "kid": "x"},
    "no object": "key",
}


@pytest.mark.parametrize("item", LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_a_key_that_signs_no_tokens_is_left_out(item: object) -> None:
    """Issuers publish keys for other ends too; the rest of the set still counts."""
    document = json.dumps({"keys": [item, members(KEY)]}).encode()

    assert set(parse_keys(document)) == {"one"}


@pytest.mark.parametrize("bits", [1024, 2047])
def test_a_short_key_is_left_out(bits: int) -> None:
    number = encode((1 << (bits - 1) | 1).to_bytes((bits + 7) // 8)).decode()

    assert import_key({"kty": "RSA", "n": number, "e": "AQAB"}) is None


def test_an_endless_key_is_left_out() -> None:
    """Checking with it would cost whoever checks."""
    number = encode((1 << 8192 | 1).to_bytes(1025)).decode()

    assert import_key({"kty": "RSA", "n": number, "e": "AQAB"}) is None


def test_a_secret_half_in_a_key_set_is_not_taken_over() -> None:
    found = parse_keys(json.dumps({"keys": [KEY.as_dict(private=True)]}).encode())

    assert not found["one"].is_private


def test_two_keys_under_one_name_are_none() -> None:
    document = key_set(KEY, RSAKey.generate_key(2048, {"kid": "one"}), ec_key("two"))

    assert set(parse_keys(document)) == {"two"}


SETS = {
    "no JSON": b"<html>",
    "a list": b"[]",
    "no keys": b"{}",
    "keys that are none": b'{"keys":{}}',
    "keys twice": b'{"keys":[],"keys":[]}',
    "too many": json.dumps({"keys": [{}] * (KEYS_MAX + 1)}).encode(),
    "too long": b'{"keys":[]}' + b" " * KEYS_MAX_BYTES,
}


@pytest.mark.parametrize("document", SETS.values(), ids=SETS.keys())
def test_what_is_no_key_set_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_keys(document)


def test_a_secret_is_never_a_public_key() -> None:
    assert import_key(OctKey.generate_key(256).as_dict()) is None


def test_the_thumbprint_is_that_of_the_standard() -> None:
    """RFC 7638 section 3.1."""
    key = import_key(
        {
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS"
            "oc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0"
            "_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4"
            "vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        }
    )

    assert key is not None
    assert thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_an_edwards_key_is_known() -> None:
    assert import_key(okp_key("three").as_dict(private=False)) is not None
