"""Accounts that acted and are nobody's: counted, listed, never guessed.

What must hold: an account is somebody's only because the directory says so.  Nothing here looks
at how a name is written.  Cost: 20 us for each account that acted and a few queries: no entry is
read, the rows keep how often each acted.
"""

from collections.abc import Mapping, Sequence
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
    # An actor's own account is the actor's, also before anybody described it and after.
    left = [
        ref
        for ref in nobodys
        if accounts.get(ref, "") not in _OURS
        and not accounts.get(ref, "").startswith(f"{PROVIDER}:")
    ]
    once_linked = _last_acts(home, acted, [ref for ref in left if ref in directory.links])
    left = [ref for ref in left if directory.owner_of(ref, once_linked.get(ref, "")) is None]
    left.sort(key=lambda ref: (-sum(acted[ref].values()), accounts.get(ref, ""), ref))
    last = _last_acts(home, acted, left[:limit])
    found = [
        Unmapped(
            account=accounts.get(ref, ""),
            ref=ref,
            acts=sum(acted[ref].values()),
            last=last.get(ref, ""),
            projects=tuple(sorted(acted[ref])),
        )
        for ref in left[:limit]
    ]
    return found, len(left)


def _last_acts(
    home: "Home", acted: Mapping[str, Mapping[str, int]], refs: Sequence[str]
) -> dict[str, str]:
    """Return when each of some accounts last acted in any project."""
    found: dict[str, str] = {}
    for project in sorted({project for ref in refs for project in acted[ref]}):
        for ref, time in home.reader.rows.last_acts(project, refs).items():
            found[ref] = max(found.get(ref, ""), time)
    return found
