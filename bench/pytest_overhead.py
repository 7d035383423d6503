"""What recording costs a test run: CPU a test, beside other reporters of pytest.

    python -m bench.pytest_overhead --tests 2000 --rounds 5

Each reporter runs a suite of empty tests in a process of its own.  Two numbers each, the least of
all rounds, because whatever else the machine does only ever adds:

- in hooks: CPU time of the tests' thread within the reporter's own hooks, from the first test's
  collection to the last hook, over the number of tests, without what reading the clock takes.  The budget of this project's plug-in,
  50 us, is about this number.
- process: user and system time of the whole process with all its threads, as the slope between a
  small and a large suite, beyond the slope of pytest alone.  Waiting counts in neither.

Everything is installed into a virtual environment that is thrown away; what cannot be installed
is named and left out.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import children_cpu_s

ROOT = Path(__file__).resolve().parents[1]
BUDGET_US = 50.0


# A plug-in that measures the hooks of others: it puts a clock around what pluggy will call.
HOOK_CLOCK = """
import os, time
spent_ns = calls = 0
def timed(call):
    def run(*args):
        global spent_ns, calls
        calls += 1
        began = time.thread_time_ns()
        try:
            return call(*args)
        finally:
            spent_ns += time.thread_time_ns() - began
    return run
def timed_wrapper(call):
    def run(*args):
        inner = call(*args)
        timed(next)(inner)
        try:
            sent = yield
        except BaseException as error:
            step, sent = inner.throw, error
        else:
            step = inner.send
        try:
            timed(step)(sent)
        except StopIteration as stop:
            return stop.value
    return run
def pytest_sessionstart(session):
    manager = session.config.pluginmanager
    for hook in vars(manager.hook).values():
        for one in hook.get_hookimpls():
            if one.function.__module__.startswith(os.environ["CLOCKED"]):
                is_wrapper = one.wrapper or one.hookwrapper
                one.function = (timed_wrapper if is_wrapper else timed)(one.function)
def pytest_unconfigure():
    # A pair of readings with nothing between them takes time too, and is nobody's hook.
    pairs = [-(time.thread_time_ns() - time.thread_time_ns()) for _ in range(2000)]
    with open("spent", "w") as file:
        file.write(str(spent_ns - calls * sorted(pairs)[len(pairs) // 2]))
"""


@dataclass(frozen=True, slots=True)
class Reporter:
    """One way to keep what a run tells.

    Attributes:
        name: what it is called.
        package: what to install, "" for what pytest brings.
        module: how the names of the modules begin that its hooks are in.
        words: the words behind `pytest`.
    """

    name: str
    package: str
    module: str
    words: tuple[str, ...]


REPORTERS = (
    Reporter("counterfoil", str(ROOT), "counterfoil", ("-p", "counterfoil", "--counterfoil")),
    Reporter("junitxml", "", "_pytest.junitxml", ("--junitxml=out.xml",)),
    Reporter(
        "reportlog", "pytest-reportlog", "pytest_reportlog",
        ("-p", "pytest_reportlog.plugin", "--report-log=out.jsonl"),
    ),
    Reporter(
        "json-report", "pytest-json-report", "pytest_jsonreport",
        ("-p", "pytest_jsonreport.plugin", "--json-report", "--json-report-file=out.json"),
    ),
    Reporter(
        "allure", "allure-pytest", "allure_pytest",
        ("-p", "allure_pytest.plugin", "--alluredir=out"),
    ),
)  # fmt: skip


def install(python: Path, *packages: str) -> bool:
    """Install packages; say whether that went well."""
    words = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return subprocess.run([*words, *packages], check=False, capture_output=True).returncode == 0


def run(python: Path, folder: Path, words: Sequence[str], clocked: str = "") -> tuple[float, float]:
    """Run the suite in `folder` once; return CPU seconds of the process, and within the hooks."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        target = Path(scratch)
        (target / "pytest.ini").write_text("[pytest]\n")
        (target / "test_it.py").write_bytes((folder / "test_it.py").read_bytes())
        (target / "hook_clock.py").write_text(HOOK_CLOCK)
        clock = ("-p", "hook_clock") if clocked else ()
        before_s = children_cpu_s()
        subprocess.run(
            [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, *clock],
            cwd=target, check=True, capture_output=True,
            env={
                "PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "PYTHONPATH": ".", "CLOCKED": clocked,
            },
        )  # fmt: skip
        cpu_s = children_cpu_s() - before_s
        spent_s = int((target / "spent").read_text()) / 1e9 if clocked else 0.0
    return cpu_s, spent_s


class Cost:
    """What one way of reporting costs, the least of all rounds."""

    def __init__(self, words: Sequence[str], module: str, tests: int) -> None:
        self._words = words
        self._module = module
        self._counts = (max(1, tests // 10), tests)
        self._least_s = [float("inf")] * 2
        self._hooks_s = float("inf")

    def measure(self, python: Path, folder: Path) -> None:
        """Run both sizes once more, and the large one with a clock around the hooks."""
        for place, count in enumerate(self._counts):
            body = "\n".join(f"def test_{n:05}(): pass" for n in range(count))
            (folder / "test_it.py").write_text(body)
            cpu_s, _ = run(python, folder, self._words)
            self._least_s[place] = min(self._least_s[place], cpu_s)
        if self._module:
            _, hooks_s = run(python, folder, self._words, self._module)
            self._hooks_s = min(self._hooks_s, hooks_s)

    @property
    def process_us(self) -> float:
        """Microseconds of the process for one more test."""
        few, many = self._counts
        return (self._least_s[1] - self._least_s[0]) / (many - few) * 1e6

    @property
    def hooks_us(self) -> float:
        """Microseconds within the hooks, a test."""
        return self._hooks_s / self._counts[1] * 1e6


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
        alone = Cost((), "", options.tests)
        costs = {one.name: Cost(one.words, one.module, options.tests) for one in there}
        for _ in range(options.rounds):
            for cost in (alone, *costs.values()):
                cost.measure(python, folder)
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {load:.1f} at the end")
    print(f"CPU a test in us; pytest alone: {alone.process_us:.0f}")
    print(f"{'':14}{'in hooks':>10}{'process':>10}")
    for name, cost in sorted(costs.items(), key=lambda item: item[1].hooks_us):
        print(f"{name:14}{cost.hooks_us:10.1f}{cost.process_us - alone.process_us:10.1f}")
    if "counterfoil" not in costs:
        return 1
    kept = costs["counterfoil"].hooks_us <= BUDGET_US
    print(f"budget of counterfoil in hooks: {BUDGET_US:.0f} us: {'kept' if kept else 'EXCEEDED'}")
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
