"""`admin doctor`, what is kept elsewhere or not taken in yet: backups, re-reading, the spool."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from counterfoil.app.doctor_case import Case, read_state
from counterfoil.app.doctor_report import Line
from counterfoil.client.push import REFUSED
from counterfoil.client.spool import SUFFIX

DAY_S: Final = 86_400.0
BACKUP_LATE_S: Final = 1.5 * DAY_S
"""A night that was missed shows the next day."""
BACKUP_LOST_S: Final = 7 * DAY_S
DRILL_LATE_S: Final = 40 * DAY_S
REREAD_LATE_S: Final = 30 * DAY_S
SPOOL_LATE_S: Final = 600.0
_MILESTONES: Final = "SELECT what, project, size, at FROM milestones"
_PLACES: Final = "SELECT log, ended FROM scrub_places"
_DAMAGES: Final = "SELECT place, why FROM scrub_damages ORDER BY place"
_TO_BACKUP: Final = "counterfoil admin backup DEST, and a timer for it (docs/how-to/install.md, 6)"
_TO_DRILL: Final = "counterfoil admin drill BACKUP (docs/how-to/backup.md)"
_TO_READ: Final = "counterfoil fsck --full reads everything now"


def backups(case: Case) -> Iterator[Line]:
    """When each log was backed up last, and a backup restored; logs with no entry need neither."""
    done = {
        (what, project): (size, at)
        for what, project, size, at in read_state(case.directory, _MILESTONES)
    }
    grown = [log for log in case.logs if log.size]
    if not grown:
        yield Line("backups", "ok", "nothing is recorded yet")
        return
    taken = [done.get(("backed_up", log.project)) for log in grown]
    if None in taken:
        names = ", ".join(log.project for log, at in zip(grown, taken, strict=True) if at is None)
        yield Line("backups", "warn", f"no backup was ever taken of {names}", _TO_BACKUP)
    for log, found in zip(grown, taken, strict=True):
        if found is None:
            continue
        size, at = found
        age_s = case.age_s(at)
        said = f"{log.project} up to {size:,} of {log.size:,}, {_ago(age_s)}"
        lacks = size < log.size
        if lacks and age_s > BACKUP_LOST_S:
            yield Line("backups", "fail", said, _TO_BACKUP)
        elif lacks and age_s > BACKUP_LATE_S:
            yield Line("backups", "warn", said, "see: systemctl status counterfoil-backup")
        else:
            yield Line("backups", "ok", said)
    drilled = [at for (what, _), (_, at) in done.items() if what == "drilled"]
    if not drilled:
        yield Line(
            "backups", "warn", "no backup was ever restored to see whether it can be", _TO_DRILL
        )
    else:
        age_s = case.age_s(max(drilled))
        said = f"the last drill was {_ago(age_s)}"
        late = age_s > DRILL_LATE_S
        yield Line("backups", "warn" if late else "ok", said, _TO_DRILL if late else "")


def rereading(case: Case) -> Iterator[Line]:
    """What the scrubber found, and when all of a log was read again last."""
    for place, why in read_state(case.directory, _DAMAGES):
        yield Line("re-reading", "fail", f"{place}: {why}", "keep it, and see docs/how-to/fsck.md")
    if case.config.scrub.share_percent == 0:
        yield Line("re-reading", "warn", "the settings turn it off", "scrub.share_percent = 5")
        return
    ended = dict(read_state(case.directory, _PLACES))
    for what, project, _, at in read_state(case.directory, _MILESTONES):
        if what == "verified":  # by whatever read all of it: fsck --full too
            ended[project] = max(ended.get(project, ""), at)
    for log in case.logs:
        if not log.size:
            continue
        last = ended.get(log.project, "")
        # Before its first pass nothing can be late that was not there so long ago.
        age_s = case.age_s(last or log.first)
        when = _ago(age_s) if last else "not yet"
        said = f"{log.project} was read through: {when}"
        if age_s > REREAD_LATE_S:
            yield Line("re-reading", "warn", said, _TO_READ)
        else:
            yield Line("re-reading", "ok", said)


def spool(case: Case) -> Iterator[Line]:
    """What producers on this machine left that is not in the log yet, or was refused."""
    folder = case.directory / "spool"
    waiting = []
    for path in folder.glob(f"*{SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):  # taken in at this moment
            waiting.append(path.stat().st_mtime)
    refused = _files_in(folder / REFUSED)
    if refused:
        yield Line("spool", "warn", f"{refused} refused records are kept in {folder / REFUSED}",
                   "read why beside each, send what can be corrected, remove the rest")  # fmt: skip
    if not waiting:
        yield Line("spool", "ok", "nothing waits")
        return
    age_s = max(0.0, case.now.timestamp() - min(waiting))
    said = f"{len(waiting)} files wait, the oldest for {age_s / 60:.0f} minutes"
    if age_s > SPOOL_LATE_S:
        todo = "see the server's log" if case.serving else "counterfoil push, or start the server"
        yield Line("spool", "warn", said, todo)
    else:
        yield Line("spool", "ok", said)


def _ago(age_s: float) -> str:
    return f"{age_s / 3600:.0f} h ago" if age_s <= 2 * DAY_S else f"{age_s / DAY_S:.0f} days ago"


def _files_in(folder: Path) -> int:
    return sum(1 for path in folder.glob("*") if path.is_file())
