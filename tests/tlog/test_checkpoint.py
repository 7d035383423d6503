"""Checkpoints: three lines, and whose they are."""

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint import (
    Checkpoint,
    parse_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
    write_checkpoint,
)
from counterfoil.tlog.cosignature import subtree_message
from counterfoil.tlog.keys import MLDSA44, SignerKey, VerifierKey, signature_line
from counterfoil.tlog.note import write_note
from counterfoil.tlog.strict import MAX_SIZE, write_base64
from counterfoil.tlog.tree import EMPTY_ROOT, TreeHead

ORIGIN = "example.com/log"
KEY = SignerKey.from_seed(ORIGIN, b"k" * 32)
HEAD = TreeHead(5, bytes(range(32)))
TEXT = write_checkpoint(ORIGIN, HEAD)
ROOT = write_base64(HEAD.root).encode()


def rewrite(checkpoint: Checkpoint) -> bytes:
    lines = "".join(f"{line}\n" for line in checkpoint.extensions)
    return write_checkpoint(checkpoint.origin, checkpoint.head) + lines.encode()


def test_a_signed_checkpoint_says_what_was_signed() -> None:
    note = sign_checkpoint(ORIGIN, HEAD, KEY)

    assert note.startswith(TEXT + b"\n")
    assert verify_checkpoint(note, [KEY.vkey]) == Checkpoint(ORIGIN, 5, HEAD.root)
    assert verify_checkpoint(note, [KEY.vkey]).head == HEAD
    assert sign_checkpoint(ORIGIN, HEAD, KEY) == note


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "nothing"),
        (TEXT[:-1], "no newline at the end"),
        (TEXT + b"\n", "an empty extension line"),
        (b"\n" + TEXT, "an empty origin"),
        (b"%s\n5\n" % ORIGIN.encode(), "no root"),
        (b"o\n\n" + ROOT + b"\n", "no size"),
        (b"o\n05\n" + ROOT + b"\n", "a leading zero"),
        (b"o\n+5\n" + ROOT + b"\n", "a sign"),
        (b"o\n5 \n" + ROOT + b"\n", "a space"),
        (b"o\n-5\n" + ROOT + b"\n", "a negative size"),
        (b"o\n5_0\n" + ROOT + b"\n", "an underscore"),
        ("o\n٥\n".encode() + ROOT + b"\n", "an Arabic digit"),
        (b"o\n9223372036854775808\n" + ROOT + b"\n", "a size over 2^63-1"),
        (b"o\n0\n" + ROOT + b"\n", "size 0 with another root"),
        (b"o\n5\n" + ROOT[:-1] + b"\n", "no padding"),
        (b"o\n5\n" + ROOT[:-2] + b"9=\n", "bits under the padding"),
        (b"o\n5\nAAAA\n", "a root of 3 bytes"),
        (b"o\n5\n" + ROOT + b"\r\n", "CRLF"),
        (b"o\x00\n5\n" + ROOT + b"\n", "NUL"),
        (b"\xff\n5\n" + ROOT + b"\n", "no UTF-8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_text_that_is_no_checkpoint_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(EvidenceError) as refusal:
        parse_checkpoint(text)
    assert refusal.value.code == "note_invalid", why


def test_the_checkpoint_of_an_empty_log_has_the_root_of_the_empty_tree() -> None:
    assert parse_checkpoint(write_checkpoint(ORIGIN, TreeHead(0, EMPTY_ROOT))).size == 0


def test_an_origin_need_not_be_a_url() -> None:
    """A famous log is called "go.sum database tree" and its key otherwise."""
    key = SignerKey.from_seed("sum.example.org", b"s" * 32)
    note = sign_checkpoint("go.sum database tree", HEAD, key)

    assert verify_checkpoint(note, [key.vkey], origin="go.sum database tree").head == HEAD
    with pytest.raises(EvidenceError) as refusal:
        verify_checkpoint(note, [key.vkey])
    assert refusal.value.code == "key_unknown"


def test_the_key_of_one_log_says_nothing_about_another() -> None:
    """Both keys are trusted, each for its own log."""
    other = SignerKey.from_seed("example.com/other", b"o" * 32)
    note = sign_checkpoint(ORIGIN, HEAD, other)

    with pytest.raises(EvidenceError, match=r"no trusted key of 'example\.com/log'") as refusal:
        verify_checkpoint(note, [KEY.vkey, other.vkey])
    assert refusal.value.code == "key_unknown"


def test_an_expected_origin_is_compared() -> None:
    with pytest.raises(EvidenceError, match=r"not 'example\.com/else'") as refusal:
        verify_checkpoint(sign_checkpoint(ORIGIN, HEAD, KEY), [KEY.vkey], origin="example.com/else")
    assert refusal.value.code == "key_unknown"


def test_a_signed_note_that_is_no_checkpoint_is_none() -> None:
    note = write_note(b"hello\n", [KEY.sign(b"hello\n")])
    with pytest.raises(EvidenceError) as refusal:
        verify_checkpoint(note, [KEY.vkey])
    assert refusal.value.code == "note_invalid"


def test_extension_lines_are_read_when_a_signature_covers_them() -> None:
    text = TEXT + b"extension 1\n"
    mldsa = MLDSA44PrivateKey.from_seed_bytes(b"m" * 32)
    quantum = VerifierKey.of(ORIGIN, MLDSA44, mldsa.public_key().public_bytes_raw())
    message = subtree_message(ORIGIN, 0, ORIGIN, start=0, end=5, root=HEAD.root)
    uncovered = signature_line(quantum, bytes(8) + mldsa.sign(message))
    keys = [KEY.vkey, quantum]

    assert verify_checkpoint(write_note(TEXT, [uncovered]), keys).head == HEAD
    both = verify_checkpoint(write_note(text, [uncovered, KEY.sign(text)]), keys)
    assert both.extensions == ("extension 1",)
    with pytest.raises(EvidenceError, match="no signature covers") as refusal:
        verify_checkpoint(write_note(text, [uncovered]), keys)
    assert refusal.value.code == "signature"


lines = st.text(st.characters(codec="utf-8", min_codepoint=0x20), min_size=1, max_size=20)


@settings(derandomize=True, deadline=None)
@given(
    lines,
    st.integers(1, MAX_SIZE),
    st.binary(min_size=32, max_size=32),
    st.lists(lines, max_size=2),
)
def test_every_checkpoint_is_read_back_as_it_was_written(
    origin: str, size: int, root: bytes, extensions: list[str]
) -> None:
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert parse_checkpoint(rewrite(checkpoint)) == checkpoint


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.integers(0, len(TEXT)), st.integers(0, 3), st.binary(max_size=3) | st.just(b"\n"))
def test_whatever_checkpoint_is_accepted_is_written_back_the_same(
    at: int, cut: int, put: bytes
) -> None:
    text = TEXT[:at] + put + TEXT[at + cut :]
    try:
        checkpoint = parse_checkpoint(text)
    except EvidenceError as error:
        code = error.code
    else:
        code = "note_invalid"
        assert rewrite(checkpoint) == text
    assert code == "note_invalid"
