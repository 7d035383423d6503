"""From an event to the parts that are committed to and sealed, and back.

An event falls apart into the envelope (public, in the entry), the body (one commitment) and
its personal values (one commitment each), so that a name can be erased while the test result
beside it stays provable.  Which values are personal is told by the type (`registry`), by the
event itself (`data.personal`), and by the form of its refs: every `actor:` ref is.

Taking apart and joining are inverse: `join` of everything `split` made is the event as posted.

Source: docs/adr/0003-entry-format-1.md.
"""

import binascii
import hmac
import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from counterfoil.errors import EvidenceError, RequestError
from counterfoil.events import canonical, registry
from counterfoil.events.canonical import JSON
from counterfoil.events.commitments import commit
from counterfoil.events.entry import Entry
from counterfoil.events.event import Absent, Event
from counterfoil.events.naming import BlobName
from counterfoil.events.refs import Named, is_ref

# Members of the event that the entry holds in the open, or that have a commitment of their own.
_ENVELOPE = ("id", "source", "type", "subject", "time", "producer", "boot", "seq")
_NOT_BODY = frozenset({"specversion", "authid", *_ENVELOPE})
_ACTOR = "actor:"
_REF_POINTER = re.compile("/data/refs/[0-9]+/ref")


class Personal(msgspec.Struct, frozen=True):
    """One value about a person.

    Attributes:
        name: `authid`, `subject`, or a JSON Pointer into the event: `/data/author/email`.
        content: RFC 8785 bytes of what stands there.
        person: the account whose key seals it; None for the event's own key.
    """

    name: str
    content: bytes
    person: str | None


class Parts(msgspec.Struct, frozen=True):
    """An event taken apart.

    Attributes:
        body: RFC 8785 bytes of what is neither envelope nor personal.
        personal: the personal values; `authid` first.
        blobs: what `data.blobs` names, in order.
    """

    body: bytes
    personal: tuple[Personal, ...]
    blobs: tuple[BlobName, ...]


class Comparison(msgspec.Struct, frozen=True):
    """What `check_event` could compare.

    Attributes:
        compared: names of commitments that were opened and agree.
        unopened: names of commitments nobody gave the opening or the value of.
    """

    compared: tuple[str, ...]
    unopened: tuple[str, ...]


def split(event: Event) -> Parts:
    """Take `event` apart.  Nothing of it is changed; equal events give equal parts."""
    body: dict[str, JSON] = {"authtype": event.authtype, **event.extra}
    if not isinstance(event.data, Absent):
        body["data"] = event.data
    personal = [Personal("authid", canonical.write(event.authid), event.authid)]
    if event.subject is not None:
        account = _account(event.subject)
        if account is not None or not is_ref(event.subject):
            personal.append(Personal("subject", canonical.write(event.subject), account))
    for pointer, person in _pointers(event):
        found, value = _get(body, pointer)
        if found:
            personal.append(Personal(pointer, canonical.write(value), person))
            body = _without(body, pointer)
    return Parts(canonical.write(body), tuple(personal), event.blobs)


