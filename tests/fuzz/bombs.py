"""What unpacks, nests or multiplies, given to a decoder in a process of little memory.

    python -m tests.fuzz.bombs

Prints as a line of JSON how each ended: the code of the error or "taken", and the memory and the
CPU it took.  Each has a process of its own that may have `ROOM_BYTES` more of address space than it
had, and `CPU_S` of CPU: a decoder that unpacks a bomb ends by `MemoryError` or by a signal, and its
line says "broke".
"""

import gzip
import io
import json
import os
import resource
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from counterfoil.client.evidence import verify_path
from counterfoil.client.evidence_archive import open_archive
from counterfoil.errors import CounterfoilError
from counterfoil.tlog.tile import entries_path
from tests.fuzz.families import FAMILIES

ROOM_BYTES = 192 << 20
CPU_S = 20
MIB = 1 << 20
_READ = {one.name: one.read for decoders in FAMILIES.values() for one in decoders}


def _zip(files: dict[str, bytes], *, compressed: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compressed) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return out.getvalue()


def _zeroes_in_zip(name: str) -> bytes:
    """Return a zip whose one member is 256 MiB of zeroes: a quarter of a megabyte."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open(name, "w", force_zip64=True) as member,
    ):
        for _ in range(256):
            member.write(bytes(1 << 20))
    return out.getvalue()


def _tar_of_zeroes(count: int) -> bytes:
    """Return a packed tar of so many members of 24 MiB each: packed once, repeated."""
    info = tarfile.TarInfo("tile/x")
    info.size = 24 * MIB
    return gzip.compress(info.tobuf() + bytes(info.size)) * count


def _tar_of_members(count: int) -> bytes:
    """Return a packed tar of so many empty members."""
    packer = zlib.compressobj(1, wbits=31)
    out = [packer.compress(tarfile.TarInfo(f"tile/{at}").tobuf()) for at in range(count)]
    return b"".join([*out, packer.flush()])


def _long_header() -> bytes:
    """Return a tar whose first header says that a name of 8 GiB follows."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = b"L", 8 * 1024 * MIB - 1
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)


def _said_smaller() -> bytes:
    """Return a zip whose directory says that a member of 64 MiB has 100 bytes."""
    data = bytearray(_zip({"checkpoint": bytes(64 << 20)}))
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    return bytes(data)


