"""The server's side of spools: what producers on this machine left in DIR/spool becomes entries.

Looked at every second.  Records keep their own time; the entry adds the time it was recorded.  A
file that is no good spool is named in the log once and left alone until it changes: what it is
can be found out, and nothing of it may stop the others or the server.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from counterfoil.app.record import LOCAL, Recorder
from counterfoil.client.push import Deliver, PushResult, push
from counterfoil.client.spool import SUFFIX, Header, check_origin
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.events import canonical
from counterfoil.events.event import parse_event
from counterfoil.ledger.store import LogReads

_log = logging.getLogger(__name__)

VIAS = frozenset({"cli", "pytest"})

# A file as it was when it was found to be bad: name, size, time of the last change.
_Seen = tuple[str, int, int]


def deliver_into(
    recorder: Recorder, log: LogReads, is_stopping: Callable[[], bool] = lambda: False
) -> Deliver:
    """Return what takes the batches of a spool into this ledger, until it is to stop.

    A RequestError without `position` is about the spool, not about a record of it.
    """

    def deliver(payloads: Sequence[bytes], header: Header) -> list[dict[str, Any]]:
        if is_stopping():
            raise UnavailableError("stopping", "the ledger is being closed; spools keep the rest")
        if header.via not in VIAS:
            raise RequestError(
                "spool_invalid", f"no producer of ours writes spools via {header.via[:40]!a}"
            )
        for info in log.projects():
            if info.project == header.project:
                check_origin(header, info.origin)
        events = []
        for position, payload in enumerate(payloads):
            try:
                events.append(parse_event(canonical.read(payload, "the record")))
            except RequestError as error:
                error.facts["position"] = position
                raise
        answers = recorder.record(header.project, events, LOCAL, header.via)
        return [{"index": answer.index, "status": answer.status} for answer in answers]

    return deliver


class SpoolWatch:
    """Takes in what is in one folder, as often as it is told to look."""

    def __init__(self, folder: Path, deliver: Deliver) -> None:
        self._folder = folder
        self._deliver = deliver
        self._bad: dict[str, _Seen] = {}

    @property
    def left_alone(self) -> tuple[str, ...]:
        """The names of the files that were found to be bad, as long as they are there."""
        return tuple(sorted(self._bad))

    def look(self) -> PushResult | None:
        """Take in what is there; None if somebody else is sending it at this moment."""
        present = {path.name: path for path in self._folder.glob("*" + SUFFIX)}
        if not present:
            self._bad.clear()
            return None
        seen = {name: _seen(path) for name, path in present.items()}
        self._bad = {name: was for name, was in self._bad.items() if seen.get(name) == was}
        try:
            result = push(self._folder, self._deliver, skip=self._bad)
        except UnavailableError:
            return None  # `push` has it, or the disk takes no writes: looked at again in a second
        for name, why in result.torn.items():
            self._leave(name, why)
        for name, error in result.stuck.items():
            self._leave(name, error.code)
        for one in result.refused:
            # Without its words: they may quote the record.
            _log.warning("%s: a spooled record was refused: %s", one.file, one.code)
        return result

    def _leave(self, name: str, why: str) -> None:
        self._bad[name] = _seen(self._folder / name)
        _log.warning("spool %s is left alone: %s", name, why)


def _seen(path: Path) -> _Seen:
    try:
        found = path.stat()
    except OSError:
        return (path.name, -1, -1)
    return (path.name, found.st_size, found.st_mtime_ns)
