"""A real ledger with a story in it, for tests of following and reading."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, parse_event
from counterfoil.events.registry import TYPES, server_only
from counterfoil.ids import SeededRandomness
from counterfoil.ledger.store import Kept, KeyStore, LogReads
from counterfoil.policy.access import Credential
from tests.projections.stories import whole
from tests.projections.trail import Told, event_of, told

PROJECT = "default"
RUN = "run:acme/shop/suite"
TIMEOUT_S = 30.0


@contextmanager
def desk(directory: Path, clock: SteppedClock | None = None) -> Iterator[Home]:
    """Make a ledger and open it."""
    create_home(directory, SeededRandomness("made"), origin="log.example/desk")
    with open_home(directory, clock or SteppedClock(), SeededRandomness("open")) as home:
        yield home


def record(
    home: Home, events: Sequence[Event], credential: Credential = LOCAL, via: str = "cli"
) -> int:
    """Record events, wait until the rows have them, and return the size of the log."""
    answers = home.recorder.record(PROJECT, events, credential, via)
    size = answers[-1].index + 1
    assert home.follower.wait_for(PROJECT, size, TIMEOUT_S), home.follower.stopped(PROJECT)
    return size


def examples() -> list[Event]:
    """Return the example of every type of event that somebody may send."""
    return [parse_event(one.example) for name, one in TYPES.items() if not server_only(name)]


def story() -> list[Event]:
    """Return the release without a gap."""
    return [event_of(one, place) for place, one in enumerate(whole().values())]


def suite(cases: int, start: int = 1_000) -> list[Event]:
    """Return a test run of many cases: every tenth fails and passes again."""
    steps: list[Told] = [told("ci", "testsuiterun.started", RUN)]
    for number in range(cases):
        outcomes = ["failure", "success"] if number % 10 == 0 else ["success"]
        for attempt, outcome in enumerate(outcomes, 1):
            custom: dict[str, JSON] = {"attempt": attempt, "final": attempt == len(outcomes)}
            step = told(
                "ci", "testcaserun.finished", f"test:t{number}", (RUN, "part-of"),
                outcome=outcome, custom=custom,
            )  # fmt: skip
            steps.append(step)
    steps.append(told("ci", "testsuiterun.finished", RUN, outcome="success"))
    return [event_of(one, start + place) for place, one in enumerate(steps)]


class Altered:
    """A log whose kept entries are not what was written: what somebody with the disk can do."""

    def __init__(self, log: LogReads, **instead: Any) -> None:
        self._log = log
        self._index = instead.pop("index")
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def kept(self, project: str, start: int, end: int) -> list[Kept]:
        """Return entries, one of them altered."""
        found = self._log.kept(project, start, end)
        return [self._alter(one) if one.index == self._index else one for one in found]

    def _alter(self, one: Kept) -> Kept:
        return msgspec.structs.replace(one, **self._instead)


class Forgetful:
    """A key store in which the keys of some entries and people are erased."""

    def __init__(self, keys: KeyStore, entries: set[int], people: set[str]) -> None:
        self._keys = keys
        self._entries = entries
        self._people = people

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keys, name)

    def event_key(self, project: str, index: int) -> bytes | None:
        """Return the key of an entry that is not erased."""
        return None if index in self._entries else self._keys.event_key(project, index)

    def event_keys(self, project: str, start: int, end: int) -> dict[int, bytes]:
        """Return the keys that are not erased."""
        found = self._keys.event_keys(project, start, end)
        return {index: key for index, key in found.items() if index not in self._entries}

    def person_by_pseudonym(self, pseudonym: str) -> Any:
        """Return a person who is not erased."""
        if pseudonym in self._people:
            return None
        return self._keys.person_by_pseudonym(pseudonym)
