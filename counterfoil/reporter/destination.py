"""Where a run's records go: a spool, and from there to whoever answers for them.

With `COUNTERFOIL_URL` a thread sends what the spool holds while the tests run.  With
`COUNTERFOIL_DIR` the server of that ledger watches the spool.  Otherwise the spool waits for
`counterfoil push`.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from counterfoil.client.spool import Header
from counterfoil.errors import CounterfoilError, RequestError

PERIOD_S: Final = 0.5
PERIOD_MAX_S: Final = 8.0
END_WAIT_S: Final = 3.0
POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where records go.

    Attributes:
        folder: the spool.
        url: the server they are sent to, or "".
        environ: where the token for it is found: as it was when the run began, whatever the tests
            do to theirs.
        directory: the ledger whose server watches `folder`, or None.
        project: the log they are for.
        origin: that log's origin, if it can be known here.
    """

    folder: Path
    url: str
    environ: Mapping[str, str] = field(repr=False)  # secrets stand there
    directory: Path | None
    project: str
    origin: str | None

    @property
    def push_command(self) -> str:
        """What to type to send what waits."""
        if self.url:
            return f"counterfoil push --spool {self.folder}"
        if self.directory is not None:
            return f"counterfoil push --dir {self.directory}"
        return f"counterfoil push --spool {self.folder} --url URL"

    def page(self, run: str) -> str:
        """Return the address of a run's page, "" where no server is known."""
        address = self.url
        if self.directory is not None:
            try:
                served = json.loads((self.directory / "server.json").read_bytes())
                address = str(served["public_url"])
            except (OSError, ValueError, LookupError, TypeError):
                address = ""
        if not address:
            return ""
        query = {"ref": run} if self.project == "default" else {"ref": run, "project": self.project}
        return f"{address.rstrip('/')}/run?{urlencode(query, safe=':/')}"


def find_destination(environ: Mapping[str, str], here: Path) -> Destination:
    """Read it from the environment.

    Raises:
        RequestError: `usage` if COUNTERFOIL_URL is no http(s) address.
    """
    url = environ.get("COUNTERFOIL_URL", "")
    given = environ.get("COUNTERFOIL_DIR", "")
    if url and not url.startswith(("http://", "https://")):
        raise RequestError("usage", f"COUNTERFOIL_URL is {url[:100]!r}: no http(s) address")
    directory = Path(given).absolute() if given and not url else None
    project = environ.get("COUNTERFOIL_PROJECT") or "default"
    folder = directory / "spool" if directory is not None else _project_folder(here) / "spool"
    return Destination(
        folder=folder, url=url, environ=dict(environ), directory=directory,
        project=project, origin=_origin(directory, project),
    )  # fmt: skip


def prepare(destination: Destination) -> None:
    """Make the project's own folder invisible to git, so that recording makes no tree dirty."""
    folder = destination.folder.parent
    if destination.directory is None:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            ignore = folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", "utf-8")


@dataclass(frozen=True, slots=True)
class Standing:
    """How the records of a run stand: answered for, waiting in the spool, refused."""

    waiting: int
    refused: int


def standing(folder: Path, prefix: str) -> Standing:
    """Count what waits in the spools whose names begin with `prefix`; an absent one is done."""
    waiting = 0
    for path in folder.glob(f"{prefix}*.spool"):
        offset = 0
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            sent = json.loads(path.with_suffix(".sent").read_bytes())
            offset = int(sent["offset"])
        with contextlib.suppress(OSError):
            waiting += _events_behind(path, offset)
    refused = sum(1 for _ in (folder / "refused").glob(f"{prefix}*.json"))
    return Standing(waiting, refused)


class Uploader:
    """A thread that sends what is in the spool, again and again, and harms nobody by failing."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._wake = threading.Event()
        self._ending = False
        self.problem = ""
        self.unkept = ""
        self._thread = threading.Thread(target=self._run, name="counterfoil-upload", daemon=True)
        self._thread.start()

    def finish(self, give_up: float) -> None:
        """Send the rest, until `give_up` (monotonic) at most."""
        self._ending = True
        self._wake.set()
        self._thread.join(max(0.0, give_up - time.monotonic()))

    def _run(self) -> None:
        period_s = PERIOD_S
        while True:
            self._wake.wait(period_s)
            ending = self._ending
            try:
                self.problem = self._push()
            except Exception as error:  # noqa: BLE001  whatever happens here, the tests go on
                self.problem = f"{type(error).__name__}: {error}"
            if ending:
                return
            # A server that is away is asked less and less often.
            period_s = min(period_s * 2, PERIOD_MAX_S) if self.problem else PERIOD_S

    def _push(self) -> str:
        from counterfoil.client.bearer import bearer  # noqa: PLC0415  off the tests' thread
        from counterfoil.client.http import Client  # noqa: PLC0415  40 ms
        from counterfoil.client.push import push  # noqa: PLC0415  off the tests' thread
        from counterfoil.client.receipts import keep_here  # noqa: PLC0415  the same

        where = self._destination

        def deliver(events: Sequence[bytes], header: Header) -> Sequence[Mapping[str, Any]]:
            # Asked for every time: a job's session may end before its tests do.
            token = bearer(where.url, header.project, where.environ)
            client = Client(where.url, token, header.project, timeout_s=30.0)
            entries = client.post_batch(events)
            self.unkept = keep_here(entries, events, spool=where.folder)
            return entries

        try:
            result = push(where.folder, deliver)
        except CounterfoilError as error:
            return error.message
        if result.stopped is not None:
            return result.stopped.message
        return next((error.message for error in result.stuck.values()), "")


def _events_behind(path: Path, offset: int) -> int:
    """Count the events behind `offset`, without checking them: that is for whoever sends them."""
    with path.open("rb") as file:
        if offset:
            file.seek(offset)
        else:
            file.readline()
        # A mark is short, and nothing of ours is named like it.
        return sum(len(line) > 200 or b'"mark":"' not in line for line in file)


def wait_for_server(folder: Path, prefix: str, give_up: float) -> None:
    """Wait until a server that watches `folder` has taken everything, or until `give_up`."""
    while standing(folder, prefix).waiting and time.monotonic() < give_up:
        time.sleep(POLL_S)


def _project_folder(here: Path) -> Path:
    """Return `.counterfoil` of the project `here` is in: where there is one, or the repository."""
    for folder in (here, *here.parents):
        if (folder / ".counterfoil").exists() or (folder / ".git").exists():
            return folder / ".counterfoil"
    return here / ".counterfoil"


def _origin(directory: Path | None, project: str) -> str | None:
    """Return the origin of a ledger's log: the name of its key."""
    if directory is None or os.sep in project:
        return None
    try:
        return (directory / "keys" / f"{project}.vkey").read_text("utf-8").partition("+")[0] or None
    except (OSError, ValueError):
        return None
