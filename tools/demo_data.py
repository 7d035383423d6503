"""Take a snapshot of this repository for the demonstration: its history and its own test runs.

    python tools/demo_data.py                   run the tests of the pure rooms and keep the reports
    python tools/demo_data.py NAME=FILE.xml ... keep these JUnit reports, all of the present commit

Writes counterfoil/demo/project/.  Nothing of the machine or of people goes into it: mails become
`maintainers`, host names are dropped, the repository's path becomes `.`.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from counterfoil.sources import git
from counterfoil.sources.junit import Totals, read_report

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "counterfoil" / "demo" / "project"
PURE_ROOMS = ("tlog", "events", "verifier", "projections", "policy", "sources")
PEOPLE = b"maintainers"
_MAIL_FIELDS = (5, 6)
_HOST = re.compile(rb"\s(?:hostname|host)=\"[^\"]*\"")


def main(words: list[str]) -> int:
    """Write the snapshot; return the exit code."""
    head = _git("rev-parse", "HEAD").decode().strip()
    branch = _git("rev-parse", "--abbrev-ref", "HEAD").decode().strip()
    reports = _given(words) if words else _fresh()
    PROJECT.mkdir(parents=True, exist_ok=True)
    for stale in PROJECT.glob("*.xml"):
        stale.unlink()
    (PROJECT / "git-log.bin").write_bytes(_history())
    runs = []
    for number, (name, content) in enumerate(reports, start=1):
        cleaned = _clean(content)
        totals: list[Totals] = []
        size = sum(1 for _ in read_report([cleaned], totals))
        file = f"tests-{number}.xml"
        (PROJECT / file).write_bytes(cleaned)
        runs.append({"file": file, "name": name, "commit": head})
        print(f"{file}: {name}, {size} cases, {dict(totals[0].outcomes)}")
    snapshot = json.dumps({"branch": branch, "runs": runs}, indent=1) + "\n"
    (PROJECT / "snapshot.json").write_text(snapshot)
    return 0


def _git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True).stdout


def _history() -> bytes:
    """Return the log in the form `sources.git` reads, without anybody's mail."""
    log = _git("log", "--reverse", "-z", f"--format={git.FORMAT}")
    records = []
    for record in log.split(b"\0"):
        fields = record.split(b"\x1f")
        if len(fields) > max(_MAIL_FIELDS):
            for index in _MAIL_FIELDS:
                fields[index] = PEOPLE
            records.append(b"\x1f".join(fields))
    return b"\0".join(records) + b"\0"


def _given(words: list[str]) -> list[tuple[str, bytes]]:
    named = [word.partition("=") for word in words]
    return [(name, Path(file).read_bytes()) for name, _, file in named]


def _fresh() -> list[tuple[str, bytes]]:
    """Run the tests of the rooms that need no machine, and return what pytest reports."""
    folders = [f"tests/{room}" for room in PURE_ROOMS if (ROOT / "tests" / room).is_dir()]
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        words = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *folders]
        # A failing test belongs into the snapshot too; only a missing report is an error.
        subprocess.run(words, check=False, cwd=ROOT, stdout=subprocess.DEVNULL)
        return [("pure rooms", report.read_bytes())]


def _clean(content: bytes) -> bytes:
    return _HOST.sub(b"", content).replace(str(ROOT).encode(), b".")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
