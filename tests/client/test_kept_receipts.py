"""What a producer gets back is checked before it is kept, and kept so that it serves later."""

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from counterfoil.client import receipts
from counterfoil.client.evidence import verify_path
from counterfoil.errors import EvidenceError, RequestError
from counterfoil.tlog.checkpoint_text import Checkpoint
from counterfoil.tlog.policy import Policy
from tests.web_server import Running, event, running

Answers = list[dict[str, Any]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("receipts") / "ledger") as served:
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".counterfoil" / "receipts"


def post(server: Running, count: int) -> tuple[Answers, list[bytes]]:
    sent = [event() for _ in range(count)]
    reply = server.call(
        "POST", "/v1/events", sent, {"Content-Type": "application/cloudevents-batch+json"}
    )
    assert reply.status == 201
    return reply.json()["entries"], [json.dumps(one).encode() for one in sent]


def kept(folder: Path) -> list[str]:
    return sorted(str(path.name) for path in folder.rglob("*") if path.is_file())


def test_a_receipt_is_kept_with_its_opening_and_verifies_later(
    server: Running, folder: Path, tmp_path: Path
) -> None:
    answers, sent = post(server, 1)

    receipts.keep(folder, answers, sent)

    index = answers[0]["index"]
    assert kept(folder) == [f"{index}.opening.json", f"{index}.tlog-proof", "checkpoint"]
    [proof] = folder.rglob("*.tlog-proof")
    posted = tmp_path / "event.json"
    posted.write_bytes(sent[0])
    verdict = verify_path(
        str(proof), vkey=server.home.directory / "keys" / "default.vkey", event=posted,
        opening=proof.with_suffix(".opening.json"),
    )  # fmt: skip
    assert verdict.ok
    compared = verdict.to_json()["compared"]
    assert isinstance(compared, list)
    assert "body" in compared
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*") if path.is_file())


def test_receipts_of_a_batch_lie_in_one_archive(server: Running, folder: Path) -> None:
    """Six thousand tests are not to leave twelve thousand files."""
    answers, sent = post(server, 20)

    receipts.keep(folder, answers, sent)

    [path] = folder.rglob("*.zip")
    assert path.name == f"{answers[0]['index']}-{answers[-1]['index']}.zip"
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 40
        for one in answers:
            assert archive.read(f"{one['index']}.tlog-proof").decode() == one["receipt"]


def test_the_checkpoint_that_is_kept_is_the_newest(server: Running, folder: Path) -> None:
    first, later = post(server, 1), post(server, 1)

    receipts.keep(folder, *later)
    receipts.keep(folder, *first)

    [path] = folder.rglob("checkpoint")
    assert (
        path.read_text().splitlines()[1] == later[0][0]["receipt"].split("\n\n")[1].split("\n")[1]
    )


def other_entry(answers: Answers) -> None:
    answers[0]["receipt"] = answers[1]["receipt"]
    answers[0]["index"] = answers[1]["index"]


def other_place(answers: Answers) -> None:
    answers[0]["index"] += 1


def other_path(answers: Answers) -> None:
    lines = answers[0]["receipt"].split("\n")
    place = next(at for at, line in enumerate(lines) if line.startswith("index ")) + 1
    lines[place] = ("B" if lines[place][0] == "A" else "A") + lines[place][1:]
    answers[0]["receipt"] = "\n".join(lines)


def no_receipt(answers: Answers) -> None:
    answers[0]["receipt"] = "thank you"


def no_opening(answers: Answers) -> None:
    answers[0]["opening"] = {}


def other_opening(answers: Answers) -> None:
    answers[0]["opening"]["body"] = answers[1]["opening"]["body"]


def odd_opening(answers: Answers) -> None:
    answers[0]["opening"]["body"] = "***"


LIES = {
    "the receipt of another event": (other_entry, "damaged"),
    "the receipt of another place": (other_place, "damaged"),
    "a path to another root": (other_path, "proof"),
    "no receipt at all": (no_receipt, "note_invalid"),
    "nothing that opens the body": (no_opening, "commitment"),
    "the key of another body": (other_opening, "commitment"),
    "a key that is no base64": (odd_opening, "commitment"),
}


