"""Holds placed, released and listed: what is not erased and does not expire, whatever the rules say.

What must hold: a hold is in its log before anybody is told that it holds, and nothing it is over
goes between the question and that; a hold on nothing is refused, since it would keep nothing.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.moments import span_of
from counterfoil.app.named_actor import pseudonym_of
from counterfoil.clock import format_time
from counterfoil.errors import RequestError
from counterfoil.events.event import Event
from counterfoil.events.refs import parse_ref
from counterfoil.policy.directory import Directory
from counterfoil.policy.keeping import Hold
from counterfoil.projections.search import quote

if TYPE_CHECKING:
    from counterfoil.app.home import Home

SERVER_SAYS: Final = "server"
"""How an event about keeping came: only such a one counts (`app.keeping`)."""
TEXT_MAX: Final = 1_000
NAMED_MAX: Final = 100


class Placing(Given, frozen=True, kw_only=True):
    """What to hold: at least one of refs, actors and a time.

    Attributes:
        case: what it is for, such as the number of a matter.
        reason: why.
        project: in whose log.
        refs: entries that name one of them.
        actors: entries somebody did or is named in: handles, accounts or `actor:` refs; they are
            not erased before `until`.
        since, until: entries recorded from when on, and up to when (exclusive); with refs or
            actors only those of them in that time.
    """

    case: str
    reason: str
    project: str = "default"
    refs: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    since: str = ""
    until: str = ""


class Placed(Done, frozen=True, kw_only=True):
    """A hold; `hold` is its number, which releases it, and `made` its entry in the project's log."""

    hold: int
    made: tuple[int, ...]


class Releasing(Given, frozen=True, kw_only=True):
    """A hold to end, by its number, and why."""

    hold: int
    reason: str
    project: str = "default"


class Released(Done, frozen=True, kw_only=True):
    """A hold that ended; `made` is the entry in the project's log that says so."""

    made: tuple[int, ...]


class Listing(Given, frozen=True, kw_only=True):
    """Which holds: with `released`, those too that ended."""

    project: str = "default"
    released: bool = False


class HoldRow(msgspec.Struct, frozen=True, kw_only=True):
    """One hold as it stands.

    Attributes:
        hold: its number: the entry that placed it.
        case, reason: what it is for, and why.
        on: what it is on, in words, people by handle or account.
        by: who placed it, a handle; "" once erased. `time` is when, RFC 3339.
        released: the entry that ended it, -1 while it holds.
    """

    hold: int
    case: str
    reason: str
    on: str
    by: str
    time: str
    released: int


class Holding(Done, frozen=True, kw_only=True):
    """Holds, the oldest first."""

    holds: tuple[HoldRow, ...]


def place(acting: Acting) -> Placed:
    """Place a hold.

    Raises:
        RequestError: `usage`: on nothing, no case, no reason; `ref_invalid`, `actor_unknown`,
            `project_unknown`; `not_found`: no entry names a ref, or none was recorded then.
    """
    given: Placing = acting.given
    home = acting.home
    home.require_project(given.project)
    for name in ("case", "reason"):
        if not 0 < len(getattr(given, name).strip()) <= TEXT_MAX:
            raise RequestError("usage", f"say the {name}, in at most {TEXT_MAX:,} characters")
    if not (given.refs or given.actors or given.since or given.until):
        raise RequestError("usage", "hold what? name refs, actors, or from when to when")
    if len(given.refs) + len(given.actors) > NAMED_MAX:
        raise RequestError("usage", f"a hold is on {NAMED_MAX} things at most; place several")
    span = span_of(given.since, given.until)
    named = [(str(_known(acting, ref)), "held") for ref in given.refs]
    for text in given.actors:
        person = home.keys.person_by_pseudonym(pseudonym_of(home.access, home.keys, text))
        if person is None:
            raise RequestError("actor_unknown", f"{text[:80]!a} is erased")
        named.append((f"actor:{person.account}", "held"))
    _require_recorded(acting, span["since"] or "", span["until"] or "")
    event = home.access.event(
        "hold.placed",
        acting.credential,
        subject=None,
        data={"case": given.case.strip(), "reason": given.reason.strip(), **span,
              "asked": acting.asked if acting.asked >= 0 else None},
        named=list(dict.fromkeys(named)),
    )  # fmt: skip
    with home.keeping.still:
        index = record(acting, given.project, event)
        placed = home.keeping.of(given.project).holds[index]
    said = f"{given.project}: {words_of(home, placed)} is held under number {index}"
    return Placed(said=said, hold=index, made=(index,))


