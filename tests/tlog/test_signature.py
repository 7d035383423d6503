"""Signature edge cases of Project Wycheproof through the functions every verdict rests on."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from counterfoil.errors import EvidenceError
from counterfoil.tlog.signature import (
    ed25519_public,
    ed25519_sign,
    ed25519_verifies,
    mldsa44_verifies,
)

VECTORS = Path(__file__).parents[1] / "vectors/wycheproof"


def groups(name: str) -> list[dict[str, Any]]:
    content = json.loads((VECTORS / name).read_bytes())
    loaded: list[dict[str, Any]] = content["testGroups"]
    assert sum(len(group["tests"]) for group in loaded) == content["numberOfTests"]
    return loaded


def test_every_ed25519_vector_gets_its_published_verdict() -> None:
    verdicts = {"valid": 0, "invalid": 0}
    for group in groups("ed25519_test.json"):
        public = bytes.fromhex(group["publicKey"]["pk"])
        for test in group["tests"]:
            good = ed25519_verifies(public, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
            assert good == (test["result"] == "valid"), f"{test['tcId']}: {test['comment']}"
            verdicts[test["result"]] += 1

    assert verdicts == {"valid": 88, "invalid": 63}


def test_every_mldsa44_vector_gets_its_published_verdict() -> None:
    verdicts = {"valid": 0, "invalid": 0}
    for group in groups("mldsa_44_verify_test.json"):
        public = bytes.fromhex(group["publicKey"])
        for test in group["tests"]:
            good = mldsa44_verifies(
                public,
                bytes.fromhex(test["sig"]),
                bytes.fromhex(test["msg"]),
                bytes.fromhex(test.get("ctx", "")),
            )
            assert good == (test["result"] == "valid"), f"{test['tcId']}: {test['comment']}"
            verdicts[test["result"]] += 1

    assert sum(verdicts.values()) == 180
    assert verdicts["valid"] > 60
    assert verdicts["invalid"] > 60


def test_a_signature_is_good_for_its_key_and_message_alone() -> None:
    seed, message = bytes(range(32)), b"text\n"
    public, signature = ed25519_public(seed), ed25519_sign(seed, message)

    assert ed25519_verifies(public, signature, message)
    assert not ed25519_verifies(public, signature, b"text")
    assert not ed25519_verifies(ed25519_public(bytes(32)), signature, message)
    assert not ed25519_verifies(public[:31], signature, message)
    assert not ed25519_verifies(public, signature + b"\0", message)


def test_an_installation_without_mldsa_says_so_instead_of_judging(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither yes nor no is true there, and a no would read as a forged cosignature."""
    name = "cryptography.hazmat.primitives.asymmetric.mldsa"
    monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(EvidenceError, match="install a newer one") as refusal:
        mldsa44_verifies(bytes(1312), bytes(2420), b"")
    assert refusal.value.code == "key_unknown"
