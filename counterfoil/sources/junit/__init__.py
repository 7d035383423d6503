"""JUnit XML in all its dialects -> test events.

`reader` is the bounded XML reader, `values` reads times, `cases` knows the dialects, `events`
makes CDEvents of them.
"""

from counterfoil.sources.junit.cases import Case, Result, Totals, read_report
from counterfoil.sources.junit.events import ReportContext, parse_junit, test_ref
from counterfoil.sources.junit.reader import Text

__all__ = [
    "Case",
    "ReportContext",
    "Result",
    "Text",
    "Totals",
    "parse_junit",
    "read_report",
    "test_ref",
]
