"""The XML reader is bounded in every direction, and repairs nothing in silence."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.errors import RequestError
from counterfoil.sources.junit import Case, Totals, read_report
from counterfoil.sources.junit.decode import Decoder
from counterfoil.sources.junit.reader import (
    KEPT_BYTES,
    MAX_ATTRIBUTE_BYTES,
    MAX_ATTRIBUTES,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_TAG_BYTES,
    Text,
)


def _read(*chunks: bytes) -> tuple[list[Case], Totals]:
    collected: list[Totals] = []
    return list(read_report(chunks, collected)), collected[0]


def _refused(*chunks: bytes) -> RequestError:
    with pytest.raises(RequestError) as refused:
        _read(*chunks)
    return refused.value


def _outcome(*chunks: bytes) -> str:
    try:
        cases, _ = _read(*chunks)
    except RequestError as refused:
        return refused.code
    return "read" if cases else "neither"


CASE = b"<testcase classname='c' name='n'/>"


@pytest.mark.parametrize(
    ("chunks", "code"),
    [
        pytest.param((), "report_empty", id="no bytes at all"),
        pytest.param((b" \n\t\r\n",), "report_empty", id="white space alone"),
        pytest.param((b"<testsuites/>",), "report_empty", id="a report without cases"),
        pytest.param((b"Build failed: see log",), "report_not_xml", id="plain text"),
        pytest.param((b'{"tests": []}',), "report_not_xml", id="JSON"),
        pytest.param((b"<html><br>oops",), "report_unknown", id="HTML without a DOCTYPE"),
        pytest.param((b"<!DOCTYPE HTML PUBLIC 'x' 'y'><HTML>",), "report_unknown", id="old HTML"),
        pytest.param((b"<TestRun/>",), "report_unknown", id="another dialect"),
        pytest.param(
            (b"<!DOCTYPE testsuite SYSTEM 'http://127.0.0.1/x'><testsuite>", CASE),
            "report_doctype",
            id="an external DTD",
        ),
        pytest.param((b"<testsuite>", CASE, b"</testsuites>"), "report_not_xml", id="tags crossed"),
        pytest.param((b"<testsuite>&nbsp;", CASE), "report_not_xml", id="an unknown entity"),
        pytest.param((b"<testsuite><testcase name='a", b""), "report_truncated", id="cut in a tag"),
        pytest.param((b"<testsuite>", CASE, b"<![CDATA[ x"), "report_truncated", id="cut in CDATA"),
        pytest.param((b"<testsuite>", CASE), "report_truncated", id="cut between cases"),
        pytest.param((b"\x1f\x8b\x08rest",), "report_not_xml", id="gzip"),
        pytest.param((b"PK\x03\x04rest",), "report_not_xml", id="zip"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(chunks: tuple[bytes, ...], code: str) -> None:
    assert _refused(*chunks).code == code


def _deep(depth: int) -> bytes:
    """Nest suites so that the case inside stands at `depth`."""
    return b"<testsuite>" * (depth - 1) + CASE + b"</testsuite>" * (depth - 1)


def _attributes(count: int) -> bytes:
    more = b"".join(b" a%d='v'" % number for number in range(count - 1))
    return b"<testsuite><testcase name='n'" + more + b"/></testsuite>"


def _message(size_bytes: int) -> bytes:
    failure = b"<failure message='" + b"m" * size_bytes + b"'/>"
    return b"<testsuite><testcase name='n'>" + failure + b"</testcase></testsuite>"


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        pytest.param(_deep(MAX_DEPTH), _deep(MAX_DEPTH + 1), id="depth"),
        pytest.param(_attributes(MAX_ATTRIBUTES), _attributes(MAX_ATTRIBUTES + 1), id="attributes"),
        pytest.param(
            _message(MAX_ATTRIBUTE_BYTES), _message(MAX_ATTRIBUTE_BYTES + 1), id="attribute length"
        ),
    ],
)
def test_a_limit_holds_to_the_last_step(within: bytes, beyond: bytes) -> None:
    cases, _ = _read(within)
    assert len(cases) == 1
    assert _refused(beyond).code == "report_limit"


def test_a_tag_that_never_ends_is_refused_before_it_fills_the_memory() -> None:
    endless = [b"<testsuite><testcase name='", *([b"n" * 65_536] * (MAX_TAG_BYTES // 65_536 + 2))]
    error = _refused(*endless)
    assert error.code == "report_limit"
    assert "one tag" in error.message


def test_a_report_over_the_size_limit_is_refused() -> None:
    piece = b"<testcase name='n'><system-out>" + b"o" * 1_000_000 + b"</system-out></testcase>"
    pieces = [piece] * (MAX_BYTES // len(piece) + 1)
    assert _refused(b"<testsuite>", *pieces).code == "report_limit"


def test_of_a_long_text_the_beginning_is_kept_and_the_whole_is_identified() -> None:
    text = "ä" * KEPT_BYTES  # two bytes each: cut in the middle, never inside a character
    data = f"<testsuite><testcase name='n'><failure>{text}</failure></testcase></testsuite>"
    [case], _ = _read(data.encode())

    kept = case.results[0].text

    assert kept == Text.of(text)
    assert kept.kept == "ä" * (KEPT_BYTES // 2)
    assert kept.size_bytes == 2 * KEPT_BYTES
    assert kept.sha256 == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_unicode_in_any_form_reads_the_same(encoding: str) -> None:
    text = "<testsuite name='ж'><testcase name='naïve ☃ 𝄞'/></testsuite>"
    [case], totals = _read(text.encode(encoding))
    assert case.name == "naïve ☃ 𝄞"
    assert case.suites == ("ж",)
    assert not totals.warning_counts


@pytest.mark.parametrize(
    ("declared", "written"),
    [("ISO-8859-1", "latin-1"), ("windows-1251", "cp1251"), ("Shift_JIS", "shift_jis")],
)
def test_a_declared_encoding_is_used(declared: str, written: str) -> None:
    name = {"latin-1": "café", "cp1251": "тест", "shift_jis": "テスト"}[written]
    text = f"<?xml version='1.0' encoding='{declared}'?><testsuite><testcase name='{name}'/></testsuite>"
    [case], totals = _read(text.encode(written))
    assert case.name == name
    assert not totals.warning_counts


@pytest.mark.parametrize("lie", ["UTF-16", "zlib_codec", "rot13", "unicode_escape", "no-such"])
def test_a_report_cannot_choose_a_codec_that_rewrites_it(lie: str) -> None:
    text = (
        f"<?xml version='1.0' encoding='{lie}'?><testsuite><testcase name='ab\\x41'/></testsuite>"
    )
    [case], totals = _read(text.encode())
    assert case.name == "ab\\x41"
    assert totals.warning_counts["encoding_mismatch"] == 1


def test_latin_1_among_utf_8_keeps_both_readable_and_is_noted() -> None:
    data = b"<testsuite><testcase name='\xc3\xa9 \xe9'/></testsuite>"
    [case], totals = _read(data)
    assert case.name == "é é"
    assert totals.warning_counts["encoding_mismatch"] == 1


def test_illegal_characters_are_replaced_raw_or_by_reference_and_noted() -> None:
    data = b"<testsuite><testcase name='a\x00b&#27;c&#x1B;d&#10;e&amp;#0;'/></testsuite>"
    [case], totals = _read(data)
    assert case.name == "a\ufffdb\ufffdc\ufffdd\ne&#0;"
    assert totals.warning_counts["illegal_characters"] == 1


def test_something_behind_a_whole_report_is_noted_and_not_read() -> None:
    [case], totals = _read(b"<testsuite>", CASE, b"</testsuite>\n\0\0\0 done in 3 s")
    assert case.name == "n"
    assert totals.warning_counts["trailing_text"] == 1


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.binary(max_size=300), st.integers(1, 40))
def test_any_bytes_are_read_or_refused_by_name(data: bytes, step: int) -> None:
    chunks = [data[start : start + step] for start in range(0, len(data), step)]
    for prefix in ((), (b"<testsuite>",), (b"<testsuite><testcase name='",)):
        outcome = _outcome(*prefix, *chunks)
        assert outcome == "read" or outcome.startswith("report_")


_PIECES = st.sampled_from(
    b"&#0; &#x1b; &#10; &amp; & ; text <a> \x00 \xe9 \xc3\xa9 \xf0\x9f \xe2\x98\x83".split(b" ")
)
# The encoding is chosen from the first KiB; the cuts that matter come behind it.
_HEAD = b"<testsuite>" + b" " * 1100


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.lists(_PIECES, max_size=40), st.integers(1, 7))
def test_decoding_does_not_depend_on_the_cuts(pieces: list[bytes], step: int) -> None:
    data = b"".join(pieces)
    whole, cut = Decoder(), Decoder()
    one = whole.feed(_HEAD + data) + whole.feed(b"", final=True)
    other = cut.feed(_HEAD) + b"".join(
        cut.feed(data[start : start + step]) for start in range(0, len(data), step)
    )

    assert other + cut.feed(b"", final=True) == one
    assert set(cut.repairs) == set(whole.repairs)
