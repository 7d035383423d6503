"""What `/metrics` says of each log: how far every stage has come, when, and what is wrong.

Lags are not given: `committed` less any other stage is one, and a sum over logs stays a sum.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from counterfoil.app.answers import WitnessStatus
from counterfoil.app.home import Home
from counterfoil.app.standing import STAGES, Standing
from counterfoil.clock import parse_time


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure.

    Attributes:
        name: of its family, without `counterfoil_`.
        help: one line; of the first sample of a family.
        value: the figure; None where nobody knows it: then there is no sample.
        labels: by name; the same names for every sample of a family.
    """

    name: str
    help: str
    value: float | None
    labels: Mapping[str, str] = field(default_factory=dict)


def log_figures(home: Home, found: Iterable[Standing]) -> Iterator[Sample]:
    """Return the figures of logs."""
    standings = list(found)
    for one in standings:
        yield from _stages(one)
    for one in standings:
        yield from _troubles(one)
    for one in standings:
        for witness in one.witnesses or (None,):
            yield from _witness(one.log, witness)
    yield from _reread(home, standings)
    doubts = [one.clock for one in standings if one.clock]
    yield Sample("clock_doubtful", "1 while the clock does not go with what was recorded.",
                 bool(doubts))  # fmt: skip
    yield Sample("erasing_unfinished", "1 while an erasure on record is not carried out.",
                 bool(home.eraser.undone))  # fmt: skip
    due = home.retention.next_run()
    yield Sample("retention_due_timestamp_seconds", "When rules of retention are looked at next.",
                 None if due is None else due.timestamp())  # fmt: skip
    yield Sample("aggregate_failing", "1 while the aggregate log does not go on.",
                 bool(home.outside.aggregate_problem))  # fmt: skip


def _stages(one: Standing) -> Iterator[Sample]:
    for stage in STAGES:
        reach = one.reaches.get(stage)
        labels = {"log": one.log, "stage": stage}
        yield Sample("log_entries", "Entries of a log that a stage covers.",
                     None if reach is None else reach.size, labels)  # fmt: skip
        at = reach.at if reach is not None else None
        yield Sample("log_reached_timestamp_seconds", "When a stage came so far.",
                     None if at is None else at.timestamp(), labels)  # fmt: skip


def _troubles(one: Standing) -> Iterator[Sample]:
    log = {"log": one.log}
    yield Sample("log_stopped", "1 while a log takes no entries.", bool(one.stopped), log)
    yield Sample("log_export_failing", "1 while a log cannot be exported.",
                 bool(one.export_failed), log)  # fmt: skip
    yield Sample("log_rows_stopped", "1 while the rows of pages do not follow a log.",
                 bool(one.rows_stopped), log)  # fmt: skip
    yield Sample("log_damaged_places", "Places of a log that are not what was recorded.",
                 len(one.damages), log)  # fmt: skip


def _witness(log: str, one: WitnessStatus | None) -> Iterator[Sample]:
    """Return the figures of a witness; names alone where there is none."""
    labels = {"log": log, "witness": "" if one is None else one.name}
    at = None if one is None else one.cosigned_at
    yield Sample("witness_entries", "Entries of a log that a witness cosigned.",
                 None if one is None else one.size, labels)  # fmt: skip
    yield Sample("witness_cosigned_timestamp_seconds", "When a witness cosigned a log last.",
                 None if at is None else at.timestamp(), labels)  # fmt: skip
    yield Sample("witness_failing", "1 while a witness gives no cosignature.",
                 None if one is None else bool(one.problem), labels)  # fmt: skip
    yield Sample("witness_alarm", "1 while a witness knows another history.",
                 None if one is None else bool(one.alarm), labels)  # fmt: skip


def _reread(home: Home, standings: Iterable[Standing]) -> Iterator[Sample]:
    for one in standings:
        yield Sample("reread_entries", "Entries read again in the running pass.",
                     one.reread, {"log": one.log})  # fmt: skip
        told = home.scrub.reread(one.log)
        ended = told.ended if told is not None else ""
        yield Sample("reread_timestamp_seconds", "When a log was read through again last.",
                     parse_time(ended).timestamp() if ended else None, {"log": one.log})  # fmt: skip
