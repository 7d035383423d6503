"""What of the logs is shown to others, and who outside vouches for it.

The truth and the pages do without any of this: a ledger without witnesses records and proves all
the same.  It is wired here, beside `home`, which opens and closes it.
"""

import contextlib

from counterfoil.app.asking import Alarm
from counterfoil.app.config import Config
from counterfoil.app.record import SERVER, Recorder
from counterfoil.app.refusals import SOURCE
from counterfoil.app.witnesses import WitnessedLog, Witnesses
from counterfoil.clock import Clock, format_time
from counterfoil.errors import CounterfoilError
from counterfoil.events.event import make_event
from counterfoil.ids import Randomness
from counterfoil.ledger.append import Ledger
from counterfoil.ledger.receipt import build_receipt
from counterfoil.ledger.store import LogReads
from counterfoil.stores.files import PublicFiles
from counterfoil.stores.state import State
from counterfoil.tlog.tile import node_from_tiles

ALARM_TYPE = "dev.cdeventsx.counterfoil-witness.alarmed.0.1.0"


class Outside:
    """Checkpoints with cosignatures, and receipts under them.

    Args:
        config: names the witnesses.
        public: where checkpoints are published.
        state: where cosigned checkpoints are kept.
        clock: tells the time.
        randomness: spreads what is asked again.
    """

    _ledger: Ledger
    _log: LogReads
    _recorder: Recorder

    def __init__(
        self,
        config: Config,
        public: PublicFiles,
        state: State,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._public = public
        self._clock = clock
        self.witnesses = Witnesses(
            config.witness,
            public=public,
            state=state,
            clock=clock,
            randomness=randomness,
            on_alarm=self._alarmed,
        )

    def open(self, ledger: Ledger, log: LogReads, recorder: Recorder) -> None:
        """Show the logs of an opened ledger from here on.

        Raises:
            UnavailableError: `storage`.
        """
        self._ledger, self._log, self._recorder = ledger, log, recorder
        self.witnesses.start([self._witnessed(info.project) for info in log.projects()])

    def close(self) -> None:
        """Ask nobody any more; after the ledger is closed."""
        self.witnesses.close()

    def checkpoint(self, project: str) -> bytes:
        """Return the checkpoint to show: where witnesses are asked, the published one.

        It is at most a few seconds behind the newest, and carries their cosignatures.

        Raises:
            RequestError: `project_unknown`.
            UnavailableError: `storage`.
        """
        newest = self._ledger.checkpoint(project)
        published = self._public.published(project) if self.witnesses.configured else None
        return newest if published is None else published

    def receipt(self, project: str, index: int) -> bytes:
        """Return the receipt of an entry under the checkpoint that most witnesses cosigned.

        Raises:
            RequestError: `not_found`.
            EvidenceError: `missing`, `tile`, `proof`: storage does not lead to the root.
        """
        best = self.witnesses.best_for(project, index) if index >= 0 else None
        if best is None:
            return self._ledger.receipt(project, index)
        [entry] = self._log.entries(project, index, index + 1)
        node = node_from_tiles(lambda level, n: self._log.tile(project, level, n))
        return build_receipt(index, entry, best.head, best.note, node)

    def _witnessed(self, project: str) -> WitnessedLog:
        return WitnessedLog(
            project,
            self._ledger.vkey(project),
            lambda: self._ledger.checkpoint(project),
            lambda level, n: self._log.tile(project, level, n),
        )

    def _alarmed(self, project: str, witness: str, alarm: Alarm, size: int) -> None:
        """Put an alarm on record, in the log it is about."""
        now = format_time(self._clock.now())
        event = make_event(
            type=ALARM_TYPE,
            source=SOURCE,
            id=f"alarm/{now}/{witness}/{alarm.kind}",
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
            self._recorder.record(project, [event], SERVER, "server")
