"""How fast a search answers: a mix of queries over an index of a million events.

    python bench/search.py --events 1000000 --queries 500

The index is filled through the code that following uses (what an entry is found by, its mentions
and its arrival, in transactions of 1,000), without recording a million entries first.  A query's
time is that of the whole answer: matching, total, facets, histogram, and the 50 newest entries
opened and said as sentences; those are read from a real ledger of 2,000 entries, each standing
for many.  Nothing is warmed up: what a first query of its kind costs is in the figures.  Beside the
time on the wall stands that on the processor, which other work on the machine disturbs less.
"""

import argparse
import dataclasses
import datetime
import hashlib
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from counterfoil.app.answers import ActorView, LogLine
from counterfoil.app.founding import create_home
from counterfoil.app.home import Home, open_home
from counterfoil.app.record import LOCAL
from counterfoil.app.search import Searcher
from counterfoil.clock import SteppedClock, SystemClock, format_time, parse_time
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry
from counterfoil.events.event import make_event
from counterfoil.events.refs import Named
from counterfoil.ids import SeededRandomness
from counterfoil.projections.base import Recorded
from counterfoil.projections.mentions import arrival, links, mentions
from counterfoil.projections.search_entry import found_by
from counterfoil.stores.search import SearchIndex
from counterfoil.stores.tables import Position, Tables

PROJECT = "default"
START = "2026-08-20T00:00:00.000Z"
DAYS = 90
LEDGER_SIZE = 2_000
BATCH_SIZE = 1_000
GOAL_MS = {50: 20.0, 99: 200.0}

ACTORS = [f"actor:{number:016d}" for number in range(60)]
SOURCES = [
    f"https://ci.example/acme/{name}" for name in ("shop", "cart", "pay", "web", "docs", "api")
]
WORDS = [
    "heap", "grows", "timeout", "refund", "vat", "rounding", "checkout", "login", "session",
    "cache", "stock", "invoice", "retry", "queue", "index", "upload", "export", "locale",
]  # fmt: skip
ENVIRONMENTS = ["env:qa", "env:staging", "env:production"]
CASE = "dev.cdevents.testcaserun.finished.0.3.0"
RUN = "dev.cdevents.testsuiterun.finished.0.3.0"
MERGED = "dev.cdevents.change.merged.0.3.0"
REPORTED = "dev.cdeventsx.counterfoil-deployment.reported.0.1.0"
PUBLISHED = "dev.cdeventsx.counterfoil-release.published.0.1.0"


def digits(run: int) -> str:
    """Return the commit of a run: 40 hexadecimal digits that differ from the first on."""
    return hashlib.sha1(str(run).encode(), usedforsecurity=False).hexdigest()


def happened(index: int, size: int, chance: random.Random) -> Recorded:
    """Return one of `size` entries: mostly test cases, in runs of 400 on a commit each."""
    run = index // 400
    commit = f"commit:acme/shop@{digits(run)}"
    refs: list[tuple[str, str]] = [(commit, "input")]
    outcome = "success" if chance.random() < 0.97 else "failure"
    data: dict[str, JSON] = {"subject": {"id": str(index), "content": {"outcome": outcome}}}
    draw = chance.random()
    if draw < 0.90:
        kind, subject = CASE, f"test:tests/test_{chance.choice(WORDS)}.py::test_{index % 5000}"
        refs += [(f"run:acme/shop/{run}", "part-of"), ("env:qa", "environment")]
        if outcome == "failure":
            reason = " ".join(chance.sample(WORDS, 3))
            data = {"subject": {"content": {"outcome": outcome, "reason": reason}}}
    elif draw < 0.94:
        kind, subject = RUN, f"run:acme/shop/{run}"
    elif draw < 0.97:
        kind, subject = MERGED, f"change:acme/shop#{index}"
        data = {"subject": {"content": {"summary": " ".join(chance.sample(WORDS, 4))}}}
    elif draw < 0.99:
        kind, subject = REPORTED, f"deployment:acme/shop/{index}"
        refs += [(chance.choice(ENVIRONMENTS), "deployed-to")]
        data = {"state": outcome}
    else:
        kind, subject = PUBLISHED, f"release:shop@1.{index}"
    moment = parse_time(START) + datetime.timedelta(days=DAYS) * (index / size)
    actor = ACTORS[min(int(chance.expovariate(0.15)), len(ACTORS) - 1)]
    entry = Entry(
        id=str(index), source=chance.choice(SOURCES), type=kind, subject=subject,
        time=format_time(moment), recordedtime=format_time(moment), recordedby="token:ci",
        via="pytest" if kind == CASE else "webhook", retention="standard", commit={},
        refs=tuple(Named(ref, role) for ref, role in (*refs, (actor, "actor"))),
    )  # fmt: skip
    return Recorded(index, entry, data, actor)


def fill(tables: Tables, index: SearchIndex, size: int) -> float:
    """Write the index of `size` entries; return the seconds `SearchIndex.add` took of it."""
    chance = random.Random(7)  # noqa: S311  a benchmark wants the same entries each time
    took_s = 0.0
    for first in range(0, size, BATCH_SIZE):
        batch = [happened(n, size, chance) for n in range(first, min(first + BATCH_SIZE, size))]
        with tables.write(PROJECT) as writing:
            writing.append(
                (line for one in batch for line in mentions(one)),
                (line for one in batch for line in links(one)),
                [arrival(one) for one in batch],
            )
            began = time.perf_counter()
            index.add(writing.connection, PROJECT, [found_by(one) for one in batch])
            took_s += time.perf_counter() - began
            writing.set_position(Position(first + len(batch), (), b"\0" * 32))
    return took_s


