"""A delivery counts only if a live secret signed its raw bytes."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from counterfoil.errors import RequestError
from counterfoil.sources.github import check_signature

VECTORS = Path(__file__).parents[1] / "vectors" / "webhooks" / "github-signatures.json"
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_bytes())["vectors"]
BODY = b'{"hello":"w\xc3\xb6rld"}'


def _signed(secret: bytes, body: bytes = BODY) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def _accepts(secrets: list[bytes], body: bytes, header: str | None) -> bool:
    try:
        check_signature(secrets, body, header)
    except RequestError as refused:
        if refused.code != "webhook_signature":
            raise
        return False
    return True


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.get("case", case["source"]))
def test_a_published_or_computed_vector_is_judged_as_it_says(case: dict[str, Any]) -> None:
    header = case["headers"].get("X-Hub-Signature-256")
    assert _accepts([case["secret"].encode()], case["body"].encode(), header) is case["valid"]


def test_the_vectors_hold_both_verdicts() -> None:
    assert {case["valid"] for case in CASES} == {True, False}


@pytest.mark.parametrize("secret", [b"first", b"second"])
def test_either_of_two_live_secrets_is_taken(secret: bytes) -> None:
    """So that a secret can be replaced without a lost delivery."""
    assert _accepts([b"first", b"second"], BODY, _signed(secret))


@pytest.mark.parametrize(
    ("secrets", "header", "why"),
    [
        ([b"first"], None, "no header"),
        ([b"first"], "", "an empty header"),
        ([b"first"], _signed(b"other"), "a secret that is not live"),
        ([b"first"], _signed(b"first", b"{}"), "another body"),
        ([b"first"], _signed(b"first").upper(), "not the form GitHub writes"),
        ([b"first"], _signed(b"first") + "0", "a digit too many"),
        ([b"first"], _signed(b"first").removeprefix("sha256="), "no scheme"),
        ([b"first"], "sha1=" + hmac.new(b"first", BODY, hashlib.sha1).hexdigest(), "SHA-1"),
        ([b"first"], "sha256=" + "é" * 64, "no hexadecimal digits"),
        ([], _signed(b"first"), "no live secret at all"),
        ([b""], _signed(b""), "an empty secret is none"),
    ],
)
def test_anything_else_is_refused(secrets: list[bytes], header: str | None, why: str) -> None:
    assert not _accepts(secrets, BODY, header), why


def test_a_body_of_any_bytes_can_be_signed() -> None:
    body = bytes(range(256))
    assert _accepts([b"first"], body, _signed(b"first", body))
