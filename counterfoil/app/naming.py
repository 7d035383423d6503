"""Which path is a ledger, and which name can be a project's: asked before anything is opened."""

import re
from pathlib import Path

from counterfoil.errors import RequestError, UnavailableError
from counterfoil.ledger.store import LogReads
from counterfoil.policy.access import LOG as ACCESS_LOG

PROJECT_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def check_ledger(directory: Path) -> None:
    """Refuse a path that is no ledger directory.

    Raises:
        RequestError: `dir_missing`, `not_a_ledger`.
        UnavailableError: `storage`: the system does not let us look.
    """
    try:
        exists, holds = directory.exists(), (directory / "ledger.db").is_file()
    except OSError as error:
        raise UnavailableError(
            "storage", f"{directory} cannot be read: {error.strerror}; check the path and who may"
        ) from error
    if not exists:
        raise RequestError(
            "dir_missing", f"{directory} does not exist; make it with: counterfoil init {directory}"
        )
    if not holds:
        raise RequestError(
            "not_a_ledger", f"{directory} holds no ledger.db; name a ledger directory"
        )


def check_project(project: str) -> None:
    """Refuse a name no project can have.

    Raises:
        RequestError: `project_invalid`.
    """
    if not PROJECT_NAME.fullmatch(project):
        raise RequestError(
            "project_invalid",
            f"{project[:80]!r} is no project name: lower-case letters, digits and hyphens, at most 63",
        )


def check_named(project: str) -> None:
    """Refuse a name that is neither a project's nor the ledger's own log for access.

    Raises:
        RequestError: `project_invalid`.
    """
    if project != ACCESS_LOG:
        check_project(project)


def require_log(log: LogReads, project: str) -> None:
    """Refuse a project the ledger has no log for.

    Raises:
        RequestError: `project_invalid`, `project_unknown`.
    """
    check_named(project)
    if project not in {info.project for info in log.projects()}:
        raise RequestError(
            "project_unknown",
            f"this ledger has no log {project!r}; add it with: counterfoil init DIR --project",
        )
