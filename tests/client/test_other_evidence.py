"""`verify` on archives and addresses: the same verdicts, and nothing a stranger sends is trusted."""

import errno
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from counterfoil.client import evidence_archive
from counterfoil.errors import CounterfoilError, RequestError, UnavailableError
from tests.client.verifying import named, served, verify
from tests.ledgers import PROJECT


def pack(public: Path, path: Path, form: str, prefix: str = "public/default/") -> Path:
    names = [file for file in sorted(public.rglob("*")) if file.is_file()]
    if form == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in names:
                archive.write(file, prefix + str(file.relative_to(public)))
        return path
    mode = {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz", "tar.bz2": "w:bz2"}[form]
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]  # the mode is one of four
        for file in names:
            tar.add(file, prefix + str(file.relative_to(public)))
    return path


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz", "tar.xz", "tar.bz2"])
def test_an_archive_of_an_exported_log_gives_the_same_verdict(
    directory: Path, tmp_path: Path, vkey: Path, form: str
) -> None:
    public = directory / "public" / PROJECT
    report = verify(pack(public, tmp_path / f"log.{form}", form), vkey=vkey)
    assert report.ok
    assert report.size == 20

    tile = public / "tile" / "0" / "000.p" / "20"
    tile.chmod(0o600)
    tile.write_bytes(bytes(20 * 32))
    assert named(verify(pack(public, tmp_path / f"bad.{form}", form, ""), vkey=vkey)) == [
        ("damaged", "tile/0/000.p/20")
    ]


def test_a_hostile_archive_is_refused_before_it_is_unpacked(
    tmp_path: Path, vkey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file may claim to hold a large one; nobody waits for it."""
    monkeypatch.setattr(evidence_archive, "PACKED_MAX_BYTES", 1 << 20)
    bomb = tmp_path / "bomb.tar.gz"
    with tarfile.open(bomb, "w:gz") as tar:
        for number in range(3):
            info = tarfile.TarInfo(f"{number}")
            info.size = 1 << 20
            tar.addfile(info, io.BytesIO(bytes(1 << 20)))
    with pytest.raises(RequestError, match="unpacks to over"):
        verify(bomb, vkey=vkey)

    large = tmp_path / "large.zip"
    with zipfile.ZipFile(large, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log/checkpoint", bytes(3 << 20))
    assert named(verify(large, vkey=vkey)) == [("damaged", "checkpoint")]

    broken = tmp_path / "broken.zip"
    broken.write_bytes(large.read_bytes()[:-30])
    with pytest.raises(RequestError, match="broken archive"):
        verify(broken, vkey=vkey)

    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme", b"x")
    with pytest.raises(RequestError, match="holds no exported log"):
        verify(other, vkey=vkey)


@pytest.mark.parametrize(("number", "code"), [(errno.EINVAL, "damaged"), (errno.EIO, "storage")])
def test_a_member_that_points_outside_its_archive_is_damaged_and_a_failing_disk_is_not(
    number: int, code: str
) -> None:
    """Where a member lies is the archive's own word: a seek to before the file's beginning."""

    def read(_limit_bytes: int) -> bytes:
        raise OSError(number, os.strerror(number))

    with pytest.raises(CounterfoilError) as caught:
        evidence_archive.ArchiveLog({"log/checkpoint": read}, set(), "log/").checkpoint()

    assert caught.value.code == code


def test_an_archive_with_a_name_twice_is_damaged_there(
    directory: Path, tmp_path: Path, vkey: Path
) -> None:
    """Two readers could take different ones; so neither is taken."""
    path = pack(directory / "public" / PROJECT, tmp_path / "twice.tar", "tar")
    with tarfile.open(path, "a") as tar:
        tar.add(directory / "keys" / "default.vkey", "public/default/tile/0/000.p/20")

    assert ("damaged", "tile/0/000.p/20") in named(verify(path, vkey=vkey))


def test_a_served_log_gives_the_same_verdict(directory: Path, vkey: Path) -> None:
    with served(directory / "public") as url:
        report = verify(f"{url}/default", vkey=vkey)
        assert report.ok
        assert report.size == 20
        assert verify(f"{url}/default/checkpoint", vkey=vkey).ok
        assert verify(f"{url}/moved/default", vkey=vkey).ok

        tile = directory / "public" / PROJECT / "tile" / "0" / "000.p" / "20"
        tile.unlink()
        assert named(verify(f"{url}/default", vkey=vkey)) == [("missing", "tile/0/000.p/20")]


@pytest.mark.parametrize(
    ("path", "why"), [("away/default", "redirects to another host"), ("broken/x", "answered 500")]
)
def test_a_server_that_leads_elsewhere_or_fails_is_unreachable_and_no_verdict(
    directory: Path, vkey: Path, path: str, why: str
) -> None:
    with served(directory / "public") as url, pytest.raises(UnavailableError, match=why):
        verify(f"{url}/{path}", vkey=vkey)


def test_an_endless_answer_is_cut_off(directory: Path, vkey: Path) -> None:
    with served(directory / "public") as url:
        assert named(verify(f"{url}/endless/x", vkey=vkey)) == [("damaged", "checkpoint")]


def test_nobody_listening_is_unreachable(vkey: Path) -> None:
    with pytest.raises(UnavailableError, match="try again later"):
        verify("http://127.0.0.1:9/log/default", vkey=vkey)


@pytest.mark.parametrize(
    "target",
    [
        "ftp://127.0.0.1/log",
        "file:///etc/passwd",
        "http://",
        "http://a:b@127.0.0.1/",
        "http://h:x/",
        "http://[x",
        "http://127.0.0.1/caf\u00e9",
        "http://127.0.0.1/a b",
        "http://a..b/",
    ],
)
def test_only_plain_http_addresses_are_asked(vkey: Path, target: str) -> None:
    with pytest.raises(RequestError):
        verify(target, vkey=vkey)


def test_entries_that_are_not_for_everybody_need_the_token_of_that_server(
    directory: Path, vkey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is for the server it was given for: another host must never see it."""
    with served(directory / "public" / PROJECT) as url:
        monkeypatch.setenv("COUNTERFOIL_TOKEN", "let-me-in")
        for home in (
            "",
            "http://foil.example",
            "https://127.0.0.1",
            url.replace("http:", "https:"),
        ):
            monkeypatch.setenv("COUNTERFOIL_URL", home)
            with pytest.raises(UnavailableError) as refused:
                verify(f"{url}/closed", vkey=vkey)
            assert "COUNTERFOIL_TOKEN" in refused.value.message

        monkeypatch.setenv("COUNTERFOIL_URL", url)
        assert verify(f"{url}/closed", vkey=vkey).ok