def release(acting: Acting) -> Released:
    """End a hold.

    Raises:
        RequestError: `not_found`: there is none of that number; `usage`: it ended already, or no
            reason; `project_unknown`.
    """
    given: Releasing = acting.given
    home = acting.home
    home.require_project(given.project)
    if not 0 < len(given.reason.strip()) <= TEXT_MAX:
        raise RequestError("usage", f"say why, in at most {TEXT_MAX:,} characters")
    with home.keeping.still:
        found = home.keeping.of(given.project).holds.get(given.hold)
        if found is None:
            raise RequestError(
                "not_found", f"{given.project} has no hold {given.hold}; counterfoil hold list"
            )
        if found.released >= 0:
            raise RequestError(
                "usage", f"hold {given.hold} was released already, by entry {found.released}"
            )
        event = home.access.event(
            "hold.released", acting.credential, subject=None,
            data={"hold": found.entry, "case": found.case or None, "reason": given.reason.strip(),
                  "asked": acting.asked if acting.asked >= 0 else None},
        )  # fmt: skip
        index = record(acting, given.project, event)
    return Released(said=f"hold {given.hold} holds no more", made=(index,))


def listed(acting: Acting) -> Holding:
    """List holds.

    Raises:
        RequestError: `project_unknown`.
    """
    given: Listing = acting.given
    acting.home.require_project(given.project)
    kept = acting.home.keeping.of(given.project)
    rows = tuple(
        row_of(acting, one) for one in kept.holds.values() if given.released or one.released < 0
    )
    count = sum(one.released < 0 for one in rows)
    return Holding(said=f"{count} holds in {given.project}", holds=rows)


def row_of(acting: Acting, hold: Hold) -> HoldRow:
    """Return a hold as it is listed."""
    directory: Directory = acting.home.access.directory
    actor = directory.actors.get(directory.person_of(hold.by))
    return HoldRow(
        hold=hold.entry, case=hold.case, reason=hold.reason, on=words_of(acting.home, hold),
        by=actor.handle if actor is not None else "", time=hold.time, released=hold.released,
    )  # fmt: skip


def record(acting: Acting, project: str, event: Event) -> int:
    """Record what the server says about keeping in a project's log; return the entry."""
    recorder = acting.home.recorder
    [answer] = recorder.record_own(project, [event], acting.credential, SERVER_SAYS)
    return answer.index


def words_of(home: "Home", hold: Hold) -> str:
    """Return what a hold is on, in words; people by handle or account."""
    about = list(hold.refs)
    for ref in hold.actors:
        actor = home.access.directory.actors.get(ref)
        person = home.keys.person_by_pseudonym(ref)
        known = person.account if person is not None else "somebody erased"
        about.append(actor.handle if actor is not None and actor.handle else known)
    if hold.ranged:
        time = f"from {hold.since or 'the beginning'} to {hold.until or 'whatever comes'}"
        about.append(f"recorded {time}" if not about else time)
    return ", ".join(about) or "everything"


def _known(acting: Acting, ref: str) -> str:
    """Return a ref that an entry names.

    The rows of pages tell, caught up with the log: a typo would hold nothing, and nobody would
    know.  What is held is told by the entries themselves.
    """
    given: Placing = acting.given
    parse_ref(ref)
    if ref.startswith("actor:"):
        raise RequestError("usage", f"{ref[:80]!a} is somebody: give it as an actor")
    home = acting.home
    home.follower.catch_up(given.project)
    if not home.reader.search(given.project, f"ref:{quote(ref)}", limit=1).items:
        raise RequestError("not_found", f"no entry of {given.project} names {ref[:120]!a}")
    return ref


def _require_recorded(acting: Acting, since: str, until: str) -> None:
    """Refuse a time that is over and in which nothing was recorded."""
    given: Placing = acting.given
    home = acting.home
    if not until or until > format_time(home.clock.now()):
        return
    size = home.log.head(given.project).size
    first = home.holds.index_at(given.project, since, size)
    if first >= home.holds.index_at(given.project, until, size):
        raise RequestError("not_found", f"nothing was recorded in {given.project} in that time")


ACTIONS: Final = (
    Action(
        name="hold-place", verb="hold", takes=Placing, gives=Placed, run=place, people=("actors",),
        doc="Hold evidence: nothing of it is erased or expires until that is released.",
    ),
    Action(
        name="hold-release", verb="hold", takes=Releasing, gives=Released, run=release,
        doc="End a hold.",
    ),
    Action(
        name="hold-list", verb="read", reads="actors", takes=Listing, gives=Holding, run=listed,
        doc="List holds.",
    ),
)  # fmt: skip
