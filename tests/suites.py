"""Small pytest suites that really run, in a process of their own, with the plug-in or without.

ended = run_suite(tmp_path, "def test_ok(): pass", "--counterfoil")
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from counterfoil.client.spool import read_spool

JsonObject = dict[str, Any]


@dataclass
class Ended:
    """A suite that has run."""

    returncode: int
    output: str

    @property
    def line(self) -> str:
        """The one line of the plug-in."""
        [line] = [one for one in self.output.splitlines() if one.startswith("counterfoil: ")]
        return line


def start_suite(
    folder: Path, source: str, *options: str, env: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start pytest over one file of tests, in `folder`, which is no one else's project."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test_it.py").write_text(source, "utf-8")
    if not (folder / "pytest.ini").exists():
        (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    return subprocess.Popen(
        [sys.executable, *command(*options)],
        cwd=folder,
        env=environment(**(env or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def command(*options: str) -> list[str]:
    """Return the words behind the interpreter; see `environment` for the plug-ins."""
    plugins = ["counterfoil", *(["xdist"] if any(one.startswith("-n") for one in options) else [])]
    named = [word for name in plugins for word in ("-p", name)]
    return ["-m", "pytest", "-p", "no:cacheprovider", *named, *options]


def environment(**more: str) -> dict[str, str]:
    """Return an environment that says nothing of CI or of a ledger but what is in `more`.

    Plug-ins are named, not found: those of this project's own tests take a second to import.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COUNTERFOIL_", "GITHUB_", "GITLAB_", "CI", "PYTEST_"))
    }
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "GIT_CEILING_DIRECTORIES": "/"}
    return {**kept, **alone, **more}


def run_suite(
    folder: Path, source: str, *options: str, env: Mapping[str, str] | None = None
) -> Ended:
    """Run a suite to its end."""
    process = start_suite(folder, source, *options, env=env)
    try:
        output, _ = process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        raise
    return Ended(process.returncode, output)


def spooled(folder: Path) -> list[JsonObject]:
    """Return the events in the spools of `folder`, in order, file by file."""
    return [
        json.loads(record.payload)
        for path in sorted(folder.glob("*.spool"))
        for record in read_spool(path).records
    ]


def of_type(events: Sequence[JsonObject], word: str) -> list[JsonObject]:
    """Return the events whose type holds `word`."""
    return [event for event in events if word in event["type"]]


def outcomes(events: Sequence[JsonObject]) -> dict[str, list[str]]:
    """Return what became of each test, attempt by attempt, by its name behind the file's."""
    found: dict[str, list[str]] = {}
    for event in events:
        if "testcaserun.finished" in event["type"]:
            said = event["data"]["subject"]["content"]["outcome"]
        elif "testcaserun.skipped" in event["type"]:
            said = "skipped"
        else:
            continue
        name = event["subject"].removeprefix("test:").partition("::")[2]
        found.setdefault(name, []).append(said)
    return found


def custom(events: Sequence[JsonObject], name: str) -> JsonObject:
    """Return the customData of the only finished or skipped event of a test."""
    [event] = [
        event
        for event in events
        if event["subject"].endswith(name) and "testcaserun.started" not in event["type"]
    ]
    found: JsonObject = event["data"]["customData"]
    return found
