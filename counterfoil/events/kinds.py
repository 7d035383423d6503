"""What the project knows about one type of event, and how the noun modules write it down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from counterfoil.events.canonical import JSON

CDEVENTS = "dev.cdevents."
OWN = "dev.cdeventsx.counterfoil-"
CDEVENTS_VERSION = "0.5.1"

# The reason for "no row", said once.
LISTED = "no row: it is listed and searched as an entry; nothing is counted from it"
DIRECTORY = "no row: it is folded into the directory of who there is and who may (policy.directory)"

_SOURCE = "https://ci.example/acme/shop"
_TIME = "2026-11-20T12:00:00.000Z"
_MEMBERS = {
    "context": "the CDEvents context, kept as posted",
    "subject.id": "the subject's id at its source",
}

Refs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One type of event.

    Attributes:
        name: the CloudEvents `type`, version included.
        noun: the noun it belongs to; names the module in every layer.
        retention: "standard" (body sealed, erasable) or "technical" (the server's own facts
            without personal data, body kept in the open).
        meaning: what it says, for docs/events.md.
        title: the past-tense phrase; `sentence` describes its small language.
        members: member of `data` -> what it means, for docs/events.md.
        refs: role -> what is named in that role, for docs/events.md.
        personal: JSON Pointers into the event, to values about persons.
        of_subject: the same, to values about the actor who is the subject: sealed under that
            actor's key, and erased with it.  Whoever verifies goes by it: a version that seals
            otherwise is another type.
        example: a whole event of this type.
        row: the projection that keeps a row of it, or "no row: why".
    """

    name: str
    noun: str
    meaning: str
    title: str
    members: Mapping[str, str]
    refs: Mapping[str, str]
    example: dict[str, JSON]
    row: str
    personal: tuple[str, ...] = ()
    of_subject: tuple[str, ...] = ()
    retention: str = "standard"


def cdevents_type(  # noqa: D417  the rest is as in EventType
    name: str,
    *,
    noun: str,
    meaning: str,
    title: str,
    row: str,
    ident: str,
    content: Mapping[str, JSON],
    subject: str | None = None,
    named: Refs = (),
    members: Mapping[str, str] | None = None,
    refs: Mapping[str, str] | None = None,
    custom: Mapping[str, JSON] | None = None,
    personal: tuple[str, ...] = (),
) -> EventType:
    """Describe a type of CDEvents 0.5.1, whose `data` is the CDEvents document.

    Args:
        name: such as "change.merged.0.3.0".
        ident, content, custom: `subject.id`, `subject.content` and `customData` of the example.
        subject, named: the example's subject, and its refs with roles.
        members: member of `subject.content` or `customData` -> meaning.
        personal: members of `subject.content` that tell of a person.
    """
    event_id = "example/" + name
    document: dict[str, JSON] = {
        "context": {
            "specversion": CDEVENTS_VERSION,
            "id": event_id,
            "source": _SOURCE,
            "type": CDEVENTS + name,
            "timestamp": _TIME,
        },
        "subject": {"id": ident, "source": _SOURCE, "content": dict(content)},
    }
    if custom is not None:
        document["customData"] = dict(custom)
    return EventType(
        name=CDEVENTS + name,
        noun=noun,
        meaning=meaning,
        title=title,
        members={
            **_MEMBERS,
            **{_document_path(one): text for one, text in (members or {}).items()},
        },
        refs=refs or {},
        example=_envelope(event_id, CDEVENTS + name, subject, document, named),
        row=row,
        personal=tuple(f"/data/subject/content/{one}" for one in personal),
    )


def own_type(  # noqa: D417  the rest is as in EventType
    name: str,
    *,
    noun: str,
    meaning: str,
    title: str,
    row: str,
    data: Mapping[str, JSON],
    subject: str | None = None,
    named: Refs = (),
    members: Mapping[str, str] | None = None,
    refs: Mapping[str, str] | None = None,
    personal: tuple[str, ...] = (),
    of_subject: tuple[str, ...] = (),
    retention: str = "standard",
    actor: tuple[str, str] = ("user", "github.com:ana-dev"),
) -> EventType:
    """Describe a type of ours, version 0.1.0, whose `data` is flat.

    Args:
        name: such as "commit.pushed".
        data, subject, named, actor: what the example is made of.
        members: member of `data` -> meaning.
        personal: JSON Pointers into `data`, to values about persons.
        of_subject: the same, to values about the subject.
    """
    full = f"{OWN}{name}.0.1.0"
    return EventType(
        name=full,
        noun=noun,
        meaning=meaning,
        title=title,
        members=members or {},
        refs=refs or {},
        example=_envelope(f"example/{name}.0.1.0", full, subject, dict(data), named, actor),
        row=row,
        personal=tuple("/data" + one for one in personal),
        of_subject=tuple("/data" + one for one in of_subject),
        retention=retention,
    )


def _document_path(member: str) -> str:
    return member if member.startswith("customData") else "subject.content." + member


def _envelope(
    event_id: str,
    name: str,
    subject: str | None,
    data: dict[str, JSON],
    named: Refs,
    actor: tuple[str, str] = ("service_account", "ci.example:acme/shop"),
) -> dict[str, JSON]:
    if named:
        data = {**data, "refs": [{"ref": ref, "role": role} for ref, role in named]}
    event: dict[str, JSON] = {
        "specversion": "1.0",
        "id": event_id,
        "source": _SOURCE,
        "type": name,
        "time": _TIME,
        "authtype": actor[0],
        "authid": actor[1],
    }
    if subject is not None:
        event["subject"] = subject
    event["data"] = data
    return event
