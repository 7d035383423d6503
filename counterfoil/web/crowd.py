"""How many connections one process holds, and which it lets go of when there are too many.

What must hold: strangers who open connections and leave them cannot use up the descriptors that
entries, tiles and blobs are written through; and whoever comes and asks at once is answered, also
while thousands wait.  So a connection is either at work, or it keeps us waiting: for a head, for
the rest of a body, or for room to write an answer to.  When one too many comes, the one that has
kept us waiting longest goes, of those from one place if that place holds more than half.  Nobody
at work is let go of: how long that lasts is up to us.

Source: tcp(7), TCP_USER_TIMEOUT; RFC 4291 section 2.5.1 (a network of IPv6 has 64 bits).
"""

import contextlib
import ipaddress
import resource
import socket
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

FILES_WANTED: Final = 8192
BACKLOG: Final = 512
"""Connections taken from the system at once, before any of them is counted."""
UNREAD_TIMEOUT_S: Final = 60
"""How long the other side may take nothing of what was written to it."""
_OWN_FILES: Final = 512


class Member(Protocol):
    """A connection, as the crowd sees it."""

    def let_go(self) -> None:
        """End at once, with what was written and not taken."""


@dataclass(slots=True)
class _Party:
    """Those that came from one place; of them, in that order, who keep us waiting."""

    place: str
    size: int = 0
    waiting: OrderedDict[Member, None] = field(default_factory=OrderedDict)


class Crowd:
    """The connections of one event loop.

    Args:
        size_max: how many there may be.

    Attributes:
        on_let_go: called once for each that goes.

    Cost: constant for each call.
    """

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        self.on_let_go: Callable[[], None] = lambda: None
        self._members: dict[Member, _Party] = {}
        self._parties: dict[str, _Party] = {}
        # In the order in which they began to keep us waiting, or were heard from since.
        self._waiting: OrderedDict[Member, None] = OrderedDict()
        self._largest: _Party | None = None

    def __len__(self) -> int:
        return len(self._members)

    def join(self, member: Member, address: str) -> None:
        """Take a connection in, which keeps us waiting; if it is one too many, one goes.

        Args:
            member: the connection.
            address: where it comes from, as a number; anything else is a place of its own.
        """
        place = _place(address)
        party = self._parties.setdefault(place, _Party(place))
        self._members[member] = party
        party.size += 1
        if self._is_over_half(party):
            self._largest = party
        self.wait_for(member)
        if len(self._members) > self.size_max:
            crowded = self._largest is not None and self._largest.waiting
            longest = next(iter(crowded or self._waiting))
            # At once: the system tells us of its end only after the others that have come.
            self.leave(longest)
            longest.let_go()
            self.on_let_go()

    def wait_for(self, member: Member) -> None:
        """Note that a connection keeps us waiting from now on, if it did not before."""
        party = self._members.get(member)
        if party is not None:
            self._waiting.setdefault(member)
            party.waiting.setdefault(member)

    def heard_from(self, member: Member) -> None:
        """Note that a connection keeps us waiting only from now on, if it does."""
        if member in self._waiting:
            self._waiting.move_to_end(member)
            self._members[member].waiting.move_to_end(member)

    def work_for(self, member: Member) -> None:
        """Note that it is our turn now."""
        party = self._members.get(member)
        if party is not None:
            self._waiting.pop(member, None)
            party.waiting.pop(member, None)

    def leave(self, member: Member) -> None:
        """Forget a connection."""
        self.work_for(member)
        party = self._members.pop(member, None)
        if party is None:
            return
        party.size -= 1
        if party is self._largest and not self._is_over_half(party):
            self._largest = None
        if not party.size:
            del self._parties[party.place]

    def _is_over_half(self, party: _Party) -> bool:
        """Whether it holds more than half of the places and the one that is too many."""
        return 2 * party.size > self.size_max + 1


def _place(address: str) -> str:
    """Return what one stranger can have many connections from: an address, or a network of IPv6.

    >>> _place("::ffff:192.0.2.1"), _place("2001:db8::7")
    ('192.0.2.1', '2001:db8::/64')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))


def raise_files_limit() -> None:
    """Ask the system for as many descriptors as we want, as far as it lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def write_no_core() -> None:
    """Ask the system to write no image of this process when it dies: signing keys are in it."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def connections_max() -> int:
    """Return how many connections leave enough descriptors for everything else.

    >>> connections_max() >= 1
    True
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = FILES_WANTED if soft == resource.RLIM_INFINITY else min(soft, FILES_WANTED)
    return max(1, files // 2, files - BACKLOG - _OWN_FILES)


def end_unread(sock: socket.socket) -> None:
    """Have the system end a connection whose other side takes nothing for too long."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_TIMEOUT_S * 1000)
