"""Run this project's tests, recorded by its own plug-in in a ledger of its own.

`python -m tools.recorded_suite [PYTEST WORDS]`: makes the ledger `.suite/`, serves it on loopback,
runs pytest with `--counterfoil` against it, sends what still waited, and holds the page of the run
and the whole ledger against what pytest itself counted and what the plug-in kept.  The exit code
is pytest's; if that is 0 and the ledger tells another story, it is 1 and the difference is the last
line.

`.suite/` stays, for `counterfoil serve --dir .suite`.
"""

import http.cookiejar
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from xml.etree import ElementTree as ET

from counterfoil.app.founding import create_home
from counterfoil.client.receipts import folder_name
from counterfoil.ids import SystemRandomness, short_id
from tests.served_process import ServerProcess, server_process

ROOT = Path(__file__).resolve().parent.parent
LEDGER = ROOT / ".suite"
REPORT = LEDGER / "pytest.xml"
ROWS_FOLLOW_S = 60.0


def main(words: list[str]) -> int:
    """Run, record, compare; return the exit code."""
    shutil.rmtree(LEDGER, ignore_errors=True)
    create_home(LEDGER, SystemRandomness())
    run = f"run:counterfoil/suite-{short_id(SystemRandomness())}"
    with server_process(LEDGER) as server:
        environment = {
            **os.environ,
            "COUNTERFOIL_URL": server.url,
            "COUNTERFOIL_TOKEN": server.token,
            "COUNTERFOIL_RUN": run,
            "COUNTERFOIL_NAME": "counterfoil",
        }
        code = _call("-m", "pytest", "--counterfoil=on", f"--junitxml={REPORT}", *words,
                     environment=environment)  # fmt: skip
        if code:
            return code
        # The plug-in waits three seconds for the server, so that nobody waits for us; here we do.
        spool = ROOT / ".counterfoil" / "spool"
        _call(
            "-m", "counterfoil", "push", "--spool", str(spool), environment=environment, quiet=True
        )
        wrong = _told_otherwise(server, run, counts_of_report(REPORT.read_text()))
    key = LEDGER / "keys" / "default.vkey"
    origin = key.read_text("utf-8").partition("+")[0]
    kept = ROOT / ".counterfoil" / "receipts" / folder_name(origin) / "checkpoint"
    verdict = _call("-m", "counterfoil", "verify", str(LEDGER), "--vkey", str(key), "--against",
                    str(kept), quiet=True)  # fmt: skip
    if verdict:
        wrong.append(f"`counterfoil verify {LEDGER.name} --against {kept}` ends with {verdict}")
    if wrong:
        print(f"recorded suite: {run}: {'; '.join(wrong)}")
    return 1 if wrong else 0


def _call(*words: str, environment: dict[str, str] | None = None, quiet: bool = False) -> int:
    out = subprocess.DEVNULL if quiet else None
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, stdout=out, check=False
    ).returncode


def _told_otherwise(server: ServerProcess, run: str, counted: dict[str, int]) -> list[str]:
    """Return where the page of the run differs from `counted`, once its rows have followed.

    A push of thousands of events is acknowledged before the rows of the pages are folded, so a
    page that still says less is asked again, for `ROWS_FOLLOW_S` at most.
    """
    browser = _signed_in(server)
    page = f"{server.url}/run?{urllib.parse.urlencode({'ref': run})}"
    end = time.monotonic() + ROWS_FOLLOW_S
    while True:
        with browser.open(page) as answer:
            shown = counts_of_page(str(answer.read(), "utf-8"))
        wrong = differences(shown, counted)
        if not wrong or time.monotonic() > end:
            return wrong
        time.sleep(1)


def _signed_in(server: ServerProcess) -> urllib.request.OpenerDirector:
    """Return a browser in which a person has signed in."""
    browser = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    )
    link = urllib.parse.urlsplit(server.sign_in_link())
    browser.open(f"{server.url}/sign-in", data=link.query.encode()).close()
    return browser


def counts_of_page(page: str) -> dict[str, int]:
    """Return the numbers on the page's filters: "all 6,284", "6,280 passed", "4 skipped"."""
    words = re.findall(r">(?:all ([\d,]+)|([\d,]+) (passed|failed|skipped|errors?))</a>", page)
    return {
        outcome.removesuffix("s") or "all": int((whole or count).replace(",", ""))
        for whole, count, outcome in words
    }


def counts_of_report(report: str) -> dict[str, int]:
    """Return what pytest counted, by its own JUnit report."""
    suite = ET.fromstring(report).find("testsuite")  # noqa: S314  pytest has just written it
    assert suite is not None
    total, failed, errors, skipped = (
        int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")
    )
    counts = {"failed": failed, "error": errors, "skipped": skipped}
    counts["passed"] = total - sum(counts.values())
    return {"all": total, **{name: count for name, count in counts.items() if count}}


def differences(shown: dict[str, int], counted: dict[str, int]) -> list[str]:
    """Return in words where two counts differ."""
    return [
        f"its page says {shown.get(name, 0):,} {name}, pytest counted {counted.get(name, 0):,}"
        for name in sorted(shown.keys() | counted.keys())
        if shown.get(name, 0) != counted.get(name, 0)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
