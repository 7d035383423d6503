"""A drill: a backup is put back in a folder of its own, checked, opened in places, and removed.

It asks what a restore asks of the backup, and goes nowhere near the ledger: nothing is signed,
no witness is told, no server is started.  What it came to is an event in the ledger, a failed
drill too, for that is the one somebody has to hear of.

Source: docs/adr/0034; docs/how-to/backup.md.
"""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from counterfoil.app.backup import LEDGER_FILE
from counterfoil.app.backup_manifest import FORMAT, Manifest, read_manifest
from counterfoil.app.naming import check_ledger
from counterfoil.app.opening import open_all
from counterfoil.app.restore import Found, checked, copy_out, find_backup, generation_of
from counterfoil.errors import CounterfoilError, EvidenceError, RequestError
from counterfoil.events.entry import read_entry
from counterfoil.ids import SystemRandomness
from counterfoil.stores.erasable import ErasableStore
from counterfoil.stores.files import os_errors_translated
from counterfoil.stores.sqlite import SqliteLogStore
from counterfoil.verifier.report import Finding, Findings

SAMPLES_A_LOG: Final = 200
"""Entries that are opened as a page opens them; `verify` has opened every one before."""

Result = Literal["whole", "proofs", "failed"]


@dataclass(frozen=True, slots=True)
class Drilled:
    """What a drill came to.

    Attributes:
        stamp: of the backup; "" where it has none.
        result: "whole"; "proofs": whole as far as it goes, and its keys are gone; "failed".
        logs: project -> how many entries it holds.
        opened: how many entries were opened.
        findings: one line each.
        time_s: how long it took.
    """

    stamp: str
    result: Result
    logs: dict[str, int]
    opened: int
    findings: tuple[str, ...]
    time_s: float

    def said(self) -> dict[str, object]:
        """Return what the ledger is told of it: what the action `backup-drilled` takes."""
        return {
            "stamp": self.stamp,
            "result": self.result,
            "logs": self.logs,
            "opened": self.opened,
            "findings": len(self.findings),
            "why": self.findings[0][:500] if self.findings else "",
            "time_s": round(self.time_s),
        }


def drill(
    backup: Path, keys: Path | None = None, scratch: Path | None = None, *,
    ledger: Path | None = None,
) -> Drilled:  # fmt: skip
    """Try a backup; whatever is wrong with it is in the answer.

    Args:
        backup: a generation, or the folder they lie in, for the latest of it.
        keys: its other half, or the folder of those; beside it if None.
        scratch: where the folder is made; the system's for such if None.
        ledger: the directory whose backup it has to be; None for any.

    Raises:
        RequestError: `backup_invalid`: there is no backup of any name, or it is of another ledger;
            `dir_missing`, `not_a_ledger`.
        UnavailableError: `storage`, `read_only`: the drill could not be done, and says nothing.

    Cost: what a restore costs, without evidence from outside.
    """
    began_s = time.monotonic()
    folder = generation_of(backup)
    try:
        manifest = read_manifest(folder, FORMAT)
    except EvidenceError as error:
        return Drilled(folder.name, "failed", {}, 0, (_line(error),), time.monotonic() - began_s)
    if ledger is not None:
        _require_ours(manifest, ledger)
    logs = {one.project: one.size for one in manifest.logs}
    try:
        found = find_backup(folder, keys)
    except RequestError:
        found = Found(folder, manifest, folder, _no_keys(manifest))
    except EvidenceError as error:
        spent_s = time.monotonic() - began_s
        return Drilled(manifest.stamp, "failed", logs, 0, (_line(error),), spent_s)
    with os_errors_translated(scratch or Path(tempfile.gettempdir())):
        place = Path(tempfile.mkdtemp(prefix="counterfoil-drill-", dir=scratch))
    try:
        opened, lines = _try(found, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    whole: Result = "whole" if found.keys.files else "proofs"
    return Drilled(
        manifest.stamp,
        "failed" if lines else whole,
        logs,
        opened,
        tuple(lines),
        time.monotonic() - began_s,
    )


def _require_ours(manifest: Manifest, ledger: Path) -> None:
    """Refuse the backup of another ledger: that it is whole says nothing of this one's."""
    check_ledger(ledger)
    try:
        store = SqliteLogStore(ledger / LEDGER_FILE, write=False)
    except EvidenceError:
        return  # a ledger that cannot be read takes no record either, and its backup is needed
    try:
        ours = {info.origin for info in store.projects()}
    finally:
        store.close()
    others = sorted(one.origin for one in manifest.logs if one.origin not in ours)
    if others or not manifest.logs:
        raise RequestError(
            "backup_invalid",
            f"backup {manifest.stamp} is of another ledger than {ledger}"
            f" ({', '.join(others[:1]) or 'it has no log'}): name a backup of this one",
        )


def _try(found: Found, place: Path) -> tuple[int, list[str]]:
    """Put a backup into a folder, check and open it; return entries opened, and what is wrong."""
    try:
        copy_out(found, place)
    except EvidenceError as error:
        return 0, [_line(error)]
    with checked(place, found.manifest) as (_, findings):
        lines = [one.line() for one in _ours(findings, with_keys=bool(found.keys.files))]
    opened = 0
    if found.keys.files:
        with contextlib.ExitStack() as stack:
            log = SqliteLogStore(place / "ledger.db", write=False)
            stack.callback(log.close)
            keys = ErasableStore(place / "erasable.db", SystemRandomness(), write=False)
            stack.callback(keys.close)
            for one in found.manifest.logs:
                for index in _spread(one.size):
                    try:
                        [kept] = log.kept(one.project, index, index + 1)
                        open_all(read_entry(kept.entry), kept, keys, one.project)
                    except CounterfoilError as error:
                        lines.append(f"{one.project} entry {index}: {_line(error)}")
                    else:
                        opened += 1
    return opened, lines


def _ours(findings: Findings, *, with_keys: bool) -> Iterable[Finding]:
    """Return the findings that count: where the keys had their time, that they are gone is none."""
    return (one for one in findings if with_keys or one.object != "erasable.db")


def _spread(size: int) -> Iterable[int]:
    """Return indices all over a log, its first and last entry among them.

    >>> list(_spread(3)), len(list(_spread(10_000)))
    ([0, 1, 2], 200)
    """
    count = min(size, SAMPLES_A_LOG)
    return (number * (size - 1) // max(1, count - 1) for number in range(count))


def _no_keys(manifest: Manifest) -> Manifest:
    return Manifest("", manifest.stamp, manifest.taken, manifest.version, (), ())


def _line(error: CounterfoilError) -> str:
    return f"{error.code}  {error.message}"
