"""What of the logs is shown to others, and who outside vouches for it.

The truth and the pages do without any of this: a ledger without witnesses records and proves all
the same.  It is wired here, beside `home`, which opens and closes it.
"""

import contextlib
import logging
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from counterfoil.app.aggregate import Aggregate, make_store
from counterfoil.app.asking import Alarm
from counterfoil.app.config import Config
from counterfoil.app.record import SERVER, Recorder
from counterfoil.app.refusals import SOURCE
from counterfoil.app.reserved import base_of, read_signer
from counterfoil.app.witnesses import WitnessedLog, Witnesses
from counterfoil.clock import Clock, format_time
from counterfoil.errors import CounterfoilError, EvidenceError, RequestError, UnavailableError
from counterfoil.events.event import make_event
from counterfoil.ids import Randomness
from counterfoil.ledger.append import Ledger
from counterfoil.ledger.store import LogReads
from counterfoil.stores.files import PublicFiles
from counterfoil.stores.state import State
from counterfoil.verifier.aggregate import AGGREGATE

if TYPE_CHECKING:
    from counterfoil.app.timestamps import Timestamps

_log = logging.getLogger(__name__)

STAMP_AGAIN_S = 300
STAMPS = "timestamps"
ALARM_TYPE = "dev.cdeventsx.counterfoil-witness.alarmed.0.1.0"


