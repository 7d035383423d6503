"""Blobs on disk: whole or absent, named by their bytes, never held in memory whole."""

import hashlib
import stat
import threading
from pathlib import Path

import pytest

from counterfoil.errors import EvidenceError, RequestError, UnavailableError
from counterfoil.stores.blobs import BlobFiles


@pytest.fixture
def blobs(tmp_path: Path) -> BlobFiles:
    return BlobFiles(tmp_path / "blobs")


def put(blobs: BlobFiles, *pieces: bytes) -> str:
    with blobs.receive() as incoming:
        for piece in pieces:
            incoming.write(piece)
        return incoming.keep()


def names(directory: Path) -> list[str]:
    return sorted(str(one.relative_to(directory)) for one in directory.rglob("*") if one.is_file())


def test_a_blob_is_named_by_its_bytes_and_comes_back(blobs: BlobFiles, tmp_path: Path) -> None:
    stored = put(blobs, b"evi", b"dence")

    digest = hashlib.sha256(b"evidence").hexdigest()
    assert stored == f"sha256:{digest}"
    assert blobs.path(stored) == tmp_path / "blobs" / digest[:2] / digest
    assert b"".join(blobs.read(stored)) == b"evidence"
    assert blobs.size_bytes(stored) == 8
    assert put(blobs, b"evidence") == stored
    assert stat.S_IMODE(blobs.path(stored).stat().st_mode) == 0o400
    assert names(tmp_path / "blobs") == [f"{digest[:2]}/{digest}"]


def test_what_was_not_kept_leaves_nothing(blobs: BlobFiles, tmp_path: Path) -> None:
    def broken() -> None:
        with blobs.receive() as incoming:
            incoming.write(b"half of it")
            incoming.sync()
            assert b"".join(incoming.read()) == b"half of it"
            raise ConnectionError

    with pytest.raises(ConnectionError):
        broken()
    with blobs.receive() as incoming:
        incoming.write(b"thought better of it")

    assert names(tmp_path / "blobs") == []


def test_a_damaged_blob_is_told_and_the_right_bytes_repair_it(blobs: BlobFiles) -> None:
    stored = put(blobs, b"evidence")
    path = blobs.path(stored)
    path.chmod(0o600)
    path.write_bytes(b"evidencf")

    with pytest.raises(EvidenceError) as refused:
        blobs.check(stored)
    assert refused.value.code == "damaged"
    put(blobs, b"evidence")
    blobs.check(stored)
    assert b"".join(blobs.read(stored)) == b"evidence"


def test_an_absent_blob_is_missing_and_removing_it_is_no_error(blobs: BlobFiles) -> None:
    absent = "sha256:" + "0" * 64

    with pytest.raises(EvidenceError) as refused:
        blobs.check(absent)
    assert refused.value.code == "missing"
    assert blobs.size_bytes(absent) is None
    blobs.remove(absent)


def test_a_removed_blob_is_gone(blobs: BlobFiles, tmp_path: Path) -> None:
    stored, other = put(blobs, b"evidence"), put(blobs, b"more")

    blobs.remove(stored)

    assert blobs.size_bytes(stored) is None
    assert blobs.size_bytes(other) == 4
    assert len(names(tmp_path / "blobs")) == 1


@pytest.mark.parametrize(
    "name",
    [
        "",
        "sha256:",
        "sha256:" + "0" * 63,
        "sha256:" + "A" * 64,
        "sha256:" + "0" * 64 + "\n",
        "sha256:../../etc/passwd",
        "md5:00",
    ],
)
def test_a_name_that_can_be_no_blobs_is_refused(blobs: BlobFiles, name: str) -> None:
    for ask in (blobs.check, blobs.size_bytes, blobs.remove):
        with pytest.raises(RequestError) as refused:
            ask(name)
        assert refused.value.code == "blob_invalid"


def test_a_read_only_disk_is_told_apart() -> None:
    """/proc takes no directories, whoever asks."""
    blobs = BlobFiles(Path("/proc/self/fd/blobs"))

    with pytest.raises(UnavailableError) as refused, blobs.receive():
        pass
    assert refused.value.code in {"read_only", "storage"}


def test_threads_may_put_at_once(blobs: BlobFiles, tmp_path: Path) -> None:
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        for blob in range(10):
            put(blobs, b"shared %d" % blob)
            put(blobs, b"own %d %d" % (number, blob))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(tmp_path / "blobs")) == 10 + 80