def queries(size: int, chance: random.Random) -> Iterator[tuple[str, str, int | None]]:
    """Yield (kind, query, as of) without end, kinds as people mix them."""

    def word() -> str:
        return chance.choice(WORDS)

    def commit() -> str:
        return digits(chance.randrange(size // 400 + 1))

    kinds: list[tuple[str, Callable[[], str]]] = [
        ("actor", lambda: f"actor:{chance.choice(ACTORS)}"),
        ("type", lambda: f"type:{chance.choice(['change.*', 'deployment', 'release', 'run*'])}"),
        ("commit by 12 digits", lambda: f"ref:commit:acme/shop@{commit()[:12]}"),
        ("commit", lambda: f"ref:commit:acme/shop@{commit()}"),
        ("test", lambda: f"ref:test:tests/test_{word()}.py::test_{chance.randrange(5000)}"),
        ("environment", lambda: f"ref:{chance.choice(ENVIRONMENTS)}"),
        ("failed, last days", lambda: f"outcome:failed since:{chance.randrange(1, 30)}d"),
        ("one word", word),
        ("three words", lambda: " ".join(chance.sample(WORDS, 3))),
        ("phrase", lambda: f'"{word()} {word()}"'),
        ("word everywhere", lambda: chance.choice(["passed", "test", "ran"])),
        ("beginning of a word", lambda: f"{word()[:3]}*"),
        ("word and actor", lambda: f"{word()} actor:{chance.choice(ACTORS)}"),
        ("deployments, failed", lambda: "type:deployment.* ref:env:production outcome:failed"),
        ("everything", lambda: ""),
        ("nothing found", lambda: f"ref:release:nowhere@1 type:change.* {word()}"),
    ]
    while True:
        kind, make = chance.choice(kinds)
        as_of = chance.randrange(size) if chance.random() < 0.15 else None
        yield kind, make(), as_of


def percentile(times: Sequence[float], hundredth: int) -> float:
    """Return a percentile, the higher of two neighbours."""
    return sorted(times)[min(len(times) - 1, len(times) * hundredth // 100)]


def record_lines(home: Home) -> None:
    """Fill the ledger whose entries stand for those of the index."""
    events = [
        make_event(
            type=CASE, source="urn:bench", id=str(n), time=START, authtype="system",
            authid="ci:bench", subject=f"test:bench/test_{n}", refs=(("env:qa", "environment"),),
            data={"subject": {"content": {"outcome": "success"}}},
        )
        for n in range(LEDGER_SIZE)
    ]  # fmt: skip
    for first in range(0, LEDGER_SIZE, 1_000):
        home.recorder.record(PROJECT, events[first : first + 1_000], LOCAL, "cli")


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=500)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "ledger"
        create_home(directory, SeededRandomness("bench"))
        with open_home(directory, SystemClock(), SeededRandomness("bench")) as home:
            record_lines(home)
            tables = Tables(Path(scratch) / "views.db")
            try:
                measure(home, tables, wanted.events, wanted.queries)
            finally:
                tables.close()


def measure(home: Home, tables: Tables, size: int, asked: int) -> None:
    """Fill the tables, ask, print."""
    index = SearchIndex()
    took_s = fill(tables, index, size)
    print(f"{size:,} events indexed: {1e6 * took_s / size:.1f} us an event")

    def lines(project: str, entries: Sequence[int]) -> Mapping[int, LogLine]:
        opened = home.reader.lines(project, [entry % LEDGER_SIZE for entry in entries])
        return {entry: opened[entry % LEDGER_SIZE] for entry in entries}

    def resolve(pseudonym: str) -> ActorView:
        return ActorView(pseudonym, pseudonym, "service", "claimed")

    clock = SteppedClock(START)
    clock.step(DAYS * 86_400)
    searcher = Searcher(tables, index, home.keys, clock, home.access.directory, resolve, lines)
    times: dict[str, list[Took]] = {}
    asking = queries(size, random.Random(11))  # noqa: S311  the same questions each time
    for _ in range(asked):
        kind, query, as_of = next(asking)
        wall, processor = time.perf_counter(), time.thread_time()
        answer = searcher.search(PROJECT, query, as_of, None, 50)
        took = Took(
            1e3 * (time.perf_counter() - wall), 1e3 * (time.thread_time() - processor), answer.total
        )
        times.setdefault(kind, []).append(took)
    show(times)


@dataclasses.dataclass(frozen=True, slots=True)
class Took:
    """One answer: milliseconds on the wall and on the processor, and entries found."""

    wall_ms: float
    processor_ms: float
    found: int


def show(times: Mapping[str, Sequence[Took]]) -> None:
    """Print what the answers took, by kind and together, and whether that is what is wanted."""
    print(
        f"{'milliseconds':24}{'asked':>6}{'found':>10}{'p50':>8}{'p99':>8}{'cpu p50':>9}{'cpu p99':>9}"
    )
    every = [one for each in times.values() for one in each]
    for kind, each in [*sorted(times.items()), ("all", every)]:
        wall, processor = [one.wall_ms for one in each], [one.processor_ms for one in each]
        found = percentile([one.found for one in each], 50)
        print(
            f"{kind:24}{len(each):6}{found:10,.0f}{percentile(wall, 50):8.1f}"
            f"{percentile(wall, 99):8.1f}{percentile(processor, 50):9.1f}"
            f"{percentile(processor, 99):9.1f}"
        )
    for hundredth, goal_ms in GOAL_MS.items():
        reached = percentile([one.wall_ms for one in every], hundredth)
        print(
            f"p{hundredth}: {'within' if reached <= goal_ms else 'OVER'} the goal of {goal_ms:g} ms"
        )


if __name__ == "__main__":
    main()