@pytest.mark.parametrize(("lie", "code"), LIES.values(), ids=LIES.keys())
def test_an_answer_that_does_not_hold_is_named_and_nothing_of_it_is_kept(
    server: Running, folder: Path, lie: Any, code: str
) -> None:
    answers, sent = post(server, 2)
    lie(answers)

    with pytest.raises(EvidenceError) as raised:
        receipts.keep(folder, answers, sent)

    assert raised.value.code == code
    assert kept(folder) == []


def test_a_log_with_another_root_at_the_same_size_is_a_fork(server: Running, folder: Path) -> None:
    """Two histories of one log: whoever kept the first sees it at once."""
    answers, sent = post(server, 1)
    receipts.keep(folder, answers, sent)
    [path] = folder.rglob("checkpoint")
    lines = path.read_text().split("\n")
    lines[2] = "A" * 43 + "="
    path.write_text("\n".join(lines))

    with pytest.raises(EvidenceError, match="another root at") as raised:
        receipts.keep(folder, answers, sent)

    assert raised.value.code == "forked"


@pytest.mark.parametrize("left", [b"", b"log.example/acme\n"], ids=["nothing", "its first line"])
def test_a_kept_checkpoint_that_is_none_any_more_is_named(
    server: Running, folder: Path, left: bytes
) -> None:
    """Nothing is wrong with the answer: whoever reads the message looks at the file."""
    answers, sent = post(server, 1)
    receipts.keep(folder, answers, sent)
    [path] = folder.rglob("checkpoint")
    path.write_bytes(left)

    with pytest.raises(EvidenceError) as raised:
        receipts.keep(folder, answers, sent)

    assert str(path) in raised.value.message
    assert raised.value.code == "note_invalid"
    assert path.read_bytes() == left


def test_the_checkpoint_is_on_the_disk_before_it_is_the_one_that_counts(
    server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that goes down right after must not leave an empty file in its place."""
    steps: list[str] = []
    sync, replace = os.fsync, os.replace

    def noted_sync(file: int) -> None:
        steps.append("on the disk")
        sync(file)

    def noted_replace(old: Any, new: Any) -> None:
        steps.append(Path(new).name)
        replace(old, new)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_replace)
    answers, sent = post(server, 1)

    receipts.keep(folder, answers, sent)

    assert steps[steps.index("checkpoint") - 1] == "on the disk"


def test_whoever_is_named_as_trusted_must_have_signed(
    server: Running, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, sent = post(server, 1)
    right = server.home.directory / "keys" / "default.vkey"
    policy = tmp_path / "policy"
    policy.write_text(f"log {right.read_text()}quorum none\n")
    for trusted in (right, policy):
        monkeypatch.setenv("COUNTERFOIL_TRUST", str(trusted))
        receipts.keep(folder, answers, sent)

    from counterfoil.tlog.keys import SignerKey

    wrong = tmp_path / "wrong.vkey"
    name = right.read_text().partition("+")[0]
    stranger = SignerKey.from_seed(name, b"7" * 32)
    wrong.write_text(f"{stranger.vkey}\n")
    monkeypatch.setenv("COUNTERFOIL_TRUST", str(wrong))
    with pytest.raises(EvidenceError) as raised:
        receipts.keep(folder, answers, sent)
    assert raised.value.code == "key_unknown"

    monkeypatch.setenv("COUNTERFOIL_TRUST", str(tmp_path / "absent"))
    with pytest.raises(RequestError, match="COUNTERFOIL_TRUST="):
        receipts.keep(folder, answers, sent)


def test_the_signature_under_a_batch_is_checked_once(
    server: Running, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand receipts have one checkpoint between them."""
    answers, sent = post(server, 20)
    monkeypatch.setenv("COUNTERFOIL_TRUST", str(server.home.directory / "keys" / "default.vkey"))
    notes: list[bytes] = []
    verify = Policy.verify_checkpoint

    def noted(policy: Policy, note: bytes) -> Checkpoint:
        notes.append(note)
        return verify(policy, note)

    monkeypatch.setattr(Policy, "verify_checkpoint", noted)

    receipts.keep(folder, answers, sent)

    assert len(notes) == 1


def test_the_folder_of_a_project_is_where_its_git_or_its_own_folder_is(tmp_path: Path) -> None:
    (tmp_path / "shop" / ".git").mkdir(parents=True)
    below = tmp_path / "shop" / "src" / "cart"
    below.mkdir(parents=True)

    assert receipts.project_folder(below) == tmp_path / "shop" / ".counterfoil"
