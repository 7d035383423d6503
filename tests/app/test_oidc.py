"""What a provider may say, and what is not believed: a provider that says what a test wants."""

import base64
import hashlib
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OctKey, RSAKey

from counterfoil.errors import RequestError
from counterfoil.stores.state import State
from tests.app.oidc_place import BROWSER, HERE, Place, reason, unreachable
from tests.lying_provider import CLIENT, SUBJECT, Provider, lying_provider

MINUTE_S = 60


@pytest.fixture(scope="module")
def served() -> Iterator[Provider]:
    with lying_provider() as provider:
        yield provider


@pytest.fixture
def place(served: Provider, tmp_path: Path) -> Iterator[Place]:
    served.be_honest()
    state = State(tmp_path / "state.db")
    yield Place(served, state, tmp_path)
    state.close()


# As it should be


def test_an_honest_provider_is_believed(place: Place) -> None:
    proven = place.sign_in()

    assert proven.account == f"oidc:acme:{SUBJECT}"
    assert (proven.purpose, proven.detail) == ("sign-in", "/runs")


def test_a_browser_is_sent_with_everything_that_binds_the_answer_to_it(place: Place) -> None:
    address = place.begin()
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))

    assert address.startswith(f"{place.provider.issuer}/authorize?")
    assert query["redirect_uri"] == f"{HERE}/sign-in/oidc/acme"
    assert (query["response_type"], query["scope"]) == ("code", "openid")
    assert query["code_challenge_method"] == "S256"
    assert len(query["state"]) == 64

    place.oidc.finish("acme", place.provider.send(address), holder=BROWSER)
    verifier = place.provider.form["code_verifier"]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    assert query["code_challenge"] == challenge.rstrip(b"=").decode()
    assert place.provider.form["redirect_uri"] == query["redirect_uri"]


def test_nothing_that_finishes_a_sign_in_stands_in_the_file(place: Place, tmp_path: Path) -> None:
    """Whoever reads state.db must not be able to finish what somebody else began."""
    query = place.provider.send(place.begin())
    kept = (tmp_path / "state.db").read_bytes()
    place.oidc.finish("acme", query, holder=BROWSER)

    for secret in (query["state"], place.provider.nonce, place.provider.form["code_verifier"]):
        assert secret.encode() not in kept


@pytest.mark.parametrize(
    ("methods", "secret", "basic", "posted"),
    [
        (["client_secret_basic"], "s3 cret", "counterfoil:s3+cret", None),
        (None, "s3 cret", "counterfoil:s3+cret", None),
        (["client_secret_post"], "s3 cret", "", "s3 cret"),
        (["client_secret_basic"], "", "", None),
    ],
    ids=["basic", "basic by default", "in the form", "a client without a secret"],
)
def test_a_secret_is_shown_as_the_provider_takes_it(
    place: Place, methods: list[str] | None, secret: str, basic: str, posted: str | None
) -> None:
    (place.directory / "secret").write_text(secret)
    (place.directory / "secret").chmod(0o600)
    place.provider.metadata = {"token_endpoint_auth_methods_supported": methods}
    place.oidc = place.make(client_secret_file="secret" if secret else "")

    place.sign_in()

    shown = base64.b64decode(place.provider.authorization.removeprefix("Basic ")).decode()
    assert shown == basic
    assert place.provider.form.get("client_secret") == posted


def test_a_token_without_a_key_name_is_checked_with_the_only_key(place: Place) -> None:
    place.provider.header = {"kid": None}

    assert place.sign_in().account == f"oidc:acme:{SUBJECT}"


@pytest.mark.parametrize(
    "claims",
    [{"aud": [CLIENT]}, {"aud": [CLIENT, "other"], "azp": CLIENT}, {"azp": CLIENT},
     {"at_hash": None}, {"extra": {"any": "thing"}}],
    ids=["a list of one", "a list with us as the party", "us as the party", "no access hash",
         "more than we read"],
)  # fmt: skip
def test_what_the_standard_allows_is_believed(place: Place, claims: dict[str, Any]) -> None:
    place.provider.claims = claims

    assert place.sign_in().account == f"oidc:acme:{SUBJECT}"


# What is not believed


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"aud": "another-program"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": [CLIENT, "another"]}, "audience"),
        ({"azp": "another-program"}, "audience"),
        ({"iss": "https://attacker.example"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": 7}, "nonce"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "id-token"),
        ({"exp": "tomorrow"}, "id-token"),
        ({"exp": True}, "id-token"),
        ({"iat": None}, "id-token"),
        ({"iat": 4_000_000_000}, "early"),
        ({"nbf": 4_000_000_000}, "early"),
        ({"sub": None}, "id-token"),
        ({"sub": ""}, "id-token"),
        ({"sub": 7}, "id-token"),
        ({"sub": "x" * 256}, "id-token"),
        ({"sub": "\u0430na"}, "id-token"),
        ({"at_hash": "another"}, "access-token"),
    ],
)
def test_an_id_token_that_says_something_else_is_refused(
    place: Place, claims: dict[str, Any], expected: str
) -> None:
    place.provider.claims = claims

    assert reason(place.sign_in) == expected


def test_an_id_token_is_good_within_a_minute_of_its_end(place: Place) -> None:
    place.provider.claims = {"exp": place.provider.now_s - 59}
    assert place.sign_in().account

    place.provider.claims = {"exp": place.provider.now_s - 60}
    assert reason(place.sign_in) == "expired"


