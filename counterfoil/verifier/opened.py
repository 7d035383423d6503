"""One entry while the rows beside it are checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from counterfoil.events.canonical import JSON
from counterfoil.events.commitments import Keys
from counterfoil.events.entry import Entry
from counterfoil.verifier.kept import BlobRow, IdemRow, PieceRow
from counterfoil.verifier.suspects import Observation


@dataclass(slots=True)
class Opened:
    """One entry, the rows beside it, and what came of them so far.

    Args:
        index: its place in the log.
        entry: as the tree binds it.
        salt: b"" where the row is not there.
        event_key: None where there is none of use.
        pieces, blobs, idem: the rows.
        tried: what was tried, for telling which cell is to blame.
        shared: names of the cells among them that other entries depend on too.
        body: the body, once it opened.
        personal: the other values that opened, by name.
        complete: whether all there is of it opened.
        own: keys of the parts that outlived their owner's key, by name.
    """

    index: int
    entry: Entry
    salt: bytes
    event_key: bytes | None
    pieces: Sequence[PieceRow]
    blobs: Sequence[BlobRow]
    idem: IdemRow | None
    tried: list[Observation]
    shared: set[str]
    body: bytes | None
    personal: dict[str, JSON]
    complete: bool
    own: Mapping[str, Keys] = field(default_factory=dict)
