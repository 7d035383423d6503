"""Receipts: the tlog-proof file."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint import sign_checkpoint
from counterfoil.tlog.keys import SignerKey
from counterfoil.tlog.receipt import Receipt, parse_receipt, write_receipt
from counterfoil.tlog.tree import TreeHead

KEY = SignerKey.from_seed("example.com/log", b"k" * 32)
NOTE = sign_checkpoint("example.com/log", TreeHead(5, bytes(32)), KEY)
HASH = bytes(range(32))
LINE = base64.b64encode(HASH)
START = b"c2sp.org/tlog-proof@v1\n"
VALID = write_receipt(Receipt(3, b'{"v":1}', (HASH, bytes(32)), NOTE))


def test_a_receipt_has_the_lines_of_the_specification() -> None:
    expected = START + b"extra eyJ2IjoxfQ==\nindex 3\n" + LINE
    expected += b"\n" + base64.b64encode(bytes(32)) + b"\n\n" + NOTE
    assert expected == VALID


@settings(derandomize=True, deadline=None)
@given(
    st.integers(0, 2**63 - 1),
    st.none() | st.binary(min_size=1, max_size=50),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
)
def test_every_receipt_is_read_back_as_it_was_written(
    index: int, extra: bytes | None, path: list[bytes]
) -> None:
    receipt = Receipt(index, extra, tuple(path), NOTE)
    assert parse_receipt(write_receipt(receipt)) == receipt


def test_the_checkpoint_is_kept_verbatim_with_every_cosignature() -> None:
    note = NOTE + "— witness.example/w1 jWbPPwAAAABkGFDL\n".encode()
    assert parse_receipt(write_receipt(Receipt(0, None, (), note))).checkpoint == note


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "nothing"),
        (START, "a header alone"),
        (START + b"index 3\n", "no checkpoint"),
        (START + b"index 3\n" + NOTE, "no empty line before the checkpoint"),
        (START + b"\n" + NOTE, "no index"),
        (b"c2sp.org/tlog-proof@v2\nindex 3\n\n" + NOTE, "another version"),
        (b"\xef\xbb\xbf" + START + b"index 3\n\n" + NOTE, "a byte order mark"),
        (START + b"index 03\n\n" + NOTE, "a leading zero"),
        (START + b"index +3\n\n" + NOTE, "a sign"),
        (START + b"index  3\n\n" + NOTE, "two spaces"),
        (START + b"index 3 \n\n" + NOTE, "a space behind"),
        (START + b"index 9223372036854775808\n\n" + NOTE, "an index over 2^63-1"),
        (START + b"index 3\nextra QQ==\n\n" + NOTE, "extra behind the index"),
        (START + b"extra QQ==\nextra QQ==\nindex 3\n\n" + NOTE, "extra twice"),
        (START + b"extra \nindex 3\n\n" + NOTE, "extra without data"),
        (START + b"extra QR==\nindex 3\n\n" + NOTE, "extra with bits under the padding"),
        (START + b"index 3\n" + LINE[:-1] + b"\n\n" + NOTE, "a hash without padding"),
        (START + b"index 3\nAAAA\n\n" + NOTE, "a hash of 3 bytes"),
        (START + b"index 3\r\n\r\n" + NOTE, "CRLF"),
        (START + b"index 3\n" + (LINE + b"\n") * 64 + b"\n" + NOTE, "64 hashes"),
        (START + b"index 3\n\n" + NOTE[:-1], "a checkpoint cut off"),
        (START + b"index 3\n\nhello\n\n" + NOTE, "text before the checkpoint"),
        (START + b"index 3\n\nhello\n\n" + KEY.sign(b"hello\n"), "a note that is no checkpoint"),
        (VALID.replace(b"\n\n", b"\n\n\n", 1), "two empty lines"),
        (b"\n" + VALID, "an empty line before"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bytes_that_are_no_receipt_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(EvidenceError) as refusal:
        parse_receipt(data)
    assert refusal.value.code == "note_invalid", why


@settings(derandomize=True, deadline=None, max_examples=600)
@given(
    st.integers(0, len(VALID)),
    st.integers(0, 3),
    st.binary(max_size=3) | st.sampled_from([b"\n", b"\n\n", b"=", b"index 1\n", b"extra QQ==\n"]),
)
def test_whatever_receipt_is_accepted_is_written_back_the_same(
    at: int, cut: int, put: bytes
) -> None:
    data = VALID[:at] + put + VALID[at + cut :]
    try:
        receipt = parse_receipt(data)
    except EvidenceError as error:
        code = error.code
    else:
        code = "note_invalid"
        assert write_receipt(receipt) == data
    assert code == "note_invalid"
