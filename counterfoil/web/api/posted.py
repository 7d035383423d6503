"""What the producer of events gets back, as JSON shows it, and how much it may send at once.

A module of its own, for a worker process loads nothing else of the API.
"""

from typing import Annotated, Final, Literal

import msgspec

from counterfoil.app.posted import Answer

BODY_MAX_BYTES: Final = 4 << 20


class EntryAnswer(msgspec.Struct):
    """What the producer of one event gets back; `receipt` verifies for ever, without us."""

    id: Annotated[str, msgspec.Meta(description="the event's id, as posted")]
    index: Annotated[int, msgspec.Meta(ge=0, description="its entry number, from 0")]
    status: Annotated[
        Literal["recorded", "duplicate"],
        msgspec.Meta(description="duplicate: it was recorded before, with the same content"),
    ]
    receipt: Annotated[
        str, msgspec.Meta(description="a C2SP tlog-proof; its extra line is the entry")
    ]
    opening: Annotated[
        dict[str, bytes],
        msgspec.Meta(description="32-byte keys, base64, that open the entry's commitments"),
    ]


class EventsAnswer(msgspec.Struct):
    """The entries of a request, in the order sent."""

    entries: list[EntryAnswer]


def entry_answer(answer: Answer) -> EntryAnswer:
    """Return an answer of the recorder as JSON shows it."""
    return EntryAnswer(
        id=answer.id,
        index=answer.index,
        status="duplicate" if answer.status == "duplicate" else "recorded",
        receipt=answer.receipt.decode(),
        opening=dict(sorted(answer.opening.items())),
    )
