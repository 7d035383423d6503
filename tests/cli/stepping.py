"""Real commands behind a real `counterfoil run`, in a project and a process group of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from counterfoil.client.spool import read_spool

FOIL = [sys.executable, "-m", "counterfoil"]
BARE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("COUNTERFOIL_", "GITHUB_", "GITLAB_", "CI_"))
} | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def start(place: Path, *words: object, **more: Any) -> subprocess.Popen[bytes]:
    """Start `counterfoil run WORDS` in a process group of its own, as a shell does."""
    environment: Mapping[str, str] = more.pop("environment", {})
    return subprocess.Popen(
        [*FOIL, "run", *map(str, words)], cwd=place, env={**BARE, **environment},
        stdin=more.pop("stdin", subprocess.PIPE), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True, **more,
    )  # fmt: skip


def run(
    place: Path, *words: object, given: bytes = b"", environment: Mapping[str, str] | None = None
) -> tuple[int, bytes, bytes]:
    """Return exit code, stdout and stderr of `counterfoil run WORDS`."""
    started = start(place, *words, environment=environment or {})
    out, err = started.communicate(given, timeout=60)
    return started.returncode, out, err


def spooled(folder: Path) -> list[dict[str, Any]]:
    """Return every event in the spools of a folder."""
    return [
        json.loads(record.payload)
        for path in sorted(folder.glob("*.spool"))
        for record in read_spool(path).records
    ]


def kept(place: Path) -> list[dict[str, Any]]:
    """Return every event in the spool of a project."""
    return spooled(place / ".counterfoil" / "spool")


def wait_for(truth: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    give_up = time.monotonic() + 20
    while not truth():
        assert time.monotonic() < give_up, what
        time.sleep(0.01)
