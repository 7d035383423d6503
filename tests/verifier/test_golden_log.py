"""Our own log as files for anybody: the same bytes every time, and the verdicts they promise."""

import json
from pathlib import Path
from typing import Any

import pytest

from counterfoil.client.evidence import verify_path
from counterfoil.errors import RequestError
from counterfoil.tlog.keys import parse_vkey
from counterfoil.tlog.tree import TreeHead
from counterfoil.tlog.witness import judge, read_cosignatures
from counterfoil.verifier.report import ReceiptVerdict, Report
from tools import golden_log

FOLDER = golden_log.FOLDER
CASES: list[dict[str, str]] = json.loads((FOLDER / "expected.json").read_text("utf-8"))


def test_the_files_are_those_the_tool_makes() -> None:
    """Bytes of proofs are permanent, so a change of them has to be meant."""
    made = golden_log.files()
    kept = {
        str(path.relative_to(FOLDER)): path.read_bytes()
        for path in FOLDER.rglob("*")
        if path.is_file() and path.name != "README.md"
    }

    assert sorted(kept) == sorted(made)
    assert [path for path in made if made[path] != kept[path]] == []


def verdict_of(case: dict[str, str]) -> str:
    against = (str(FOLDER / case["against"]),) if "against" in case else ()
    policy = FOLDER / "policies" / case["policy"]
    try:
        found = verify_path(str(FOLDER / case["evidence"]), trust=policy, against=against)
    except RequestError as error:
        return "policy_invalid" if error.code == "trust_invalid" else error.code
    if found.ok:
        return "ok"
    assert isinstance(found, Report | ReceiptVerdict)
    return " ".join(f"{one.klass}: {one.message}" for one in found.findings)


MEANT = {
    "quorum": "quorum", "key_unknown": "no trusted key", "forked": "forked",
    "proof": "[proof]", "note_invalid": "[note_invalid]", "signature": "[signature]",
    "ok": "ok", "policy_invalid": "policy_invalid",
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case.values()))
def test_the_verdict_is_the_expected_one(case: dict[str, str]) -> None:
    said = verdict_of(case)

    assert MEANT[case["verdict"]] in said
    assert (said == "ok") == (case["verdict"] == "ok")


def test_the_event_of_entry_41_is_what_it_committed_to() -> None:
    receipts = FOLDER / "receipts"
    found = verify_path(
        str(receipts / "41.tlog-proof"),
        trust=FOLDER / "policies" / "two-of-two",
        event=receipts / "41.event.json",
        opening=receipts / "41.opening.json",
    )

    assert isinstance(found, ReceiptVerdict)
    assert found.ok
    assert found.compared


def test_a_witness_takes_the_requests_in_order_and_gives_the_answer() -> None:
    log = parse_vkey((FOLDER / "log.vkey").read_text().strip())
    held: dict[str, TreeHead] = {}
    note = b""
    for name in ("0-100", "100-260"):
        body = (FOLDER / "add-checkpoint" / f"{name}.request").read_bytes()
        request, checkpoint = judge(body, [log], held)
        held[checkpoint.origin], note = checkpoint.head, request.note

    witness = golden_log._key("witness.example/one", 4).vkey
    answer = (FOLDER / "add-checkpoint" / "260.answer").read_bytes()
    assert read_cosignatures(answer, note.partition(b"\n\n")[0] + b"\n", witness) == answer


BAD_INPUT: dict[str, Any] = {
    "a directory that is no log": lambda path: path.mkdir(),
    "a file that is nothing known": lambda path: path.write_bytes(b"hello"),
    "an empty file": lambda path: path.write_bytes(b""),
    "nothing at all": Path.exists,
}


@pytest.mark.parametrize("make", BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_what_is_no_evidence_is_a_mistake_of_the_caller(make: Any, tmp_path: Path) -> None:
    make(tmp_path / "it")

    with pytest.raises(RequestError) as refusal:
        verify_path(str(tmp_path / "it"), trust=FOLDER / "policies" / "log-alone")

    assert refusal.value.code in {"not_a_ledger", "dir_missing"}
    assert "\n" not in refusal.value.message


HALF_COPIED = {
    "without its last bundle": "tile/entries/001.p/4",
    "without a full tile": "tile/0/000",
    "without the tile above": "tile/1/000.p/1",
    "without its checkpoint": "checkpoint",
}


@pytest.mark.parametrize("path", HALF_COPIED.values(), ids=HALF_COPIED.keys())
def test_a_half_copied_log_names_what_is_missing(path: str, tmp_path: Path) -> None:
    copy = tmp_path / "log"
    for file in (FOLDER / "log").rglob("*"):
        name = file.relative_to(FOLDER / "log")
        if file.is_file() and str(name) != path:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes(file.read_bytes())

    found = verify_path(str(copy), trust=FOLDER / "policies" / "two-of-two")

    assert isinstance(found, Report)
    assert ("missing", path) in {(one.klass, one.object) for one in found.findings}


def test_a_checkpoint_smaller_than_one_already_seen_is_missing_entries(tmp_path: Path) -> None:
    """The log as it was at 100, held against a receipt of the log at 260."""
    copy = tmp_path / "log"
    (copy / "tile/0").mkdir(parents=True)
    (copy / "tile/entries").mkdir(parents=True)
    note = (FOLDER / "checkpoints/100.note").read_bytes()
    (copy / "checkpoint").write_bytes(note)
    (copy / "tile/0/000").write_bytes((FOLDER / "log/tile/0/000").read_bytes())
    (copy / "tile/entries/000").write_bytes((FOLDER / "log/tile/entries/000").read_bytes())
    policy = FOLDER / "policies" / "one"

    alone = verify_path(str(copy), trust=policy)
    held = verify_path(str(copy), trust=policy, against=(str(FOLDER / "receipts/259.tlog-proof"),))

    assert isinstance(alone, Report)
    assert alone.size == 100
    assert isinstance(held, Report)
    assert [
        (one.klass, one.first, one.last) for one in held.findings if one.klass == "missing"
    ] == [("missing", 100, 259), ("missing", 0, 99)], (
        "and whether the rest is the same nobody can say"
    )
