"""What people install: exactly these packages, and everything works from the wheel alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASE_PYTHON = Path(sys.base_prefix) / "bin" / "python3"

CORE_PACKAGES = {"counterfoil", "cffi", "click", "cryptography", "msgspec", "pycparser"}


def run(*words: object, cwd: Path | None = None, **environment: str) -> str:
    """Run a program and return what it printed; a failure shows its own words."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, cwd=cwd,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(where: Path, pins: str) -> Path:
    """Make an environment with the pins and the wheel, the way a stranger would."""
    pip = (BASE_PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", ROOT, "--no-deps", "--no-build-isolation", "-w", where / "wheel",
        PYTHONPATH=os.pathsep.join(path for path in sys.path if path.endswith("site-packages")))  # fmt: skip
    run(BASE_PYTHON, "-m", "venv", "--without-pip", where / "venv")
    python = where / "venv" / "bin" / "python"
    into = (*pip, "--python", python, "install")
    run(*into, "--require-hashes", "-r", ROOT / "requirements" / pins)
    [wheel] = (where / "wheel").glob("*.whl")
    run(*into, "--no-deps", wheel)
    return where / "venv" / "bin"


def test_the_core_install_is_six_packages_and_verifies(tmp_path: Path) -> None:
    """It lives in other people's environments: each further package is a conflict for someone."""
    programs = install(tmp_path, "core.txt")
    names = run(
        programs / "python", "-c",
        "import importlib.metadata as m; print(*{d.name.lower() for d in m.distributions()})",
    )  # fmt: skip
    assert set(names.split()) == CORE_PACKAGES

    # A ledger made by the full install, checked by the small one.
    ledger = tmp_path / "foil"
    run(sys.executable, "-m", "counterfoil", "init", ledger)
    run(sys.executable, "-m", "counterfoil", "record", "com.example.done", "--dir", ledger)
    run(sys.executable, "-m", "counterfoil", "receipt", "0", "--dir", ledger,
        "-o", tmp_path / "0.tlog-proof")  # fmt: skip
    verdict = json.loads(run(programs / "counterfoil", "verify", ledger, "--json"))
    assert verdict["ok"] is True
    run(programs / "foil", "verify", tmp_path / "0.tlog-proof",
        "--vkey", ledger / "keys" / "default.vkey")  # fmt: skip
    run(sys.executable, "-m", "counterfoil", "prove", "entry:0", "--dir", ledger,
        "-o", tmp_path / "proof.html")  # fmt: skip
    judged = run(programs / "foil", "verify", tmp_path / "proof.html",
                 "--vkey", ledger / "keys" / "default.vkey")  # fmt: skip
    assert "note:" not in judged, "the small install has the same page"

    refused = subprocess.run(
        [programs / "counterfoil", "serve", "--dir", ledger],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "counterfoil[server]" in refused.stderr


def test_the_demo_is_filled_from_the_wheel_in_an_empty_directory(tmp_path: Path) -> None:
    """The data ships in the package: nothing is fetched and no checkout is needed."""
    programs = install(tmp_path, "server.txt")
    empty = tmp_path / "empty"
    empty.mkdir()

    built = json.loads(
        run(programs / "counterfoil", "demo", "--build-only", "foil", "--json", cwd=empty)
    )
    verdict = json.loads(run(programs / "counterfoil", "verify", "foil", "--json", cwd=empty))

    assert built["entries"] > 500
    assert verdict["ok"] is True
