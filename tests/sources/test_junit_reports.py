"""Every JUnit file there is here either parses to what is expected or is refused by name."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from counterfoil.errors import CODES, RequestError
from counterfoil.sources.junit import Case, Totals, read_report

REPORTS = Path(__file__).parents[1] / "vectors" / "reports"
MADE_HERE = REPORTS / "made-here"
EXPECTED: dict[str, dict[str, object]] = {
    name: expected
    for name, expected in json.loads((MADE_HERE / "expected.json").read_bytes()).items()
    if name.startswith("junit/")
}

# expected.json speaks of readers in general; these are our names for its errors.
REFUSED = {
    "entities_forbidden": "report_doctype",
    "not_a_report": "report_unknown",
    "depth_limit": "report_limit",
    "xml_truncated": "report_truncated",
    # A packed file is refused by what it is; nothing is ever unpacked here.
    "expansion_limit": "report_not_xml",
    "zip_entry_outside_root": "report_not_xml",
}
WARNED = {
    "suspicious_unicode": "hidden_characters",
    "xml_decl_not_first": "space_before_declaration",
    "illegal_xml_chars": "illegal_characters",
    "encoding_mismatch": "encoding_mismatch",
    "duplicate_test_id": "duplicate_case",
    "count_mismatch": "count_mismatch",
    "bad_duration": "bad_duration",
    "concatenated_documents": "concatenated_documents",
    # Attachments are never followed: a path in the text of a test is text.
    "attachment_outside_root": None,
}
PACKED = {"junit/report.xml.gz": "report_not_xml", "junit/zero-tests.xml": "report_empty"}


def _read(data: bytes, step: int = 1 << 30) -> tuple[list[Case], Totals]:
    collected: list[Totals] = []
    chunks = [data[start : start + step] for start in range(0, len(data), step)]
    cases = list(read_report(chunks, collected))
    return cases, collected[0]


def _refusal(name: str, expected: dict[str, object]) -> str | None:
    if name in PACKED:
        return PACKED[name]
    return REFUSED[str(expected["error"])] if "error" in expected else None


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_hostile_or_odd_file_gives_the_expected_counts_or_the_named_refusal(name: str) -> None:
    data, expected = (MADE_HERE / name).read_bytes(), EXPECTED[name]
    refusal = _refusal(name, expected)
    if refusal is not None:
        with pytest.raises(RequestError) as refused:
            _read(data)
        assert refused.value.code == refusal
        return

    cases, totals = _read(data)

    assert len(cases) == totals.size == expected["cases"]
    if "failures" in expected:
        assert totals.outcomes["failure"] == expected["failures"]
    if "errors" in expected:
        assert totals.outcomes["error"] == expected["errors"]
    if (warning := WARNED.get(str(expected.get("warning")))) is not None:
        assert totals.warning_counts[warning] > 0
    if "warning" not in expected:
        assert not set(totals.warning_counts) - {"several_results"}


def test_a_truncated_report_is_refused_with_how_far_it_got() -> None:
    with pytest.raises(RequestError, match="after 1 whole case"):
        _read((MADE_HERE / "junit/truncated-mid-failure.xml").read_bytes())


def test_surefire_retries_become_attempts_in_order() -> None:
    expected = EXPECTED["junit/flaky-surefire.xml"]["attempts"]
    cases, _ = _read((MADE_HERE / "junit/flaky-surefire.xml").read_bytes())
    words = {"failure": "failed", "error": "failed", "success": "passed"}

    shown = {case.name: [words[outcome] for outcome, _ in case.attempts] for case in cases}

    assert shown == expected


def _refusal_of(data: bytes, step: int) -> str | None:
    try:
        _read(data, step)
    except RequestError as refused:
        return refused.code
    return None


FILES = sorted(
    path
    for folder in ("jenkins-junit", "jenkins-xunit", "dorny", "made-here")
    for path in (REPORTS / folder).rglob("*")
    if path.is_file() and path.suffix != ".json"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(REPORTS)))
def test_every_collected_file_parses_or_is_refused_by_name_however_it_is_cut(path: Path) -> None:
    """What is read must not depend on where the network cut the bytes."""
    data = path.read_bytes()
    step = 4099 if len(data) > 100_000 else 13
    refusal = _refusal_of(data, 1 << 30)
    assert _refusal_of(data, step) == refusal
    if refusal is not None:
        assert CODES[refusal][1] == 422
        return
    whole, totals = _read(data)
    assert whole
    assert totals.size == len(whole)

    cut, cut_totals = _read(data, step)

    assert cut == whole
    assert cut_totals.warning_counts == totals.warning_counts


COUNTS = {
    "jenkins-junit/junit-report-1472.xml": {"success": 2652, "failure": 1},
    "jenkins-junit/junit-report-nested-testsuites.xml": {"success": 2, "error": 1},
    "jenkins-junit/junit-report-20090516.xml": {"success": 5, "error": 3},
    "jenkins-junit/junit-report-6700.xml": {"error": 1},
    "dorny/python-xunit-pytest.xml": {"success": 6, "failure": 2, "skipped": 2},
    "jenkins-xunit/googletest/testcase4/input.xml": {"success": 17, "failure": 4, "skipped": 3},
    "made-here/pytest-9.2-xdist-rerun-crash/junit.xml": {"success": 5, "failure": 2, "error": 2},
}


@pytest.mark.parametrize("name", sorted(n for n in COUNTS if (REPORTS / n).exists()))
def test_the_outcomes_of_known_reports_are_counted_right(name: str) -> None:
    _, totals = _read((REPORTS / name).read_bytes())

    assert dict(totals.outcomes) == COUNTS[name]


def test_the_known_reports_are_all_here() -> None:
    assert [name for name in COUNTS if not (REPORTS / name).exists()] == []


REFUSALS = {
    "jenkins-junit/testXxe-xxe.xml": "report_doctype",
    "jenkins-junit/testXxe-oob.xml": "report_not_xml",
    "jenkins-junit/junitResult.xml": "report_unknown",
    "jenkins-junit/null-output.txt": "report_not_xml",
}


@pytest.mark.parametrize(("name", "code"), sorted(REFUSALS.items()))
def test_what_is_no_report_is_refused_for_what_it_is(name: str, code: str) -> None:
    with pytest.raises(RequestError) as refused:
        _read((REPORTS / name).read_bytes())
    assert refused.value.code == code


def _long_report(size: int) -> Iterator[bytes]:
    yield b"<testsuite name='long'>"
    output = b"o" * 8000
    for number in range(size):
        yield b"<testcase classname='c' name='n%d'><system-out>" % number
        yield output + b"</system-out></testcase>"
    yield b"</testsuite>"


def test_memory_does_not_grow_with_the_report() -> None:
    """48 MB of output pass through; what stays is one case and a counter a name."""
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_report(_long_report(6000)))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert count == 6000
    assert peak_bytes < 4_000_000
