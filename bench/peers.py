"""Others that keep an audit trail, in the same run, on the same disk, with the same durability.

    python -m bench.peers --seconds 10

(a) an audit table in PostgreSQL with three indexes, one insert an event; (b) the same with a hash
chain made by a trigger, each row's hash over the one before; (c) pymerkle's tree on SQLite; and
Counterfoil over HTTP with every receipt.  PostgreSQL runs with its own defaults (`fsync` and
`synchronous_commit` on) from 4 direct connections without HTTP, each with its statement prepared;
the client is `pgbench`, written in C.  What is compared is rates of durable events; only the
last one gives its callers proof, and (b) and (c) are what people build to have some.

A peer that is not installed is named as absent; `make test SYSTEM=1` installs PostgreSQL, `make setup`
pymerkle.
"""

import argparse
import importlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.ingest import CONNECTIONS, percentile_ms, run_load, verify_receipts
from bench.machine import describe
from bench.posting import event_bytes
from bench.served import served

CLIENTS: Final = 4
_TABLE: Final = """
CREATE TABLE audit (
    n bigserial PRIMARY KEY, source text NOT NULL, id text NOT NULL, type text NOT NULL,
    actor text NOT NULL, subject text, at timestamptz NOT NULL, event jsonb NOT NULL,
    recorded timestamptz NOT NULL DEFAULT clock_timestamp(), hash bytea,
    UNIQUE (source, id)
);
CREATE INDEX ON audit (actor, at);
CREATE INDEX ON audit (subject, at);
CREATE SEQUENCE numbers;
"""
_CHAIN: Final = """
CREATE TABLE chain (only_one bool PRIMARY KEY DEFAULT true, hash bytea NOT NULL);
INSERT INTO chain (hash) VALUES (sha256(''));
CREATE FUNCTION link() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before bytea;
BEGIN
    SELECT hash INTO before FROM chain FOR UPDATE;
    NEW.hash := sha256(before || convert_to(NEW.event::text, 'UTF8'));
    UPDATE chain SET hash = NEW.hash;
    RETURN NEW;
END $$;
CREATE TRIGGER link BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION link();
"""
# In a function, because pgbench takes a colon before a letter for a variable of its own.
_EVENT: Final = """
CREATE OR REPLACE FUNCTION posted(n bigint)
RETURNS TABLE (source text, id text, type text, actor text, subject text, at timestamptz, event jsonb)
LANGUAGE sql STABLE AS $$
SELECT 'https://ci.example/acme/shop', n::text, 'com.example.step.finished',
    'ci.example:acme/shop-' || n %% 40, 'run:acme/shop/' || n / 50,
    timestamptz '2026-11-20T12:00:00Z', jsonb_set('%s', '{id}', to_jsonb(n::text))
$$;
"""
_INSERT: Final = (
    "INSERT INTO audit (source, id, type, actor, subject, at, event) "
    "SELECT * FROM posted(nextval('numbers'));\n"
)
_RATE: Final = re.compile(r"tps = ([0-9.]+)")
_LATENCY: Final = re.compile(r"latency average = ([0-9.]+) ms")


