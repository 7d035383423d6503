"""What crosses the socket between the process that writes and a worker: framed msgpack.

A frame is 4 bytes of length, big endian, and one message.  Towards the writer: entries that are
ready but for index and time (`Place`), people seen for the first time (`Meet`), and connections given back with every byte that nobody has
answered (`HandOver`; the connection itself follows over a second socket, by number), and once a
second what was answered (`Tally`).  Towards the worker: how to serve (`Hello`), where entries stand and what proves it (`Placed`), or that they
were not placed (`Unplaced`).

No signing key crosses, and no signature but that of a committed and checked head.  Event keys
do: both processes belong to one user, and the sockets have no name in any directory.

Source: docs/adr/0021; the msgpack specification.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from counterfoil.app.config import LogConfig
from counterfoil.ledger.receipts import Added
from counterfoil.ledger.store import Item
from counterfoil.policy.access import Credential

FRAME_MAX_BYTES: Final = 64 * 1024 * 1024
_HEAD: Final = 4


class Pass(msgspec.Struct, frozen=True):
    """What a worker needs to let a token's events in without asking.

    Args:
        credential: whose token it is.
        projects: where the policy lets it record.
        until: when to ask again, RFC 3339; then, and for anything else, the writer decides.
    """

    credential: Credential
    projects: tuple[str, ...]
    until: str


class Passes(msgspec.Struct, tag=True, frozen=True):
    """Whom to let in, in the place of what was said before.

    Args:
        version: counts what was said; a `Place` under an earlier one is given back.
        tokens: SHA-256 of a bearer token -> what it is good for.
    """

    version: int
    tokens: dict[bytes, Pass]


class Hello(msgspec.Struct, tag=True, frozen=True):
    """The first message to a worker.

    Args:
        directory: of the ledger.
        public_url: what the server is called.
        proxies: networks whose X-Forwarded-* headers are believed.
        projects: which logs there are.
        passes: whom to let in.
        log: how to write this program's log.
    """

    directory: str
    public_url: str
    proxies: tuple[str, ...]
    projects: tuple[str, ...]
    passes: Passes
    log: LogConfig = LogConfig()


class Place(msgspec.Struct, tag=True, frozen=True):
    """Entries of one request, to be recorded together or not at all.

    Args:
        number: of the request.
        project: whose log.
        version: of the passes it was let in by.
        credential: what it came under.
        items, times_at: of `Prepared`.
    """

    number: int
    project: str
    version: int
    credential: str
    items: list[Item]
    times_at: list[int]


class Meet(msgspec.Struct, tag=True, frozen=True):
    """Accounts an event names for the first time: they get their pseudonyms and keys.

    Args:
        number: of the request.
        project: whose log.
        keys: source and id of its events.
        accounts: that they name.
    """

    number: int
    project: str
    keys: list[tuple[str, str]]
    accounts: list[str]


class Met(msgspec.Struct, tag=True, frozen=True):
    """The accounts of `Meet` are in `erasable.db`, or why not: then `failed` is True."""

    number: int
    failed: bool


class Standing(msgspec.Struct, frozen=True, array_like=True):
    """Where the entries of one request stand: side by side, none of them a duplicate.

    Args:
        number: of the request.
        recordedtime: what goes into the blank of every entry.
        first: index of the first entry.
    """

    number: int
    recordedtime: str
    first: int


class Placed(msgspec.Struct, tag=True, frozen=True):
    """Committed, checked and signed: requests of one commit, and what receipts are built from."""

    requests: tuple[Standing, ...]
    added: Added


class Unplaced(msgspec.Struct, tag=True, frozen=True):
    """The request was not answered by an entry each.

    Args:
        number: of the request.
        code: of the error; "" where the writer has to answer by itself: duplicates, conflicts.
        message: of the error.
    """

    number: int
    code: str = ""
    message: str = ""


class HandOver(msgspec.Struct, tag=True, frozen=True):
    """A connection for the writer, and what came over it that nobody has answered."""

    number: int
    unanswered: bytes


class Stop(msgspec.Struct, tag=True, frozen=True):
    """Answer what was accepted, accept nothing more, end."""


class Tally(msgspec.Struct, tag=True, frozen=True):
    """What a worker answered since its last word, for `/metrics`.

    Args:
        statuses: status of an answer -> how many.
        counts: of `Buckets` under the bounds `LATENCY_S`: seconds until the answer.
        sum_s: all of these seconds together.
        connections: how many are open to it now.
    """

    statuses: dict[int, int]
    counts: list[int]
    sum_s: float
    connections: int


FromWorker = Place | Meet | HandOver | Tally
ToWorker = Hello | Passes | Met | Placed | Unplaced | Stop

_encoder: Final = msgspec.msgpack.Encoder()
_from_worker: Final = msgspec.msgpack.Decoder(FromWorker)
_to_worker: Final = msgspec.msgpack.Decoder(ToWorker)


def frame(message: FromWorker | ToWorker) -> bytes:
    """Return a message as it crosses the socket."""
    data = _encoder.encode(message)
    return len(data).to_bytes(_HEAD, "big") + data


class Frames:
    """Cuts a stream of bytes into frames.  One reader uses an instance."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take what came and yield every message that is whole.

        Raises:
            ValueError: a length no message has: what comes over this socket is not ours.
        """
        self._waiting += data
        while len(self._waiting) >= _HEAD:
            end = _HEAD + int.from_bytes(self._waiting[:_HEAD], "big")
            if end > FRAME_MAX_BYTES:
                raise ValueError(f"a frame of {end} bytes")
            if len(self._waiting) < end:
                return
            message = bytes(self._waiting[_HEAD:end])
            del self._waiting[:end]
            yield message


def read_from_worker(data: bytes) -> FromWorker:
    """Read a message to the writer; msgspec.MsgspecError if it is none."""
    message: FromWorker = _from_worker.decode(data)
    return message


def read_to_worker(data: bytes) -> ToWorker:
    """Read a message to a worker; msgspec.MsgspecError if it is none."""
    message: ToWorker = _to_worker.decode(data)
    return message


class Stands(NamedTuple):
    """One request's place, and what its commit added: one object for all of that commit."""

    standing: Standing
    added: Added


def by_commit(answers: Sequence[Stands | Unplaced]) -> list[ToWorker]:
    """Return messages in order; what receipts of one commit share stands in one of them."""
    messages: list[ToWorker] = []
    standing: list[Standing] = []
    for place, answer in enumerate(answers):
        if isinstance(answer, Unplaced):
            messages.append(answer)
            continue
        standing.append(answer.standing)
        after = answers[place + 1] if place + 1 < len(answers) else None
        if not isinstance(after, Stands) or after.added is not answer.added:
            messages.append(Placed(tuple(standing), answer.added))
            standing.clear()
    return messages
