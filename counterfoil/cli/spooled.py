"""What a verb leaves in DIR/spool when somebody holds the ledger and answers nowhere."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from counterfoil.client.spool import SpoolWriter
from counterfoil.client.step import machine_id
from counterfoil.clock import SystemClock
from counterfoil.errors import UnavailableError
from counterfoil.events.event import Event

# The ledger stands, and whoever has it does not answer now.
_NOBODY_ANSWERS = frozenset({"locked", "unreachable", "stopping"})


@contextlib.contextmanager
def spooling(directory: Path | None, project: str, event: Event) -> Iterator[None]:
    """Leave `event` in the spool of a directory if the block finds nobody to take it.

    Args:
        directory: a ledger directory; None keeps nothing.
        project: the log it is for.
        event: what the block records.

    Raises:
        UnavailableError: the block's own, saying where the event is kept.
    """
    try:
        yield
    except UnavailableError as error:
        if directory is None or error.code not in _NOBODY_ANSWERS:
            raise
        folder = directory / "spool"
        writer = SpoolWriter(
            folder, producer=machine_id(), boot=os.urandom(8).hex(), project=project, via="cli",
            clock=SystemClock(),
        )  # fmt: skip
        writer.append(event.canonical)
        writer.close()
        if writer.dropped:
            raise
        raise UnavailableError(
            error.code,
            f"{error.message}; the record is left in {folder}, send it with:"
            f" counterfoil push --dir {directory}",
            spooled=str(writer.path),
        ) from error
