"""Valid bytes of every kind to begin from: committed vectors, and what this code writes."""

import json
from functools import cache
from pathlib import Path

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
GOLDEN_LOG = VECTORS / "golden-log"
CAPTURED = Path(__file__).resolve().parents[2] / "counterfoil" / "demo" / "captured"


@cache
def golden() -> tuple[dict[str, object], ...]:
    """Return the golden vectors: one event of every type with entry, body and opening."""
    return tuple(
        json.loads(path.read_bytes()) for path in sorted((VECTORS / "golden").glob("*.json"))
    )


def read_all(folder: Path, pattern: str, *, every: int = 1) -> tuple[bytes, ...]:
    """Return the files of a folder that match, sorted by name; with `every`, only some of them."""
    return tuple(
        path.read_bytes()
        for path in sorted(path for path in folder.rglob(pattern) if path.is_file())[::every]
    )


def log_file(name: str) -> bytes:
    """Return a file of the golden log."""
    return (GOLDEN_LOG / name).read_bytes()


def as_bytes(value: object) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value, ensure_ascii=False).encode()


def as_text(data: bytes) -> str:
    """Return bytes as text the way most of it arrives: what is no UTF-8 is marked."""
    return data.decode("utf-8", "replace")