def find_postgresql() -> Path | None:
    """Return the folder of PostgreSQL's programs, the newest version's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    return found[-1].parent if found else None


@contextmanager
def postgresql(programs: Path, place: Path) -> Iterator[Path]:
    """Run a fresh server over a Unix socket in a directory; yield the directory."""
    user = _user()
    as_user = ["/usr/sbin/runuser", "-u", user, "--"] if os.geteuid() == 0 else []
    directory = place / "postgresql"
    directory.mkdir()
    if as_user:
        place.chmod(0o755)
        shutil.chown(directory, user)
    data = directory / "data"
    subprocess.run(
        [*as_user, programs / "initdb", "-D", data, "-A", "trust", "-U", user, "-E", "UTF8"],
        check=True, capture_output=True, cwd=directory,
    )  # fmt: skip
    server = subprocess.Popen(
        [*as_user, programs / "postgres", "-D", data, "-k", directory, "-c", "listen_addresses="],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory,
    )  # fmt: skip
    try:
        for _ in range(200):
            ready = subprocess.run([programs / "pg_isready", "-q", "-h", directory], check=False)
            if ready.returncode == 0:
                break
            time.sleep(0.1)
        subprocess.run(
            [*as_user, programs / "createdb", "-h", directory, "bench"], check=True, cwd=directory
        )
        yield directory
    finally:
        subprocess.run(
            [*as_user, programs / "pg_ctl", "-D", data, "-m", "fast", "stop"],
            check=False, capture_output=True, cwd=directory,
        )  # fmt: skip
        server.wait(60)


def _user() -> str:
    # PostgreSQL refuses to run as root.
    return "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def measure_postgresql(programs: Path, directory: Path, *, chain: bool, seconds: float) -> str:
    """Return a row: single inserts from 4 connections into a fresh table."""
    where = ["-h", str(directory), "-U", _user()]
    setup = "DROP TABLE IF EXISTS audit, chain; DROP SEQUENCE IF EXISTS numbers;"
    setup += _TABLE + _EVENT % event_bytes(1).decode().replace("'", "''")
    subprocess.run(
        [programs / "psql", *where, "-q", "-d", "bench", "-v", "ON_ERROR_STOP=1"],
        input=setup + (_CHAIN if chain else ""), text=True, check=True, capture_output=True,
    )  # fmt: skip
    script = directory / "insert.sql"
    script.write_text(_INSERT, "utf-8")
    script.chmod(0o644)
    before = _wal_syncs(programs, where)
    done = subprocess.run(
        [programs / "pgbench", *where, "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2",
         "-T", str(max(int(seconds), 1)), "-f", str(script), "bench"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    rate, latency = _RATE.search(done.stdout), _LATENCY.search(done.stdout)
    if rate is None or latency is None:
        raise RuntimeError(f"pgbench: {done.stderr}")
    name = "PostgreSQL table, hash chain by trigger" if chain else "PostgreSQL table, 3 indexes"
    syncs = _wal_syncs(programs, where) - before
    return _row(
        name,
        CLIENTS,
        float(rate[1]),
        f"mean {float(latency[1]):.1f}, its log synced {syncs:,} times",
    )


def _wal_syncs(programs: Path, where: list[str]) -> int:
    """Return how often the server has synced its write-ahead log, as it counts itself."""
    counted = subprocess.run(
        [programs / "psql", *where, "-d", "bench", "-At", "-c", "SELECT wal_sync FROM pg_stat_wal"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return int(counted.stdout)


def measure_pymerkle(place: Path, seconds: float) -> str:
    """Return a row: appends to pymerkle's SQLite tree, synced like the others."""
    if importlib.util.find_spec("pymerkle") is None:
        return "pymerkle is not installed (make setup installs it)"
    # By name: it says nothing about its types.
    tree = importlib.import_module("pymerkle").SqliteTree(str(place / "pymerkle.db"))
    tree.con.execute("PRAGMA synchronous = FULL")
    count, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        tree.append_entry(event_bytes(count))
        count += 1
    # Its connection gives the one value of such a row.
    mode, journal = (
        tree.con.execute(f"PRAGMA {name}").fetchone() for name in ("synchronous", "journal_mode")
    )
    said = f"synchronous {mode} (2 is FULL), journal {journal}: two syncs an append or more"
    return _row("pymerkle on SQLite, no proofs asked", 1, count / elapsed, said)


def measure_counterfoil(place: Path, batch: int, connections: int, workers: int,
                        seconds: float) -> str:  # fmt: skip
    """Return a row: HTTP posts with every receipt answered, checked afterwards."""
    directory = place / f"counterfoil-{batch}"
    with (
        served(directory, workers=workers) as server,
        tempfile.TemporaryDirectory(dir="/dev/shm") as memory,
    ):
        answers = Path(memory) / "answers"
        row = run_load(server, batch, connections, seconds, 0, answers)
        checked = verify_receipts(server, answers)
    p50, p99 = (percentile_ms(row.posted.times_s, share) for share in (0.5, 0.99))
    rate = row.posted.events / row.posted.elapsed_s
    name = f"Counterfoil over HTTP, {batch} an answer"
    said = f"p50 {p50:.1f}, p99 {p99:.1f}; two syncs a signed head (bench.ingest counts them)"
    return _row(name, connections, rate, said) + f"\n{checked}"


def _row(name: str, clients: int, rate: float, latency: str) -> str:
    return f"{name:<40} {clients:>7} {rate:>10,.0f}  {latency}"


def _version(path: Path) -> int:
    return int(path.parent.parent.name) if path.parent.parent.name.isdecimal() else 0


def main() -> None:
    """Print one row a peer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row")
    parser.add_argument("--workers", type=int, default=1, help="of Counterfoil's server")
    parser.add_argument("--dir", type=Path, help="measure on the disk of this directory")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.dir) as name:
        place = Path(name)
        print(describe(place))
        print(f"\n{'':<40} {'clients':>7} {'events/s':>10}  milliseconds a call")
        programs = find_postgresql()
        if programs is None:
            print("PostgreSQL is not installed (make test SYSTEM=1 installs it)")
        else:
            with postgresql(programs, place) as directory:
                for chain in (False, True):
                    print(
                        measure_postgresql(
                            programs, directory, chain=chain, seconds=arguments.seconds
                        ),
                        flush=True,
                    )
        print(measure_pymerkle(place, arguments.seconds), flush=True)
        for batch in (1, 100):
            print(
                measure_counterfoil(
                    place, batch, CONNECTIONS[batch], arguments.workers, arguments.seconds
                ),
                flush=True,
            )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
