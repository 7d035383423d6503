"""What the producer of an event gets back: a module of its own, for workers load nothing else."""

import base64
from collections.abc import Mapping

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """What the producer of one event gets back.

    Attributes:
        id: the event's id, as posted.
        index: its entry number, from 0.
        status: "recorded" or "duplicate".
        receipt: a C2SP tlog-proof whose extra line is the entry.
        opening: name -> 32 bytes that open the commitments of the entry.
    """

    id: str
    index: int
    status: str
    receipt: bytes
    opening: Mapping[str, bytes]

    def to_json(self) -> dict[str, object]:
        """Return the answer as `POST /v1/events` prints it."""
        return {
            "id": self.id,
            "index": self.index,
            "status": self.status,
            "receipt": self.receipt.decode(),
            "opening": {
                name: base64.b64encode(key).decode() for name, key in sorted(self.opening.items())
            },
        }
