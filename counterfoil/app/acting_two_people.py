"""What waits for a second person: listed, agreed to, withdrawn.

What must hold: nobody agrees to what they asked for themselves; what is done is what was asked.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from counterfoil.app.actions import Acting, Action, Done, Given, do_asked
from counterfoil.app.asks import Asks
from counterfoil.clock import format_time
from counterfoil.errors import RequestError
from counterfoil.policy.access import LOG, Credential
from counterfoil.policy.asked import Ask
from counterfoil.policy.directory import Directory

if TYPE_CHECKING:
    from counterfoil.app.home import Home

LISTED_MAX: Final = 200


class Listing(Given, frozen=True, kw_only=True):
    """Which: with `over`, those too that are done or over."""

    over: bool = False


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One thing somebody asked for.

    Attributes:
        entry: of `_access`, that asks.
        action, project: what, where.
        given: with which fields; None once erased, and for who may neither do it nor open
            personal values.
        digest: of action and fields: what a second person agrees to.
        why: why one person is not enough.
        by: who asked, a handle; "" once erased.
        time, until: when, and how long it waits, RFC 3339.
        state: "waits", "under way" (agreed to, not done), "over", or how it ended.
        second: who agreed, a handle; "" for nobody yet.
    """

    entry: int
    action: str
    project: str
    given: dict[str, Any] | None
    digest: str
    why: str
    by: str
    time: str
    until: str
    state: str
    second: str


class Waits(Done, frozen=True, kw_only=True):
    """What was asked for, the latest first."""

    asked: tuple[Waiting, ...]


class Confirming(Given, frozen=True, kw_only=True):
    """A second person's yes.

    Attributes:
        entry: of `_access`, that asks.
        digest: of what was read; "" to take it as it stands in the log.
    """

    entry: int
    digest: str = ""


class Confirmed(Done, frozen=True, kw_only=True):
    """It was agreed to and done; `asked` is the entry that asked, `done` what came of it."""

    asked: int
    done: Any


class Withdrawing(Given, frozen=True, kw_only=True):
    """An end without a deed: by who asked, or by another person who says no."""

    entry: int
    reason: str = ""


def listed(acting: Acting) -> Waits:
    """List what was asked for."""
    given: Listing = acting.given
    home = acting.home
    now = format_time(home.clock.now())
    shown = [one for one in home.asks.all() if given.over or one.waits(now) or one.under_way()]
    rows = shown_to(home, acting.credential, shown[:LISTED_MAX], home.access.directory, now)
    count = sum(one.state == "waits" for one in rows)
    return Waits(said=f"{count} wait for another person", asked=rows)


def shown_to(
    home: "Home", credential: Credential, asks: Sequence[Ask], directory: Directory, now: str
) -> tuple[Waiting, ...]:
    """Return things that were asked for, as somebody may see them at a moment.

    What was given is for whoever decides about it, or may open personal values.
    """
    shown = format_time(home.clock.now())
    here = dataclasses.replace(credential, confirmed=True, verified=shown)
    personal = home.access.decide(here, "personal", LOG).allowed
    rows = []
    for ask in asks:
        row = waiting_of(ask, directory, now)
        if not personal and not home.access.decide(here, ask.verb, ask.project).allowed:
            row = msgspec.structs.replace(row, given=None)
        rows.append(row)
    return tuple(rows)


def waiting_of(ask: Ask, directory: Directory, now: str) -> Waiting:
    """Return one thing that was asked for as it stands at a moment."""

    def handle(ref: str) -> str:
        actor = directory.actors.get(directory.person_of(ref)) if ref else None
        return actor.handle if actor is not None else ""

    if ask.ended >= 0:
        state = ask.how
    elif ask.under_way():
        state = "under way"
    else:
        state = "waits" if ask.waits(now) else "over"
    return Waiting(
        entry=ask.entry, action=ask.action, project=ask.project,
        given=dict(ask.given) if ask.given is not None else None, digest=ask.digest, why=ask.why,
        by=handle(ask.by), time=ask.time, until=ask.until, state=state,
        second=handle(ask.confirmed_by),
    )  # fmt: skip


def confirm(acting: Acting) -> Confirmed:
    """Agree to what another person asked for, and do it.

    Raises:
        RequestError: `not_found`, `two_people`, `confirm_refused`, `not_allowed`; what the action
            refuses, which ends what was asked.
    """
    given: Confirming = acting.given
    asks: Asks = acting.home.asks
    with asks.deciding:
        ask = asks.get(given.entry)
        asks.require_second(ask, acting.credential)
        if given.digest and given.digest != ask.digest:
            raise RequestError(
                "confirm_refused",
                f"what entry {ask.entry} asked for is {ask.digest}: read it again",
            )
        made: tuple[int, ...] = ()
        if ask.confirmed < 0:
            made = (asks.confirm(ask, acting.credential, acting.via),)
        try:
            done = do_asked(acting, ask)
        except RequestError as error:
            asks.end(ask, acting.credential, acting.via, "failed", error.message)
            raise
        # What is recorded in the log of a project is listed apart from what is in `_access`.
        made_by = getattr(done, "made", done.entries)
        made += (asks.end(ask, acting.credential, acting.via, "done", "", made_by),)
    return Confirmed(said=f"confirmed: {done.said}", entries=made, asked=ask.entry, done=done)


def withdraw(acting: Acting) -> Done:
    """End what was asked for without doing it.

    Raises:
        RequestError: `not_found`; `confirm_refused`: it does not wait any more.
    """
    given: Withdrawing = acting.given
    asks: Asks = acting.home.asks
    with asks.deciding:
        ask = asks.get(given.entry)
        if not ask.waits(format_time(acting.home.clock.now())):
            raise RequestError("confirm_refused", f"what entry {ask.entry} asked for waits no more")
        own = ask.by in acting.home.access.directory.pseudonyms_of(acting.credential.actor)
        if not own:
            agreed = dataclasses.replace(acting.credential, confirmed=True)
            acting.home.access.require(agreed, ask.verb, ask.project)
        why = given.reason or ("by who asked" if own else "another person said no")
        entry = asks.end(ask, acting.credential, acting.via, "withdrawn", why)
    return Done(said=f"what entry {ask.entry} asked for will not be done", entries=(entry,))


ACTIONS: Final = (
    Action(
        name="asked-list", verb="read", reads="actors", takes=Listing, gives=Waits, run=listed,
        doc="List what waits for a second person.",
    ),
    Action(
        name="confirm", verb="read", takes=Confirming, gives=Confirmed, run=confirm,
        doc="Agree to what another person asked for, and do it.",
    ),
    Action(
        name="asked-withdraw", verb="read", takes=Withdrawing, gives=Done, run=withdraw,
        doc="End what was asked for without doing it.",
    ),
)  # fmt: skip
