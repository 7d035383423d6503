"""What people install: exactly these packages, and everything works from the wheel alone.

The wheel is built from the sdist, so both are what a stranger would get.
"""

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bench.served import served

ROOT = Path(__file__).resolve().parents[2]
BASE_PYTHON = Path(sys.base_prefix) / "bin" / "python3"
SITE_PACKAGES = [path for path in sys.path if path.endswith("site-packages")]

CORE_PACKAGES = {"counterfoil", "cffi", "click", "cryptography", "msgspec", "pycparser"}
CORE_ROOMS = {"cli", "client", "events", "prooffile", "reporter", "tlog", "verifier"}
FOLLOWED_S = 20.0
WHEEL_MAX_BYTES = 1_800_000
CORE_MAX_BYTES = 1_100_000
JUNIT = """<testsuite name="unit"><testcase classname="cart" name="test_total"/>
<testcase classname="cart" name="test_vat"><failure message="3.98"/></testcase></testsuite>"""
PLUGIN_HOST = ("pytest", "_pytest", "py.py", "pluggy", "iniconfig", "packaging", "pygments")


def run(
    *words: object, cwd: Path | None = None, code: int = 0, env: Mapping[str, str] | None = None
) -> str:
    """Run a program and return what it printed; another exit code shows its own words."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, cwd=cwd,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


PIP = (BASE_PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet")
BUILDER = os.pathsep.join(SITE_PACKAGES)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, as `hatchling` makes it."""
    where = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", where, cwd=ROOT)
    [made] = where.glob("*.tar.gz")
    return made


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution and nothing else."""
    where = tmp_path_factory.mktemp("wheel")
    run(*PIP, "wheel", sdist, "--no-deps", "--no-build-isolation", "-w", where,
        env={"PYTHONPATH": BUILDER})  # fmt: skip
    [made] = where.glob("*.whl")
    return made


def install(where: Path, pins: str, package: Path) -> Path:
    """Make an environment with the pins and the package, the way a stranger would."""
    run(BASE_PYTHON, "-m", "venv", "--without-pip", where / "venv")
    python = where / "venv" / "bin" / "python"
    into = (*PIP, "--python", python, "install")
    run(*into, "--require-hashes", "-r", ROOT / "requirements" / pins)
    # What builds an sdist is lent; what it may import besides is not taken for installed.
    run(*into, "--no-deps", "--no-build-isolation", "--ignore-installed", package,
        env={"PYTHONPATH": BUILDER})  # fmt: skip
    return where / "venv" / "bin"


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a core install."""
    return install(tmp_path_factory.mktemp("core"), "core.txt", wheel)


class Foil:
    """The core install's command line, and a server of the full install to talk to."""

    def __init__(self, programs: Path, url: str, token: str, ledger: Path, cwd: Path) -> None:
        self.programs, self.ledger, self.cwd = programs, ledger, cwd
        self.environment = {"COUNTERFOIL_URL": url, "COUNTERFOIL_TOKEN": token}

    def __call__(self, *words: object, code: int = 0) -> str:
        """Run `counterfoil WORDS` against the server."""
        foil = self.programs / "counterfoil"
        return run(foil, *words, cwd=self.cwd, code=code, env=self.environment)

    def search(self, query: str, expected: str) -> None:
        """Search until something is found: rows follow the log within a moment."""
        deadline = time.monotonic() + FOLLOWED_S
        while True:
            words = (self.programs / "counterfoil", "search", query, "--json")
            found = subprocess.run(
                [str(word) for word in words], capture_output=True, text=True, check=False,
                cwd=self.cwd, env={**os.environ, **self.environment},
            )  # fmt: skip
            if expected in found.stdout:
                return
            assert time.monotonic() < deadline, found.stdout + found.stderr


@pytest.fixture(scope="module")
def foil(core: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foil]:
    where = tmp_path_factory.mktemp("verbs")
    with served(where / "ledger") as server:
        (where / "work").mkdir()
        url = f"http://127.0.0.1:{server.port}"
        yield Foil(core, url, server.token, server.directory, where / "work")


def test_the_core_install_is_six_packages(core: Path) -> None:
    """It lives in other people's environments: each further package is a conflict for someone."""
    names = run(
        core / "python", "-c",
        "import importlib.metadata as m; print(*{d.name.lower() for d in m.distributions()})",
    )  # fmt: skip

    assert set(names.split()) == CORE_PACKAGES


