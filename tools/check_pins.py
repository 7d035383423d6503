"""Check the pinned dependencies: hashes for all, no addresses, and licences we may ship with.

Prints one line a fault and exits 1, or one line of praise and exits 0.
"""

import importlib.metadata
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")

# Words that stand in the licences of what the server install brings.  Weak copyleft is named by
# package, because using a library unchanged is fine and forking one would not be.
PERMISSIVE = ("MIT", "BSD", "Apache", "PSF", "Python Software Foundation", "ISC", "Zlib", "0BSD")
NAMED_EXCEPTIONS = {
    "apsw": "any-OSI",  # the crash simulator; never shipped
    "atheris": "Apache-2.0",  # stated in its licence file alone; for tests
    "cedarpy": "Apache-2.0",  # stated in its licence file alone
    "certifi": "MPL-2.0",
    "email-validator": "Unlicense",  # for tests
    "hypothesis": "MPL-2.0",
    "pathspec": "MPL-2.0",
    "sigstore-models": "MIT",  # stated in its licence file alone; for tests
    "pymerkle": "GPL-3.0-or-later",  # a second opinion in tests and benchmarks; never shipped
}


def faults_of(path: Path) -> list[str]:
    """Return what is wrong with one requirements file."""
    faults = []
    text = path.read_text("utf-8")
    if re.search(r"https?://|--index|--find-links|--extra-index", text):
        faults.append(f"{path.name}: names an address; pins carry names and hashes only")
    for block in re.split(r"\n(?=\S)", text):
        pin = PIN.match(block)
        if pin and "--hash=sha256:" not in block:
            faults.append(f"{path.name}: {pin[1]} is pinned without a hash")
        if not pin and block.strip() and not block.startswith("#"):
            faults.append(f"{path.name}: {block.splitlines()[0]!r} is no pin")
    return faults


def licence_faults(path: Path) -> list[str]:
    """Return pinned packages whose declared licence is not one of ours to ship with."""
    faults = []
    for name, _ in pins_of(path):
        try:
            meta = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # pinned for another platform
        stated = [meta.json.get(field, "") for field in ("license_expression", "classifier")]
        stated.append(str(meta.json.get("license", ""))[:200])
        words = " ".join(one if isinstance(one, str) else " ".join(one) for one in stated)
        allowed = any(word in words for word in PERMISSIVE) or name in NAMED_EXCEPTIONS
        if not allowed:
            faults.append(f"{name}: licence {words.strip()[:80]!r} is not on the list")
    return faults


def pins_of(path: Path) -> list[tuple[str, str]]:
    """Return (name, version) of every pin in a requirements file."""
    return [
        (pin[1], pin[2])
        for line in path.read_text("utf-8").splitlines()
        if (pin := PIN.match(line))
    ]


def main() -> int:
    """Check every requirements file."""
    paths = sorted((ROOT / "requirements").glob("*.txt"))
    faults = [fault for path in paths for fault in faults_of(path)]
    faults += licence_faults(ROOT / "requirements" / "dev.txt")
    for fault in faults:
        print(fault)
    if not faults:
        print(f"pins: {len(paths)} files, every pin hashed, every licence known")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
