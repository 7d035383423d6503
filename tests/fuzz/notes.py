"""Decoders of signed text: notes, checkpoints, keys, cosignatures, policies, witness requests."""

import json

from counterfoil.app.cosigned import CosignedNote
from counterfoil.events.entry import read_entry
from counterfoil.tlog import (
    checkpoint,
    checkpoint_text,
    cosignature,
    handover,
    keys,
    note,
    note_text,
    policy,
    strict,
    witness,
)  # fmt: skip
from counterfoil.tlog.note_text import Note
from counterfoil.verifier.anchor import read_anchor
from counterfoil.verifier.succession import read_handover, read_retirement
from tests.fuzz.decoder import Decoder
from tests.fuzz.samples import GOLDEN_LOG, VECTORS, as_text, log_file, read_all

_HELD = checkpoint_text.parse_checkpoint(
    note_text.parse_note(log_file("checkpoints/100.note")).text
).head
_VKEY = keys.parse_vkey(log_file("log.vkey").decode().strip())
_CHECKPOINT = log_file("log/checkpoint")
_TESSERA = VECTORS / "transparency-dev-tessera"
_NOTES = (
    _CHECKPOINT,
    log_file("checkpoints/100.note"),
    log_file("checkpoints/100-forked.note"),
    *read_all(_TESSERA, "checkpoint*", every=4),
)
_POLICIES = read_all(GOLDEN_LOG / "policies", "*")
_POLICY = policy.Policy.for_vkey(_VKEY)
_SIGNER = keys.SignerKey.from_seed("witness.example/w", b"\x07" * 32, keys.COSIGNATURE)
_LOG_SIGNER = keys.SignerKey.from_seed("log.example/l", b"\x08" * 32)
_LATER_SIGNER = keys.SignerKey.from_seed("log.example/l", b"\x09" * 32)
_HANDED_OVER = handover.hand_over(_LOG_SIGNER, _LATER_SIGNER, _HELD)
_COSIGNED = note_text.parse_note(_CHECKPOINT).text
_RAW = note_text.parse_note(
    note.write_note(_COSIGNED, [cosignature.cosign(_SIGNER, _COSIGNED, 1_679_315_147)])
).signatures[0]
_REQUESTS = read_all(GOLDEN_LOG / "add-checkpoint", "*.request")


def _note(data: bytes) -> None:
    found: Note = note_text.parse_note(data)
    lines = [note_text.signature_line_of(line) for line in found.signatures]
    assert note.write_note(found.text, lines) == data
    note.verify_note(data, [_VKEY])


def _checkpoint(data: bytes) -> None:
    found = checkpoint_text.parse_checkpoint(data)
    more = "".join(f"{line}\n" for line in found.extensions).encode()
    assert checkpoint_text.write_checkpoint(found.origin, found.head) + more == data


def _signed_checkpoint(data: bytes) -> None:
    found = checkpoint.verify_checkpoint(data, [_VKEY])
    assert found == _POLICY.verify_checkpoint(data)
    read_anchor("kept", data, _POLICY)


def _anchor(data: bytes) -> None:
    read_anchor("kept", data, _POLICY)


def _vkey(data: bytes) -> None:
    assert str(keys.parse_vkey(as_text(data))).encode() == data


def _signer_key(data: bytes) -> None:
    assert keys.parse_signer_key(as_text(data)).to_text().encode() == data


def _policy(data: bytes) -> None:
    policy.parse_policy(data).verify_checkpoint(_CHECKPOINT)


def _cosignature(data: bytes) -> None:
    cosignature.verify_cosignature(_SIGNER.vkey, _COSIGNED, data)


def _cosigned_text(data: bytes) -> None:
    cosignature.verify_cosignature(_SIGNER.vkey, data, _RAW.signature)


def _request(data: bytes) -> None:
    assert witness.write_add_checkpoint(witness.parse_add_checkpoint(data)) == data


def _judged(data: bytes) -> None:
    witness.judge(data, [_VKEY], {_VKEY.name: _HELD})


def _answer(data: bytes) -> None:
    witness.read_cosignatures(data, _COSIGNED, _SIGNER.vkey)


def _held_size(data: bytes) -> None:
    witness.parse_held_size(data)


def _kept(data: bytes) -> None:
    CosignedNote.read(data, _POLICY, [_SIGNER.vkey])


def _earlier_keys(data: bytes) -> None:
    found = handover.parse_old(data, "the keys")
    assert "".join(f"{key} {size}\n" for key, size in found).encode() == data


def _handed_over(data: bytes) -> None:
    assert handover.write_handover(handover.parse_handover(data)) == data


