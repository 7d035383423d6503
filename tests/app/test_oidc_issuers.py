"""What a provider says about itself, which keys it has, and the settings that name it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from counterfoil.app.config import OidcConfig, read_config
from counterfoil.app.oidc import account_of, read_secret
from counterfoil.errors import RequestError
from counterfoil.stores.state import State
from tests.app.oidc_place import BROWSER, Place, reason, unreachable
from tests.lying_provider import SUBJECT, Provider, lying_provider

MINUTE_S = 60
ACME = '[oidc.acme]\nissuer = "https://a.example"\nclient_id = "x"\n'


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
    "answer", [(200, b"[]"), (200, b"\xff"), (404, b"{}"), (200, b" " * 140_000), (302, b"/")],
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


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", ECKey.generate_key("P-256", {"kid": "one"})),
        ("ES384", ECKey.generate_key("P-384", {"kid": "one"})),
        ("Ed25519", OKPKey.generate_key("Ed25519", {"kid": "one"})),
    ],
)
def test_a_provider_may_sign_with_any_algorithm_of_the_list(
    place: Place, algorithm: str, key: ECKey | OKPKey
) -> None:
    place.provider.signer = key
    place.provider.header = {"alg": algorithm}
    place.provider.claims = {"at_hash": None}
    place.provider.metadata = {"id_token_signing_alg_values_supported": [algorithm]}

    assert place.sign_in().account == f"oidc:acme:{SUBJECT}"


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
