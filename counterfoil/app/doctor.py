"""`admin doctor`: is this machine, this installation and this ledger fit to go on, and what to do.

It asks what `verify` and `fsck` do not: the clock, the disk, who may read what, whether somebody
outside holds us to our past, whether a backup could be restored.  It changes nothing, takes no
lock, and works beside a running server and without one.

Source: docs/adr/0037.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Final

from counterfoil.app import doctor_kept, doctor_ledger, doctor_machine, doctor_server
from counterfoil.app.config import Config, read_config
from counterfoil.app.doctor_case import Case, Log, read_logs, read_serving
from counterfoil.app.doctor_report import Diagnosis, Line
from counterfoil.app.fsck import require_ledger
from counterfoil.clock import Clock
from counterfoil.errors import CounterfoilError

Check = Callable[[Case], Iterable[Line]]

CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("clock", doctor_machine.clock),
    ("disk", doctor_machine.disk),
    ("mount", doctor_machine.mount),
    ("sync", doctor_machine.sync),
    ("files", doctor_ledger.parts),
    ("modes", doctor_ledger.modes),
    ("versions", doctor_machine.versions),
    ("server", doctor_server.server),
    ("limits", doctor_server.limits),
    ("certificate", doctor_server.certificate),
    ("keys", doctor_ledger.keys),
    ("witnesses", doctor_ledger.witnesses),
    ("time stamps", doctor_ledger.time_stamps),
    ("backups", doctor_kept.backups),
    ("re-reading", doctor_kept.rereading),
    ("spool", doctor_kept.spool),
)
STEP_S: Final = 0.5
"""So far two clocks of one machine may part while one command runs."""
_UNREADABLE: Final = (
    CounterfoilError,
    OSError,
    sqlite3.Error,
    ValueError,
    TypeError,
    OverflowError,
)
"""What a file or a cell of another kind than ours can end in; a check that fails is a finding."""
_LOOK: Final = "look at what it names, then run doctor again"


def doctor(directory: Path, clock: Clock) -> Diagnosis:
    """Look at everything.

    Args:
        directory: a ledger, served or not.
        clock: tells the time.

    Raises:
        RequestError: `dir_missing`, `not_a_ledger`.

    Cost: under a second, and up to some seconds more where a witness or the server does not answer.
    """
    require_ledger(directory)
    directory = directory.resolve()
    began, began_s = clock.now(), time.monotonic()
    lines: list[Line] = []
    config, logs = Config(), list[Log]()
    try:
        config = read_config(directory)
    except CounterfoilError as error:
        lines.append(Line("settings", "fail", error.message, "defaults were looked at instead"))
    try:
        logs = read_logs(directory, began - timedelta(days=7))
    except _UNREADABLE as error:
        todo = "keep the directory, and run counterfoil verify on it"
        lines.append(Line("ledger.db", "fail", f"cannot be read: {_of(error)}", todo))
    case = Case(directory, config, began, logs, read_serving(directory))
    for name, check in CHECKS:
        lines += _looked(name, check, case)
    spent_s = time.monotonic() - began_s
    apart_s = (clock.now() - began).total_seconds() - spent_s
    if abs(apart_s) > STEP_S:
        what = f"it was set by {apart_s:+.1f} s while this ran"
        lines.append(
            Line("clock", "warn", what, "see who sets it: two programs, or a virtual host")
        )
    return Diagnosis(str(directory), lines, spent_s)


def _looked(name: str, check: Check, case: Case) -> list[Line]:
    """Return what a check says; one that cannot look says that, and the others go on."""
    try:
        return list(check(case))
    except _UNREADABLE as error:
        return [Line(name, "fail", f"cannot be looked at: {_of(error)}", _LOOK)]


def _of(error: Exception) -> str:
    return error.message if isinstance(error, CounterfoilError) else f"{error}"
