"""Erasing as an action: a person with all that is theirs, or parts of one entry.

What must hold: whoever asks is told what would go before it goes (`dry_run`); what is on hold
stays; what is refused changes nothing.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from counterfoil.app.acting_sign_in import forget_removed
from counterfoil.app.actions import Acting, Action, Done, Given
from counterfoil.app.erasing_plan import Going, Plan, decides
from counterfoil.app.erasing_words import Words
from counterfoil.app.opening import BLOB
from counterfoil.clock import format_time
from counterfoil.errors import RequestError
from counterfoil.events.canonical import JSON
from counterfoil.events.entry import Entry, read_entry
from counterfoil.events.erasing import EVERY, as_ranges, is_erasing
from counterfoil.events.event import Event, make_event
from counterfoil.events.kinds import OWN
from counterfoil.ledger.store import Kept, Person

SOURCE: Final = "urn:counterfoil:server"
TYPE: Final = f"{OWN}erasure.performed.0.1.0"
REASON_MAX: Final = 1_000
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#-]{0,99}")
_ACTOR: Final = "actor:"
_KINDS: Final = {"person": "user", "service": "service_account", "agent": "agent"}


class Erasing(Given, frozen=True, kw_only=True):
    """What is to go, and why.

    Attributes:
        reason: why; sealed, since it may say who asked.
        request_id: of the request; it stands in the open, so no name in it.
        subject: a person, with all that is sealed under their keys: handle, account or `actor:`
            pseudonym.
        entry: or a number of an entry, from 0;
        field: and what of it: names of its parts, as its page lists them; `*` for all.
        project: whose log the entry is in.
        theirs_only: of a person, leave alone what others wrote.
        dry_run: only say what would go.
    """

    reason: str
    request_id: str
    subject: str = ""
    entry: int | None = None
    field: tuple[str, ...] = ()
    project: str = "default"
    theirs_only: bool = False
    dry_run: bool = False


class GoingFrom(msgspec.Struct, frozen=True, kw_only=True):
    """What goes from one log.

    Attributes:
        project: whose log.
        entries: how many entries something goes of.
        theirs: how many of them have parts under the person's own keys.
        named: parts that are named, `ENTRY NAME` each: the first hundred.
        more: how many more are named.
        stays: parts that hold words of theirs and stay: who may do what follows from them.
        event: the entry that says so; null if nothing was done.
    """

    project: str
    entries: int
    theirs: int
    named: tuple[str, ...]
    more: int
    stays: tuple[str, ...]
    event: int | None = None


class Erased(Done, frozen=True, kw_only=True):
    """What went, or would go.

    Attributes:
        done: whether it did.
        logs: of which logs.
        held: holds that keep it from going.
        files: how many waiting files of DIR/spool go.
    """

    done: bool
    logs: tuple[GoingFrom, ...]
    held: tuple[str, ...] = ()
    files: int = 0


SHOWN_MAX: Final = 100


def erase(acting: Acting) -> Erased:
    """Erase a person, or parts of an entry.

    Raises:
        RequestError: `not_allowed`: in one of the logs concerned; `usage`, `actor_unknown`, `not_found`, `project_unknown`; `erased`: it is
            already; `on_hold`.
        UnavailableError: `locked`: a backup is being taken; `busy`: a spool with words of theirs
            is being written.
    """
    given: Erasing = acting.given
    _check(given)
    home = acting.home
    # What is counted in memory may name the person, and is an entry like any other by then.
    home.recorder.record_refusals(everything=True)
    home.recorder.record_readings(everything=True)
    plan, words = _of_person(acting) if given.subject else (_of_entry(acting), Words(()))
    home.spool.look()
    if words.within(given.reason.encode()) or words.within(given.request_id.encode()):
        raise RequestError("usage", "the reason names whom it erases; say it without their words")
    plan.look()
    for project in plan.of:
        # Asked for in one project, a person is erased in all: so they have to be theirs to erase.
        home.access.require(acting.credential, "erase", project)
    files = home.eraser.copies.spooled(words)
    held = _held(acting, plan)
    if given.dry_run:
        for project in plan.of:
            # What was opened to find a person's words, and who is told of them, is on record.
            home.recorder.readings.note(project, acting.credential, "actors")
        said = f"nothing was erased; {_what(plan)} would go"
        said += f", but for {', '.join(held)}" if held else ""
        return Erased(said=said, done=False, logs=_logs(plan), held=held, files=len(files))
    _refuse_held(held)
    home.eraser.copies.refuse_written(files)
    moment, token = format_time(home.clock.now()), home.randomness.token(8).hex()

    def make() -> list[tuple[str, Event]]:
        plan.look()
        _refuse_held(_held(acting, plan))
        return [
            (project, _event(acting, plan.subjects, data, moment, f"erasure/{token}/{number}"))
            for number, (project, data) in enumerate(plan.datas())
        ]

    # Nobody is thrown out for an erasure that is refused: what could refuse it comes first.
    with home.holds.still, home.eraser.alone():
        plan.look()
        _refuse_held(_held(acting, plan))
        entries = _remove(acting, plan.subjects)
        indices = home.eraser.carry_out_made(make, acting.credential, words)
    first: dict[str, int] = {}
    for (project, _), index in zip(plan.datas(), indices, strict=True):
        first.setdefault(project, index)
    logs = tuple(msgspec.structs.replace(one, event=first.get(one.project)) for one in _logs(plan))
    said = f"erased {_what(plan)}, under {given.request_id}"
    return Erased(said=said, entries=entries, done=True, logs=logs, files=len(files))


def _check(given: Erasing) -> None:
    if bool(given.subject) == (given.entry is not None):
        raise RequestError("usage", "what is to go? name a subject, or an entry and its fields")
    if given.entry is not None and not given.field:
        raise RequestError("usage", "which fields of the entry? name them, or * for all")
    if not given.reason.strip() or len(given.reason) > REASON_MAX:
        raise RequestError("usage", f"say why, in 1 to {REASON_MAX} characters")
    if not _REQUEST_ID.fullmatch(given.request_id):
        raise RequestError(
            "usage", "a request id is up to 100 letters, digits and . _ : / # -, and no name"
        )


def _of_person(acting: Acting) -> tuple[Plan, Words]:
    given: Erasing = acting.given
    home = acting.home
    subjects = _pseudonyms(acting, given.subject)
    words = home.eraser.copies.words_of(subjects)
    sought = None if given.theirs_only else words
    return home.eraser.plan(home.blobs, subjects=subjects, words=sought), words


def _pseudonyms(acting: Acting, subject: str) -> tuple[str, ...]:
    """Return every pseudonym of a person: their own, and those of the accounts that are theirs."""
    home = acting.home
    directory = home.access.directory
    account = subject.removeprefix(_ACTOR)
    person: Person | None = home.keys.person_by_pseudonym(subject)
    if person is None:
        known = home.keys.known_people([account, f"counterfoil:{account}"])
        person = known.get(f"counterfoil:{account}", known.get(account))
    if person is None:
        _refuse_erased(acting, subject)
        raise RequestError(
            "actor_unknown", f"nobody is known as {subject[:80]!a}; they may be erased already"
        )
    now = format_time(home.clock.now())
    owner = directory.owner_of(person.pseudonym, now)
    if owner is None:
        return (person.pseudonym,)
    theirs = [
        one
        for one in directory.pseudonyms_of(owner.ref)
        if directory.person_of(one) in {one, owner.ref}
        and home.keys.person_by_pseudonym(one) is not None
    ]
    return tuple(dict.fromkeys([person.pseudonym, *theirs]))


def _refuse_erased(acting: Acting, subject: str) -> None:
    home = acting.home
    for info in home.log.projects():
        for one in home.eraser.book.of(info.project).all:
            if one.subject == subject:
                raise RequestError(
                    "erased",
                    f"{subject} was {one.said()}, says entry {one.index} of {info.project}; "
                    "nothing was changed",
                    index=one.index,
                )


def _of_entry(acting: Acting) -> Plan:
    given: Erasing = acting.given
    home = acting.home
    home.require_project(given.project)
    assert given.entry is not None, "checked"
    index, size = given.entry, home.log.head(given.project).size
    if not 0 <= index < size:
        raise RequestError("not_found", f"log {given.project} has no entry {index}")
    [kept] = home.log.kept(given.project, index, index + 1)
    entry = read_entry(kept.entry)
    if is_erasing(entry):
        raise RequestError("usage", f"entry {index} says what was erased: it cannot be erased")
    technical = {one.name for one in kept.sealed if one.owner == "plain"}
    names = _fields(given, entry, technical)
    return home.eraser.plan(
        home.blobs, named=_shared(acting, [(given.project, index, name) for name in names])
    )


def _fields(given: Erasing, entry: Entry, technical: set[str]) -> list[str]:
    index = given.entry
    names = sorted(set(entry.commit) - technical) if EVERY in given.field else list(given.field)
    for name in names:
        if name not in entry.commit:
            has = ", ".join(sorted(entry.commit))
            raise RequestError("not_found", f"entry {index} has no {name[:80]!a}; it has {has}")
        if name in technical:
            raise RequestError(
                "usage",
                f"{name} of entry {index} is the server's own, in the open: nobody is in it",
            )
        if decides(given.project, entry, name):
            raise RequestError(
                "usage",
                f"{name} of entry {index} says what holds from then on: it cannot be erased",
            )
    return names


def _shared(
    acting: Acting, named: Sequence[tuple[str, int, str]]
) -> list[tuple[str, tuple[int, str]]]:
    """Return what is to go, without what is gone, and with every entry that names a blob of it.

    Raises:
        RequestError: `erased`: nothing is left to go.
    """
    home = acting.home
    left: dict[tuple[str, int, str], None] = {}
    gone = ""
    for project, index, name in named:
        [kept] = home.log.kept(project, index, index + 1)
        entry, book = read_entry(kept.entry), home.eraser.book.of(project)
        was = book.find(index, name, entry, _owner(kept, name))
        if was is not None:
            gone = f"{name} of entry {index} was {was.said()}, says entry {was.index}"
            continue
        left[project, index, name] = None
        stored = kept.blobs[int(name.removeprefix(BLOB))] if name.startswith(BLOB) else ""
        for other, at, position, _ in home.log.erasing.naming([stored]) if stored else ():
            left[other, at, f"{BLOB}{position}"] = None
    if not left:
        raise RequestError("erased", f"{gone}; nothing was changed")
    return [(project, (index, name)) for project, index, name in left]


def _held(acting: Acting, plan: Plan) -> tuple[str, ...]:
    holds = acting.home.holds
    found: dict[str, None] = {}
    for project, going in plan.of.items():
        over = [*holds.over_entries(project, as_ranges(going.entries()))]
        for subject in plan.subjects:
            over += holds.over_actor(project, subject)
        found.update(dict.fromkeys(one.said for one in over))
    return tuple(found)


def _refuse_held(held: Sequence[str]) -> None:
    if held:
        raise RequestError(
            "on_hold", f"on hold by {', '.join(held)}: end the hold first; nothing was changed"
        )


def _remove(acting: Acting, subjects: Sequence[str]) -> tuple[int, ...]:
    """Take whoever is erased out of the directory: nobody is let in whom nothing names."""
    access = acting.home.access
    entries: tuple[int, ...] = ()
    with access.changing() as directory:
        for ref in subjects:
            if (actor := directory.actor(ref)) is not None:
                entries += acting.enact("actor.removed", access.account_ref(actor.handle), {})
                entries += forget_removed(acting, actor, "its holder was erased")
    return entries


def _event(
    acting: Acting, subjects: Sequence[str], data: dict[str, JSON], moment: str, event_id: str
) -> Event:
    given: Erasing = acting.given
    actor = acting.home.access.directory.actor(acting.credential.actor)
    if actor is not None and actor.ref in subjects:
        actor = None
    return make_event(
        type=TYPE,
        source=SOURCE,
        id=event_id,
        time=moment,
        authtype="system" if actor is None else _KINDS[actor.kind],
        authid="counterfoil" if actor is None else actor.account,
        data={**data, "reason": given.reason, "request_id": given.request_id},
    )


def _logs(plan: Plan) -> tuple[GoingFrom, ...]:
    return tuple(_going(project, one) for project, one in sorted(plan.of.items()))


def _going(project: str, going: Going) -> GoingFrom:
    named = [f"{index} {name}" for index, name in sorted(going.named)]
    stays = [f"{index} {name}" for index, name in sorted(going.stays)]
    return GoingFrom(
        project=project,
        entries=len(going.entries()),
        theirs=len(set[int]().union(*going.theirs.values())),
        named=tuple(named[:SHOWN_MAX]),
        more=max(0, len(named) - SHOWN_MAX),
        stays=tuple(stays[:SHOWN_MAX]),
    )


def _what(plan: Plan) -> str:
    entries = sum(len(going.entries()) for going in plan.of.values())
    many = f"parts of {entries} entr{'y' if entries == 1 else 'ies'}"
    return f"{many} and what names {len(plan.subjects)} account(s)" if plan.subjects else many


def _owner(kept: Kept, name: str) -> str:
    """Return the pseudonym a part is sealed under, "" for the event's own and where none is left."""
    owners = {one.name: one.owner for one in kept.sealed if one.owner.startswith(_ACTOR)}
    return owners.get(name, "")


ACTIONS: Final = (
    Action(
        name="erase", verb="erase", takes=Erasing, gives=Erased, run=erase, people=("subject",),
        doc="Erase a person, or parts of an entry, for good; with dry_run, say what would go.",
    ),
)  # fmt: skip
