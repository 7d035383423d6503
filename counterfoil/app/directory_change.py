"""What the parts of a difference share: what is in force, what a change is, whom a name means.

Pure.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec

from counterfoil.app.directory_lines import DirectoryFile, Timed, refused
from counterfoil.events.canonical import JSON
from counterfoil.policy.directory import PROVIDER, Actor, Directory, Span


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change, in words and as the event it will be.

    Attributes:
        does: "add", "change", "remove", "link", "unlink", "join", "leave", "stand-in",
            "end stand-in", "grant" or "revoke".
        who: a handle or a `team:` ref.
        text: what, for people.
        event, subject, data, named: of the event; a grant's id is not in it.
        gives: whether somebody has a role by it, other than by a grant.
    """

    does: str
    who: str
    text: str
    event: str
    subject: str
    data: dict[str, JSON]
    named: tuple[tuple[str, str], ...] = ()
    gives: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is in force, as far as a difference needs it.

    Args:
        directory: who there is.
        accounts: pseudonym -> account, of every link there is.
        projects: the projects of this ledger.
        now: RFC 3339.
    """

    directory: Directory
    accounts: Mapping[str, str]
    projects: Collection[str]
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """A file beside what is in force.

    Args:
        file: what it says.
        standing: what is in force.
        remove_missing: whether whom the file does not describe is to be removed.
    """

    file: DirectoryFile
    standing: Standing
    remove_missing: bool

    @property
    def directory(self) -> Directory:
        """Who there is."""
        return self.standing.directory

    @property
    def now(self) -> str:
        """This moment, RFC 3339."""
        return self.standing.now

    def is_missing(self, actor: Actor) -> bool:
        """Whether the file removes an actor: services it leaves to the tokens that made them."""
        return (
            self.remove_missing
            and actor.kind != "service"
            and actor.handle != ""
            and actor.handle not in self.file.actors
        )

    def kind(self, handle: str, line: int) -> str:
        """Return the kind of an actor somebody names, described here or known before."""
        if (here := self.file.actors.get(handle)) is not None:
            return here.kind
        known = self.directory.by_handle(handle)
        if known is None or self.is_missing(known):
            raise refused(line, f"nobody describes {handle[:80]!a}, in this file or before")
        return known.kind

    def handle(self, ref: str) -> str:
        """Return the handle behind a pseudonym, "" where there is none any more."""
        found = self.directory.actor(ref)
        return found.handle if found is not None else ""

    def goes(self, handle: str) -> bool:
        """Whether this file removes somebody: then nothing of theirs has to be ended."""
        known = self.directory.by_handle(handle)
        return known is not None and self.is_missing(known)


def pair(
    does: str, event: str, who: str, handle: str, subject: str, role: str, said: Timed | None
) -> Change:
    """Return a change that says who belongs to whom, or no more where `said` is None."""
    since, until = (said.since, said.until) if said is not None else ("", "")
    return Change(
        does=does,
        who=who,
        text=handle + dates(since, until),
        event=event,
        subject=subject,
        data=span(since, until)
        if said is not None
        else {"reason": "not in the directory file any more"},
        named=((actor_ref(handle), role),),
    )


def is_said(said: Timed, known: Span | None) -> bool:
    """Whether what a line says holds already; a line without `since` takes any."""
    return known is not None and said.since in {"", known.since} and said.until == known.until


def span(since: str, until: str) -> dict[str, JSON]:
    """Return the dates as members of an event's data."""
    return {**({"since": since} if since else {}), **({"until": until} if until else {})}


def dates(since: str, until: str) -> str:
    """Return the dates as words."""
    return (f" since {since}" if since else "") + (f" until {until}" if until else "")


def actor_ref(handle: str) -> str:
    """Return how events name the actor of a handle."""
    return f"actor:{PROVIDER}:{handle}"
