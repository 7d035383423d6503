"""The check that ends the recorded suite can say no."""

from tools.recorded_suite import counts_of_page, counts_of_report, differences

PAGE = """<a class="btn small" aria-current="true" href="/run">all 1,204</a>
<a class="btn small" href="/run?o=error">1 error</a> <a href="/run?o=passed">1,200 passed</a>
<a class="btn small" href="/run?o=skipped">3 skipped</a>"""
REPORT = """<testsuites><testsuite name="pytest" errors="0" failures="0" skipped="3" tests="1204">
</testsuite></testsuites>"""


def test_a_page_is_read_as_it_counts() -> None:
    assert counts_of_page(PAGE) == {"all": 1204, "error": 1, "passed": 1200, "skipped": 3}


def test_a_report_of_pytest_is_read_as_it_counts() -> None:
    assert counts_of_report(REPORT) == {"all": 1204, "passed": 1201, "skipped": 3}


def test_a_page_that_tells_another_story_is_named_outcome_by_outcome() -> None:
    assert differences(counts_of_page(PAGE), counts_of_report(REPORT)) == [
        "its page says 1 error, pytest counted 0",
        "its page says 1,200 passed, pytest counted 1,201",
    ]


def test_a_page_that_says_nothing_is_no_proof() -> None:
    assert differences({}, counts_of_report(REPORT))
