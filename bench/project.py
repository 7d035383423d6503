"""How fast a log becomes rows: entries a second of following, from views.db empty to caught up.

    python bench/project.py --cases 5000

A ledger is filled with one run of that many test cases and with releases told from commit to
production; recording is not timed.  What is timed: reading, the proof to the signed head, opening
bodies and comparing them with their commitments, folding, and writing rows with their history.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from counterfoil.app.follow import Follower
from counterfoil.app.founding import create_home
from counterfoil.app.home import open_home
from counterfoil.app.record import LOCAL
from counterfoil.clock import SystemClock
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event, make_event
from counterfoil.ids import SeededRandomness
from counterfoil.stores.tables import Tables

PROJECT = "default"
RUN = "run:acme/shop/bench"
COMMIT = "commit:acme/shop@9fceb02d0ae598e95dc970b74767f19372d61af8"
STORED_AT = "2026-11-20T12:00:00Z"


def events(cases: int) -> Iterator[Event]:
    """Yield a run of `cases` cases, and for every hundredth one a release with its deployment."""
    for number in range(cases):
        test = f"test:bench/test_{number}"
        yield _event(
            f"case/{number}", "dev.cdevents.testcaserun.finished.0.3.0", test,
            ((RUN, "part-of"), (COMMIT, "input"), ("env:qa", "environment")),
            {"subject": {"id": str(number), "content": {"outcome": "success"}},
             "customData": {"attempt": 1, "duration_s": 0.25}},
        )  # fmt: skip
        if number % 100 == 0:
            release, deployment = f"release:shop@{number}", f"deployment:acme/shop/{number}"
            yield _event(
                f"release/{number}", "dev.cdeventsx.counterfoil-release.published.0.1.0", release,
                ((COMMIT, "built-from"),), {"title": f"release {number}"},
            )  # fmt: skip
            yield _event(
                f"deployment/{number}", "dev.cdeventsx.counterfoil-deployment.reported.0.1.0",
                deployment, ((release, "deploys"), ("env:production", "deployed-to")),
                {"state": "success"},
            )  # fmt: skip


def _event(
    event_id: str, event_type: str, subject: str, refs: tuple[tuple[str, str], ...],
    data: dict[str, JSON],
) -> Event:  # fmt: skip
    return make_event(
        type=event_type, source="urn:bench", id=event_id, time=STORED_AT, authtype="system",
        authid="ci:bench", subject=subject, refs=refs, data=data,
    )  # fmt: skip


def main() -> None:
    """Fill, follow, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=5_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "ledger"
        create_home(directory, SeededRandomness("bench"))
        with open_home(directory, SystemClock(), SeededRandomness("bench")) as home:
            home.recorder.record(PROJECT, list(events(wanted.cases)), LOCAL, "cli")
            size = home.log.head(PROJECT).size
            # The background thread follows too: let it finish, so that it does not compete.
            home.follower.wait_for(PROJECT, size, 600)
            tables = Tables(Path(scratch) / "views.db")
            follower = Follower(log=home.log, keys=home.keys, ledger=home.ledger, tables=tables)
            began = time.perf_counter()
            follower.catch_up(PROJECT)
            took_s = time.perf_counter() - began
            tables.close()
            views_bytes = (Path(scratch) / "views.db").stat().st_size
    print(f"{size:,} entries followed in {took_s:.2f} s: {size / took_s:,.0f} entries/s")
    print(f"views.db: {views_bytes / size:,.0f} bytes an entry")


if __name__ == "__main__":
    main()
