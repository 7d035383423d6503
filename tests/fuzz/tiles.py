"""Decoders of an exported log: tiles, bundles, their paths, archives, whole trees."""

import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from counterfoil.client.evidence_archive import is_archive, open_archive
from counterfoil.tlog import entries, tile
from counterfoil.tlog.keys import parse_vkey
from counterfoil.tlog.policy import Policy
from counterfoil.verifier.log import check_log
from counterfoil.verifier.report import Findings
from tests.fuzz.decoder import Decoder
from tests.fuzz.samples import GOLDEN_LOG, VECTORS, as_text, log_file, read_all

_POLICY = Policy.for_vkey(parse_vkey(log_file("log.vkey").decode().strip()))
_LOG = GOLDEN_LOG / "log"
_TESSERA = VECTORS / "transparency-dev-tessera" / "testdata" / "log"
_SMALL = {
    path.relative_to(_TESSERA).as_posix(): path.read_bytes()
    for path in sorted(_TESSERA.rglob("*"))
    if path.is_file() and (path.name in {"checkpoint.8", "8"})
}


def _bundle(data: bytes) -> None:
    assert entries.write_bundle(entries.read_bundle(data)) == data


def _hashes(data: bytes) -> None:
    assert b"".join(tile.split_tile(data)) == data


def _path(data: bytes) -> None:
    found = tile.parse_path(as_text(data))
    if found.level == tile.ENTRIES_LEVEL:
        assert tile.entries_path(found.n, found.width) == as_text(data)
    else:
        assert tile.tile_path(found.level, found.n, found.width) == as_text(data)


def _archive(data: bytes) -> None:
    is_archive(data[:512])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(data)
        with open_archive(path, None) as log:
            _judge(log)


class _OneFileChanged:
    """The golden log with other bytes in the place of one file."""

    def __init__(self, data: bytes) -> None:
        self._files = {
            path.relative_to(_LOG).as_posix(): path for path in _LOG.rglob("*") if path.is_file()
        }
        names = sorted(self._files)
        self._changed = names[data[0] % len(names)] if data else names[0]
        self._content = data[1:]

    def _read(self, name: str) -> bytes | None:
        if name == self._changed:
            return self._content
        return self._files[name].read_bytes() if name in self._files else None

    def checkpoint(self) -> bytes | None:
        return self._read("checkpoint")

    def tile(self, level: int, n: int, width: int) -> bytes | None:
        return self._read(tile.tile_path(level, n, width))

    def bundle(self, n: int, width: int) -> bytes | None:
        return self._read(tile.entries_path(n, width))

    def names(self) -> Iterator[str]:
        yield from self._files


def _judge(log: object) -> None:
    findings = Findings()
    check_log(log, _POLICY, findings, lambda path: path)  # type: ignore[arg-type]  # a LogReader


def _log(data: bytes) -> None:
    _judge(_OneFileChanged(data))


def _packed(form: str) -> bytes:
    out = io.BytesIO()
    if form == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in _SMALL.items():
                packed.writestr(name.replace(".8", ""), content)
        return out.getvalue()
    opened: Callable[..., tarfile.TarFile] = tarfile.open
    with opened(fileobj=out, mode=form) as tar:
        for name, content in _SMALL.items():
            info = tarfile.TarInfo(name.replace(".8", ""))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


DECODERS = (
    Decoder(
        name="entry bundles",
        read=_bundle,
        of=(entries.read_bundle,),
        seeds=(log_file("log/tile/entries/001.p/4"), *read_all(_TESSERA / "tile/entries", "[38]")),
    ),
    Decoder(
        name="hashes of a tile",
        read=_hashes,
        of=(tile.split_tile,),
        seeds=(log_file("log/tile/0/001.p/4"), log_file("log/tile/1/000.p/1")),
    ),
    Decoder(
        name="paths of tiles",
        read=_path,
        of=(tile.parse_path,),
        seeds=(b"tile/0/x001/067.p/8", b"tile/entries/000", b"tile/1/000.p/1", b"tile/63/000"),
    ),
    Decoder(
        name="archives of logs",
        read=_archive,
        of=(open_archive, is_archive),
        seeds=tuple(_packed(form) for form in ("zip", "w", "w:gz", "w:bz2", "w:xz")),
    ),
    Decoder(
        name="whole logs",
        read=_log,
        of=(check_log,),
        seeds=tuple(
            bytes([number]) + path.read_bytes()
            for number, path in enumerate(sorted(p for p in _LOG.rglob("*") if p.is_file()))
            if path.stat().st_size < 20_000
        ),
    ),
)
