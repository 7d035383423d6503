"""`verify` reads blobs of both sealed forms, larger than a chunk, and doubts every byte of either."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from counterfoil.events import sealing
from tests.client.verifying import named, verify
from tests.ledgers import Built, build_ledger

BLOB_BYTES = sealing.CHUNK_BYTES + 77


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return build_ledger(tmp_path / "ledger", events=6, blob_bytes=BLOB_BYTES)


def blob_files(directory: Path) -> list[Path]:
    return sorted(path for path in (directory / "blobs").rglob("*") if path.is_file())


def seal_in_form_1(built: Built) -> None:
    """Put every blob back as it was sealed before there was a form 2."""
    directory = built.directory
    for path in blob_files(directory):
        path.unlink()
    with (
        closing(sqlite3.connect(directory / "erasable.db")) as keys,
        closing(sqlite3.connect(directory / "ledger.db")) as ledger,
    ):
        for plain in built.blobs:
            digest = f"sha256:{hashlib.sha256(plain).hexdigest()}"
            select = "SELECT stored, key FROM blob_keys WHERE digest = ?"
            before, key = keys.execute(select, (digest,)).fetchone()
            sealed = AESGCM(key).encrypt(bytes(12), plain, None)
            name = hashlib.sha256(sealed).hexdigest()
            path = directory / "blobs" / name[:2] / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(sealed)
            stored = f"sha256:{name}"
            keys.execute("UPDATE blob_keys SET stored = ? WHERE digest = ?", (stored, digest))
            ledger.execute("UPDATE blobs SET stored = ? WHERE stored = ?", (stored, before))
        keys.commit()
        ledger.commit()


@pytest.mark.parametrize("form", [2, 1])
def test_a_ledger_with_blobs_of_either_form_is_whole(built: Built, form: int) -> None:
    """What the entries commit to are the plain bytes: how they are sealed is nobody's evidence."""
    if form == 1:
        seal_in_form_1(built)
    begins = {path.read_bytes()[: len(sealing.HEADER)] for path in blob_files(built.directory)}

    report = verify(built.directory)

    assert (begins == {sealing.HEADER}) == (form == 2)
    assert report.findings == ()
    assert report.checked["blobs"] == len(built.blobs)


@pytest.mark.parametrize("form", [2, 1])
def test_a_changed_byte_is_found_wherever_it_stands(built: Built, form: int) -> None:
    if form == 1:
        seal_in_form_1(built)
    path = blob_files(built.directory)[0]
    path.chmod(0o600)
    data = path.read_bytes()
    for at in (0, 25, sealing.CHUNK_BYTES // 2, sealing.CHUNK_BYTES + 30, len(data) - 1):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert named(verify(built.directory)) == [
            ("damaged", str(path.relative_to(built.directory)))
        ]
    path.write_bytes(data)
    assert verify(built.directory).findings == ()


def test_a_key_that_opens_nothing_is_named(built: Built) -> None:
    with closing(sqlite3.connect(built.directory / "erasable.db")) as keys:
        [(digest,)] = keys.execute("SELECT digest FROM blob_keys ORDER BY digest LIMIT 1")
        keys.execute("UPDATE blob_keys SET key = ? WHERE digest = ?", (bytes(32), digest))
        keys.commit()

    assert named(verify(built.directory)) == [
        ("damaged", f"erasable.db blob_keys row {digest} column key")
    ]
