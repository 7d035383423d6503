"""A directory file, compared and taken over: first what it would change, then exactly that.

What must hold: what is applied is what was shown.  The second step works the difference out again
under the directory's lock and goes on only if it is the same, of the same file.  If we crash while
it is recorded, the directory holds the first part of it, and the next import shows the rest.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from counterfoil.app.acting_roles import GRANT_BYTES
from counterfoil.app.acting_sign_in import end_sessions_by, forget_removed
from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.directory_change import Change, Standing
from counterfoil.app.directory_diff import difference, digest_of
from counterfoil.app.directory_file import read_directory
from counterfoil.app.directory_lines import DirectoryFile
from counterfoil.app.giving import shortfall_of
from counterfoil.clock import format_time
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.events.event import Event
from counterfoil.policy.access import LOG
from counterfoil.policy.directory import Actor

SCOPE: Final = ("project", "tier", "component")
GONE: Final = "its holder was removed"
LOOK_AGAIN: Final = "look again at what it would change"


class Comparing(Given, frozen=True, kw_only=True):
    """A directory file.

    Attributes:
        content: its text.
        form: "yaml" or "csv".
        remove_missing: remove persons, agents and teams it does not describe.
    """

    content: str
    form: str = "yaml"
    remove_missing: bool = False


class Importing(Comparing, frozen=True, kw_only=True):
    """A directory file, and the digest of the difference to apply."""

    digest: str


class ShownChange(msgspec.Struct, frozen=True):
    """One change in words: `does` to or for `who`, a handle or `team:` ref."""

    does: str
    who: str
    text: str


class Compared(Done, frozen=True, kw_only=True):
    """What a file would change; `digest` names exactly this difference."""

    digest: str
    counts: dict[str, int]
    changes: tuple[ShownChange, ...]


class Imported(Done, frozen=True, kw_only=True):
    """What a file changed."""

    counts: dict[str, int]


def compare(acting: Acting) -> Compared:
    """Show what a file would change; nothing is changed.

    Raises:
        RequestError: `directory_refused`, with `line`; `not_allowed`: it gives roles, by a grant, a
            team or a deputy, and whoever asks may not.
    """
    given: Comparing = acting.given
    file = _read(acting, given)
    with acting.home.access.changing():
        changes = _changes(acting, file, remove_missing=given.remove_missing)
    counts = dict(Counter(one.does for one in changes))
    digest = digest_of(file, changes)
    return Compared(
        said=f"{_said(counts)} to apply as {digest}" if changes else "nothing would change",
        digest=digest,
        counts=counts,
        changes=tuple(_shown(acting, changes)),
    )


def take_over(acting: Acting) -> Imported:
    """Apply the difference that was shown.

    Raises:
        RequestError: `directory_refused`, `not_allowed`; `directory_changed`: the file or the
            directory is another one since.
    """
    given: Importing = acting.given
    file = _read(acting, given)
    access = acting.home.access
    with access.changing():
        changes = _changes(acting, file, remove_missing=given.remove_missing)
        if digest_of(file, changes) != given.digest:
            raise RequestError(
                "directory_changed",
                f"this is not the difference {given.digest[:40]!a} any more; {LOOK_AGAIN}",
            )
        events = [_event(acting, one) for one in changes]
        gone = [_actor(acting, one.who) for one in changes if one.event == "actor.removed"]
        unlinked = [
            (_actor(acting, one.who).ref, ref.removeprefix("actor:"))
            for one in changes
            if one.event == "account.unlinked"
            for ref, _ in one.named
        ]
        made = access.enact(events, acting.credential, acting.via) if events else []
    ended = [one for actor in gone for one in forget_removed(acting, actor, GONE)]
    ended += [one for ref, account in unlinked for one in end_sessions_by(acting, ref, account)]
    counts = dict(Counter(one.does for one in changes))
    return Imported(
        said=f"{_said(counts)} done" if changes else "nothing changed",
        entries=(*(one.index for one in made), *ended),
        counts=counts,
    )


def _read(acting: Acting, given: Comparing) -> DirectoryFile:
    file = read_directory(given.content, given.form)
    if file.roles:
        acting.home.access.require(acting.credential, "roles", LOG)
    return file


def _changes(acting: Acting, file: DirectoryFile, *, remove_missing: bool) -> list[Change]:
    """Return the difference to what is in force; the directory is held still meanwhile."""
    home = acting.home
    directory = home.access.directory
    standing = Standing(
        directory=directory,
        accounts=home.keys.accounts_of(directory.links),
        projects={log.project for log in home.log.projects()},
        now=format_time(home.clock.now()),
    )
    changes = difference(file, standing, remove_missing=remove_missing)
    if any(one.gives for one in changes):
        home.access.require(acting.credential, "roles", LOG)
    own = directory.actor(acting.credential.actor)
    if own is not None and any(one.does == "remove" and one.who == own.handle for one in changes):
        raise RequestError(
            "directory_refused",
            f"the file does not describe {own.handle}: nobody removes themselves; add a line",
        )
    return changes


def _shown(acting: Acting, changes: list[Change]) -> Iterator[ShownChange]:
    """Yield changes in words, of each grant with what its scope keeps it from giving."""
    known: dict[tuple[str, ...], str] = {}
    for one in changes:
        text = one.text
        if one.event == "role.granted":
            role, *scope = (str(one.data[name]) for name in ("role", *SCOPE))
            if (role, *scope) not in known:
                known[role, *scope] = shortfall_of(acting, role, *scope)
            text += f"; {lost}" if (lost := known[role, *scope]) else ""
        yield ShownChange(one.does, one.who, text)


def _actor(acting: Acting, handle: str) -> Actor:
    return acting.home.access.require_actor(handle)


def _event(acting: Acting, one: Change) -> Event:
    data: dict[str, JSON] = one.data
    if one.event == "role.granted":
        data = {"grant": acting.home.randomness.token(GRANT_BYTES).hex(), **data}
    return acting.home.access.event(
        one.event, acting.credential, subject=one.subject, data=data, named=one.named
    )


def _said(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {does}" for does, count in counts.items())


ACTIONS: Final = (
    Action(
        name="directory-diff", verb="people", reads="accounts", takes=Comparing, gives=Compared, run=compare,
        doc="Show what a directory file would change, and the digest to apply it by.",
    ),
    Action(
        name="directory-import", verb="people", takes=Importing, gives=Imported, run=take_over,
        doc="Apply exactly the difference of a directory file that was shown.",
    ),
)  # fmt: skip