def compact(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_alg_none_is_refused_even_if_the_provider_offers_it(place: Place) -> None:
    place.provider.token = compact({"alg": "none", "kid": "one"}, {"sub": SUBJECT})

    assert reason(place.sign_in) == "algorithm"


def test_hs256_with_the_public_key_as_its_secret_is_refused(place: Place) -> None:
    from joserfc import jws

    public = place.provider.signer.as_pem(private=False)
    header = {"alg": "HS256", "kid": "one"}
    place.provider.token = jws.serialize_compact(
        header, b"{}", OctKey.import_key(public.hex()), algorithms=["HS256"]
    )

    assert reason(place.sign_in) == "algorithm"


def test_an_algorithm_the_provider_does_not_name_is_refused(place: Place) -> None:
    place.provider.metadata = {"id_token_signing_alg_values_supported": ["ES256"]}

    assert reason(place.sign_in) == "algorithm"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"kid": "unknown"}, "key"),
        ({"kid": 7}, "key"),
        ({"crit": ["exp"]}, "signature"),
        ({"alg": "PS256"}, "algorithm"),
    ],
)
def test_a_header_that_names_what_is_not_there_is_refused(
    place: Place, header: dict[str, Any], expected: str
) -> None:
    claims = {"sub": SUBJECT}
    place.provider.token = compact({"alg": "RS256", "kid": "one", **header}, claims, b"x" * 256)

    assert reason(place.sign_in) == expected


def test_a_key_inside_the_token_is_not_looked_at(place: Place) -> None:
    own = RSAKey.generate_key(2048, {"kid": "one"})
    place.provider.keys = [place.provider.signer.as_dict(private=False)]
    honest, place.provider.signer = place.provider.signer, own
    place.provider.header = {"jwk": own.as_dict(private=False)}
    try:
        assert reason(place.sign_in) == "signature"
    finally:
        place.provider.signer = honest


@pytest.mark.parametrize(
    "token",
    ["", "a.b", "a.b.c.d", "é.b.c", "x" * 40_000, ".".join(["x" * 3000, "b", "c"]), "!.!.!",
     compact({"alg": "RS256"}, {})[:-1] + "." , "bnVsbA.bnVsbA.eA"],
)  # fmt: skip
def test_what_is_no_token_is_refused_in_a_line(place: Place, token: str) -> None:
    place.provider.token = token

    assert reason(place.sign_in) in {"id-token", "algorithm", "key", "signature"}


def test_a_claim_that_stands_twice_is_refused(place: Place) -> None:
    """Two readers would read two people."""
    from joserfc import jws

    text = json.dumps({"sub": "ana"})[:-1] + ', "sub": "bo"}'
    place.provider.token = jws.serialize_compact(
        {"alg": "RS256", "kid": "one"}, text.encode(), place.provider.signer
    )

    assert reason(place.sign_in) == "id-token"


# The way back


@pytest.mark.parametrize("state", [None, "", "another", "0" * 64], ids=repr)
def test_an_answer_with_another_state_is_refused(place: Place, state: str | None) -> None:
    assert reason(lambda: place.sign_in(state=state)) == "state"


def test_an_answer_is_taken_for_ten_minutes(place: Place) -> None:
    query = place.provider.send(place.begin())
    place.clock.step(10 * MINUTE_S)

    assert reason(lambda: place.oidc.finish("acme", query, holder=BROWSER)) == "state"


def test_a_passkeys_challenge_is_no_state(place: Place) -> None:
    """Both are kept in one table; what one was asked for is nothing to the other."""
    from counterfoil.app.passkeys import Passkeys
    from counterfoil.app.proving import RelyingParty

    passkeys = Passkeys(
        RelyingParty("foil.example", HERE), place.state.sign_in, place.clock, _Known()
    )
    passkeys.ask(holder=BROWSER, purpose="sign-in")
    known = b"k" * 32

    assert reason(lambda: place.sign_in(state=known.decode())) == "mixed-up"


class _Known:
    def token(self, size_bytes: int) -> bytes:
        return b"k" * size_bytes


def test_a_provider_that_says_it_names_itself_has_to(place: Place) -> None:
    """RFC 9207: whoever takes the name out of an answer mixes up on purpose."""
    place.provider.metadata = {"authorization_response_iss_parameter_supported": True}

    assert reason(place.sign_in) == "mixed-up"
    assert place.sign_in(iss=place.provider.issuer).account
    assert reason(lambda: place.sign_in(iss="https://attacker.example")) == "mixed-up"


def test_a_provider_that_refuses_is_quoted_and_nothing_more(place: Place) -> None:
    with pytest.raises(RequestError, match="access_denied") as refused:
        place.sign_in(code=None, error="access_denied", error_description="<b>call 555</b>")

    assert "555" not in refused.value.message


@pytest.mark.parametrize(
    "answer", [{"code": None}, {"code": "x" * 5000}], ids=["no code", "a code that is too long"]
)
def test_an_answer_without_a_usable_code_is_refused(
    place: Place, answer: dict[str, str | None]
) -> None:
    assert reason(lambda: place.sign_in(**answer)) == "provider"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [(400, b'{"error": "invalid_grant"}', "code"), (200, b"{}", "provider"),
     (200, b"<html>", "provider"), (400, b"<html>", "provider"),
     (302, b"https://attacker.example", "provider")],
    ids=["refused", "no token", "a page", "a page that refuses", "a redirect"],
)  # fmt: skip
def test_an_exchange_that_gives_no_token_is_refused(
    place: Place, status: int, body: bytes, expected: str
) -> None:
    place.provider.raw["/token"] = (status, body)

    assert reason(place.sign_in) == expected


def test_a_provider_that_is_down_is_asked_again_later(place: Place) -> None:
    place.provider.raw["/token"] = (503, b"")

    assert "try again" in unreachable(place.sign_in)
