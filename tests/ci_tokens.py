"""Tokens as a CI would give them to a job: the samples' claims, signed with keys made here."""

import functools
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from counterfoil.policy.possession import token_digest
from counterfoil.policy.trust import Rule

SAMPLES = Path(__file__).parent / "vectors" / "oidc"
FILES = {
    "github": "github-actions.claims.json",
    "gitlab": "gitlab-ci.claims.json",
    "buildkite": "buildkite.claims.json",
    "circleci": "circleci.claims.json",
}
MADE_S = 1_772_445_300
"""`iat` of every sample."""
NOW_S = MADE_S + 60
AUDIENCE = "https://audit.acme.example"
ORGANIZATION = "f22b6566-597d-46d5-ba74-99ef5bb3d85c"
_BUILDKITE = {
    "organization_id": "0184990a-477b-4fa8-9968-496074483cee",
    "pipeline_id": "0184990a-4782-42b5-afc1-16715b10b8ff",
}
KINDS = tuple(FILES)


def claims_of(kind: str, **changed: object) -> dict[str, Any]:
    """Return a sample's claims, for our audience, with some changed; None leaves one out."""
    claims: dict[str, Any] = json.loads((SAMPLES / FILES[kind]).read_text("utf-8"))
    claims["aud"] = AUDIENCE
    if kind == "buildkite":
        claims |= {**_BUILDKITE, "jti": "0194b014-8517-7cef-b232-76a827315f08"}
    claims |= changed
    return {name: value for name, value in claims.items() if value is not None}


RULES = {
    "github": Rule(
        kind="github",
        issuer="https://token.actions.githubusercontent.com",
        audience=AUDIENCE,
        claims={
            "repository_id": "74",
            "job_workflow_ref": "acme/platform/.github/workflows/release.yml@refs/tags/v3",
        },
        projects=("default",),
    ),
    "gitlab": Rule(
        kind="gitlab",
        issuer="https://gitlab.acme.example",
        audience=AUDIENCE,
        claims={
            "project_id": "20",
            "ci_config_ref_uri": "gitlab.acme.example/acme/checkout//.gitlab-ci.yml@refs/heads/main",
        },
        projects=("default",),
    ),
    "buildkite": Rule(
        kind="buildkite",
        issuer="https://agent.buildkite.com",
        audience=AUDIENCE,
        claims=dict(_BUILDKITE),
        projects=("default",),
    ),
    "circleci": Rule(
        kind="circleci",
        issuer=f"https://oidc.circleci.com/org/{ORGANIZATION}",
        audience=AUDIENCE,
        claims={"oidc.circleci.com/project-id": "84996744-a854-4f5e-aea3-04e2851dc1d2"},
        projects=("default",),
    ),
}


@functools.cache
def rsa_key(name: str) -> RSAKey:
    """Return the RSA key of that name: another one in every run, the same one within it."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


@functools.cache
def ec_key(name: str) -> ECKey:
    """Return the P-256 key of that name."""
    return ECKey.generate_key("P-256", {"kid": name})


@functools.cache
def okp_key(name: str) -> OKPKey:
    """Return the Ed25519 key of that name."""
    return OKPKey.generate_key("Ed25519", {"kid": name})


def sign(
    claims: Mapping[str, Any],
    key: RSAKey | ECKey | OKPKey,
    header: Mapping[str, Any] | None = None,
    algorithm: str = "RS256",
) -> bytes:
    """Return a signed token."""
    protected = {"alg": algorithm, "typ": "JWT", "kid": key.kid, **(header or {})}
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    return jws.serialize_compact(
        protected, json.dumps(claims).encode(), key, registry=registry
    ).encode()


def key_set(*keys: RSAKey | ECKey | OKPKey) -> bytes:
    """Return the public halves as an issuer publishes them."""
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


def prove(
    token: bytes,
    key: ECKey | OKPKey,
    *,
    url: str,
    made_s: float = NOW_S,
    header: Mapping[str, Any] | None = None,
    **changed: object,
) -> bytes:
    """Return the proof a client makes for one exchange; None leaves a claim out."""
    claims = {
        "jti": str(uuid.uuid4()),
        "htm": "POST",
        "htu": url,
        "iat": made_s,
        "ath": token_digest(token),
        **changed,
    }
    shown = {"typ": "dpop+jwt", "jwk": key.as_dict(private=False), "kid": None, **(header or {})}
    algorithm = "ES256" if isinstance(key, ECKey) else "Ed25519"
    protected = {"alg": algorithm, **shown}
    del protected["kid"]
    kept = {name: value for name, value in claims.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    return jws.serialize_compact(protected, json.dumps(kept), key, registry=registry).encode()
