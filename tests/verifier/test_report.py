"""What a report says to a person and to a program."""

import json

from counterfoil.verifier.report import (
    MAX_FINDINGS,
    Finding,
    Findings,
    LogSeen,
    Report,
)

SEEN = LogSeen("default", "log.example/shop", 37, "ab" * 32, "cd" * 32)


def test_a_whole_log_is_said_in_the_first_line_with_its_key() -> None:
    report = Report("DIR", (SEEN,), "policy", {"entries": 37, "tiles": 1}, ())

    assert report.lines() == [
        "DIR: whole under the trust policy given (fingerprint cdcdcdcdcdcdcdcd)",
        f"log log.example/shop: 37 entries, root {'ab' * 32}",
        "checked: 37 entries, 1 tile",
    ]


def test_findings_are_one_line_each_with_class_object_and_entries() -> None:
    found = (
        Finding("damaged", "tile/0/000", 3, 9, "differs"),
        Finding("missing", "checkpoint", None, None, "gone"),
        Finding("forked", "ledger.db", 5, 5, "two"),
    )
    report = Report("DIR", (SEEN,), "self", {}, found, uncounted=2, notes=("look here",))

    assert report.lines()[0] == "DIR: NOT whole: 5 findings (damaged, forked, missing)"
    assert report.lines()[3:] == [
        "damaged  tile/0/000  (entries 3 to 9): differs",
        "missing  checkpoint: gone",
        "forked  ledger.db  (entry 5): two",
        "... and 2 more",
        "note: look here",
    ]
    shown = report.to_json()
    assert shown["ok"] is False
    assert shown["classes"] == ["damaged", "forked", "missing"]
    assert json.loads(json.dumps(shown)) == shown


def test_text_from_the_evidence_cannot_write_lines_or_colours_of_its_own() -> None:
    """A file name or an id is chosen by whoever wrote the evidence."""
    finding = Finding("damaged", "a\n0 whole\x1b[32m\udcff\u202e", None, None, "x\ry")

    line = finding.line()

    assert line == "damaged  a\\n0 whole\\x1b[32m\\udcff\\u202e: x\\ry"
    assert "\n" not in json.dumps(finding.to_json())
    line.encode()


def test_findings_are_kept_once_and_only_so_many() -> None:
    findings = Findings()
    for number in range(MAX_FINDINGS + 5):
        findings.add("missing", f"row {number}", "gone", number)
        findings.add("missing", f"row {min(number, 3)}", "gone", min(number, 3))

    assert len(findings) == MAX_FINDINGS
    assert findings.uncounted == 5
    assert findings.full


def test_findings_of_another_check_come_with_what_it_only_counted() -> None:
    """The line "and N more" is of all that was found, whoever found it."""
    other = Findings()
    for number in range(MAX_FINDINGS + 5):
        other.add("missing", f"row {number}", "gone", number)
    findings = Findings()
    findings.add("missing", "row 0", "gone", 0)
    findings.add("damaged", "row 1", "other bytes", 1)

    findings.extend(other)

    assert len(findings) == MAX_FINDINGS
    assert findings.uncounted == 5 + 1
