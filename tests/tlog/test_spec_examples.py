"""The examples printed in the C2SP specifications, read by what claims to implement them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint import parse_checkpoint, write_checkpoint
from counterfoil.tlog.cosignature import cosignature_message, cosignature_time_s
from counterfoil.tlog.keys import COSIGNATURE, SignerKey, parse_vkey
from counterfoil.tlog.note import parse_note, verify_note
from counterfoil.tlog.policy import parse_policy
from counterfoil.tlog.proof import verify_subtree_consistency
from counterfoil.tlog.receipt import parse_receipt, write_receipt
from counterfoil.tlog.strict import read_base64, read_hash, write_base64
from counterfoil.tlog.tile import parse_path, tile_path, tiles_of

FILE = Path(__file__).parents[1] / "vectors/c2sp/spec-examples.json"
EXAMPLES: dict[str, Any] = json.loads(FILE.read_bytes())
SOFA = "example.com/behind-the-sofa"


def test_the_note_of_signed_note_md_verifies_under_its_key() -> None:
    example = EXAMPLES["signed_note"]
    key = parse_vkey(example["vkey"])
    note = verify_note(example["note"].encode(), [key])

    assert str(key) == example["vkey"]
    assert note.text == b"This is an example message.\n"
    assert [line.name for line in note.signatures] == ["example.com/foo"]


@pytest.mark.parametrize("name", ["checkpoint", "cosigned_checkpoint"])
def test_the_checkpoints_are_read_and_written_to_the_byte(name: str) -> None:
    note = parse_note(EXAMPLES[name]["note"].encode())
    checkpoint = parse_checkpoint(note.text)

    assert (checkpoint.origin, checkpoint.size) == (SOFA, 20852163)
    assert write_checkpoint(checkpoint.origin, checkpoint.head) == note.text


def test_the_cosignature_states_its_time_and_signs_the_printed_message() -> None:
    note = parse_note(EXAMPLES["cosigned_checkpoint"]["note"].encode())
    log, witness = note.signatures
    timestamp_s = cosignature_time_s(witness.signature)

    assert (log.name, witness.name) == (SOFA, "witness.example.com/w1")
    assert witness.key_id.hex() == "8d66cf3f"
    assert timestamp_s == 1679315147
    message = cosignature_message(note.text, timestamp_s)
    assert message.decode() == EXAMPLES["cosignature_v1_signed_message"]


def test_the_parts_of_an_add_checkpoint_request_are_these_formats() -> None:
    proof, _, note = EXAMPLES["add_checkpoint_request"].partition("\n\n")
    old, *hashes = proof.split("\n")
    checkpoint = parse_checkpoint(parse_note(note.encode()).text)

    assert old == "old 20852014"
    assert len([read_hash(line, "proof", "a hash") for line in hashes]) == 4
    assert checkpoint.size == 20852163
    assert [line.name for line in parse_note(note.encode()).signatures] == [SOFA, SOFA]


def test_the_cosignature_lines_of_an_answer_belong_behind_the_note() -> None:
    note = EXAMPLES["checkpoint"]["note"] + EXAMPLES["add_checkpoint_response"]
    added = parse_note(note.encode()).signatures[1:]

    assert [line.name.rsplit("/")[-1] for line in added] == ["w1", "w1", "w2"]
    assert {len(line.signature) for line in added} == {8 + 64}


def test_the_parts_of_a_sign_subtree_request_are_these_formats() -> None:
    """The hashes there are made up: four lead from [8, 13) to a tree of 14, but not these."""
    head, _, note = EXAMPLES["sign_subtree_request_elided"].partition("\n\n")
    range_line, *lines = head.split("\n")
    root, *path = [read_hash(line, "proof", "a hash") for line in lines]
    checkpoint = parse_checkpoint(note.partition("\n\n")[0].encode() + b"\n")

    assert range_line == "subtree 8 13"
    assert (checkpoint.origin, checkpoint.size, len(path)) == (SOFA, 14, 4)
    with pytest.raises(EvidenceError, match="the path leads to"):
        verify_subtree_consistency(root, checkpoint.head, path, start=8, end=13)


def test_the_receipt_of_tlog_proof_md_is_read_and_written_to_the_byte() -> None:
    elided = EXAMPLES["tlog_proof_elided"]
    data = re.sub(r"\S+\[\.\.\.\]\S+", write_base64(bytes(range(68))), elided).encode()
    receipt = parse_receipt(data)

    assert receipt.index == 73894
    assert receipt.extra is not None
    assert receipt.extra.startswith(b"age-v1.2.1-darwin-arm64.tar.gz")
    assert len(receipt.path) == 5
    assert parse_checkpoint(parse_note(receipt.checkpoint).text).origin == "example.com/fancylog"
    assert write_receipt(receipt) == data


def test_the_elided_receipt_itself_is_refused() -> None:
    with pytest.raises(EvidenceError, match="not canonical base64") as refusal:
        parse_receipt(EXAMPLES["tlog_proof_elided"].encode())
    assert refusal.value.code == "note_invalid"


def test_the_policy_of_tlog_policy_md_asks_for_two_of_x_and_one_of_y() -> None:
    log = SignerKey.from_seed("example.com/log", bytes(32))
    text = EXAMPLES["tlog_policy_elided"].replace("<vkey>", str(log.vkey), 1)
    for number in range(1, 7):
        seed = bytes([number]) * 32
        witness = SignerKey.from_seed(f"witness.example/{number}", seed, COSIGNATURE)
        text = text.replace("<vkey>", str(witness.vkey), 1)
    policy = parse_policy(text)

    assert [witness.name for witness in policy.witnesses] == ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
    assert policy.is_quorum({"X1", "X3", "Y2"})
    assert policy.is_quorum({"X1", "X2", "X3", "Y1", "Y2", "Y3"})
    assert not policy.is_quorum({"X1", "X2", "X3"})
    assert not policy.is_quorum({"X1", "Y1", "Y2", "Y3"})
    assert not policy.is_quorum(set())


def test_tiles_are_counted_and_named_as_in_tlog_tiles_md() -> None:
    arithmetic = EXAMPLES["tlog_tiles_arithmetic"]
    path = f"tile/0/{arithmetic['index_1234067_path']}"
    assert tile_path(0, 1234067) == path
    assert parse_path(path).n == 1234067
    for size in (70000, 256):
        counted: dict[str, int] = {}
        for level, _, width in tiles_of(size):
            if width == 256:
                counted[f"level{level}_full"] = counted.get(f"level{level}_full", 0) + 1
            else:
                counted[f"level{level}_partial_width"] = width
        assert counted == arithmetic[f"size_{size}"]


def test_the_base64_of_the_examples_is_canonical() -> None:
    """What the strict reader refuses, the specifications do not use."""
    vkey = EXAMPLES["signed_note"]["vkey"].split("+", 2)[2]
    assert read_base64(vkey, "note_invalid", "the key")[0] == 1
