"""Test reports no server has taken yet: one file each in `reports/` of a spool folder.

    first line   {"counterfoil-report": 1, "project": ..., "query": {...}}
    the rest     the report's bytes

The file is written whole or not at all, and goes when the report is answered for.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from counterfoil.client import system
from counterfoil.errors import RequestError, UnavailableError

FOLDER: Final = "reports"
SUFFIX: Final = ".report"
_VERSION: Final = 1
_HEADER_BYTES_MAX: Final = 16_384


def keep_report(
    folder: Path, name: str, content: bytes, project: str, query: Mapping[str, str]
) -> Path:
    """Keep a report until `push`; durable on return.

    Args:
        folder: the spool folder.
        name: of the file, without its ending; an id that is used once.
        content: the report.
        project: the log it is for.
        query: the words of `POST /v1/reports`.

    Raises:
        UnavailableError: `read_only`.
    """
    path = folder / FOLDER / (name + SUFFIX)
    header = {"counterfoil-report": _VERSION, "project": project, "query": dict(query)}
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        system.write_whole(path, json.dumps(header).encode() + b"\n" + content)
    except OSError as error:
        raise UnavailableError(
            "read_only", f"no report can be kept in {folder}: {error.strerror or error}"
        ) from error
    return path


def kept_reports(folder: Path) -> list[Path]:
    """Return the files of the reports kept in a spool folder."""
    return sorted((folder / FOLDER).glob("*" + SUFFIX))


def read_report(path: Path) -> tuple[str, dict[str, str], bytes]:
    """Return project, query and content of a kept report.

    Raises:
        RequestError: `spool_invalid`, `file_unreadable`.
    """
    try:
        with path.open("rb") as file:
            line = file.readline(_HEADER_BYTES_MAX)
            content = file.read()
    except OSError as error:
        raise RequestError("file_unreadable", f"{path}: {error.strerror or error}") from error
    try:
        header = json.loads(line)
        query = {str(name): str(value) for name, value in header["query"].items()}
        if header["counterfoil-report"] == _VERSION and isinstance(header["project"], str):
            return header["project"], query, content
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    raise RequestError("spool_invalid", f"{path} is no report this version kept")
