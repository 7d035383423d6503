"""How long pages, searches, traces and lists take over a ledger that is there, as a person waits.

    python -m bench.pages DIR --rounds 20

The ledger of `bench.fill`, its rows made.  A server of its own is started on it; somebody signs in
by a link and asks for each page and call over loopback, one request at a time.  The first
round is shown beside the others: nothing of the rows is in memory then but what a start reads.
"""

import argparse
import http.client
import random
import re
import statistics
import time
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.fill import PEOPLE, RUN_SIZE, TESTS, commit
from bench.machine import descendants, describe, memory_bytes
from bench.served import Served, serving
from counterfoil.app.admin import sign_in_link

MUST_MS = {"page": 150.0, "call": 200.0}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Reader:
    """Somebody signed in, with one connection kept open.

    Args:
        server: who answers.
    """

    def __init__(self, server: Served) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        self._host = f"localhost:{server.port}"
        link = sign_in_link(server.directory, f"http://{self._host}")
        secret = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["token"][0]
        headers = _FORM | {"Host": self._host, "Origin": f"http://{self._host}"}
        self._connection.request("POST", "/sign-in", f"token={secret}", headers)
        answer = self._connection.getresponse()
        answer.read()
        cookies = re.findall(
            r"([a-z_-]+=[^;]+);", "\n".join(answer.headers.get_all("Set-Cookie", []))
        )
        self._headers = {"Host": self._host, "Cookie": "; ".join(cookies)}

    def took_ms(self, path: str) -> float:
        """Ask for a path; return how long the whole answer took."""
        began = time.perf_counter()
        self._connection.request("GET", path, None, self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took_ms = (time.perf_counter() - began) * 1e3
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return took_ms


def asked(size: int, chance: random.Random) -> Mapping[str, Callable[[], str]]:
    """Return what is asked for, by a name for the table; each call gives another path."""

    def run() -> int:
        return chance.randrange(1, size // RUN_SIZE)

    def quoted(text: str) -> str:
        return urllib.parse.quote(text, safe="")

    def test() -> str:
        number = chance.randrange(TESTS)
        return f"test:tests/area_{number % 97}/test_{number}.py::test_{number}"

    return {
        "page /": lambda: "/",
        "page / as of": lambda: f"/?as_of={chance.randrange(size)}",
        "page /runs": lambda: "/runs",
        "page /run": lambda: f"/run?ref={quoted(f'run:acme/shop/{run()}')}",
        "page /test": lambda: f"/test?ref={quoted(test())}",
        "page /releases": lambda: "/releases",
        "page /release": lambda: f"/release?ref={quoted(f'release:shop@1.{run() // 20 * 20 + 1}')}",
        "page /changed": lambda: f"/changed?ref={quoted(f'run:acme/shop/{run()}')}",
        "page /log": lambda: "/log",
        "page /log as of": lambda: f"/log?as_of={chance.randrange(size)}",
        "page /entries/N": lambda: f"/entries/{chance.randrange(size)}",
        "page /search": lambda: f"/search?q={quoted('outcome:failed')}",
        "call search, failed": lambda: f"/v1/search?q={quoted('outcome:failed since:30d')}",
        "call search, a word": lambda: f"/v1/search?q=basket+{run()}",
        "call search, a person": lambda: (
            f"/v1/search?q={quoted(f'actor:dev-{chance.randrange(PEOPLE)}')}"
        ),
        "call search, a test": lambda: f"/v1/search?q={quoted(f'ref:{test()}')}",
        "call search, a commit": lambda: f"/v1/search?q={quoted(f'ref:{commit(run())}')}",
        "call search, everything": lambda: "/v1/search?q=",
        "call trace of a commit": lambda: f"/v1/trace?ref={quoted(commit(run()))}",
        "call entry with receipt": lambda: f"/v1/entries/{chance.randrange(size)}",
    }


def main() -> None:
    """Serve, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=0, help="as serve --workers")
    options = parser.parse_args()
    print(describe(options.directory))
    with serving(options.directory, workers=options.workers) as server:
        size = server.size() - server.lag()
        reader = Reader(server)
        questions = asked(size, random.Random(7))  # noqa: S311  the same questions each time
        print(f"\n{size:,} entries{'':<18} first ms   median      p95      max     must")
        for name, path in questions.items():
            first = reader.took_ms(path())
            times = sorted(reader.took_ms(path()) for _ in range(options.rounds))
            p95 = times[min(len(times) - 1, len(times) * 95 // 100)]
            must = MUST_MS[name.partition(" ")[0]]
            print(
                f"{name:<30} {first:>10.1f} {statistics.median(times):>8.1f} {p95:>8.1f}"
                f" {times[-1]:>8.1f} {must:>8.0f}{'' if p95 <= must else '  missed'}",
                flush=True,
            )
        held = sum(map(memory_bytes, [server.pid, *descendants(server.pid)])) / 2**20
        print(f"memory held then: {held:.0f} MiB")


if __name__ == "__main__":
    main()
