"""Which ledger a verb talks to: a directory this process may open, or a server over HTTP.

`--dir DIR` opens the ledger itself when nobody holds its lock; when a server does, the verb goes
through that server (DIR/server.json says where, DIR/admin.token lets it in), so that the same
words work whether or not something is running.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from counterfoil.client.bearer import bearer
from counterfoil.client.http import Client
from counterfoil.errors import RequestError, UnavailableError
from counterfoil.events.event import Event


class Target(Protocol):
    """What verbs ask of a ledger, near or far.  Answers are the JSON of the HTTP API."""

    def record(self, events: Sequence[Event]) -> list[dict[str, Any]]:
        """Record one batch, all or nothing."""
        ...

    def report(self, content: bytes, query: Mapping[str, str]) -> dict[str, Any]:
        """Record one test report."""
        ...

    def put_blob(self, content: IO[bytes], digest: str, size_bytes: int) -> None:
        """Keep evidence bytes that hash to `digest`, read from an open file."""
        ...

    def act(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Do an action: one of `POST /v1/actions/NAME`."""
        ...

    def trace(self, ref: str, as_of: str) -> dict[str, Any]:
        """Return the trace of a ref."""
        ...

    def prove(self, what: str, as_of: str, *, with_people: bool) -> bytes:
        """Return the proof file of `entry:N` or a ref."""
        ...

    def search(self, query: str, as_of: str, cursor: str, limit: int) -> dict[str, Any]:
        """Return a part of what a query matches."""
        ...

    def search_everywhere(self, query: str, limit: int) -> dict[str, Any]:
        """Return what a query finds in every log."""
        ...

    def receipt(self, index: int, as_of: str) -> bytes:
        """Return the receipt of an entry that was recorded by `as_of`."""
        ...

    def receipt_of(self, source: str, event_id: str, as_of: str) -> tuple[int, bytes]:
        """Return the entry number and receipt of an event that was recorded by `as_of`."""
        ...


@contextlib.contextmanager
def open_target(directory: Path | None, url: str | None, project: str) -> Iterator[Target]:
    """Open what `--dir`, `--url` and the environment name; `--dir` wins.

    Raises:
        RequestError: `usage` when neither names a ledger; `dir_missing`, `not_a_ledger`.
        UnavailableError: `locked` when somebody holds the ledger and answers nowhere.
    """
    if directory is None:
        if not url:
            raise RequestError(
                "usage", "which ledger? give --dir DIR, or --url URL with COUNTERFOIL_TOKEN"
            )
        yield Client(url, bearer(url, project, os.environ), project)
        return
    # The ledger's own code stands behind [server]; a core install reaches servers only.
    from counterfoil.app import local  # noqa: PLC0415  heavy, and absent from a core install

    try:
        opened = local.open_local(directory, project)
    except UnavailableError as error:
        address = local.serving_address(directory)
        if error.code != "locked" or address is None:
            raise
        token = (directory / "admin.token").read_text("ascii").strip()
        certificate = local.serving_address(directory, "certificate") or ""
        yield Client(address, token, project, certificate=certificate)
        return
    with opened:
        yield opened
