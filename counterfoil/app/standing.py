"""How far every log has come: committed, exported, aggregated, witnessed, stamped, backed up, verified.

One answer for the health page, for `/readyz` and for `/metrics`, so that they never differ.  What
nobody has looked at yet is unknown and said to be so: unknown is never well.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from counterfoil.app.answers import WitnessStatus
from counterfoil.app.clock_check import doubt
from counterfoil.app.home import Home
from counterfoil.app.published import published
from counterfoil.app.scrub import Damage
from counterfoil.clock import parse_time
from counterfoil.errors import CounterfoilError
from counterfoil.events.entry import read_entry
from counterfoil.stores.state_milestones import Milestone
from counterfoil.tlog.witness import Refused
from counterfoil.verifier.aggregate import AGGREGATE

Stage = Literal[
    "committed", "exported", "rows", "aggregated", "witnessed", "stamped",
    "backed_up", "restored", "drilled", "verified",
]  # fmt: skip
STAGES: Final[tuple[Stage, ...]] = (
    "committed", "exported", "rows", "aggregated", "witnessed", "stamped",
    "backed_up", "restored", "drilled", "verified",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a stage has come.

    Attributes:
        size: entries it covers, from index 0.
        at: when it came so far; None where nobody noted that.
    """

    size: int
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How one log is doing.

    Attributes:
        log: its project, or `_aggregate`.
        reaches: stage -> how far; a stage is absent where nobody looked yet, and where nobody is
            asked to: no witness, no authority.
        stopped: why nothing more is recorded, one line; "" while it is.
        export_failed: why the last export broke off, or what it left does not stand; "" if it does.
        rows_stopped: why the rows do not follow; "" while they do.
        damages: what is damaged in it, as far as anybody has read.
        witnesses: how far each is.
        clock: what is odd about the clock beside its last entry; "" if nothing is.
        reread: entries read again in the running pass; None where nobody reads again.
    """

    log: str
    reaches: Mapping[Stage, Reach]
    stopped: str = ""
    export_failed: str = ""
    rows_stopped: str = ""
    damages: tuple[Damage, ...] = ()
    witnesses: tuple[WitnessStatus, ...] = ()
    clock: str = ""
    reread: int | None = None

    @property
    def has_rows(self) -> bool:
        """Whether it holds events, which are folded and aggregated."""
        return self.log != AGGREGATE

    def size(self, stage: Stage) -> int | None:
        """Return how many entries a stage covers; None where nobody looked."""
        found = self.reaches.get(stage)
        return None if found is None else found.size

    def lag(self, stage: Stage) -> int | None:
        """Return how many committed entries a stage lacks; None where nobody looked."""
        size, committed = self.size(stage), self.size("committed")
        return None if size is None or committed is None else max(0, committed - size)


@dataclass(slots=True)
class _Sizes:
    """What the aggregate log holds of each log: all of it, and its stamped part; by origin."""

    whole: Mapping[str, int] = field(default_factory=dict)
    stamped: Mapping[str, int] = field(default_factory=dict)
    stamped_at: datetime | None = None
    stamped_size: int | None = None


def standings(home: Home, logs: Iterable[str]) -> list[Standing]:
    """Return how these logs are doing, the aggregate log last.

    Args:
        home: whose logs.
        logs: projects of it.

    Cost: a few rows a log; nothing that grows with the log.

    Raises:
        UnavailableError: `storage`.
    """
    sizes = _sizes(home)
    done: dict[str, list[Milestone]] = {}
    for one in home.state.milestones.latest():
        done.setdefault(one.project, []).append(one)
    found = [_standing(home, log, sizes, done.get(log, ())) for log in logs]
    if home.outside.aggregate is not None:
        found.append(_of_aggregate(home, sizes, done.get(AGGREGATE, ())))
    return found


def _standing(home: Home, log: str, sizes: _Sizes, done: Iterable[Milestone]) -> Standing:
    status = home.ledger.status(log)
    public = published(home.directory, home.ledger, log)
    last = home.ledger.last_entry(log)
    recorded = read_entry(last).recordedtime if last else ""
    origin = home.ledger.vkey(log).name
    reaches: dict[Stage, Reach] = {
        "committed": Reach(status.size, parse_time(recorded) if recorded else None),
        "exported": Reach(public.size, _changed(home.directory, log)),
        "rows": Reach(home.follower.size(log)),
    }
    if home.outside.aggregate is not None:
        reaches["aggregated"] = Reach(sizes.whole.get(origin, 0))
    if sizes.stamped_size is not None:
        reaches["stamped"] = Reach(sizes.stamped.get(origin, 0), sizes.stamped_at)
    _add_others(home, log, reaches, done)
    reread = home.scrub.reread(log)
    return Standing(
        log=log,
        reaches=reaches,
        stopped=status.frozen or status.stopped,
        export_failed=status.export_failed or public.failed,
        rows_stopped=home.follower.stopped(log) or "",
        damages=tuple(one for one in home.scrub.damages() if one.log in {log, ""}),
        witnesses=tuple(home.outside.witnesses.statuses(log)),
        clock=doubt(home.clock.now(), recorded) if recorded else "",
        reread=None if reread is None else reread.size,
    )


def _of_aggregate(home: Home, sizes: _Sizes, done: Iterable[Milestone]) -> Standing:
    ledger = home.outside.log_of(AGGREGATE)
    status = ledger.status(AGGREGATE)
    public = published(home.directory, ledger, AGGREGATE)
    reaches: dict[Stage, Reach] = {
        "committed": Reach(status.size, status.committed_at),
        "exported": Reach(public.size, _changed(home.directory, AGGREGATE)),
    }
    if sizes.stamped_size is not None:
        reaches["stamped"] = Reach(sizes.stamped_size, sizes.stamped_at)
    _add_others(home, AGGREGATE, reaches, done)
    reread = home.scrub.reread(AGGREGATE)
    return Standing(
        log=AGGREGATE,
        reaches=reaches,
        stopped=status.frozen or status.stopped or home.outside.aggregate_problem,
        export_failed=status.export_failed or public.failed,
        damages=tuple(one for one in home.scrub.damages() if one.log == AGGREGATE),
        witnesses=tuple(home.outside.witnesses.statuses(AGGREGATE)),
        reread=None if reread is None else reread.size,
    )


def _add_others(
    home: Home, log: str, reaches: dict[Stage, Reach], done: Iterable[Milestone]
) -> None:
    """Add what witnesses hold, and what was done last to a log."""
    if home.outside.witnesses.configured:
        at = [one.cosigned_at for one in home.outside.witnesses.statuses(log) if one.cosigned_at]
        reaches["witnessed"] = Reach(home.outside.witnesses.size(log), max(at, default=None))
    for one in done:
        reaches[one.what] = Reach(one.size, parse_time(one.at))


def _sizes(home: Home) -> _Sizes:
    """Return what the aggregate log holds; nothing of it where it cannot be read."""
    aggregate = home.outside.aggregate
    sizes = _Sizes()
    if aggregate is None:
        return sizes
    origins = {home.ledger.vkey(info.project).name for info in home.log.projects()}
    try:
        sizes.whole = aggregate.sizes(origins, aggregate.ledger.status(AGGREGATE).size)
        stamped = home.outside.stamped()
        if stamped is not None:
            sizes.stamped_size, sizes.stamped_at = stamped
            sizes.stamped = aggregate.sizes(origins, stamped[0])
    except (CounterfoilError, Refused, OSError):
        # It is told elsewhere that this log does not hold; here its sizes are unknown.
        return _Sizes()
    return sizes


def _changed(directory: Path, log: str) -> datetime | None:
    """Return when the published checkpoint was written last."""
    try:
        changed_s = (directory / "public" / log / "checkpoint").stat().st_mtime
    except OSError:
        return None
    return datetime.fromtimestamp(changed_s, UTC)
