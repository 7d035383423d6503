"""A ledger of many entries, as some years of a team's work leave it: to measure at size.

    python -m bench.fill DIR --entries 10000000

What is in it: test cases in runs of 400 on a commit each, the runs, merged changes with their
authors (personal values, under a key of each person's), deployments to three environments and
releases.  Recorded times go through `--days` up to now, so that searches over time and retention find what
they would find.  Every event goes through the front door's own steps
(read, split, sealed, committed to) in a second process, and through the one writer: two syncs a
batch, read back, signed, exported.  Only HTTP and receipts are left out.  Interrupted, it goes on
where it stopped.

The rows of pages are not made: `counterfoil admin rebuild` makes them, and that is measured.
"""

import argparse
import hashlib
import multiprocessing as mp
import time
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path

from counterfoil.app.founding import create_home
from counterfoil.app.home import open_home
from counterfoil.app.naming import check_ledger
from counterfoil.app.prepare import Prepared, accounts_of, open_keys, prepare
from counterfoil.app.record import LOCAL
from counterfoil.clock import SystemClock, format_time, parse_time
from counterfoil.errors import RequestError
from counterfoil.events import codec
from counterfoil.events.canonical import JSON
from counterfoil.events.event import parse_event
from counterfoil.garbage import collect_rarely
from counterfoil.ids import SystemRandomness
from counterfoil.ledger.append import Placed
from counterfoil.ledger.store import Person

PROJECT = "default"
BATCH_SIZE = 1_000
RUN_SIZE = 400
TESTS = 20_000
PEOPLE = 300
AHEAD = 3
START = "2024-11-20T00:00:00.000Z"
ENVIRONMENTS = ("qa", "staging", "production")


def account(number: int) -> str:
    """Return the account of one of the people at work."""
    return f"github.com:dev-{number % PEOPLE}"


def commit(run: int) -> str:
    """Return the ref of the commit a run is about."""
    digits = hashlib.sha1(b"%d" % run, usedforsecurity=False).hexdigest()
    return f"commit:acme/shop@{digits}"


def posted(number: int) -> dict[str, JSON]:
    """Return event `number` of the ledger, as its source posts it."""
    run, place = divmod(number, RUN_SIZE)
    common: dict[str, JSON] = {"specversion": "1.0", "id": str(number), "source": "urn:bench"}
    if place == 0:
        return common | _merged(run)
    if place == RUN_SIZE - 1:
        return common | _finished(run)
    if place == 1 and run % 4 == 0:
        return common | _deployed(run)
    if place == 1 and run % 20 == 1:
        return common | _released(run)
    return common | _tested(number, run)


def _tested(number: int, run: int) -> dict[str, JSON]:
    test = f"tests/area_{number % 97}/test_{number % TESTS}.py::test_{number % TESTS}"
    failed = number % 331 == 0
    content: dict[str, JSON] = {"outcome": "fail" if failed else "pass", "testCase": {"id": test}}
    if failed:
        content["reason"] = f"AssertionError: expected {number % 7} items in basket {number % 1000}"
    return {
        "type": "dev.cdevents.testcaserun.finished.0.3.0",
        "authtype": "service_account", "authid": "ci.example:acme/shop",
        "subject": f"test:{test}", "producer": "bench", "boot": "b1", "seq": number,
        "data": {
            "context": {"version": "0.5.0"},
            "subject": {"id": test, "content": content},
            "customData": {"attempt": 1, "duration_ms": number % 900},
            "refs": [
                {"ref": f"run:acme/shop/{run}", "role": "part-of"},
                {"ref": commit(run), "role": "input"},
                {"ref": "env:qa", "role": "environment"},
            ],
        },
    }  # fmt: skip


def _finished(run: int) -> dict[str, JSON]:
    content: dict[str, JSON] = {"outcome": "pass" if run % 5 else "fail"}
    return {
        "type": "dev.cdevents.testsuiterun.finished.0.3.0",
        "authtype": "service_account", "authid": "ci.example:acme/shop",
        "subject": f"run:acme/shop/{run}",
        "data": {
            "context": {"version": "0.5.0"},
            "subject": {"id": str(run), "content": content},
            "refs": [{"ref": commit(run), "role": "input"}, {"ref": "env:qa", "role": "environment"}],
        },
    }  # fmt: skip


