"""The program's log: one line an event on standard error, as text or JSON, with no secret in it.

What must hold: a line never holds what a caller sent: no token, cookie, link, body, query, path,
address or personal value.  So a request is told by its route's pattern and its credential's id, and
a fault by its class and its place in the code: its message may quote what somebody sent.  Of other
people's libraries only the first line of the fixed text is told, and only warnings.

systemd's journal, or whoever reads standard error, keeps and rotates it.
"""

import contextvars
import json
import logging
import sqlite3
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from counterfoil.app.config import LogConfig
from counterfoil.errors import EvidenceError, UnavailableError

OURS: Final = "counterfoil"
ID_BYTES: Final = 8
LINES_MAX: Final = 100
"""Lines about refused and answered requests in one second; what is above is counted instead."""
_OWN_PACKAGE: Final = Path(__file__).parents[1]
_FRAMES_MAX: Final = 20
_FOREIGN_MAX: Final = 200
# Whose messages name files and system errors, and nothing that a caller sent.
_TOLD: Final = (OSError, sqlite3.Error, EvidenceError, UnavailableError)


@dataclass(slots=True)
class Asked:
    """One request, for the lines that are written while it is answered.

    Attributes:
        id: of the request, random; its answer carries it.
        method: one of HTTP's.
        route: pattern of its path; "" until it is known.
        credential: id of what it came with; "" until that is known.
    """

    id: str
    method: str
    route: str = ""
    credential: str = ""


ASKED: Final[contextvars.ContextVar[Asked | None]] = contextvars.ContextVar("asked", default=None)
"""The request that is answered here; threads that work for it see the same one."""


def note_credential(credential: str) -> None:
    """Have the lines of this request say what it came with."""
    asked = ASKED.get()
    if asked is not None:
        asked.credential = credential


def set_up(settings: LogConfig) -> None:
    """Write this process's log as the settings say, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(as_json=settings.format == "json"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(settings.level.upper())


class Lines(logging.Formatter):
    """Formats records as lines of JSON or text."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        members = members_of(record)
        if self._as_json:
            return json.dumps(members)
        time_, level, logger, message = (members.pop(name) for name in _ALWAYS)
        more = "".join(f" {name}={_plain(value)}" for name, value in members.items())
        return f"{time_} {str(level).upper()} {logger}: {_plain(message)}{more}"


_ALWAYS: Final = ("time", "level", "logger", "message")


def members_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what a line says of a record, by name."""
    members: dict[str, object] = {
        "time": _time(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _message(record),
    }
    asked = getattr(record, "asked", None) or ASKED.get()
    if asked is not None:
        members |= {
            name: value
            for name, value in (
                ("request", asked.id), ("method", asked.method), ("route", asked.route),
                ("credential", asked.credential),
            )
            if value
        }  # fmt: skip
    members |= {
        name: getattr(record, name) for name in ("status", "duration_ms") if hasattr(record, name)
    }
    if record.exc_info and record.exc_info[1] is not None:
        members |= _fault(record.exc_info[1])
    return members


def _message(record: logging.LogRecord) -> str:
    if record.name == OURS or record.name.startswith(f"{OURS}."):
        return record.getMessage()
    lines = str(record.msg).splitlines() or [""]
    return lines[0][:_FOREIGN_MAX]


def _fault(error: BaseException) -> dict[str, object]:
    """Return the class of an error and where it was, innermost last; its words if they are ours."""
    frames = [
        f"{_place(one.filename)}:{one.lineno} {one.name}"
        for one in traceback.extract_tb(error.__traceback__)[-_FRAMES_MAX:]
    ]
    fault: dict[str, object] = {"error": type(error).__name__, "frames": frames}
    if isinstance(error, _TOLD):
        fault["why"] = str(error)
    return fault


def _place(filename: str) -> str:
    path = Path(filename)
    if path.is_relative_to(_OWN_PACKAGE):
        return str(path.relative_to(_OWN_PACKAGE.parent))
    return path.name


def _time(created_s: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created_s))
    return f"{whole}.{int(created_s * 1000) % 1000:03d}Z"


def _plain(value: object) -> str:
    r"""Return a value on one line, with what would move a terminal's cursor made visible.

    >>> _plain("a\nb\x1b[2J")
    'a\\nb\\x1b[2J'
    """
    text = " < ".join(map(str, reversed(value))) if isinstance(value, list) else str(value)
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


class RequestLines:
    """One line an answer, at most `LINES_MAX` a second, so that strangers cannot fill a disk."""

    def __init__(self) -> None:
        self._log = logging.getLogger(f"{OURS}.request")
        self._second = 0
        self._written = 0
        self._left_out = 0

    def answered(self, status: int, took_s: float, asked: Asked) -> None:
        """Tell that a request was answered: 5xx is a warning, 4xx told at info, the rest at debug."""
        level = logging.DEBUG
        if status >= 400:
            level = logging.INFO if status < 500 else logging.WARNING
        if not self._log.isEnabledFor(level):
            return
        second = int(time.monotonic())
        if second != self._second:
            left_out, self._second, self._written, self._left_out = self._left_out, second, 0, 0
            if left_out:
                self._log.warning("%d lines about requests were left out", left_out)
        self._written += 1
        if self._written > LINES_MAX:
            self._left_out += 1
            return
        fields = {"status": status, "duration_ms": round(took_s * 1000, 1), "asked": asked}
        self._log.log(level, "answered", extra=fields)
