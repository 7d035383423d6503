"""`record --attach FILE`: kept first, then named."""

import hashlib
from pathlib import Path

import pytest

from tests.cli.conftest import Foil


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    path = tmp_path / "private folder" / "shot.png"
    path.parent.mkdir()
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2_000_000))
    return path


def test_attached_files_are_evidence_the_entry_commits_to(
    foil: Foil, ledger: Path, shot: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("seen on qa")

    recorded = foil(
        "record", "com.example.seen", "--data", '{"note": "odd"}', "--attach", shot,
        "--attach", notes, "--dir", ledger, "--json",
    )  # fmt: skip

    assert recorded.code == 0, recorded.err
    assert {"blob/0", "blob/1"} <= set(recorded.json()["opening"])
    verdict = foil("verify", ledger, "--json")
    assert verdict.json()["ok"] is True
    assert verdict.json()["checked"]["blobs"] == 2


def test_the_event_tells_the_files_name_and_not_where_it_lay(
    foil: Foil, ledger: Path, shot: Path, tmp_path: Path
) -> None:
    foil("record", "com.example.seen", "--attach", shot, "--dir", ledger)
    foil("receipt", "0", "--dir", ledger, "-o", tmp_path / "0.tlog-proof")

    from counterfoil.app.local import open_local

    with open_local(ledger, "default") as opened:
        [blob] = opened._home.reader.entry("default", 0).blobs

    assert blob.name.name == "shot.png"
    assert blob.name.mediatype == "image/png"
    assert blob.name.digest == f"sha256:{hashlib.sha256(shot.read_bytes()).hexdigest()}"


@pytest.mark.parametrize(("what", "code"), [("absent", 4), ("folder", 2), ("too large", 5)])
def test_a_file_that_cannot_be_attached_is_one_line_and_records_nothing(
    foil: Foil, ledger: Path, tmp_path: Path, what: str, code: int
) -> None:
    file = tmp_path / "file"
    if what == "folder":
        file.mkdir()
    elif what == "too large":
        with file.open("wb") as sparse:
            sparse.truncate(100 * 1024 * 1024 + 1)

    refused = foil("record", "com.example.seen", "--attach", file, "--dir", ledger)

    assert refused.code == code
    assert len(refused.err.strip().splitlines()) == 1
    assert foil("receipt", "0", "--dir", ledger).code != 0


def test_a_bad_event_is_refused_before_its_file_is_kept(
    foil: Foil, ledger: Path, shot: Path
) -> None:
    refused = foil("record", "com.example.seen", "--ref", "no ref", "--attach", shot,
                   "--dir", ledger)  # fmt: skip

    assert refused.code != 0
    assert not [path for path in (ledger / "blobs").rglob("*") if path.is_file()]
