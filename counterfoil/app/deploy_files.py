"""Files for running a server for real: units, a proxy's settings, log rotation, monitoring.

They ship in the package (`counterfoil/deploy/`), so that whoever has the wheel has them, and are
written out with the names of this installation in the places of theirs: `@NAME@` and so on.
Nothing is installed by it: a person reads them, and puts them where docs/how-to/install.md says.

What must hold: a value stands in files that root's programs read.  So it is refused unless it is
made of letters that mean nothing there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Final

from counterfoil.errors import RequestError
from counterfoil.stores.files import os_errors_translated

_HOST: Final = re.compile(
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._-]+)+")
_STATE_DIRECTORIES: Final = PurePosixPath("/var/lib")


@dataclass(frozen=True, slots=True)
class Installation:
    """What stands in the files that differs from one installation to another.

    Attributes:
        name: the host name people reach the server under.
        directory: of the ledger.
        user: who runs it.
        programs: the folder that `counterfoil` was installed in.
        backups: the folder that backups go to.
    """

    name: str
    directory: str = "/var/lib/counterfoil"
    user: str = "counterfoil"
    programs: str = "/opt/counterfoil/bin"
    backups: str = "/var/backups/counterfoil"


def write_deploy_files(destination: Path, installation: Installation) -> list[str]:
    """Write every file into a folder that is absent or empty, and return their names.

    Args:
        destination: made if it is absent; files in it are readable by everybody, and hold no
            secret.
        installation: what to put in the places of `@NAME@` and its like.

    Raises:
        RequestError: `dir_exists`; `usage`: a value that cannot stand in such files.
        UnavailableError: `read_only`, `storage`.
    """
    values = _values(installation)
    written = {name: _filled(text, values) for name, text in _templates().items()}
    with os_errors_translated(destination):
        if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
            raise RequestError(
                "dir_exists",
                f"{destination} is no empty directory; write them elsewhere, and compare: diff -ru",
            )
        destination.mkdir(parents=True, exist_ok=True)
        for name, text in written.items():
            (destination / name).write_text(text, "utf-8")
    return sorted(written)


def _templates() -> dict[str, str]:
    """Return the files as they ship, by name."""
    folder = resources.files("counterfoil") / "deploy"
    return {one.name: one.read_text("utf-8") for one in folder.iterdir() if one.is_file()}


def _values(installation: Installation) -> Mapping[str, str]:
    one = installation
    for what, value, form in (
        ("a host name in lower case", one.name, _HOST),
        ("the name of a user", one.user, _USER),
        ("an absolute path of letters, digits and ._-", one.directory, _PATH),
        ("an absolute path of letters, digits and ._-", one.programs, _PATH),
        ("an absolute path of letters, digits and ._-", one.backups, _PATH),
    ):
        if not form.fullmatch(value) or {".", ".."} & set(value.split("/")):
            raise RequestError("usage", f"{value[:80]!a} is not {what}, and would stand in units")
    if _lies_in(one.backups, one.directory):
        raise RequestError(
            "usage", f"{one.backups} lies in the ledger: a backup goes to another disk"
        )
    return {
        "NAME": one.name,
        "DIR": one.directory,
        "USER": one.user,
        "PROGRAMS": one.programs,
        "BACKUPS": one.backups,
        "STATE": _state(PurePosixPath(one.directory)),
    }


def _state(directory: PurePosixPath) -> str:
    """Return how a unit is given its ledger, in a file system that is otherwise read-only."""
    if not directory.is_relative_to(_STATE_DIRECTORIES):
        return f"ReadWritePaths={directory}"
    name = directory.relative_to(_STATE_DIRECTORIES)
    return f"StateDirectory={name}\nStateDirectoryMode=0700"


def _lies_in(inner: str, outer: str) -> bool:
    return PurePosixPath(inner).is_relative_to(outer)


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
