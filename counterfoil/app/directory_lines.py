"""What a directory file says, line by line: people, teams and roles as an organisation has them.

Everything is by handle, account and ref, as written; None is what a file does not speak of.
"""

from typing import Final

import msgspec

from counterfoil.errors import RequestError

VERSION: Final = "counterfoil.directory/1"
COLUMNS: Final = {
    "actor": ("handle", "kind", "name", "behalf"),
    "account": ("handle", "account", "since", "until"),
    "deputy": ("handle", "deputy", "since", "until"),
    "team": ("team", "title", "turns", "turns_from", "turn_days"),
    "member": ("team", "handle", "since", "until"),
    "role": ("to", "role", "project", "tier", "component", "since", "until"),
}
"""What a row of the CSV form may have, by what it is about."""


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that holds from `since` (at once if "") until `until` (for good if "")."""

    line: int
    since: str = ""
    until: str = ""


class AccountLine(Timed, frozen=True, kw_only=True):
    """An account of the actor it stands with."""

    account: str


class DeputyLine(Timed, frozen=True, kw_only=True):
    """Who stands in for the actor it stands with, by handle."""

    deputy: str


class MemberLine(Timed, frozen=True, kw_only=True):
    """A member, by handle, of the team it stands with."""

    handle: str


class RoleLine(Timed, frozen=True, kw_only=True):
    """A role for a handle or a `team:` ref, somewhere."""

    to: str
    role: str
    project: str
    tier: str
    component: str


class ActorLine(msgspec.Struct, frozen=True, kw_only=True):
    """An actor; None is what the file does not speak of."""

    line: int
    handle: str
    kind: str
    name: str
    behalf: str
    accounts: tuple[AccountLine, ...] | None
    deputies: tuple[DeputyLine, ...] | None


class TeamLine(msgspec.Struct, frozen=True, kw_only=True):
    """A team; turns go round `turns`, by handle, from the date `turns_from` on."""

    line: int
    ref: str
    title: str
    turns: tuple[str, ...]
    turns_from: str
    turn_days: int
    members: tuple[MemberLine, ...] | None


class DirectoryFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says, by handle and by ref; `digest` is that of its bytes, `sha256:HEX`."""

    digest: str
    actors: dict[str, ActorLine]
    teams: dict[str, TeamLine]
    roles: tuple[RoleLine, ...]


def refused(line: int, message: str) -> RequestError:
    """Return the refusal of a file for what stands on a line, counted from 1."""
    return RequestError("directory_refused", f"line {line}: {message}", line=line)


class OnLine:
    """Give what is refused within the block the line it stands on."""

    def __init__(self, line: int) -> None:
        self._line = line

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, RequestError) and error.code != "directory_refused":
            raise refused(self._line, error.message) from error