def _archive(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(data)
        with open_archive(path, None) as log:
            log.checkpoint()
            log.bundle(0, 256)


def _verified(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proof.html"
        path.write_bytes(data)
        verify_path(str(path), vkey=Path(__file__).parents[1] / "vectors/golden-log/log.vkey")


def _laughs() -> bytes:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{entities}]><x>&l9;</x>'.encode()


def _attributes(count: int) -> bytes:
    words = b" ".join(b'a%d="x"' % at for at in range(count))
    return b"<testsuite " + words + b'><testcase name="a"/></testsuite>'


BOMBS: dict[str, tuple[Callable[[bytes], object], Callable[[], bytes]]] = {
    "a zip of a quarter of a gigabyte": (_archive, lambda: _zeroes_in_zip("checkpoint")),
    "a zip without a checkpoint and with such a bundle": (_archive, lambda: _zeroes_in_zip(entries_path(0))),
    "a zip that says a member is smaller": (_archive, _said_smaller),
    "a zip in a zip in a zip": (
        _archive, lambda: _zip({"a.zip": _zip({"a.zip": _zip({"checkpoint": bytes(1 << 20)})})})),
    "a packed tar of 600 MiB": (_archive, lambda: _tar_of_zeroes(25)),
    "a packed tar of 30,000 members": (_archive, lambda: _tar_of_members(30_000)),
    "a tar with a header of gigabytes": (_archive, _long_header),
    "XML entities that multiply": (_READ["JUnit reports"], _laughs),
    "XML nested 100,000 deep": (_READ["JUnit reports"], lambda: b"<a>" * 100_000),
    "an XML element of 100,000 attributes": (_READ["JUnit reports"], lambda: _attributes(100_000)),
    "an XML attribute of 32 MiB": (
        _READ["JUnit reports"], lambda: b'<testsuite name="' + b"x" * (32 << 20) + b'"/>'),
    "an XML tag that never ends": (
        _READ["JUnit reports"], lambda: b"<testsuite " + b" " * (32 << 20)),
    "JSON nested a million deep": (_READ["JSON"], lambda: b"[" * 1_000_000),
    "a JSON integer of a million digits": (_READ["JSON"], lambda: b"9" * 1_000_000),
    "a JSON number with an exponent of a million": (_READ["JSON"], lambda: b"1e1000000"),
    "one member named 100,000 times": (
        _READ["JSON"], lambda: b"{" + b",".join([b'"a":1'] * 100_000) + b"}"),
    "posted lines of nothing": (_READ["posted events"], lambda: b"\3" + b"\n" * 4_000_000),
    "a batch of a million brackets": (
        _READ["posted events"], lambda: b"\2[" + b"{}," * 1_000_000 + b"{}]"),
    "YAML whose aliases multiply": (
        _READ["directory files"],
        lambda: b"yapiVersion: counterfoil.directory/1\nactors: &a [x, x]\nteams: [*a, *a]\n"),
    "YAML of a million open brackets": (_READ["directory files"], lambda: b"yactors: " + b"[" * 1_000_000),
    "settings of a million open brackets": (_READ["settings"], lambda: b"a = " + b"[" * 1_000_000),
    "a policy of a million open brackets": (
        _READ["access policies"],
        lambda: b'@id("a")@reason("b")permit(principal,action,resource)when{' + b"(" * 1_000_000),
    "a policy of 2 MiB": (_READ["access policies"], lambda: b"// " + b"x" * (2 << 20)),
    "a search of a million quotation marks": (_READ["searches"], lambda: b'"' * 1_000_000),
    "a search of words that are nearly a key": (_READ["searches"], lambda: b"a" * 900 + b":" * 90),
    "an address of a million dots": (_READ["addresses"], lambda: b"http://" + b"a." * 500_000),
    "a time of a million digits": (_READ["times"], lambda: b"2026-11-20T12:00:00." + b"9" * 1_000_000),
    "a duration of a million digits": (_READ["durations"], lambda: b"9" * 1_000_000 + b"s"),
    "a ref of a million colons": (_READ["refs"], lambda: b"test:" + b":" * 1_000_000),
    "a proof file whose JSON is 30 MiB": (
        _verified, lambda: b'<!doctype html><script type="application/json" id="proof-data">'
         b'{"a":"' + b"x" * (30 << 20) + b'"}</script><p id="end" hidden>'),
    "a proof file of 100 MiB": (_verified, lambda: b"<!doctype html>" + b" " * (100 << 20)),
    "a note of a million signatures": (
        _READ["notes"], lambda: b"a\n\n" + "— a AAAAAAAA\n".encode() * 300_000),
    "a checkpoint whose size has a million digits": (
        _READ["checkpoints"], lambda: b"a\n" + b"9" * 1_000_000 + b"\nAA==\n"),
    "a receipt of a million hashes": (
        _READ["receipts"],
        lambda: b"c2sp.org/tlog-proof@v1\nindex 1\n" + (b"A" * 43 + b"=\n") * 300_000),
    "a policy file of a million lines": (
        _READ["trust policies"], lambda: b"witness a a+01234567+BA\n" * 300_000),
    "a time stamp that says it has gigabytes": (
        _READ["time stamps"], lambda: b"\x30\x84\xff\xff\xff\xff" * 200_000),
    "certificates without end": (
        _READ["roots of an authority"],
        lambda: b"-----BEGIN CERTIFICATE-----\n" + b"QUFB" * 900_000),
    "a key set of a million keys": (
        _READ["key sets"], lambda: b'{"keys":[' + b"{}," * 1_000_000 + b"{}]}"),
    "a token with a million dots": (_READ["tokens"], lambda: b"a." * 500_000),
    "a form of a million fields": (_READ["forms of an exchange"], lambda: b"a=1&" * 500_000),
    "a passkey nested without end": (
        _READ["passkeys that are made"],
        lambda: b'{"id":"a","response":' + b'{"a":' * 10_000),
    "a frame that says it has gigabytes": (
        _READ["frames between processes"], lambda: b"\xff\xff\xff\xff" + b"x" * 1_000_000),
    "a spool line of 64 MiB": (_READ["spools"], lambda: b"{" + b" " * (64 << 20)),
    "a git log of a million nothings": (_READ["git logs"], lambda: b"\0" * 1_000_000),
    "a delivery nested 100,000 deep": (
        _READ["GitHub deliveries"], lambda: b"\0" + b'{"a":' * 100_000),
}  # fmt: skip


def measure(name: str) -> dict[str, object]:
    """Set a bomb off in this process and return how it ended."""
    read, make = BOMBS[name]
    data = make()
    before = _peak_bytes()
    used = Path("/proc/self/statm").read_text("ascii").split()
    limit = int(used[0]) * resource.getpagesize() + ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + CPU_S,) * 2)
    began = time.process_time()
    try:
        read(data)
        ended = "taken"
    except CounterfoilError as error:
        ended = error.code
    except ValueError:
        ended = "no value"
    return {
        "ended": ended,
        "grown_bytes": _peak_bytes() - before,
        "cpu_s": round(time.process_time() - began, 2),
        "given_bytes": len(data),
    }


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _in_process(name: str) -> dict[str, object]:
    """Measure a bomb in a copy of this process, which has imported everything already."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, json.dumps(measure(name)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        said = told.read()
    _, status = os.waitpid(child, 0)
    found: dict[str, object] = json.loads(said) if said else {"ended": "broke", "status": status}
    return found


if __name__ == "__main__":
    for bomb in BOMBS:
        print(json.dumps({"name": bomb, **_in_process(bomb)}), flush=True)  # noqa: T201  what it measured
