"""Files that tests leave behind: named by digest, never copied."""

import hashlib
import mimetypes
from pathlib import Path

from counterfoil.events.canonical import JSON

_PART_BYTES = 1024 * 1024


def describe(path: Path) -> dict[str, JSON]:
    """Return what a record says of a file: name, media type, size and digest.

    A file that cannot be read is said to be so; the test goes on.
    """
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while part := file.read(_PART_BYTES):
                digest.update(part)
                size_bytes += len(part)
    except OSError as error:
        return {"name": path.name, "problem": error.strerror or str(error)}
    return {
        "name": path.name,
        "mediatype": mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        "size_bytes": size_bytes,
        "digest": f"sha256:{digest.hexdigest()}",
    }