def test_every_core_verb_runs_in_the_core_install(foil: Foil) -> None:
    """One journey: record, report, run, push, look, prove, and verify without the server's code."""
    (foil.cwd / "notes.txt").write_text("seen on qa")
    (foil.cwd / "junit.xml").write_text(JUNIT)
    vkey = foil.ledger / "keys" / "default.vkey"

    recorded = json.loads(
        foil("record", "com.example.seen", "--ref", "release:shop@1.4.2",
             "--attach", "notes.txt", "--receipt", "0.tlog-proof", "--json")
    )  # fmt: skip
    assert recorded["index"] == 0
    assert "blob/0" in recorded["opening"]
    [report] = json.loads(foil("report", "junit.xml", "--json"))["reports"]
    assert len(report["entries"]) == 3
    foil("run", "--step", "build", "--", sys.executable, "-c", "print('built')")
    foil("run", "--", sys.executable, "-c", "raise SystemExit(3)", code=3)
    assert "0" in foil("push")
    assert json.loads(foil("trace", "release:shop@1.4.2", "--json", code=1))
    foil.search("type:com.example.seen", "release:shop@1.4.2")
    foil("receipt", "0", "-o", "later.tlog-proof")
    foil("prove", "entry:0", "-o", "proof.html")

    for evidence in ("0.tlog-proof", "later.tlog-proof", "proof.html"):
        verdict = json.loads(foil("verify", evidence, "--vkey", vkey, "--json"))
        assert verdict["ok"] is True, evidence
    whole = json.loads(foil("verify", foil.ledger, "--json"))
    assert whole["ok"] is True
    assert whole["checked"]["blobs"] >= 1


def test_the_plugin_records_from_the_core_install(foil: Foil, tmp_path: Path) -> None:
    """Pytest is the user's own, so it is lent here: nothing of it belongs to the core install."""
    lent = tmp_path / "lent"
    lent.mkdir()
    for name in PLUGIN_HOST:
        found = [Path(path) / name for path in SITE_PACKAGES if (Path(path) / name).exists()]
        (lent / name).symlink_to(found[0])
    (tmp_path / "test_cart.py").write_text("def test_total():\n    assert 2 + 2 == 4\n")

    run(foil.programs / "python", "-m", "pytest", "-q", "--counterfoil=strict",
        "-p", "no:cacheprovider", cwd=tmp_path,
        env={**foil.environment, "PYTHONPATH": str(lent)})  # fmt: skip

    foil.search("type:dev.cdevents.testcaserun.finished.0.3.0", "test_cart")


def test_a_log_with_two_witnesses_verifies_from_a_plain_web_server(
    core: Path, tmp_path: Path
) -> None:
    """Deposited as files, fetched from any server, judged by a policy: no part of ours but verify."""
    golden = ROOT / "tests" / "vectors" / "golden-log"
    two = ("--trust", golden / "policies" / "two-of-two")
    serve = (BASE_PYTHON, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1")
    with subprocess.Popen(serve, cwd=golden, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as plain:  # fmt: skip
        try:
            assert plain.stdout is not None
            port = plain.stdout.readline().split(" port ")[1].split()[0]
            foil = core / "counterfoil"
            verdict = json.loads(
                run(foil, "verify", f"http://127.0.0.1:{port}/log", *two, "--json", cwd=tmp_path)
            )
        finally:
            plain.kill()
    receipt = golden / "receipts" / "41.tlog-proof"
    opened = ("--event", receipt.with_name("41.event.json"),
              "--opening", receipt.with_name("41.opening.json"))  # fmt: skip
    said = json.loads(run(foil, "verify", receipt, *two, *opened, "--json", cwd=tmp_path))
    more = golden / "policies" / "three-of-three"
    refused = json.loads(run(foil, "verify", receipt, "--trust", more, "--json", code=1))

    assert (verdict["ok"], verdict["size"]) == (True, 260)
    assert (said["ok"], said["contents"]) == (True, "compared")
    assert refused["ok"] is False


def test_a_verb_of_the_server_says_what_to_install(foil: Foil) -> None:
    refused = subprocess.run(
        [foil.programs / "foil", "serve", "--dir", foil.ledger],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert refused.returncode == 2
    assert "counterfoil[server]" in refused.stderr


def test_the_sdist_installs_and_verifies(sdist: Path, foil: Foil, tmp_path: Path) -> None:
    """Distributions build from it, without a checkout and without the network."""
    programs = install(tmp_path, "core.txt", sdist)

    verdict = json.loads(run(programs / "counterfoil", "verify", foil.ledger, "--json"))

    assert verdict["ok"] is True


def test_the_demo_is_filled_from_the_wheel_in_an_empty_directory(
    wheel: Path, tmp_path: Path
) -> None:
    """The data ships in the package: nothing is fetched and no checkout is needed."""
    programs = install(tmp_path, "server.txt", wheel)
    empty = tmp_path / "empty"
    empty.mkdir()

    built = json.loads(
        run(programs / "counterfoil", "demo", "--build-only", "foil", "--json", cwd=empty)
    )
    verdict = json.loads(run(programs / "counterfoil", "verify", "foil", "--json", cwd=empty))

    assert built["entries"] > 500
    assert verdict["ok"] is True


def test_the_wheel_and_its_core_part_stay_small(wheel: Path) -> None:
    """Every CI job of every user fetches it; what grows past this is worth a second look.

    docs/adr/0006 says what the sizes are spent on.
    """
    with zipfile.ZipFile(wheel) as content:
        files = [(name.filename.split("/"), name.file_size) for name in content.infolist()]
    core = sum(
        size_bytes
        for parts, size_bytes in files
        if parts[0] == "counterfoil" and (parts[1] in CORE_ROOMS or len(parts) == 2)
    )

    assert wheel.stat().st_size <= WHEEL_MAX_BYTES
    assert 300_000 < core <= CORE_MAX_BYTES
    assert {parts[0] for parts, _ in files} == {"counterfoil", "counterfoil-0.1.0.dist-info"}
