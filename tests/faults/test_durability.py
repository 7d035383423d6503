"""What the kernel saw: the write-ahead log is synced before anybody gets a receipt."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import needs_tool

PROGRAM = """
import os, sys
from pathlib import Path
from tests.ledger_place import Place, make_items
place = Place(Path(sys.argv[1]) / "ledger").create()
for turn in range(3):
    os.write(1, b"send %d\\n" % turn)
    place.append(make_items(turn, 1))
    os.write(1, b"receipt %d\\n" % turn)
place.stop()
"""


@pytest.mark.strace
def test_keys_and_log_are_synced_in_that_order_before_each_receipt(tmp_path: Path) -> None:
    strace = needs_tool("strace")
    trace = tmp_path / "trace"
    calls = "trace=write,pwrite64,fsync,fdatasync"
    subprocess.run(
        [strace, "-f", "-y", "-e", calls, "-o", trace, sys.executable, "-c", PROGRAM, tmp_path],
        check=True,
        timeout=120,
        capture_output=True,
    )

    lines = trace.read_text().splitlines()
    for turn in range(3):
        between = _between(lines, f"send {turn}", f"receipt {turn}")
        keys = _last(between, r"f(data)?sync\(\d+<[^>]*/erasable\.db-wal>")
        last_write = _last(between, r"pwrite64\(\d+<[^>]*/ledger\.db-wal>")
        log = _last(between, r"f(data)?sync\(\d+<[^>]*/ledger\.db-wal>")
        assert -1 < keys < log, "the key of an entry is durable before the entry is"
        assert -1 < last_write < log, "every byte of the commit is synced before the receipt"


def _between(lines: list[str], start: str, end: str) -> list[str]:
    first = next(i for i, line in enumerate(lines) if f'"{start}\\n"' in line)
    last = next(i for i, line in enumerate(lines) if f'"{end}\\n"' in line)
    return lines[first:last]


def _last(lines: list[str], pattern: str) -> int:
    """Return the position of the last call that matches; -1 if there is none.

    A call that another thread interrupted is counted where it returned.
    """
    found = -1
    for position, line in enumerate(lines):
        if re.search(pattern, line):
            found = position
            if "unfinished" in line:
                thread = line.split()[0]
                found = next(
                    later
                    for later in range(position + 1, len(lines))
                    if lines[later].startswith(thread) and "resumed" in lines[later]
                )
    return found
