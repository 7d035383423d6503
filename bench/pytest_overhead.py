"""What recording costs a test run: CPU a test, beside other reporters of pytest.

    python bench/pytest_overhead.py --tests 2000 --rounds 5

Each reporter runs a suite of empty tests in a process of its own, at two sizes; the cost of one
test is the slope between them, so that start-up and imports do not count, and what stands in the
table is the slope beyond that of pytest alone.  CPU is user and system time of the whole process
with all its threads: hashing, writing and syncing count, waiting does not.  The budget of this
project's plug-in is 50 us.

Everything is installed into a virtual environment that is thrown away; what cannot be installed
is named and left out.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUDGET_US = 50.0


@dataclass(frozen=True, slots=True)
class Reporter:
    """One way to keep what a run tells: what to install, and the words behind `pytest`."""

    name: str
    package: str
    words: tuple[str, ...]


REPORTERS = (
    Reporter("counterfoil", str(ROOT), ("-p", "counterfoil", "--counterfoil")),
    Reporter("junitxml", "", ("-p", "junitxml", "--junitxml=out.xml")),
    Reporter(
        "reportlog", "pytest-reportlog",
        ("-p", "pytest_reportlog.plugin", "--report-log=out.jsonl"),
    ),
    Reporter(
        "json-report", "pytest-json-report",
        ("-p", "pytest_jsonreport.plugin", "--json-report", "--json-report-file=out.json"),
    ),
    Reporter("allure", "allure-pytest", ("-p", "allure_pytest.plugin", "--alluredir=out")),
)  # fmt: skip


def install(python: Path, *packages: str) -> bool:
    """Install packages; say whether that went well."""
    words = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return subprocess.run([*words, *packages], check=False, capture_output=True).returncode == 0


def cpu_s(python: Path, folder: Path, words: Sequence[str]) -> float:
    """Return the CPU time of one run of the suite in `folder`."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        target = Path(scratch)
        (target / "pytest.ini").write_text("[pytest]\n")
        (target / "test_it.py").write_bytes((folder / "test_it.py").read_bytes())
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
            cwd=target, check=True, capture_output=True,
            env={"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


class Slope:
    """The CPU time one more test costs: least of few tests, least of many, and between them."""

    def __init__(self, words: Sequence[str], tests: int) -> None:
        self._words = words
        self._counts = (max(1, tests // 10), tests)
        self._least_s = [float("inf")] * 2

    def measure(self, python: Path, folder: Path) -> None:
        """Run both sizes once more; what else the machine does only ever adds."""
        for place, count in enumerate(self._counts):
            body = "\n".join(f"def test_{n:05}(): pass" for n in range(count))
            (folder / "test_it.py").write_text(body)
            self._least_s[place] = min(self._least_s[place], cpu_s(python, folder, self._words))

    @property
    def per_test_us(self) -> float:
        """Microseconds a test."""
        few, many = self._counts
        return (self._least_s[1] - self._least_s[0]) / (many - few) * 1e6


def main() -> int:
    """Measure and print the table; 1 if the budget is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pytest-overhead-") as scratch:
        folder = Path(scratch)
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / "bin" / "python"
        if not install(python, "pytest>=9"):
            print("pytest cannot be installed here: nothing is measured")
            return 1
        there = []
        for one in REPORTERS:
            if one.package and not install(python, one.package):
                print(f"left out: {one.name}, {one.package} cannot be installed here")
            else:
                there.append(one)
        # Interleaved: whatever else this machine does meets all of them alike.
        alone = Slope((), options.tests)
        slopes = {one.name: Slope(one.words, options.tests) for one in there}
        for _ in range(options.rounds):
            for slope in (alone, *slopes.values()):
                slope.measure(python, folder)
    print(f"pytest alone: {alone.per_test_us:.0f} us CPU a test; beyond that:")
    costs = {name: slope.per_test_us - alone.per_test_us for name, slope in slopes.items()}
    for name, cost in sorted(costs.items(), key=lambda item: item[1]):
        print(f"  {name:12} {cost:7.1f} us a test")
    ours = costs.get("counterfoil")
    if ours is None:
        return 1
    print(
        f"budget of counterfoil: {BUDGET_US:.0f} us: {'kept' if ours <= BUDGET_US else 'EXCEEDED'}"
    )
    return int(ours > BUDGET_US)


if __name__ == "__main__":
    sys.exit(main())
