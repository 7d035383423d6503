"""A ledger in which things are old, for tests of rules and holds."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from counterfoil.app.actions import act
from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SteppedClock
from counterfoil.events.canonical import JSON
from counterfoil.events.event import make_event
from counterfoil.events.naming import BlobName
from counterfoil.ids import SeededRandomness
from tests.app.approving import do, people, person

PROJECT = "default"
_numbers = itertools.count()


@contextmanager
def keeping_desk(directory: Path, clock: SteppedClock) -> Iterator[Home]:
    """Open a ledger with two administrators, ana and dan; nothing expires by itself in it."""
    create_home(directory, SeededRandomness("made"), origin="log.example/keeping")
    (directory / "counterfoil.toml").write_text("[retention]\nautomatic = false\n", "utf-8")
    with open_home(directory, clock, SeededRandomness("open")) as home:
        people(home)
        do(home, "actor-describe", handle="dan")
        do(home, "role-grant", to="dan", role="administrator")
        yield home


def tell(
    home: Home, what: str = "com.example.step.finished", *, subject: str = "run:acme/shop/1",
    who: str = "ci.example:acme/shop", blobs: tuple[BlobName, ...] = (), **data: JSON,
) -> int:  # fmt: skip
    """Record an event as of now; return its entry."""
    number = next(_numbers)
    event = make_event(
        type=what, source="urn:keeping", id=f"k{number}", time="2026-11-20T12:00:00Z",
        authtype="service_account", authid=who, subject=subject, blobs=blobs,
        data={"words": f"the words of {number}", **data},
    )  # fmt: skip
    [answer] = home.recorder.record(PROJECT, [event], LOCAL, "cli")
    return answer.index


def later(clock: SteppedClock, days: float) -> None:
    """Let days go by."""
    clock.step(timedelta(days=days).total_seconds())


def by(home: Home, handle: str, action: str, /, **given: Any) -> Any:
    """Do an action as a person who has just shown a passkey."""
    return act(home, person(home, handle), action, given, "web")


def words_of(home: Home, index: int) -> str:
    """Return what an entry said, "" once that is gone."""
    found = home.reader.entry(PROJECT, index).event.get("data")
    return str(found.get("words", "")) if isinstance(found, dict) else ""
