"""Any bytes become a value or a named error, in every decoder that meets outside bytes.

Three ways of asking: bytes of any kind, valid samples that were changed, and what once broke.
Fuzzing asks the same table for longer: `python -m tests.fuzz.run`.
"""

import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import MESSAGE_LENGTH_MAX, RequestError
from tests.fuzz.decoder import Decoder, meet, mutants
from tests.fuzz.families import FAMILIES
from tests.fuzz.run import FAMILIES as TARGETS

DECODERS = {
    f"{family}: {decoder.name}": decoder
    for family, decoders in FAMILIES.items()
    for decoder in decoders
}
MUTANTS = 120
# No signature of a passkey is the same in two runs, so this sample has none that holds.
NEVER_TAKEN = {"tokens: passkeys that are shown"}


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
def test_a_changed_sample_becomes_a_value_or_a_named_error(decoder: Decoder) -> None:
    for data in mutants(decoder.seeds, decoder.name, MUTANTS):
        meet(decoder, data)


@pytest.mark.parametrize("decoder", DECODERS.values(), ids=DECODERS)
@settings(derandomize=True, max_examples=40, deadline=None, database=None)
@given(data=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_become_a_value_or_a_named_error(decoder: Decoder, data: bytes) -> None:
    meet(decoder, data)


@pytest.mark.parametrize(
    "name", [name for name in DECODERS if name not in NEVER_TAKEN], ids=lambda name: name
)
def test_a_sample_is_taken(name: str) -> None:
    """Else the changed ones would be refused at the first byte, and nothing were asked."""
    assert any(meet(DECODERS[name], seed) for seed in DECODERS[name].seeds)


def _nameless() -> bytes:
    """Return a zip of one member, with its name cut out of the directory at the end."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr(zipfile.ZipInfo("a"), b"x")
    data = bytearray(out.getvalue())
    at, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    data[end + 12] -= 1
    del data[at + 46]
    data[at + 28] = 0
    return bytes(data)


_NAMELESS = _nameless()
DEEP = b"[" * 1_500
LONG = b"9" * 5_000
FOUND = {
    "a kept report with a head nested deeper than the interpreter goes": (
        "spools: reports that are kept", b'{"counterfoil-report":1,"query":' + DEEP + b"\n"),
    "a kept session that ends after every float": (
        "spools: sessions that are kept", b'{"token":"t","until_s":1' + b"0" * 400 + b"}"),
    "a session that lasts longer than a float can say": (
        "spools: answers to an exchange", b'{"access_token":"t","expires_in":1' + b"0" * 400 + b"}"),
    "an entry on the live line that is cut": (
        "spools: live lines", b'event: entry\ndata: {"inde\n\n'),
    "an entry on the live line without its number": (
        "spools: live lines", b'event: entry\ndata: {"sentence": "x"}\n\n'),
    "a problem whose words hold half a surrogate pair": (
        "spools: problems a server names", b'{"code":"busy","detail":"a\\ud800b"}'),
    "a problem whose words break the line": (
        "spools: problems a server names", b'{"code":"busy","detail":"a\\nb\\u001b[2J"}'),
    "settings with a number of 5,000 digits": (
        "texts: settings", b"[server]\nport = " + LONG + b"\n"),
    "settings with lists within lists without end": (
        "texts: settings", b"[server]\nport = " + DEEP + b"\n"),
    "settings with a name of 5,000 characters": (
        "texts: settings", b'[tiers]\nx = "' + LONG + b'"\n'),
    "an address of 5,000 characters": ("texts: addresses", b"http://" + b"[" * 5_000),
    "a policy with an escape that is none": (
        "texts: access policies",
        b'@id("a")\n@reason("on\\\rly")\npermit (principal, action, resource);'),
    "a directory file that was no UTF-8": (
        "texts: directory files", b"cwhat,handle,account\naccount,ana-dev,gith\xe2b:x\n"),
    "a search whose word breaks the line": (
        "texts: searches", b'ource:"x\r\ny"'),
    "an entry with a member of 5,000 characters": (
        "events: entries", b'{"' + LONG + b'":1}'),
    "a passkey's answer nested deeper than the interpreter goes": (
        "tokens: passkeys that are made", b'{"id":"a","response":' + b'{"a":' * 2_000),
    "a zip whose member has no name": ("tiles: archives of logs", _NAMELESS),
    "an opening of no length": (
        "proofs: answers with a receipt",
        DECODERS["proofs: answers with a receipt"].seeds[0].replace(b'"body": "', b'"body": "AAAA')),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data"), FOUND.values(), ids=FOUND)
def test_what_once_broke_a_decoder_breaks_it_no_more(name: str, data: bytes) -> None:
    meet(DECODERS[name], data)


def test_a_message_is_one_line_of_a_bounded_length_whatever_it_quotes() -> None:
    error = RequestError("usage", "no file " + "x" * 5_000 + "\r\nfoil: all is well")
    assert len(error.message) == MESSAGE_LENGTH_MAX
    assert str(error) == error.message
    assert RequestError("usage", "a\nb\u2028c").message == "a b c"


def test_a_report_in_pieces_has_its_doubts_in_one_order() -> None:
    """Else the same report, sent again over another connection, would be another event."""
    decoder = DECODERS["junit: JUnit reports in pieces"]
    report = b'<testsuites><testsuite name="a"><testcase name="b&#1;"/>'
    # What tells the encoding, the first KiB, is read at once.
    report += b" " * 2_000 + b'<testcase name="'
    for size in (1, 7, 60, 255):
        assert meet(
            decoder, bytes([size]) + report + b"\xe9" * 3_000 + b'"/></testsuite></testsuites>'
        )


def test_the_fuzzer_knows_every_family() -> None:
    assert tuple(FAMILIES) == TARGETS
    assert sum(map(len, FAMILIES.values())) <= 256, "the first byte of an input chooses"


@pytest.mark.skipif(sys.platform != "linux", reason="atheris is installed on Linux alone")
def test_the_fuzzer_finds_nothing_in_its_first_thousands_of_inputs(tmp_path: Path) -> None:
    """The same inputs every time; `make bench-faults` goes on from here with others."""
    root = Path(__file__).resolve().parents[2]
    words = ("all", "--together", "--runs", "2500", "--seed", "1")
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.run", *words],
        cwd=tmp_path, env={"PYTHONPATH": str(root), "PATH": ""},
        capture_output=True, text=True, errors="replace", check=False, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3_000:]
    [executed] = re.findall(r"stat::number_of_executed_units: (\d+)", ended.stderr)
    assert int(executed) >= 2_500  # it ends a round of what it began
    assert list(tmp_path.iterdir()) == []


def test_the_fuzzer_leaves_what_broke_a_decoder_and_says_so(tmp_path: Path) -> None:
    """A fuzzer that cannot find anything would be green for ever."""
    planted = (
        "import sys, types\n"
        "from tests.fuzz import decoder, run\n"
        "one = decoder.Decoder(name='x', read={b'': 0}.__getitem__, of=(), seeds=(b'',))\n"
        "table = types.ModuleType('tests.fuzz.families')\n"
        "table.decoders_of = lambda families: (one,)\n"
        "sys.modules[table.__name__] = table\n"
        "sys.exit(run.main())\n"
    )
    samples = tmp_path / "samples"
    samples.mkdir()
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", planted, "webhooks", "--samples", str(samples), "--runs", "20000", "--seed", "1"],
        cwd=tmp_path, env={"PYTHONPATH": str(root), "PATH": ""},
        capture_output=True, text=True, errors="replace", check=False, timeout=300,
    )  # fmt: skip
    assert ended.returncode != 0
    assert "KeyError" in ended.stdout + ended.stderr
    [broke] = tmp_path.glob("broke-*")
    assert broke.read_bytes()
