"""Files that an event is to name: kept before the event is recorded, so it never names a gap."""

import hashlib
import mimetypes
from pathlib import Path

from counterfoil.cli.target import Target
from counterfoil.errors import RequestError
from counterfoil.events.naming import BlobName

BLOB_MAX_BYTES = 100 * 1024 * 1024
OCTETS = "application/octet-stream"


def attach(target: Target, file: Path) -> BlobName:
    """Keep a file as evidence and return how an event names it.

    The name is the file's last part alone: where it lay on this machine is nobody's business.

    Raises:
        RequestError: `file_unreadable`, `body_too_large`, `blob_quota`; `blob_digest` when the
            file changes while it is sent.
    """
    try:
        with file.open("rb") as content:
            size_bytes = file.stat().st_size
            if size_bytes > BLOB_MAX_BYTES:
                raise RequestError(
                    "body_too_large",
                    f"--attach {file}: {size_bytes} bytes, at most {BLOB_MAX_BYTES}; attach less",
                )
            digest = f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
            content.seek(0)
            target.put_blob(content, digest, size_bytes)
    except OSError as error:
        raise RequestError(
            "file_unreadable", f"--attach {file}: {error.strerror}; check the path"
        ) from error
    return BlobName(digest, file.name, mimetypes.guess_type(file.name)[0] or OCTETS)
