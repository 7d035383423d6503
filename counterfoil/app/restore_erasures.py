"""Erasures that came after a backup, done again in the ledger that goes on from it.

A backup holds what was erased after it, and the events that say so are not in it.  Whoever has
them says them: a later ledger, whole or not, or only its `ledger.db`; or a file of one JSON object
a line, with `project`, `parts` and `subject` as an `erasure.performed` event has them, and
`request_id`.  Each is recorded and carried out as any erasure is.

What an erasure named of entries that are not in the backup is not here to be erased.

Source: docs/adr/0032, docs/adr/0034.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from counterfoil.app.backup_manifest import Manifest
from counterfoil.app.home import Home
from counterfoil.app.opening import open_body
from counterfoil.app.record import SERVER
from counterfoil.client.evidence_files import read_named
from counterfoil.clock import format_time
from counterfoil.errors import CounterfoilError, RequestError
from counterfoil.events import canonical
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import read_entry
from counterfoil.events.erasing import Part, is_erasing, read_data, read_erasing
from counterfoil.events.event import make_event
from counterfoil.events.kinds import OWN
from counterfoil.stores.sqlite import SqliteLogStore

SOURCE: Final = "urn:counterfoil:server"
TYPE: Final = f"{OWN}erasure.performed.0.1.0"
REASON: Final = "done after the backup this ledger goes on from, and done again"


class Again:
    """One erasure to be done again.

    Args:
        project: whose log.
        parts: what it named, as far as it is in the backup.
        subject: whose parts it covers; "" for nobody's.
        under: the request or rule it was done under.
    """

    def __init__(self, project: str, parts: tuple[Part, ...], subject: str, under: str) -> None:
        self.project = project
        self.parts = parts
        self.subject = subject
        self.under = under


def erasures_behind(named: Path, manifest: Manifest) -> list[Again]:
    """Return the erasures that came after a backup, in the order they came.

    Args:
        named: a ledger directory, its `ledger.db`, or a file of lines.
        manifest: of the backup.

    Raises:
        RequestError: `usage`: it is neither, or says nothing that could be followed;
            `not_a_ledger`.
        EvidenceError: `damaged`: a database or an event in it.
        UnavailableError: `storage`.
    """
    path = named / "ledger.db" if named.is_dir() else named
    if path.suffix == ".db":
        return list(_of_ledger(path, manifest))
    return list(_of_lines(path, manifest))


def erase_again(home: Home, erasures: list[Again]) -> int:
    """Record and carry out erasures; return how many there were."""
    for number, one in enumerate(erasures):
        data: dict[str, JSON] = {
            "parts": [
                {"ranges": [list(span) for span in part.ranges], "names": list(part.names)}
                for part in one.parts
            ],
            "reason": REASON,
            "request_id": one.under,
        }
        if one.subject:
            data["subject"] = one.subject
        now = format_time(home.clock.now())
        event = make_event(
            type=TYPE,
            source=SOURCE,
            id=f"erased-again/{home.randomness.token(8).hex()}/{number}",
            time=now,
            authtype="system",
            authid="counterfoil",
            data=data,
        )
        home.eraser.carry_out(one.project, event, SERVER)
    return len(erasures)


def _of_ledger(path: Path, manifest: Manifest) -> Iterator[Again]:
    store = SqliteLogStore(path, write=False)
    try:
        origins = {info.origin: info.project for info in store.projects()}
        for log in manifest.logs:
            project = origins.get(log.origin)
            if project is None:
                raise RequestError("usage", f"{path} has no log {log.origin}: name a later one")
            size = store.head(project).size
            for index in store.erasing.events(project, log.size, size):
                [kept] = store.kept(project, index, index + 1)
                entry = read_entry(kept.entry)
                body = open_body(entry, kept, None) if is_erasing(entry) else None
                if body is not None:
                    found = read_erasing(index, entry, body)
                    under = found.under
                    yield Again(log.project, _within(found.parts, log.size), found.subject, under)
    finally:
        store.close()


def _of_lines(path: Path, manifest: Manifest) -> Iterator[Again]:
    for number, line in enumerate(read_named(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            said = canonical.read(line, f"line {number}")
            if not isinstance(said, Mapping):
                raise RequestError("usage", "it is no JSON object")
            parts, subject = read_data(said)
            log = manifest.log(str(said.get("project", "")))
            if log is None:
                raise RequestError("usage", "its `project` is none of the backup")
            under = said.get("request_id")
            if not isinstance(under, str) or not under:
                raise RequestError("usage", "it has no `request_id`")
        except CounterfoilError as error:
            raise RequestError(
                "usage", f"{path} line {number} is no erasure: {error.message}"
            ) from error
        yield Again(log.project, _within(parts, log.size), subject, under)


def _within(parts: tuple[Part, ...], size: int) -> tuple[Part, ...]:
    """Return what parts name below a size."""
    kept = []
    for part in parts:
        ranges = tuple((first, min(last, size - 1)) for first, last in part.ranges if first < size)
        if ranges:
            kept.append(Part(ranges, part.names))
    return tuple(kept)
