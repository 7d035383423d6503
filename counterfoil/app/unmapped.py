"""Accounts that acted and are nobody's: counted, listed, never guessed.

What must hold: an account is somebody's only because the directory says so.  Nothing here looks
at how a name is written.  Cost: 100 us for each account that is nobody's, and no entry is read:
the rows keep how often each acted.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from counterfoil.app.record import SERVER
from counterfoil.clock import format_time
from counterfoil.policy.access import ADMIN
from counterfoil.policy.directory import PROVIDER

if TYPE_CHECKING:
    from counterfoil.app.home import Home

# Nobody stands behind these, and that is as it should be.
_OURS: Final = frozenset({SERVER.handle, ADMIN.handle})


class Unmapped(msgspec.Struct, frozen=True, kw_only=True):
    """An account that acted and is nobody's.

    Attributes:
        account: as its payloads or its credential say it; "" once erased.
        ref: its pseudonym, to search for.
        acts: how many entries it is the actor of.
        last: when the last of them was recorded.
        projects: where, sorted.
    """

    account: str
    ref: str
    acts: int
    last: str
    projects: tuple[str, ...]


def unmapped(home: "Home", limit: int) -> tuple[list[Unmapped], int]:
    """Return the accounts that are nobody's, the most active first, and how many there are.

    An account is somebody's if it is linked now, or was when it acted last.
    """
    now = format_time(home.clock.now())
    directory, rows = home.access.directory, home.reader.rows
    acted: dict[str, dict[str, int]] = {}
    for info in home.log.projects():
        if not info.project.startswith("_"):
            home.follower.catch_up(info.project)
            for ref, acts in rows.acts(info.project):
                acted.setdefault(ref, {})[info.project] = acts
    nobodys = [ref for ref in acted if directory.owner_of(ref, now) is None]
    accounts = home.keys.accounts_of(nobodys)
    found = []
    for ref in nobodys:
        account, where = accounts.get(ref, ""), acted[ref]
        # An actor's own account is the actor's, also before anybody described it and after.
        if account in _OURS or account.startswith(f"{PROVIDER}:"):
            continue
        last = max(_last_act(home, project, ref) for project in where)
        if directory.owner_of(ref, last) is None:
            found.append(
                Unmapped(
                    account=account, ref=ref, acts=sum(where.values()), last=last,
                    projects=tuple(sorted(where)),
                )
            )  # fmt: skip
    found.sort(key=lambda one: (-one.acts, one.account))
    return found[:limit], len(found)


def _last_act(home: "Home", project: str, ref: str) -> str:
    """Return when an account last acted in a project, "" if the rows say it never did."""
    entry = home.reader.rows.acted(project, ref)
    return (home.reader.rows.recordedtime(project, entry) or "") if entry is not None else ""
