"""Search results as CSV, safe to open in a spreadsheet.

What must hold: no cell that came from outside is read as a formula.  A cell that begins with a
character spreadsheets act on gets an apostrophe before it.

Source: RFC 4180; OWASP, CSV Injection.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

COLUMNS: Final = (
    "entry", "time", "recordedtime", "actor", "how", "sentence", "outcome", "type", "subject",
    "via", "source", "id",
)  # fmt: skip
_ACTED_ON: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_csv(items: Iterable[Mapping[str, Any]]) -> str:
    """Return search results, as in the JSON answer, as CSV with a line of names."""
    lines = [",".join(COLUMNS)]
    for item in items:
        actor = item["actor"]
        values = {**item, "entry": item["index"], "actor": actor["handle"], "how": actor["how"]}
        lines.append(",".join(_cell(values[name]) for name in COLUMNS))
    return "\r\n".join(lines) + "\r\n"


def _cell(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    text = "" if value is None else str(value)
    # A formula may stand behind blanks and invisible characters too.
    if text.lstrip(" \u00a0\ufeff\x00").startswith(_ACTED_ON):
        text = "'" + text
    if any(character in text for character in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
