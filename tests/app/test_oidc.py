"""What a provider may say, and what is not believed: a provider that says what a test wants."""

import base64
import hashlib
import json
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from counterfoil.app.config import OidcConfig, read_config
from counterfoil.app.oidc import Oidc, Proven, account_of, read_secret
from counterfoil.clock import SteppedClock
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.ids import SeededRandomness
from counterfoil.stores.state import State
from tests.lying_provider import CLIENT, SUBJECT, Provider, lying_provider

HERE = "https://foil.example"
BROWSER = "the secret of a browser"
MINUTE_S = 60
ACME = '[oidc.acme]\nissuer = "https://a.example"\nclient_id = "x"\n'


class Place:
    """This server and one provider, with a browser between them."""

    def __init__(self, provider: Provider, state: State, directory: Path) -> None:
        self.provider = provider
        self.clock = SteppedClock()
        provider.now_s = int(self.clock.now().timestamp())
        self.state = state
        self.directory = directory
        self.oidc = self.make()

    def make(self, **settings: Any) -> Oidc:
        """Return this server as its settings may be."""
        plain: dict[str, Any] = {"issuer": self.provider.issuer, "client_id": CLIENT}
        providers = {"acme": OidcConfig(**{**plain, **settings})}
        return Oidc(
            self.directory, providers, HERE, self.state.sign_in, self.clock, SeededRandomness("o")
        )

    def begin(self) -> str:
        """Return where the browser is sent."""
        return self.oidc.begin("acme", holder=BROWSER, purpose="sign-in", detail="/runs")

    def sign_in(self, **answer: str | None) -> Proven:
        """Go there and come back; members of `answer` replace those of the query."""
        query = {**self.provider.send(self.begin()), **answer}
        plain = {name: value for name, value in query.items() if value is not None}
        return self.oidc.finish("acme", plain, holder=BROWSER)


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


def reason(work: Callable[[], object]) -> str:
    with pytest.raises(RequestError) as refused:
        work()
    assert refused.value.code == "sign_in_refused"
    assert "\n" not in refused.value.message
    return str(refused.value.facts["reason"])


def unreachable(work: Callable[[], object]) -> str:
    with pytest.raises(UnavailableError) as refused:
        work()
    assert refused.value.code == "unreachable"
    return refused.value.message


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


# What a provider says about itself


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://attacker.example"},
        {"issuer": None},
        {"authorization_endpoint": "http://attacker.example/authorize"},
        {"token_endpoint": "http://10.0.0.5/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": "javascript:alert(1)"},
        {"jwks_uri": "https://user@attacker.example/"},
        {"authorization_endpoint": "https://a b/"},
        {"jwks_uri": "https://[x/"},
    ],
    ids=lambda metadata: " ".join(f"{name}={value}" for name, value in metadata.items()),
)
def test_a_provider_that_is_another_or_leads_elsewhere_is_not_used(
    place: Place, metadata: dict[str, Any]
) -> None:
    place.provider.metadata = metadata

    assert place.provider.issuer in unreachable(place.begin)


@pytest.mark.parametrize(
    "answer", [(200, b"[]"), (200, b"\xff"), (404, b"{}"), (200, b" " * 70_000), (302, b"/")],
    ids=["a list", "no UTF-8", "not there", "too large", "a redirect"],
)  # fmt: skip
def test_metadata_that_is_none_is_not_used(place: Place, answer: tuple[int, bytes]) -> None:
    place.provider.raw["/.well-known/openid-configuration"] = answer

    assert unreachable(place.begin)


def test_keys_that_cannot_be_had_let_nobody_in(place: Place) -> None:
    for answer in ((500, b""), (200, b'{"keys": 7}'), (200, b'{"keys": [' + b"{}," * 99 + b"{}]}")):
        place.provider.raw["/jwks"] = answer
        assert unreachable(place.sign_in)


def test_keys_that_were_changed_are_fetched_once_they_are_named(place: Place) -> None:
    place.sign_in()
    place.provider.signer, before = (
        RSAKey.generate_key(2048, {"kid": "two", "alg": "RS256", "use": "sig"}),
        place.provider.signer,
    )
    place.provider.header = {"kid": "two"}
    try:
        assert reason(place.sign_in) == "key"
        place.clock.step(30)
        assert place.sign_in().account == f"oidc:acme:{SUBJECT}"
    finally:
        place.provider.signer = before


