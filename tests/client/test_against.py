"""`--against`: the whole directory may lie, key included; evidence kept outside contradicts it."""

import json
import shutil
from pathlib import Path

import pytest

from counterfoil.app.record import LOCAL
from counterfoil.client.evidence import verify_path
from counterfoil.errors import RequestError
from counterfoil.events.event import parse_event
from counterfoil.tlog.checkpoint import sign_checkpoint, verify_checkpoint
from counterfoil.tlog.keys import SignerKey
from counterfoil.tlog.receipt import parse_receipt, write_receipt
from counterfoil.tlog.tree import TreeHead
from counterfoil.verifier.report import ReceiptVerdict, Report
from tests.client.verifying import served
from tests.ledgers import PROJECT, Built, build_ledger, create_ledger, make_sample, open_ledger

FORGED = 5


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_ledger(tmp_path_factory.mktemp("honest") / "ledger", events=12)


@pytest.fixture(scope="module")
def forged(honest: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same history, key and keys of people; one event tells another story."""
    directory = tmp_path_factory.mktemp("forged") / "ledger"
    create_ledger(directory, (PROJECT,))
    events = list(honest.events[PROJECT])
    story = events[FORGED].to_json()
    assert isinstance(story["data"], dict)
    events[FORGED] = parse_event({**story, "data": {**story["data"], "outcome": "failure"}})
    with open_ledger(directory) as (_, recorder):
        for blob in honest.blobs:
            recorder.put_blob(blob, "log.txt", "text/plain")
        recorder.record(PROJECT, events, LOCAL, "cli")
    return directory


def verify(directory: Path, *against: str) -> Report:
    report = verify_path(str(directory), against=against)
    assert isinstance(report, Report)
    return report


def kept(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "kept"
    path.write_bytes(data)
    return str(path)


def test_an_honest_ledger_agrees_with_everything_kept_of_it(honest: Built, tmp_path: Path) -> None:
    receipt = kept(tmp_path, honest.receipt(3))
    checkpoint = str(honest.directory / "public" / PROJECT / "checkpoint")
    with served(honest.directory / "public") as url:
        assert verify(honest.directory, receipt, checkpoint, f"{url}/{PROJECT}").ok


def test_a_ledger_rewritten_with_its_key_looks_whole_from_inside(forged: Path) -> None:
    assert verify(forged).ok


def test_a_receipt_of_the_rewritten_entry_names_it_as_forked(
    honest: Built, forged: Path, tmp_path: Path
) -> None:
    report = verify(forged, kept(tmp_path, honest.receipt(FORGED)))

    assert {one.klass for one in report.findings} == {"forked"}
    assert (FORGED, FORGED) in {(one.first, one.last) for one in report.findings}


def test_a_receipt_of_another_entry_names_a_range_that_holds_the_rewritten_one(
    honest: Built, forged: Path, tmp_path: Path
) -> None:
    report = verify(forged, kept(tmp_path, honest.receipt(FORGED - 1)))

    spans = [(one.first, one.last) for one in report.findings]
    assert (FORGED, FORGED) in spans, "the sibling of entry 4 is entry 5"
    assert {one.klass for one in report.findings} == {"forked"}


def test_a_checkpoint_of_the_same_size_says_forked_and_cannot_say_where(
    honest: Built, forged: Path
) -> None:
    report = verify(forged, str(honest.directory / "public" / PROJECT / "checkpoint"))

    assert [(one.klass, one.first, one.last) for one in report.findings] == [("forked", 0, 11)]


def test_a_mirror_names_the_rewritten_entries_exactly(honest: Built, forged: Path) -> None:
    with served(honest.directory / "public") as url:
        report = verify(forged, f"{url}/{PROJECT}")

    seeds = [(one.klass, one.first, one.last) for one in report.findings]
    assert seeds[0][0] == "forked"
    assert any(first is not None and first <= FORGED for _, first, _ in seeds)


def test_a_restored_backup_misses_what_was_promised_since(honest: Built, tmp_path: Path) -> None:
    grown = tmp_path / "grown"
    shutil.copytree(honest.directory, grown)
    with open_ledger(grown) as (_, recorder):
        [answer] = recorder.record(PROJECT, [make_sample(12)], LOCAL, "cli")

    report = verify(honest.directory, kept(tmp_path, answer.receipt))

    assert [(one.klass, one.first, one.last) for one in report.findings] == [("missing", 12, 12)]


def test_outside_evidence_under_another_key_for_the_same_log_is_a_fork(
    honest: Built, tmp_path: Path
) -> None:
    """The directory's key was exchanged with everything else: the receipt's key is the first one."""
    exchanged = tmp_path / "exchanged"
    shutil.copytree(honest.directory, exchanged)

    vkey = honest.vkeys[PROJECT]
    other = SignerKey.from_seed(vkey.name, b"\x02" * 32)
    receipt = parse_receipt(honest.receipt(2))
    signed = verify_checkpoint(receipt.checkpoint, [vkey])
    note = sign_checkpoint(vkey.name, TreeHead(signed.size, signed.root), other)
    strange = write_receipt(type(receipt)(receipt.index, receipt.extra, receipt.path, note))

    report = verify(exchanged, kept(tmp_path, strange))

    assert [one.klass for one in report.findings] == ["forked"]


def test_evidence_of_another_log_or_of_none_is_a_mistake_of_the_caller(
    honest: Built, tmp_path: Path
) -> None:
    other = build_ledger(tmp_path / "other", events=1, seed="other")
    for data in (other.receipt(0), b"no note"):
        with pytest.raises(RequestError) as caught:
            verify(honest.directory, kept(tmp_path, data))
        assert caught.value.code == "usage"


def test_a_receipt_file_is_verified_with_its_event_and_opening_files(
    honest: Built, tmp_path: Path
) -> None:
    receipt, event, opening = honest.write_contents(tmp_path, 3)
    vkey = honest.directory / "keys" / "default.vkey"
    verdict = verify_path(str(receipt), vkey=vkey, event=event, opening=opening)
    assert isinstance(verdict, ReceiptVerdict)
    assert verdict.ok
    assert "body" in verdict.compared

    told = json.loads(event.read_text("utf-8"))
    told["data"]["outcome"] = "failure"
    event.write_text(json.dumps(told), "utf-8")
    assert not verify_path(str(receipt), vkey=vkey, event=event, opening=opening).ok

    for none in ("null", "[]", '"event"'):
        event.write_text(none, "utf-8")
        with pytest.raises(RequestError, match="holds no event"):
            verify_path(str(receipt), vkey=vkey, event=event, opening=opening)
    event.write_text(json.dumps(told), "utf-8")

    for broken in ("[]", '{"body": "AAAA"}', "{"):
        opening.write_text(broken, "utf-8")
        with pytest.raises(RequestError):
            verify_path(str(receipt), vkey=vkey, event=event, opening=opening)
    with pytest.raises(RequestError, match="give --event FILE"):
        verify_path(str(receipt), vkey=vkey, opening=opening)
    with pytest.raises(RequestError, match="give --trust"):
        verify_path(str(receipt))
