"""Where the server that holds a ledger answers: DIR/server.json, which it writes."""

import json
from pathlib import Path


def serving_address(directory: Path, which: str = "url") -> str | None:
    """Return an address out of DIR/server.json, which the server that holds the lock wrote.

    Args:
        directory: the ledger directory.
        which: "url" for programs on this machine, "public_url" for people and other machines.
    """
    try:
        address = json.loads((directory / "server.json").read_text("utf-8"))[which]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return address if isinstance(address, str) else None