def test_a_flood_of_unknown_keys_asks_the_provider_twice_a_minute(place: Place) -> None:
    place.sign_in()
    place.provider.header = {"kid": "unknown"}
    place.provider.asked.clear()
    for _ in range(6):
        place.clock.step(10)
        assert reason(place.sign_in) == "key"

    assert place.provider.asked.count("/jwks") == 2


def test_what_a_provider_said_is_kept_a_quarter_of_an_hour(place: Place) -> None:
    place.sign_in()
    place.sign_in()
    assert place.provider.asked.count("/.well-known/openid-configuration") == 1
    assert place.provider.asked.count("/jwks") == 1

    place.clock.step(15 * MINUTE_S)
    place.provider.now_s += 15 * MINUTE_S
    place.sign_in()
    assert place.provider.asked.count("/.well-known/openid-configuration") == 2


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "one"},
        {"kty": "RSA", "kid": "one"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "one"},
        {"kty": ["RSA"], "kid": "one"},
        {"kty": "quantum", "kid": "one"},
    ],
    ids=["for HMAC", "too short", "half a key", "no point", "a list", "another kind"],
)
def test_what_is_no_key_for_signatures_is_none(place: Place, key: dict[str, Any]) -> None:
    place.provider.keys = [key]

    assert reason(place.sign_in) in {"key", "signature"}


def test_a_key_of_another_kind_than_the_algorithm_is_refused(place: Place) -> None:
    place.provider.keys = [{**ECKey.generate_key("P-256").as_dict(private=False), "kid": "one"}]

    assert reason(place.sign_in) == "signature"


def test_two_keys_of_one_name_are_none(place: Place) -> None:
    place.provider.keys = [
        place.provider.signer.as_dict(private=False),
        {**RSAKey.generate_key(2048).as_dict(private=False), "kid": "one"},
    ]

    assert reason(place.sign_in) == "key"


# Accounts and settings


def test_different_subjects_are_different_accounts() -> None:
    subjects = ["a", "A", "a b", "a%20b", "a:b", "a/b", "a|b", "a@b", "%61"]

    assert len({account_of("acme", one) for one in subjects}) == len(subjects)


def test_a_provider_that_is_not_set_up_is_not_found(place: Place) -> None:
    for work in (
        lambda: place.oidc.begin("nobody", holder=BROWSER, purpose="sign-in"),
        lambda: place.oidc.finish("nobody", {}, holder=BROWSER),
    ):
        with pytest.raises(RequestError) as refused:
            work()
        assert refused.value.code == "not_found"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('[oidc.Acme]\nissuer = "https://a.example"\nclient_id = "x"', "name"),
        ('[oidc.acme]\nissuer = "http://a.example"\nclient_id = "x"', "https"),
        ('[oidc.acme]\nissuer = "https://a.example?x"\nclient_id = "x"', "https"),
        ('[oidc.acme]\nissuer = "https://a.example"\nclient_id = ""', "client_id"),
        ('[oidc.acme]\nissuer = "https://a.example"', "client_id"),
        (f'{ACME}scopes = ["email"]', "openid"),
        (f'{ACME}client_secret_env = "A"\nclient_secret_file = "b"', "both"),
        (f'{ACME}client_secret = "y"', "client_secret"),
    ],
    ids=["a name", "not https", "a query", "no client", "no client at all", "no openid",
         "two secrets", "a secret in the settings"],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_name(
    tmp_path: Path, lines: str, words: str
) -> None:
    (tmp_path / "counterfoil.toml").write_text(lines)

    with pytest.raises(RequestError, match=words) as refused:
        read_config(tmp_path)

    assert refused.value.code == "config_invalid"


@pytest.mark.parametrize(
    ("settings", "mode", "words"),
    [
        ({"client_secret_file": "secret"}, 0o644, "chmod 600"),
        ({"client_secret_file": "absent"}, 0o600, "absent"),
        ({"client_secret_file": "empty"}, 0o600, "empty"),
        ({"client_secret_env": "NO_SUCH_NAME"}, 0o600, "NO_SUCH_NAME"),
    ],
)
def test_a_secret_that_is_not_there_or_open_to_others_stops_the_start(
    tmp_path: Path, settings: dict[str, Any], mode: int, words: str
) -> None:
    for name, text in (("secret", "s3cret\n"), ("empty", "\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    config = OidcConfig(issuer="https://a.example", client_id="x", **settings)

    with pytest.raises(RequestError, match=words) as refused:
        read_secret(tmp_path, "acme", config)

    assert refused.value.code == "config_invalid"
    assert "s3cret" not in refused.value.message
