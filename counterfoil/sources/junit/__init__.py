"""JUnit XML in all its dialects -> test events.

`decode` and `reader` are the bounded XML reader, `values` reads times, `dialect` finds the `cases`,
`events` makes CDEvents of them.
"""

from counterfoil.sources.junit.cases import Case, Result, Totals
from counterfoil.sources.junit.dialect import read_report
from counterfoil.sources.junit.events import (
    ReportContext,
    parse_junit,
    report_events,
    run_event,
    scan_report,
    test_ref,
)
from counterfoil.sources.junit.reader import Text

__all__ = [
    "Case",
    "ReportContext",
    "Result",
    "Text",
    "Totals",
    "parse_junit",
    "read_report",
    "report_events",
    "run_event",
    "scan_report",
    "test_ref",
]
