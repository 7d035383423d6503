"""How many connections one process holds, and which it lets go of when there are too many.

What must hold: strangers who open connections and leave them cannot use up the descriptors that
entries, tiles and blobs are written through; and whoever comes and asks at once is answered, also
while thousands wait.  So a connection is either at work, or it keeps us waiting: for a head, or
for room to write an answer to.  When one too many comes, the one that has kept us waiting longest
goes.

Source: tcp(7), TCP_USER_TIMEOUT.
"""

import contextlib
import resource
import socket
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


class Crowd:
    """The connections of one event loop.

    Args:
        size_max: how many there may be.

    Cost: constant for each call.
    """

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        self._members: set[Member] = set()
        # In the order in which they began to keep us waiting.
        self._waiting: dict[Member, None] = {}

    def __len__(self) -> int:
        return len(self._members)

    def join(self, member: Member) -> None:
        """Take a connection in, which keeps us waiting; if it is one too many, one goes."""
        self._members.add(member)
        self._waiting[member] = None
        if len(self._members) > self.size_max:
            longest = next(iter(self._waiting))
            # At once: the system tells us of its end only after the others that have come.
            self.leave(longest)
            longest.let_go()

    def wait_for(self, member: Member) -> None:
        """Note that a connection keeps us waiting from now on, if it did not before."""
        if member in self._members:
            self._waiting.setdefault(member)

    def work_for(self, member: Member) -> None:
        """Note that it is our turn now."""
        self._waiting.pop(member, None)

    def leave(self, member: Member) -> None:
        """Forget a connection."""
        self._members.discard(member)
        self._waiting.pop(member, None)


def raise_files_limit() -> None:
    """Ask the system for as many descriptors as we want, as far as it lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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