class Outside:
    """Checkpoints with cosignatures, receipts under them, and the aggregate log.

    Args:
        config: names the witnesses.
        public: where checkpoints are published.
        state: where cosigned checkpoints are kept.
        clock: tells the time.
        randomness: spreads what is asked again.
    """

    _directory: Path
    _ledger: Ledger
    _recorder: Recorder

    def __init__(
        self,
        config: Config,
        public: PublicFiles,
        state: State,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._config = config
        self._public = public
        self._clock = clock
        self._randomness = randomness
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._sources: list[WitnessedLog] = []
        self.aggregate: Aggregate | None = None
        self.aggregate_problem = ""
        self._timestamps: Timestamps | None = None
        self._stamp_due_s = 0.0
        self.witnesses = Witnesses(
            config.witness,
            public=public,
            state=state,
            clock=clock,
            randomness=randomness,
            on_alarm=self._alarmed,
        )

    def open(self, directory: Path, ledger: Ledger, log: LogReads, recorder: Recorder) -> None:
        """Show the logs of an opened ledger from here on.

        An aggregate log that does not hold is said to be so and left alone: it must not keep
        the ledger from recording.

        Raises:
            UnavailableError: `storage`.
        """
        self._directory, self._ledger, self._recorder = directory, ledger, recorder
        infos = log.projects()
        self._sources = [_witnessed(info.project, ledger, log) for info in infos]
        if self._config.timestamp.url:
            # It loads X.509 and ASN.1, which nobody else waits for at start.
            from counterfoil.app.timestamps import Timestamps  # noqa: PLC0415  35 ms

            self._timestamps = Timestamps(directory, self._config.timestamp.url)
        keys = directory / self._config.keys.directory
        try:
            make_store(directory, keys)
            signer = read_signer(keys, AGGREGATE, base_of(infos), self._randomness)
            self.aggregate = Aggregate(directory, signer, self._public, self._clock)
        except CounterfoilError as error:
            self._aggregate_failed(error)
        shown = list(self._sources)
        if self.aggregate is not None:
            shown.append(_witnessed(AGGREGATE, self.aggregate.ledger, self.aggregate.store))
        self.witnesses.start(shown)
        if self.aggregate is not None:
            self._thread = threading.Thread(
                target=self._keep_aggregating, name="counterfoil-aggregate", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Write down what the logs ended with, and ask nobody any more; after the ledger closed."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self.aggregate is not None:
            self._aggregate_once(self.aggregate)
            self.aggregate.close()
        self.witnesses.close()

    def log_of(self, project: str) -> Ledger:
        """Return the ledger whose checkpoints and tiles are those of a log, `_aggregate` included.

        Raises:
            RequestError: `project_unknown`: there is no aggregate log.
        """
        if project != AGGREGATE:
            return self._ledger
        if self.aggregate is None:
            raise RequestError("project_unknown", "this ledger has no aggregate log")
        return self.aggregate.ledger

    def publish(self) -> None:
        """Publish every log as it is by now, the aggregate log last; durable on return.

        Raises:
            UnavailableError: `storage`, `read_only`.
            EvidenceError: a log is frozen.
        """
        self._ledger.export_now()
        if self.aggregate is not None:
            self._write_aggregate(self.aggregate)
            self.aggregate.ledger.export_now()

    def _keep_aggregating(self) -> None:
        assert self.aggregate is not None, "the thread is started with one"
        while not self._ended.wait(self._config.aggregate.interval_s):
            self._aggregate_once(self.aggregate)

    def _aggregate_once(self, aggregate: Aggregate) -> None:
        if self._write_aggregate(aggregate):
            try:
                self._stamp()
            except CounterfoilError as error:
                self._aggregate_failed(error)

    def _write_aggregate(self, aggregate: Aggregate) -> bool:
        try:
            aggregate.write(self._sources)
        except CounterfoilError as error:
            self._aggregate_failed(error)
            return False
        self.aggregate_problem = ""
        return True

    def _stamp(self) -> None:
        """Have the aggregate's published checkpoint stamped with a time, once an interval."""
        now_s = time.monotonic()
        if self._timestamps is None or now_s < self._stamp_due_s:
            return
        note = self._public.published(AGGREGATE)
        if note is None:
            return
        self._stamp_due_s = now_s + self._config.timestamp.interval_s
        try:
            self._timestamps.stamp(note)
        except UnavailableError as error:
            self._stamp_due_s = now_s + min(STAMP_AGAIN_S, self._config.timestamp.interval_s)
            _log.warning("no time stamp: %s", error)

    def _aggregate_failed(self, error: CounterfoilError) -> None:
        self.aggregate_problem = error.message
        level = logging.CRITICAL if isinstance(error, EvidenceError) else logging.WARNING
        _log.log(level, "the aggregate log: %s", error)

    @property
    def stamps(self) -> bool:
        """Whether an authority is asked for time stamps at all."""
        return bool(self._config.timestamp.url)

    def stamped(self) -> tuple[int, datetime] | None:
        """Return the aggregate log's size under its latest time stamp, and when that was kept.

        Cost: a listing of `timestamps/`, which gets a file an hour while logs grow.
        """
        sizes = [
            int(one.stem)
            for one in (self._directory / STAMPS).glob("*.tsr")
            if one.stem.isdecimal()
        ]
        if not sizes:
            return None
        kept = (self._directory / STAMPS / f"{max(sizes)}.tsr").stat().st_mtime
        return max(sizes), datetime.fromtimestamp(kept, UTC)

    def checkpoint(self, project: str) -> bytes:
        """Return the checkpoint to show: where witnesses are asked, the published one.

        It is at most a few seconds behind the newest, and carries their cosignatures.

        Raises:
            RequestError: `project_unknown`.
            UnavailableError: `storage`.
        """
        newest = self.log_of(project).checkpoint(project)
        published = self._public.published(project) if self.witnesses.configured else None
        return newest if published is None else published

    def receipt(self, project: str, index: int) -> bytes:
        """Return the receipt of an entry under the checkpoint that most witnesses cosigned.

        Raises:
            RequestError: `not_found`.
            EvidenceError: `missing`, `tile`, `proof`: storage does not lead to the root.
        """
        best = self.witnesses.best_for(project, index)
        return self._ledger.receipt(project, index, (best.head, best.note) if best else None)

    def checkpoint_for(self, project: str, index: int) -> bytes:
        """Return the checkpoint to prove entries up to `index` under: that by most witnesses.

        Where witnesses are asked and none has cosigned that far, they are asked once more first;
        who does not answer within a moment is left out.
        """
        best = self.witnesses.best_for(project, index)
        if best is None and self.witnesses.configured:
            with contextlib.suppress(CounterfoilError):
                self._ledger.export_now()
            best = self.witnesses.best_for(project, index)
        return self._ledger.checkpoint(project) if best is None else best.note

    def _alarmed(self, project: str, witness: str, alarm: Alarm, size: int) -> None:
        """Put an alarm on record, in the log it is about; the aggregate log holds no events."""
        where = self._sources[0].project if project == AGGREGATE else project
        now = format_time(self._clock.now())
        event = make_event(
            type=ALARM_TYPE,
            source=SOURCE,
            id=f"alarm/{now}/{project}/{witness}/{alarm.kind}",
            time=now,
            authtype="system",
            authid="counterfoil",
            data={
                "witness": witness,
                "kind": alarm.kind,
                "log": project,
                "size": size,
                "held_size": alarm.held_size,
                "why": alarm.why,
            },
        )
        # The page and the program's output say it whether or not the log still takes entries.
        with contextlib.suppress(CounterfoilError):
            self._recorder.record(where, [event], SERVER, "server")


def _witnessed(project: str, ledger: Ledger, log: LogReads) -> WitnessedLog:
    return WitnessedLog(
        project,
        ledger.vkey(project).name,
        lambda: ledger.signing(project).trust,
        lambda: ledger.signing(project).handovers,
        lambda: ledger.checkpoint(project),
        lambda level, n: log.tile(project, level, n),
    )