def join(entry: Entry, body: bytes | None, personal: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return the event as posted, as far as it is opened.

    Args:
        entry: the envelope.
        body: the body's bytes, or None if it is erased or not shown.
        personal: the personal values that are opened, by name.

    A personal value that is not opened is absent; in an array there is `null` in its place.  A
    subject that is an actor stays a pseudonym until it is opened.

    Raises:
        EvidenceError: `damaged`: the body is no JSON object, so it is none that `split` made.
    """
    event = _envelope(entry, personal)
    if body is not None:
        event.update(_read_body(entry, body))
    for name, value in personal.items():
        if name.startswith("/"):
            event = _edit_members(event, _steps(name), value, remove=False)
    return event


def write_joined(entry: Entry, body: bytes, personal: Mapping[str, JSON]) -> bytes:
    """Return the RFC 8785 form of what `join` returns, mostly sooner.

    Where the body is in that form, its members are taken over as they are written.

    Raises:
        EvidenceError: as `join` does.
        RequestError: `json_depth`: no event as posted nests that deep.
    """
    odd = any(name.startswith("/") or type(value) is not str for name, value in personal.items())
    if odd or (members := canonical.written_members(body)) is None:
        return canonical.write(join(entry, body, personal))
    event: dict[str, object] = {**_envelope(entry, personal), **members}
    data = msgspec.json.encode(event, order="sorted")
    return data if canonical.is_ordered(data) else canonical.write(join(entry, body, personal))


def _envelope(entry: Entry, personal: Mapping[str, JSON]) -> dict[str, JSON]:
    event: dict[str, JSON] = {"specversion": "1.0"}
    for name in _ENVELOPE:
        if (value := getattr(entry, name)) is not None:
            event[name] = value
    for name in ("authid", "subject"):
        if name in personal:
            event[name] = personal[name]
    return event


def public_subject(event: Event, pseudonym: Callable[[str], str]) -> str | None:
    """Return the subject as the entry has it: a ref, an actor's pseudonym, or None.

    A subject that is no ref may be any text, so it is committed to like a personal value and
    does not stand in the open.
    """
    if event.subject is None:
        return None
    if (account := _account(event.subject)) is not None:
        return pseudonym(account)
    return event.subject if is_ref(event.subject) else None


def public_refs(event: Event, pseudonym: Callable[[str], str]) -> tuple[Named, ...]:
    """Return the refs of the entry: those of `data.refs`, those the type states, the actor.

    Args:
        event: the event.
        pseudonym: account -> `actor:` and the random letters that stand for it in this log.
    """
    named = [
        Named(pseudonym(account), one.role) if (account := _account(one.ref)) is not None else one
        for one in event.refs
    ]
    named += registry.derived_refs(event)
    actor = Named(pseudonym(event.authid), "actor")
    # The last is who did it, so it is last even if the event names it before.
    return (*dict.fromkeys(one for one in named if one != actor), actor)


def persons_of(entry: Entry, name: str) -> frozenset[str]:
    """Return the pseudonyms of which one may own a part; of none it is the event's.

    Read off the entry and its type alone, as `split` seals: whoever writes into the rows could
    otherwise call a value somebody's who was erased.  Which of the actors an entry names stands
    at which place of `data.refs` is not told, so each of them may.
    """
    if name == "authid":
        return frozenset(one.ref for one in entry.refs[-1:])
    if _REF_POINTER.fullmatch(name):
        found = {one.ref for one in entry.refs}
    elif name == "subject" or _is_of_subject(entry.type, name):
        found = {entry.subject or ""}
    else:
        found = set()
    return frozenset(ref for ref in found if ref.startswith(_ACTOR))


def commit_map(
    parts: Parts, openings: Mapping[str, bytes], blobs: Mapping[str, bytes]
) -> dict[str, str]:
    """Return the entry's commitments, base64 by name.

    Args:
        parts: the event taken apart.
        openings: 32 bytes for `body` and for every personal value.
        blobs: the 32-byte commitments to blobs by name: `blob/0` is the first of `data.blobs`.
            One that is not here has none: the event names it by digest, inside the body.
    """
    made = {"body": _written(commit(openings["body"], parts.body))}
    for one in parts.personal:
        made[one.name] = _written(commit(openings[one.name], one.content))
    for name, commitment in blobs.items():
        made[name] = _written(commitment)
    return made


def check_event(entry: Entry, event: JSON, opening: Mapping[str, bytes]) -> Comparison:
    """Compare an event somebody shows with what its entry committed to.

    Which values are personal is read off the entry, so the verdict does not change when a later
    version knows a type better.

    Args:
        entry: the entry, from a verified receipt or log.
        event: the event as posted or as `join` shows it; parts of it may be missing.
        opening: name -> 32-byte opening, for what can be opened.

    Raises:
        EvidenceError: `commitment`: something shown differs from the entry.
    """
    if not isinstance(event, dict):
        raise EvidenceError("commitment", "what is shown is no event: not a JSON object")
    _check_envelope(entry, event)
    shown = _shown(entry, event)
    compared: list[str] = []
    for name in sorted(shown.keys() & opening.keys()):
        try:
            made = _written(commit(opening[name], canonical.write(shown[name])))
        except RequestError as error:
            raise EvidenceError("commitment", f"{name} is no JSON: {error}") from error
        if hmac.compare_digest(made, entry.commit[name]):
            compared.append(name)
        elif not _is_gap(event, name, shown[name]):
            raise EvidenceError(
                "commitment", f"{name} of the event is not what entry {entry.id[:64]!a} fixed"
            )
    unopened = [name for name in sorted(entry.commit) if name not in compared]
    return Comparison(tuple(compared), tuple(unopened))


def _shown(entry: Entry, event: Mapping[str, JSON]) -> dict[str, JSON]:
    """Take a shown event apart along the names its entry commits to."""
    body = {name: value for name, value in event.items() if name not in _NOT_BODY}
    shown = {name: event[name] for name in ("authid", "subject") if name in event}
    for name in sorted(entry.commit):
        found, value = _get(body, name) if name.startswith("/") else (False, None)
        if found:
            shown[name] = value
            body = _without(body, name)
    shown["body"] = body
    if shown.get("subject") == entry.subject:
        shown.pop("subject", None)  # the pseudonym itself: not opened
    return {name: value for name, value in shown.items() if name in entry.commit}


def _is_gap(event: JSON, name: str, value: JSON) -> bool:
    """Say whether `value` is the null an unopened element leaves in an array: no claim at all."""
    if value is not None or not name.startswith("/"):
        return False
    return isinstance(_get(event, name.rpartition("/")[0])[1], list)


def _check_envelope(entry: Entry, event: Mapping[str, JSON]) -> None:
    for name in _ENVELOPE:
        fixed, given = getattr(entry, name), event.get(name)
        if name == "subject" and "subject" in entry.commit and isinstance(given, str | None):
            # The entry holds a pseudonym; the commitment `subject` is what compares.
            continue
        if given != fixed or isinstance(given, bool):  # True equals 1, and is no seq
            raise EvidenceError(
                "commitment", f"{name} of the event is {given!a:.80}, the entry says {fixed!a:.80}"
            )


def _read_body(entry: Entry, body: bytes) -> dict[str, JSON]:
    try:
        opened = canonical.read_written(body, "the body")
    except RequestError as error:
        raise EvidenceError("damaged", f"entry {entry.id[:64]!a}: {error}") from error
    if not isinstance(opened, dict):
        raise EvidenceError("damaged", f"entry {entry.id[:64]!a}: the body is no JSON object")
    return opened


def _written(commitment: bytes) -> str:
    return binascii.b2a_base64(commitment, newline=False).decode()


def _account(ref: str) -> str | None:
    return ref.removeprefix(_ACTOR) if ref.startswith(_ACTOR) and ref != _ACTOR else None


def _pointers(event: Event) -> list[tuple[str, str | None]]:
    """Return (pointer into the event, person) without those inside another one."""
    found: dict[str, str | None] = {}
    for position, named in enumerate(event.refs):
        if (account := _account(named.ref)) is not None:
            found[f"/data/refs/{position}/ref"] = account
    known = registry.lookup(event.type)
    if known is not None and known.of_subject and event.subject is not None:
        found.update(dict.fromkeys(known.of_subject, _account(event.subject)))
    for pointer in (*(known.personal if known else ()), *("/data" + p for p in event.personal)):
        found.setdefault(pointer, None)
    return [(pointer, person) for pointer, person in found.items() if not _inside(pointer, found)]


def _is_of_subject(event_type: str, name: str) -> bool:
    known = registry.lookup(event_type) if name.startswith("/") else None
    return known is not None and name in known.of_subject


def _inside(pointer: str, others: Iterable[str]) -> bool:
    return any(pointer.startswith(other + "/") for other in others)


def _steps(pointer: str) -> list[str]:
    """Read a JSON Pointer (RFC 6901 section 4): ~1 first, so that ~01 is ~1 and not /."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _element(items: list[JSON], step: str) -> int | None:
    if not step.isascii() or not step.isdigit() or (step[0] == "0" and step != "0"):
        return None
    return int(step) if len(step) < 8 and int(step) < len(items) else None


def _get(value: JSON, pointer: str) -> tuple[bool, JSON]:
    for step in _steps(pointer):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and (index := _element(value, step)) is not None:
            value = value[index]
        else:
            return False, None
    return True, value


def _without(event: dict[str, JSON], pointer: str) -> dict[str, JSON]:
    """Return a copy without what `pointer`, which must lead somewhere, points to."""
    return _edit_members(event, _steps(pointer), None, remove=True)


def _edit_members(
    members: dict[str, JSON], steps: list[str], value: JSON, *, remove: bool
) -> dict[str, JSON]:
    """Return a copy with `value` at `steps`, or without it; unchanged if there is no place."""
    step, rest = steps[0], steps[1:]
    copy = dict(members)
    if rest:
        if step in copy:
            copy[step] = _edit(copy[step], rest, value, remove=remove)
    elif remove:
        del copy[step]
    else:
        copy[step] = value
    return copy


def _edit(holder: JSON, steps: list[str], value: JSON, *, remove: bool) -> JSON:
    if isinstance(holder, dict):
        return _edit_members(holder, steps, value, remove=remove)
    step, rest = steps[0], steps[1:]
    if isinstance(holder, list) and (index := _element(holder, step)) is not None:
        # A removed element leaves null behind: the others keep their places.
        inner = _edit(holder[index], rest, value, remove=remove) if rest else value
        return [*holder[:index], inner, *holder[index + 1 :]]
    return holder
