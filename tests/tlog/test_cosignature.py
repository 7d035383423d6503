"""Cosignatures of both kinds."""

import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from counterfoil.errors import EvidenceError
from counterfoil.tlog.cosignature import (
    cosign,
    cosignature_time_s,
    subtree_message,
    verify_cosignature,
)
from counterfoil.tlog.keys import COSIGNATURE, MLDSA44, SignerKey, VerifierKey, signature_line
from counterfoil.tlog.note import parse_note, verify_note, write_note

ORIGIN = "example.com/log"
ROOT = bytes(range(32))
TEXT = b"example.com/log\n5\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
LOG = SignerKey.from_seed(ORIGIN, b"l" * 32)
WITNESS = SignerKey.from_seed("witness.example/w1", b"w" * 32, COSIGNATURE)
TIME_S = 1_679_315_147

_QUANTUM = MLDSA44PrivateKey.from_seed_bytes(b"q" * 32)
QUANTUM = VerifierKey.of("witness.example/q", MLDSA44, _QUANTUM.public_key().public_bytes_raw())


def quantum_cosignature(
    text_of: bytes = ROOT, *, timestamp_s: int = TIME_S, size: int = 5
) -> bytes:
    """Sign the structure of the specification, put together here by hand."""
    name, origin = b"witness.example/q", ORIGIN.encode()
    message = b"subtree/v1\n\0" + bytes([len(name)]) + name + struct.pack(">Q", timestamp_s)
    message += bytes([len(origin)]) + origin + struct.pack(">QQ", 0, size) + text_of
    return struct.pack(">Q", timestamp_s) + _QUANTUM.sign(message)


def test_an_ed25519_cosignature_states_its_time() -> None:
    note = parse_note(write_note(TEXT, [cosign(WITNESS, TEXT, TIME_S)]))
    raw = note.signatures[0].signature

    assert len(raw) == 72
    assert verify_cosignature(WITNESS.vkey, TEXT, raw) == TIME_S == cosignature_time_s(raw)


def test_an_ml_dsa_44_cosignature_states_its_time() -> None:
    assert verify_cosignature(QUANTUM, TEXT, quantum_cosignature()) == TIME_S


def test_a_note_is_checked_against_keys_of_every_kind() -> None:
    lines = [
        LOG.sign(TEXT),
        cosign(WITNESS, TEXT, TIME_S),
        signature_line(QUANTUM, quantum_cosignature()),
    ]
    note = verify_note(write_note(TEXT, lines), [LOG.vkey, WITNESS.vkey, QUANTUM])

    assert [line.name for line in note.signatures] == [ORIGIN, WITNESS.name, QUANTUM.name]


def test_another_time_is_not_the_time_that_was_signed() -> None:
    later = struct.pack(">Q", TIME_S + 1)
    for key, raw in (
        (
            WITNESS.vkey,
            parse_note(write_note(TEXT, [cosign(WITNESS, TEXT, TIME_S)])).signatures[0].signature,
        ),
        (QUANTUM, quantum_cosignature()),
    ):
        with pytest.raises(EvidenceError, match="does not verify") as refusal:
            verify_cosignature(key, TEXT, later + raw[8:])
        assert refusal.value.code == "signature"


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace(b"log\n5", b"log\n6"),
        TEXT.replace(b"example", b"exemple"),
        TEXT.replace(b"AAEC", b"AAED"),
    ],
    ids=["size", "origin", "root"],
)
def test_another_checkpoint_is_not_the_one_that_was_signed(text: bytes) -> None:
    ed25519 = parse_note(write_note(TEXT, [cosign(WITNESS, TEXT, TIME_S)])).signatures[0].signature
    for key, raw in ((WITNESS.vkey, ed25519), (QUANTUM, quantum_cosignature())):
        with pytest.raises(EvidenceError) as refusal:
            verify_cosignature(key, text, raw)
        assert refusal.value.code == "signature"


def test_a_log_signature_is_no_cosignature_of_the_same_key() -> None:
    """Header and time keep the two kinds apart, even under one key."""
    double = SignerKey.from_seed("witness.example/w1", LOG.seed, COSIGNATURE)
    raw = parse_note(write_note(TEXT, [LOG.sign(TEXT)])).signatures[0].signature

    with pytest.raises(EvidenceError) as refusal:
        verify_cosignature(double.vkey, TEXT, struct.pack(">Q", TIME_S) + raw)
    assert refusal.value.code == "signature"


@pytest.mark.parametrize(
    "raw",
    [b"", bytes(8), b"\x80" + bytes(71), b"\xff" * 72, bytes(73)],
    ids=["empty", "a time alone", "2^63 seconds", "all ones", "a byte over"],
)
def test_a_cosignature_of_a_wrong_shape_is_a_bad_signature(raw: bytes) -> None:
    for key in (WITNESS.vkey, QUANTUM):
        with pytest.raises(EvidenceError) as refusal:
            verify_cosignature(key, TEXT, raw)
        assert refusal.value.code == "signature"


def test_a_time_beyond_2_63_is_refused_even_when_it_was_signed() -> None:
    raw = quantum_cosignature(timestamp_s=2**63)
    with pytest.raises(EvidenceError, match="no time up to") as refusal:
        verify_cosignature(QUANTUM, TEXT, raw)
    assert refusal.value.code == "signature"
    assert (
        verify_cosignature(QUANTUM, TEXT, quantum_cosignature(timestamp_s=2**63 - 1)) == 2**63 - 1
    )


def test_ml_dsa_44_is_about_checkpoints_only() -> None:
    with pytest.raises(EvidenceError) as refusal:
        verify_cosignature(QUANTUM, b"hello\n", quantum_cosignature())
    assert refusal.value.code == "note_invalid"


def test_the_ml_dsa_44_message_is_laid_out_as_specified() -> None:
    message = subtree_message("w", 0, "log", start=8, end=13, root=ROOT)
    assert message == (
        b"subtree/v1\n\x00\x01w" + bytes(8) + b"\x03log" + struct.pack(">QQ", 8, 13) + ROOT
    )


def test_a_name_over_255_bytes_cannot_be_signed_with_ml_dsa_44() -> None:
    for cosigner, origin in (("w" * 256, "log"), ("w", "é" * 128)):
        with pytest.raises(EvidenceError, match="too long") as refusal:
            subtree_message(cosigner, 0, origin, start=0, end=1, root=ROOT)
        assert refusal.value.code == "signature"
