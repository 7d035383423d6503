"""An aggregate log: every entry a checkpoint of another log, each proved to extend the one before.

The entries bring their own proofs, so a stranger who has this one log checks the growth of all
the others without seeing them.  Whether a log still is what it was then is compared by the
caller, who may have it.

Source: docs/adr/0023; the entry is an add-checkpoint body of C2SP tlog-witness.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from counterfoil.errors import EvidenceError
from counterfoil.tlog.checkpoint import verify_checkpoint
from counterfoil.tlog.checkpoint_text import Checkpoint, parse_checkpoint
from counterfoil.tlog.keys import VerifierKey
from counterfoil.tlog.note_text import parse_note
from counterfoil.tlog.tree import EMPTY_ROOT, TreeHead
from counterfoil.tlog.witness import Refused, extends, parse_add_checkpoint
from counterfoil.verifier.growth import Growth
from counterfoil.verifier.report import Findings

AGGREGATE = "_aggregate"


def is_aggregate(origin: str) -> bool:
    """Tell whether a log of this origin says that it aggregates others."""
    return origin.endswith(f"/{AGGREGATE}")


@dataclass(frozen=True, slots=True)
class Aggregated:
    """The last checkpoint on record of one log, and the entry that holds it, from 0."""

    checkpoint: Checkpoint
    index: int


class AggregateCheck:
    """Checks the entries of an aggregate log in their order.

    Args:
        keys: the keys of logs that are trusted here.
        findings: where findings go.
        name: turns an entry number into its name in findings.

    Attributes:
        last: what is on record of each log, by origin.
        growth: all that is on record of each log, by origin.
        strangers: logs whose key is not among the trusted: their growth is checked, and not
            their signature.
    """

    def __init__(
        self, keys: Sequence[VerifierKey], findings: Findings, name: Callable[[int], str]
    ) -> None:
        self.last: dict[str, Aggregated] = {}
        self.growth: dict[str, Growth] = {}
        self.strangers: set[str] = set()
        self._keys = keys
        self._findings = findings
        self._name = name

    def bundle(self, first: int, entries: Sequence[bytes | None]) -> None:
        """Check the entries from number `first` on; those that cannot be read are findings already."""
        for index, entry in enumerate(entries, first):
            if entry is None:
                continue
            try:
                checkpoint = self._check(entry)
            except Refused as refusal:
                # A 409 here: an entry that does not start where the one before it ended.
                self._findings.add("forked", self._name(index), refusal.message, index)
            except EvidenceError as error:
                message = f"no checkpoint of a log: {error.message}"
                self._findings.add("damaged", self._name(index), message, index)
            else:
                self.last[checkpoint.origin] = Aggregated(checkpoint, index)
                self.growth.setdefault(checkpoint.origin, Growth()).add(checkpoint.head, index)

    def _check(self, entry: bytes) -> Checkpoint:
        request = parse_add_checkpoint(entry)
        checkpoint = parse_checkpoint(parse_note(request.note).text)
        keys = [key for key in self._keys if key.name == checkpoint.origin]
        if keys:
            verify_checkpoint(request.note, keys)
        else:
            self.strangers.add(checkpoint.origin)
        before = self.last.get(checkpoint.origin)
        held = before.checkpoint.head if before else TreeHead(0, EMPTY_ROOT)
        extends(held, request, checkpoint)
        return checkpoint