def _merged(run: int) -> dict[str, JSON]:
    return {
        "type": "dev.cdevents.change.merged.0.3.0",
        "authtype": "user", "authid": account(run),
        "subject": f"change:acme/shop#{run}",
        "data": {
            "context": {"version": "0.5.0"},
            "subject": {"id": str(run), "content": {"summary": f"Basket {run}: round the tax"}},
            "author": {"name": f"Developer {run % PEOPLE}", "email": f"dev-{run % PEOPLE}@acme.example"},
            "personal": ["/data/author/name", "/data/author/email"],
            "refs": [{"ref": commit(run), "role": "output"}],
        },
    }  # fmt: skip


def _deployed(run: int) -> dict[str, JSON]:
    where = ENVIRONMENTS[run // 4 % len(ENVIRONMENTS)]
    return {
        "type": "dev.cdeventsx.counterfoil-deployment.reported.0.1.0",
        "authtype": "user", "authid": account(run // 3),
        "subject": f"deployment:acme/shop/{run}",
        "data": {
            "state": "success" if run % 44 else "failure",
            "refs": [{"ref": commit(run), "role": "input"}, {"ref": f"env:{where}", "role": "deployed-to"}],
        },
    }  # fmt: skip


def _released(run: int) -> dict[str, JSON]:
    return {
        "type": "dev.cdeventsx.counterfoil-release.published.0.1.0",
        "authtype": "user", "authid": account(run // 5),
        "subject": f"release:shop@1.{run}",
        "data": {"name": f"1.{run}", "refs": [{"ref": commit(run), "role": "input"}]},
    }  # fmt: skip


def moment(number: int, entries: int, days: int) -> str:
    """Return when event `number` happened, RFC 3339."""
    return format_time(parse_time(START) + timedelta(days=days * number / entries))


def _prepare(task: tuple[int, int, int, int, dict[str, Person]]) -> list[Prepared]:
    """Prepare events `first` up to `end`; in the second process."""
    first, end, entries, days, people = task
    events = [
        parse_event(posted(n) | {"time": moment(n, entries, days)}) for n in range(first, end)
    ]
    parts = [codec.split(event) for event in events]
    opened = open_keys(SystemRandomness(), parts, {})
    return prepare(events, parts, opened, people, LOCAL, "api")


def _accounts() -> list[str]:
    """Return every account events are about."""
    events = [parse_event(posted(n) | {"time": START}) for n in range(3)]
    events += [parse_event(posted(n * RUN_SIZE) | {"time": START}) for n in range(PEOPLE)]
    return accounts_of(events, [codec.split(event) for event in events])


def fill(directory: Path, entries: int, days: int) -> Iterator[int]:
    """Record what is missing up to `entries`; yield the size after each batch."""
    try:
        check_ledger(directory)
    except RequestError:
        create_home(directory, SystemRandomness())
    with (
        mp.get_context("spawn").Pool(1) as pool,
        open_home(directory, SystemClock(), SystemRandomness()) as home,
    ):
        home.scrub.close()  # both would take the processor from what is filled
        home.follower.close()
        people = home.keys.people(_accounts())
        size = home.log.head(PROJECT).size
        tasks = (
            (first, min(first + BATCH_SIZE, entries), entries, days, people)
            for first in range(size, entries, BATCH_SIZE)
        )
        waiting: list[Future[Placed]] = []
        for batch in pool.imap(_prepare, tasks):
            # The front door takes no other time than the clock's: these are stamped here.
            recorded = moment(size, entries, days)
            size += len(batch)
            waiting.append(home.ledger.place(PROJECT, [one.stamped(recorded) for one in batch]))
            while len(waiting) > AHEAD:
                waiting.pop(0).result()
            yield size
        for last in waiting:
            last.result()


def main() -> None:
    """Fill, and say how fast."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=730)
    options = parser.parse_args()
    collect_rarely()
    began, first, said = time.perf_counter(), None, 0.0
    for size in fill(options.directory, options.entries, options.days):
        first = size if first is None else first
        took_s = time.perf_counter() - began
        if took_s - said > 10:
            said = took_s
            print(f"{size:>12,} entries, {(size - first) / took_s:,.0f}/s", flush=True)
    print(f"{options.entries:,} entries")


if __name__ == "__main__":
    main()