def _key_change(data: bytes) -> None:
    read_handover(read_entry(data), 4711, "log.example/acme")


def _key_end(data: bytes) -> None:
    read_retirement(read_entry(data), 4711, "log.example/acme")


def _golden_entry(name: str) -> bytes:
    path = VECTORS / "golden" / f"dev.cdeventsx.counterfoil-key.{name}.0.1.0.json"
    entry: str = json.loads(path.read_bytes())["entry"]
    return entry.encode()


def _strict(data: bytes) -> None:
    for line in strict.read_lines(data, "note_invalid", "the lines"):
        kind, text = line[:1], line[1:]
        if kind == "d":
            assert str(strict.read_decimal(text, "note_invalid", "a size")) == text
        elif kind == "b":
            assert strict.write_base64(strict.read_base64(text, "note_invalid", "bytes")) == text
        else:
            assert len(strict.read_hash(text, "note_invalid", "a hash")) == 32


_COSIGNATURE = cosignature.cosign(_SIGNER, _COSIGNED, 1_679_315_147)

DECODERS = (
    Decoder(
        name="notes", read=_note, of=(note_text.parse_note, note.verify_note), seeds=_NOTES
    ),
    Decoder(
        name="checkpoints",
        read=_checkpoint,
        of=(checkpoint_text.parse_checkpoint,),
        seeds=tuple(note_text.parse_note(one).text for one in _NOTES),
    ),
    Decoder(
        name="signed checkpoints",
        read=_signed_checkpoint,
        of=(checkpoint.verify_checkpoint, policy.Policy.verify_checkpoint),
        seeds=_NOTES,
    ),
    Decoder(
        name="what somebody kept",
        read=_anchor,
        of=(read_anchor,),
        seeds=(*_NOTES[:2], log_file("receipts/41.tlog-proof")),
    ),
    Decoder(
        name="verifier keys",
        read=_vkey,
        of=(keys.parse_vkey,),
        seeds=(str(_VKEY).encode(), str(_SIGNER.vkey).encode()),
    ),
    Decoder(
        name="signing keys",
        read=_signer_key,
        of=(keys.parse_signer_key,),
        seeds=(_SIGNER.to_text().encode(), _LOG_SIGNER.to_text().encode()),
    ),
    Decoder(name="trust policies", read=_policy, of=(policy.parse_policy,), seeds=_POLICIES),
    Decoder(
        name="hand-overs of keys",
        read=_handed_over,
        of=(handover.parse_handover,),
        seeds=(handover.write_handover(_HANDED_OVER),),
    ),
    Decoder(
        name="earlier keys",
        read=_earlier_keys,
        of=(handover.parse_old,),
        seeds=(b"", f"{_LOG_SIGNER.vkey} 4711\n".encode()),
    ),
    Decoder(
        name="entries of keys that follow",
        read=_key_change,
        of=(read_handover,),
        seeds=(_golden_entry("rotated"),),
    ),
    Decoder(
        name="entries of keys that end",
        read=_key_end,
        of=(read_retirement,),
        seeds=(_golden_entry("retired"),),
    ),
    Decoder(
        name="cosignatures",
        read=_cosignature,
        of=(cosignature.verify_cosignature,),
        seeds=(_RAW.signature,),
    ),
    Decoder(
        name="texts that are cosigned",
        read=_cosigned_text,
        of=(cosignature.verify_cosignature,),
        seeds=(_COSIGNED,),
    ),
    Decoder(
        name="requests to a witness",
        read=_request,
        of=(witness.parse_add_checkpoint,),
        seeds=_REQUESTS,
    ),
    Decoder(
        name="requests a witness judges",
        read=_judged,
        of=(witness.judge,),
        seeds=_REQUESTS,
        errors=(witness.Refused,),
    ),
    Decoder(
        name="answers of a witness",
        read=_answer,
        of=(witness.read_cosignatures,),
        seeds=(_COSIGNATURE, _COSIGNATURE * 2),
    ),
    Decoder(
        name="the size a witness holds",
        read=_held_size,
        of=(witness.parse_held_size,),
        seeds=(b"100\n", b"0\n"),
    ),
    Decoder(
        name="notes with cosignatures",
        read=_kept,
        of=(CosignedNote.read,),
        seeds=(*_NOTES[:1], note.write_note(_COSIGNED, [_COSIGNATURE])),
    ),
    Decoder(
        name="numbers, hashes and base64 in text",
        read=_strict,
        of=(strict.read_lines, strict.read_decimal, strict.read_base64, strict.read_hash),
        seeds=(b"d100\n", b"bAAAA\n", b"h" + b"A" * 43 + b"=\n"),
    ),
)  # fmt: skip
