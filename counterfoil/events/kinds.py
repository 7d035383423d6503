"""What the project knows about one type of event."""

from dataclasses import dataclass

from counterfoil.events.canonical import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One type of event.

    Attributes:
        name: the CloudEvents `type`, version included.
        noun: the noun it belongs to; names the module in every layer.
        retention: "standard" (body sealed, erasable) or "technical" (the server's own facts
            without personal data, body kept in the open).
        meaning: what it says, for docs/events.md.
        title: the past-tense phrase of `sentence.say`; see there for its small language.
        members: data member -> what it means, for docs/events.md.
        refs: role -> which refs come with it, for docs/events.md.
        personal: JSON Pointers into the event to values about persons.
        example: a whole event of this type.
        row: the projection that keeps a row of it, or "no row: why".
    """

    name: str
    noun: str
    meaning: str
    title: str
    members: dict[str, str]
    refs: dict[str, str]
    example: dict[str, JSON]
    row: str
    personal: tuple[str, ...] = ()
    retention: str = "standard"
