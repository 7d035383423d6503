"""Where the server that holds a ledger answers: DIR/server.json, which it writes."""

import json
from pathlib import Path


def serving_address(directory: Path, which: str = "url") -> str | None:
    """Return an address, or what it is known by, out of DIR/server.json, which the server that holds the lock wrote.

    Args:
        directory: the ledger directory.
        which: "url" for programs on this machine, "public_url" for people and other machines;
            "certificate" for the SHA-256 of the one that "url" shows, where it is https.
    """
    try:
        address = json.loads((directory / "server.json").read_text("utf-8"))[which]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return address if isinstance(address, str) else None


def holder(directory: Path, lock: bytes) -> str:
    """Return in words who holds a ledger: where it answers, and which process it is.

    Args:
        directory: of the ledger.
        lock: what stands in its lock file: the number of the process that took it last.
    """
    address = serving_address(directory)
    who = f"the server at {address[:200]}" if address else "another process"
    number = lock.strip()
    return f"{who} (process {int(number)})" if number.isdigit() else who
