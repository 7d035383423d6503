"""`make wheel`: what an installation needs, in one folder: a wheel, the pins, and their sums.

    python -m tools.wheel DEST

`requirements.txt` holds the server's pins with their hashes, and the wheel beside it with its own:
one command installs exactly these bytes and nothing else.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build(destination: Path) -> list[str]:
    """Build into a folder, and return the names of what was made."""
    destination.mkdir(parents=True, exist_ok=True)
    for earlier in destination.glob("counterfoil-*.whl"):
        earlier.unlink()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(destination)],
        check=True, cwd=ROOT, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    [wheel] = destination.glob("counterfoil-*.whl")
    pins = (ROOT / "requirements" / "server.txt").read_text("utf-8")
    own = f"./{wheel.name} \\\n    --hash=sha256:{_digest(wheel)}\n"
    requirements = destination / "requirements.txt"
    requirements.write_text(pins + own, "utf-8")
    sums = destination / "SHA256SUMS"
    sums.write_text("".join(f"{_digest(one)}  {one.name}\n" for one in (requirements, wheel)))
    return [wheel.name, requirements.name, sums.name]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    where = Path(sys.argv[1])
    for name in build(where):
        print(where / name)
