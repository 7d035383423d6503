"""Decoders of proofs: receipts, the answers they come in, proof files, time stamps."""

import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from counterfoil.client import receipts
from counterfoil.client.evidence_timestamps import read_roots
from counterfoil.client.http import _Entry
from counterfoil.errors import RequestError
from counterfoil.events import canonical
from counterfoil.prooffile.make import make_page
from counterfoil.tlog import receipt as receipt_format
from counterfoil.tlog.keys import parse_vkey
from counterfoil.tlog.policy import Policy
from counterfoil.verifier import proof_file
from counterfoil.verifier.proof_verdict import check_proof_file
from counterfoil.verifier.receipt import check_inclusion, check_receipt
from tests.fuzz.decoder import Decoder
from tests.fuzz.samples import GOLDEN_LOG, VECTORS, as_bytes, log_file, read_all
from tests.proofs import SIGNER, make_proof

_POLICY = Policy.for_vkey(parse_vkey(log_file("log.vkey").decode().strip()))
_RECEIPTS = read_all(GOLDEN_LOG / "receipts", "*.tlog-proof")
_EVENT: Any = json.loads(log_file("receipts/41.event.json"))
_OPENING: Any = json.loads(log_file("receipts/41.opening.json"))
_PROOF = make_proof()
_PAGE_POLICY = Policy.for_vkey(SIGNER.vkey)


def _receipt(data: bytes) -> None:
    found = receipt_format.parse_receipt(data)
    assert receipt_format.write_receipt(found) == data
    check_inclusion(data, _POLICY)


def _checked(data: bytes) -> None:
    verdict = check_receipt(data, _POLICY)
    assert verdict.ok or verdict.findings
    verdict.to_json()
    assert all("\n" not in line for line in verdict.lines())


def _answer(data: bytes) -> None:
    try:
        answer = msgspec.json.decode(data, type=_Entry)
    except (msgspec.MsgspecError, ValueError):
        return
    receipts.check_answer(answer, as_bytes(_EVENT))


def _data(data: bytes) -> None:
    proof = proof_file.read_data(data)
    assert proof_file.write_data(proof) == data
    proof_file.check_proof(proof)


def _signed_anew(data: bytes) -> None:
    """Give what stands in the proof a digest of its own: a forger has no trouble making it."""
    try:
        members = canonical.read(data)
    except RequestError:
        return
    if isinstance(members, dict) and "digest" in members:
        members["digest"] = proof_file._digest(members)
        _data(proof_file._escape(canonical.write(members)))


_STAMP_OF = read_roots(VECTORS / "timestamps" / "root.pem")


def _stamp(data: bytes) -> None:
    assert _STAMP_OF((VECTORS / "timestamps" / "5.text").read_bytes(), data).endswith("+00:00")


def _roots(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roots.pem"
        path.write_bytes(data)
        read_roots(path)


def _page(data: bytes) -> None:
    proof_file.is_page(data)
    verdict = check_proof_file(data, _PAGE_POLICY)
    assert verdict.ok == (not verdict.findings)
    verdict.to_json()
    assert all("\n" not in line for line in verdict.lines())


_MADE = proof_file.write_data(_PROOF)
_ANSWER = {
    "id": _EVENT["id"],
    "index": 41,
    "status": "recorded",
    "receipt": log_file("receipts/41.tlog-proof").decode(),
    "opening": _OPENING.get("opening", _OPENING),
}

DECODERS = (
    Decoder(
        name="receipts",
        read=_receipt,
        of=(receipt_format.parse_receipt, check_inclusion),
        seeds=_RECEIPTS,
    ),
    Decoder(name="receipts to judge", read=_checked, of=(check_receipt,), seeds=_RECEIPTS),
    Decoder(
        name="answers with a receipt",
        read=_answer,
        of=(receipts.check_answer,),
        seeds=(as_bytes(_ANSWER),),
    ),
    Decoder(
        name="data of proof files",
        read=_data,
        of=(proof_file.read_data, proof_file.check_proof),
        seeds=(_MADE,),
    ),
    Decoder(
        name="data of proof files under a digest of their own",
        read=_signed_anew,
        of=(proof_file.read_data, proof_file.check_proof),
        seeds=(_MADE,),
    ),
    Decoder(
        name="time stamps",
        read=_stamp,
        of=(_STAMP_OF,),
        seeds=((VECTORS / "timestamps" / "5.tsr").read_bytes(),),
    ),
    Decoder(
        name="roots of an authority",
        read=_roots,
        of=(read_roots,),
        seeds=((VECTORS / "timestamps" / "root.pem").read_bytes(),),
    ),
    Decoder(
        name="proof files",
        read=_page,
        of=(check_proof_file, proof_file.find_data, proof_file.is_page),
        seeds=(make_page(_PROOF)[-15_000:], b"<!doctype html>" + proof_file.DATA_OPEN + _MADE
               + proof_file.DATA_CLOSE + proof_file.DATA_END),
    ),
)  # fmt: skip
