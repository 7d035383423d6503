"""What the kernel saw: the write-ahead log is synced before anybody gets a receipt."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import needs_tool

APPEND = """
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


EXPORT = """
import sys
from pathlib import Path
from tests.ledger_place import Place, make_items
place = Place(Path(sys.argv[1]) / "ledger").create()
place.append(make_items(0, 300))
place.ledger.export_now()
place.stop()
"""


@pytest.mark.strace
def test_keys_and_log_are_synced_in_that_order_before_each_receipt(tmp_path: Path) -> None:
    lines = _trace(APPEND, "write,pwrite64,fsync,fdatasync", tmp_path)

    for turn in range(3):
        between = _between(lines, f"send {turn}", f"receipt {turn}")
        keys = _last(between, r"f(data)?sync\(\d+<[^>]*/erasable\.db-wal>")
        last_write = _last(between, r"pwrite64\(\d+<[^>]*/ledger\.db-wal>")
        log = _last(between, r"f(data)?sync\(\d+<[^>]*/ledger\.db-wal>")
        assert -1 < keys < log, "the key of an entry is durable before the entry is"
        assert -1 < last_write < log, "every byte of the commit is synced before the receipt"


@pytest.mark.strace
def test_an_exported_file_is_synced_then_renamed_then_named_durably_before_the_checkpoint(
    tmp_path: Path,
) -> None:
    lines = _trace(EXPORT, "rename,fsync", tmp_path)
    public = str(tmp_path / "ledger" / "public")
    renames = [
        (position, *re.findall(r'"([^"]*)"', line))
        for position, line in enumerate(lines)
        if f'"{public}/' in line and "rename(" in line
    ]
    checkpoint = max(position for position, _, name in renames if name.endswith("/checkpoint"))
    tiles = [rename for rename in renames if "/tile/" in rename[2]]

    assert len(tiles) == 5, "two tiles of hashes, one above them, two bundles"
    for position, aside, name in tiles:
        directory = re.escape(str(Path(name).parent))
        assert _last(lines[:position], rf"fsync\(\d+<{re.escape(aside)}>") > -1
        after = lines[position:checkpoint]
        assert _last(after, rf"fsync\(\d+<{directory}>") > -1
    assert _last(lines[checkpoint:], rf"fsync\(\d+<{re.escape(public)}/default>") > -1


def _trace(program: str, calls: str, tmp_path: Path) -> list[str]:
    """Run a program under strace and return the calls it made, in order."""
    strace = needs_tool("strace")
    trace = tmp_path / "trace"
    options = ["-f", "-y", "-s", "256", "-e", f"trace={calls}", "-o", str(trace)]
    subprocess.run(
        [strace, *options, sys.executable, "-c", program, str(tmp_path)],
        check=True,
        timeout=120,
        capture_output=True,
    )
    return trace.read_text().splitlines()


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
